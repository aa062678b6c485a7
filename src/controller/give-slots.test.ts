import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { VERSION, world } from '../decisions/testing.ts';
import type { World } from '../decisions/world.ts';
import { ALL_SLOTS, slotSet } from '../topology/slots.ts';
import { giveSlots } from './give-slots.ts';
import { Refusal } from './refusal.ts';

/** The second of two shards owns nothing. */
function half(pause = false): World {
  const seen = world('a master 9 / c master 9', pause ? { pause: { until: null, by: 'ops' } } : {});
  const shards = seen.intended.cluster.shards.map((shard, i) => (i === 0 ? shard : { ...shard, slots: [] }));
  return { ...seen, intended: { ...seen.intended, cluster: { ...seen.intended.cluster, shards } } };
}

const gift = (shard: string, from: number, to: number) => ({ shard, slots: [{ from, to }] });

const refused = (code: string, words: RegExp, act: () => unknown): void =>
  void assert.throws(
    act,
    (error: unknown) => error instanceof Refusal && error.code === code && words.test(error.message),
  );

test('slots that nobody owns get their owners in one new version', () => {
  const seen = half();
  const { next, events } = giveSlots(seen, [gift('s0', 8_192, 9_000), gift('s1', 9_001, 16_383)], 'ops');
  assert.deepEqual(brokenPromises(seen.intended, next), []);
  assert.equal(next.cluster.version, VERSION + 1);
  assert.deepEqual(slotSet(next.cluster.shards.flatMap(({ slots }) => slots)), ALL_SLOTS);
  assert.deepEqual(
    events.map(({ kind, shard, by }) => `${kind} ${shard} ${by}`),
    ['slots.given s0 ops', 'slots.given s1 ops'],
  );
});

test('slots that have found an owner meanwhile, a shard that is gone, a pause: refused', () => {
  refused('changed', /slots 8000-8191 have an owner by now/, () =>
    giveSlots(half(), [gift('s1', 8_000, 8_200)], 'ops'),
  );
  refused('not_found', /does not exist/, () => giveSlots(half(), [gift('s9', 9_000, 9_000)], 'ops'));
  refused('operation_running', /paused by ops/, () => giveSlots(half(true), [gift('s1', 9_000, 9_000)], 'ops'));
});
