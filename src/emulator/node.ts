/**
 * The core of one emulated Kvrocks 2.14 node, for one life of its process: `handle(event, moment)` takes what happened
 * and gives what is to be done. No clock, no chance and no I/O of its own, so the socket shell and the simulation run
 * the same code. A restart is a new `EmulatedNode` that gets the stored state by its `start` event; `testing.ts` shows a
 * whole world of them in virtual time.
 */
import type { Cancel, Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { BlockedPops } from './blocked-pops.ts';
import { Client } from './client.ts';
import { Cluster } from './cluster.ts';
import type { Core, Link, LinkHandlers } from './core.ts';
import type { Database, LogEntry } from './data/port.ts';
import type { Moment, NodeEvent, Output, StoredState } from './events.ts';
import { Execution } from './execution.ts';
import { Feeds } from './feeds.ts';
import { type Counters, infoText, readsDatabase } from './info.ts';
import { lineOf, readLine } from './log-lines.ts';
import { deliver } from './pubsub.ts';
import { Replication } from './replication.ts';
import { HISTORY_LENGTH } from './replication-commands.ts';
import type { Reply } from './reply.ts';
import { writeReply } from './resp-writer.ts';
import { Scripts } from './scripts.ts';
import { keepsNoLog, type Settings } from './settings.ts';
import { type NodeState, readState, writeState } from './stored-state.ts';

export interface NodeOptions {
  readonly port: number;
  /** The values of `--conf`; the node changes them by CONFIG SET. */
  readonly settings: Settings;
  /** Empty: the start event fills it. */
  readonly database: Database;
  readonly random: RandomSource;
  /** What INFO tells as `process_id`. */
  readonly processId: number;
  /** The machine's addresses: own ones if `bind` is 0.0.0.0 or ::. */
  readonly interfaceAddresses?: readonly string[];
}

const CRASH_CODE = 139;
/**
 * What SETNODES still has to do once its replication thread runs. That thread asks its new master and applies what it
 * gets meanwhile, within EXEC too, so what comes behind SETNODES may read a number beyond that of the attach.
 */
const REST_OF_A_CHANGE = 3;
const ANY_ADDRESS = ['0.0.0.0', '::'];

export class EmulatedNode implements Core {
  readonly port: number;
  readonly settings: Settings;
  readonly database: Database;
  readonly random: RandomSource;
  readonly clients = new Map<number, Client>();
  readonly feeds: Feeds;
  readonly cluster: Cluster;
  readonly scripts = new Scripts();
  readonly execution: Execution;
  readonly pops: BlockedPops;
  readonly counters: Counters = {
    connections: 0,
    commands: 0,
    inputBytes: 0,
    outputBytes: 0,
    syncFull: 0,
    syncPartialOk: 0,
    syncPartialError: 0,
  };
  readonly #options: NodeOptions;
  #moment: Moment = { now: 0, wall: 0 };
  #startedAt = 0;
  #outputs: Output[] = [];
  #lines = '';
  #links = new Map<number, LinkHandlers>();
  #lastLink = 0;
  #timers: { readonly at: Instant; readonly call: () => void }[] = [];
  #dirty = new Set<Client>();
  #replication: Replication | undefined;
  #loading = false;
  /** Thrown away before a full copy that never came: Kvrocks then has no open database. */
  #dataLost = false;
  /** The log is being read from disk. */
  #replaying = false;
  /** The last replication history that began in this data; empty if none ever did. */
  #lastHistory = '';
  #over = false;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.port = options.port;
    this.settings = options.settings;
    this.settings.record('port', String(options.port));
    this.database = options.database;
    this.random = options.random;
    this.feeds = new Feeds(
      this,
      (client, bytes) => this.send(client, bytes),
      (client) => this.close(client),
    );
    this.cluster = new Cluster(this, this);
    this.execution = new Execution(this);
    this.pops = new BlockedPops(this, (client, reply) => this.execution.wake(client, reply));
    this.database.onAppend = (entry) => this.#appended(entry);
  }

  get moment(): Moment {
    return this.#moment;
  }

  /** The instant at which the node wants a `wake` event, or an earlier one; undefined if it waits for nothing. */
  get wakeAt(): Instant | undefined {
    let first: Instant | undefined;
    for (const { at } of this.#timers) if (first === undefined || at < first) first = at;
    return first;
  }

  get isSlave(): boolean {
    return this.#replication !== undefined;
  }

  get replication(): Replication | undefined {
    return this.#replication;
  }

  get loading(): boolean {
    return this.#loading;
  }

  get dataLost(): boolean {
    return this.#dataLost;
  }

  get over(): boolean {
    return this.#over;
  }

  get ownHosts(): readonly string[] {
    const bound = this.settings
      .get('bind')
      .split(' ')
      .filter((host) => host !== '');
    return bound.some((host) => ANY_ADDRESS.includes(host))
      ? [...bound, ...(this.#options.interfaceAddresses ?? [])]
      : bound;
  }

  /** Takes one event. The outputs are to be done in order; each `save-nodes` is to be answered by `nodes-saved`. */
  handle(event: NodeEvent, moment: Moment): readonly Output[] {
    if (this.#over) return [];
    this.#moment = moment;
    this.#outputs = [];
    this.#dispatch(event);
    this.execution.drain();
    this.pops.retry();
    this.execution.drain();
    if (!this.#over) this.feeds.pump();
    return this.#flush();
  }

  after(delay: Duration, call: () => void): Cancel {
    const timer = { at: this.#moment.now + Math.max(0, delay), call };
    this.#timers.push(timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }

  dial(host: string, port: number, connectTimeout: Duration, handlers: LinkHandlers): Link {
    const link = ++this.#lastLink;
    this.#links.set(link, handlers);
    this.#outputs.push({ kind: 'dial', link, host, port, connectTimeout });
    return {
      send: (bytes) => {
        if (this.#links.has(link)) this.#outputs.push({ kind: 'link-send', link, bytes });
      },
      close: () => {
        if (this.#links.delete(link)) this.#outputs.push({ kind: 'link-close', link });
      },
    };
  }

  emit(output: Output): void {
    this.#outputs.push(output);
  }

  crash(where: string): void {
    this.exit(CRASH_CODE, `crashed: ${where}`);
  }

  exit(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#outputs = [...this.#takeLines(), { kind: 'exit', code, reason }];
    this.#dirty.clear();
  }

  send(client: Client, bytes: string): void {
    if (client.closed) return;
    client.out += bytes;
    this.counters.outputBytes += bytes.length;
    this.#dirty.add(client);
  }

  reply(client: Client, reply: Reply): void {
    this.send(client, writeReply(reply, client.protocol));
  }

  /** Sends what is due to the connection and closes it. */
  close(client: Client): void {
    if (client.closed) return;
    client.closing = true;
    this.#dirty.add(client);
  }

  info(names: readonly string[]): string | undefined {
    if (this.#dataLost && !this.#loading && readsDatabase(names)) {
      this.crash('INFO: the database is closed');
      return undefined;
    }
    return infoText(names, {
      core: this,
      counters: this.counters,
      processId: this.#options.processId,
      startedAt: this.#startedAt,
      loading: this.#loading,
      clients: this.clients,
      replication: this.#replication,
      feeds: this.feeds,
    });
  }

  follow(host: string, port: number, done: () => void = () => {}): void {
    if (this.#replication?.host === host && this.#replication.port === port) {
      done();
      return;
    }
    const start = () => {
      this.settings.record('slaveof', `${host} ${port}`);
      this.#replication = new Replication(this, this, host, port);
      this.after(REST_OF_A_CHANGE * this.random.next(), done);
    };
    if (this.#replication === undefined) start();
    else this.#replication.stop(start);
  }

  unfollow(done: () => void): void {
    if (this.#replication === undefined) {
      done();
      return;
    }
    this.#replication.stop(() => {
      this.#replication = undefined;
      this.settings.record('slaveof', '');
      this.#beginHistory();
      done();
    });
  }

  replicationId(): string | undefined {
    if (!this.settings.on('use-rsid-psync')) return undefined;
    return (this.database.historyOf(this.database.sequence) ?? this.#lastHistory) || undefined;
  }

  historyAt(sequence: number): string | undefined {
    if (!this.settings.on('use-rsid-psync')) return undefined;
    return this.database.historyOf(sequence);
  }

  copy(): string {
    const state: NodeState = {
      database: this.database.snapshot(),
      scripts: this.scripts.all(),
      history: this.#lastHistory,
    };
    return writeState(state);
  }

  beforeFullSync(emptyFirst: boolean): void {
    this.feeds.disconnect();
    if (!emptyFirst) return;
    this.database.clear();
    this.#lines = '';
    this.#outputs.push({ kind: 'replace-data', text: '' });
  }

  restoring(on: boolean): void {
    this.#loading = on;
  }

  restore(text: string): void {
    this.#takeState(readState(text));
    this.#dataLost = false;
    this.#lines = '';
    this.#outputs.push({ kind: 'replace-data', text: `${text}\n` });
  }

  lostData(): void {
    this.#dataLost = true;
  }

  slotRefusal(slot: number, client: Client): Reply | undefined {
    return this.settings.on('cluster-enabled') ? this.cluster.refusal(slot, true, client) : undefined;
  }

  configured(name: string): void {
    if (name === 'persist-cluster-nodes-enabled' && this.settings.on(name)) this.cluster.persistNow();
  }

  #dispatch(event: NodeEvent): void {
    switch (event.kind) {
      case 'start':
        this.#start(event.stored);
        return;
      case 'stop':
        this.exit(0, 'stopped');
        return;
      case 'opened': {
        const { connection, host, port } = event;
        this.clients.set(connection, new Client(connection, host, port, this.#moment.wall));
        this.counters.connections += 1;
        return;
      }
      case 'received': {
        const client = this.clients.get(event.connection);
        if (client === undefined) return;
        this.counters.inputBytes += event.bytes.length;
        this.execution.received(client, event.bytes);
        return;
      }
      case 'closed': {
        const client = this.clients.get(event.connection);
        if (client !== undefined) this.#forget(client);
        return;
      }
      case 'link-connected':
        this.#links.get(event.link)?.connected();
        return;
      case 'link-received':
        this.#links.get(event.link)?.received(event.bytes);
        return;
      case 'link-ended': {
        const handlers = this.#links.get(event.link);
        this.#links.delete(event.link);
        handlers?.ended(event.why);
        return;
      }
      case 'wake':
        this.#runTimers();
        return;
      case 'nodes-saved':
        this.cluster.nodesSaved(event.error);
    }
  }

  #start(stored: StoredState): void {
    this.#startedAt = this.#moment.wall;
    if (stored.config !== undefined) this.settings.read(stored.config);
    this.#replaying = true;
    for (const line of stored.data ?? []) {
      const entry = line.startsWith('[') ? readLine(line) : undefined;
      if (entry !== undefined) this.database.apply(entry);
      else if (line !== '') this.#takeState(readState(line));
    }
    this.#replaying = false;
    if (keepsNoLog(this.settings)) this.database.purgeLog(this.database.sequence + 1);
    const [host, port] = this.settings.get('slaveof').split(' ');
    const named = host !== undefined && port !== undefined;
    // Before the topology is read: each start of a replica is a history of its own, too, and costs it a full copy.
    if (!named) this.#beginHistory();
    if (this.settings.on('cluster-enabled')) {
      const keep = this.settings.on('persist-cluster-nodes-enabled');
      const refused = keep && stored.nodes !== undefined ? this.cluster.load(stored.nodes) : undefined;
      if (refused !== undefined) {
        this.exit(1, `Failed to start server: failed to load cluster nodes info: ${refused}`);
        return;
      }
    }
    // A rewritten configuration may name a master; a stored topology knows better.
    if (this.#replication === undefined) {
      this.settings.record('slaveof', '');
      if (named && !this.cluster.topology.known) this.follow(host, Number(port));
      else if (named) this.#beginHistory();
    }
  }

  #takeState(state: NodeState): void {
    this.database.restore(state.database);
    this.scripts.flush();
    for (const body of state.scripts) this.scripts.load(body);
    this.#lastHistory = state.history;
  }

  /** A master without a past of this kind: what follows can be told from what others wrote under the same numbers. */
  #beginHistory(): void {
    if (!this.settings.on('use-rsid-psync')) return;
    let id = '';
    for (let i = 0; i < HISTORY_LENGTH; i++) id += Math.floor(this.random.next() * 16).toString(16);
    this.database.history = id;
    this.database.appendKeyless(1, [['HISTORY', id]]);
  }

  #appended(entry: LogEntry): void {
    if (!this.#replaying) this.#lines += `${lineOf(entry)}\n`;
    if (!this.#replaying) this.pops.written(entry.slots);
    this.#keyless(entry);
  }

  #keyless(entry: LogEntry): void {
    for (const [kind, first = '', ...rest] of entry.effects) {
      switch (kind) {
        case 'PUBLISH':
          if (!this.#replaying) deliver(this.execution.subscribers, first, rest);
          break;
        case 'SCRIPT':
          if (first === 'LOAD') this.scripts.load(rest[0] ?? '');
          else this.scripts.flush();
          break;
        case 'HISTORY':
          this.#lastHistory = first;
          break;
      }
    }
  }

  #forget(client: Client): void {
    client.closed = true;
    this.clients.delete(client.id);
    this.#dirty.delete(client);
    if (client.feed !== undefined) this.feeds.broken(client.feed);
    this.pops.forget(client);
    this.cluster.importer.linkClosed(client);
  }

  #runTimers(): void {
    const due = this.#timers.filter(({ at }) => at <= this.#moment.now).sort((a, b) => a.at - b.at);
    for (const timer of due) {
      const index = this.#timers.indexOf(timer);
      // An earlier one may have cancelled it.
      if (index < 0) continue;
      this.#timers.splice(index, 1);
      timer.call();
    }
  }

  #takeLines(): readonly Output[] {
    if (this.#lines === '') return [];
    const lines = this.#lines;
    this.#lines = '';
    return [{ kind: 'append', lines }];
  }

  #flush(): readonly Output[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    if (this.#over) return outputs;
    outputs.push(...this.#takeLines());
    for (const client of this.#dirty) {
      if (client.out !== '') outputs.push({ kind: 'send', connection: client.id, bytes: client.out });
      client.out = '';
      if (client.closing && !client.waiting) {
        outputs.push({ kind: 'close', connection: client.id });
        this.#forget(client);
      }
    }
    this.#dirty.clear();
    return outputs;
  }
}
