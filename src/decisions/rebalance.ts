/**
 * What moves so that each shard owns its share of the slots, and in which order. Who gets the odd slot is decided by
 * where the slots are, so the fewest possible move, and a cluster that is balanced already is left as it is.
 *
 * Slots that nobody owns go to those who lack most: nothing is copied for them. Then a shard that has to give exactly
 * what another lacks gives it to that one. The rest give to their neighbours by slot first, then to who lacks most.
 * Each time one of the two has then done its part, so there are few such pairs; and each pair takes whole ranges, the
 * longest first, and cuts at most one, at an end.
 */
import type { ShardId } from '../topology/ids.ts';
import { SLOT_COUNT, type SlotRange, type SlotSet, slotCount } from '../topology/slots.ts';

export interface WeighedShard {
  readonly id: ShardId;
  readonly slots: SlotSet;
  /** It is due this share of the sum of all weights; 0 drains it. */
  readonly weight: number;
}

/** One contiguous range, as `CLUSTERX MIGRATE` takes it. */
export interface PlannedMove {
  readonly range: SlotRange;
  readonly source: ShardId;
  readonly target: ShardId;
}

/** Slots that nobody owns: given by a new topology alone. */
export interface PlannedFill {
  readonly range: SlotRange;
  readonly target: ShardId;
}

export interface Plan {
  readonly kind: 'plan';
  /** Sorted by slot. */
  readonly moves: readonly PlannedMove[];
  /** Sorted by slot. */
  readonly fills: readonly PlannedFill[];
  /** How many slots each shard owns once all is done, in the order of the shards. */
  readonly after: readonly { readonly id: ShardId; readonly slots: number }[];
}

export type PlanRefusal = { readonly kind: 'refused' } & (
  | { readonly why: 'no-weight' }
  /** Negative, or no finite number. */
  | { readonly why: 'bad-weight'; readonly shard: ShardId; readonly weight: number }
  | { readonly why: 'owned-twice'; readonly slot: number; readonly shards: readonly [ShardId, ShardId] }
);

/** Has slots, some of which may have to go; without an id: those that nobody owns. */
interface Giver {
  readonly id: ShardId | null;
  /** What it had from the start and has not given away, in any order. */
  readonly ranges: SlotRange[];
  /** How many slots it has now, and how many in the end. */
  has: number;
  readonly due: number;
}

interface Shard extends Giver {
  readonly id: ShardId;
}

const lack = (shard: Shard): number => shard.due - shard.has;
const surplus = (giver: Giver): number => giver.has - giver.due;
const size = (range: SlotRange): number => range.to - range.from + 1;

/**
 * The fewest slots that must move until every slot is owned and each shard has 16384 * weight / sum, rounded up or
 * down; in few ranges. The same shards in the same order give the same plan, and once it is done the next plan is
 * empty. Ids must differ and slots lie in 0..16383.
 */
export function planRebalance(shards: readonly WeighedShard[]): Plan | PlanRefusal {
  const refused = refuseWeights(shards);
  if (refused !== undefined) return refused;
  const due = dueSlots(shards);
  const all = shards.map(
    ({ id, slots }, i): Shard => ({ id, ranges: [...slots], has: slotCount(slots), due: due[i] ?? 0 }),
  );

  const owner: (Shard | undefined)[] = new Array(SLOT_COUNT).fill(undefined);
  for (const shard of all) {
    for (const { from, to } of shard.ranges) {
      for (let slot = from; slot <= to; slot++) {
        const other = owner[slot];
        if (other !== undefined) return { kind: 'refused', why: 'owned-twice', slot, shards: [other.id, shard.id] };
        owner[slot] = shard;
      }
    }
  }

  const lacking = new Lacking(all);
  const moves: PlannedMove[] = [];
  const fills: PlannedFill[] = [];
  const give = (giver: Giver, taker: Shard): void => {
    const amount = Math.min(surplus(giver), lack(taker));
    for (const range of take(giver.ranges, amount, (slot) => owner[slot] === taker)) {
      owner.fill(taker, range.from, range.to + 1);
      if (giver.id === null) fills.push({ range, target: taker.id });
      else moves.push({ range, source: giver.id, target: taker.id });
    }
    giver.has -= amount;
    taker.has += amount;
    lacking.add(taker);
  };

  const gaps = gapsIn(owner);
  const nobody: Giver = { id: null, ranges: gaps, has: slotCount(gaps), due: 0 };
  for (let taker = lacking.most(); taker !== undefined && surplus(nobody) > 0; taker = lacking.most()) {
    give(nobody, taker);
  }

  const givers = all.filter((shard) => surplus(shard) > 0).sort((a, b) => surplus(b) - surplus(a));
  const exactly = (giver: Giver, near: readonly Shard[]): Shard | undefined =>
    near.find((shard) => lack(shard) === surplus(giver)) ?? lacking.exactly(surplus(giver));
  for (const giver of givers) {
    const taker = exactly(giver, neighbours(giver, owner));
    if (taker !== undefined) give(giver, taker);
  }
  for (const giver of givers) {
    const near = neighbours(giver, owner).sort((a, b) => lack(b) - lack(a));
    while (surplus(giver) > 0) {
      const taker = exactly(giver, near) ?? near.find((shard) => lack(shard) > 0) ?? lacking.most();
      if (taker === undefined) break;
      give(giver, taker);
    }
  }

  return {
    kind: 'plan',
    moves: moves.sort(bySlot),
    fills: fills.sort(bySlot),
    after: all.map(({ id, has }) => ({ id, slots: has })),
  };
}

