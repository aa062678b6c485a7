import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeAt, overlaid, type SlotRun, type SlotRuns, slotsIn } from './slot-runs.ts';

const SLOTS = 40;
const owners = fc.array(fc.constantFrom('a', 'b', 'c', undefined), { minLength: SLOTS, maxLength: SLOTS });

/** A run for each slot, from the last to the first. */
function singly(table: readonly (string | undefined)[]): readonly SlotRun<string>[] {
  return table.flatMap((node, slot) => (node === undefined ? [] : [{ first: slot, last: slot, node }])).reverse();
}

function tableOf(runs: SlotRuns<string>): readonly (string | undefined)[] {
  return Array.from({ length: SLOTS }, (_, slot) => nodeAt(runs, slot));
}

test('runs hold what a table of slots would', () => {
  fc.assert(
    fc.property(owners, owners, (old, fresh) => {
      const before = overlaid([], singly(old));
      assert.deepEqual(tableOf(before), old);
      const after = overlaid(before, singly(fresh));
      const expected = old.map((node, slot) => fresh[slot] ?? node);
      assert.deepEqual(tableOf(after), expected);
      assert.equal(slotsIn(after), expected.filter((node) => node !== undefined).length);
      for (const [i, run] of after.entries()) {
        const next = after[i + 1];
        if (next !== undefined)
          assert.ok(run.last < next.first && !(run.node === next.node && run.last + 1 === next.first));
      }
    }),
  );
});

test('long runs over long runs: only what is given changes', () => {
  const runs = overlaid(
    [],
    [
      { first: 0, last: 99, node: 'a' },
      { first: 200, last: 299, node: 'b' },
    ],
  );
  assert.deepEqual(overlaid(runs, [{ first: 50, last: 249, node: 'c' }]), [
    { first: 0, last: 49, node: 'a' },
    { first: 50, last: 249, node: 'c' },
    { first: 250, last: 299, node: 'b' },
  ]);
  assert.deepEqual(overlaid(runs, [{ first: 100, last: 199, node: 'a' }]), [
    { first: 0, last: 199, node: 'a' },
    { first: 200, last: 299, node: 'b' },
  ]);
  assert.equal(nodeAt(runs, 150), undefined);
});
