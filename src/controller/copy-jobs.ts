/**
 * Carries out what a node's way back by its log or by a full copy asks for. A job that cannot be done now is given up,
 * and asked for again by the next decision; what it has found comes back as a fact.
 */
import { createHash } from 'node:crypto';
import {
  type Check,
  type Checked,
  type CopyAnswers,
  type CopyJob,
  copyJobKey,
  type Party,
  type Raise,
  type Raised,
} from '../decisions/jobs.ts';
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { infoServer } from '../kvrocks/commands/info-server.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { MOST_STEPS, raiseSequenceByPublish } from '../kvrocks/commands/publish.ts';
import { MOST_IN_ONE, raiseInOne } from '../kvrocks/commands/raise-in-one.ts';
import { scriptExists, scriptLoad } from '../kvrocks/commands/script.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import type { Outcome } from '../kvrocks/question.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type ServerProcess, sameProcess } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { compareLogs } from './log-compare.ts';
import { JobFailed, LogReader } from './log-reader.ts';
import { saveAlone } from './salvage-save.ts';
import { NO_SHELF, type Shelf } from './shelf.ts';

/** How far a node's number is raised beyond its master's before it is copied by force. */
export interface CopyBounds {
  /** In records, at least. */
  readonly margin: number;
  /** And what the master writes in so many milliseconds: it may go on writing until the node has asked. */
  readonly span: Duration;
}

/** A replica that is refused tries again after 10 s, from 2.15 on after up to 60. */
export const COPY_BOUNDS: CopyBounds = { margin: 1_000_000, span: 120_000 };

/** What the process was started with for full copies. */
export interface CopyMeans {
  /** Where that goes which a node alone held. */
  readonly shelf: Shelf;
  readonly bounds: CopyBounds;
}

/** Nothing can be saved. */
export const NO_MEANS: CopyMeans = { shelf: NO_SHELF, bounds: COPY_BOUNDS };

export interface CopyContext extends CopyMeans {
  readonly runtime: Runtime;
  readonly namespace: string;
  readonly cluster: string;
  readonly password: Secret;
}

export interface CopyHandlers {
  /** `of`: the key of the job that found it. */
  found<K extends keyof CopyAnswers>(node: NodeId, kind: K, of: string, answer: CopyAnswers[K]): void;
  progress(node: NodeId, kind: CopyJob['kind'], done: number, of: number): void;
  /** Given up: to be asked for again. */
  failed(node: NodeId, kind: CopyJob['kind'], why: string): void;
  /** Leadership surely holds for a while longer. */
  mayAct(): boolean;
  /** Over the connection of this number, on which the node was fenced; undefined when that is gone. */
  use<T>(node: NodeId, connection: number, work: (connection: Connection) => Promise<T>): Promise<T | undefined>;
}

/** Logs that are read at once for one cluster. */
const READS = 4;
const PAUSE: Duration = 500;
const CONNECT_TIMEOUT: Duration = 1_000;
const REPLY_TIMEOUT: Duration = 10_000;
/** The master's rate is taken over this. */
const RATE_OVER: Duration = 400;
const RAISES = 5;
const MOST_DOUBLINGS = 6;

const scriptOf = (marker: string): string => `return '${marker}'`;
const shaOf = (marker: string): string => createHash('sha1').update(scriptOf(marker), 'latin1').digest('hex');

function answered<T>(outcome: Outcome<T>): T {
  if (outcome.kind === 'reply') return outcome.value;
  throw new JobFailed(outcome.kind === 'error' ? outcome.error.text : 'it did not answer');
}

export class CopyJobs {
  readonly #context: CopyContext;
  readonly #on: CopyHandlers;
  readonly #running = new Map<string, CopyJob['kind']>();
  readonly #open = new Set<{ close(): void }>();
  #closed = false;

  constructor(context: CopyContext, on: CopyHandlers) {
    this.#context = context;
    this.#on = on;
  }

