/** What a plan is measured against: written from the rules, and by other means than the planner's. */
import { SLOT_COUNT, type SlotSet, slotCount } from '../topology/slots.ts';
import type { Plan, WeighedShard } from './rebalance.ts';

/** A share's whole slots, and whether it is a whole number. Weights are integers: reckoned without rounding. */
function share(weight: number, sum: number): { readonly floor: number; readonly odd: boolean } {
  const exact = BigInt(SLOT_COUNT) * BigInt(weight);
  return { floor: Number(exact / BigInt(sum)), odd: exact % BigInt(sum) !== 0n };
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

/** The lowest and the highest number of slots that each shard may end with. Weights are integers. */
export function bounds(weights: readonly number[]): readonly (readonly [least: number, most: number])[] {
  return weights.map((weight) => {
    const { floor, odd } = share(weight, total(weights));
    return [floor, odd ? floor + 1 : floor];
  });
}

/** The fewest slots that must leave their shard, over every choice of targets that the weights, integers, allow. */
export function fewestMoved(shards: readonly WeighedShard[]): number {
  const limits = bounds(shards.map(({ weight }) => weight));
  const odd = SLOT_COUNT - total(limits.map(([least]) => least));
  const leaving = (shard: WeighedShard, target: number) => Math.max(0, slotCount(shard.slots) - target);
  // By how many odd slots have been given out so far.
  let fewest = [0, ...new Array<number>(odd).fill(Number.POSITIVE_INFINITY)];
  for (const [i, shard] of shards.entries()) {
    const [least, most] = limits[i] ?? [0, 0];
    fewest = fewest.map((moved, given) => {
      const without = moved + leaving(shard, least);
      const before = most > least ? fewest[given - 1] : undefined;
      return before === undefined ? without : Math.min(without, before + leaving(shard, most));
    });
  }
  return fewest[odd] ?? Number.NaN;
}

/** Who owns each slot. Throws where two do. */
export function ownersOf(shards: readonly Pick<WeighedShard, 'id' | 'slots'>[]): readonly (string | undefined)[] {
  const owners = new Array<string | undefined>(SLOT_COUNT).fill(undefined);
  for (const { id, slots } of shards) {
    for (const { from, to } of slots) {
      for (let slot = from; slot <= to; slot++) {
        if (owners[slot] !== undefined) throw new Error(`slot ${slot} belongs to ${owners[slot]} and to ${id}`);
        owners[slot] = id;
      }
    }
  }
  return owners;
}

/** The shards with the slots that these owners have. */
export function owning<T extends Pick<WeighedShard, 'id'>>(
  shards: readonly T[],
  owners: readonly (string | undefined)[],
): readonly (T & { readonly slots: SlotSet })[] {
  const sets = new Map<string | undefined, { from: number; to: number }[]>();
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const owner = owners[slot];
    const set = sets.get(owner) ?? [];
    sets.set(owner, set);
    const last = set.at(-1);
    if (last !== undefined && last.to === slot - 1) last.to = slot;
    else set.push({ from: slot, to: slot });
  }
  return shards.map((shard) => ({ ...shard, slots: sets.get(shard.id) ?? [] }));
}

/** The shards once the plan is done. Throws where it gives away what its source does not own, or not alone. */
export function carriedOut(shards: readonly WeighedShard[], plan: Plan): readonly WeighedShard[] {
  const owners = [...ownersOf(shards)];
  const steps = [...plan.fills.map((fill) => ({ ...fill, source: undefined })), ...plan.moves];
  for (const { range, source, target } of steps) {
    for (let slot = range.from; slot <= range.to; slot++) {
      if (owners[slot] !== source) throw new Error(`slot ${slot} is ${owners[slot]}’s, not ${source}’s`);
      owners[slot] = target;
    }
  }
  return owning(shards, owners);
}

/**
 * How many moves a plan may have at most. A source cannot do with fewer than the number of its longest ranges that hold
 * what must go; each target but one may add a cut.
 */
export function mostMoves(shards: readonly WeighedShard[], plan: Plan): number {
  const targets = new Set(plan.moves.map((move) => move.target)).size;
  const needed = shards.map(({ id, slots }) => {
    let gone = slotCount(plan.moves.filter(({ source }) => source === id).map(({ range }) => range));
    let ranges = 0;
    for (const length of slots.map(({ from, to }) => to - from + 1).sort((a, b) => b - a)) {
      if (gone <= 0) break;
      gone -= length;
      ranges++;
    }
    return ranges;
  });
  return total(needed) + Math.max(0, targets - 1);
}
