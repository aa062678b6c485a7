/** kvctl at a real terminal. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline/promises';
import product from '../../package.json' with { type: 'json' };
import { nodeRuntime } from '../runtime/node-runtime.ts';
import type { Io } from './io.ts';
import { run } from './program.ts';

async function ask(question: string): Promise<string> {
  // Not as a terminal's line editor: that would take Ctrl-C for itself.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    process.stderr.write(question);
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

/** In a group of its own: a Ctrl-C is for kvctl, which ends after it. */
function shell(command: string): Promise<number> {
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 2, 2], detached: true });
  return new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** Of a screen that does not tell. */
const [WIDTH, HEIGHT] = [80, 24];

/** Resolves with the exit code. */
export function main(args: readonly string[]): Promise<number> {
  // Whoever reads the results may stop, as `head` does: that is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const { clock, timers } = nodeRuntime();
  const stop = new AbortController();
  const io: Io = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    ask: process.stdin.isTTY === true && process.stderr.isTTY === true ? ask : undefined,
    shell,
    env: process.env,
    fetch,
    clock,
    timers,
    screen: () => ({ columns: process.stderr.columns ?? WIDTH, rows: process.stderr.rows ?? HEIGHT }),
    stopped: stop.signal,
    catchCtrlC: () => {
      const caught = () => stop.abort();
      process.once('SIGINT', caught);
      return () => process.off('SIGINT', caught);
    },
  };
  return run(args, io, product.version);
}
