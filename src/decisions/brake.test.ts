import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Silence, tooMuchAtOnce } from './brake.ts';
import { decideFailovers } from './failover.ts';
import { NOW, type Sketch, world } from './testing.ts';

/** `ago`: how long ago each node of the shard fell silent, in ms. */
const silent = (...shards: readonly (readonly number[])[]) => {
  const all = shards.flatMap((agos, shard) => agos.map((ago): Silence => ({ shard: `ns/c/s${shard}`, at: NOW - ago })));
  return new Map(all.map((one, i) => [i, one]));
};

test('more than half of all nodes, at least 4, of at least 2 shards, within 3 s', () => {
  assert.equal(tooMuchAtOnce(7, silent([0, 100, 2_900], [3_000])), true);
  assert.equal(tooMuchAtOnce(8, silent([0, 0], [0, 0])), false, 'half of 8');
  assert.equal(tooMuchAtOnce(3, silent([0, 0], [0])), false, 'all 3 are too few');
  assert.equal(tooMuchAtOnce(6, silent([0, 0, 0, 0])), false, 'one shard');
  assert.equal(tooMuchAtOnce(7, silent([0, 100], [3_200, 3_200])), false, 'one after the other');
  assert.equal(tooMuchAtOnce(7, silent()), false);
});

test('it lasts for as long as they are silent, and ends as soon as enough of them were seen', () => {
  const hourAgo = silent([3_600_000, 3_600_500], [3_601_000, 3_602_000]);
  assert.equal(tooMuchAtOnce(7, hourAgo), true);
  hourAgo.delete(0);
  assert.equal(tooMuchAtOnce(7, hourAgo), false);
});

test('nodes that were silent long before do not count with those that fall now', () => {
  assert.equal(tooMuchAtOnce(9, silent([600_000, 600_000], [600_000, 100, 50])), false);
  assert.equal(tooMuchAtOnce(9, silent([600_000, 100, 100], [600_000, 100, 50, 20])), true);
});

test('the brake holds back who has no witness, and nobody whose replica says that it has lost its master', () => {
  const brake: Sketch = { brake: true };
  const unlinked = { views: { a: { brokeAt: NOW - 15_000 }, b: { linkUpAt: Number.NEGATIVE_INFINITY } } };
  const held = decideFailovers(world('a master 9 dead | b replica 9', { ...brake, ...unlinked }));
  assert.equal(held.proposal, undefined);
  assert.match(held.reports[0]?.held ?? '', /may be the one that is cut off/);
  assert.notEqual(decideFailovers(world('a master 9 dead | b replica 9', unlinked)).proposal, undefined);
  assert.notEqual(decideFailovers(world('a master 9 dead | b replica 9', brake)).proposal, undefined);
  assert.notEqual(decideFailovers(world('a master 9 hung | b replica 9', brake)).proposal, undefined);
  assert.notEqual(decideFailovers(world('a master 0 highest:9 | b replica 9 down', brake)).proposal, undefined);
});
