/** A controller as a process, and what is asked of it over HTTP. */
import type { ClusterEvent } from '../../../src/controller/events.ts';
import type { ClusterStatus } from '../../../src/controller/status.ts';
import {
  type Child,
  folder,
  freePort,
  Hopeless,
  hasEnded,
  kill,
  lastWords,
  program,
  run,
  signal,
  until,
} from './processes.ts';

export interface Answer<T> {
  readonly status: number;
  readonly data: T;
  readonly error: { readonly message: string; readonly code: string; readonly detail?: unknown } | undefined;
}

export interface NodeBody {
  readonly id: string;
  readonly addr: string;
  readonly role: 'master' | 'slave';
  readonly state?: string;
}

export interface ShardBody {
  readonly id: string;
  readonly nodes: readonly NodeBody[];
  readonly slot_ranges: readonly string[] | null;
  readonly migrating_slot: number | string;
  readonly import_slot: number | string;
  readonly target_shard_index: number;
}

export interface ClusterBody {
  readonly name: string;
  readonly version: number;
  readonly shards: readonly ShardBody[];
}

export class Controller {
  readonly port: number;
  readonly dir: string;
  readonly base: string;
  #child: Child | undefined;
  /** Tests that run now are played under it: to end it would befall the others, too. */
  shared = false;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.dir = dir;
    this.base = `http://127.0.0.1:${port}/api/v1`;
  }

  static async start(): Promise<Controller> {
    const port = await freePort();
    const controller = new Controller(port, folder(`controller-${port}`));
    try {
      await controller.start();
    } catch (error) {
      await controller.kill();
      throw error;
    }
    return controller;
  }

  #mayEnd(): void {
    if (this.shared) throw new Hopeless('other tests have this controller, too: this one needs ownController');
  }

  async start(): Promise<void> {
    const child = Controller.launch(this.port, this.dir);
    this.#child = child;
    await until(
      'the controller is ready',
      async () => {
        if (hasEnded(child)) throw new Hopeless(`it ended: ${lastWords(child)}`);
        return (await fetch(`http://127.0.0.1:${this.port}/readyz`)).ok;
      },
      20_000,
    );
  }

  /** A process that nobody waits for; for one that is expected to refuse. */
  static launch(port: number, dir: string): Child {
    const args = [program('kvctl-server'), '--addr', `127.0.0.1:${port}`, '--data-dir', dir];
    return run(`controller-${port}`, process.execPath, args);
  }

  async kill(): Promise<void> {
    this.#mayEnd();
    if (this.#child !== undefined) await kill(this.#child);
  }

  /** Asks it to stop; resolves with its exit code. */
  async stop(): Promise<number | string> {
    this.#mayEnd();
    if (this.#child === undefined) return 'not started';
    signal(this.#child, 'SIGTERM');
    return this.#child.ended;
  }

  get log(): string {
    return this.#child === undefined ? '' : lastWords(this.#child, 6_000);
  }

  /** The answer, whatever its status. Rejects when there is none. */
  async request<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(`${this.base}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    const parsed: { data: T; error?: Answer<T>['error'] } = JSON.parse(text);
    return { status: response.status, data: parsed.data, error: parsed.error };
  }

  /** The data; anything but success is thrown, with the request. */
  async call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request<T>(method, path, body);
    if (answer.status >= 300) {
      const { code = '', message = '' } = answer.error ?? {};
      throw new Error(`${method} ${path}: ${answer.status} ${code}: ${message}`);
    }
    return answer.data;
  }
}

/** One cluster of a controller. */
export class ClusterClient {
  readonly controller: Controller;
  readonly path: string;

  constructor(controller: Controller, namespace: string, name: string) {
    this.controller = controller;
    this.path = `/namespaces/${namespace}/clusters/${name}`;
  }

  async get(): Promise<ClusterBody> {
    return (await this.controller.call<{ cluster: ClusterBody }>('GET', this.path)).cluster;
  }

  /** Of each shard. */
  async slotCounts(): Promise<readonly number[]> {
    return (await this.get()).shards.map(({ slot_ranges: ranges }) =>
      (ranges ?? []).reduce((sum, text) => {
        const [from = 0, to = from] = text.split('-').map(Number);
        return sum + to - from + 1;
      }, 0),
    );
  }

  status(): Promise<ClusterStatus> {
    return this.controller.call<ClusterStatus>('GET', `${this.path}/status`);
  }

  async events(after = 0): Promise<readonly ClusterEvent[]> {
    const path = `${this.path}/events?after=${after}&limit=1000`;
    return (await this.controller.call<{ events: readonly ClusterEvent[] }>('GET', path)).events;
  }

  post<T = unknown>(path: string, body: unknown = {}): Promise<T> {
    return this.controller.call<T>('POST', `${this.path}${path}`, body);
  }

  patch(path: string, body: unknown): Promise<unknown> {
    return this.controller.call('PATCH', `${this.path}${path}`, body);
  }

  delete(path = ''): Promise<unknown> {
    return this.controller.call('DELETE', `${this.path}${path}`);
  }

  /** Whatever the answer is. */
  request(method: string, path: string, body?: unknown): Promise<Answer<unknown>> {
    return this.controller.request(method, `${this.path}${path}`, body);
  }

  async failover(shard: number, preferred?: string): Promise<string> {
    const body = preferred === undefined ? {} : { preferred_node_id: preferred };
    return (await this.post<{ new_master_id: string }>(`/shards/${shard}/failover`, body)).new_master_id;
  }

  async master(shard: number): Promise<NodeBody> {
    const found = (await this.get()).shards[shard]?.nodes.find((node) => node.role === 'master');
    if (found === undefined) throw new Error(`shard ${shard} has no master`);
    return found;
  }

  /** Waits until the status is as wanted; what was last seen stands in the error. */
  async until(what: string, wanted: (status: ClusterStatus) => boolean, within = 15_000): Promise<ClusterStatus> {
    let last: ClusterStatus | undefined;
    try {
      return await until(
        what,
        async () => {
          last = await this.status();
          return wanted(last) && last;
        },
        within,
      );
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${summary(last)}`);
    }
  }

  /** All nodes answer, carry the committed topology and nothing is under way or to be reported. */
  settled(within = 20_000): Promise<ClusterStatus> {
    return this.until('the cluster is settled', isSettled, within);
  }

  problem(code: string, within = 15_000): Promise<ClusterStatus> {
    return this.until(`the status reports ${code}`, (status) => hasProblem(status, code), within);
  }

  /** No operation is open; those that failed are thrown. */
  async idle(within = 30_000): Promise<ClusterStatus> {
    const status = await this.until(
      'no operation is under way',
      ({ operations }) => operations.every((operation) => operation.phase === 'failed'),
      within,
    );
    const failed = status.operations.find((operation) => operation.phase === 'failed');
    if (failed !== undefined) throw new Error(`${failed.kind} of ${failed.slots} failed: ${failed.message}`);
    return status;
  }
}

