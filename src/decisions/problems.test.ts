import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideFailovers } from './failover.ts';
import { type Finding, findings } from './problems.ts';
import { entry, NOW, type Sketch, seeing, VERSION, world } from './testing.ts';
import { moveOf } from './testing-moves.ts';
import type { World } from './world.ts';

const found = (seen: World): readonly Finding[] => findings(seen, decideFailovers(seen).reports);
const codes = (seen: World) => found(seen).map((one) => `${one.code} ${one.node}`);

function only(seen: World): Finding {
  const list = found(seen);
  assert.equal(list.length, 1, list.map((one) => one.code).join(', '));
  return list[0] ?? assert.fail();
}

test('a healthy cluster has no problems', () => {
  assert.deepEqual(found(world('a master 9 | b replica 9 / c master 9')), []);
});

test('each state of a node has its code, what it waits for, and the command that mends it', () => {
  const cases: readonly [World, string, string | null, RegExp | null][] = [
    [world('a master 9 | b replica 9 gone'), 'NODE_DOWN', 'its answer', null],
    [world('a master 9 | b replica 9 loading'), 'NODE_LOADING', 'the end of it', null],
    [seeing(world('a master 9 | b replica 9'), 'b', { state: 'denied' }), 'WRONG_PASSWORD', null, null],
    [
      seeing(world('a master 9 | b replica 9'), 'b', { state: 'masterdown' }),
      'NODE_DEAF',
      null,
      /^redis-cli -h 10\.0\.0\.98 -p 6000 CONFIG SET slave-serve-stale-data yes$/,
    ],
    [
      seeing(world('a master 9 | b replica 9'), 'b', { state: 'wrong-id' }),
      'WRONG_NODE',
      'the right node at this address, or its new one: kvctl node set b -n ns -c c1 --addr HOST:PORT',
      /^kvctl delete node b -n ns -c c1$/,
    ],
    [
      world('a master 9 | b replica 9 unproven'),
      'UNPROVEN',
      'its log, which is being compared with its master’s',
      null,
    ],
    [
      world(`a master 9 | b replica 9 foreign:${VERSION + 1}`),
      'TOPOLOGY_NEWER',
      'an operator',
      /^kvctl sync -n ns -c c1 --force$/,
    ],
    [
      seeing(world('a master 9 | b replica 9'), 'b', {
        dangers: [{ what: 'x is y', command: 'redis-cli CONFIG SET x z' }],
      }),
      'DANGEROUS_SETTING',
      null,
      /^redis-cli -h 10\.0\.0\.98 -p 6000 CONFIG SET x z$/,
    ],
  ];
  for (const [seen, code, waitingFor, command] of cases) {
    const one = only(seen);
    assert.deepEqual([one.code, one.node, one.waitingFor], [code, 'b', waitingFor]);
    if (command === null) assert.equal(one.command, null, code);
    else assert.match(one.command ?? '', command);
  }
});

test('a master that cannot be reached: told, with what is waited for', () => {
  const one = only(world('a master 9 dead | b replica 9 linked'));
  assert.deepEqual(
    [one.code, one.node, one.waitingFor, one.command],
    ['MASTER_UNREACHABLE', 'a', 'a replica still hears it', null],
  );
});

test('a dead master that nobody may replace: who was refused and why, and the operator’s word that would do it', () => {
  const seen = world('a master 900 dead | b replica 300', { floor: 900, eligibleFrom: 800 });
  const one = only(seen);
  assert.equal(one.code, 'MASTER_DOWN');
  assert.match(one.message, /b: 600 behind, of which 100 may be lost/);
  assert.equal(one.command, 'kvctl failover shard 0 -n ns -c c1 --force');
});

test('a dead master whose replicas nobody may promote by force either: no command, since none would help', () => {
  const one = only(world('a master 900 dead | b replica 0', { floor: 900 }));
  assert.deepEqual([one.code, one.command], ['MASTER_DOWN', null]);
});

