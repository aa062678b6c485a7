/**
 * Plans of moves as a pure change of the committed state: what is to go where, checked against who owns it and what is on
 * its way already. Throws a `Refusal` that says what stands in the way.
 */
import { inOrder } from '../decisions/move-steps.ts';
import type { PlannedFill, PlannedMove } from '../decisions/rebalance.ts';
import type { Happening, NodeView, Proposal, World } from '../decisions/world.ts';
import type { DataSize } from '../kvrocks/commands/data-size.ts';
import { type Intended, movesOf, nextVersion, type OperationId } from '../operations/intended.ts';
import { busyWith, MOVE_BOUNDS, type Move, unfinished } from '../operations/move.ts';
import type { Plan } from '../operations/plan.ts';
import { type Cluster, coverage, shardOf, withShard } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import {
  covers,
  formatRange,
  intersect,
  SLOT_COUNT,
  type SlotRange,
  slotCount,
  slotSet,
  subtract,
  union,
} from '../topology/slots.ts';
import { findShard, refusePaused } from './changes.ts';
import type { ShardRef } from './control-plane.ts';
import { fitting, NO_ESTIMATE, type SlotSizes } from './data-estimate.ts';
import { invalid, notFound, Refusal } from './refusal.ts';

export interface MoveOptions {
  readonly slotOnly?: boolean;
  /** Slots of one piece at most, 1 to 16384; null: by what can be copied in time. */
  readonly slotsPerMove?: number | null;
  /** -1000 to 1000; the higher goes first. 0 by default. */
  readonly priority?: number;
}

/** What is to be done, in the order in which it is to be begun where it could be at the same time. */
export interface WantedPlan {
  readonly what: Plan['what'];
  readonly moves: readonly PlannedMove[];
  /** Slots of nobody: given by the topology alone, at once. */
  readonly fills?: readonly PlannedFill[];
}

/** A fresh id, by its kind: `mv` for a move, `pl` for a plan. */
export type NewId = (kind: 'mv' | 'pl') => OperationId;

const PRIORITY = 1_000;

export const about = (by: string, kind: string, message: string, shard?: string): Happening => ({
  kind,
  message,
  by,
  ...(shard === undefined ? {} : { shard }),
});

/** Throws `invalid`. */
export function checkPriority(priority: number): void {
  if (!Number.isSafeInteger(priority) || Math.abs(priority) > PRIORITY)
    throw invalid(`priority: ${priority}; allowed: whole numbers from -${PRIORITY} to ${PRIORITY}`);
}

function checkOptions({ slotsPerMove = null, priority = 0 }: MoveOptions): void {
  checkPriority(priority);
  if (slotsPerMove === null) return;
  if (!Number.isSafeInteger(slotsPerMove) || slotsPerMove < 1 || slotsPerMove > SLOT_COUNT)
    throw invalid(`slots per move: ${slotsPerMove}; allowed: whole numbers from 1 to ${SLOT_COUNT}`);
}

/** Moves to one shard, one for each run of slots that another one owns; a plan of their own. */
export function queueMoves(
  world: World,
  ref: ShardRef,
  ranges: readonly SlotRange[],
  options: MoveOptions,
  by: string,
  newId: NewId,
  perSlot: SlotSizes = NO_ESTIMATE,
): Proposal {
  refusePaused(world);
  const { intended } = world;
  const { shard: target, index } = findShard(intended.cluster, ref);
  const moves: PlannedMove[] = [];
  // Asked for twice in one request, a slot still moves once.
  for (const range of slotSet(ranges)) {
    refuseOverlap(intended, range);
    const held = intersect(target.slots, [range])[0];
    if (held !== undefined)
      throw new Refusal('owns_slots', `slots ${formatRange(held)} belong to shard ${index} already`);
    let rest = subtract([range], []);
    for (const { id: source, slots } of intended.cluster.shards) {
      for (const piece of intersect(slots, [range])) {
        rest = subtract(rest, [piece]);
        moves.push({ range: piece, source, target: target.id });
      }
    }
    const orphan = rest[0];
    if (orphan !== undefined)
      throw new Refusal(
        'owns_slots',
        `slots ${formatRange(orphan)} belong to no shard, so they cannot be moved from one`,
      );
  }
  moves.sort((a, b) => a.range.from - b.range.from);
  return startPlan(world, { what: 'migrate', moves }, options, by, newId, perSlot);
}

/** Slots that are on their way cannot be asked for again. */
function refuseOverlap(intended: Intended, range: SlotRange): void {
  const open = movesOf(intended).find((move) => unfinished(move) && intersect([busyWith(move)], [range]).length > 0);
  if (open !== undefined)
    throw new Refusal('operation_running', `slots ${formatRange(open.range)} are on their way already`, open.id);
}

