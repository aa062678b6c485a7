import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findings } from './problems.ts';
import { NOW, type Sketch, VERSION, world } from './testing.ts';
import { decideUnlinked } from './unlinked.ts';

/** b has had no link for `ago` ms. */
const down = (ago: number, sketch: Sketch = {}, master = 'a master 900') =>
  world(`${master} | b replica 890 down`, { ...sketch, views: { b: { linkDownAt: NOW - ago, link: 'down' } } });

const elsewhere = (sketch: Sketch = {}) =>
  world('a master 900 | b replica 890', {
    ...sketch,
    views: { b: { follows: { host: '10.0.0.99', port: 7000 }, since: 0, holdsSince: 0 } },
  });

const told = (seen: ReturnType<typeof world>) => decideUnlinked(seen).proposal?.again;

test('a replica has the committed topology and no link for ten seconds, its master answers: told anew, by a new version', () => {
  assert.equal(told(down(9_900)), undefined);
  assert.equal(decideUnlinked(down(9_900)).wakeAt, NOW + 100);
  const { proposal } = decideUnlinked(down(10_000));
  assert.deepEqual([proposal?.again, proposal?.next.cluster.version], [['b'], VERSION + 1]);
  assert.match(proposal?.events[0]?.message ?? '', /b is told anew: .* has had no link to its master for 10 s/);
});

test('that did not help: again each minute, and the problem stays', () => {
  const again = (ago: number) => down(70_000, { toldAgainAt: { b: NOW - ago } });
  assert.equal(told(again(59_900)), undefined);
  assert.deepEqual(told(again(60_000)), ['b']);
  assert.ok(findings(again(100), []).some(({ code, node }) => code === 'REPLICA_UNLINKED' && node === 'b'));
});

test('it lost its link anew since it was told: the first time counts from the loss', () => {
  assert.deepEqual(told(down(10_000, { toldAgainAt: { b: NOW - 11_000 } })), ['b']);
});

test('what is missing is its master, or the topology itself: nobody is told anew', () => {
  assert.equal(told(down(20_000, {}, 'a master 900 dead')), undefined);
  assert.equal(told(down(20_000, {}, 'a master 900 says-slave')), undefined);
  assert.equal(told(world('a master 900 | b replica 890 down at:6', { views: { b: { linkDownAt: 0 } } })), undefined);
});

test('it is in a full sync: that is a link', () => {
  assert.equal(told(world('a master 900 | b replica 890 sync', { views: { b: { linkDownAt: 0 } } })), undefined);
});

test('it follows another address than its master’s: told anew at once, then each minute, and a problem of its own', () => {
  assert.deepEqual(told(elsewhere()), ['b']);
  assert.match(decideUnlinked(elsewhere()).proposal?.events[0]?.message ?? '', /follows 10\.0\.0\.99:7000/);
  const waiting = elsewhere({ toldAgainAt: { b: NOW - 1_000 } });
  assert.deepEqual([told(waiting), decideUnlinked(waiting).wakeAt], [undefined, NOW + 59_000]);
  assert.deepEqual(
    findings(waiting, []).map(({ code, node }) => `${code} ${node}`),
    ['FOLLOWS_ANOTHER b'],
  );
});

test('it was told a moment ago: what was read may be from before it heard', () => {
  const fresh = world('a master 900 | b replica 890', {
    views: { b: { follows: { host: '10.0.0.99', port: 7000 }, since: 0, holdsSince: NOW - 1_000 } },
  });
  assert.equal(told(fresh), undefined);
});

test('it follows its master by its address: nothing is wrong', () => {
  const { address } = world('a master 900').intended.cluster.shards[0]?.nodes[0] ?? assert.fail();
  assert.equal(told(world('a master 900 | b replica 890', { views: { b: { follows: address } } })), undefined);
});

test('the cluster is paused, or a switchover is under way: nobody is told anything', () => {
  assert.equal(told(down(20_000, { pause: { until: null, by: 'op' } })), undefined);
  const common = { kind: 'switchover', id: 'so', shard: 's0', from: 'a', to: 'b', by: 'op', startedAt: 0 } as const;
  assert.equal(told(down(20_000, { operations: [{ ...common, phase: 'draining', version: VERSION }] })), undefined);
});

test('two replicas at once: one version for both', () => {
  const { proposal } = decideUnlinked(
    world('a master 900 | b replica 890 down | c replica 890 down', {
      views: { b: { linkDownAt: NOW - 20_000 }, c: { linkDownAt: NOW - 20_000 } },
    }),
  );
  assert.deepEqual([proposal?.again, proposal?.next.cluster.version], [['b', 'c'], VERSION + 1]);
});
