/** The store of a single controller: one SQLite file in a folder of its own, behind a thread of its own. */
import { Worker } from 'node:worker_threads';
import type { Runtime } from '../../runtime/runtime.ts';
import { ChangeLog, Subscription } from '../change-log.ts';
import { compareKeys, refusalOf } from '../keys.ts';
import type {
  CampaignEvent,
  Change,
  Committed,
  Entry,
  Fence,
  Revision,
  Store,
  Watch,
  WatchEvent,
  Write,
} from '../port.ts';
import { StoreUnavailable } from '../port.ts';
import { Line } from './line.ts';
import type { CommitRequest, FromWorker, Reply, Request, Settings } from './messages.ts';
import { StoreOpenError } from './open-error.ts';

const CLOSED = 'the store is closed';
const DIED = "the store's thread has ended";
/** What a watch can fall behind by, or a list be older than it, before it hears `compacted`. */
const REMEMBERED = { commits: 10_000, text: 16 * 1024 * 1024 };
const RESERVE = 8 * 1024 * 1024;

export interface EmbeddedStoreOptions {
  /** Made with mode 0700 when it is not there; its files have mode 0600. */
  readonly dir: string;
  /** Where this process serves, told to a second one that wants the folder. */
  readonly address: string;
  readonly runtime: Runtime;
  /** Commits with no key outside these prefixes answer `failed` when the disk is full, while the others still find room. */
  readonly historyPrefixes?: readonly string[];
  /** Bytes kept for those others; default 8 MiB. Less than 5 MiB may not outlast a full disk: the log needs that much. */
  readonly reserve?: number;
}

/** Opens or makes the store in a folder. Rejects with `StoreOpenError`, and has changed no database then. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { dir, address, runtime } = options;
  const settings: Settings = {
    dir,
    holder: { pid: process.pid, address, since: new Date(runtime.clock.wall()).toISOString() },
    history: options.historyPrefixes ?? [],
    reserve: options.reserve ?? RESERVE,
  };
  // Compiled packages hold .js where the checkout holds .ts.
  const file = import.meta.url.endsWith('.ts')
    ? new URL('./worker.ts', import.meta.url)
    : new URL('./worker.js', import.meta.url);
  // Without the process' own flags: some of them are about its main module only.
  const worker = new Worker(file, { workerData: settings, execArgv: [] });
  const first = await new Promise<FromWorker>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if (first.kind === 'opened') return new EmbeddedStore(worker, runtime, first.revision);
  await worker.terminate();
  throw first.kind === 'refused' ? new StoreOpenError(first.code, first.message) : new Error(DIED);
}

interface Waiting {
  readonly request: Request;
  /** `undefined`: no answer will come. */
  readonly settle: (reply: Reply | undefined) => void;
}

/** The changes of a commit that was made. */
function changesOf(request: CommitRequest, revision: Revision, idle: readonly string[]): readonly Change[] {
  return request.writes
    .filter(({ key }) => !idle.includes(key))
    .sort((a, b) => compareKeys(a.key, b.key))
    .map(({ key, value }) =>
      value === null ? { kind: 'delete', key, revision } : { kind: 'put', entry: { key, value, revision } },
    );
}

type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

class EmbeddedStore implements Store {
  readonly #worker: Worker;
  readonly #runtime: Runtime;
  readonly #log: ChangeLog;
  readonly #line: Line;
  readonly #watches = new Set<Subscription>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  /** Why the users of this store can ask nothing any more. */
  #over: string | undefined;
  #dead = false;
  #outbox: Request[] = [];
  #asked = 0;

