import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { dampedUntil, decideDamping } from './damping.ts';
import { decideFailovers, forcedFailover } from './failover.ts';
import { NOW, type Sketch, shardAt, VERSION, world } from './testing.ts';
import type { World } from './world.ts';

const dies = (sketch: Sketch, text = 'a master 900 dead | b replica 900') => decideFailovers(world(text, sketch));
const levelAfter = (seen: World) => {
  const { proposal } = decideFailovers(seen);
  return proposal === undefined ? undefined : shardAt(proposal.next).damping;
};
const free = (text: string, sketch: Sketch): boolean => {
  const seen = world(text, sketch);
  const { proposal } = decideDamping(seen);
  if (proposal === undefined) return false;
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  assert.equal(proposal.next.cluster.version, VERSION);
  return shardAt(proposal.next).damping === null;
};

test('a failover damps the shard, and each one that follows before it is free again damps it more', () => {
  assert.deepEqual(levelAfter(world('a master 9 dead | b replica 9')), { level: 0 });
  const again = (level: number) =>
    levelAfter(world('a master 9 dead | b replica 9', { damping: { level }, dampedSince: NOW - 700_000 }));
  assert.deepEqual([again(0), again(1), again(2)], [{ level: 1 }, { level: 2 }, { level: 2 }]);
});

test('second-death-in-the-same-shard-within-a-minute: a crash is replaced at once, since it may come back empty', () => {
  assert.notEqual(dies({ damping: { level: 0 }, dampedSince: NOW - 2_000 }).proposal, undefined);
});

test('a third death in the same shard within a minute waits for 60 s after the second', () => {
  const early = dies({ damping: { level: 1 }, dampedSince: NOW - 2_000 });
  assert.equal(early.proposal, undefined);
  assert.equal(early.wakeAt, NOW + 58_000);
  assert.deepEqual([early.reports[0]?.candidate, early.reports[0]?.held?.slice(0, 12)], ['b', 'another 58 s']);
  assert.notEqual(dies({ damping: { level: 1 }, dampedSince: NOW - 60_000 }).proposal, undefined);
});

test('the wait grows to 60 s and 600 s, and is never a dead stop', () => {
  const until = (level: number) => {
    const seen = world('a master 9', { damping: { level }, dampedSince: NOW });
    return (dampedUntil(seen, shardAt(seen), 'hang') ?? 0) - NOW;
  };
  assert.deepEqual([until(0), until(1), until(2), until(7)], [10_000, 60_000, 600_000, 600_000]);
});

test('a controller that finds a damped shard in the store counts from its own start', () => {
  const sketch = { damping: { level: 1 }, watchingSince: NOW - 59_000 };
  assert.equal(dies(sketch).proposal, undefined);
  assert.equal(dies(sketch).wakeAt, NOW + 1_000);
});

test('healthy for 5 s, it is free again, without a new version; before that it is looked at in time', () => {
  const damped = (ago: number, facts = {}): Sketch => ({
    damping: { level: 1 },
    dampedSince: NOW - ago,
    views: { a: { since: NOW - 60_000, ...facts } },
  });
  assert.equal(free('a master 9 | b replica 9', damped(5_000)), true);
  assert.equal(free('a master 9 | b replica 9', damped(4_900)), false);
  assert.equal(decideDamping(world('a master 9', damped(4_900))).wakeAt, NOW + 100);
  assert.equal(free('a master 9', damped(30_000, { since: NOW - 4_000 })), false, 'it was not there for a moment');
  const told = {
    version: VERSION,
    before: 'master',
    role: 'master',
    sequence: 9,
    connection: 1,
    at: NOW - 4_000,
  } as const;
  assert.equal(free('a master 9', damped(30_000, { promoted: told })), false, 'it was no master before');
});

test('a master that does not answer, plays another role or carries another version has not proven itself', () => {
  const damped: Sketch = { damping: { level: 0 }, dampedSince: NOW - 60_000 };
  for (const words of ['9 dead', '9 hung', '9 says-slave', '9 at:6', '3 highest:9', '9 loading'])
    assert.equal(free(`a master ${words}`, damped), false, words);
});

test('a master without its data is replaced by the same deadline, however often the shard failed over', () => {
  const damped: Sketch = { damping: { level: 2 }, dampedSince: NOW - 500 };
  assert.notEqual(dies(damped, 'a master 0 highest:900 | b replica 900 down').proposal, undefined);
});

test('an operator’s failover is not damped, and frees the shard', () => {
  const seen = world('a master 9 dead | b replica 9', { damping: { level: 2 }, dampedSince: NOW - 500 });
  const { next } = forcedFailover(seen, shardAt(seen), 'b', 9, 0, [], 'ops');
  assert.equal(shardAt(next).damping, null);
});
