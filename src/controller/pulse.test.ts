import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeWorld } from '../kvrocks/testing.ts';
import { Pulse } from './pulse.ts';

function watched(nodes = true) {
  const world = fakeWorld();
  const pulse = new Pulse();
  const { clock, timers } = world.runtime;
  let silent = 0;
  pulse.watch(
    () => clock.now(),
    timers,
    () => nodes,
    () => silent++,
  );
  return { world, pulse, silences: () => silent };
}

test('nodes are there and nobody is asked: told once, after five seconds', async () => {
  const { world, pulse, silences } = watched();
  await world.advance(3_500);
  pulse.beat();
  await world.advance(5_400);
  assert.equal(silences(), 0, 'counted from the last question');
  await world.advance(600);
  assert.equal(silences(), 1);
  await world.advance(60_000);
  assert.deepEqual([silences(), world.timersLeft()], [1, 0]);
});

test('there are no nodes to ask: nothing is wrong', async () => {
  const { world, pulse, silences } = watched(false);
  await world.advance(60_000);
  assert.equal(silences(), 0);
  pulse.close();
  assert.equal(world.timersLeft(), 0);
});

test('the process stood still for long: the tick after it is late, and counts from there', async () => {
  let now = 0;
  let due: (() => void) | undefined;
  let silent = 0;
  const pulse = new Pulse();
  const timers = {
    after: (_: number, call: () => void) => {
      due = call;
      return () => {};
    },
  };
  pulse.watch(
    () => now,
    timers,
    () => true,
    () => silent++,
  );
  const tick = (by: number) => {
    now += by;
    due?.();
  };
  tick(1_000);
  tick(9_000);
  for (let i = 0; i < 4; i++) tick(1_000);
  assert.equal(silent, 0);
  tick(1_000);
  assert.equal(silent, 1);
});
