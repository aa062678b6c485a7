import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_CLUSTER } from './testing.ts';
import { ABSENT, CLUSTER, CLUSTERS, created, EXISTED, NOW, NS, ok, world } from './testing-world.ts';

test('the document’s examples: namespaces', async () => {
  const { ask } = await world();
  const post = await ask('POST', NS, { namespace: 'other' });
  assert.deepEqual([post.status, post.json], [201, created]);
  const again = await ask('POST', NS, { namespace: 'other' });
  assert.deepEqual([again.status, again.json.error.message, again.json.error.code], [409, EXISTED, 'already_exists']);
  assert.deepEqual((await ask('GET', NS)).json, { data: { namespaces: ['other', 'test-ns'] } });
  assert.deepEqual((await ask('GET', `${NS}/other`)).json, ok);
  assert.equal((await ask('GET', `${NS}/nope`)).json.error.message, ABSENT);
  const full = await ask('DELETE', `${NS}/test-ns`);
  assert.deepEqual([full.status, full.json.error.code], [409, 'not_empty']);
  assert.deepEqual((await ask('DELETE', `${NS}/other`)).json, ok);
  const gone = await ask('DELETE', `${NS}/other`);
  assert.deepEqual([gone.status, gone.json.error.message, gone.json.error.detail], [404, ABSENT, 'namespace other']);
});

test('the document’s examples: clusters', async () => {
  const { ask } = await world();
  const wanted = { name: 'c1', nodes: ['127.0.0.1:6666'], replicas: 1, password: '' };
  assert.deepEqual((await ask('POST', CLUSTERS, wanted)).json, created);
  assert.equal((await ask('POST', CLUSTERS, wanted)).json.error.message, EXISTED);
  const used = await ask('POST', CLUSTERS, { ...wanted, name: 'c2' });
  assert.equal(used.status, 409);
  assert.match(used.json.error.message, /belongs to cluster test-ns\/c1/);
  assert.deepEqual((await ask('GET', CLUSTERS)).json, { data: { clusters: ['c1', 'test-cluster'] } });
  assert.equal((await ask('GET', `${NS}/nope/clusters`)).json.error.message, ABSENT);
  const got = await ask('GET', `${CLUSTERS}/c1`);
  const { id, nodes, ...shard } = got.json.data.cluster.shards[0];
  assert.match(id, /^sh-/);
  assert.deepEqual(shard, { slot_ranges: ['0-16383'], target_shard_index: -1, migrating_slot: -1, import_slot: -1 });
  assert.match(nodes[0].id, /^[A-Za-z0-9]{40}$/);
  assert.deepEqual(
    { ...nodes[0], id: '' },
    { id: '', addr: '127.0.0.1:6666', role: 'master', password: '', master_auth: '', created_at: 1686101693 },
  );
  assert.equal(got.headers['etag'], '"1"');
  assert.deepEqual((await ask('DELETE', `${CLUSTERS}/c1`)).json, ok);
  assert.equal((await ask('DELETE', `${CLUSTERS}/c1`)).json.error.message, ABSENT);
  const nodesOnly = { nodes: ['127.0.0.1:6666'], password: '' };
  const imported = await ask('POST', `${CLUSTERS}/c3/import`, nodesOnly);
  assert.deepEqual([imported.status, imported.json], [201, created]);
  assert.equal((await ask('POST', `${CLUSTERS}/c3/import`, nodesOnly)).json.error.message, EXISTED);
});

