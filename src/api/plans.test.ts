import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_CLUSTER } from './testing.ts';
import { CLUSTER, ok, world } from './testing-world.ts';

test('a rebalance is rehearsed, and run at the version that was planned for, or refused', async () => {
  const { ask, plane } = await world();
  await ask('POST', `${CLUSTER}/migrate`, { target: 1, slot: '0-99' });
  const { version } = plane.cluster(TEST_CLUSTER).cluster;
  const body = { weights: { '0': 2.5 }, drain: [1] };
  const planned = await ask('POST', `${CLUSTER}/rebalance`, { ...body, dry_run: true });
  assert.deepEqual([planned.status, planned.headers['etag']], [200, `"${version}"`]);
  const { dry_run: dryRun, plan, slots, moves, shards } = planned.json.data;
  assert.deepEqual([dryRun, plan, slots, moves.length, shards.length], [true, null, 100, 1, 2]);
  const wanted = { weights: [{ shard: { index: 0 }, weight: 2.5 }], drain: [{ index: 1 }] };
  assert.deepEqual([plane.asked.at(-1)?.what, plane.asked.at(-1)?.more], ['rebalancePlan', [wanted]]);

  const run = { ...body, slots_per_move: 50, priority: 3 };
  const stale = await ask('POST', `${CLUSTER}/rebalance`, run, { 'if-match': `"${version + 1}"` });
  assert.deepEqual([stale.status, stale.json.error.code], [409, 'changed']);
  const done = await ask('POST', `${CLUSTER}/rebalance`, run, { 'if-match': `"${version}"` });
  assert.deepEqual([done.status, done.json.data.dry_run, done.json.data.plan], [200, false, 'pl-4fY2kQ81aZx0']);
  assert.deepEqual(plane.asked.at(-1)?.more, [wanted, { slotsPerMove: 50, priority: 3 }]);
});

test('a rebalance of what is misspelt is refused: it would move other slots than meant', async () => {
  const { ask } = await world();
  for (const [body, message] of [
    [{ weigths: { 0: 2 } }, /^weigths: there is no such member; allowed: weights, drain, slots_per_move, priority$/],
    [{ weights: { 0: -1 } }, /a number from 0 up/],
    [{ weights: { first: 1 } }, /shard: got "first"; allowed: the index/],
    [{ slots_per_move: 0 }, /slots_per_move: .*1 to 16384/],
    [{ priority: 1_001 }, /priority: .*-1000 to 1000/],
  ] as const) {
    const { status, json } = await ask('POST', `${CLUSTER}/rebalance`, body);
    assert.deepEqual([status, json.error.code], [400, 'invalid'], JSON.stringify(body));
    assert.match(json.error.message, message);
  }
});

test('moves are listed, and steered: all of them, those of a plan, or one', async () => {
  const { ask, plane } = await world();
  assert.deepEqual((await ask('GET', `${CLUSTER}/moves`)).json, { data: { plans: [], moves: [] } });
  assert.equal((await ask('GET', `${CLUSTER}x/moves`)).status, 404);
  const [plan, move] = ['pl-4fY2kQ81aZx0', 'mv-4fY2kQ81aZx1'];
  for (const [path, body, command] of [
    ['pause', {}, { do: 'pause', which: 'all' }],
    ['resume', { plan }, { do: 'resume', which: { plan } }],
    ['cancel', { move }, { do: 'cancel', which: { move } }],
    ['retry', { plan }, { do: 'retry', which: { plan } }],
    ['priority', { move, priority: -5 }, { do: 'prefer', which: { move }, priority: -5 }],
    ['settle', { move, owner: 'target' }, { do: 'settle', move, owner: 'target' }],
  ] as const) {
    const answer = await ask('POST', `${CLUSTER}/moves/${path}`, body);
    assert.deepEqual([answer.status, answer.json], [200, ok], path);
    assert.deepEqual(plane.asked.at(-1)?.more, [command]);
  }
  for (const [path, body] of [
    ['cancel', { plan, move }],
    ['cancel', { pan: plan }],
    ['pause', { plan: 'first' }],
    ['settle', { move }],
    ['settle', { move, owner: 'me' }],
    ['priority', { move }],
  ] as const)
    assert.equal((await ask('POST', `${CLUSTER}/moves/${path}`, body)).status, 400, `${path} ${JSON.stringify(body)}`);
});
