/** The slot arguments of CLUSTERX SETSLOT and MIGRATE and of CLUSTER IMPORT, with the server's error texts. */

export const SLOTS = 16384;

export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

export type Parsed<T> = { readonly value: T } | { readonly refused: string };

export function overlaps(a: SlotRange, b: SlotRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** `5` or `5-9`, as CLUSTER INFO shows a range. */
export function rangeText(range: SlotRange): string {
  return range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`;
}

/** Blank-separated slots and ranges of one argument: `5-9 20 30-31`. `5-5` is fine here. */
export function parseSlotWords(text: string): Parsed<readonly SlotRange[]> {
  if (text === '') return { refused: 'No slots to parse.' };
  const words = text.split(' ').filter((word) => word !== '');
  if (words.length === 0) {
    return { refused: `Invalid slots: \`${text}\`. No slots to parse. Please use spaces to separate slots.` };
  }
  const ranges: SlotRange[] = [];
  for (const word of words) {
    const range = parseRange(word);
    if ('refused' in range) return range;
    ranges.push(range.value);
  }
  return { value: ranges };
}

function parseRange(word: string): Parsed<SlotRange> {
  if (!word.includes('-')) {
    const slot = parseSlot(word);
    return 'refused' in slot ? slot : { value: { first: slot.value, last: slot.value } };
  }
  if (word.startsWith('-') || word.endsWith('-')) {
    return {
      refused: `Invalid slot range: \`${word}\`. The character '-' can't appear in the first or last position.`,
    };
  }
  const [from, to, ...rest] = word.split('-');
  if (from === undefined || to === undefined || rest.length > 0) {
    return { refused: `Invalid slot range: \`${word}\`. The slot range should be of the form \`int1-int2\`.` };
  }
  const first = parseSlot(from);
  if ('refused' in first) return first;
  const last = parseSlot(to);
  if ('refused' in last) return last;
  if (first.value > last.value) {
    return {
      refused: `Invalid slot range: \`${word}\`. The slot range \`int1-int2\` needs to satisfy the condition (int1 <= int2).`,
    };
  }
  return { value: { first: first.value, last: last.value } };
}

function parseSlot(word: string): Parsed<number> {
  if (!/^\d+$/.test(word)) return { refused: 'Invalid slot id: not started as an integer' };
  const slot = Number(word);
  return slot < SLOTS ? { value: slot } : { refused: 'Invalid slot id: out of numeric range' };
}

const LARGEST = 2n ** 63n - 1n;

/** A decimal of 64 bits with sign, without blanks and plus signs; undefined if it is none. */
export function parseInteger(text: string): bigint | undefined {
  if (!/^-?\d{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value > LARGEST || value < -LARGEST - 1n ? undefined : value;
}