test('the document’s examples: shards, failover and nodes', async () => {
  const { ask, shards } = await world();
  const post = await ask('POST', `${CLUSTER}/shards`, { nodes: ['127.0.0.1:6666', '[::1]:6667'], password: '' });
  assert.deepEqual([post.status, post.json], [201, created]);
  const list = (await ask('GET', `${CLUSTER}/shards`)).json.data.shards;
  assert.equal(list.length, 3);
  assert.equal(list[2].slot_ranges, null);
  assert.equal(list[2].nodes[1].addr, '[::1]:6667');
  assert.deepEqual((await ask('GET', `${CLUSTER}/shards/2`)).json, { data: { shard: list[2] } });
  assert.deepEqual((await ask('GET', `${CLUSTER}/shards/${list[2].id}`)).json, { data: { shard: list[2] } });
  for (const far of ['9', '99999999999999999999999', 'sh-000000000000']) {
    const answer = await ask('GET', `${CLUSTER}/shards/${far}`);
    assert.deepEqual([answer.status, answer.json.error.message], [404, ABSENT]);
  }
  const owning = await ask('DELETE', `${CLUSTER}/shards/0`);
  assert.deepEqual([owning.status, owning.json.error.code], [409, 'owns_slots']);
  assert.deepEqual((await ask('DELETE', `${CLUSTER}/shards/2`)).json, ok);

  const replica = shards()[0]?.nodes[1]?.id ?? '';
  const failover = await ask('POST', `${CLUSTER}/shards/0/failover`, { preferred_node_id: replica });
  assert.deepEqual([failover.status, failover.json], [200, { data: { new_master_id: replica } }]);
  for (const empty of [undefined, '', {}, { preferred_node_id: '' }]) {
    const answer = await ask('POST', `${CLUSTER}/shards/0/failover`, empty);
    assert.equal(answer.status, 200, JSON.stringify(answer.json));
    assert.equal(answer.json.data.new_master_id, shards()[0]?.master);
  }

  const node = { addr: '127.0.0.1:6668', role: 'slave', password: '' };
  const added = await ask('POST', `${CLUSTER}/shards/0/nodes`, node);
  assert.deepEqual([added.status, added.json], [201, created]);
  assert.equal((await ask('POST', `${CLUSTER}/shards/0/nodes`, node)).json.error.message, EXISTED);
  const nodes = (await ask('GET', `${CLUSTER}/shards/0/nodes`)).json.data.nodes;
  assert.deepEqual([nodes.length, nodes[2].role, nodes[2].master_auth], [3, 'slave', '']);
  const master = await ask('DELETE', `${CLUSTER}/shards/0/nodes/${shards()[0]?.master}`);
  assert.deepEqual([master.status, master.json.error.code], [409, 'is_master']);
  assert.deepEqual((await ask('DELETE', `${CLUSTER}/shards/0/nodes/${nodes[2].id}`)).json, ok);
  assert.equal((await ask('DELETE', `${CLUSTER}/shards/0/nodes/${'x'.repeat(40)}`)).json.error.message, ABSENT);
});

/** How slots move unless it is said. */
const HOW = { slotOnly: false, slotsPerMove: null, priority: 0 };

test('slots in every form that the contract accepts', async () => {
  const { ask, plane } = await world();
  const forms: readonly [unknown, readonly { from: number; to: number }[]][] = [
    [123, [{ from: 123, to: 123 }]],
    ['124', [{ from: 124, to: 124 }]],
    ['0-100', [{ from: 0, to: 100 }]],
    [
      [7000, '7001', '7005-7010'],
      [
        { from: 7000, to: 7000 },
        { from: 7001, to: 7001 },
        { from: 7005, to: 7010 },
      ],
    ],
  ];
  for (const [slot, ranges] of forms) {
    const answer = await ask('POST', `${CLUSTER}/migrate`, { target: 1, slot, slot_only: 'false', unknown: [{}] });
    assert.deepEqual([answer.status, answer.json], [200, ok], JSON.stringify(slot));
    assert.deepEqual(plane.asked.at(-1)?.more, [{ index: 1 }, ranges, HOW]);
  }
  const id = plane.cluster(TEST_CLUSTER).cluster.shards[1]?.id ?? '';
  for (const [body, ref, only] of [
    [{ target: '1', slot: 1, slot_only: true }, { index: 1 }, true],
    [{ target: id, slot: 2, slotOnly: 'true' }, { id }, true],
    [{ target: 1, slot: 3, slotOnly: false }, { index: 1 }, false],
  ] as const) {
    assert.equal((await ask('POST', `${CLUSTER}/migrate`, body)).status, 200);
    assert.deepEqual([plane.asked.at(-1)?.more[0], plane.asked.at(-1)?.more[2]], [ref, { ...HOW, slotOnly: only }]);
  }
  const limits = { target: 1, slot: 4, slots_per_move: 10, priority: -3 };
  await ask('POST', `${CLUSTER}/migrate`, limits);
  assert.deepEqual(plane.asked.at(-1)?.more[2], { slotOnly: false, slotsPerMove: 10, priority: -3 });
});

