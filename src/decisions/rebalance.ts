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
  readonly stock: Stock;
  /** How many slots it has now, and how many in the end. */
  has: number;
  readonly due: number;
}

interface Shard extends Giver {
  readonly id: ShardId;
}

/** By slot; undefined: nobody. */
type Owners = (Shard | undefined)[];

const lack = (shard: Shard): number => shard.due - shard.has;
const surplus = (giver: Giver): number => giver.has - giver.due;
const bySlot = (a: { readonly range: SlotRange }, b: { readonly range: SlotRange }): number =>
  a.range.from - b.range.from;

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
    ({ id, slots }, i): Shard => ({ id, stock: new Stock(slots), has: slotCount(slots), due: due[i] ?? 0 }),
  );
  const owners: Owners = new Array(SLOT_COUNT).fill(undefined);
  for (const shard of all) {
    for (const { from, to } of shard.stock.ranges()) {
      for (let slot = from; slot <= to; slot++) {
        const other = owners[slot];
        if (other !== undefined) return { kind: 'refused', why: 'owned-twice', slot, shards: [other.id, shard.id] };
        owners[slot] = shard;
      }
    }
  }

  const lacking = new Lacking(all);
  const moves: PlannedMove[] = [];
  const fills: PlannedFill[] = [];
  const give = (giver: Giver, taker: Shard): void => {
    const amount = Math.min(surplus(giver), lack(taker));
    for (const range of giver.stock.take(amount, taker, owners)) {
      owners.fill(taker, range.from, range.to + 1);
      if (giver.id === null) fills.push({ range, target: taker.id });
      else moves.push({ range, source: giver.id, target: taker.id });
    }
    giver.has -= amount;
    taker.has += amount;
    lacking.add(taker);
  };
  const giveAll = (giver: Giver, next: () => Shard | undefined): void => {
    while (surplus(giver) > 0) {
      const taker = next();
      if (taker === undefined) return;
      give(giver, taker);
    }
  };

  const gaps = gapsIn(owners);
  giveAll({ id: null, stock: new Stock(gaps), has: slotCount(gaps), due: 0 }, () => lacking.most());

  const givers = all.filter((shard) => surplus(shard) > 0).sort((a, b) => surplus(b) - surplus(a));
  const nearTo = (giver: Giver): Lacking => new Lacking(neighbours(giver, owners));
  for (const giver of givers) giveAll(giver, () => nearTo(giver).exactly(surplus(giver)));
  for (const giver of givers) giveAll(giver, () => lacking.exactly(surplus(giver)));
  for (const giver of givers) {
    const near = nearTo(giver);
    giveAll(giver, () => {
      const exactly = near.exactly(surplus(giver)) ?? lacking.exactly(surplus(giver));
      return exactly ?? near.most() ?? lacking.most();
    });
  }

  const after = all.map(({ id, has }) => ({ id, slots: has }));
  return { kind: 'plan', moves: moves.sort(bySlot), fills: fills.sort(bySlot), after };
}

function refuseWeights(shards: readonly WeighedShard[]): PlanRefusal | undefined {
  for (const { id, weight } of shards) {
    if (!(weight >= 0 && Number.isFinite(weight))) return { kind: 'refused', why: 'bad-weight', shard: id, weight };
  }
  return shards.some(({ weight }) => weight > 0) ? undefined : { kind: 'refused', why: 'no-weight' };
}

/**
 * A share that is closer than this to a whole number of slots is that number: sums of floating point are off by far
 * less, and weights mean far more.
 */
const WHOLE = 1e-6;

/**
 * How many slots each shard is due. Of the odd slots as many as possible stay where they are; the others follow the
 * largest remainders, and of equal ones those that leave a shard untouched.
 */