  /** Asked for again it goes on with what it is doing. */
  run(jobs: readonly CopyJob[]): void {
    for (const job of jobs) {
      const key = copyJobKey(job);
      const reads = [...this.#running.values()].filter((kind) => kind === 'compare' || kind === 'save').length;
      const isRead = job.kind === 'compare' || job.kind === 'save';
      if (this.#closed || this.#running.has(key) || (isRead && reads >= READS)) continue;
      this.#running.set(key, job.kind);
      void this.#carryOut(job, key);
    }
  }

  close(): void {
    this.#closed = true;
    for (const one of this.#open) one.close();
  }

  async #carryOut(job: CopyJob, key: string): Promise<void> {
    let why: string | undefined;
    try {
      await this.#do(job, key);
    } catch (error) {
      if (!(error instanceof JobFailed)) throw error;
      why = error.message;
      await this.#sleep(PAUSE);
    } finally {
      this.#running.delete(key);
    }
    if (why !== undefined && !this.#closed) this.#on.failed(job.node.id, job.kind, why);
  }

  async #do(job: CopyJob, key: string): Promise<void> {
    const found = <K extends keyof CopyAnswers>(kind: K, answer: CopyAnswers[K]) => {
      this.#running.delete(key);
      if (!this.#closed) this.#on.found(job.node.id, kind, key, answer);
    };
    const progress = (done: number, of: number) => this.#on.progress(job.node.id, job.kind, done, of);
    switch (job.kind) {
      case 'compare':
        return found(
          'compare',
          await this.#reading(job, (node, master) => compareLogs(node, master, job.common, progress, job.back)),
        );
      case 'save': {
        const { namespace, cluster, shelf, runtime } = this.#context;
        const head = {
          format: 1,
          namespace,
          cluster,
          shard: job.shard,
          node: job.node.id,
          master: job.master.id,
          parted_at: job.from,
          lineage: job.lineage,
          saved_at: Math.floor(runtime.clock.wall()),
          encoding: 'latin1',
        } as const;
        return found(
          'save',
          await this.#reading(job, (node, master) => saveAlone({ node, master, shelf, progress }, job, head)),
        );
      }
      case 'raise':
        return found('raise', await this.#raise(job, progress));
      case 'check':
        return found('check', await this.#check(job));
    }
  }

  async #reading<T>({ node, master }: CopyJob, read: (node: LogReader, master: LogReader) => Promise<T>): Promise<T> {
    const { runtime, password } = this.#context;
    const readers = [node, master].map(({ id, address }) => new LogReader(runtime, id, address, password));
    const [own, others] = readers;
    if (own === undefined || others === undefined) throw new JobFailed('nobody to ask');
    for (const reader of readers) this.#open.add(reader);
    try {
      return await read(own, others);
    } finally {
      for (const reader of readers) {
        reader.close();
        this.#open.delete(reader);
      }
    }
  }

  async #asking<T>({ id, address }: Party, use: (connection: Connection) => Promise<T>): Promise<T> {
    const { runtime, password } = this.#context;
    const connection = openConnection(runtime, address, {
      password,
      connectTimeout: CONNECT_TIMEOUT,
      replyTimeout: REPLY_TIMEOUT,
    });
    this.#open.add(connection);
    try {
      if (answered(await connection.ask(myId())) !== id) throw new JobFailed('another node answers at its address');
      return await use(connection);
    } finally {
      connection.close();
      this.#open.delete(connection);
    }
  }

  #sleep(delay: Duration): Promise<void> {
    return new Promise((resolve) => this.#context.runtime.timers.after(delay, resolve));
  }

  async #raise(job: Raise, progress: (done: number, of: number) => void): Promise<Raised> {
    const raised = await this.#on.use(job.node.id, job.run, (fenced) =>
      this.#asking(job.master, async (master) => {
        const process = await processOf(fenced);
        const sha = shaOf(job.marker);
        const marked = answered(await fenced.ask(scriptExists(sha), REPLY_TIMEOUT));
        if (!this.#on.mayAct()) throw new JobFailed('leadership may have run out');
        if (!marked) answered(await fenced.ask(scriptLoad(scriptOf(job.marker)), REPLY_TIMEOUT));
        // Only what was there can be gone.
        if (!answered(await fenced.ask(scriptExists(sha), REPLY_TIMEOUT)))
          throw new JobFailed('it does not keep the marker');
        const at = await sequenceOf(fenced);
        if (!job.raise) return { to: at, masterAt: await sequenceOf(master), margin: 0, process };
        const margin = (await this.#margin(master)) * 2 ** Math.min(job.failures, MOST_DOUBLINGS);
        return { ...(await this.#beyond(fenced, master, margin, job.marker, progress)), margin, process };
      }),
    );
    if (raised === undefined) throw new JobFailed('the connection that it was fenced on is gone');
    return raised;
  }

  /** What the master may write until the node has asked. */
  async #margin(master: Connection): Promise<number> {
    const { clock } = this.#context.runtime;
    const { margin, span } = this.#context.bounds;
    const since = clock.now();
    const before = await sequenceOf(master);
    await this.#sleep(RATE_OVER);
    const written = (await sequenceOf(master)) - before;
    return Math.ceil(Math.max(margin, (span * written) / Math.max(1, clock.now() - since)));
  }

  async #beyond(
    fenced: Connection,
    master: Connection,
    margin: number,
    marker: string,
    progress: (done: number, of: number) => void,
  ): Promise<{ to: Sequence; masterAt: Sequence }> {
    const steps = raiser(fenced, `kvctl:${marker}`);
    for (let tries = 0; tries < RAISES; tries++) {
      const goal = (await sequenceOf(master)) + margin;
      const from = await sequenceOf(fenced);
      for (let at = from; at < goal; at = await sequenceOf(fenced)) {
        if (this.#closed || !this.#on.mayAct()) throw new JobFailed('leadership may have run out');
        progress(at - from, goal - from);
        await steps(goal - at);
        if ((await sequenceOf(fenced)) <= at) throw new JobFailed('its number does not rise');
      }
      // The master has gone on meanwhile.
      const masterAt = await sequenceOf(master);
      const to = await sequenceOf(fenced);
      if (to - masterAt > (margin * 3) / 4) return { to, masterAt };
    }
    throw new JobFailed('its master writes faster than its number can be raised');
  }

  #check(job: Check): Promise<Checked> {
    return this.#asking(job.node, async (connection) => {
      const process = await processOf(connection);
      const read = answered(await connection.ask(infoReplication()));
      if (read.role !== 'slave' || read.link !== 'up' || read.syncInProgress) throw new JobFailed('its link is not up');
      const there = answered(await connection.ask(scriptExists(shaOf(job.marker))));
      const same = job.process !== null && sameProcess(job.process, process);
      return { sequence: read.sequence, found: there ? 'not-whole' : same ? 'whole' : 'restarted' };
    });
  }
}

async function processOf(connection: Connection): Promise<ServerProcess> {
  const { processId, startedAt } = answered(await connection.ask(infoServer(), REPLY_TIMEOUT));
  return { id: processId, startedAt: startedAt ?? 0 };
}

/** Of a master only: what a slave says may be another's. */
async function sequenceOf(connection: Connection): Promise<Sequence> {
  const read = answered(await connection.ask(infoReplication(), REPLY_TIMEOUT));
  if (read.role !== 'master') throw new JobFailed('it does not say that it is a master');
  return read.sequence;
}

/** Takes up to so many steps; by PUBLISH where there is no MPUBLISH. */
function raiser(fenced: Connection, channel: string): (steps: number) => Promise<void> {
  let single = false;
  return async (steps) => {
    if (!single) {
      const outcome = await fenced.ask(raiseInOne(channel, Math.min(steps, MOST_IN_ONE)), REPLY_TIMEOUT);
      if (outcome.kind !== 'error' || (outcome.error.kind !== 'usage' && outcome.error.kind !== 'aborted'))
        return void answered(outcome);
      single = true;
    }
    answered(await fenced.ask(raiseSequenceByPublish(channel, Math.min(steps, MOST_STEPS)), REPLY_TIMEOUT));
  };
}
