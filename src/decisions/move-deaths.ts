/**
 * What becomes of a move when a master of it dies. Slots that the target serves never go back, and nobody serves what
 * another may be serving:
 *
 *   dies      while          what is known                              the piece
 *   source    migrating      the target has taken it, or its success    stays with the target; told in the same version
 *                              was heard
 *                            the target has not taken it                stays with the source's new master, tried again
 *                            nothing within 500 ms, or the target was   held: the topology gives it to the target, which is
 *                              restarted                                  told nothing until it has said what it has
 *                            the target was replaced, too               stays with the source's new master, given up
 *   target    migrating      the source says success, or it was heard   the failover waits for the hand-over
 *                            otherwise                                  stays with the source, once the job has ended
 *             held           nothing                                    goes back to the source's new master, given up: what
 *                                                                         the target may have taken is in its heir's data,
 *                                                                         hidden, until the slots are moved there again
 *             handing-over   its heir has what it had at success        stays with the target's new master
 *                            otherwise, and the source was told nothing goes back to the source, and is tried again
 *                            otherwise                                  nobody takes its place before it answers, or
 *                                                                         somebody settles it
 *   either    settling       it is the source's                         as before; the order is that of who leads now
 */
import { type Intended, movesOfShard, nextVersion, withOperation } from '../operations/intended.ts';
import { type ActiveMove, endsOf, type HandingOver, type Held, type Migrating, recordOf } from '../operations/move.ts';
import type { Instant } from '../runtime/runtime.ts';
import type { Shard } from '../topology/cluster.ts';
import type { Sequence, ShardId } from '../topology/ids.ts';
import { endsNow, mayGoBack } from './hand-over.ts';
import { targetWord } from './move-outcome.ts';
import { about, backAtSource, give, handingOver, withFailed } from './move-steps.ts';
import { DETECTION, type Happening, type World } from './world.ts';

export interface Settled {
  readonly next: Intended;
  readonly events: readonly Happening[];
}

/** A death as far as moves are concerned. */
interface Death {
  readonly shard: { readonly id: ShardId; readonly master: string };
  readonly brokeAt: Instant;
  /** What its heir has. */
  readonly sequence: Sequence;
}

/** How long the other end of a move is waited for, in ms from the break. */
const ASK = 500;

/** What the target says since the break; `silent`: nothing that could be believed. */
function wordSince(world: World, move: Migrating, brokeAt: Instant): ReturnType<typeof targetWord> | 'silent' {
  const view = world.view(move.targetNode);
  if (view?.state !== 'up' || view.askedAt < Math.max(brokeAt, world.trustFrom)) return 'silent';
  if (view.process === null && move.noted?.process != null) return 'silent';
  return targetWord(view, move.piece, move.noted);
}

const heardSuccess = (world: World, move: ActiveMove) => {
  const migration = world.trace(move.id)?.migration;
  return migration?.kind === 'success' ? migration : undefined;
};

/**
 * A death in a running move waits for what the move came to: until then, or until the bound of waiting, this instant.
 * Undefined: nothing is waited for.
 */
export function moveToSettle(world: World, shard: Shard, brokeAt: Instant): Instant | undefined {
  let until: Instant | undefined;
  for (const move of movesOfShard(world.intended, shard.id))
    if (move.phase === 'migrating') until = latest(until, waitsFor(world, move, shard, brokeAt));
  return until;
}

const latest = (a: Instant | undefined, b: Instant | undefined): Instant | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);

function waitsFor(world: World, move: Migrating, shard: Shard, brokeAt: Instant): Instant | undefined {
  const ends = endsNow(world.intended, move);
  const bound = world.now < brokeAt + ASK ? brokeAt + ASK : undefined;
  if (move.source === shard.id) {
    const known = heardSuccess(world, move) !== undefined || ends.target !== move.targetNode;
    return known || wordSince(world, move, brokeAt) !== 'silent' ? undefined : bound;
  }
  if (ends.target !== move.targetNode) return undefined;
  // The hand-over is committed first: only then does anybody know what its replica must have reached.
  if (heardSuccess(world, move) !== undefined) return world.now + DETECTION.fresh;
  if (world.trace(move.id)?.migration?.kind === 'failed') return undefined;
  const source = world.view(move.sourceNode);
  if (source?.state !== 'up') return undefined;
  const says = source.migrating?.state === 'success' ? source.migrating.range : null;
  if (says?.from === move.piece.from && says.to === move.piece.to) return world.now + DETECTION.fresh;
  return source.askedAt >= Math.max(brokeAt, world.trustFrom) ? undefined : bound;
}

