/**
 * The order in which the nodes of moves are told. Of each hand-over the target first, then the source and with it the
 * other masters, one of which gives the next piece, then the rest; of a failed piece the target before the source. A node
 * is in at most one of these, and obeys that one alone; all others wait for every hand-over. Where several go on side by
 * side one is always under way, so the rest then waits for their targets only: until its source is told, a move is right
 * in every node that knows of it.
 */
import { activeMoves, type Intended } from '../operations/intended.ts';
import { type ActiveMove, type HandingOver, MOVE_BOUNDS, type Settling } from '../operations/move.ts';
import type { Instant } from '../runtime/runtime.ts';
import { type Node, shardOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import { namedReplicas } from '../topology/text.ts';
import { lostData } from './liveness.ts';
import { carries } from './seen.ts';
import { type NodeState, soonest, type World } from './world.ts';

type Told = HandingOver | Settling;

const told = (intended: Intended): readonly Told[] =>
  activeMoves(intended).filter((move): move is Told => move.phase === 'handing-over' || move.phase === 'settling');

/** Who leads the two shards now: an end that was replaced is no end any more. */
export function endsNow({ cluster }: Intended, move: ActiveMove): { source: NodeId; target: NodeId } {
  const master = (id: ShardId, began: NodeId) => shardOf(cluster, id)?.master ?? began;
  return { source: master(move.source, move.sourceNode), target: master(move.target, move.targetNode) };
}

export const phaseAt = (world: World, move: ActiveMove): Instant =>
  world.trace(move.id)?.phaseAt ?? world.watchingSince;

/** It carries the version of the hand-over, or has carried it: another one may have been committed since. */
export const targetKnows = (world: World, move: ActiveMove): boolean =>
  carries(world, { id: endsNow(world.intended, move).target }) || world.trace(move.id)?.targetKnewAt !== undefined;
export const sourceKnows = (world: World, move: ActiveMove): boolean =>
  carries(world, { id: endsNow(world.intended, move).source }) || world.trace(move.id)?.sourceKnewAt !== undefined;

export const handOverOverdue = (world: World, move: ActiveMove): boolean =>
  world.now >= phaseAt(world, move) + MOVE_BOUNDS.end;

/** Its ends know as much as this node waits for, or one of them cannot be told in time. */
function isThrough(world: World, move: HandingOver, node: NodeId, alone: boolean): boolean {
  if (handOverOverdue(world, move)) return true;
  if (!targetKnows(world, move)) return false;
  if (sourceKnows(world, move)) return true;
  return !move.slotOnly && (!alone || (isMaster(world, node) && sourceMayDelete(world, move)));
}

const isMaster = ({ intended }: World, node: NodeId): boolean =>
  intended.cluster.shards.some(({ master }) => master === node);

/** Whether it may be told now, as far as moves are concerned. */
export function itsTurn(world: World, node: NodeId): boolean {
  const moves = told(world.intended);
  for (const move of moves) {
    const ends = endsNow(world.intended, move);
    if (node === ends.target) return !(move.phase === 'handing-over' && move.slotOnly) || sourceFirst(world, move);
    if (node === ends.source) return sourceIsNext(world, move);
  }
  const handOvers = moves.filter((move) => move.phase === 'handing-over');
  return handOvers.every((move) => isThrough(world, move, node, handOvers.length === 1));
}

/** Whether this node is an end of a move that must be told also while the cluster is paused. */
export const mustHear = (intended: Intended, node: NodeId): boolean =>
  told(intended).some((move) => {
    const { source, target } = endsNow(intended, move);
    return node === source || node === target;
  });

const sourceFirst = (world: World, move: Told): boolean => sourceKnows(world, move) || handOverOverdue(world, move);

function sourceIsNext(world: World, move: Told): boolean {
  if (move.phase === 'settling')
    return targetKnows(world, move) || world.now >= phaseAt(world, move) + MOVE_BOUNDS.settle;
  return move.slotOnly || sourceMayDelete(world, move);
}

/**
 * The source deletes its copy when told: a replica of the target must hold it by then, or the target still answers after
 * the bound. A target that died within it leaves the only copy that can be reached with the source.
 */
function sourceMayDelete(world: World, move: HandingOver): boolean {
  // What has no mark of the move deletes nothing, and each write that it takes beside the target is lost.
  if (hasNoMark(world, move)) return true;
  return targetKnows(world, move) && isHeld(world, move);
}

/** What the target had at success is with more than a dead process, as far as the bound lets anybody wait for it. */
export const isHeld = (world: World, move: HandingOver): boolean =>
  replicaHolds(world, move) || answersStill(world, move);

const replicasOfTarget = (world: World, move: HandingOver): readonly Node[] => {
  const target = shardOf(world.intended.cluster, move.target);
  return target === undefined ? [] : namedReplicas(target);
};

/** What the target had at success is not with it alone. */
function replicaHolds(world: World, move: HandingOver): boolean {
  const { goal } = move;
  if (goal === null) return false;
  return (
    (world.trace(move.id)?.reached ?? -1) >= goal ||
    replicasOfTarget(world, move).some(({ id }) => {
      const view = world.view(id);
      return view?.link === 'up' && view.sequence !== null && view.sequence >= goal;
    })
  );
}

/** The source is gone, and its copy is no longer needed: a replica has it, or there is none that could lack it. */
export const needsNoSource = (world: World, move: HandingOver): boolean =>
  replicaHolds(world, move) || replicasOfTarget(world, move).length === 0;

/** From when on an answer of the target shows that its replicas were waited for in vain; undefined: it does not know yet. */
function waitedFor(world: World, move: HandingOver): Instant | undefined {
  const knewAt = world.trace(move.id)?.targetKnewAt;
  if (knewAt === undefined) return undefined;
  // Back from a restart it has to give them the time anew.
  const upAt = world.view(endsNow(world.intended, move).target)?.since ?? knewAt;
  return Math.max(knewAt, upAt) + MOVE_BOUNDS.replica;
}

function answersStill(world: World, move: HandingOver): boolean {
  const target = shardOf(world.intended.cluster, move.target);
  const view = world.view(endsNow(world.intended, move).target);
  if (target === undefined || view?.state !== 'up' || lostData(world, target)) return false;
  if (namedReplicas(target).length === 0) return true;
  const from = waitedFor(world, move);
  return from !== undefined && view.askedAt >= from;
}

/** The node whose next answer tells its source: its replicas were waited for long enough. */
export function answerIsDue(world: World, move: ActiveMove): NodeId | undefined {
  if (move.phase !== 'handing-over' || move.slotOnly || isHeld(world, move)) return undefined;
  const from = waitedFor(world, move);
  return from !== undefined && world.now >= from ? endsNow(world.intended, move).target : undefined;
}

/**
 * The target is gone before anybody else had what it took over, and its source, which was not told, still has all of it:
 * a failover of the target gives the piece back. What the target has taken since is lost as the last writes of any dead
 * master are, which is why it must be no more than `max_lag` of them; past that somebody has to say so.
 */
export function mayGoBack(world: World, move: HandingOver): boolean {
  const trace = world.trace(move.id);
  const source = world.view(move.sourceNode);
  const target = world.view(endsNow(world.intended, move).target);
  // What another controller had told the source, nobody here knows.
  if (move.slotOnly || move.recovered || trace === undefined || trace.found === true || target === undefined)
    return false;
  if (endsNow(world.intended, move).source !== move.sourceNode || source?.state !== 'up') return false;
  // Its last topology was read back; one that it is being told may be the one by which it deletes them.
  if (source.busySince !== null || source.version === null || source.version >= move.version) return false;
  const diedAt = target.brokeAt ?? target.fell?.at ?? target.since;
  return diedAt - trace.phaseAt <= world.policy.maxLag;
}

const GONE: ReadonlySet<NodeState> = new Set(['refused', 'silent', 'garbled', 'wrong-id', 'denied']);

/**
 * A hand-over that waits for a target which is gone, or has lost what it had: whose the piece is cannot be known before it
 * is back. `source`: its source still has all of it, or may have; `target`: the source was told, and has deleted its copy.
 */
export function outOfReach(world: World, move: ActiveMove): 'source' | 'target' | undefined {
  if (move.phase !== 'handing-over' || move.slotOnly || isHeld(world, move)) return undefined;
  const target = shardOf(world.intended.cluster, move.target);
  if (target === undefined) return undefined;
  const state = world.view(target.master)?.state;
  if (!lostData(world, target) && (state === undefined || !GONE.has(state))) return undefined;
  // Whoever is far enough takes its place, and the slots with it.
  const { goal } = move;
  if (goal !== null && namedReplicas(target).some(({ id }) => (world.view(id)?.sequence ?? 0) >= goal))
    return undefined;
  return sourceKnows(world, move) && !hasNoMark(world, move) ? 'target' : 'source';
}

/** A new master, or one that was restarted or told something else since: it serves the slots until it is told. */
function hasNoMark(world: World, move: HandingOver): boolean {
  if (move.recovered || endsNow(world.intended, move).source !== move.sourceNode) return true;
  const view = world.view(move.sourceNode);
  if (view?.state !== 'up' || view.askedAt < phaseAt(world, move)) return false;
  // While the job is put away it may still say `start`.
  const range = view.migrating?.range ?? null;
  return range === null || range.from !== move.piece.from || range.to !== move.piece.to;
}

/** When a bound passes that `itsTurn` waits for. */
export function handOverWakesAt(world: World): Instant | undefined {
  let wakeAt: Instant | undefined;
  for (const move of told(world.intended)) {
    const bound = move.phase === 'settling' ? MOVE_BOUNDS.settle : MOVE_BOUNDS.end;
    const replica = move.phase === 'handing-over' ? waitedFor(world, move) : undefined;
    for (const at of [phaseAt(world, move) + bound, replica])
      if (at !== undefined && at > world.now) wakeAt = soonest(wakeAt, at);
  }
  return wakeAt;
}
