/**
 * One piece of slots on its way: MIGRATE on a connection of its own, and, where its reply is an error or gets lost, asking
 * both servers until it is known how it ended. Each step can be the last one of this process: whoever finds the record
 * asks the servers, and sends nothing again.
 */
import type { Migrate } from '../decisions/jobs.ts';
import { type MigrationFacts, migrationEnd } from '../decisions/move-outcome.ts';
import type { JobLine, Migration } from '../decisions/world.ts';
import { clusterInfo, type ImportingJob, type MigratingJob } from '../kvrocks/commands/cluster-info.ts';
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { infoServer } from '../kvrocks/commands/info-server.ts';
import { migrateAndWait } from '../kvrocks/commands/migrate.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { readKeyOfSlot } from '../kvrocks/commands/read-key.ts';
import type { Connection } from '../kvrocks/connection.ts';
import type { Outcome } from '../kvrocks/question.ts';
import type { Duration } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { outcomeWords } from './outcome-words.ts';

export interface MoveJobContext {
  sleep(delay: Duration): Promise<void>;
  /** A connection of its own, closed behind it. */
  with<T>(address: Address, use: (connection: Connection) => Promise<T>): Promise<T>;
  /** The job is asked for: what it would bring otherwise is about an earlier try. */
  wanted(): boolean;
  /** Leadership surely holds for a while longer. */
  mayAct(): boolean;
  report(migration: Migration): void;
}

/** A range is sized to copy in seconds, but a writer or an operator may make it last. */
const MIGRATE_TIMEOUT = 24 * 3_600_000;
const POLL = 100;
const SEQUENCE_TIMEOUT = 200;

/** The end of MIGRATE, as far as its own connection tells. */
type Sent =
  | { readonly kind: 'success'; readonly took: Duration }
  | { readonly kind: 'not-sent'; readonly why: string }
  | { readonly kind: 'error'; readonly why: string }
  | { readonly kind: 'unknown' };

export async function runMigration(job: Migrate, context: MoveJobContext): Promise<void> {
  const sent: Sent = job.resume ? { kind: 'unknown' } : await send(job, context);
  if (sent.kind === 'success') {
    const goal = await sequenceOf(job.target.address, context);
    return context.report({ kind: 'success', goal, took: sent.took, undone: null });
  }
  if (sent.kind === 'not-sent') return context.report({ kind: 'failed', why: sent.why, sent: false, beside: null });
  await findOut(job, sent.kind === 'error' ? sent.why : null, context);
}

async function send(job: Migrate, context: MoveJobContext): Promise<Sent> {
  const span = { first: job.range.from, last: job.range.to };
  return context.with(job.source.address, async (connection): Promise<Sent> => {
    const [id, there] = await Promise.all([connection.ask(myId()), whoIs(job.target.address, context)]);
    // The intent is stored for these very nodes; another one at an address must not carry it out.
    const source = notItself(id, job.source.id);
    if (source !== undefined) return { kind: 'not-sent', why: `the source: ${source}` };
    // A source whose target is in a black hole waits for more than two minutes, and nothing can end that.
    const target = notItself(there, job.target.id);
    if (target !== undefined) return { kind: 'not-sent', why: `the target: ${target}` };
    // Its record may have gone back to the queue while the nodes were asked.
    if (!context.wanted() || !context.mayAct()) return { kind: 'not-sent', why: 'it was taken back' };
    const answer = await connection.ask(migrateAndWait(span, job.target.id), MIGRATE_TIMEOUT);
    if (answer.kind === 'reply' && answer.value === 'success')
      return { kind: 'success', took: answer.answeredAt - answer.askedAt };
    if (answer.kind === 'error') return { kind: 'error', why: answer.error.text };
    return { kind: 'unknown' };
  });
}

/** Nobody told us how it ended: the servers are asked until that is known. */
async function findOut(job: Migrate, error: string | null, context: MoveJobContext): Promise<void> {
  while (context.wanted()) {
    const end = migrationEnd(await factsOf(job, error, context), job.range, job.noted);
    switch (end.kind) {
      case 'success': {
        const goal = await sequenceOf(job.target.address, context);
        return context.report({ kind: 'success', goal, took: null, undone: end.undone });
      }
      case 'failed':
        return context.report({ ...end, sent: true });
      case 'open':
        context.report({ kind: 'unsettled', waitsFor: end.waitsFor });
    }
    await context.sleep(POLL);
  }
}

async function factsOf(job: Migrate, error: string | null, context: MoveJobContext): Promise<MigrationFacts> {
  const nothing: MigrationFacts = { served: 'unknown', source: null, target: null, error };
  const source = await context.with(job.source.address, async (connection) => {
    // In this order: a job that ends in between is seen to be over, and its slots where it has left them.
    const [id, info, key] = await Promise.all([
      connection.ask(myId()),
      connection.ask(clusterInfo()),
      connection.ask(readKeyOfSlot(job.range.from)),
    ]);
    if (id.kind !== 'reply' || id.value !== job.source.id || info.kind !== 'reply' || key.kind !== 'reply') return;
    return { line: lineOf(info.value.migrating), key: key.value };
  });
  if (source === undefined) return nothing;
  const { key, line } = source;
  const { host, port } = job.target.address;
  const served =
    key.kind === 'served'
      ? 'source'
      : key.kind === 'moved' && key.host === host && key.port === port
        ? 'target'
        : 'unknown';
  // What the target says matters only where the source serves them.
  const target = served === 'source' && line?.state !== 'start' ? await targetFacts(job, context) : null;
  return { served, source: line, target, error };
}

async function targetFacts(job: Migrate, context: MoveJobContext): Promise<MigrationFacts['target']> {
  return context.with(job.target.address, async (connection) => {
    const [id, info, server, key] = await Promise.all([
      connection.ask(myId()),
      connection.ask(clusterInfo()),
      connection.ask(infoServer()),
      connection.ask(readKeyOfSlot(job.range.from)),
    ]);
    if (id.kind !== 'reply' || id.value !== job.target.id || info.kind !== 'reply' || server.kind !== 'reply')
      return null;
    const { processId, startedAt } = server.value;
    const process = { id: processId, startedAt: startedAt ?? 0 };
    const serves = key.kind === 'reply' && key.value.kind === 'served';
    return { importing: lineOf(info.value.importing), process, serves };
  });
}

function lineOf(job: MigratingJob | ImportingJob | undefined): JobLine | null {
  if (job === undefined) return null;
  const { first, last } = job.span;
  return { range: first < 0 ? null : { from: first, to: last }, state: job.state === 'unknown' ? 'none' : job.state };
}

const whoIs = (address: Address, context: MoveJobContext): Promise<Outcome<NodeId>> =>
  context.with(address, (connection) => connection.ask(myId()));

/** Why it is not asked to move anything; undefined: it answers as the node that is meant. */
function notItself(answer: Outcome<NodeId>, id: NodeId): string | undefined {
  if (answer.kind !== 'reply') return outcomeWords(answer);
  return answer.value === id
    ? undefined
    : `${answer.value === '' ? 'a node without an id' : answer.value} answers there`;
}

async function sequenceOf(address: Address, context: MoveJobContext): Promise<Sequence | null> {
  const answer = await context.with(address, (connection) => connection.ask(infoReplication(), SEQUENCE_TIMEOUT));
  return answer.kind === 'reply' && answer.value.role === 'master' ? answer.value.sequence : null;
}
