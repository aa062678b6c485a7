/** What one move that nodes are busy with does next. */
import { type Intended, movesOf, nextVersion, withOperation, withoutOperation } from '../operations/intended.ts';
import {
  type ActiveMove,
  endsOf,
  type HandingOver,
  type Held,
  type Migrating,
  MOVE_BOUNDS,
  type Move,
  movedSlots,
  recordOf,
  type Settling,
} from '../operations/move.ts';
import { withMoved, withPlansInOrder } from '../operations/plan.ts';
import type { Instant } from '../runtime/runtime.ts';
import { type Cluster, shardOf, withShard } from '../topology/cluster.ts';
import type { Sequence, ShardId, Version } from '../topology/ids.ts';
import { formatRange, type SlotRange, slotCount, subtract, union } from '../topology/slots.ts';
import { namedReplicas } from '../topology/text.ts';
import { endsNow, handOverOverdue, isHeld, needsNoSource, phaseAt, sourceKnows, targetKnows } from './hand-over.ts';
import type { Chase, Migrate } from './jobs.ts';
import { targetWord } from './move-outcome.ts';
import { nextSize, withInheritedSize } from './move-queue.ts';
import type { Beside, Happening, Migration, Proposal, World } from './world.ts';

export interface MoveStep {
  readonly proposal?: Proposal;
  readonly migrate?: Migrate;
  /** Of a replica of the target: clients go back and forth until it has what the source is about to delete. */
  readonly chase?: Chase;
  readonly wakeAt?: Instant;
}

export function step(world: World, move: ActiveMove): MoveStep {
  switch (move.phase) {
    case 'migrating':
      return whileMigrating(world, move);
    case 'settling':
      return whileSettling(world, move);
    case 'held':
      return whileHeld(world, move);
    case 'handing-over':
      return whileHandingOver(world, move);
  }
}

export function give(cluster: Cluster, range: SlotRange, from: ShardId, to: ShardId): Cluster {
  const given = withShard(cluster, from, (shard) => ({ ...shard, slots: subtract(shard.slots, [range]) }));
  return withShard(given, to, (shard) => ({ ...shard, slots: union(shard.slots, [range]) }));
}

const slotsOf = (range: SlotRange): number => slotCount([range]);

/** `range`: the piece that it is about; otherwise all of the move. */
export const about = (move: Move, kind: string, message: string, range: SlotRange = move.range): Happening => ({
  kind,
  message: `slots ${formatRange(range)} from ${move.source} to ${move.target}: ${message}`,
  by: move.by,
  shard: move.source,
});

const behind = (left: SlotRange, piece: SlotRange): SlotRange | null =>
  piece.to >= left.to ? null : { from: piece.to + 1, to: left.to };

/** The piece is the target's from this version on, in the topology and in the plan. */
export function handingOver(
  intended: Intended,
  move: Migrating | Held,
  version: Version,
  goal: Sequence | null,
  recovered: boolean,
): Intended {
  const next = withOperation(intended, {
    ...recordOf(move),
    ...endsOf(move),
    phase: 'handing-over',
    left: behind(move.left, move.piece),
    failures: 0,
    version,
    goal,
    recovered,
  });
  return withMoved(next, move.plan, slotsOf(move.piece));
}

/** Plans that have come to their end with this are gone, and it is told. */
export function inOrder(proposal: Proposal): Proposal {
  const { next, ended } = withPlansInOrder(proposal.next);
  const events = ended.map(({ id, what, moved, slots, by }) => ({
    kind: 'plan.finished',
    message: `${what} ${id}: ${moved} of ${slots} slots have moved`,
    by,
  }));
  return { ...proposal, next, events: [...proposal.events, ...events] };
}

/** Given up: kept for people to see, the oldest failures making room. */
export function withFailed(intended: Intended, move: Move, why: string): Intended {
  const left = move.left ?? move.range;
  const next = withOperation(intended, { ...recordOf(move), phase: 'failed', left, why, ending: null });
  const failed = movesOf(next).filter((one) => one.phase === 'failed');
  const surplus = failed.slice(0, Math.max(0, failed.length - MOVE_BOUNDS.failuresKept));
  return surplus.reduce((rest: Intended, old) => withoutOperation(rest, old.id), next);
}

