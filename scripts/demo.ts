/**
 * `npm run demo`: six emulated nodes, a controller, a cluster of three shards and a writer, in one terminal, with what to
 * try meanwhile. At Ctrl-C all of it goes, processes and folders.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cluster } from 'ioredis';

const NODES = 6;
/** Milliseconds for a process to get ready, and to end. */
const PATIENCE = 15_000;
const WRITERS = 16;
const PAUSE_OF_A_WRITER = 8;

const folder = mkdtempSync(join(tmpdir(), 'kvctl-demo-'));
const children = new Set<ChildProcess>();
let stopping = false;

/** However this process ends, but for a kill -9. */
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function giveUp(sentence: string): never {
  console.error(`demo: ${sentence}`);
  process.exit(1);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** The first of `count` free ports in a row, from `first` on, in steps. */
async function freePorts(first: number, count: number, step: number): Promise<number> {
  for (let base = first; base + count < 32_768; base += step) {
    const free = await Promise.all(Array.from({ length: count }, (_, i) => isFree(base + i)));
    if (free.every((each) => each)) return base;
  }
  return giveUp(`no ${count} free ports in a row above ${first}.`);
}

/** Starts one of the product's programs and waits for its first line. In a group of its own: Ctrl-C is for us. */
async function start(name: string, args: readonly string[]): Promise<ChildProcess> {
  const program = fileURLToPath(new URL(`../bin/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  children.add(child);
  let said = '';
  child.stderr.on('data', (bytes) => {
    said = `${said}${bytes}`.slice(-2_000);
  });
  child.once('exit', (code) => {
    children.delete(child);
    if (!stopping) giveUp(`${name} ended by itself (${code}). ${said}`);
  });
  const limit = setTimeout(() => giveUp(`${name} does not get ready. ${said}`), PATIENCE);
  await once(child.stdout, 'data');
  clearTimeout(limit);
  // What follows is dropped, so that it never waits for us.
  child.stdout.resume();
  return child;
}

async function post(url: string, body: object): Promise<void> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) giveUp(`POST ${url}: ${response.status} ${await response.text()}`);
}

async function whenReady(url: string): Promise<void> {
  for (const until = performance.now() + PATIENCE; performance.now() < until; await sleep(50)) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok) return;
  }
  giveUp(`the controller does not get ready. ${readFileSync(join(folder, 'log'), 'utf8')}`);
}

class Writer {
  readonly #cluster: Cluster;
  #writes = 0;
  #errors = 0;
  #slowest = 0;
  #allErrors = 0;
  #lastError = '';
  #number = 0;

  constructor(ports: readonly number[]) {
    // By its defaults it waits for a node that hangs for ever, and asks who serves what only when it is told MOVED.
    const settings = { slotsRefreshInterval: 1_000, redisOptions: { commandTimeout: 2_000 } };
    this.#cluster = new Cluster(
      ports.map((port) => ({ host: '127.0.0.1', port })),
      settings,
    );
    // Lost connections are told here besides; what counts is what a command answers.
    this.#cluster.on('error', () => {});
    for (let i = 0; i < WRITERS; i++) void this.#write();
  }

  async #write(): Promise<void> {
    while (!stopping) {
      const at = performance.now();
      const number = this.#number++;
      try {
        await this.#cluster.set(`demo:${number}`, String(number));
        this.#writes++;
      } catch (error) {
        if (stopping) return;
        this.#errors++;
        this.#allErrors++;
        this.#lastError = error instanceof Error ? error.message : String(error);
      }
      this.#slowest = Math.max(this.#slowest, performance.now() - at);
      await sleep(PAUSE_OF_A_WRITER);
    }
  }

  /** What happened since the last call. */
  line(): string {
    const [writes, errors, slowest] = [this.#writes, this.#errors, Math.round(this.#slowest)];
    this.#writes = 0;
    this.#errors = 0;
    this.#slowest = 0;
    const sum = this.#allErrors === 0 ? 'none so far' : `${this.#allErrors} in all, the last: ${this.#lastError}`;
    return `writes ${writes}/s   slowest ${slowest} ms   errors ${errors}/s (${sum})`;
  }

  end(): void {
    this.#cluster.disconnect();
  }
}

/** Of the API's answers: their own types are the product's business. */
interface EventsAnswer {
  readonly data: { readonly events: readonly { readonly id: number; readonly message: string }[] };
}
interface ClusterAnswer {
  readonly data: {
    readonly cluster: {
      readonly shards: readonly {
        readonly id: string;
        readonly nodes: readonly { readonly id: string; readonly addr: string }[];
      }[];
    };
  };
}

/** What happened to the cluster since the last call, in sentences with addresses in the place of ids. */
class Events {
  readonly #url: string;
  #seen = 0;

  constructor(cluster: string) {
    this.#url = cluster;
  }

  async next(): Promise<readonly string[]> {
    const { events } = (await this.#get<EventsAnswer>(`/events?after=${this.#seen}`))?.data ?? { events: [] };
    if (events.length === 0) return [];
    const names = await this.#names();
    return events.map(({ id, message }) => {
      this.#seen = id;
      return names.reduce((text, [long, short]) => text.replaceAll(long, short), message);
    });
  }

  async #names(): Promise<readonly (readonly [string, string])[]> {
    const shards = (await this.#get<ClusterAnswer>(''))?.data.cluster.shards ?? [];
    return shards.flatMap(({ id, nodes }, index) => [
      [`shard ${id}`, `shard ${index}`] as const,
      [id, `shard ${index}`] as const,
      ...nodes.map((node) => [node.id, node.addr] as const),
    ]);
  }

  async #get<T>(path: string): Promise<T | undefined> {
    const response = await fetch(`${this.#url}${path}`).catch(() => undefined);
    if (!response?.ok) return undefined;
    const answer: T = JSON.parse(await response.text());
    return answer;
  }
}

function advice(first: number, control: number, url: string): string {
  const kvctl = `npx kvctl${url === 'http://127.0.0.1:9379' ? '' : ` --host ${url}`}`;
  const nodes = `curl -X POST http://127.0.0.1:${control}/nodes`;
  return `
A cluster of three shards on emulated nodes, 127.0.0.1:${first} to ${first + NODES - 1}, and a writer are running.
Try in a second terminal, in this folder:

  kill a master            ${nodes}/${first}/kill
  start it again           ${nodes}/${first}/revive
  let one hang, wake it    ${nodes}/${first + 2}/hang     .../wake
  fail over without loss   ${kvctl} failover shard 1 -n demo -c demo
  move slots               ${kvctl} migrate slots 0-999 --target 1 -n demo -c demo
  look                     ${kvctl} status demo -n demo --watch
                           ${url}/

Ctrl-C ends it and leaves nothing behind.
`;
}

/** On a terminal the last line is written over; elsewhere each is a line of its own. */
const terminal = process.stdout.isTTY === true;
const CLEAR = '\r\u001b[2K';
/** As for the server: npm passes on the Ctrl-C that all have had. */
const SAME_SIGNAL = 300;

function show(line: string): void {
  if (!terminal) console.log(line);
  else process.stdout.write(`${CLEAR}${line.slice(0, (process.stdout.columns || 120) - 1)}`);
}

const interrupted = new Promise<void>((resolve) => {
  let since = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping && performance.now() - since > SAME_SIGNAL) process.exit(1);
      if (!stopping) since = performance.now();
      stopping = true;
      resolve();
    });
  }
});