function dueSlots(shards: readonly WeighedShard[]): readonly number[] {
  // Scaled: a sum of the largest numbers would be infinite.
  const heaviest = shards.reduce((most, { weight }) => Math.max(most, weight), 0);
  const sum = shards.reduce((total, { weight }) => total + weight / heaviest, 0);
  const shares = shards.map(({ slots, weight }, i) => {
    const exact = (SLOT_COUNT * (weight / heaviest)) / sum;
    const near = Math.round(exact);
    const whole = Math.abs(exact - near) < WHOLE ? near : Math.floor(exact);
    const owned = slotCount(slots);
    const keeps = owned > whole;
    // With the odd slot it has what it is due; or it lacks some in any case.
    const suits = keeps ? owned === whole + 1 : owned < whole;
    return { i, whole, rest: exact - whole, keeps, suits };
  });
  const due = shares.map(({ whole }) => whole);
  const odd = SLOT_COUNT - due.reduce((total, slots) => total + slots, 0);
  const first = shares
    .filter(({ rest }) => rest >= WHOLE)
    .sort((a, b) => Number(b.keeps) - Number(a.keeps) || b.rest - a.rest || Number(b.suits) - Number(a.suits));
  for (const { i, whole } of first.slice(0, odd)) due[i] = whole + 1;
  return due;
}

function gapsIn(owners: Owners): readonly SlotRange[] {
  const gaps: SlotRange[] = [];
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const from = slot;
    while (slot < SLOT_COUNT && owners[slot] === undefined) slot++;
    if (slot > from) gaps.push({ from, to: slot - 1 });
  }
  return gaps;
}

/** Who lacks slots and owns one right beside a range of this one, each once. */
function neighbours(giver: Giver, owners: Owners): readonly Shard[] {
  const found = new Set<Shard>();
  for (const { from, to } of giver.stock.ranges()) {
    const [before, behind] = [owners[from - 1], owners[to + 1]];
    if (before !== undefined && lack(before) > 0) found.add(before);
    if (behind !== undefined && lack(behind) > 0) found.add(behind);
  }
  return [...found];
}

/** Finds shards by how many slots they lack; of equals the earlier one. */
class Lacking {
  /** An entry holds for as long as its shard still lacks that many. */
  readonly #by = new Map<number, Shard[]>();
  #most = 0;

  constructor(shards: readonly Shard[]) {
    for (const shard of shards.toReversed()) this.add(shard);
  }

