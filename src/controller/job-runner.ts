/**
 * Carries out the jobs that decisions ask for, each on a connection of its own: chasing a replica, MIGRATE
 * (`move-job.ts`), resetting. Asked for again it goes on with what it is doing; results come back as facts.
 */

import type { Chase, Jobs, Migrate, Reset, Tune } from '../decisions/jobs.ts';
import { tuneKey } from '../decisions/tuning.ts';
import type { Migration } from '../decisions/world.ts';
import { configGet } from '../kvrocks/commands/config-get.ts';
import { configSet } from '../kvrocks/commands/config-set.ts';
import { flushAll } from '../kvrocks/commands/flush-all.ts';
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { clusterReset } from '../kvrocks/commands/reset.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import { natural } from '../kvrocks/info-text.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { formatRange } from '../topology/slots.ts';
import { runMigration } from './move-job.ts';

export interface JobHandlers {
  /** Leadership surely holds for a while longer. Asked right before a node is told to do something. */
  mayAct(): boolean;
  reached(chase: Chase, sequence: Sequence): void;
  migrated(operation: string, migration: Migration): void;
  /** `of`: the key of the job; the value that the server has now, null where it has no such setting. */
  tuned(tune: Tune, of: string, value: number | null): void;
  /** `how`: in words, for people. */
  reset(node: NodeId, how: string): void;
}

const CONNECT_TIMEOUT = 500;
const REPLY_TIMEOUT = 1_000;
const POLL = 100;

const migrateKey = ({ operation, attempt, range }: Migrate): string =>
  `migrate ${operation} ${formatRange(range)} ${attempt}`;

export class JobRunner {
  readonly #runtime: Runtime;
  readonly #password: Secret;
  readonly #on: JobHandlers;
  readonly #running = new Set<string>();
  readonly #connections = new Set<Connection>();
  /** The tries of moves that are asked for now: what an earlier one still brings is not about them. */
  #wanted: ReadonlySet<string> = new Set();
  /** Connections that wait for the end of a migration, with the try that they belong to. */
  readonly #migrating = new Map<Connection, string>();
  #closed = false;

  constructor(runtime: Runtime, password: Secret, on: JobHandlers) {
    this.#runtime = runtime;
    this.#password = password;
    this.#on = on;
  }

  run(jobs: Jobs): void {
    for (const chase of jobs.chases) this.#once(`chase ${chase.operation} ${chase.goal}`, () => this.#chase(chase));
    this.#wanted = new Set(jobs.migrates.map(migrateKey));
    // What an earlier try still waits for may never come.
    for (const [connection, key] of this.#migrating) if (!this.#wanted.has(key)) connection.close();
    for (const migrate of jobs.migrates) this.#once(migrateKey(migrate), () => this.#migrate(migrate));
    for (const tune of jobs.tunes) this.#once(`tune ${tune.node} ${tune.name}`, () => this.#tune(tune));
    for (const reset of jobs.resets) this.#once(`reset ${reset.node}`, () => this.#reset(reset));
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
  }

  #once(key: string, job: () => Promise<void>): void {
    if (this.#running.has(key) || this.#closed) return;
    this.#running.add(key);
    void job().finally(() => this.#running.delete(key));
  }

  #sleep(delay: Duration): Promise<void> {
    return new Promise((resolve) => this.#runtime.timers.after(delay, resolve));
  }

  async #with<T>(address: Address, use: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = openConnection(this.#runtime, address, {
      password: this.#password,
      connectTimeout: CONNECT_TIMEOUT,
      replyTimeout: REPLY_TIMEOUT,
    });
    this.#connections.add(connection);
    try {
      return await use(connection);
    } finally {
      this.#connections.delete(connection);
      connection.close();
    }
  }

  #chase(chase: Chase): Promise<void> {
    return this.#with(chase.address, async (connection) => {
      while (!this.#closed && this.#runtime.clock.now() < chase.until) {
        const left = Math.max(1, chase.until - this.#runtime.clock.now());
        const answer = await connection.ask(infoReplication(), left);
        if (answer.kind !== 'reply' || answer.value.role !== 'slave') return;
        this.#on.reached(chase, answer.value.sequence);
        if (answer.value.sequence >= chase.goal) return;
      }
    });
  }

  #migrate(job: Migrate): Promise<void> {
    const key = migrateKey(job);
    const wanted = () => !this.#closed && this.#wanted.has(key);
    return runMigration(job, {
      sleep: (delay) => this.#sleep(delay),
      with: (address, use) =>
        this.#with(address, async (connection) => {
          this.#migrating.set(connection, key);
          try {
            return await use(connection);
          } finally {
            this.#migrating.delete(connection);
          }
        }),
      wanted,
      mayAct: () => this.#on.mayAct(),
      report: (migration) => {
        if (wanted()) this.#on.migrated(job.operation, migration);
      },
    });
  }

  /** One at a time for a setting of a node: what is asked for meanwhile is asked for again. */
  async #tune(tune: Tune): Promise<void> {
    const { name, to, instead } = tune;
    const value = await this.#with(tune.address, async (connection) => {
      const id = await connection.ask(myId());
      if (id.kind !== 'reply' || id.value !== tune.node) return undefined;
      const asked = await connection.ask(configGet([name]));
      if (asked.kind !== 'reply') return undefined;
      const now = natural(asked.value.get(name));
      if (now === undefined) return null;
      if (to === null || now === to || (instead.length > 0 && !instead.includes(now))) return now;
      if (!this.#on.mayAct()) return undefined;
      const set = await connection.ask(configSet(name, `${to}`));
      if (set.kind === 'error') return now;
      return set.kind === 'reply' ? to : undefined;
    });
    if (value === undefined) await this.#sleep(POLL * 5);
    else if (!this.#closed) this.#on.tuned(tune, tuneKey(tune), value);
  }

  /** The node was told a text that fences it, and it was read back: nothing of what is done here can reach others. */
  async #reset(reset: Reset): Promise<void> {
    const how = await this.#with(reset.address, async (connection) => {
      const id = await connection.ask(myId());
      if (id.kind !== 'reply' || id.value !== reset.node) return undefined;
      if (!this.#on.mayAct()) return undefined;
      if (reset.flush) {
        const flushed = await connection.ask(flushAll(), 60_000);
        if (flushed.kind !== 'reply') return undefined;
      }
      if (!this.#on.mayAct()) return undefined;
      const answer = await connection.ask(clusterReset(), 15_000);
      if (answer.kind === 'reply') return reset.flush ? 'it was emptied and reset' : 'it held nothing and was reset';
      if (answer.kind !== 'error') return undefined;
      return reset.flush ? undefined : `its data is left in place, and it serves nothing (${answer.error.text})`;
    });
    if (how !== undefined && !this.#closed) this.#on.reset(reset.node, how);
    else await this.#sleep(POLL * 5);
  }
}
