import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureText } from './report.ts';
import { run, type Scenario } from './run.ts';
import { shrink } from './shrink.ts';

/** Breaks where two of its acts come together, and once more at its end. */
const scenario: Scenario = {
  name: 'random',
  shards: 1,
  perShard: 1,
  async play(stage) {
    const draws: number[] = [];
    for (let i = 0; i < 9; i++) {
      const own = stage.drawing(stage.random.child(`act ${i}`));
      draws.push(own.between(0, 1_000));
      await stage.sleep(10);
      if (!stage.skipped.has(i)) stage.acted(i, `draws ${draws[i]}`);
    }
    stage.expect(!(stage.acts.includes(2) && stage.acts.includes(6)), 'both');
    await stage.sleep(100);
    stage.invariants.break('another', 'too');
  },
};

test('a failed run is cut down to the acts that break the promise, and to the instant', async () => {
  const failed = await run(scenario, 5);
  assert.deepEqual(
    failed.broken.map(({ promise }) => promise),
    ['the scenario', 'another'],
  );
  const shortest = await shrink(scenario, failed);
  assert.deepEqual(shortest.acts, [2, 6]);
  assert.deepEqual(shortest.skipped, [0, 1, 3, 4, 5, 7, 8]);
  assert.deepEqual(
    shortest.broken.map(({ promise }) => promise),
    ['the scenario'],
  );
  assert.match(
    failureText(shortest, 3),
    /again: node src\/simulation\/main\.ts --seed 5 --skip 0,1,3,4,5,7,8 --trace$/,
  );
});

test('what is left out shifts nothing that the others draw', async () => {
  const drawn = async (skip: readonly number[]) =>
    (await run(scenario, 7, { skip })).notes.map(({ text }) => text).filter((text) => text.startsWith('act '));
  const all = await drawn([]);
  assert.equal(all.length, 9);
  assert.deepEqual(
    await drawn([1, 4]),
    all.filter((_, i) => i !== 1 && i !== 4),
  );
});