test('a master that nobody could testify against: the failover that a person may ask for', () => {
  const unseen = (brokeAgo: number, words: string) => {
    const facts = { brokeAt: NOW - brokeAgo, answeredAt: NOW - brokeAgo - 1 };
    const seen = seeing(world(`a master 900 dead | b replica ${words}`, { floor: 900, eligibleFrom: 800 }), 'a', facts);
    return seeing(seen, 'b', { linkUpAt: Number.NEGATIVE_INFINITY, lostAt: NOW - brokeAgo });
  };
  assert.equal(only(unseen(5_000, '890')).command, null);
  const late = only(unseen(20_000, '890'));
  assert.deepEqual([late.code, late.command], ['MASTER_DOWN', 'kvctl failover shard 0 -n ns -c c1']);
  assert.equal(only(unseen(20_000, '300')).command, 'kvctl failover shard 0 -n ns -c c1 --force');
});

test('another node at a master’s address: the failover; at that of an away one: it is forgotten', () => {
  const wrong = { state: 'wrong-id', reason: 'it says that it is z' } as const;
  const master = only(seeing(world('a master 9 | b replica 9'), 'a', wrong));
  assert.equal(master.command, 'kvctl failover shard 0 -n ns -c c1');
  const away = only(seeing(world('a master 9 | b away 9'), 'b', wrong));
  assert.equal(away.command, 'kvctl node forget b -n ns -c c1');
});

test('a name that a shell would take apart is quoted in the command', () => {
  const seen = world('a master 900 dead | b replica 300', { floor: 900, eligibleFrom: 800 });
  const { cluster } = seen.intended;
  const named = { ...seen, intended: { ...seen.intended, cluster: { ...cluster, name: "it's; rm" } } };
  assert.equal(only(named).command, `kvctl failover shard 0 -n ns -c 'it'\\''s; rm' --force`);
});

test('a master that came back without its data, and nobody to replace it: DATA_LOST', () => {
  const one = only(world('a master 0 highest:900'));
  assert.equal(one.code, 'DATA_LOST');
  assert.match(one.message, /it has no replica/);
});

test('a master without its data and without anybody in its place: the command that accepts the loss', () => {
  const one = only(world('a master 950', { dataLost: 900 }));
  assert.deepEqual([one.code, one.command], ['DATA_LOST', 'kvctl node readmit a -n ns -c c1 --empty']);
});

test('a master that died with slots it had just been given: who still has them, and the command that gives them back', () => {
  const handed = moveOf('handing-over', { goal: 9 });
  const views = { a: { migrating: { range: handed.piece, state: 'success' } } } as const;
  const dies = (text: string) =>
    world(text, { operations: [handed], views, traces: { mv: { phaseAt: NOW - 5_000, found: true } } });
  const dead = only(dies('a master 9 at:6 / c master 9 dead | d replica 5'));
  assert.deepEqual([dead.code, dead.command], ['MASTER_DOWN', 'kvctl move settle mv -n ns -c c1 --owner source']);
  assert.match(dead.message, /slots 100-199 had just come from s0, which still has what it gave away/);
  assert.equal(dead.waitingFor, 'an eligible replica, or an operator');
  const empty = only(dies('a master 9 at:6 / c master 0 highest:9'));
  assert.deepEqual([empty.code, empty.command], ['DATA_LOST', 'kvctl move settle mv -n ns -c c1 --owner source']);
  const deleted = only(dies('a master 9 / c master 9 dead | d replica 5'));
  assert.equal(deleted.command, 'kvctl move settle mv -n ns -c c1 --owner target');
  assert.match(deleted.message, /which has deleted them: what c alone has of them can be given up/);
});

test('a shard that was replaced a moment ago: who takes its place, and how long that is waited for', () => {
  const one = only(world('a master 900 dead | b replica 900', { damping: { level: 1 }, dampedSince: NOW - 2_000 }));
  assert.match(one.message, /b takes its place later$/);
  assert.match(one.waitingFor ?? '', /^another 58 s: it was replaced before/);
  assert.equal(one.command, 'kvctl failover shard 0 -n ns -c c1');
});

