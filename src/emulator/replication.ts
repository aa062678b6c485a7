/**
 * The replica's side of replication: Kvrocks' replication thread as a state machine, with its pauses and its slow ends,
 * since CLUSTERX SETNODES waits for them. It asks for everything behind its own number and trusts what it gets.
 */
import type { Cancel, Instant } from '../runtime/runtime.ts';
import type { Core, Link } from './core.ts';
import { GET_ACK, PING } from './feeds.ts';
import { readLine } from './log-lines.ts';
import { ReplyReader, writeCommand } from './resp-reader.ts';

/** The thread looks at its stop flag at each turn of this timer. */
const TICK = 100;
const PAUSE_AFTER_BREAK = 1000;
const PAUSE_AFTER_REFUSAL = 10_000;
/** Bytes read before the master is told so. */
const CREDIT_EVERY = 32 * 1024;
/** Restoring a copied database: closing and opening, and a time for each MB. */
const RESTORE_BASE = 12;
const RESTORE_PER_MB = 3;

type State =
  | 'connecting'
  /** Talking before the first entry. */
  | 'greeting'
  | 'streaming'
  /** A full sync, files on their way. */
  | 'fetching'
  | 'restoring'
  | 'pausing';

/** What the replication does to its node. */
export interface ReplicaHost {
  /** The id of the present replication history, if `use-rsid-psync` is on. */
  replicationId(): string | undefined;
  /** Before files are fetched: replicas of this replica are cut off, and with `emptyFirst` the data is thrown away. */
  beforeFullSync(emptyFirst: boolean): void;
  restoring(on: boolean): void;
  /** The copied state becomes the node's own. */
  restore(snapshot: string): void;
  /** The data was thrown away and the copy never came. */
  lostData(): void;
}

export class Replication {
  readonly host: string;
  readonly port: number;
  readonly #core: Core;
  readonly #node: ReplicaHost;
  #state: State = 'connecting';
  #syncing = false;
  #link: Link | undefined;
  #reader = new ReplyReader();
  /** What to do with the next replies while greeting. */
  #expected: ((line: string) => void)[] = [];
  #threadStart: Instant | undefined;
  #lastIo = 0;
  #lastAck = 0;
  #unreported = 0;
  #timer: Cancel = () => {};
  #receiveTimer: Cancel = () => {};
  #stopped: (() => void) | undefined;
  /** Thrown away before a full sync that has not succeeded. */
  #emptied = false;

  constructor(core: Core, node: ReplicaHost, host: string, port: number) {
    this.#core = core;
    this.#node = node;
    this.host = host;
    this.port = port;
    this.#connect();
  }

  get linkUp(): boolean {
    return this.#state === 'streaming';
  }

  get syncing(): boolean {
    return this.#syncing;
  }

  /** Whole seconds by the wall clock; seconds since 1970 if there never was a contact. */
  get lastIoSecondsAgo(): number {
    return Math.floor(this.#core.moment.wall / 1000) - this.#lastIo;
  }

  /** The word of ROLE. */
  get stateWord(): string {
    if (this.#state === 'streaming') return 'connected';
    return this.#syncing ? 'sync' : 'connecting';
  }

  /** Ends the thread. `done` is called once it has noticed, which is when its present wait is over. */
  stop(done: () => void): void {
    this.#stopped = done;
    if (this.#state === 'greeting' || this.#state === 'streaming') {
      const age = this.#core.moment.now - (this.#threadStart ?? this.#core.moment.now);
      this.#core.after(TICK - (age % TICK), () => {
        // Anything else that has begun by then ends the thread at its own end.
        if (this.#state === 'greeting' || this.#state === 'streaming') this.#finish();
      });
    }
  }

  #finish(): void {
    const done = this.#stopped;
    this.#stopped = () => {};
    this.#timer();
    this.#receiveTimer();
    this.#link?.close();
    this.#link = undefined;
    done?.();
  }