const bySlot = (a: { readonly range: SlotRange }, b: { readonly range: SlotRange }): number =>
  a.range.from - b.range.from;

function refuseWeights(shards: readonly WeighedShard[]): PlanRefusal | undefined {
  for (const { id, weight } of shards) {
    if (!(weight >= 0 && Number.isFinite(weight))) {
      return { kind: 'refused', why: 'bad-weight', shard: id, weight };
    }
  }
  return shards.some(({ weight }) => weight > 0) ? undefined : { kind: 'refused', why: 'no-weight' };
}

/**
 * A share that is closer to a whole number of slots is that number: far more than the sums of floating point are off,
 * and far less than any weight means.
 */
const WHOLE = 1e-6;

/**
 * How many slots each shard is due. Of the odd ones as many as possible stay where they are; the rest is the method of
 * the largest remainder, and of equal remainders those are chosen that leave a shard alone.
 */
function dueSlots(shards: readonly WeighedShard[]): readonly number[] {
  // Scaled, since a sum of the largest numbers would be infinite.
  const heaviest = shards.reduce((most, { weight }) => Math.max(most, weight), 0);
  const sum = shards.reduce((total, { weight }) => total + weight / heaviest, 0);
  const shares = shards.map(({ slots, weight }, i) => {
    const exact = (SLOT_COUNT * (weight / heaviest)) / sum;
    const whole = Math.abs(exact - Math.round(exact)) < WHOLE ? Math.round(exact) : Math.floor(exact);
    const owned = slotCount(slots);
    const keeps = owned > whole;
    return {
      i,
      whole,
      rest: Math.max(0, exact - whole),
      keeps,
      /** It would neither give nor take with the odd slot, but without it; or the other way round. */
      settled: keeps ? owned === whole + 1 : owned < whole,
    };
  });
  const due = shares.map(({ whole }) => whole);
  const odd = SLOT_COUNT - due.reduce((total, slots) => total + slots, 0);
  const first = shares
    .filter(({ rest }) => rest >= WHOLE)
    .sort((a, b) => Number(b.keeps) - Number(a.keeps) || b.rest - a.rest || Number(b.settled) - Number(a.settled));
  for (const { i, whole } of first.slice(0, odd)) due[i] = whole + 1;
  return due;
}

function gapsIn(owner: readonly unknown[]): SlotRange[] {
  const gaps: SlotRange[] = [];
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const from = slot;
    while (slot < SLOT_COUNT && owner[slot] === undefined) slot++;
    if (slot > from) gaps.push({ from, to: slot - 1 });
  }
  return gaps;
}

/** Those who lack slots and own one right beside a range of this one, each once, by slot. */
function neighbours(giver: Giver, owner: readonly (Shard | undefined)[]): Shard[] {
  const found = new Set<Shard>();
  for (const { from, to } of giver.ranges) {
    for (const shard of [owner[from - 1], owner[to + 1]]) {
      if (shard !== undefined && lack(shard) > 0) found.add(shard);
    }
  }
  return [...found];
}

/** Who lacks how many slots. */
class Lacking {
  /** An entry holds for as long as its shard still lacks that many. */
  readonly #by = new Map<number, Shard[]>();
  #most = 0;

  constructor(shards: readonly Shard[]) {
    // The last one of equals is found first.
    for (const shard of shards.toReversed()) this.add(shard);
  }

  add(shard: Shard): void {
    const slots = lack(shard);
    if (slots <= 0) return;
    const those = this.#by.get(slots);
    if (those === undefined) this.#by.set(slots, [shard]);
    else those.push(shard);
    this.#most = Math.max(this.#most, slots);
  }

