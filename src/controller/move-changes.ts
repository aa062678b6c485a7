/**
 * What callers may do about moves, as pure changes of the committed state: pause, resume, cancel, try again,
 * put them first, and say whose slots are of which nobody knows. Each throws a `Refusal` that says what is allowed.
 */
import { outOfReach } from '../decisions/hand-over.ts';
import { backAtSource, finished, give, handingOver, inOrder, settle } from '../decisions/move-steps.ts';
import type { Proposal, World } from '../decisions/world.ts';
import {
  type Intended,
  movesOf,
  nextVersion,
  type OperationId,
  withOperation,
  withoutOperation,
} from '../operations/intended.ts';
import { type HandingOver, type Held, type Migrating, type Move, recordOf } from '../operations/move.ts';
import { movesOfPlan, type Plan, plansOf } from '../operations/plan.ts';
import { shardOf } from '../topology/cluster.ts';
import { formatRange } from '../topology/slots.ts';
import { refusePaused } from './changes.ts';
import type { MovesCommand } from './move-plane.ts';
import { about, checkPriority } from './move-planning.ts';
import { invalid, notFound, Refusal } from './refusal.ts';

/** Which moves a command is about. */
export type MoveSelection = { readonly plan: OperationId } | { readonly move: OperationId } | 'all';

/** Throws where there is no such plan or move. */
function selected(intended: Intended, selection: MoveSelection): readonly Move[] {
  if (selection === 'all') return movesOf(intended);
  if ('plan' in selection) {
    if (!plansOf(intended).some(({ id }) => id === selection.plan)) throw notFound(`plan ${selection.plan}`);
    return movesOfPlan(intended, selection.plan);
  }
  const move = movesOf(intended).find(({ id }) => id === selection.move);
  if (move === undefined) throw notFound(`move ${selection.move}`);
  return [move];
}

const nameOf = (selection: MoveSelection): string =>
  selection === 'all' ? 'all moves' : 'plan' in selection ? `plan ${selection.plan}` : `move ${selection.move}`;

function withPaused(world: World, selection: MoveSelection, paused: boolean, by: string): Proposal {
  const { intended } = world;
  const chosen = selected(intended, selection);
  const concerns = (one: Plan | Move): boolean => {
    if (selection === 'all') return one.kind === 'plan' || one.plan === null || !paused;
    if ('plan' in selection) return one.id === selection.plan;
    return one.id === selection.move;
  };
  let changed = false;
  const operations = intended.operations.map((one) => {
    if (one.kind === 'switchover' || !concerns(one) || one.paused === paused) return one;
    changed = true;
    return { ...one, paused };
  });
  if (!changed) return { next: intended, events: [] };
  const next = { ...intended, operations };
  // Resumed alone, a move of a paused plan would stand still all the same.
  const plan = paused ? undefined : pausedPlan(next, chosen);
  if (plan !== undefined && selection !== 'all' && 'move' in selection)
    throw new Refusal('operation_running', `its plan ${plan.id} is paused; resume that`, plan.id);
  const words = paused ? 'paused: what runs is finished, nothing new is begun' : 'goes on';
  return { next, events: [about(by, paused ? 'move.paused' : 'move.resumed', `${nameOf(selection)}: ${words}`)] };
}

const pausedPlan = (intended: Intended, moves: readonly Move[]): Plan | undefined =>
  plansOf(intended).find(({ id, paused }) => paused && moves.some(({ plan }) => plan === id));

/** Nothing new of these is begun; the piece that runs is finished. Repeating it changes nothing. */
export const pauseMoves = (world: World, selection: MoveSelection, by: string): Proposal =>
  withPaused(world, selection, true, by);

export const resumeMoves = (world: World, selection: MoveSelection, by: string): Proposal =>
  withPaused(world, selection, false, by);

/** A job that copies key by key ends as its target is told a version; another one is waited for. */
function endable(world: World, move: Migrating): boolean {
  return world.view(move.sourceNode)?.migrateType === 'redis-command';
}

function withEnding(world: World, move: Move, ending: 'cancel' | 'retry', endJobs: boolean): Move {
  if (move.phase === 'migrating' && endJobs && move.endedAt === null && endable(world, move))
    return { ...move, ending, endedAt: world.intended.cluster.version + 1 };
  if (move.phase === 'settling') return ending === 'cancel' ? { ...move, after: 'drop' } : move;
  return { ...move, ending };
}

