/** Who has which slots, as runs in order: a topology has few, and a node looks at them with every command. */
import type { SlotRange } from './slot-words.ts';

export interface SlotRun<T> extends SlotRange {
  readonly node: T;
}

/** Ordered, apart from each other, and neighbours of one node are one run. */
export type SlotRuns<T> = readonly SlotRun<T>[];

export function nodeAt<T>(runs: SlotRuns<T>, slot: number): T | undefined {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const run = runs[middle];
    if (run === undefined) return undefined;
    if (slot < run.first) high = middle - 1;
    else if (slot > run.last) low = middle + 1;
    else return run.node;
  }
  return undefined;
}

export function slotsIn<T>(runs: SlotRuns<T>): number {
  let count = 0;
  for (const { first, last } of runs) count += last - first + 1;
  return count;
}

/** The runs with some slots given anew. `fresh` may have any order, but no slot twice. */
export function overlaid<T>(runs: SlotRuns<T>, fresh: readonly SlotRun<T>[]): SlotRuns<T> {
  const given = [...fresh].sort((a, b) => a.first - b.first);
  const all = [...given];
  let passed = 0;
  for (const { first, last, node } of runs) {
    let from = first;
    while (passed < given.length && (given[passed]?.last ?? 0) < from) passed++;
    for (let i = passed; i < given.length; i++) {
      const over = given[i];
      if (over === undefined || over.first > last) break;
      if (over.first > from) all.push({ first: from, last: over.first - 1, node });
      from = over.last + 1;
    }
    if (from <= last) all.push({ first: from, last, node });
  }
  return joined(all.sort((a, b) => a.first - b.first));
}

function joined<T>(runs: readonly SlotRun<T>[]): SlotRuns<T> {
  const result: SlotRun<T>[] = [];
  for (const run of runs) {
    const before = result.at(-1);
    if (before !== undefined && before.node === run.node && before.last + 1 === run.first) {
      result[result.length - 1] = { first: before.first, last: run.last, node: run.node };
    } else {
      result.push(run);
    }
  }
  return result;
}
