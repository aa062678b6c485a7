/** The named situations, each played under traffic with seeds of its own. */
import type { Scenario } from './run.ts';

export const scenarios: readonly Scenario[] = [];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}; there are ${scenarios.map((one) => one.name).join(', ')}`);
  return found;
}
