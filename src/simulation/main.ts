/** `node src/simulation/main.ts`: simulated runs from seeds. Exit code 1 when a promise is broken. */
import { parseArgs } from 'node:util';
import { randomScenario } from './faults.ts';
import { failureText, traceOf } from './report.ts';
import { type Outcome, run, type Scenario } from './run.ts';
import { scenarioNamed, scenarios } from './scenarios.ts';

const HELP = `Simulated runs of a whole deployment, each a function of its seed.

  --seeds N       how many runs (50)
  --from N        the first seed (1)
  --seed N        this seed alone
  --scenario NAME a named scenario instead of random faults; "all" for every one of them
  --shards N      shards (3)
  --nodes N       nodes in each shard (3)
  --acts N        faults and commands in a run (12)
  --trace         what happened, line by line
`;

/** Failed runs that are told with what happened; of the others the command that shows it. */
const TRACED = 3;

function options() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '50' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      scenario: { type: 'string' },
      shards: { type: 'string', default: '3' },
      nodes: { type: 'string', default: '3' },
      acts: { type: 'string', default: '12' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

function chosen(values: ReturnType<typeof options>): readonly Scenario[] {
  if (values.scenario === 'all') return scenarios;
  if (values.scenario !== undefined) return [scenarioNamed(values.scenario)];
  return [
    randomScenario(Number(values.shards), Number(values.nodes), { acts: Number(values.acts), pause: [300, 6_000] }),
  ];
}

function summary(outcomes: readonly Outcome[]): string {
  const counts = new Map<string, number>();
  let simulated = 0;
  let real = 0;
  let events = 0;
  let acknowledged = 0;
  let lost = 0;
  let moves = 0;
  const times: number[] = [];
  for (const outcome of outcomes) {
    simulated += outcome.simulated;
    real += outcome.real;
    events += outcome.events;
    acknowledged += outcome.acknowledged;
    lost += outcome.lost;
    moves += outcome.moves;
    if (outcome.convergedAfter !== undefined) times.push(outcome.convergedAfter);
    for (const [kind, count] of outcome.counts) counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `  ${count} ${kind}`);
  return [
    `${outcomes.length} runs, ${Math.round(simulated / 1_000)} s simulated in ${(real / 1_000).toFixed(1)} s: ` +
      `${Math.round(simulated / real)} times real time, ${((1_000 * real) / events).toFixed(1)} µs an event`,
    `${acknowledged} writes acknowledged, ${lost} lost as an unplanned failover permits; ${moves} moves ended`,
    `converged after the last fault: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms; ${outcomes.length - times.length} needed an operator`,
    ...kinds,
  ].join('\n');
}

async function main(): Promise<number> {
  const values = options();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const first = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const outcomes: Outcome[] = [];
  let failures = 0;
  for (const scenario of chosen(values)) {
    for (let seed = first; seed < first + count; seed++) {
      const outcome = await run(scenario, seed);
      outcomes.push(outcome);
      if (outcome.broken.length > 0) failures++;
      else if (values.trace === false && outcome.convergedAfter === undefined)
        console.log(`seed ${seed} of ${outcome.scenario} needed an operator`);
      if (values.trace) console.log(traceOf(outcome, outcome.broken.length > 0 ? 2_000 : 100_000));
      if (outcome.broken.length > 0) console.log(failureText(outcome, values.trace || failures > TRACED ? 0 : 40));
    }
  }
  console.log(summary(outcomes));
  console.log(failures === 0 ? 'every promise held' : `${failures} runs broke a promise`);
  return failures === 0 ? 0 : 1;
}

process.exitCode = await main();