/** Whether a cancellation still changes something of it. */
const cancellable = (move: Move): boolean => {
  if (move.phase === 'handing-over') return move.left !== null && move.ending !== 'cancel';
  if (move.phase === 'settling') return move.after !== 'drop';
  return move.ending !== 'cancel';
};

/**
 * What has not begun goes away, and what was given up. A piece that runs is ended where that is possible, or waited for:
 * it is rolled back or finished as it came out, and the rest of its move goes away. `endJobs` false: it is only waited for.
 */
export function cancelMoves(world: World, selection: MoveSelection, by: string, endJobs = true): Proposal {
  const { intended } = world;
  const chosen = selected(intended, selection);
  const gone = chosen.filter(({ phase }) => phase === 'queued' || phase === 'failed');
  const running = chosen.filter((move) => move.phase !== 'queued' && move.phase !== 'failed' && cancellable(move));
  const [only] = chosen;
  if (gone.length + running.length === 0) {
    const single = selection !== 'all' && 'move' in selection;
    const last =
      chosen.find((move) => move.phase === 'handing-over' && move.ending !== 'cancel') ?? (single ? only : undefined);
    if (last === undefined) return { next: intended, events: [] };
    const words = last.phase === 'handing-over' ? 'its last slots are the target’s already' : 'it is being ended';
    throw new Refusal('operation_running', `move ${last.id} cannot be cancelled any more: ${words}`, last.id);
  }
  let next = intended;
  for (const { id } of gone) next = withoutOperation(next, id);
  for (const move of running) next = withOperation(next, withEnding(world, move, 'cancel', endJobs));
  if (endsAJob(intended, next)) next = nextVersion(next, next.cluster);
  const words = [
    ...(gone.length === 0 ? [] : [`${gone.length} moves are given up`]),
    ...(running.length === 0 ? [] : [`${running.length} under way end with what runs of them`]),
  ];
  return inOrder({ next, events: [about(by, 'move.cancelled', words.join(', '))] });
}

const endsAJob = (before: Intended, after: Intended): boolean => {
  const ended = (of: Intended) => movesOf(of).filter((move) => move.phase === 'migrating' && move.endedAt !== null);
  return ended(after).length > ended(before).length;
};

/**
 * Failed moves are queued again, as if they had never been tried. A single one whose piece runs is ended and tried anew in
 * smaller pieces, where its job can be ended.
 */
export function retryMoves(world: World, selection: MoveSelection, by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const chosen = selected(intended, selection);
  const [only] = chosen;
  if (selection !== 'all' && 'move' in selection && only !== undefined && only.phase !== 'failed')
    return endedForRetry(world, only, by);
  const failed = chosen.filter((move) => move.phase === 'failed');
  if (failed.length === 0) throw invalid(`${nameOf(selection)}: nothing has failed, so there is nothing to try again`);
  let next = intended;
  for (const move of failed) {
    const again = { ...recordOf(move), phase: 'queued', left: move.left, lastFailure: move.why, failures: 0 } as const;
    next = withOperation(next, again);
  }
  const words = `${failed.length} moves are tried again`;
  return inOrder({ next, events: [about(by, 'move.retried', words)] });
}

function endedForRetry(world: World, move: Move, by: string): Proposal {
  const { intended } = world;
  if (move.phase !== 'migrating')
    throw invalid(`move ${move.id} is ${move.phase}: one that has failed, or whose piece runs, can be tried again`);
  if (!endable(world, move)) {
    const words = `its source copies ${world.view(move.sourceNode)?.migrateType ?? 'in a way that is not known'}, and such a job ends by itself alone`;
    throw new Refusal('operation_running', `move ${move.id}: ${words}; set migrate-type redis-command to change that`);
  }
  const next = withOperation(intended, withEnding(world, move, 'retry', true));
  const message = `slots ${formatRange(move.piece)}: the piece is ended and tried anew in smaller ones`;
  return { next: nextVersion(next, next.cluster), events: [about(by, 'move.ended', message, move.source)] };
}

/** Among moves that could begin the higher goes first. */
export function setPriority(world: World, selection: MoveSelection, priority: number, by: string): Proposal {
  checkPriority(priority);
  const { intended } = world;
  const chosen = new Set(selected(intended, selection).map(({ id }) => id));
  const operations = intended.operations.map((one) =>
    one.kind === 'move' && chosen.has(one.id) ? { ...one, priority } : one,
  );
  const message = `${nameOf(selection)}: priority ${priority}`;
  return { next: { ...intended, operations }, events: [about(by, 'move.priority', message)] };
}