  exactly(slots: number): Shard | undefined {
    const those = this.#by.get(slots) ?? [];
    for (let last = those.at(-1); last !== undefined; last = those.at(-1)) {
      if (lack(last) === slots) return last;
      those.pop();
    }
    return undefined;
  }

  most(): Shard | undefined {
    for (; this.#most > 0; this.#most--) {
      const shard = this.exactly(this.#most);
      if (shard !== undefined) return shard;
    }
    return undefined;
  }
}

/**
 * Takes so many slots out of the ranges, which hold at least as many, in as few pieces as can be. Of equally good
 * ranges one is preferred that touches what the taker owns, and then only that end of it is cut off.
 */
function take(ranges: SlotRange[], amount: number, taker: (slot: number) => boolean): readonly SlotRange[] {
  const touches = (range: SlotRange): boolean => taker(range.from - 1) || taker(range.to + 1);
  const pieces: SlotRange[] = [];
  let left = amount;
  if (ranges.every((range) => size(range) < left)) {
    ranges.sort((a, b) => size(b) - size(a) || Number(touches(b)) - Number(touches(a)) || a.from - b.from);
    for (const range of ranges) {
      if (size(range) >= left) break;
      pieces.push(range);
      left -= size(range);
    }
    ranges.splice(0, pieces.length);
  }

  let [best, at] = [Number.POSITIVE_INFINITY, -1];
  for (const [i, range] of ranges.entries()) {
    const over = size(range) - left;
    if (over < 0) continue;
    // A whole one, then one that touches, then the smallest.
    const cost = (over === 0 ? 0 : SLOT_COUNT * 2 + over) + (touches(range) ? 0 : SLOT_COUNT);
    if (cost < best) [best, at] = [cost, i];
  }
  const range = ranges[at];
  if (range === undefined) return pieces;
  if (size(range) === left) {
    ranges.splice(at, 1);
    return [...pieces, range];
  }
  if (taker(range.from - 1)) {
    ranges[at] = { from: range.from + left, to: range.to };
    return [...pieces, { from: range.from, to: range.from + left - 1 }];
  }
  ranges[at] = { from: range.from, to: range.to - left };
  return [...pieces, { from: range.to - left + 1, to: range.to }];
}

/**
 * Rounds of moves that can run side by side: in one round a shard is the source of one move at most and the target of
 * one at most. As few rounds as the shard with the most moves in one direction needs. Rounds need not wait for each
 * other; inside a round by slot.
 */
export function orderMoves<M extends PlannedMove>(moves: readonly M[]): readonly (readonly M[])[] {
  const sources = new Map<ShardId, Rounds<M>>();
  const targets = new Map<ShardId, Rounds<M>>();
  for (const move of moves) {
    const source = roundsOf(sources, move.source);
    const target = roundsOf(targets, move.target);
    const round = firstFree(source);
    const other = firstFree(target);
    if (round !== other) {
      // Moves that follow each other from the target on, in turn in `round` and `other`: they change places, and
      // `round` is free at both ends. The chain enters sources in `round` only, so never this one, where it is free.
      const chain: M[] = [];
      let next = target[round];
      while (next !== undefined) {
        chain.push(next);
        next = chain.length % 2 === 1 ? roundsOf(sources, next.source)[other] : roundsOf(targets, next.target)[round];
      }
      const ends = (one: M) => [roundsOf(sources, one.source), roundsOf(targets, one.target)];
      for (const [i, one] of chain.entries()) for (const end of ends(one)) delete end[i % 2 === 0 ? round : other];
      for (const [i, one] of chain.entries()) for (const end of ends(one)) end[i % 2 === 0 ? other : round] = one;
    }
    source[round] = move;
    target[round] = move;
  }

  const rounds: M[][] = [];
  for (const own of sources.values()) {
    for (const [i, move] of own.entries()) {
      if (move === undefined) continue;
      const round = rounds[i];
      if (round === undefined) rounds[i] = [move];
      else round.push(move);
    }
  }
  return rounds.map((round) => round.sort(bySlot));
}

/** The move of a shard in each round. */
type Rounds<M> = (M | undefined)[];

function roundsOf<M>(all: Map<ShardId, Rounds<M>>, shard: ShardId): Rounds<M> {
  const known = all.get(shard);
  if (known !== undefined) return known;
  const fresh: Rounds<M> = [];
  all.set(shard, fresh);
  return fresh;
}

function firstFree(rounds: Rounds<unknown>): number {
  let round = 0;
  while (rounds[round] !== undefined) round++;
  return round;
}