async function run(): Promise<void> {
  const first = await freePorts(7001, NODES, 100);
  const [control, port] = [await freePorts(first + NODES, 1, 1), await freePorts(9379, 1, 1)];
  const url = `http://127.0.0.1:${port}`;
  const ports = Array.from({ length: NODES }, (_, i) => first + i);
  await Promise.all([
    start('kvrocks-emulator', [
      ...['--port', String(first), '--count', String(NODES), '--control', String(control)],
      ...['--dir', join(folder, 'nodes')],
    ]),
    start('kvctl-server', [
      ...['--addr', `127.0.0.1:${port}`, '--data-dir', join(folder, 'data'), '--log-file', join(folder, 'log')],
    ]),
  ]);
  await whenReady(url);
  const clusters = `${url}/api/v1/namespaces/demo/clusters`;
  await post(`${url}/api/v1/namespaces`, { namespace: 'demo' });
  await post(clusters, { name: 'demo', nodes: ports.map((each) => `127.0.0.1:${each}`), replicas: 2 });
  console.log(advice(first, control, url));

  const writer = new Writer(ports);
  const events = new Events(`${clusters}/demo`);
  while (!stopping) {
    await Promise.race([sleep(1_000), interrupted]);
    for (const sentence of await events.next()) {
      if (terminal) process.stdout.write(CLEAR);
      console.log(`${new Date().toTimeString().slice(0, 8)} ${sentence}`);
    }
    if (!stopping) show(writer.line());
  }
  writer.end();
}

async function end(): Promise<void> {
  if (terminal) process.stdout.write('\n');
  const ended = [...children].map((child) => once(child, 'exit'));
  for (const child of children) child.kill('SIGTERM');
  await Promise.race([Promise.all(ended), sleep(PATIENCE)]);
  console.log('demo: ended; processes and folders are gone.');
  process.exit(0);
}

// While it starts there is nothing worth an orderly end.
void interrupted.then(end);
await run();
