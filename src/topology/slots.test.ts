import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ALL_SLOTS,
  covers,
  formatRange,
  intersect,
  NO_SLOTS,
  parseRange,
  SLOT_COUNT,
  type SlotRange,
  type SlotSet,
  sameSlots,
  slotCount,
  slotSet,
  splitEvenly,
  subtract,
  union,
} from './slots.ts';

/** Small numbers, so that ranges touch and overlap often. */
const slot = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: SLOT_COUNT - 1 }));
const range: fc.Arbitrary<SlotRange> = fc
  .tuple(slot, slot)
  .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const ranges = fc.array(range, { maxLength: 8 });

/** The plain model: a real set of numbers. */
function members(set: readonly SlotRange[]): Set<number> {
  const all = new Set<number>();
  for (const { from, to } of set) for (let one = from; one <= to; one++) all.add(one);
  return all;
}

function wellFormed(set: SlotSet): boolean {
  return set.every((one, i) => {
    const next = set[i + 1];
    return one.from <= one.to && (next === undefined || one.to + 1 < next.from);
  });
}

test('any ranges become a set of ranges that neither touch nor overlap, with the same slots', () => {
  fc.assert(
    fc.property(ranges, (some) => {
      const set = slotSet(some);
      assert.ok(wellFormed(set));
      assert.deepEqual(members(set), members(some));
      assert.equal(slotCount(set), members(some).size);
    }),
    { numRuns: 50 },
  );
});

test('union, subtract and intersect do what sets of numbers do', () => {
  fc.assert(
    fc.property(ranges, ranges, (some, others) => {
      const [a, b] = [slotSet(some), slotSet(others)];
      const [inA, inB] = [members(a), members(b)];
      assert.deepEqual(members(union(a, b)), new Set([...inA, ...inB]));
      assert.deepEqual(members(subtract(a, b)), new Set([...inA].filter((one) => !inB.has(one))));
      assert.deepEqual(members(intersect(a, b)), new Set([...inA].filter((one) => inB.has(one))));
      for (const got of [union(a, b), subtract(a, b), intersect(a, b)]) assert.ok(wellFormed(got));
    }),
    { numRuns: 50 },
  );
});

test('what is taken and what is left make the whole again', () => {
  fc.assert(
    fc.property(ranges, ranges, (some, others) => {
      const [a, b] = [slotSet(some), slotSet(others)];
      assert.ok(sameSlots(union(subtract(a, b), intersect(a, b)), a));
    }),
    { numRuns: 50 },
  );
});

test('a range is covered when none of it is missing', () => {
  fc.assert(
    fc.property(ranges, range, (some, wanted) => {
      const set = slotSet(some);
      assert.equal(covers(set, wanted), subtract([wanted], set).length === 0);
    }),
    { numRuns: 100 },
  );
});

test('split evenly: every slot once, sizes one apart at most, in order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (parts) => {
      const sets = splitEvenly(parts);
      assert.equal(sets.length, parts);
      assert.deepEqual(slotSet(sets.flat()), ALL_SLOTS);
      assert.equal(
        sets.reduce((sum, set) => sum + slotCount(set), 0),
        SLOT_COUNT,
      );
      const sizes = sets.map(slotCount);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
    { numRuns: 50 },
  );
});

test('more shards than slots: the surplus gets none', () => {
  const sets = splitEvenly(SLOT_COUNT + 2);
  assert.deepEqual(sets.slice(-2), [NO_SLOTS, NO_SLOTS]);
});

test('a range that was written is read back the same', () => {
  fc.assert(fc.property(range, (one) => assert.deepEqual(parseRange(formatRange(one)), one)));
});

test('a single slot is written as Kvrocks takes it, without a second end', () => {
  assert.equal(formatRange({ from: 5, to: 5 }), '5');
});

test('what is no range of slots is refused', () => {
  for (const text of ['', '-', '5-', '-5', '9-5', '16384', '0-16384', '05', '1-2-3', ' 5', '5 ', '5.0', '+5', '１'])
    assert.equal(parseRange(text), undefined, text);
});

test('whatever text comes, a range is read within bounds or not at all', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9-]{0,8}$/)), (text) => {
      const got = parseRange(text);
      if (got === undefined) return;
      assert.ok(got.from >= 0 && got.from <= got.to && got.to < SLOT_COUNT);
    }),
  );
});
