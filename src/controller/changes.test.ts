import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { entry, NOW, nodeAt, type Sketch, seeing, shardAt, VERSION, world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import type { Proposal, World } from '../decisions/world.ts';
import { switchoverOf } from '../operations/intended.ts';
import type { Node } from '../topology/cluster.ts';
import { NO_SLOTS } from '../topology/slots.ts';
import * as changes from './changes.ts';
import { refused } from './testing-refusals.ts';

/** The change, held to the promises. */
function made(seen: World, change: (world: World) => Proposal): Proposal {
  const proposal = change(seen);
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal;
}

const S0 = { index: 0 };
const S1 = { index: 1 };
const paused: Sketch = { pause: { until: null, by: 'ops' } };
const PAIR = 'a master 9 | b replica 9 / c master 9 | d replica 9';

const QUEUED = moveOf('queued', { range: { from: 1, to: 2 } });
const FAILED = moveOf('failed', { range: { from: 1, to: 2 } });
const MIGRATING = moveOf('migrating', { range: { from: 1, to: 2 } });

const emptied = (seen: World, index: number): World => ({
  ...seen,
  intended: {
    ...seen.intended,
    cluster: {
      ...seen.intended.cluster,
      shards: seen.intended.cluster.shards.map((shard, i) => (i === index ? { ...shard, slots: NO_SLOTS } : shard)),
    },
  },
});

test('a shard is found by its place or by its id, and only one that is there', () => {
  const { cluster } = world(PAIR).intended;
  assert.equal(changes.findShard(cluster, { index: 1 }).shard.id, 's1');
  assert.equal(changes.findShard(cluster, { id: 's1' }).index, 1);
  refused('not_found', /shard 2/, () => changes.findShard(cluster, { index: 2 }));
  refused('not_found', /shard -1/, () => changes.findShard(cluster, { index: -1 }));
  refused('not_found', /shard x/, () => changes.findShard(cluster, { id: 'x' }));
});

test('the cluster changed since the caller looked: refused, with both versions', () => {
  const { intended } = world(PAIR);
  changes.checkVersion(intended, undefined);
  changes.checkVersion(intended, VERSION);
  refused('changed', /at version 7, not 6/, () => changes.checkVersion(intended, 6));
});

const fresh = (id: string): Node => ({
  ...nodeAt(world('z replica 0 unproven attaching:empty / y master 1'), 'z'),
  id,
});

test('a shard joins without slots, above whatever version its nodes have seen', () => {
  const seen = world(PAIR);
  const { next } = made(seen, (at) =>
    changes.addShard(
      at,
      (version) => ({ ...shardAt(world('x master 0')), id: 's9', slots: NO_SLOTS, lineage: [entry(version, 'x', 0)] }),
      40,
      'ops',
    ),
  );
  assert.equal(next.cluster.version, 41);
  assert.deepEqual(shardAt(next, 2).lineage, [entry(41, 'x', 0)]);
});

test('a shard that owns slots, or that a move binds, does not leave', () => {
  refused('owns_slots', /shard 1 owns 8192 slots \(8192-16383\); move them first/, () =>
    changes.removeShard(world(PAIR), S1, true, 'ops'),
  );
  for (const move of [QUEUED, MIGRATING]) {
    const bound = emptied(world(PAIR, { operations: [move] }), 1);
    refused('operation_running', /slots 1-2 are on their way from or to shard 1/, () =>
      changes.removeShard(bound, S1, true, 'ops'),
    );
  }
});

test('an empty shard leaves with all its nodes, which stay known until they were told', () => {
  const seen = emptied(world(PAIR, { operations: [FAILED] }), 1);
  const { next } = made(seen, (at) => changes.removeShard(at, S1, true, 'ops'));
  assert.equal(next.cluster.shards.length, 1);
  assert.deepEqual(
    next.cluster.leaving.map((node) => [node.id, node.how, node.version]),
    [
      ['c', 'reset', VERSION],
      ['d', 'reset', VERSION],
    ],
  );
});

test('a node joins as a replica; it is in the text of the next version', () => {
  const { next } = made(world(PAIR), (at) => changes.addNode(at, S0, fresh('z'), 0, 'ops'));
  assert.equal(nodeAt(next, 'z').attaching, 'empty');
  assert.equal(next.cluster.version, VERSION + 1);
});

test('a node leaves, but not the master, and not one of another shard', () => {
  const { next } = made(world(PAIR), (at) => changes.removeNode(at, S0, 'b', false, 'ops'));
  assert.deepEqual(
    next.cluster.leaving.map((node) => [node.id, node.how]),
    [['b', 'release']],
  );
  refused('is_master', /a is the master of shard 0; fail over first/, () =>
    changes.removeNode(world(PAIR), S0, 'a', true, 'ops'),
  );
  refused('not_found', /node d of shard 0/, () => changes.removeNode(world(PAIR), S0, 'd', true, 'ops'));
});

test('forgotten is who is leaving or away: neither stands in a text, so the version stays', () => {
  const leaving = [{ id: 'x', address: { host: 'h', port: 1 }, version: 5, how: 'reset' } as const];
  const gone = made(world(PAIR, { leaving }), (at) => changes.forgetNode(at, 'x', 'ops'));
  assert.deepEqual([gone.next.cluster.leaving, gone.next.cluster.version], [[], VERSION]);
  const away = made(world('a master 9 | b away 9'), (at) => changes.forgetNode(at, 'b', 'ops'));
  assert.equal(shardAt(away.next).nodes.length, 1);
  refused('operation_running', /b is part of the topology; delete it instead/, () =>
    changes.forgetNode(world(PAIR), 'b', 'ops'),
  );
  refused('not_found', /node zz/, () => changes.forgetNode(world(PAIR), 'zz', 'ops'));
});

test('a cluster ends: all nodes leave to be reset, what has not begun is dropped; not while slots are under way', () => {
  const { next } = made(world(PAIR, { operations: [QUEUED, FAILED] }), (at) => changes.endCluster(at, 'ops'));
  assert.deepEqual([next.ending, next.operations, next.cluster.shards], [true, [], []]);
  assert.deepEqual(
    next.cluster.leaving.map((node) => node.id),
    ['a', 'b', 'c', 'd'],
  );
  refused('operation_running', /slots 1-2 are being moved/, () =>
    changes.endCluster(world(PAIR, { operations: [MIGRATING] }), 'ops'),
  );
});

test('pause and resume keep the version', () => {
  const { next, events } = made(world(PAIR), (at) => changes.pause(at, 1_795_000_000_000, 'ops'));
  assert.deepEqual(next.pause, { until: 1_795_000_000_000, by: 'ops' });
  assert.match(events[0]?.message ?? '', /until 2026-11-18 .* UTC/);
  assert.equal(made(world(PAIR, paused), (at) => changes.resume(at, 'ops')).next.pause, null);
});

test('a paused cluster is changed by nobody, and everybody is told who paused it', () => {
  const seen = world(PAIR, paused);
  const attempts: (() => unknown)[] = [
    () => changes.addShard(seen, () => shardAt(seen), 0, 'x'),
    () => changes.removeShard(seen, S0, true, 'x'),
    () => changes.addNode(seen, S0, fresh('z'), 0, 'x'),
    () => changes.removeNode(seen, S0, 'b', true, 'x'),
    () => changes.beginSwitchover(seen, S0, undefined, 'so', 'x'),
    () => changes.failOverDeadMaster(seen, S0, undefined, true, 'x'),
  ];
  for (const attempt of attempts) refused('operation_running', /was paused by ops/, attempt);
});

test('a switchover begins with a drain: version and record in one commit, the topology as it is', () => {
  const { next } = made(world(PAIR), (at) => changes.beginSwitchover(at, S0, undefined, 'so', 'ops'));
  const open = switchoverOf(next);
  assert.deepEqual([open?.phase, open?.from, open?.to, open?.version], ['draining', 'a', 'b', VERSION + 1]);
  assert.equal(shardAt(next).master, 'a');
});

test('a switchover is refused, with the reason', () => {
  const begin =
    (text: string, sketch: Sketch = {}, preferred?: string) =>
    () =>
      changes.beginSwitchover(world(text, sketch), S0, preferred, 'so', 'ops');
  const OPEN = {
    kind: 'switchover',
    id: 'o',
    shard: 's1',
    from: 'c',
    to: 'd',
    by: 'x',
    startedAt: 0,
    phase: 'draining',
    version: VERSION,
  } as const;
  refused('operation_running', /a switchover is under way/, begin(PAIR, { operations: [OPEN] }));
  refused(
    'operation_running',
    /slots 1-2 are being moved from or to shard 0/,
    begin(PAIR, { operations: [MIGRATING] }),
  );
  refused('no_eligible_replica', /it has no replica/, begin('a master 9'));
  refused('no_eligible_replica', /b: its link to the master is down/, begin('a master 9 | b replica 9 down'));
  refused('no_eligible_replica', /a is the master of shard 0 already/, begin(PAIR, {}, 'a'));
  refused('invalid', /preferred_node_id: d is no node of shard 0; its replicas are b/, begin(PAIR, {}, 'd'));
  refused('operation_running', /b does not carry version 7 yet/, begin('a master 9 | b replica 9 at:6'));
  refused('operation_running', /a does not carry version 7 yet/, begin('a master 9 at:6 | b replica 9'));
});

test('a queued move does not stand in the way of a switchover', () => {
  made(world(PAIR, { operations: [QUEUED] }), (at) => changes.beginSwitchover(at, S0, undefined, 'so', 'ops'));
});

const DEAD = 'a master 900 dead | b replica 300';
const LIMITS: Sketch = { floor: 900, eligibleFrom: 800 };

test('a dead master is failed over on an operator’s word; too far behind only with force', () => {
  refused('no_eligible_replica', /b: 600 behind, of which 100 may be lost/, () =>
    changes.failOverDeadMaster(world(DEAD, LIMITS), S0, undefined, false, 'ops'),
  );
  const { next } = made(world(DEAD, LIMITS), (at) => changes.failOverDeadMaster(at, S0, undefined, true, 'ops'));
  assert.deepEqual(shardAt(next).lineage.at(-1), entry(VERSION + 1, 'b', 300, false));
});

test('a master that only we cannot reach is not failed over without force', () => {
  const heard = 'a master 900 dead | b replica 900 linked';
  refused('no_eligible_replica', /a replica still hears it; pass force/, () =>
    changes.failOverDeadMaster(world(heard), S0, undefined, false, 'ops'),
  );
  made(world(heard), (at) => changes.failOverDeadMaster(at, S0, undefined, true, 'ops'));
});

test('a master answers if it says that it is one and has lost nothing', () => {
  const answers = (seen: World) => changes.masterAnswers(seen, shardAt(seen));
  assert.equal(answers(world(PAIR)), true);
  assert.equal(answers(world(DEAD)), false);
  assert.equal(answers(world('a master 9 says-slave | b replica 9')), false);
  assert.equal(answers(world('a master 3 highest:9 | b replica 9')), false);
  assert.equal(answers(seeing(world(PAIR), 'a', { brokeAt: NOW - 5 })), false);
});
