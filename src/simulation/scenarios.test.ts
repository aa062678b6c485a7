import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureText } from './report.ts';
import { run } from './run.ts';
import { scenarios } from './scenarios.ts';

/** More of them: `node src/simulation/main.ts --scenario all --seeds 100`. */
const SEEDS = [1, 2, 3, 4];

for (const scenario of scenarios) {
  test(scenario.name, async () => {
    for (const seed of SEEDS.slice(0, scenario.seeds)) {
      const outcome = await run(scenario, seed);
      assert.ok(outcome.broken.length === 0, failureText(outcome, 60));
    }
  });
}