/**
 * What a new master of this shard must have, lest slots that were moved to it are lost with their last copy. Infinity:
 * nobody knows, as the target did not live to say what it had.
 */
export function handedOver(world: World, shard: Shard): Sequence | undefined {
  const goals = movesOfShard(world.intended, shard.id).flatMap((move) =>
    move.phase === 'handing-over' && !move.slotOnly && move.target === shard.id && !mayGoBack(world, move)
      ? [move.goal ?? Number.POSITIVE_INFINITY]
      : [],
  );
  return goals.length === 0 ? undefined : Math.max(...goals);
}

/** The moves that this death meets, settled in the version that replaces the master. */
export function settleMoves(world: World, intended: Intended, death: Death): Settled {
  let next = intended;
  const events: Happening[] = [];
  for (const move of movesOfShard(intended, death.shard.id)) {
    const settled = settleMove(world, next, move, death);
    next = settled.next;
    events.push(...settled.events);
  }
  return { next, events };
}

function settleMove(world: World, intended: Intended, move: ActiveMove, death: Death): Settled {
  const untouched = { next: intended, events: [] };
  if (move.phase === 'held') return move.target === death.shard.id ? givenUp(intended, move) : untouched;
  if (move.phase === 'handing-over') {
    const lacks = move.target === death.shard.id && !(death.sequence >= (move.goal ?? Number.POSITIVE_INFINITY));
    return lacks && mayGoBack(world, move) ? returned(intended, move, death) : untouched;
  }
  if (move.phase !== 'migrating' || move.source !== death.shard.id) return untouched;
  return withoutSource(world, intended, move, death);
}

function withoutSource(world: World, intended: Intended, move: Migrating, death: Death): Settled {
  const { master } = death.shard;
  const success = heardSuccess(world, move);
  if (endsNow(intended, move).target !== move.targetNode) {
    const why = `both its masters died: what ${move.targetNode} may have taken over is not with the source's new master`;
    return { next: withFailed(intended, move, why), events: [about(move, 'move.failed', why, move.piece)] };
  }
  const word = success === undefined ? wordSince(world, move, death.brokeAt) : 'taken';
  const cluster = give(intended.cluster, move.piece, move.source, move.target);
  const { version } = nextVersion(intended, cluster).cluster;
  switch (word) {
    case 'taken': {
      const goal = success?.goal ?? world.view(move.targetNode)?.sequence ?? null;
      const next = { ...handingOver(intended, move, version, goal, true), cluster };
      const words = `${master} died after ${move.targetNode} had taken them over; they stay there`;
      return { next, events: [about(move, 'move.handing-over', words, move.piece)] };
    }
    case 'not-taken': {
      const why = `its source ${master} died`;
      const queued = {
        ...recordOf(move),
        phase: 'queued',
        left: move.left,
        failures: move.failures + 1,
        lastFailure: why,
        ending: null,
      } as const;
      return { next: withOperation(intended, queued), events: [about(move, 'move.retried', why, move.piece)] };
    }
    case 'forgotten':
    case 'past':
    case 'silent': {
      const why = unknownWords(move, word);
      const held: Held = {
        ...recordOf(move),
        ...endsOf(move),
        phase: 'held',
        left: move.left,
        version,
        noted: move.noted,
        why,
      };
      const words = `${master} died, and ${why}: nobody serves them until that is known`;
      return {
        next: { ...withOperation(intended, held), cluster },
        events: [about(move, 'move.held', words, move.piece)],
      };
    }
  }
}

/** The source has the piece again, and moves it anew: until then it answers writes to it with TRYAGAIN. */
function returned(intended: Intended, move: HandingOver, { shard }: Death): Settled {
  const why = `${shard.master} died before any of its replicas had them; they go back to ${move.sourceNode}, which still has what it gave away`;
  const event = about(move, move.ending === 'cancel' ? 'move.cancelled' : 'move.retried', why, move.piece);
  return { next: backAtSource(intended, move, why), events: [event] };
}

function unknownWords({ targetNode }: Migrating, word: 'forgotten' | 'past' | 'silent'): string {
  switch (word) {
    case 'silent':
      return `${targetNode} does not say whether it had taken them over`;
    case 'forgotten':
      return `${targetNode} was restarted and does not know whether it had taken them over`;
    case 'past':
      return `${targetNode} says that it has taken them over, as it said before`;
  }
}

function givenUp(intended: Intended, move: Held): Settled {
  const why = `both its masters died: what ${move.targetNode} may have taken over is not with the source's new master`;
  const cluster = give(intended.cluster, move.piece, move.target, move.source);
  return {
    next: { ...withFailed(intended, move, why), cluster },
    events: [about(move, 'move.failed', why, move.piece)],
  };
}
