/** The named situations, each played under traffic with seeds of its own. What must hold in all runs is in run.ts. */
import type { Scenario } from './run.ts';
import { faultScenarios } from './scenarios-faults.ts';
import { operationScenarios } from './scenarios-operations.ts';

export const scenarios: readonly Scenario[] = [...faultScenarios, ...operationScenarios];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new Error(`no scenario ${name}; there are ${scenarios.map((scenario) => scenario.name).join(', ')}`);
  return found;
}
