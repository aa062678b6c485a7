import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomScenario } from './faults.ts';
import { failureText } from './report.ts';
import { run } from './run.ts';

const scenario = randomScenario(3, 3, { acts: 12, pause: [300, 6_000] });

test('random faults and commands on three shards of three nodes', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const outcome = await run(scenario, seed);
    assert.ok(outcome.broken.length === 0, failureText(outcome, 60));
  }
});

test('random faults and commands on five shards of two nodes', async () => {
  const wide = randomScenario(5, 2, { acts: 12, pause: [300, 4_000] });
  for (let seed = 1; seed <= 8; seed++) {
    const outcome = await run(wide, seed);
    assert.ok(outcome.broken.length === 0, failureText(outcome, 60));
  }
});

test('the same seed gives the same run, message by message', async () => {
  for (const seed of [3, 7]) {
    const first = await run(scenario, seed);
    const second = await run(scenario, seed);
    assert.equal(second.hash, first.hash);
    assert.deepEqual(second.notes, first.notes);
  }
});

test('another seed gives another run', async () => {
  const first = await run(scenario, 3);
  const second = await run(scenario, 4);
  assert.notEqual(second.hash, first.hash);
});
