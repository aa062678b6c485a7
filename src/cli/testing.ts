/** A terminal for tests: kvctl before the real API over a control plane in memory. */
import type { TestContext } from 'node:test';
import { createApi, listen } from '../api/server.ts';
import { type FakePlane, fakePlane, keptLog } from '../api/testing.ts';
import { nodeRuntime } from '../runtime/node-runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Io } from './io.ts';
import { run } from './program.ts';

/** Waits of kvctl are so much shorter, and its clock as much faster. */
const FASTER = 20;

interface Transcript {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Terminal {
  /** One command line, its words between spaces; those in single quotes stay together. */
  kvctl(line: string): Promise<Transcript>;
}

/** What is shown so far, while a command runs. */
export interface Screen {
  out: string;
  err: string;
}

export function terminal(changes: Partial<Io> = {}, screen: Screen = { out: '', err: '' }): Terminal {
  const { clock, timers } = nodeRuntime();
  return {
    async kvctl(line) {
      screen.out = '';
      screen.err = '';
      const io: Io = {
        out: (text) => {
          screen.out += text;
        },
        err: (text) => {
          screen.err += text;
        },
        outIsTerminal: false,
        errIsTerminal: false,
        ask: undefined,
        shell: async () => 127,
        env: {},
        fetch,
        clock: { now: () => clock.now() * FASTER, wall: clock.wall },
        timers: { after: (delay, call) => timers.after(delay / FASTER, call) },
        screen: () => ({ columns: 200, rows: 50 }),
        stopped: new AbortController().signal,
        catchCtrlC: () => () => {},
        ...changes,
      };
      const code = await run(wordsOf(line), io, '1.2.3');
      return { code, ...screen };
    },
  };
}

const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');

export interface Served extends Terminal {
  readonly plane: FakePlane;
  readonly screen: Screen;
  /** `http://127.0.0.1:<port>`. */
  readonly host: string;
}

/** The API until the test ends, and a terminal that knows it by `KVCTL_HOST`. */
export async function served(t: TestContext, changes: Partial<Io> = {}, password?: Secret): Promise<Served> {
  const plane = await fakePlane(password);
  const api = createApi({ plane, version: '0.0.0', log: keptLog() });
  const { port } = await listen(api, { host: '127.0.0.1', port: 0 });
  t.after(() => api.close());
  const host = `http://127.0.0.1:${port}`;
  const screen: Screen = { out: '', err: '' };
  const { env, ...others } = changes;
  return { plane, screen, host, ...terminal({ env: { KVCTL_HOST: host, ...env }, ...others }, screen) };
}

/** Ids as readable as their order: `<node 1>`, and shards at their own width so that tables stay aligned. */
export function tidy(text: string): string {
  const nodes = new Map<string, string>();
  const shards = new Map<string, string>();
  const name = (known: Map<string, string>, id: string, made: (count: number) => string) => {
    const before = known.get(id) ?? made(known.size + 1);
    known.set(id, before);
    return before;
  };
  return text
    .replace(/\bsh-[A-Za-z0-9]{12}\b/g, (id) => name(shards, id, (count) => `sh-${String(count).padStart(12, '0')}`))
    .replace(/\b[A-Za-z0-9]{40}\b/g, (id) => name(nodes, id, (count) => `<node ${count}>`));
}

/** Waits until `holds`, for a test whose command does not end by itself. */
export async function until(holds: () => boolean): Promise<void> {
  const { clock, timers } = nodeRuntime();
  const begun = clock.now();
  while (!holds()) {
    if (clock.now() - begun > 20_000) throw new Error('it never came true');
    await new Promise<void>((resolve) => {
      timers.after(5, resolve);
    });
  }
}
