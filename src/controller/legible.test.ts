import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_SECRET } from '../runtime/secret.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { nodesOf } from '../topology/cluster.ts';
import { buildCluster } from './building.ts';
import { legible } from './legible.ts';
import type { NodeFacts } from './node-check.ts';

const facts = (port: number): NodeFacts => ({
  address: { host: '::1', port },
  id: '',
  version: -1,
  serverVersion: '2.14.0',
  clusterMode: true,
  replication: { role: 'master', sequence: 0, replicas: [] },
  settings: {
    clusterEnabled: true,
    persistClusterNodes: true,
    serveStaleData: true,
    emptyDbBeforeFullSync: false,
    rsidPsync: false,
    migrateType: undefined,
    migrateSpeed: undefined,
    replicationConnectTimeout: undefined,
  },
  holdsData: false,
  topology: null,
});

test('known ids give way to addresses, unknown ones and shard ids stay', () => {
  const { cluster } = buildCluster('ns', 'c', [facts(7000)], 1, NO_SECRET, { random: seededRandom(1), createdAt: 0 });
  const id = nodesOf(cluster)[0]?.id ?? '';
  const stranger = 'x'.repeat(40);
  assert.equal(
    legible(`${id}: replaces ${stranger} in ${cluster.shards[0]?.id}`, cluster),
    `[::1]:7000: replaces ${stranger} in ${cluster.shards[0]?.id}`,
  );
});

test('a node that has just left is found in the earlier cluster', () => {
  const { cluster } = buildCluster('ns', 'c', [facts(7000), facts(7001)], 2, NO_SECRET, {
    random: seededRandom(1),
    createdAt: 0,
  });
  const left = nodesOf(cluster)[1]?.id ?? '';
  const after = { ...cluster, shards: cluster.shards.map((shard) => ({ ...shard, nodes: shard.nodes.slice(0, 1) })) };
  assert.equal(legible(`${left} leaves`, after, cluster), '[::1]:7001 leaves');
});
