import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SlotRange } from '../topology/slots.ts';
import { wants } from './telling.ts';
import { carrying, NOW, type Sketch, seeing, VERSION, world } from './testing.ts';
import { moveOf, RANGE } from './testing-moves.ts';
import type { World } from './world.ts';

const OLD = VERSION - 1;
const told = (of: World) =>
  wants(of)
    .map(({ node }) => node)
    .join(' ');
const SIX = ['a', 'c', 'e', 'g', 'i', 'k'].map((id) => `${id} master 9 at:${OLD}`).join(' / ');
const OTHER: SlotRange = { from: 9_000, to: 9_099 };
const one = moveOf('handing-over', { id: 'one', goal: 9 });
const two = moveOf('handing-over', {
  id: 'two',
  range: OTHER,
  source: 's2',
  target: 's3',
  sourceNode: 'e',
  targetNode: 'g',
  goal: 9,
});
/** Sources say what they say until they are told. */
const marked: Sketch['views'] = {
  a: { migrating: { range: RANGE, state: 'success' } },
  e: { migrating: { range: OTHER, state: 'success' } },
};
const both = (sketch: Sketch = {}) =>
  world(SIX, { operations: [one, two], views: marked, watchingSince: NOW, ...sketch });

test('two hand-overs side by side: each tells its own ends in its order, the rest waits for both targets', () => {
  let seen = both();
  assert.equal(told(seen), 'c g');
  seen = carrying(seen, 'c');
  assert.equal(told(seen), 'a g', 'a target without replicas has nobody to wait for');
  seen = carrying(seen, 'g');
  assert.equal(told(seen), 'a e i k');
});

test('an end that knew an earlier version of its hand-over is told the newest at once, and its order does not begin anew', () => {
  const knew = { phaseAt: NOW - 20, targetKnewAt: NOW - 10 };
  assert.equal(told(both({ traces: { one: knew } })), 'a c g');
});

test('a running piece beside a hand-over: its ends hear nothing', () => {
  const runs = moveOf('migrating', {
    id: 'two',
    range: OTHER,
    source: 's2',
    target: 's3',
    sourceNode: 'e',
    targetNode: 'g',
  });
  const seen = carrying(carrying(world(SIX, { operations: [one, runs], views: marked, watchingSince: NOW }), 'c'), 'a');
  assert.equal(told(seen), 'i k');
});

test('an end that was replaced is no end: the slots are told to whoever leads now', () => {
  const replaced = `b master 9 at:${OLD} | a away 9 gone / d master 9 at:${OLD} | c away 9 gone / e master 9 at:${OLD}`;
  const seen = world(replaced, { operations: [one], watchingSince: NOW });
  assert.equal(told(seen), 'b d', 'a new master has no mark of the move, so it is not kept waiting');
});

test('the source was restarted after its success: told at once, since it deletes nothing and each write that it takes is lost', () => {
  const restarted = seeing(both({ operations: [one], traces: { one: { phaseAt: NOW - 100 } } }), 'a', {
    migrating: null,
  });
  assert.equal(told(restarted), 'a c');
  const earlier = seeing(restarted, 'a', { askedAt: NOW - 200 });
  assert.equal(told(earlier), 'c', 'what it said before the end of its job says nothing');
});

test('a failed piece: its target before its source, and nobody else waits for them', () => {
  const settling = moveOf('settling', { id: 'one' });
  const seen = world(SIX, { operations: [settling], watchingSince: NOW });
  assert.equal(told(seen), 'c e g i k');
  assert.equal(told(carrying(seen, 'c')), 'a e g i k');
});

test('in a pause only the ends of what is being handed over, or has failed, are told', () => {
  const pause = { until: null, by: 'ops' };
  assert.equal(told(both({ pause })), 'c g');
  assert.equal(told(carrying(carrying(both({ pause }), 'c'), 'g')), 'a e');
  assert.equal(told(both({ pause, operations: [moveOf('settling')] })), 'c');
});

test('the target of a held piece hears nothing, its replicas and the others do', () => {
  const shards = `b master 9 at:${OLD} / c master 9 at:${OLD} | d replica 9 at:${OLD} / e master 9 at:${OLD}`;
  assert.equal(told(world(shards, { operations: [moveOf('held')], watchingSince: NOW })), 'b d e');
});
