import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseClusterNodes } from '../kvrocks/commands/cluster-nodes.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { coverage, faultsOf } from '../topology/cluster.ts';
import { ALL_SLOTS, NO_SLOTS } from '../topology/slots.ts';
import { type Building, buildCluster, buildShard, groupFailures, importCluster } from './building.ts';
import type { NodeFacts } from './node-check.ts';

const building: Building = { random: seededRandom(3), createdAt: 17 };
const RULES = { force: false, skipClusterMode: false, masterMayHoldData: true };

interface Said {
  readonly id?: string;
  readonly version?: number;
  readonly sequence?: number;
  readonly role?: 'master' | 'slave';
  readonly link?: 'up' | 'down';
  readonly rsid?: boolean;
  readonly data?: boolean;
  readonly stale?: boolean;
}

function facts(port: number, said: Said = {}): NodeFacts {
  const sequence = said.sequence ?? 0;
  return {
    address: { host: '10.0.0.1', port },
    id: said.id ?? '',
    version: said.version ?? -1,
    serverVersion: '2.14.0',
    clusterMode: true,
    replication:
      said.role === 'slave'
        ? {
            role: 'slave',
            masterHost: '10.0.0.1',
            masterPort: 1,
            link: said.link ?? 'up',
            syncInProgress: false,
            secondsSinceIo: 0,
            sequence,
          }
        : { role: 'master', sequence, replicas: [] },
    settings: {
      clusterEnabled: true,
      persistClusterNodes: true,
      serveStaleData: said.stale !== true,
      emptyDbBeforeFullSync: false,
      rsidPsync: said.rsid ?? false,
      migrateType: undefined,
      migrateSpeed: undefined,
      replicationConnectTimeout: undefined,
    },
    holdsData: said.data ?? false,
    topology: null,
  };
}

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const C = 'c'.repeat(40);

test('a new cluster: slots split evenly, the first of each group its master, everybody at a version nobody has seen', () => {
  const nodes = [facts(1), facts(2), facts(3, { version: 8 }), facts(4)];
  const { cluster } = buildCluster('ns', 'c1', nodes, 2, NO_SECRET, building);
  assert.equal(cluster.version, 9);
  assert.equal(buildCluster('ns', 'c1', nodes.slice(0, 2), 2, NO_SECRET, building).cluster.version, 1);
  assert.deepEqual(faultsOf(cluster), []);
  assert.deepEqual(coverage(cluster), ALL_SLOTS);
  assert.deepEqual(
    cluster.shards.map((shard) => shard.nodes.map((node) => node.address.port)),
    [
      [1, 2],
      [3, 4],
    ],
  );
  assert.deepEqual(
    cluster.shards[0]?.nodes.map((node) => [node.proof?.how ?? null, node.attaching]),
    [
      ['master', null],
      [null, 'empty'],
    ],
  );
});

test('a node keeps the id that it has; one that two of them have is given to the first only', () => {
  const shard = buildShard([facts(1, { id: A }), facts(2, { id: A }), facts(3)], NO_SLOTS, 1, building, new Set());
  const [first, second, third] = shard.nodes.map((node) => node.id);
  assert.equal(first, A);
  assert.equal(new Set([first, second, third]).size, 3);
});

test('a master that brings data: what it holds is its floor, and P of the first entry', () => {
  const shard = buildShard([facts(1, { sequence: 500 }), facts(2)], ALL_SLOTS, 4, building, new Set());
  assert.deepEqual([shard.floor, shard.lineage[0]?.sequence, shard.lineage[0]?.version], [500, 500, 4]);
});

const reasons = (group: readonly NodeFacts[], rules = RULES, master?: NodeFacts) =>
  groupFailures(group, rules, master).flatMap((failure) =>
    failure.reasons.map((reason) => `${failure.node} ${reason}`),
  );

test('fresh nodes may join', () => {
  assert.deepEqual(reasons([facts(1), facts(2)]), []);
});

test('a replica that is not at sequence 0 would be taken for one that has what it lacks: flushed and reset do not help', () => {
  assert.match(
    reasons([facts(1), facts(2, { sequence: 501 })]).join(),
    /10\.0\.0\.1:2 is at sequence 501: .*empty its data folder/,
  );
  assert.match(
    reasons([facts(1), facts(2, { sequence: 501 })], { ...RULES, force: true }).join(),
    /sequence 501/,
    'force is no proof',
  );
});

test('where both servers compare histories, a replica with a past is copied whole', () => {
  assert.deepEqual(reasons([facts(1, { rsid: true }), facts(2, { sequence: 501, rsid: true })]), []);
  assert.match(reasons([facts(1), facts(2, { rsid: true })]).join(), /another use-rsid-psync than its master/);
});

