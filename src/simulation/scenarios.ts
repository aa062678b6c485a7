/** The named situations, each played under traffic with seeds of its own. What must hold in all runs is in run.ts. */
import type { Scenario } from './run.ts';
import { candidateScenarios } from './scenarios-candidates.ts';
import { controlScenarios } from './scenarios-control.ts';
import { copyScenarios } from './scenarios-copies.ts';
import { faultScenarios } from './scenarios-faults.ts';
import { migrationScenarios } from './scenarios-migration.ts';
import { migrationEndScenarios } from './scenarios-migration-ends.ts';
import { moveScenarios } from './scenarios-moves.ts';
import { operationScenarios } from './scenarios-operations.ts';
import { pushScenarios } from './scenarios-pushes.ts';
import { returnScenarios } from './scenarios-returns.ts';
import { speedScenarios } from './scenarios-speeds.ts';
import { viewScenarios } from './scenarios-views.ts';

export const scenarios: readonly Scenario[] = [
  ...faultScenarios,
  ...candidateScenarios,
  ...returnScenarios,
  ...copyScenarios,
  ...viewScenarios,
  ...pushScenarios,
  ...controlScenarios,
  ...operationScenarios,
  ...moveScenarios,
  ...migrationScenarios,
  ...migrationEndScenarios,
  ...speedScenarios,
];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new Error(`no scenario ${name}; there are ${scenarios.map((scenario) => scenario.name).join(', ')}`);
  return found;
}
