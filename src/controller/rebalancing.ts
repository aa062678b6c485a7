/** A plan that balances a cluster, computed from what is committed; nothing is changed by it. */
import { planRebalance } from '../decisions/rebalance.ts';
import type { World } from '../decisions/world.ts';
import { type Intended, movesOf } from '../operations/intended.ts';
import { unfinished } from '../operations/move.ts';
import type { ShardId } from '../topology/ids.ts';
import { formatRange, slotCount } from '../topology/slots.ts';
import { findShard } from './changes.ts';
import type { ShardRef } from './control-plane.ts';
import { NO_ESTIMATE, type SlotSizes } from './data-estimate.ts';
import { keysIn, type WantedPlan } from './move-planning.ts';
import { invalid, Refusal } from './refusal.ts';

export interface WantedBalance {
  /** Each shard is due its share of the sum of all; one that is not named has weight 1. */
  readonly weights: readonly { readonly shard: ShardRef; readonly weight: number }[];
  /** These give away everything. Without any weight the others keep their proportions: nothing else moves. */
  readonly drain: readonly ShardRef[];
}

export interface RebalanceView {
  /** The version that it was computed for. */
  readonly version: number;
  /** Slots that move with their keys. */
  readonly slots: number;
  readonly moves: readonly {
    readonly range: string;
    readonly slots: number;
    /** As its source estimates them; null: not known. */
    readonly keys: number | null;
    readonly source: ShardId;
    readonly target: ShardId;
  }[];
  /** Slots that nobody owns: given by the topology alone. */
  readonly fills: readonly { readonly range: string; readonly slots: number; readonly target: ShardId }[];
  readonly shards: readonly {
    readonly shard: ShardId;
    readonly weight: number;
    readonly before: number;
    readonly after: number;
  }[];
}

function weightsOf({ cluster }: Intended, wanted: WantedBalance): ReadonlyMap<ShardId, number> {
  const weights = new Map<ShardId, number>();
  for (const { shard: ref, weight } of [...wanted.weights, ...wanted.drain.map((shard) => ({ shard, weight: 0 }))]) {
    const { shard, index } = findShard(cluster, ref);
    if (!Number.isFinite(weight) || weight < 0)
      throw invalid(`weight of shard ${index}: ${weight}; allowed: numbers from 0 up`);
    if (weights.has(shard.id)) throw invalid(`shard ${index} is given two weights; allowed: one for each`);
    weights.set(shard.id, weight);
  }
  const others = cluster.shards.filter(({ id }) => !weights.has(id));
  // Where all of them are empty there are no proportions to keep.
  if (wanted.weights.length === 0 && wanted.drain.length > 0 && others.some(({ slots }) => slots.length > 0))
    for (const { id, slots } of others) weights.set(id, slotCount(slots));
  return weights;
}

/** Throws a `Refusal` where moves are under way, since where their slots will be is not settled, and for bad weights. */
export function balance(
  world: World,
  wanted: WantedBalance,
  perSlot: SlotSizes = NO_ESTIMATE,
): { readonly plan: WantedPlan; readonly view: RebalanceView } {
  const { intended } = world;
  const { cluster } = intended;
  const open = movesOf(intended).find(unfinished);
  if (open !== undefined)
    throw new Refusal(
      'operation_running',
      `slots ${formatRange(open.range)} are on their way; wait for the moves that are under way, or cancel them`,
      open.plan ?? open.id,
    );
  const weights = weightsOf(intended, wanted);
  const weighed = cluster.shards.map(({ id, slots }) => ({ id, slots, weight: weights.get(id) ?? 1 }));
  const planned = planRebalance(weighed);
  if (planned.kind === 'refused') {
    switch (planned.why) {
      case 'no-weight':
        throw invalid('weights: no shard has any, so nobody would own the slots; allowed: at least one above 0');
      case 'bad-weight':
        throw invalid(`weights: ${planned.weight} of shard ${planned.shard}; allowed: numbers from 0 up`);
      case 'owned-twice':
        throw new Refusal('owns_slots', `slot ${planned.slot} belongs to two shards: ${planned.shards.join(', ')}`);
    }
  }
  const { moves, fills, after } = planned;
  const drains = weighed.some(({ weight }) => weight === 0);
  return {
    plan: { what: drains ? 'drain' : 'rebalance', moves, fills },
    view: {
      version: cluster.version,
      slots: moves.reduce((sum, { range }) => sum + slotCount([range]), 0),
      moves: moves.map(({ range, source, target }) => ({
        range: formatRange(range),
        slots: slotCount([range]),
        keys: keysIn(range, perSlot.get(source)),
        source,
        target,
      })),
      fills: fills.map(({ range, target }) => ({ range: formatRange(range), slots: slotCount([range]), target })),
      shards: weighed.map(({ id, slots, weight }) => ({
        shard: id,
        weight,
        before: slotCount(slots),
        after: after.find((one) => one.id === id)?.slots ?? slotCount(slots),
      })),
    },
  };
}
