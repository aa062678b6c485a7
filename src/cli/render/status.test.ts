import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_CLUSTER } from '../../api/testing.ts';
import type { ClusterStatus } from '../../controller/status.ts';
import { served, tidy, until } from '../testing.ts';

const IN = 'test-cluster -n test-ns';

test('a healthy cluster', async (t) => {
  const { kvctl } = await served(t);
  const { code, out } = await kvctl(`status ${IN}`);
  assert.equal(code, 0);
  assert.equal(
    tidy(out),
    `cluster test-cluster of namespace test-ns: ok, version 1, 16384 of 16384 slots served

SHARD  SLOTS       ADDRESS         ROLE    STATE  VERSION  SEQUENCE  LAG  LINK  ID
    0  0-8191      127.0.0.1:7000  master  up           1         0    -  -     <node 1>
    0  -           127.0.0.1:7001  slave   up           1         0    0  up    <node 2>
    1  8192-16383  127.0.0.1:7002  master  up           1         0    -  -     <node 3>
    1  -           127.0.0.1:7003  slave   up           1         0    0  up    <node 4>
`,
  );
});

/** A master is down, its replica behind, a node leaving, a move and a switchover under way, all paused. */
function troubled(status: ClusterStatus, now: number): ClusterStatus {
  const [first, second] = status.shards;
  const [master, replica] = first?.nodes ?? [];
  const [other, lost] = second?.nodes ?? [];
  assert.ok(first && second && master && replica && other && lost);
  return {
    ...status,
    state: 'down',
    slots_served: 8192,
    paused: { until: 1_764_026_038_000, by: '10.0.0.9' },
    shards: [
      {
        ...first,
        nodes: [
          { ...master, state: 'refused', reason: 'connection refused 12 times', version: null, in_sync: false },
          { ...replica, says: 'master', lag: 12_345, link: 'down', in_sync: false },
        ],
      },
      { ...second, nodes: [other] },
    ],
    leaving: [{ ...lost, membership: 'leaving', state: 'silent' }],
    problems: [
      {
        code: 'MASTER_DOWN',
        severity: 'error',
        shard: first.id,
        node: master.id,
        message: 'its master is down and no replica may be promoted',
        waiting_for: 'an operator',
        command: 'kvctl failover shard 0 -n test-ns -c test-cluster --force',
      },
      {
        code: 'DANGEROUS_SETTING',
        severity: 'warning',
        shard: null,
        node: null,
        message: 'two nodes forget their data before a full copy',
        waiting_for: null,
        command: null,
      },
    ],
    operations: [
      {
        id: 'op-1',
        kind: 'move',
        phase: 'moving',
        by: '127.0.0.1',
        started_at: now - 90_000,
        shard: second.id,
        target_shard: first.id,
        slots: '9000-9100',
        node: null,
        message: '3 of 101 slots',
      },
    ],
  };
}

test('a cluster in trouble: reasons, problems with what mends them, operations', async (t) => {
  const now = 1_764_026_000_000;
  const { kvctl, plane } = await served(t, { clock: { now: () => now, wall: () => now } });
  const status = troubled(plane.status(TEST_CLUSTER), now);
  plane.status = () => status;
  assert.equal(
    tidy((await kvctl(`status ${IN}`)).out),
    `cluster test-cluster of namespace test-ns: down, version 1, 8192 of 16384 slots served
paused until 2025-11-24 23:13:58Z, by 10.0.0.9

SHARD  SLOTS       ADDRESS         ROLE                STATE               VERSION  SEQUENCE    LAG  LINK  ID
    0  0-8191      127.0.0.1:7000  master              refused                   -         0      -  -     <node 1>
    0  -           127.0.0.1:7001  slave, says master  up               1, differs         0  12345  down  <node 2>
    1  8192-16383  127.0.0.1:7002  master              up                        1         0      -  -     <node 3>
    -  -           127.0.0.1:7003  slave               silent, leaving           1         0      0  up    <node 4>

  127.0.0.1:7000: connection refused 12 times (since 2023-06-07 01:34:53Z)

2 problems:
  error  MASTER_DOWN  shard 0  127.0.0.1:7000
    its master is down and no replica may be promoted
    waits for: an operator
    mend it with: kvctl failover shard 0 -n test-ns -c test-cluster --force
  warning  DANGEROUS_SETTING
    two nodes forget their data before a full copy
  what it was decided from: kvctl why test-cluster 0 -n test-ns

OPERATION  PHASE   SHARD  TO  SLOTS      NODE  SINCE  BY         MESSAGE         ID
move       moving  1      0   9000-9100  -      90 s  127.0.0.1  3 of 101 slots  op-1
`,
  );
  assert.equal(
    (await kvctl('status')).out,
    `NAMESPACE  CLUSTER       STATE         VERSION  SHARDS  NODES UP  PROBLEMS  OPERATIONS
test-ns    test-cluster  down, paused        1       2       2/3         2           1
`,
  );
});

test('as json it is the data of the API', async (t) => {
  const { kvctl, plane, host } = await served(t);
  const { out } = await kvctl(`status ${IN} -o json`);
  assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify(plane.status(TEST_CLUSTER))));
  const cluster = await kvctl(`get cluster ${IN} -o json`);
  const answer = await fetch(`${host}/api/v1/namespaces/test-ns/clusters/test-cluster`);
  assert.deepEqual({ data: JSON.parse(cluster.out) }, await answer.json());
});

test('without any cluster it says so', async (t) => {
  const { kvctl } = await served(t);
  await kvctl('delete cluster test-cluster -n test-ns');
  assert.equal((await kvctl('status')).out, 'There are no clusters.\n');
});

test('watching goes on over a controller that is away for a moment, and ends with a cluster that is gone', async (t) => {
  const { kvctl, plane, screen } = await served(t, { outIsTerminal: true });
  const ended = kvctl(`status ${IN} --watch`);
  const screens = () => screen.out.split('\x1b[H\x1b[2J').length - 1;
  await until(() => screens() === 2);
  plane.isReady = false;
  await until(() => screen.err.includes('trying again'));
  plane.isReady = true;
  const before = screens();
  await until(() => screens() > before);
  await plane.deleteCluster(TEST_CLUSTER, false, { caller: { name: 'test' } });
  assert.equal((await ended).code, 3);
});
