import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_CLUSTER } from '../../api/testing.ts';
import { served, tidy } from '../testing.ts';

const IN = '-n test-ns -c test-cluster';

test('a topology with a move, an away node and a shard without slots, as tables', async (t) => {
  const { kvctl, plane } = await served(t);
  await kvctl(`create shard ${IN} --nodes '[::1]:7004'`);
  plane.change(TEST_CLUSTER, (cluster) => ({
    ...cluster,
    shards: cluster.shards.map((shard) => ({
      ...shard,
      nodes: shard.nodes.map((node) => (node.address.port === 7001 ? { ...node, membership: 'away' as const } : node)),
    })),
  }));
  const [source, , target] = plane.cluster(TEST_CLUSTER).cluster.shards;
  assert.ok(source && target);
  plane.move(TEST_CLUSTER, [{ source: source.id, target: target.id, range: { from: 5, to: 9 }, running: true }]);
  const shown = [];
  for (const line of ['get cluster test-cluster -n test-ns', `list shards ${IN}`, `ls node ${IN} --shard 0`]) {
    shown.push(tidy((await kvctl(line)).out));
  }
  assert.deepEqual(shown, [
    `cluster test-cluster of namespace test-ns, version 3

SHARD  ADDRESS         ROLE         SLOTS       MOVING        ID
    0  127.0.0.1:7000  master       0-8191      5-9 to 2      <node 1>
    0  127.0.0.1:7001  slave, away  -           -             <node 2>
    1  127.0.0.1:7002  master       8192-16383  -             <node 3>
    1  127.0.0.1:7003  slave        -           -             <node 4>
    2  [::1]:7004      master       -           5-9 arriving  <node 5>
`,
    `SHARD  ID               SLOTS       MOVING        MASTER          NODES
    0  sh-000000000001  0-8191      5-9 to 2      127.0.0.1:7000      2
    1  sh-000000000002  8192-16383  -             127.0.0.1:7002      2
    2  sh-000000000003  -           5-9 arriving  [::1]:7004          1
`,
    `SHARD  ADDRESS         ROLE         ID
    0  127.0.0.1:7000  master       <node 1>
    0  127.0.0.1:7001  slave, away  <node 2>
`,
  ]);
  const json = await kvctl(`list nodes ${IN} --shard 0 -o json`);
  assert.equal(JSON.parse(json.out).nodes[1].state, 'away');
});

test('a failover’s plan names who would be promoted, and why not the others', async (t) => {
  const { kvctl, plane } = await served(t);
  const shard = plane.cluster(TEST_CLUSTER).cluster.shards[0];
  const [master, replica] = shard?.nodes ?? [];
  assert.ok(shard && master && replica);
  plane.failoverPlan = () => ({
    shard: shard.id,
    master: master.id,
    how: 'promotion',
    candidate: null,
    refused: 'it is too far behind',
    needs_force: true,
    with_force: replica.id,
    may_lose: { records: 600, unseen_ms: 700 },
    judged: [{ node: replica.id, sequence: 300, refusals: ['600 behind, limit 500', 'loading'], passedOver: null }],
  });
  const { code, out } = await kvctl(`failover shard 0 ${IN} --dry-run`);
  assert.equal(code, 0);
  assert.equal(
    tidy(out),
    `shard 0: no replica would be promoted: it is too far behind
with --force 127.0.0.1:7001 (<node 1>) would be; 600 records that were seen of it may be lost, and what it wrote in the 700 ms since its last answer
master: 127.0.0.1:7000 (<node 2>), which does not answer, or has lost its data

ADDRESS         SEQUENCE  MAY BE PROMOTED                     ID
127.0.0.1:7001       300  no: 600 behind, limit 500; loading  <node 1>
`,
  );
  assert.deepEqual(plane.asked, []);
});