function whileMigrating(world: World, move: Migrating): MoveStep {
  const { intended } = world;
  const migration = world.trace(move.id)?.migration;
  if (migration?.kind === 'success') return { proposal: succeeded(world, move, migration) };
  if (migration?.kind === 'failed') return { proposal: inOrder(failedTry(world, move, migration)) };
  const source = shardOf(intended.cluster, move.source)?.nodes.find((node) => node.id === move.sourceNode);
  const target = shardOf(intended.cluster, move.target)?.nodes.find((node) => node.id === move.targetNode);
  if (source === undefined || target === undefined) {
    const why = 'one of its masters is gone';
    const next = withFailed(intended, move, why);
    return { proposal: inOrder({ next, events: [about(move, 'move.failed', why)] }) };
  }
  const migrate: Migrate = {
    operation: move.id,
    attempt: move.tries,
    source,
    target,
    range: move.piece,
    noted: move.noted,
    resume: move.resumed || (world.trace(move.id)?.found ?? world.trace(move.id) === undefined),
  };
  return { migrate };
}

/** What was taken by whom since a success that was undone is for people to know. */
function undoneWords({ sourceNode }: Migrating, undone: 'restart' | 'push'): string {
  const since = undone === 'restart' ? 'was restarted after that' : 'was told another topology after that';
  return `copied; ${sourceNode} ${since} and serves them again: what it has taken since is not with the target, and is lost to clients`;
}

function succeeded(world: World, move: Migrating, migration: Migration & { kind: 'success' }): Proposal {
  const { intended } = world;
  const { undone, took, goal } = migration;
  if (endsNow(intended, move).target !== move.targetNode) return tooLate(world, move);
  const slots = slotsOf(move.piece);
  const measured: Migrating =
    took === null ? move : { ...move, pace: { slots, ms: Math.max(1, Math.round(took)) }, size: nextSize(slots, took) };
  const next = handingOver(intended, measured, intended.cluster.version + 1, goal, undone !== null);
  const words = undone === null ? 'copied' : undoneWords(move, undone);
  return {
    next: nextVersion(next, give(intended.cluster, move.piece, move.source, move.target)),
    events: [about(move, undone === null ? 'move.handing-over' : 'move.recovered', words, move.piece)],
  };
}

/** The target was replaced while it took them over: its heir has no part of them that anybody could rely on. */
function tooLate(world: World, move: Migrating): Proposal {
  const why = `${move.targetNode} was replaced as master while it took them over; they stay where they were, and what it has taken is lost`;
  const after = move.ending === 'cancel' ? 'fail' : 'retry';
  const events = [about(move, after === 'fail' ? 'move.failed' : 'move.retried', why, move.piece)];
  return settle(world, { ...move, returned: move.piece }, why, after, events);
}

/**
 * A version above the failed piece; the target is told it first. `cluster`: with the slots where they belong. `unheard`:
 * the target is still to say what it did.
 */
export function settle(
  world: World,
  move: Migrating | Held,
  why: string,
  after: Settling['after'],
  events: readonly Happening[],
  {
    cluster = world.intended.cluster,
    unheard = false,
  }: { readonly cluster?: Cluster; readonly unheard?: boolean } = {},
): Proposal {
  const { intended } = world;
  const version = intended.cluster.version + 1;
  const next = withOperation(intended, {
    ...recordOf(move),
    ...endsOf(move),
    phase: 'settling',
    left: move.left,
    version,
    why,
    after,
    unheard,
    noted: move.noted,
  });
  return { next: nextVersion(next, cluster), events };
}

function failedTry(world: World, move: Migrating, migration: Migration & { kind: 'failed' }): Proposal {
  const { why, sent, beside } = migration;
  const wanted = move.ending !== null;
  const failures = wanted ? move.failures : move.failures + 1;
  const after = move.ending === 'cancel' ? 'drop' : failures >= MOVE_BOUNDS.attempts ? 'fail' : 'retry';
  const slots = slotsOf(move.piece);
  // What did not come through in one piece may in smaller ones.
  const size = Math.max(1, Math.floor(slots / (wanted ? MOVE_BOUNDS.shrink : 2)));
  const tried: Migrating = { ...move, failures, size: sent ? size : move.size };
  const kind = after === 'drop' ? 'move.cancelled' : after === 'fail' ? 'move.failed' : 'move.retried';
  const events = [about(move, kind, why, move.piece)];
  if (beside === 'served' || beside === 'forgotten') events.push(besideEvent(move, beside));
  // After a fail the target may serve the slots all the same, until it is told a higher version.
  if (sent) return settle(world, tried, why, after, events, { unheard: beside === 'unheard' });
  return { next: afterFailure(world.intended, tried, why, after), events };
}

