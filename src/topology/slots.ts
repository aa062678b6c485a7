/** Sets of hash slots as sorted ranges that neither touch nor overlap. */

export const SLOT_COUNT = 16384;

/** Both ends belong to it. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
}

export type SlotSet = readonly SlotRange[];

export const NO_SLOTS: SlotSet = [];
export const ALL_SLOTS: SlotSet = [{ from: 0, to: SLOT_COUNT - 1 }];

/** Sorts, joins what touches or overlaps. */
export function slotSet(ranges: readonly SlotRange[]): SlotSet {
  const sorted = [...ranges].sort((a, b) => a.from - b.from);
  const joined: SlotRange[] = [];
  for (const range of sorted) {
    const last = joined.at(-1);
    if (last !== undefined && range.from <= last.to + 1) {
      joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
    } else joined.push(range);
  }
  return joined;
}

export function slotCount(set: SlotSet): number {
  let count = 0;
  for (const range of set) count += range.to - range.from + 1;
  return count;
}

export const union = (a: SlotSet, b: SlotSet): SlotSet => slotSet([...a, ...b]);

export function subtract(from: SlotSet, taken: SlotSet): SlotSet {
  let rest: SlotRange[] = [...from];
  for (const cut of taken) {
    rest = rest.flatMap((range) => {
      if (cut.to < range.from || cut.from > range.to) return [range];
      const pieces: SlotRange[] = [];
      if (range.from < cut.from) pieces.push({ from: range.from, to: cut.from - 1 });
      if (range.to > cut.to) pieces.push({ from: cut.to + 1, to: range.to });
      return pieces;
    });
  }
  return rest;
}

export const intersect = (a: SlotSet, b: SlotSet): SlotSet => subtract(a, subtract(a, b));

export const covers = (set: SlotSet, range: SlotRange): boolean =>
  set.some((own) => own.from <= range.from && range.to <= own.to);

export const sameSlots = (a: SlotSet, b: SlotSet): boolean =>
  a.length === b.length && a.every((range, i) => range.from === b[i]?.from && range.to === b[i]?.to);

/** `5` or `5-9`; Kvrocks refuses `5-5`. */
export const formatRange = (range: SlotRange): string =>
  range.from === range.to ? `${range.from}` : `${range.from}-${range.to}`;

/** `1-5,9`. */
export const formatSlots = (slots: SlotSet): string => slots.map(formatRange).join(',');

const RANGE = /^(0|[1-9][0-9]{0,4})(?:-(0|[1-9][0-9]{0,4}))?$/;

/** `5` or `5-9` with both ends in 0..16383 and in order; undefined otherwise. */
export function parseRange(text: string): SlotRange | undefined {
  const match = RANGE.exec(text);
  if (match === null) return undefined;
  const from = Number(match[1]);
  const to = match[2] === undefined ? from : Number(match[2]);
  return from <= to && to < SLOT_COUNT ? { from, to } : undefined;
}

/** All slots in `parts` runs of consecutive slots, earlier ones taking the remainder. */
export function splitEvenly(parts: number): SlotSet[] {
  const base = Math.floor(SLOT_COUNT / parts);
  const larger = SLOT_COUNT % parts;
  let from = 0;
  return Array.from({ length: parts }, (_, i) => {
    const size = base + (i < larger ? 1 : 0);
    const set = size === 0 ? NO_SLOTS : [{ from, to: from + size - 1 }];
    from += size;
    return set;
  });
}
