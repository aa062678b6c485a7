/** Parts of sorted sets: by rank, by score, by the bytes of the member. */
import { integer, parseFloat64, Refusal } from '../arguments.ts';
import type { Scored, SortedSet } from '../sorted-set.ts';

export type Part = (scores: SortedSet) => readonly Scored[];

export function byRank(startWord: string, stopWord: string, reversed: boolean): Part {
  const start = integer(startWord);
  const stop = integer(stopWord);
  return (scores) => {
    const items = reversed ? scores.items.toReversed() : scores.items;
    const from = start < 0 ? Math.max(0, items.length + start) : start;
    const to = stop < 0 ? items.length + stop : stop;
    return items.slice(from, Math.max(from, to + 1));
  };
}

interface Bound<T> {
  readonly value: T;
  readonly open: boolean;
}

function scoreBound(word: string, refusal: string): Bound<number> {
  const open = word.startsWith('(');
  const value = parseFloat64(open ? word.slice(1) : word);
  if (value === undefined || Number.isNaN(value)) throw new Refusal(refusal);
  return { value, open };
}

export function byScore(minWord: string, maxWord: string): Part {
  if (minWord === '+inf' || maxWord === '-inf') throw new Refusal('min > max');
  const min = scoreBound(minWord, "the min isn't double");
  const max = scoreBound(maxWord, "the max isn't double");
  return (scores) => {
    const { items } = scores;
    const from = firstWhere(items, ({ score }) => (min.open ? score > min.value : score >= min.value));
    const to = firstWhere(items, ({ score }) => (max.open ? score >= max.value : score > max.value));
    return items.slice(from, Math.max(from, to));
  };
}

/** The first position whose item passes a test that all later ones pass too. */
function firstWhere(items: readonly Scored[], test: (item: Scored) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item !== undefined && !test(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function memberBound(word: string, refusal: string): Bound<string> {
  if (!word.startsWith('(') && !word.startsWith('[')) throw new Refusal(refusal);
  return { value: word.slice(1), open: word.startsWith('(') };
}

/** By bytes over all members, whatever their scores, as the store orders them. */
export function byMember(minWord: string, maxWord: string): Part {
  if (minWord === '+' || maxWord === '-') throw new Refusal('min > max');
  const min = minWord === '-' ? undefined : memberBound(minWord, 'the min is illegal');
  const max = maxWord === '+' ? undefined : memberBound(maxWord, 'the max is illegal');
  return (scores) =>
    scores.items
      .filter(
        ({ member }) =>
          (min === undefined || (min.open ? member > min.value : member >= min.value)) &&
          (max === undefined || (max.open ? member < max.value : member <= max.value)),
      )
      .sort((a, b) => (a.member < b.member ? -1 : 1));
}

/** LIMIT: a negative count means no limit. */
export function limited(items: readonly Scored[], offset: number, count: number): readonly Scored[] {
  const from = Math.max(0, offset);
  return items.slice(from, count < 0 ? undefined : from + count);
}