/** A plan and its moves are stored; nothing of it has begun. Slots of nobody have their owner from here on. */
export function startPlan(
  world: World,
  wanted: WantedPlan,
  options: MoveOptions,
  by: string,
  newId: NewId,
  perSlot: SlotSizes = NO_ESTIMATE,
): Proposal {
  refusePaused(world);
  checkOptions(options);
  const { intended } = world;
  const fills = wanted.fills ?? [];
  if (wanted.moves.length === 0 && fills.length === 0) throw invalid('nothing to move');
  checkMoves(intended.cluster, wanted.moves);
  for (const { range } of wanted.moves) refuseOverlap(intended, range);
  const cluster = filled(intended.cluster, fills);
  const id = newId('pl');
  const moves = wanted.moves.map((move) => queued(world, move, id, options, by, newId, perSlot));
  const plan: Plan = {
    kind: 'plan',
    id,
    what: wanted.what,
    by,
    startedAt: world.wall,
    slots: moves.reduce((sum, { range }) => sum + slotCount([range]), 0),
    keys: sumOf(moves.map(({ keys }) => keys)),
    moved: 0,
    paused: false,
    failed: 0,
  };
  // A failed move makes way for its next try.
  const overlapped = (one: Move) => moves.some((move) => intersect([move.range], [one.range]).length > 0);
  const kept = intended.operations.filter((one) => one.kind !== 'move' || one.phase !== 'failed' || !overlapped(one));
  const operations = moves.length === 0 ? kept : [...kept, plan, ...moves];
  const next = { ...intended, operations };
  const events = [...new Set(moves.map(({ target }) => target))].map((target) => {
    const own = moves.filter((move) => move.target === target).map((move) => formatRange(move.range));
    const keys = options.slotOnly === true ? ', without their keys' : '';
    return about(by, 'move.queued', `slots ${own.join(',')} are to go to shard ${target}${keys}`, target);
  });
  for (const { range, target } of fills)
    events.push(
      about(by, 'slots.assigned', `slots ${formatRange(range)}, which nobody owned, go to ${target}`, target),
    );
  return inOrder({ next: fills.length === 0 ? next : nextVersion(next, cluster), events });
}

function checkMoves(cluster: Cluster, moves: readonly PlannedMove[]): void {
  for (const [i, { range, source, target }] of moves.entries()) {
    const words = formatRange(range);
    const from = shardOf(cluster, source);
    if (from === undefined) throw notFound(`shard ${source}`);
    if (shardOf(cluster, target) === undefined) throw notFound(`shard ${target}`);
    if (source === target) throw new Refusal('owns_slots', `slots ${words} belong to shard ${target} already`);
    if (!covers(from.slots, range)) throw new Refusal('owns_slots', `slots ${words} do not all belong to ${source}`);
    const twice = moves.slice(0, i).some((other) => intersect([other.range], [range]).length > 0);
    if (twice) throw invalid(`slots ${words} are to be moved twice`);
  }
}

function filled(cluster: Cluster, fills: readonly PlannedFill[]): Cluster {
  return fills.reduce((now, { range, target }) => {
    if (shardOf(now, target) === undefined) throw notFound(`shard ${target}`);
    if (intersect(coverage(now), [range]).length > 0)
      throw new Refusal('owns_slots', `slots ${formatRange(range)} have an owner`);
    return withShard(now, target, (shard) => ({ ...shard, slots: union(shard.slots, [range]) }));
  }, cluster);
}

function queued(
  world: World,
  { range, source, target }: PlannedMove,
  plan: OperationId,
  options: MoveOptions,
  by: string,
  newId: NewId,
  perSlot: SlotSizes,
): Move {
  return {
    kind: 'move',
    id: newId('mv'),
    plan,
    range,
    source,
    target,
    slotOnly: options.slotOnly ?? false,
    by,
    startedAt: world.wall,
    priority: options.priority ?? 0,
    paused: false,
    slotsPerMove: options.slotsPerMove ?? null,
    size: fitting(perSlot.get(source), howOf(world, source), MOVE_BOUNDS.copyIn),
    pace: null,
    keys: options.slotOnly === true ? null : keysIn(range, perSlot.get(source)),
    beganAt: null,
    returned: null,
    failures: 0,
    tries: 0,
    ending: null,
    phase: 'queued',
    left: range,
    lastFailure: null,
  };
}

/** Keys in so many slots; null: nobody knows. */
export const keysIn = (range: SlotRange, perSlot: DataSize | undefined): number | null =>
  perSlot === undefined ? null : Math.round(slotCount([range]) * perSlot.keys);

/** How the master of a shard copies, as it was last asked. */
function howOf(world: World, id: ShardId): NodeView['migrateType'] {
  const master = shardOf(world.intended.cluster, id)?.master;
  return master === undefined ? null : (world.view(master)?.migrateType ?? null);
}

const sumOf = (counts: readonly (number | null)[]): number | null =>
  counts.reduce((sum, count) => (sum === null || count === null ? null : sum + count), 0);