/** Held, or the source serves it and only the target could say whether it had taken it over before. */
function isUndecided(world: World, move: Move): move is Held | Migrating {
  const migration = world.trace(move.id)?.migration;
  return (
    move.phase === 'held' ||
    (move.phase === 'migrating' && migration?.kind === 'unsettled' && migration.waitsFor === 'target')
  );
}

/**
 * An operator's word about a piece of which nobody knows whose it is: `source`: its copy holds, what the target may have
 * taken is given up. `target`: its copy holds, whole or not. Of one that was handed over to a target that is gone only
 * the copy that can still be had may be named.
 */
export function settleByHand(world: World, id: OperationId, owner: 'source' | 'target', by: string): Proposal {
  const { intended } = world;
  const [named] = selected(intended, { move: id });
  if (named?.phase === 'handing-over') return settleHandedOver(world, named, owner, by);
  const move = named !== undefined && isUndecided(world, named) ? named : undefined;
  if (move === undefined) throw invalid(`move ${id}: it is known whose its slots are, so there is nothing to settle`);
  const message = `slots ${formatRange(move.piece)} are the ${owner}’s, on the word of ${by}`;
  const events = [about(by, 'move.settled', message, owner === 'source' ? move.source : move.target)];
  const after = move.ending === 'cancel' ? 'drop' : 'retry';
  if (owner === 'source') {
    const back =
      move.phase === 'held' ? give(intended.cluster, move.piece, move.target, move.source) : intended.cluster;
    return inOrder(settle(world, move, `settled by ${by}`, after, events, { cluster: back }));
  }
  const goal = world.view(move.targetNode)?.sequence ?? null;
  if (move.phase === 'held') return { next: handingOver(intended, move, intended.cluster.version, goal, true), events };
  const next = handingOver(intended, move, intended.cluster.version + 1, goal, true);
  return { next: nextVersion(next, give(intended.cluster, move.piece, move.source, move.target)), events };
}

function settleHandedOver(world: World, move: HandingOver, owner: 'source' | 'target', by: string): Proposal {
  const possible = outOfReach(world, move);
  if (possible === undefined)
    throw invalid(`move ${move.id}: its slots are the target’s, which answers, so there is nothing to settle`);
  if (possible === 'target' && owner === 'source') {
    const words = `${move.sourceNode} was told that its slots are the target’s and has deleted them; allowed: target, which gives up what no replica of it has`;
    throw invalid(`move ${move.id}: ${words}`);
  }
  if (possible === 'source' && owner === 'target') {
    const words = `its slots are the target’s already, and no replica of it has their keys; allowed: source, which still has them`;
    throw invalid(`move ${move.id}: ${words}`);
  }
  if (
    owner === 'source' &&
    (world.view(shardOf(world.intended.cluster, move.source)?.master ?? '')?.busySince ?? null) !== null
  )
    throw new Refusal(
      'operation_running',
      `move ${move.id}: its source is being told something; try again in a moment`,
      move.id,
    );
  const message = `slots ${formatRange(move.piece)} are the ${owner}’s, on the word of ${by}: `;
  if (owner === 'target') {
    const given = `what ${move.targetNode} alone has of them is given up`;
    const events = [about(by, 'move.settled', `${message}${given}`, move.target)];
    const proposal = finished(world.intended, move);
    return { ...proposal, events: [...events, ...proposal.events] };
  }
  const given = `what ${move.targetNode} has taken of them is given up; their source answers writes with TRYAGAIN until it moves slots again, is restarted or switched over`;
  const back = backAtSource(world.intended, move, `given back to its source on the word of ${by}`);
  const events = [about(by, 'move.settled', `${message}${given}`, move.source)];
  return inOrder({ next: nextVersion(back, back.cluster), events });
}

export function changeMoves(world: World, command: MovesCommand, by: string): Proposal {
  switch (command.do) {
    case 'pause':
      return pauseMoves(world, command.which, by);
    case 'resume':
      return resumeMoves(world, command.which, by);
    case 'cancel':
      return cancelMoves(world, command.which, by);
    case 'retry':
      return retryMoves(world, command.which, by);
    case 'prefer':
      return setPriority(world, command.which, command.priority, by);
    case 'settle':
      return settleByHand(world, command.move, command.owner, by);
  }
}
