/**
 * What the moves of a cluster do next. Those between disjoint pairs of shards run side by side; each change is a commit of
 * its own, but for a piece that begins as a hand-over ends. Ends of running pieces come first, since until they are
 * committed only marks in two nodes' memory say who serves.
 */
import { activeMoves, nextVersion, switchoverOf, withOperation, withoutOperation } from '../operations/intended.ts';
import { type ActiveMove, type Queued, recordOf } from '../operations/move.ts';
import { withMoved } from '../operations/plan.ts';
import type { Instant } from '../runtime/runtime.ts';
import { formatSlots, slotCount } from '../topology/slots.ts';
import type { Chase, Migrate } from './jobs.ts';
import { type Turn, turns, withInheritedSize } from './move-queue.ts';
import { about, give, inOrder, step, withFailed } from './move-steps.ts';
import { drain } from './switchovers.ts';
import { type Proposal, soonest, type World } from './world.ts';

export interface MoveDecision {
  readonly proposal: Proposal | undefined;
  readonly migrates: readonly Migrate[];
  readonly chases: readonly Chase[];
  readonly wakeAt: Instant | undefined;
}

/** While something waits for what may be seen at any time. */
const LOOK_AGAIN = 1_000;

/** What only marks in the nodes' memory tell comes first. */
const urgency = ({ phase }: ActiveMove): number => (phase === 'migrating' ? 0 : phase === 'held' ? 1 : 2);

export function decideMoves(world: World): MoveDecision {
  const migrates: Migrate[] = [];
  const chases: Chase[] = [];
  let proposal: Proposal | undefined;
  let wakeAt: Instant | undefined;
  for (const move of [...activeMoves(world.intended)].sort((a, b) => urgency(a) - urgency(b))) {
    const next = step(world, move);
    if (next.proposal !== undefined)
      proposal ??= move.phase === 'handing-over' ? withNext(world, next.proposal) : next.proposal;
    wakeAt = soonest(wakeAt, next.wakeAt);
    if (next.migrate !== undefined) migrates.push(next.migrate);
    if (next.chase !== undefined) chases.push(next.chase);
  }
  if (proposal === undefined) {
    for (const { move, turn } of turns(world)) {
      if (turn.kind === 'wait') wakeAt = soonest(wakeAt, world.now + LOOK_AGAIN);
      else proposal = taken(world, move, turn);
      if (proposal !== undefined) break;
    }
  }
  // A drained version is followed by its own decision and by nothing else.
  if (switchoverOf(world.intended) !== undefined) proposal = undefined;
  return { proposal, migrates, chases, wakeAt };
}

/**
 * A hand-over that is over makes room for another piece, which begins in the same commit: all that lies between two pieces
 * is time in which nothing is copied.
 */
function withNext(world: World, ended: Proposal): Proposal {
  const after: World = { ...world, intended: ended.next };
  for (const { move, turn } of turns(after)) {
    if (turn.kind !== 'begin' || move.slotOnly) continue;
    const { next, events } = begun(after, move, turn);
    return { next, events: [...ended.events, ...events] };
  }
  return ended;
}

function taken(world: World, move: Queued, turn: Exclude<Turn, { kind: 'wait' }>): Proposal {
  const { intended } = world;
  switch (turn.kind) {
    case 'fail':
      return inOrder({ next: withFailed(intended, move, turn.why), events: [about(move, 'move.failed', turn.why)] });
    case 'done': {
      const gone = withInheritedSize(withoutOperation(intended, move.id), move);
      const next = withMoved(gone, move.plan, slotCount([move.left]));
      return inOrder({ next, events: [about(move, 'move.finished', 'the target owns them')] });
    }
    case 'switch': {
      const why = `it refuses slots ${formatSlots(turn.slots)}, which it had given away and has again`;
      // Each try counts: a shard that cannot be switched over is not drained again and again.
      const tried = withOperation(intended, { ...move, failures: move.failures + 1, lastFailure: why });
      const { source, to } = turn;
      return drain(world, tried, {
        shard: source.id,
        to,
        operation: `so-${world.fresh.slice(0, 12)}`,
        by: move.by,
        why,
      });
    }
    case 'begin':
      return begun(world, move, turn);
  }
}

function begun(world: World, move: Queued, { source, target, piece, noted }: Turn & { kind: 'begin' }): Proposal {
  const { intended } = world;
  const record = { ...recordOf(move), beganAt: move.beganAt ?? world.wall, tries: move.tries + 1, returned: null };
  const ends = { piece, sourceNode: source.master, targetNode: target.master };
  // Slots before the piece are the target's already.
  const left = { from: piece.from, to: move.left.to };
  const skipped = piece.from - move.left.from;
  const counted = withMoved(intended, move.plan, skipped);
  if (move.slotOnly) {
    const version = intended.cluster.version + 1;
    const rest = piece.to >= left.to ? null : { from: piece.to + 1, to: left.to };
    const handing = {
      ...record,
      ...ends,
      phase: 'handing-over',
      left: rest,
      version,
      goal: null,
      recovered: false,
    } as const;
    const next = withMoved(withOperation(counted, handing), move.plan, slotCount([piece]));
    const events = [about(move, 'move.handing-over', 'without their keys, which stay at the source', piece)];
    return { next: nextVersion(next, give(intended.cluster, piece, move.source, move.target)), events };
  }
  const next = withOperation(counted, {
    ...record,
    ...ends,
    phase: 'migrating',
    left,
    noted,
    resumed: false,
    since: world.wall,
    endedAt: null,
  });
  const words = `${ends.sourceNode} migrates to ${ends.targetNode}`;
  return { next, events: move.beganAt === null ? [about(move, 'move.started', words)] : [] };
}