test('the routes of older releases', async () => {
  const { ask, plane } = await world();
  const data = await ask('POST', `${CLUSTER}/shards/migration/slot_data`, { source: 0, target: 1, slot: 123 });
  assert.deepEqual([data.status, data.json], [200, ok]);
  assert.deepEqual(plane.asked.at(-1)?.more, [{ index: 1 }, [{ from: 123, to: 123 }], { slotOnly: false }]);
  const only = await ask('POST', `${CLUSTER}/shards/migration/slot_only`, {
    source: 0,
    target: 1,
    slots: ['1', '3-4'],
  });
  assert.equal(only.status, 200);
  const ranges = [
    { from: 1, to: 1 },
    { from: 3, to: 4 },
  ];
  assert.deepEqual(plane.asked.at(-1)?.more, [{ index: 1 }, ranges, { slotOnly: true }]);
  const again = await ask('POST', `${CLUSTER}/shards/migration/slot_only`, { source: 0, target: 1, slots: ['1'] });
  assert.equal(again.status, 200, 'a repetition is left to the controller');
  const stray = await ask('POST', `${CLUSTER}/shards/migration/slot_data`, { source: 1, target: 1, slot: 5 });
  assert.match(stray.json.error.message, /^source: shard 1 does not own 5/);
  assert.deepEqual((await ask('GET', '/api/v1/controller/leader')).json, { data: { leader: '127.0.0.1:9379' } });
});

test('moves are shown at both of their shards', async () => {
  const { ask, plane, shards } = await world();
  const [a = '', b = ''] = shards().map(({ id }) => id);
  plane.move(TEST_CLUSTER, [
    { source: a, target: b, range: { from: 9, to: 9 }, running: false },
    { source: a, target: b, range: { from: 0, to: 7 }, running: true },
  ]);
  const [from, to] = (await ask('GET', `${CLUSTER}/shards`)).json.data.shards;
  assert.deepEqual([from.migrating_slot, from.target_shard_index, from.import_slot], ['0-7', 1, -1]);
  assert.deepEqual([to.migrating_slot, to.target_shard_index, to.import_slot], [-1, -1, '0-7']);
  plane.move(TEST_CLUSTER, [{ source: a, target: b, range: { from: 9, to: 9 }, running: true }]);
  assert.equal((await ask('GET', CLUSTER)).json.data.cluster.shards[0].migrating_slot, 9, 'one slot is an integer');
  plane.move(TEST_CLUSTER, []);
  assert.equal((await ask('GET', CLUSTER)).json.data.cluster.shards[0].migrating_slot, -1);
});

test('a node that is away is listed as a slave', async () => {
  const { ask, plane } = await world();
  plane.change(TEST_CLUSTER, (cluster) => ({
    ...cluster,
    shards: cluster.shards.map((shard) => ({
      ...shard,
      nodes: shard.nodes.map((node) => (node.id === shard.master ? node : { ...node, membership: 'away' as const })),
    })),
  }));
  const [master, away] = (await ask('GET', `${CLUSTER}/shards/0/nodes`)).json.data.nodes;
  assert.equal('state' in master, false);
  assert.deepEqual([away.role, away.state], ['slave', 'away']);
});

test('checks of nodes are skipped by the headers of old', async () => {
  const { ask, plane } = await world();
  await ask('POST', `${CLUSTER}/shards/0/nodes`, { addr: '127.0.0.1:7009' }, { 'x-dont-check-cluster-mode': 'yes' });
  assert.deepEqual(plane.asked.at(-1)?.more[1], { skipClusterMode: true, skipVersion: false });
  const both = { 'x-dont-check-kvrocks-version': 'yes', 'x-dont-check-cluster-mode': 'no' };
  await ask('POST', CLUSTERS, { name: 'n', nodes: ['127.0.0.1:7010'] }, both);
  assert.deepEqual(plane.asked.at(-1)?.more[1], { skipClusterMode: false, skipVersion: true });
});

test('a failover is rehearsed', async () => {
  const { ask, plane, shards } = await world();
  const answer = await ask('POST', `${CLUSTER}/shards/0/failover`, { dry_run: true });
  const replica = shards()[0]?.nodes[1]?.id;
  assert.deepEqual(answer.json.data, {
    shard: shards()[0]?.id,
    master: shards()[0]?.master,
    how: 'switchover',
    candidate: replica,
    refused: null,
    needs_force: false,
    with_force: null,
    may_lose: null,
    judged: [{ node: replica, sequence: 0, refusals: [], passed_over: null }],
  });
  assert.deepEqual(plane.asked, []);
});

