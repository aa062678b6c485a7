/** `node src/simulation/main.ts`: simulated runs from seeds. Exit code 1 when a promise is broken. */
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { realMilliseconds } from './event-loop.ts';
import { randomScenario } from './faults.ts';
import { failureText, summary, totalsOf, traceOf } from './report.ts';
import { type Outcome, run, type Scenario } from './run.ts';
import { scenarioNamed, scenarios } from './scenarios.ts';
import { shrink } from './shrink.ts';

const HELP = `Simulated runs of a whole deployment, each a function of its seed.

  --seeds N       how many runs (50)
  --from N        the first seed (1)
  --seed N        this seed alone
  --skip A,B,C    without these acts of a random run
  --scenario NAME a named scenario instead of random faults; "all" for every one of them
  --shards N      shards (3)
  --nodes N       nodes in each shard (3)
  --acts N        faults and commands in a run (12)
  --controllers N controllers (drawn, 1 to 3)
  --jobs N        so many runs side by side (1); the output is the same
  --trace         what happened, line by line
`;

/** Failed runs that are made shorter and told with what happened; of the others the command that shows them. */
const TOLD = 3;
const TRACE_LINES = 400;

type Values = Readonly<Record<string, string | boolean | undefined>>;

function options(args?: readonly string[]) {
  const { values } = parseArgs({
    ...(args === undefined ? {} : { args: [...args] }),
    options: {
      seeds: { type: 'string', default: '50' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      skip: { type: 'string' },
      scenario: { type: 'string' },
      shards: { type: 'string', default: '3' },
      nodes: { type: 'string', default: '3' },
      acts: { type: 'string', default: '12' },
      controllers: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return values;
}

function scenarioOf(name: string | undefined, values: Values): Scenario {
  if (name !== undefined) return scenarioNamed(name);
  return randomScenario(Number(values['shards']), Number(values['nodes']), {
    acts: Number(values['acts']),
    pause: [300, 6_000],
    controllers: values['controllers'] === undefined ? undefined : Number(values['controllers']),
  });
}

/** What chose the scenario, for the command that shows a run again. */
function chosenBy(name: string | undefined, values: Values): readonly string[] {
  if (name !== undefined) return ['--scenario', name];
  const given = { shards: '3', nodes: '3', acts: '12', controllers: undefined };
  return Object.entries(given).flatMap(([key, usual]) =>
    values[key] === usual ? [] : [`--${key}`, String(values[key])],
  );
}

interface Task {
  readonly scenario: string | undefined;
  readonly seed: number;
}

/** A run that went well is told by its numbers alone. */
async function perform({ scenario, seed }: Task, values: Values): Promise<Outcome> {
  const skip = typeof values['skip'] === 'string' ? values['skip'].split(',').map(Number) : [];
  const outcome = await run(scenarioOf(scenario, values), seed, { skip });
  return outcome.broken.length > 0 || values['trace'] === true ? outcome : { ...outcome, notes: [] };
}

/** Outcomes in the order of the tasks, however many are under way at a time. */
async function* performAll(tasks: readonly Task[], values: Values, jobs: number): AsyncGenerator<Outcome> {
  if (jobs <= 1) {
    for (const task of tasks) yield await perform(task, values);
    return;
  }
  const workers = Array.from({ length: Math.min(jobs, tasks.length) }, () => {
    return new Worker(new URL(import.meta.url), { workerData: { values } });
  });
  const outcomes = tasks.map(() => Promise.withResolvers<Outcome>());
  let next = 0;
  for (const worker of workers) {
    let current = -1;
    const give = () => {
      current = next++;
      const task = tasks[current];
      if (task !== undefined) worker.postMessage(task);
    };
    worker.on('message', (outcome: Outcome) => {
      outcomes[current]?.resolve(outcome);
      give();
    });
    worker.on('error', (error) => outcomes[current]?.reject(error));
    give();
  }
  try {
    for (const { promise } of outcomes) yield await promise;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function work(): void {
  const { values }: { values: Values } = workerData;
  parentPort?.on('message', (task: Task) => {
    void perform(task, values).then((outcome) => parentPort?.postMessage(outcome));
  });
}

async function main(): Promise<number> {
  const values = options();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const names = values.scenario === 'all' ? scenarios.map(({ name }) => name) : [values.scenario];
  const first = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const tasks = names.flatMap((scenario) =>
    Array.from({ length: count }, (_, i): Task => ({ scenario, seed: first + i })),
  );
  const began = realMilliseconds();
  const outcomes: Outcome[] = [];
  const failed: { readonly outcome: Outcome; readonly name: string | undefined }[] = [];
  for await (const outcome of performAll(tasks, values, Number(values.jobs))) {
    const name = tasks[outcomes.length]?.scenario;
    outcomes.push({ ...outcome, notes: [] });
    if (values.trace) console.log(traceOf(outcome, 100_000));
    else if (outcome.broken.length === 0 && outcome.convergedAfter === undefined)
      console.log(`seed ${outcome.seed} of ${outcome.scenario} needed an operator`);
    if (outcome.broken.length === 0) continue;
    console.log(failureText(outcome, 0, chosenBy(name, values)));
    if (failed.length < TOLD) failed.push({ outcome, name });
  }
  const elapsed = realMilliseconds() - began;
  for (const { outcome, name } of values.trace ? [] : failed) {
    const shortest = await shrink(scenarioOf(name, values), outcome);
    console.log(`\nthe shortest run found that breaks the same:`);
    console.log(failureText(shortest, TRACE_LINES, chosenBy(name, values)));
  }
  console.log(summary(totalsOf(outcomes), elapsed));
  const broken = outcomes.filter((outcome) => outcome.broken.length > 0).length;
  console.log(broken === 0 ? 'every promise held' : `${broken} runs broke a promise`);
  return broken === 0 ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else work();
