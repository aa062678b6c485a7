import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLUSTER, world } from './testing-world.ts';

const SETTINGS = `${CLUSTER}/settings`;

test('every setting with its value, its default, whether it was set, and what it does', async () => {
  const { ask } = await world();
  const { settings } = (await ask('GET', SETTINGS)).json.data;
  const names = ['tolerance_ms', 'max_lag_ms', 'no_witness_hold_ms', 'diverged'];
  assert.deepEqual(Object.keys(settings), [...names, 'concurrent_moves', 'migrate_speed', 'migrate_rate_limit_mb']);
  const { about, ...tolerance } = settings.tolerance_ms;
  assert.deepEqual(tolerance, { value: 3_000, default: 3_000, set: false, unit: 'ms' });
  assert.match(about, /hangs/);
  assert.deepEqual([settings.diverged.value, settings.diverged.unit], ['resync', null]);
  assert.deepEqual([settings.migrate_speed.value, settings.migrate_speed.unit], [null, 'commands/s']);
});

test('settings are changed one by one, and given back by null', async () => {
  const { ask, plane } = await world();
  const first = await ask('PATCH', SETTINGS, { tolerance_ms: 5_000, diverged: 'fence' });
  assert.equal(first.status, 200);
  assert.deepEqual(plane.asked.at(-1)?.more, [{ tolerance_ms: 5_000, diverged: 'fence' }]);
  const { settings } = first.json.data;
  assert.deepEqual([settings.tolerance_ms.value, settings.tolerance_ms.set], [5_000, true]);
  const second = await ask('PATCH', SETTINGS, { tolerance_ms: null }, { 'if-match': '1' });
  const given = second.json.data.settings;
  assert.deepEqual([given.tolerance_ms.value, given.tolerance_ms.set, given.diverged.value], [3_000, false, 'fence']);
  assert.equal((await ask('PATCH', SETTINGS, { tolerance_ms: 5_000 }, { 'if-match': '9' })).status, 409);
});

test('settings beyond their bounds, or of other names, are refused with what is allowed', async () => {
  const { ask, plane } = await world();
  const wrong: readonly [object, RegExp][] = [
    [{ tolerance_ms: 999 }, /^tolerance_ms: got 999; allowed: a whole number of milliseconds from 1000 to 600000/],
    [{ tolerance_ms: 600_001 }, /^tolerance_ms: got 600001/],
    [{ tolerance_ms: '5s' }, /^tolerance_ms: got "5s"/],
    [{ tolerance_ms: 1_500.5 }, /^tolerance_ms: got 1500.5/],
    [{ max_lag_ms: -1 }, /^max_lag_ms: got -1; allowed: a whole number of milliseconds from 0 to 600000/],
    [{ no_witness_hold_ms: 4_999 }, /^no_witness_hold_ms: got 4999; .* from 5000 to 3600000/],
    [{ concurrent_moves: 0 }, /^concurrent_moves: got 0; allowed: a whole number of moves from 1 to 16384; null gives/],
    [{ migrate_speed: -1 }, /^migrate_speed: got -1; allowed: a whole number of commands\/s from 0 to 2147483647/],
    [{ migrate_rate_limit_mb: 0 }, /^migrate_rate_limit_mb: got 0; .* from 1 to/],
    [{ diverged: 'copy' }, /^diverged: got "copy"; allowed: `resync` or `fence`; null gives/],
    [
      { tolerance: 5_000 },
      /^tolerance: there is no such member; allowed: tolerance_ms, max_lag_ms, no_witness_hold_ms/,
    ],
    [{ tolerance_ms: 5_000, dry_run: true }, /^dry_run: got true/],
  ];
  for (const [body, message] of wrong) {
    const answer = await ask('PATCH', SETTINGS, body);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid'], JSON.stringify(body));
    assert.match(answer.json.error.message, message);
  }
  assert.deepEqual(plane.asked, []);
});

test('a node’s priority and exclusion are shown where they are not as everywhere', async () => {
  const { ask, plane, shards } = await world();
  const id = shards()[0]?.nodes[1]?.id ?? '';
  const node = `${CLUSTER}/shards/0/nodes/${id}`;
  const plain = (await ask('GET', `${CLUSTER}/shards/0/nodes`)).json.data.nodes[1];
  assert.deepEqual(['priority' in plain, 'no_failover' in plain], [false, false]);
  const answer = await ask('PATCH', node, { priority: 7, no_failover: 'true' });
  assert.deepEqual([answer.status, answer.json.data.node], [200, { ...plain, priority: 7, no_failover: true }]);
  assert.deepEqual(plane.asked.at(-1)?.more, [id, { priority: 7, noFailover: true, address: undefined }]);
  assert.equal((await ask('PATCH', node, { no_failover: false })).json.data.node.priority, 7);
  const status = (await ask('GET', `${CLUSTER}/status`)).json.data.shards[0].nodes[1];
  assert.deepEqual([status.priority, status.no_failover], [7, false]);
});

test('a node that listens elsewhere now', async () => {
  const { ask, plane, shards } = await world();
  const id = shards()[0]?.nodes[1]?.id ?? '';
  const answer = await ask('PATCH', `${CLUSTER}/shards/0/nodes/${id}`, { addr: '[::1]:7777' });
  assert.deepEqual([answer.status, answer.json.data.node.addr], [200, '[::1]:7777']);
  const address = { host: '::1', port: 7777 };
  assert.deepEqual(plane.asked.at(-1)?.more, [id, { priority: undefined, noFailover: undefined, address }]);
});

test('a master that lost its data is accepted empty, and nothing else is by that word', async () => {
  const { ask, plane, shards } = await world();
  const id = shards()[0]?.master;
  for (const [body, what] of [
    [{ empty: true }, 'readmitEmpty'],
    [{ empty: 'true' }, 'readmitEmpty'],
    [{ empty: false }, 'readmitNode'],
    [undefined, 'readmitNode'],
  ] as const) {
    assert.equal((await ask('POST', `${CLUSTER}/nodes/${id}/readmit`, body)).status, 200);
    assert.equal(plane.asked.at(-1)?.what, what);
  }
  assert.equal((await ask('POST', `${CLUSTER}/nodes/${id}/readmit`, { empty: 'perhaps' })).status, 400);
});

test('what a node cannot be is refused', async () => {
  const { ask, plane, shards } = await world();
  const id = shards()[0]?.nodes[1]?.id ?? '';
  for (const [body, message] of [
    [{}, /^nothing to change; allowed: priority, no_failover, addr/],
    [{ addr: 'nowhere' }, /^addr: got "nowhere"; allowed: `host:port`/],
    [{ priority: 1_001 }, /^priority: got 1001; allowed: a whole number from 0 to 1000/],
    [{ priority: null }, /^priority: got null/],
    [{ no_failover: 'perhaps' }, /^no_failover: got "perhaps"; allowed: true or false/],
    [{ prio: 5 }, /^prio: there is no such member; allowed: priority, no_failover, addr/],
  ] as const) {
    const answer = await ask('PATCH', `${CLUSTER}/shards/0/nodes/${id}`, body);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid'], JSON.stringify(body));
    assert.match(answer.json.error.message, message);
  }
  assert.deepEqual(plane.asked, []);
  const elsewhere = await ask('PATCH', `${CLUSTER}/shards/1/nodes/${id}`, { priority: 5 });
  assert.equal(elsewhere.status, 404);
});