/** Writes may be gone that clients were told are taken: that is for people to know. */
function besideEvent(move: Migrating | Settling, beside: NonNullable<Beside>): Happening {
  const { sourceNode, targetNode, piece } = move;
  const words = {
    served: `${targetNode} says that it has taken them over, which ${sourceNode} did not hear: they stay where they were, and what the target has taken meanwhile is lost`,
    forgotten: `${sourceNode} and ${targetNode} were restarted meanwhile: if the target had taken them over before, what it took is not with the source`,
    unheard: `${targetNode} has not said whether it had taken them over, which ${sourceNode} did not hear: they stay where they were, and what the target may have taken meanwhile is lost`,
  };
  return about(move, 'move.both-served', words[beside], piece);
}

/** What a target that did not answer as the piece failed has said since; undefined: not yet. */
function heardSince(world: World, move: Settling): Beside | undefined {
  if (!move.unheard) return null;
  const view = world.view(move.targetNode);
  if (endsNow(world.intended, move).target !== move.targetNode) return 'unheard';
  if (view?.state !== 'up' || view.askedAt < Math.max(phaseAt(world, move), world.trustFrom)) return undefined;
  const word = targetWord(view, move.piece, move.noted);
  return word === 'taken' ? 'served' : word === 'forgotten' ? 'forgotten' : null;
}

function afterFailure(intended: Intended, move: Migrating | Settling, why: string, after: Settling['after']): Intended {
  switch (after) {
    case 'retry':
      return withOperation(intended, {
        ...recordOf(move),
        phase: 'queued',
        left: move.left,
        lastFailure: why,
        ending: null,
      });
    case 'fail':
      return withFailed(intended, move, why);
    case 'drop':
      return withoutOperation(intended, move.id);
  }
}

/** The piece is tried again once both ends know the version above it, or one of them cannot be told in time. */
function whileSettling(world: World, move: Settling): MoveStep {
  const until = phaseAt(world, move) + MOVE_BOUNDS.settle;
  const beside = heardSince(world, move);
  const known = targetKnows(world, move) && sourceKnows(world, move) && beside !== undefined;
  if (!known && world.now < until) return { wakeAt: until };
  const told = beside === undefined ? 'unheard' : beside;
  const events = told === null ? [] : [besideEvent(move, told)];
  return { proposal: inOrder({ next: afterFailure(world.intended, move, move.why, move.after), events }) };
}

/** What the target of a dead source has said since the piece is held. */
export function heldWord(world: World, move: Held): ReturnType<typeof targetWord> | 'silent' {
  const view = world.view(move.targetNode);
  const since = Math.max(phaseAt(world, move), world.trustFrom);
  if (view?.state !== 'up' || view.askedAt < since || view.process === null) return 'silent';
  return targetWord(view, move.piece, move.noted);
}

function whileHeld(world: World, move: Held): MoveStep {
  const { intended } = world;
  const back = give(intended.cluster, move.piece, move.target, move.source);
  // Its failover was taken back: the job can be asked about as before.
  if (endsNow(intended, move).source === move.sourceNode) {
    const next = withOperation(intended, {
      ...recordOf(move),
      ...endsOf(move),
      phase: 'migrating',
      left: move.left,
      noted: move.noted,
      resumed: true,
      since: world.wall,
      endedAt: null,
    });
    const events = [about(move, 'move.resumed', `${move.sourceNode} is master again`, move.piece)];
    return { proposal: { next: nextVersion(next, back), events } };
  }
  switch (heldWord(world, move)) {
    case 'taken': {
      const goal = world.view(move.targetNode)?.sequence ?? null;
      const next = handingOver(intended, move, intended.cluster.version, goal, false);
      const words = `${move.targetNode} has taken them over before ${move.sourceNode} died`;
      return { proposal: { next, events: [about(move, 'move.handing-over', words, move.piece)] } };
    }
    case 'not-taken': {
      const why = `${move.sourceNode} died, and ${move.targetNode} has not taken them over`;
      const after = move.ending === 'cancel' ? 'drop' : 'retry';
      const kind = after === 'drop' ? 'move.cancelled' : 'move.retried';
      return { proposal: settle(world, move, why, after, [about(move, kind, why, move.piece)], { cluster: back }) };
    }
    case 'forgotten':
    case 'past':
    case 'silent':
      return {};
  }
}