test('what a failover may have lost is answered beside the new master', async () => {
  const { ask, plane } = await world();
  const master = 'x'.repeat(40);
  plane.failover = () => Promise.resolve({ master, mayLose: { records: 12, unseen_ms: 700 } });
  const answer = await ask('POST', `${CLUSTER}/shards/0/failover`);
  assert.deepEqual(answer.json.data, { new_master_id: master, may_lose: { records: 12, unseen_ms: 700 } });
});

test('deletions with reset', async () => {
  const { ask, plane, shards } = await world();
  await ask('DELETE', `${CLUSTER}/shards/0/nodes/${shards()[0]?.nodes[1]?.id}?reset=true`);
  assert.equal(plane.asked.at(-1)?.more[1], true);
  await ask('DELETE', `${CLUSTER}/shards/0`, { reset: true });
  assert.deepEqual(plane.asked.at(-1)?.more, [true]);
  await ask('DELETE', `${CLUSTER}?reset=false`);
  assert.deepEqual(plane.asked.at(-1)?.more, [false]);
});

test('beyond the document: status, events, pause, resume, forget, reset of a node', async () => {
  const { ask, plane, shards } = await world();
  assert.deepEqual((await ask('GET', `${CLUSTER}/status`)).json, { data: plane.status(TEST_CLUSTER) });
  for (const word of ['one', 'two', 'three']) plane.happen(TEST_CLUSTER, word);
  const events = await ask('GET', `${CLUSTER}/events?after=1&limit=1`);
  assert.deepEqual(
    events.json.data.events.map((event: { message: string }) => event.message),
    ['two'],
  );
  assert.equal((await ask('GET', `${CLUSTER}/events?limit=0`)).status, 400);
  assert.equal((await ask('GET', `${CLUSTER}/events?after=-1`)).status, 400);

  assert.deepEqual((await ask('POST', `${CLUSTER}/pause`)).json, ok);
  assert.deepEqual(plane.asked.at(-1)?.more, [null]);
  await ask('POST', `${CLUSTER}/pause`, { for: 60 });
  assert.deepEqual(plane.asked.at(-1)?.more, [NOW + 60_000]);
  await ask('POST', `${CLUSTER}/pause`, { until: NOW + 1 });
  assert.deepEqual(plane.asked.at(-1)?.more, [NOW + 1]);
  for (const body of [{ until: NOW }, { for: 0 }, { for: 1, until: 9e15 }, { until: '2030' }]) {
    assert.equal((await ask('POST', `${CLUSTER}/pause`, body)).status, 400, JSON.stringify(body));
  }
  assert.deepEqual((await ask('POST', `${CLUSTER}/resume`, {})).json, ok);
  assert.deepEqual((await ask('POST', `${CLUSTER}/nodes/${shards()[0]?.nodes[1]?.id}/forget`)).json, ok);
  assert.deepEqual((await ask('POST', '/api/v1/nodes/reset', { addr: '127.0.0.1:9', force: true })).json, ok);
  assert.equal(plane.asked.at(-1)?.options.force, true);
});

test('any content type is JSON, and an empty body an empty object', async () => {
  const { ask } = await world();
  for (const [i, type] of ['application/x-www-form-urlencoded', 'text/plain', 'nonsense', ';;', ''].entries()) {
    const answer = await ask('POST', NS, { namespace: `n${i}` }, { 'content-type': type });
    assert.equal(answer.status, 201, type);
  }
  const spaces = await ask('POST', `${CLUSTER}/sync`, '  \n', { 'content-type': 'application/json' });
  assert.equal(spaces.status, 200);
});

test('zero or no replicas mean one', async () => {
  const { ask, plane } = await world();
  for (const [i, more] of [{}, { replicas: 0 }].entries()) {
    await ask('POST', CLUSTERS, { name: `c${i}`, nodes: [`127.0.0.1:${8000 + i}`, `127.0.0.1:${8100 + i}`], ...more });
    assert.equal(plane.cluster({ namespace: 'test-ns', cluster: `c${i}` }).cluster.shards.length, 2);
  }
});