test('a node of another cluster is refused, with the way to free it', () => {
  assert.match(
    reasons([facts(1, { version: 3 })]).join(),
    /carries a topology already, version 3; reset it with: kvctl node reset 10\.0\.0\.1:1/,
  );
  assert.deepEqual(reasons([facts(1, { version: 3 })], { ...RULES, force: true }), []);
});

test('a master with data: only on the caller’s word, and only where it is the sole one', () => {
  const holder = facts(1, { data: true, sequence: 9 });
  assert.match(reasons([holder]).join(), /pass force to make it the master of it all/);
  assert.deepEqual(reasons([holder], { ...RULES, force: true }), []);
  assert.match(
    reasons([holder], { ...RULES, force: true, masterMayHoldData: false }).join(),
    /only the sole master of a new cluster may/,
  );
});

test('dangerous settings are refused with the command that mends them', () => {
  assert.match(
    reasons([facts(1, { stale: true })]).join(),
    /slave-serve-stale-data is no.*CONFIG SET slave-serve-stale-data yes/,
  );
});

test('a replica is measured by the master that it joins, not by the first of its group', () => {
  const master = facts(9, { rsid: true });
  assert.match(reasons([facts(2)], RULES, master).join(), /another use-rsid-psync/);
});

const line = (id: string, port: number, role: string, master: string, slots = '') =>
  `${id} 10.0.0.1:${port}@${port + 10_000} ${role} ${master} 1 1 7 connected${slots}`;

function imported(lines: readonly string[], reached: Readonly<Record<string, NodeFacts>>) {
  const parsed = parseClusterNodes(lines.join('\n'));
  assert.ok(parsed.kind === 'reply');
  return importCluster('ns', 'c1', parsed.value, new Map(Object.entries(reached)), NO_SECRET, building);
}

const RUNNING = [
  line(B, 2, 'slave', A),
  line(C, 3, 'master', '-', ' 0-8191'),
  line(A, 1, 'myself,master', '-', ' 8192-16383'),
];
const REACHED = {
  [A]: facts(1, { id: A, version: 7, sequence: 900 }),
  [B]: facts(2, { id: B, version: 7, sequence: 900, role: 'slave' }),
  [C]: facts(3, { id: C, version: 7, sequence: 50 }),
};

test('a running cluster is imported as its nodes describe it, one version above what they carry', () => {
  const got = imported(RUNNING, REACHED);
  assert.ok(got.ok);
  const { cluster } = got.intended;
  assert.deepEqual([cluster.version, faultsOf(cluster), coverage(cluster)], [8, [], ALL_SLOTS]);
  assert.deepEqual(
    cluster.shards.map((shard) => shard.master),
    [C, A],
    'in the order of their slots',
  );
  const nodes = cluster.shards[1]?.nodes.map((node) => [node.id, node.membership, node.proof?.how]);
  assert.deepEqual(nodes, [
    [A, 'member', 'master'],
    [B, 'member', 'trust'],
  ]);
  assert.equal(cluster.shards[1]?.floor, 900);
});

test('a replica that does not answer, or has no link, is taken over as away: nothing is believed of it', () => {
  const { [B]: _, ...without } = REACHED;
  for (const reached of [
    without,
    { ...REACHED, [B]: facts(2, { id: B, role: 'slave', link: 'down', sequence: 900 }) },
  ]) {
    const got = imported(RUNNING, reached);
    assert.ok(got.ok);
    const node = got.intended.cluster.shards[1]?.nodes[1];
    assert.deepEqual([node?.membership, node?.proof], ['away', null]);
  }
});

test('what cannot be imported: a master that does not answer or says slave, a running migration, an id of another kind', () => {
  const { [A]: _, ...without } = REACHED;
  const cases: readonly [readonly string[], Readonly<Record<string, NodeFacts>>, RegExp][] = [
    [RUNNING, without, /is a master and does not answer/],
    [RUNNING, { ...REACHED, [A]: facts(1, { id: A, role: 'slave' }) }, /says that it is a slave/],
    [
      [...RUNNING.slice(0, 2), line(A, 1, 'myself,master', '-', ` 8192-16383 [100->-${C}]`)],
      REACHED,
      /is migrating slots/,
    ],
    [RUNNING.map((one) => one.replaceAll(B, 'short')), { ...REACHED, short: facts(2) }, /has the id short/],
  ];
  for (const [lines, reached, why] of cases) {
    const got = imported(lines, reached);
    assert.ok(!got.ok);
    assert.match(got.failures.flatMap((failure) => failure.reasons).join(), why);
  }
});

test('gaps in the slots of an imported cluster stay gaps: nobody is made to own what nobody served', () => {
  const got = imported([line(A, 1, 'myself,master', '-', ' 0-99')], { [A]: facts(1, { id: A, version: 7 }) });
  assert.ok(got.ok);
  assert.deepEqual(coverage(got.intended.cluster), [{ from: 0, to: 99 }]);
});
