/**
 * Processes and folders of one test file. All are ended and removed when the file ends, however it ends: each process
 * leads a group of its own, so that what it started goes with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = mkdtempSync(join(tmpdir(), 'kvctl-processes-'));
const running = new Set<Child>();

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  readonly process: ChildProcess;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** A new folder under the file's own. */
export function folder(name: string): string {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  return dir;
}

export const program = (name: string): string => fileURLToPath(new URL(`../../../bin/${name}.js`, import.meta.url));

/** Starts a process whose output goes to `<name>.log`. */
export function run(name: string, command: string, args: readonly string[]): Child {
  const log = join(root, `${name}.log`);
  const out = openSync(log, 'a');
  const child = spawn(command, args, { stdio: ['ignore', out, out], detached: true });
  closeSync(out);
  const started: Child = {
    name,
    pid: child.pid ?? 0,
    log,
    process: child,
    ended: new Promise((resolve) => {
      child.on('error', (error) => resolve(String(error)));
      child.on('exit', (code, signal) => resolve(code ?? signal ?? 'gone'));
    }),
  };
  running.add(started);
  void started.ended.then(() => running.delete(started));
  return started;
}

/** Those that run. */
export const children = (): readonly Child[] => [...running];

export const hasEnded = (child: Child): boolean => !running.has(child);

/** The end of what it wrote. */
export const lastWords = (child: Child, characters = 2_000): string =>
  readFileSync(child.log, 'utf8').slice(-characters);

/** To the whole group; a process that is gone already is fine. */
export function signal(child: Child, name: NodeJS.Signals): void {
  if (child.pid === 0) return;
  try {
    process.kill(-child.pid, name);
  } catch {
    // Gone already.
  }
}

export async function kill(child: Child): Promise<void> {
  signal(child, 'SIGKILL');
  await child.ended;
}

function endAll(): void {
  for (const child of running) signal(child, 'SIGKILL');
  rmSync(root, { recursive: true, force: true });
}

process.on('exit', endAll);
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => process.exit(130));

/** The server that listens there; undefined when somebody else does. */
const listenAt = (port: number): Promise<Server | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

/**
 * Below the range that outgoing connections are given ports from: a node that is down for a while finds its port free
 * when it comes back. Test files that run side by side must not take it either, so each has slices of its own, whose
 * first port it holds.
 */
const FROM = 10_000;
const TO = 30_000;
const SLICE = 200;
let next = 0;
let end = 0;
let claiming: Promise<void> | undefined;

async function claimSlice(): Promise<void> {
  for (;;) {
    const first = FROM + SLICE * Math.floor((Math.random() * (TO - FROM)) / SLICE);
    const held = await listenAt(first);
    if (held === undefined) continue;
    held.unref();
    [next, end] = [first + 1, first + SLICE];
    return;
  }
}

export async function freePort(): Promise<number> {
  for (;;) {
    if (next === end) {
      claiming ??= claimSlice().finally(() => {
        claiming = undefined;
      });
      await claiming;
      continue;
    }
    const port = next++;
    const free = await listenAt(port);
    if (free === undefined) continue;
    await new Promise((resolve) => free.close(resolve));
    return port;
  }
}

/** Thrown by what `until` asks when waiting longer is of no use. */
export class Hopeless extends Error {}

/** Asks until `look` answers something else than undefined, false or null, or throws what it threw last. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false | null> | T | undefined | false | null,
  within = 15_000,
  every = 40,
): Promise<T> {
  const end = performance.now() + within;
  let last = '';
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false && found !== null) return found;
      last = '';
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${within} ms${last}`);
    await sleep(every);
  }
}
