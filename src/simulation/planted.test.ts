import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planted } from './planted.ts';
import { plants } from './plants.ts';

for (const plant of plants) {
  test(`found within ${plant.seeds} seeds of ${plant.scenario}: ${plant.name}`, async () => {
    const { run, scenarioNamed } = await planted(plant);
    const seen: string[] = [];
    for (let seed = 1; seed <= plant.seeds; seed++) {
      const { broken } = await run(scenarioNamed(plant.scenario), seed, { untilBroken: true });
      for (const { promise } of broken) seen.push(promise);
      if (seen.includes(plant.promise)) break;
    }
    assert.ok(seen.includes(plant.promise), `broken instead: ${seen.join(', ') || 'nothing'}`);
  });
}