  /** Also each time it lacks less than before. */
  add(shard: Shard): void {
    const slots = lack(shard);
    if (slots <= 0) return;
    known(this.#by, slots, () => []).push(shard);
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

/** Ranges from which slots are taken. */
class Stock {
  readonly #bySize = new Map<number, SlotRange[]>();

  constructor(ranges: readonly SlotRange[]) {
    for (const range of ranges) this.#add(range);
  }

  #add(range: SlotRange): void {
    known(this.#bySize, range.to - range.from + 1, () => []).push(range);
  }

  ranges(): readonly SlotRange[] {
    return [...this.#bySize.values()].flat();
  }

  /**
   * So many slots, of which there must be as many, in the fewest pieces: whole ranges, the longest first, until one is
   * as long as the rest, or an end of it is. Of equally good ones those that touch what the taker owns.
   */
  take(amount: number, taker: Shard, owners: Owners): readonly SlotRange[] {
    // Nothing is beside a new shard, and thousands of ranges need not be looked at for it.
    const touches = ({ from, to }: SlotRange): boolean =>
      taker.has > 0 && (owners[from - 1] === taker || owners[to + 1] === taker);
    const sizes = [...this.#bySize.keys()].sort((a, b) => b - a);
    const pieces: SlotRange[] = [];
    let left = amount;
    for (const size of sizes) {
      if (size >= left) break;
      const whole = this.#pull(size, Math.ceil(left / size) - 1, touches);
      pieces.push(...whole);
      left -= whole.length * size;
      if (this.#bySize.has(size)) break;
    }
    const [exact] = this.#pull(left, 1, touches);
    if (exact !== undefined) return [...pieces, exact];

    const longer = sizes.filter((size) => size > left && this.#bySize.has(size)).reverse();
    const size = longer.find((one) => this.#bySize.get(one)?.some(touches)) ?? longer[0] ?? 0;
    const [range] = this.#pull(size, 1, touches);
    if (range === undefined) return pieces;
    const head = owners[range.from - 1] === taker;
    const cut = head ? range.from + left : range.to - left + 1;
    const [low, high] = [
      { from: range.from, to: cut - 1 },
      { from: cut, to: range.to },
    ];
    const [piece, rest] = head ? [low, high] : [high, low];
    this.#add(rest);
    return [...pieces, piece];
  }

  /** So many ranges of this size, or all there are. */
  #pull(size: number, count: number, preferred: (range: SlotRange) => boolean): readonly SlotRange[] {
    const ranges = this.#bySize.get(size) ?? [];
    if (ranges.length <= count) {
      this.#bySize.delete(size);
      return ranges;
    }
    const first = new Set(ranges.filter(preferred).slice(0, count));
    const others = first.size === 0 ? ranges : ranges.filter((range) => !first.has(range));
    const pulled = [...first, ...others.splice(0, count - first.size)];
    this.#bySize.set(size, others);
    return pulled;
  }
}

/**
 * Rounds of moves that can run side by side: in one round a shard is the source of one move at most and the target of
 * one at most. They are as few as the shard with the most moves in one direction needs. Inside a round by slot.
 */
export function orderMoves<M extends PlannedMove>(moves: readonly M[]): readonly (readonly M[])[] {
  const sources = new Map<ShardId, Agenda<M>>();
  const targets = new Map<ShardId, Agenda<M>>();
  const ends = (move: M): readonly [source: Agenda<M>, target: Agenda<M>] => [
    known(sources, move.source, () => new Agenda()),
    known(targets, move.target, () => new Agenda()),
  ];
  for (const move of moves) {
    const [source, target] = ends(move);
    let round = source.firstFree();
    const other = target.firstFree();
    if (target.at(round) !== undefined && source.at(other) === undefined) round = other;
    // The moves that hang together from the target on, by turns in `round` and in `other`, change places: then `round`
    // is free at the target too. Such a chain comes to a source by a move of `round`, so never to ours.
    const chain: M[] = [];
    for (let next = target.at(round); next !== undefined; ) {
      chain.push(next);
      const [nextSource, nextTarget] = ends(next);
      next = chain.length % 2 === 1 ? nextSource.at(other) : nextTarget.at(round);
    }
    for (const [i, one] of chain.entries()) for (const end of ends(one)) end.free(i % 2 === 0 ? round : other);
    for (const [i, one] of chain.entries()) for (const end of ends(one)) end.put(i % 2 === 0 ? other : round, one);
    source.put(round, move);
    target.put(round, move);
  }

  const rounds = new Map<number, M[]>();
  for (const agenda of sources.values()) {
    for (const [round, move] of agenda.all()) known(rounds, round, () => []).push(move);
  }
  return [...rounds].sort(([a], [b]) => a - b).map(([, round]) => round.sort(bySlot));
}

/** What a shard does in each round, in one direction. */
class Agenda<M> {
  readonly #moves = new Map<number, M>();
  /** None before it is free. */
  #free = 0;

  at(round: number): M | undefined {
    return this.#moves.get(round);
  }

  put(round: number, move: M): void {
    this.#moves.set(round, move);
  }

  free(round: number): void {
    this.#moves.delete(round);
    this.#free = Math.min(this.#free, round);
  }

  firstFree(): number {
    while (this.#moves.has(this.#free)) this.#free++;
    return this.#free;
  }

  all(): Iterable<readonly [round: number, move: M]> {
    return this.#moves;
  }
}

function known<K, V>(map: Map<K, V>, key: K, first: () => V): V {
  const value = map.get(key) ?? first();
  map.set(key, value);
  return value;
}
