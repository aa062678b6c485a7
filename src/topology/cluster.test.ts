import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from '../decisions/testing.ts';
import { type Cluster, coverage, faultsOf, masterOf, nodeOf, type Shard } from './cluster.ts';
import { ALL_SLOTS } from './slots.ts';

const sound = world('a master 9 | b replica 9 / c master 5').intended.cluster;

function with0(change: (shard: Shard) => Shard, cluster: Cluster = sound): Cluster {
  return { ...cluster, shards: cluster.shards.map((shard, i) => (i === 0 ? change(shard) : shard)) };
}

test('a sound topology has no faults and covers all slots', () => {
  assert.deepEqual(faultsOf(sound), []);
  assert.deepEqual(coverage(sound), ALL_SLOTS);
});

test('what is impossible is named: two owners, no master, an away master, another lineage, one id twice', () => {
  const cases: [Cluster, RegExp][] = [
    [with0((shard) => ({ ...shard, slots: ALL_SLOTS })), /slot 8192 has another owner already/],
    [with0((shard) => ({ ...shard, master: 'z' })), /its master z is none of its nodes/],
    [
      with0((shard) => ({ ...shard, nodes: shard.nodes.map((node) => ({ ...node, membership: 'away' })) })),
      /its master a is away/,
    ],
    [
      with0((shard) => ({ ...shard, lineage: [{ version: 1, master: 'b', sequence: 0, exact: true }] })),
      /lineage ends with another master/,
    ],
    [with0((shard) => ({ ...shard, lineage: [] })), /lineage ends with another master/],
    [with0((shard) => ({ ...shard, nodes: [...shard.nodes, ...shard.nodes] })), /node a is listed twice/],
    [
      { ...sound, leaving: [{ id: 'b', address: { host: 'h', port: 1 }, version: 1, how: 'reset' }] },
      /node b is listed and leaving/,
    ],
  ];
  for (const [cluster, fault] of cases) assert.match(faultsOf(cluster).join('\n'), fault);
});

test('a node is found with its shard, whatever its place', () => {
  assert.equal(nodeOf(sound, 'b')?.shard.master, 'a');
  assert.equal(nodeOf(sound, 'z'), undefined);
});

test('a shard whose master is none of its nodes is a fault of ours, not a node to tell something', () => {
  assert.throws(
    () => masterOf(with0((shard) => ({ ...shard, master: 'z' })).shards[0] ?? assert.fail()),
    /names a master/,
  );
});