/**
 * With it goes the guard on the target's heirs, so it is not over while what the target had may be with a dead process
 * alone. An end that is gone is told when it comes back.
 */
function isOver(
  world: World,
  move: HandingOver,
  knows: { target: boolean; source: boolean; overdue: boolean },
): boolean {
  const { target, source, overdue } = knows;
  if (move.slotOnly) return (target && source) || (overdue && (target || source));
  if (!target) return false;
  return source ? isHeld(world, move) : overdue && needsNoSource(world, move);
}

function whileHandingOver(world: World, move: HandingOver): MoveStep {
  const target = targetKnows(world, move);
  const source = sourceKnows(world, move);
  const overdue = handOverOverdue(world, move);
  const until = phaseAt(world, move) + MOVE_BOUNDS.end;
  if (isOver(world, move, { target, source, overdue })) return { proposal: finished(world.intended, move) };
  return {
    ...chaseReplica(world, move, isHeld(world, move)),
    wakeAt: until > world.now ? until : world.now + 1_000,
  };
}

/**
 * A piece that was handed over is its source's again in the next version: its target died with what it took, or has lost
 * it. The source refuses writes to it until it is switched over, which comes before the piece is tried anew.
 */
export function backAtSource(intended: Intended, move: HandingOver, why: string): Intended {
  const cluster = give(intended.cluster, move.piece, move.target, move.source);
  const settling = withOperation(intended, {
    ...recordOf(move),
    ...endsOf(move),
    phase: 'settling',
    left: { from: move.piece.from, to: (move.left ?? move.piece).to },
    version: intended.cluster.version + 1,
    why,
    // Nobody would know of the slots that are refused if it were gone.
    after: move.ending === 'cancel' ? 'fail' : 'retry',
    returned: move.piece,
    unheard: false,
    noted: null,
  });
  return { ...withMoved(settling, move.plan, -slotsOf(move.piece)), cluster };
}

/** It is over once its slots are where they stay, and what is left of it goes on. */
export function finished(intended: Intended, move: HandingOver): Proposal {
  if (move.left !== null && move.ending !== 'cancel') {
    const rest = { ...recordOf(move), phase: 'queued', left: move.left, lastFailure: null, ending: null } as const;
    return { next: withOperation(intended, rest), events: [] };
  }
  const inherited = withInheritedSize(withoutOperation(intended, move.id), move);
  const event =
    move.left === null
      ? about(move, 'move.finished', 'both ends know')
      : about(move, 'move.cancelled', `${movedSlots(move)} slots have moved; the rest stays`);
  return inOrder({ next: inherited, events: [event] });
}

/** The replica that is nearest to what the target had; a probe a second would keep clients waiting for as long. */
function chaseReplica(world: World, move: HandingOver, over: boolean): Pick<MoveStep, 'chase'> {
  const shard = shardOf(world.intended.cluster, move.target);
  const until = phaseAt(world, move) + MOVE_BOUNDS.replica;
  if (over || move.slotOnly || move.goal === null || shard === undefined || world.now >= until) return {};
  const [nearest] = namedReplicas(shard)
    .filter((node) => world.view(node.id)?.state === 'up' && world.view(node.id)?.link === 'up')
    .sort((a, b) => (world.view(b.id)?.sequence ?? 0) - (world.view(a.id)?.sequence ?? 0));
  if (nearest === undefined) return {};
  return { chase: { operation: move.id, node: nearest.id, address: nearest.address, goal: move.goal, until } };
}