  #connect(): void {
    const began = this.#core.moment.now;
    this.#state = 'connecting';
    this.#reader = new ReplyReader();
    this.#expected = [];
    this.#unreported = 0;
    const timeout = this.#core.settings.number('replication-connect-timeout-ms') || 135_000;
    this.#link = this.#core.dial(this.host, this.port, timeout, {
      connected: () => this.#greet(),
      received: (bytes) => this.#received(bytes),
      ended: () => {
        this.#link = undefined;
        if (this.#state === 'connecting') this.#notConnected(began);
        else this.#broken();
      },
    });
  }

  #notConnected(began: Instant): void {
    if (this.#stopped !== undefined) this.#finish();
    else if (this.#core.moment.now - began < PAUSE_AFTER_BREAK) this.#pause(PAUSE_AFTER_BREAK);
    else this.#connect();
  }

  #broken(): void {
    const fetching = this.#state === 'fetching';
    if (fetching) this.#fetchFailed();
    else this.#pause(PAUSE_AFTER_BREAK);
  }

  #pause(length: number): void {
    this.#state = 'pausing';
    this.#receiveTimer();
    this.#link?.close();
    this.#link = undefined;
    this.#timer = this.#core.after(length, () => {
      if (this.#stopped !== undefined) this.#finish();
      else this.#connect();
    });
  }

  #greet(): void {
    if (this.#stopped !== undefined) {
      this.#finish();
      return;
    }
    this.#threadStart ??= this.#core.moment.now;
    this.#state = 'greeting';
    // All at once: no answer but a refusal changes what is asked next.
    const password = this.#core.settings.get('masterauth');
    const unlessRefused = (line: string) => {
      if (line.startsWith('-')) this.#pause(PAUSE_AFTER_REFUSAL);
    };
    if (password !== '') this.#ask(['AUTH', password], unlessRefused);
    this.#ask(['_db_name'], unlessRefused);
    const port = ['replconf', 'listening-port', String(this.#core.port)];
    const announced = this.#core.settings.get('replica-announce-ip');
    this.#ask(announced === '' ? port : [...port, 'ip-address', announced], () => {
      if (this.#emptied) this.#askCopy();
    });
    if (!this.#emptied) this.#askLog();
  }

  #askLog(): void {
    const next = String(this.#core.database.sequence + 1);
    const id = this.#node.replicationId();
    this.#ask(id === undefined ? ['PSYNC', next] : ['PSYNC', id, next], (line) => {
      if (line === '+OK') {
        this.#state = 'streaming';
        this.#syncing = false;
        this.#lastAck = 0;
      } else if (line.startsWith('-LOADING')) {
        this.#pause(PAUSE_AFTER_REFUSAL);
      } else {
        this.#askCopy();
      }
    });
  }

  #askCopy(): void {
    this.#syncing = true;
    this.#state = 'fetching';
    const emptyFirst = this.#core.settings.on('slave-empty-db-before-fullsync');
    this.#node.beforeFullSync(emptyFirst);
    if (emptyFirst) {
      this.#emptied = true;
      this.#node.restoring(true);
    }
    this.#link?.send(writeCommand(['_fetch_copy']));
    this.#expectBytes();
  }

  #expectBytes(): void {
    this.#receiveTimer();
    const limit = this.#core.settings.number('replication-recv-timeout-ms');
    // With the database thrown away Kvrocks waits for a hung master without end.
    if (limit === 0 || this.#emptied) return;
    this.#receiveTimer = this.#core.after(limit, () => this.#fetchFailed());
  }

  #fetchFailed(): void {
    this.#receiveTimer();
    this.#syncing = false;
    if (this.#emptied) {
      this.#node.restoring(false);
      this.#node.lostData();
    }
    if (this.#stopped !== undefined) this.#finish();
    else this.#pause(PAUSE_AFTER_REFUSAL);
  }

  #fetched(snapshot: string): void {
    this.#receiveTimer();
    this.#link?.close();
    this.#link = undefined;
    if (this.#stopped !== undefined) {
      this.#finish();
      return;
    }
    this.#state = 'restoring';
    this.#node.restoring(true);
    this.#timer = this.#core.after(RESTORE_BASE + (RESTORE_PER_MB * snapshot.length) / 2 ** 20, () => {
      this.#node.restore(snapshot);
      this.#emptied = false;
      this.#node.restoring(false);
      this.#connect();
    });
  }

  #ask(words: readonly string[], expect: (line: string) => void): void {
    this.#expected.push(expect);
    this.#link?.send(writeCommand(words));
  }

  #received(bytes: string): void {
    this.#lastIo = Math.floor(this.#core.moment.wall / 1000);
    this.#reader.push(bytes);
    if (this.#state === 'fetching') this.#expectBytes();
    let ack = false;
    let forced = false;
    for (;;) {
      if (this.#link === undefined) return;
      const reply = this.#reader.next();
      if (reply === undefined) break;
      if (this.#state === 'greeting') {
        this.#expected.shift()?.(reply.kind === 'line' ? reply.text : `+${reply.text ?? ''}`);
      } else if (this.#state === 'fetching') {
        if (reply.kind === 'bulk' && reply.text !== undefined) this.#fetched(reply.text);
        else this.#fetchFailed();
      } else if (this.#state === 'streaming' && reply.kind === 'bulk' && reply.text !== undefined) {
        ack = true;
        if (reply.text === GET_ACK) forced = true;
        else if (reply.text !== PING) this.#apply(reply.text);
      }
    }
    if (this.#state !== 'streaming') return;
    if (ack) this.#acknowledge(forced);
    this.#unreported += bytes.length;
    if (this.#unreported >= CREDIT_EVERY) {
      this.#link?.send(writeCommand(['replconf', 'credit', String(this.#unreported)]));
      this.#unreported = 0;
    }
  }

  #apply(line: string): void {
    const entry = readLine(line);
    // Two nodes that follow each other send their entries back.
    if (entry !== undefined && entry.sequence > this.#core.database.sequence) this.#core.database.apply(entry);
  }

  #acknowledge(forced: boolean): void {
    const second = Math.floor(this.#core.moment.wall / 1000);
    if (!forced && second - this.#lastAck < 1) return;
    this.#lastAck = second;
    this.#link?.send(writeCommand(['replconf', 'ack', String(this.#core.database.sequence)]));
  }
}