export const hasProblem = (status: ClusterStatus, code: string): boolean =>
  status.problems.some((problem) => problem.code === code);

export function isSettled(status: ClusterStatus): boolean {
  return (
    status.state === 'ok' &&
    status.problems.length === 0 &&
    status.operations.length === 0 &&
    status.leaving.length === 0 &&
    status.shards.every((shard) =>
      shard.nodes.every(
        (node) =>
          node.state === 'up' &&
          node.membership === 'member' &&
          node.in_sync &&
          node.says === node.role &&
          (node.role === 'master' || node.link === 'up'),
      ),
    )
  );
}

/** What a person would look at, for the message of a failure. */
export function summary(status: ClusterStatus | undefined): string {
  if (status === undefined) return 'no status was seen';
  const nodes = [...status.shards.flatMap((shard) => shard.nodes), ...status.leaving].map(
    (node) =>
      `  ${node.addr} ${node.role} ${node.membership} ${node.state} says ${node.says} version ${node.version} sequence ${node.sequence} link ${node.link}${node.in_sync ? '' : ' not in sync'} ${node.reason ?? ''}`,
  );
  const problems = status.problems.map((problem) => `  ${problem.code} ${problem.message}; ${problem.waiting_for}`);
  const operations = status.operations.map((one) => `  ${one.kind} ${one.phase} ${one.slots ?? ''} ${one.message}`);
  return [`version ${status.version}, ${status.state}`, ...nodes, ...problems, ...operations].join('\n');
}
