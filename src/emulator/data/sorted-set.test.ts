import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SortedSet } from './sorted-set.ts';

test('any changes: order, scores and ranks as sorting a plain map gives them', () => {
  const change = fc.record({
    member: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    score: fc.constantFrom(-1, 0, 0.5, 2, Number.POSITIVE_INFINITY, undefined),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40, size: 'max' }), (changes) => {
      const set = new SortedSet();
      const plain = new Map<string, number>();
      for (const { member, score } of changes) {
        if (score === undefined) {
          assert.equal(set.delete(member), plain.delete(member));
          continue;
        }
        const old = plain.get(member);
        assert.equal(set.set(member, score), old === undefined ? 'new' : old === score ? 'same' : 'changed');
        plain.set(member, score);
      }
      const expected = [...plain]
        .map(([member, score]) => ({ member, score }))
        .sort((a, b) => (a.score === b.score ? (a.member < b.member ? -1 : 1) : a.score < b.score ? -1 : 1));
      assert.deepEqual(set.items, expected);
      assert.equal(set.size, plain.size);
      expected.forEach(({ member, score }, rank) => {
        assert.equal(set.rank(member), rank);
        assert.equal(set.score(member), score);
      });
    }),
  );
});