  constructor(worker: Worker, runtime: Runtime, revision: Revision) {
    this.#worker = worker;
    this.#runtime = runtime;
    this.#log = new ChangeLog(revision, REMEMBERED);
    this.#line = new Line(async (fence) => {
      await this.#ask({ kind: 'fence', fence });
    });
    worker.on('message', (message: FromWorker) => this.#hear(message));
    worker.on('error', (error) => this.#die(`${DIED}: ${error.message}`));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#die(DIED);
        resolve();
      });
    });
  }

  async read(keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    const reply = await this.#query({ kind: 'read', keys });
    if (reply.kind !== 'read') throw new StoreUnavailable('the answer is of another question');
    return reply.entries;
  }

  async list(prefix: string): Promise<{ readonly entries: readonly Entry[]; readonly revision: Revision }> {
    const reply = await this.#query({ kind: 'list', prefix });
    if (reply.kind !== 'list') throw new StoreUnavailable('the answer is of another question');
    return { entries: reply.entries, revision: reply.revision };
  }

  watch(prefix: string, from: Revision, on: (event: WatchEvent) => void): Watch {
    const subscription = new Subscription(this.#log, prefix, from, on, () => this.#watches.delete(subscription));
    this.#watches.add(subscription);
    this.#runtime.timers.after(0, () => {
      if (this.#over === undefined) subscription.pump();
      else subscription.end({ kind: 'lost', why: this.#over });
    });
    return subscription;
  }

  async commit(writes: readonly Write[], fence: Fence): Promise<Committed> {
    if (this.#over !== undefined) return { kind: 'failed', why: this.#over };
    const refusal = refusalOf(writes);
    if (refusal !== undefined) return { kind: 'failed', why: refusal };
    const reply = await this.#ask({ kind: 'commit', writes, fence });
    return reply?.kind === 'commit' ? reply.outcome : { kind: 'unknown', why: DIED };
  }

  campaign(identity: string, on: (event: CampaignEvent) => void): { close(): Promise<void> } {
    const over = this.#over;
    if (over === undefined) return this.#line.join(identity, on);
    this.#runtime.timers.after(0, () => on({ kind: 'lost', why: over }));
    return { close: async () => {} };
  }

  async close(): Promise<void> {
    if (this.#over === undefined) {
      this.#over = CLOSED;
      for (const watch of this.#watches) watch.close();
      await this.#line.clear();
      await this.#ask({ kind: 'close' });
    }
    await this.#exited;
  }

  async #query(ask: Ask): Promise<Reply> {
    if (this.#over !== undefined) throw new StoreUnavailable(this.#over);
    const reply = await this.#ask(ask);
    if (reply === undefined) throw new StoreUnavailable(DIED);
    if (reply.kind === 'unavailable') throw new StoreUnavailable(reply.why);
    return reply;
  }

  #ask(ask: Ask): Promise<Reply | undefined> {
    const request: Request = { ...ask, id: ++this.#asked };
    return new Promise((settle) => {
      if (this.#dead) {
        settle(undefined);
        return;
      }
      this.#waiting.set(request.id, { request, settle });
      // What is asked in one turn goes over together: one message is cheaper, and its commits become one group.
      if (this.#outbox.length === 0) queueMicrotask(() => this.#send());
      this.#outbox.push(request);
    });
  }

  #send(): void {
    this.#worker.postMessage(this.#outbox);
    this.#outbox = [];
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'replies':
        this.#settle(message.replies);
        break;
      case 'reopened':
        this.#log.restart(message.revision);
        for (const watch of this.#watches) watch.end({ kind: 'lost', why: message.why });
        break;
      case 'opened':
      case 'refused':
        throw new Error(`the store's thread said ${message.kind} again`);
    }
  }

  #settle(replies: readonly Reply[]): void {
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id);
      if (waiting === undefined) continue;
      this.#waiting.delete(reply.id);
      const { request, settle } = waiting;
      if (reply.kind === 'commit' && request.kind === 'commit' && reply.outcome.kind === 'committed') {
        const { revision } = reply.outcome;
        if (revision > this.#log.revision) this.#log.append(revision, changesOf(request, revision, reply.idle));
      }
      settle(reply);
    }
    for (const watch of this.#watches) watch.pump();
  }

  #die(why: string): void {
    this.#dead = true;
    for (const { settle } of this.#waiting.values()) settle(undefined);
    this.#waiting.clear();
    if (this.#over !== undefined) return;
    this.#over = why;
    for (const watch of this.#watches) watch.end({ kind: 'lost', why });
    this.#line.lose(why);
  }
}
