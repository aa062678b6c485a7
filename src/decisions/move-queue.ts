/**
 * Which queued move begins its next piece: by priority, then by age, each as soon as both its shards take part in no other
 * and are ready. A move whose shards are busy holds nobody up, unless the other one has a lower priority: that one leaves
 * it the shards that it waits with.
 */
import { activeMoves, type Intended, movesOf, type OperationId, switchoverOf } from '../operations/intended.ts';
import { type ActiveMove, MOVE_BOUNDS, type Move, type Noted, type Queued } from '../operations/move.ts';
import { planOf } from '../operations/plan.ts';
import { masterOf, type Shard, shardOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import { covers, formatRange, formatSlots, intersect, type SlotRange, type SlotSet } from '../topology/slots.ts';
import { namedReplicas } from '../topology/text.ts';
import { lostData } from './liveness.ts';
import { curedBy, refusedSlots } from './refused-slots.ts';
import { carries, playsItsRole } from './seen.ts';
import type { World } from './world.ts';

/** What is to become of a queued move now. */
export type Turn =
  /** Asked for only to be shown: there may be hundreds. */
  | { readonly kind: 'wait'; readonly why: () => string }
  | {
      readonly kind: 'begin';
      readonly source: Shard;
      readonly target: Shard;
      readonly piece: SlotRange;
      readonly noted: Noted;
    }
  /** Its source takes no writes of it, nor moves it, until another node leads it. */
  | { readonly kind: 'switch'; readonly source: Shard; readonly to: NodeId; readonly slots: SlotSet }
  /** The target owns all that was left. */
  | { readonly kind: 'done' }
  | { readonly kind: 'fail'; readonly why: string };

/** The order of the queue: who is first, and among equals who is older. */
function queueOf(intended: Intended): readonly Queued[] {
  const queued = movesOf(intended).filter((move): move is Queued => move.phase === 'queued');
  // Stable: of one moment in the order in which they were asked for.
  return queued.sort((a, b) => b.priority - a.priority || a.startedAt - b.startedAt);
}

/** Each queued move in its order, with what keeps it from beginning. Lazy: the first that can begin is all a decision needs. */
export function* turns(world: World): Generator<{ readonly move: Queued; readonly turn: Turn }> {
  const { intended } = world;
  const busy = new Map<ShardId, ActiveMove>();
  for (const move of activeMoves(intended)) for (const shard of [move.source, move.target]) busy.set(shard, move);
  const running = activeMoves(intended).filter(({ phase }) => phase !== 'held').length;
  const limit = world.policy.concurrentMoves;
  const whole = wholeClusterWaits(world);
  const left = new Map<ShardId, Queued>();
  for (const move of queueOf(intended)) {
    const wait = (why: () => string) => ({ move, turn: { kind: 'wait', why } as const });
    const paused = pausedBy(intended, move);
    if (paused !== undefined || whole !== undefined) {
      yield wait(() => paused ?? whole ?? '');
      continue;
    }
    const other = busy.get(move.source) ?? busy.get(move.target);
    const first = left.get(move.source) ?? left.get(move.target);
    if (other !== undefined)
      yield wait(() => `slots ${formatRange(other.piece)}, from or to one of its shards, are there`);
    else if (first !== undefined && first.priority > move.priority)
      yield wait(() => `slots ${formatRange(first.left)}, which have a higher priority, have had their turn`);
    else if (limit !== null && running >= limit)
      yield wait(() => `one of the ${running} moves under way ends: no more may run at a time`);
    else yield { move, turn: turnOf(world, move) };
    for (const shard of [move.source, move.target]) if (!left.has(shard)) left.set(shard, move);
  }
}

/** What each queued move waits for, in words, to be read behind "waits until"; none for one that can begin. */
export function moveWaits(world: World): ReadonlyMap<OperationId, string> {
  const waits = new Map<OperationId, string>();
  for (const { move, turn } of turns(world)) if (turn.kind === 'wait') waits.set(move.id, turn.why());
  return waits;
}

function wholeClusterWaits(world: World): string | undefined {
  if (world.intended.pause !== null) return 'the cluster is resumed';
  return switchoverOf(world.intended) === undefined ? undefined : 'the switchover ends';
}

function pausedBy(intended: Intended, move: Move): string | undefined {
  if (move.paused) return 'it is resumed';
  return planOf(intended, move)?.paused === true ? 'its plan is resumed' : undefined;
}

function turnOf(world: World, move: Queued): Turn {
  const source = shardOf(world.intended.cluster, move.source);
  const target = shardOf(world.intended.cluster, move.target);
  if (source === undefined || target === undefined) return { kind: 'fail', why: 'one of the shards is gone' };
  if (covers(target.slots, move.left)) return { kind: 'done' };
  const failedAt = move.failures === 0 ? undefined : (world.trace(move.id)?.phaseAt ?? world.watchingSince);
  if (failedAt !== undefined && world.now < failedAt + move.failures * MOVE_BOUNDS.retryAfter)
    return { kind: 'wait', why: () => 'some seconds have passed since it failed' };
  const rest = restOf(move.left, source, target);
  if (rest === undefined) return { kind: 'fail', why: 'the source does not own them' };
  const why = notReady(world, source, target);
  if (why !== undefined) return { kind: 'wait', why: () => why };
  const view = world.view(target.master);
  const process = view?.process ?? null;
  const piece = pieceOf(world.intended, move, rest);
  const refused = refusedSlots(world, move, source);
  if (refused === undefined) return { kind: 'wait', why: () => `${source.master} says whether it refuses them` };
  const slots = intersect(refused, [piece]);
  if (slots.length > 0) return switchTurn(world, move, source, slots);
  const last = view?.importing;
  const past = last?.state === 'success' && last.range?.from === piece.from && last.range.to === piece.to;
  // Another range than that of its last success: then a success of this one cannot be of the past.
  if (past && piece.to > piece.from)
    return { kind: 'begin', source, target, piece: { ...piece, to: piece.to - 1 }, noted: { success: false, process } };
  return { kind: 'begin', source, target, piece, noted: { success: past, process } };
}

function switchTurn(world: World, move: Queued, source: Shard, slots: SlotSet): Turn {
  const why = `${source.master} refuses slots ${formatSlots(slots)}, which it had given away, until it is restarted or switched over`;
  if (move.failures >= MOVE_BOUNDS.attempts) return { kind: 'fail', why };
  const to = curedBy(world, source);
  return to === undefined
    ? { kind: 'wait', why: () => `a replica can take the place of ${source.master}, which refuses writes to them` }
    : { kind: 'switch', source, to: to.id, slots };
}

/** The first run of what is left that the source owns, with nothing before it that the target lacks. */
function restOf(left: SlotRange, source: Shard, target: Shard): SlotRange | undefined {
  const there = target.slots.find(({ from, to }) => from <= left.from && left.from <= to);
  const from = there === undefined ? left.from : there.to + 1;
  return intersect(source.slots, [{ from, to: left.to }]).find((run) => run.from === from);
}

function pieceOf(intended: Intended, move: Queued, rest: SlotRange): SlotRange {
  if (move.slotOnly) return rest;
  const most = move.size ?? sizeOfSource(intended, move.source) ?? MOVE_BOUNDS.firstPiece;
  const size = Math.min(most, move.slotsPerMove ?? most);
  return { from: rest.from, to: Math.min(rest.to, rest.from + size - 1) };
}

/** What another move from there has found out. */
const sizeOfSource = (intended: Intended, source: ShardId): number | undefined =>
  movesOf(intended).find((move) => move.source === source && move.size !== null)?.size ?? undefined;

/** Slots of the next piece after one that took so many milliseconds. */
export function nextSize(slots: number, ms: number): number {
  const fitting = Math.floor((slots * MOVE_BOUNDS.copyIn) / Math.max(1, ms));
  return Math.max(1, Math.min(fitting, slots * MOVE_BOUNDS.growth));
}

/** The next move from the same source begins where this one has come to. */
export function withInheritedSize(intended: Intended, from: Move): Intended {
  const heir = queueOf(intended).find((move) => move.source === from.source && move.size === null);
  if (from.size === null || heir === undefined) return intended;
  const { size, pace } = from;
  return {
    ...intended,
    operations: intended.operations.map((one) => (one.id === heir.id ? { ...heir, size, pace } : one)),
  };
}

/** What stands in the way of a master's taking part in a move; undefined when nothing does. */
function masterNotReady(world: World, shard: Shard): string | undefined {
  const master = masterOf(shard);
  const view = world.view(master.id);
  if (view === undefined || view.state !== 'up') return `master ${master.id} answers`;
  if (lostData(world, shard)) return `master ${master.id} is replaced or accepted: it has lost its data`;
  if (!carries(world, master) || !playsItsRole(world, shard, master))
    return `master ${master.id} carries version ${world.intended.cluster.version}`;
  return view.process === null ? `master ${master.id} has said which process it is` : undefined;
}

function replicaNotReady(world: World, target: Shard): string | undefined {
  const reached = world.view(target.master)?.sequence ?? 0;
  for (const { id } of namedReplicas(target)) {
    const view = world.view(id);
    if (view?.state !== 'up') continue;
    if (view.link !== 'up') return `replica ${id} of the target is linked to its master`;
    const lacks = reached - (view.sequence ?? 0);
    if (lacks > MOVE_BOUNDS.near) return `replica ${id} of the target is near its master: it lacks ${lacks} records`;
  }
  return undefined;
}

function notReady(world: World, source: Shard, target: Shard): string | undefined {
  const master = masterNotReady(world, source) ?? masterNotReady(world, target);
  if (master !== undefined) return master;
  const [from, to] = [world.view(source.master), world.view(target.master)];
  // A job that another has begun, or an earlier one of ours: each node has one of a kind at a time.
  if (from?.migrating?.state === 'start') return `the job that ${source.master} runs ends`;
  if (to?.importing?.state === 'start') return `the job that ${target.master} runs ends`;
  // The source logs in at the target with its own requirepass.
  const open = [source, target].find(({ master: id }) => world.view(id)?.passwordless === true);
  if (open !== undefined && from?.passwordless !== to?.passwordless)
    return `both masters have the same requirepass: ${open.master} has none`;
  return replicaNotReady(world, target);
}
