/**
 * Carries out the jobs that decisions ask for, each on a connection of its own: chasing a replica, MIGRATE and finding
 * out how it ended, resetting. Asked for again it goes on with what it is doing; results come back as facts.
 */

import type { Chase, Jobs, Migrate, Reset } from '../decisions/jobs.ts';
import type { Trace } from '../decisions/world.ts';
import { clusterInfo } from '../kvrocks/commands/cluster-info.ts';
import { flushAll } from '../kvrocks/commands/flush-all.ts';
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { migrateAndWait } from '../kvrocks/commands/migrate.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { readKeyOfSlot } from '../kvrocks/commands/read-key.ts';
import { clusterReset } from '../kvrocks/commands/reset.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';

export interface JobHandlers {
  /** Leadership surely holds for a while longer. Asked right before a node is told to do something. */
  mayAct(): boolean;
  reached(operation: string, sequence: Sequence): void;
  migrated(operation: string, migration: NonNullable<Trace['migration']>): void;
  /** `how`: in words, for people. */
  reset(node: NodeId, how: string): void;
}

const CONNECT_TIMEOUT = 500;
const REPLY_TIMEOUT = 1_000;
/** A range is sized to copy in seconds, but an operator may move half a cluster at once. */
const MIGRATE_TIMEOUT = 24 * 3_600_000;
const POLL = 100;
/** A target that was black-holed ends the job after 135 s. */
const LEAVES_START = 150_000;

const migrateKey = ({ operation, attempt }: Migrate): string => `migrate ${operation} ${attempt}`;

export class JobRunner {
  readonly #runtime: Runtime;
  readonly #password: Secret;
  readonly #on: JobHandlers;
  readonly #running = new Set<string>();
  readonly #connections = new Set<Connection>();
  /** The try of a move that is asked for now: what an earlier one still brings is not about it. */
  #wanted: string | undefined;
  #closed = false;

  constructor(runtime: Runtime, password: Secret, on: JobHandlers) {
    this.#runtime = runtime;
    this.#password = password;
    this.#on = on;
  }

  run(jobs: Jobs): void {
    const { chase, migrate } = jobs;
    if (chase !== undefined) this.#once(`chase ${chase.operation}`, () => this.#chase(chase));
    this.#wanted = migrate === undefined ? undefined : migrateKey(migrate);
    if (migrate !== undefined) this.#once(migrateKey(migrate), () => this.#migrate(migrate));
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
        this.#on.reached(chase.operation, answer.value.sequence);
        if (answer.value.sequence >= chase.goal) return;
      }
    });
  }

  async #migrate(job: Migrate): Promise<void> {
    const report = (migration: NonNullable<Trace['migration']>) => {
      if (!this.#closed && this.#wanted === migrateKey(job)) this.#on.migrated(job.operation, migration);
    };
    const span = { first: job.range.from, last: job.range.to };
    if (!job.resume) {
      const sent = await this.#with(job.source.address, async (connection) => {
        // The intent is stored for this very node; another one at its address must not carry it out.
        const id = await connection.ask(myId());
        if (id.kind !== 'reply' || id.value !== job.source.id)
          return { kind: 'not-sent', why: 'the source did not answer as itself' } as const;
        // Its record may have gone back to the queue while the node was asked.
        if (this.#closed || this.#wanted !== migrateKey(job) || !this.#on.mayAct())
          return { kind: 'not-sent', why: 'it was taken back' } as const;
        const answer = await connection.ask(migrateAndWait(span, job.target.id), MIGRATE_TIMEOUT);
        if (answer.kind === 'reply' && answer.value === 'success') return { kind: 'success' } as const;
        if (answer.kind === 'error') return { kind: 'error', why: answer.error.text } as const;
        return { kind: 'unknown' } as const;
      });
      if (sent.kind === 'success') return report({ kind: 'success', goal: await this.#sequenceOf(job.target.address) });
      if (sent.kind === 'not-sent') return report({ kind: 'failed', why: sent.why });
      if (sent.kind === 'error') {
        await this.#leavesStart(job);
        // The source says that it failed; whether the target serves is found out by asking the source for a key.
        const served = await this.#whoServes(job);
        return report(
          served === 'target'
            ? { kind: 'success', goal: await this.#sequenceOf(job.target.address) }
            : { kind: 'failed', why: sent.why },
        );
      }
    }
    await this.#settle(job, report);
  }

  /** Nobody told us the end: the servers are asked until one knows. */
  async #settle(job: Migrate, report: (migration: NonNullable<Trace['migration']>) => void): Promise<void> {
    while (!this.#closed && this.#wanted === migrateKey(job)) {
      if (await this.#leavesStart(job)) {
        const served = await this.#whoServes(job);
        if (served === 'target') return report({ kind: 'success', goal: await this.#sequenceOf(job.target.address) });
        if (served === 'source')
          return report({ kind: 'failed', why: 'the job is gone, and the source serves the slots' });
      }
      await this.#sleep(POLL);
    }
  }

  /** True once the source says anything but `start`; false if it does not answer, or not in all that time. */
  async #leavesStart(job: Migrate): Promise<boolean> {
    const until = this.#runtime.clock.now() + LEAVES_START;
    while (!this.#closed && this.#runtime.clock.now() < until) {
      const answer = await this.#with(job.source.address, (connection) => connection.ask(clusterInfo()));
      if (answer.kind !== 'reply') return false;
      if (answer.value.migrating?.state !== 'start') return true;
      await this.#sleep(POLL);
    }
    return false;
  }

  /** A read of a key of the range at the source: MOVED to the target means that the move is in force. */
  async #whoServes(job: Migrate): Promise<'source' | 'target' | 'unknown'> {
    const answer = await this.#with(job.source.address, (connection) => connection.ask(readKeyOfSlot(job.range.from)));
    if (answer.kind !== 'reply') return 'unknown';
    const served = answer.value;
    if (served.kind === 'served') return 'source';
    if (served.kind !== 'moved') return 'unknown';
    return served.host === job.target.address.host && served.port === job.target.address.port ? 'target' : 'unknown';
  }

  async #sequenceOf(address: Address): Promise<Sequence | null> {
    const answer = await this.#with(address, (connection) => connection.ask(infoReplication(), 200));
    return answer.kind === 'reply' && answer.value.role === 'master' ? answer.value.sequence : null;
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
