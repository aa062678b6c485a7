import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakePlane, TEST_CLUSTER } from '../../api/testing.ts';
import { served, tidy } from '../testing.ts';

/** A master that went silent, and its replica's promotion half a second later. */
function failedOver(plane: FakePlane): void {
  const at = 1_764_026_038_000;
  const waits = plane.decide(TEST_CLUSTER, 0);
  const [master, replica] = waits.nodes;
  assert.ok(master && replica);
  const gone = { ...master, state: 'refused' as const, reason: 'connection refused', answered_ago: 650, sequence: 900 };
  const left = { ...replica, sequence: 900, link: 'down' as const, silence: 1, witness: 'for' as const };
  plane.decide(TEST_CLUSTER, 0, {
    at: at - 9_000,
    last_at: at,
    count: 3,
    kind: 'waits',
    outcome: 'nothing is done yet: master 127.0.0.1:7000: it does not answer',
    waiting_for: 'a replica still hears it',
    nodes: [gone, { ...left, link: 'up', silence: 0, witness: 'against' }],
  });
  plane.decide(TEST_CLUSTER, 0, {
    at: at + 612,
    last_at: at + 612,
    kind: 'failover',
    acted: true,
    version: 2,
    outcome: '127.0.0.1:7001 replaces 127.0.0.1:7000 as master',
    break_age: 612,
    floor: 900,
    eligible_from: 890,
    nodes: [gone, { ...left, refusals: [] }, { ...left, addr: '127.0.0.1:7009', sequence: 5, refusals: ['loading'] }],
    nodes_omitted: 2,
  });
}

test('why a shard was failed over: what was seen, who was refused, what was waited for, what was done', async (t) => {
  const { kvctl, plane } = await served(t);
  failedOver(plane);
  const told = await kvctl('why test-cluster 0 -n test-ns --limit 2');
  assert.deepEqual([told.code, told.err], [0, '']);
  assert.equal(
    told.out,
    `2025-11-24 23:13:58Z  failover  version 2  by controller
  127.0.0.1:7001 replaces 127.0.0.1:7000 as master
  break 612 ms before, master known up to 900, a candidate needs 890, tolerance 3 s, max lag 10 s, no-witness hold 15 s
    ADDRESS         ROLE    STATE                        ANSWERED       SEQUENCE  LINK  HEARD MASTER  TESTIFIES  MAY BE PROMOTED
    127.0.0.1:7000  master  refused: connection refused  650 ms before       900  -     -             -          -
    127.0.0.1:7001  slave   up                           40 ms before        900  down  1 s before    for        yes
    127.0.0.1:7009  slave   up                           40 ms before          5  down  1 s before    for        no: loading
    and 2 nodes more

2025-11-24 23:13:58Z, 3 times since 2025-11-24 23:13:49Z  waits  version 1  by controller
  nothing is done yet: master 127.0.0.1:7000: it does not answer
  waits for: a replica still hears it
  master known up to 0, tolerance 3 s, max lag 10 s, no-witness hold 15 s
    ADDRESS         ROLE    STATE                        ANSWERED       SEQUENCE  LINK  HEARD MASTER  TESTIFIES
    127.0.0.1:7000  master  refused: connection refused  650 ms before       900  -     -             -
    127.0.0.1:7001  slave   up                           40 ms before        900  up    0 s before    against
`,
  );
  for (const line of ['why 0 -n test-ns -c test-cluster', 'why -n test-ns -c test-cluster test-cluster 0'])
    assert.equal((await kvctl(`${line} --limit 2`)).out, told.out, line);
});

test('of a whole cluster each record names its shard; as json it is the data of the API', async (t) => {
  const { kvctl, plane } = await served(t);
  failedOver(plane);
  plane.decide(TEST_CLUSTER, 1, { shard: 'sh-goneGoneGone' });
  const { out } = await kvctl('why test-cluster -n test-ns');
  assert.deepEqual(tidy(out).match(/shard \S+/g), ['shard sh-000000000001', 'shard 0', 'shard 0', 'shard 0']);
  const json = await kvctl('why test-cluster 0 -n test-ns -o json');
  assert.deepEqual(JSON.parse(json.out).evidence, await plane.evidence(TEST_CLUSTER, { index: 0 }, 20));
});

test('nothing recorded is said so; a shard that is not there is told with what is', async (t) => {
  const { kvctl } = await served(t);
  const { code, out } = await kvctl('why test-cluster 0 -n test-ns');
  assert.equal(code, 0);
  assert.match(out, /^nothing is recorded of shard 0 of cluster test-cluster/);
  const missing = await kvctl('why test-cluster 7 -n test-ns');
  assert.equal(missing.code, 3);
  assert.equal((await kvctl('why test-cluster 0 -n test-ns --limit 201')).code, 2);
});