test('controller-isolated-from-all: it says that it takes itself for the one that is cut off', () => {
  const seen = world('a master 9 gone | b replica 9 gone / c master 9 gone | d replica 9 gone', { brake: true });
  assert.deepEqual(codes(seen).slice(0, 1), ['CONTROLLER_CUT_OFF null']);
  assert.deepEqual(codes(world('a master 9 | b replica 9', { brake: true })), [], 'all of this cluster is seen');
});

test('a dead master in a paused cluster: the pause is what stands in the way, not its replicas', () => {
  const one = only(world('a master 900 dead | b replica 900', { pause: { until: null, by: 'ops' } }));
  assert.deepEqual(
    [one.code, one.waitingFor, one.command],
    ['MASTER_DOWN', 'the cluster is resumed', 'kvctl resume -n ns -c c1'],
  );
  assert.doesNotMatch(one.message, /no replica/);
});

test('an away node that may not follow: by how much it has diverged, or what it has lost', () => {
  const replaced: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)] };
  const old = (words: string) => only(world(`b master 1200 | a away ${words}`, replaced));
  const diverged = old('1020 proof:1 says-master fenced:1020');
  assert.equal(diverged.code, 'DIVERGED');
  assert.match(diverged.message, /a may not follow b: it holds 20 records that the shard does not have/);
  assert.deepEqual(
    [diverged.waitingFor, diverged.command],
    ['its log, which is being compared with its master’s', null],
  );
  assert.match(old('990 proof:1 says-master fenced:990').message, /lost 10 records and may have written since/);
  assert.match(old('990 unproven says-master fenced:990').message, /nothing proves that its 990 records/);
});

test('an away node that is on its way back is no problem', () => {
  const replaced: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)] };
  assert.deepEqual(found(world('b master 1200 | a away 1000 proof:1 says-master', replaced)), []);
});

test('a replica without a link to a master that answers: told after a moment, and not while the master is gone', () => {
  const unlinked = (ago: number) => seeing(world('a master 9 | b replica 9 down'), 'b', { linkDownAt: NOW - ago });
  assert.deepEqual(codes(unlinked(2_000)), []);
  assert.deepEqual(codes(unlinked(4_000)), ['REPLICA_UNLINKED b']);
  const cutOff = seeing(world('a master 9 | b replica 9 down cutoff'), 'b', { linkDownAt: NOW - 4_000 });
  assert.match(only(cutOff).message, /until it is linked again it is not promoted/);
  const unheard = only(world('a master 9 | b replica 9 silent:9'));
  assert.deepEqual(
    [unheard.code, unheard.message],
    ['REPLICA_UNLINKED', 'b has not heard its master for 9 s, which answers'],
  );
  assert.deepEqual(codes(world('a master 9 | b replica 9 silent:3')), []);
  const gone = seeing(world('a master 9 gone | b replica 9 down'), 'b', { linkDownAt: NOW - 4_000 });
  assert.deepEqual(codes(gone), ['MASTER_UNREACHABLE a']);
});

const LEAVING = { id: 'x', address: { host: 'h', port: 1 }, version: 5, how: 'reset' } as const;

test('a removed node that cannot be told is told about, with the way to forget it', () => {
  const seen = seeing(world('a master 9', { leaving: [LEAVING] }), 'x', { state: 'refused' });
  const one = only(seen);
  assert.deepEqual([one.code, one.node, one.command], ['LEAVING_UNTOLD', 'x', 'kvctl node forget x -n ns -c c1']);
});

test('a removed node that carries another cluster’s topology is left to it, and told about', () => {
  const version = VERSION + 5;
  const seen = seeing(world('a master 9', { leaving: [LEAVING] }), 'x', {
    state: 'up',
    myId: 'x',
    says: 'master',
    version,
    holds: { version, fingerprint: 'theirs' },
  });
  const one = only(seen);
  assert.deepEqual([one.code, one.node, one.command], ['LEAVING_UNTOLD', 'x', 'kvctl node forget x -n ns -c c1']);
  assert.match(one.message, /version 12 of another topology/);
});
