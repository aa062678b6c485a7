import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withNode, withShard } from '../topology/cluster.ts';
import { withFloors } from './floor.ts';
import { decideExactPromotions } from './rejoin.ts';
import { entry, nodeAt, type Sketch, seeing, shardAt, VERSION, world } from './testing.ts';
import type { World } from './world.ts';

const floors = (seen: World) => {
  const shard = shardAt(withFloors(seen, seen.intended));
  return [shard.floor, shard.eligibleFrom];
};
const at = (text: string, aged: number, sketch: Sketch = { floor: 100, eligibleFrom: 50 }) =>
  seeing(world(text, sketch), 'a', { aged });

test('a master that writes raises the floor to its highest, and what a candidate must have to what it had before', () => {
  assert.deepEqual(floors(at('a master 900 | b replica 9', 700)), [900, 700]);
});

test('a quiet cluster is the same value: nothing is to be stored', () => {
  const seen = at('a master 100 | b replica 100', 90, { floor: 100, eligibleFrom: 90 });
  assert.equal(withFloors(seen, seen.intended), seen.intended);
});

test('floors never fall: a master that came back below does not lower them, nor one that has just begun to be watched', () => {
  assert.deepEqual(floors(at('a master 90', 80)), [100, 50]);
  assert.deepEqual(floors(at('a master 900', 0)), [900, 50]);
});

test('a master without its data raises no floor by what it writes anew', () => {
  assert.deepEqual(floors(at('a master 900', 800, { floor: 100, eligibleFrom: 50, dataLost: 100 })), [100, 50]);
});

test('a promotion’s exact number: whoever is promoted next must have it', () => {
  const lineage = [entry(1, 'a', 0), entry(VERSION, 'b', 880, false)];
  const seen = world('b master 900 promoted:890 | a away 900', { lineage, floor: 880, eligibleFrom: 880 });
  const next = decideExactPromotions(seen)?.next ?? assert.fail();
  const { lineage: after, floor, eligibleFrom } = shardAt(next);
  assert.deepEqual([after.at(-1), floor, eligibleFrom], [entry(VERSION, 'b', 890), 890, 890]);
});

test('the same master under a new proof begins anew: its number of before raises nothing', () => {
  const seen = at('a master 900', 700);
  const shards = seen.intended.cluster.shards.map((shard) =>
    withNode({ ...shard, floor: 0, eligibleFrom: 0 }, 'a', (node) => ({
      ...node,
      highest: 0,
      proof: { entry: VERSION + 1, how: 'master' },
    })),
  );
  const next = { ...seen.intended, cluster: { ...seen.intended.cluster, shards } };
  assert.equal(withFloors(seen, next), next);
});

test('a node that says it is a slave is no measure of how far the master came', () => {
  assert.deepEqual(floors(at('a master 900 says-slave | b replica 900', 700)), [100, 50]);
});

test('what a node was raised to before it was copied whole is no number of the history that it has now', () => {
  const seen = world('a master 900 | b replica 800 unproven attaching:copied highest:0', { floor: 900 });
  const raised = seeing(seen, 'b', { highest: 2_000_900 });
  const proof = { entry: 1, how: 'copied' } as const;
  const { cluster } = seen.intended;
  const proven = withShard(cluster, 's0', (shard) =>
    withNode(shard, 'b', (node) => ({ ...node, proof, attaching: null, highest: 800 })),
  );
  assert.equal(nodeAt(withFloors(raised, { ...seen.intended, cluster: proven }), 'b').highest, 800);
});

test('the highest that each node was seen at is stored, but of nobody who is unproven', () => {
  const seen = world('a master 900 highest:100 | b replica 800 highest:100 | c replica 700 highest:100 unproven');
  const next = withFloors(
    seeing(seeing(seeing(seen, 'a', { highest: 900 }), 'b', { highest: 800 }), 'c', { highest: 700 }),
    seen.intended,
  );
  assert.deepEqual([nodeAt(next, 'a').highest, nodeAt(next, 'b').highest, nodeAt(next, 'c').highest], [900, 800, 100]);
  assert.equal(next.cluster.version, VERSION);
});
