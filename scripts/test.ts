/**
 * `npm test`: everything that a change must pass, one part after the other. The suite of Node's test runner comes last,
 * so that its closing lines end the output; the exit code is 1 when any part failed.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Two cores of a CI machine need about half of it. */
const MINUTES = 14;
/** Milliseconds to clean up in after that. */
const GRACE = 5_000;

interface Part {
  readonly name: string;
  readonly args: readonly string[];
}

const PARTS: readonly Part[] = [
  { name: 'conformance of the emulated nodes', args: ['scripts/conformance.ts'] },
  { name: 'simulation of 200 seeds', args: ['src/simulation/main.ts', '--seeds', '200', '--jobs', '2'] },
  {
    name: 'tests',
    args: [
      '--test',
      '--test-concurrency=2',
      '--test-timeout=420000',
      // A client or a proxy that a test leaves behind must not keep its file from ending, and the run with it.
      '--test-force-exit',
      '--test-reporter=spec',
      'src/**/*.test.ts',
      'test/**/*.test.ts',
    ],
  },
];

const cwd = fileURLToPath(new URL('..', import.meta.url));
let ending: (() => void) | undefined;
let overdue = false;
let stopped = false;

function run({ args }: Part): Promise<boolean> {
  return new Promise((resolve) => {
    // A group of its own: whatever a part started ends with it.
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    const signal = (name: NodeJS.Signals) => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, name);
    };
    let patience: NodeJS.Timeout | undefined;
    ending = () => {
      signal('SIGTERM');
      patience = setTimeout(() => signal('SIGKILL'), GRACE);
    };
    child.on('exit', (code) => {
      ending = undefined;
      clearTimeout(patience);
      resolve(code === 0);
    });
  });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopped = true;
    ending?.();
  });
}
const limit = setTimeout(() => {
  overdue = true;
  ending?.();
}, MINUTES * 60_000);

const failed: string[] = [];
for (const part of PARTS) {
  if (failed.length > 0) console.log(`failed so far: ${failed.join(', ')}`);
  console.log(`\n== ${part.name}`);
  const at = performance.now();
  if (stopped) break;
  if (overdue || !(await run(part))) failed.push(part.name);
  if (part !== PARTS.at(-1)) console.log(`== ${part.name}: ${Math.round((performance.now() - at) / 1000)} s`);
}
clearTimeout(limit);
// After success the runner's lines are the last ones.
if (failed.length > 0) {
  console.error(`npm test: failed: ${failed.join(', ')}${overdue ? `; ended after ${MINUTES} minutes` : ''}`);
}
process.exitCode = failed.length === 0 && !stopped ? 0 : 1;
