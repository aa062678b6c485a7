/**
 * Writes again what a node alone held, key by key, and only where the shard has not written the key since the two
 * parted: a key that it has not is what it was there, so the commands make of it what the node made of it. What the
 * shard has written is found in its present master's log, and kept from changing by WATCH while it is written.
 */
import { myId } from '../kvrocks/commands/my-id.ts';
import { slotOfBytes } from '../kvrocks/commands/slot.ts';
import { together, unwatch, watchKeys } from '../kvrocks/commands/together.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import { DEFAULT_NAMESPACE, keyName, readBatch } from '../kvrocks/write-batch.ts';
import type { Duration, Instant, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type Cluster, masterOf, type Shard, shardOf } from '../topology/cluster.ts';
import type { Sequence } from '../topology/ids.ts';
import { covers } from '../topology/slots.ts';
import type { EntrySource } from './log-compare.ts';
import { JobFailed, LogReader } from './log-reader.ts';
import { Refusal } from './refusal.ts';
import { type CommandSource, keysOfCommand } from './salvage-entries.ts';
import type { SavedKey, SavedKeys } from './salvage-read.ts';

export interface ReplayedKey {
  readonly namespace: string;
  /** Bytes as latin1. */
  readonly key: string;
  readonly commands: number;
  /** `replayed`, or `would-be` where nothing was to be written. */
  readonly outcome: 'replayed' | 'would-be' | 'skipped' | 'failed';
  readonly why: string | null;
}

/** The log of the master is read for so long at the most. */
const READ_FOR: Duration = 60_000;
const REPLY_TIMEOUT: Duration = 10_000;
/** Keys that are written in one transaction. */
const TOGETHER = 100;
/** Somebody else keeps writing one of them. */
const TRIES = 5;

interface Means {
  readonly runtime: Runtime;
  readonly password: Secret;
}

/** What the shard has written of the saved keys since it parted from the node; read on as it goes on. */
export class WrittenSince {
  readonly #reader: EntrySource & CommandSource;
  readonly #keys: ReadonlySet<string>;
  readonly #clock: { now(): Instant };
  readonly written = new Set<string>();
  #after: Sequence;
  /** It cannot be known of any key. */
  unknown: string | null = null;

  constructor(
    reader: EntrySource & CommandSource,
    keys: ReadonlySet<string>,
    after: Sequence,
    clock: { now(): Instant },
  ) {
    this.#reader = reader;
    this.#keys = keys;
    this.#after = after;
    this.#clock = clock;
  }

  /** To the end of the log as it is now. */
  async readOn(): Promise<void> {
    const until = this.#clock.now() + READ_FOR;
    while (this.unknown === null) {
      const got = await this.#reader.entries(this.#after);
      switch (got.kind) {
        case 'beyond-the-end':
          this.unknown = 'the master ends before the place where the node parted';
          return;
        case 'purged':
          this.unknown = `the master’s log begins only at sequence ${got.available ?? 'unknown'}, so nobody can tell what it wrote since ${this.#after + 1}`;
          return;
        case 'inside-an-entry':
          // Of one history up to there, it wrote the whole entry since.
          this.#after = got.begins - 1;
          continue;
        case 'unsupported':
          this.unknown = 'the master’s server does not tell its log';
          return;
        case 'updates':
      }
      for (const { sequence, count, bytes } of got.entries) {
        await this.#note(sequence, bytes);
        this.#after = sequence + count - 1;
      }
      if (got.entries.length === 0) return;
      if (this.#clock.now() > until)
        this.unknown = `what the master wrote could not be read within ${READ_FOR / 1000} s`;
    }
  }

  async #note(sequence: Sequence, bytes: string): Promise<void> {
    const content = readBatch(bytes);
    if (content?.unnamed === true) {
      this.unknown = `the master deleted keys at sequence ${sequence} without naming them`;
    } else if (content !== undefined) {
      for (const one of content.keys)
        this.#add(one.namespace === DEFAULT_NAMESPACE ? 'default' : one.namespace, one.key);
    } else {
      // Bytes that say nothing: the server may tell it as a command.
      const told = await this.#reader.commands(sequence - 1, 1);
      if (told?.kind !== 'updates' || told.entries.length === 0) {
        this.unknown = `the master’s entry at sequence ${sequence} cannot be read`;
        return;
      }
      for (const command of told.entries) for (const key of keysOfCommand(command)) this.#add('default', key);
    }
  }

  #add(namespace: string, key: string): void {
    const name = keyName({ namespace, key });
    if (this.#keys.has(name)) this.written.add(name);
  }
}

/** Why a key is left as it is; null: nothing that can be seen before the log is read. */
function whyNot(one: SavedKey, cluster: Cluster, shard: Shard): string | null {
  if (one.untold !== null) return one.untold;
  if (one.namespace !== 'default') return `it is in namespace ${one.namespace}, which is not written to from here`;
  const slot = slotOfBytes(one.key);
  if (covers(shard.slots, { from: slot, to: slot })) return null;
  const owner = cluster.shards.findIndex((other) => covers(other.slots, { from: slot, to: slot }));
  return `its slot ${slot} belongs to ${owner < 0 ? 'no shard' : `shard ${owner}`} now, whose log says nothing of the time before`;
}

const outcome = (one: SavedKey, is: ReplayedKey['outcome'], why: string | null): ReplayedKey => ({
  namespace: one.namespace,
  key: one.key,
  commands: one.commands.length,
  outcome: is,
  why,
});

/** Where the shard's own history surely left the node's: a promotion since may have cut it below. */
function partedFrom({ head }: SavedKeys, shard: Shard): Sequence | undefined {
  if (head.parted_at === null) return undefined;
  const known = head.lineage.at(-1)?.version ?? 0;
  const since = shard.lineage.filter((entry) => entry.version > known).map((entry) => entry.sequence + 1);
  return Math.min(head.parted_at, ...since);
}

/** `dryRun`: nothing is written. Throws a `Refusal` where the shard is gone or its master does not answer. */
export async function replay(
  { runtime, password }: Means,
  cluster: Cluster,
  saved: SavedKeys,
  dryRun: boolean,
): Promise<readonly ReplayedKey[]> {
  const shard = shardOf(cluster, saved.head.shard);
  if (shard === undefined) throw new Refusal('not_found', 'the entry does not exist', `shard ${saved.head.shard}`);
  const master = masterOf(shard);
  const reasons = new Map(saved.keys.map((one) => [one, whyNot(one, cluster, shard)]));
  const parted = partedFrom(saved, shard);
  if (parted === undefined) return saved.keys.map((one) => outcome(one, 'skipped', 'nobody can tell where it parted'));
  const asked = saved.keys.filter((one) => reasons.get(one) === null);
  const reader = new LogReader(runtime, master.id, master.address, password);
  const connection = openConnection(runtime, master.address, {
    password,
    connectTimeout: 1_000,
    replyTimeout: REPLY_TIMEOUT,
  });
  const since = new WrittenSince(reader, new Set(asked.map(keyName)), parted - 1, runtime.clock);
  try {
    const id = await connection.ask(myId());
    if (id.kind !== 'reply' || id.value !== master.id)
      throw new Refusal('node_failed', `the shard’s master ${master.id} does not answer as itself`);
    await since.readOn();
    const why = (one: SavedKey): string | null =>
      reasons.get(one) ?? since.unknown ?? (since.written.has(keyName(one)) ? 'the shard has written it since' : null);
    if (dryRun) return saved.keys.map((one) => outcome(one, why(one) === null ? 'would-be' : 'skipped', why(one)));
    const done = new Map<SavedKey, ReplayedKey>();
    for (const one of saved.keys) if (why(one) !== null) done.set(one, outcome(one, 'skipped', why(one)));
    const left = saved.keys.filter((one) => !done.has(one));
    for (let at = 0; at < left.length; at += TOGETHER)
      for (const [one, is] of await writeTogether(connection, since, left.slice(at, at + TOGETHER))) done.set(one, is);
    return saved.keys.flatMap((one) => done.get(one) ?? []);
  } catch (error) {
    if (error instanceof JobFailed)
      throw new Refusal('node_failed', `the shard’s master ${master.id}: ${error.message}`);
    throw error;
  } finally {
    reader.close();
    connection.close();
  }
}

/** All of them, but for those that somebody writes meanwhile. */
async function writeTogether(
  connection: Connection,
  since: WrittenSince,
  keys: readonly SavedKey[],
): Promise<ReadonlyMap<SavedKey, ReplayedKey>> {
  const done = new Map<SavedKey, ReplayedKey>();
  let left = keys;
  for (let tries = 0; tries < TRIES && left.length > 0; tries++) {
    const watched = await connection.ask(watchKeys(left.map(({ key }) => key)));
    if (watched.kind !== 'reply') return fail(done, left, watched);
    // Whatever was written before is in the log by now; what is written from now on ends the transaction.
    await since.readOn();
    for (const one of left) {
      const why = since.unknown ?? (since.written.has(keyName(one)) ? 'the shard has written it since' : null);
      if (why !== null) done.set(one, outcome(one, 'skipped', why));
    }
    left = left.filter((one) => !done.has(one));
    if (left.length === 0) {
      await connection.ask(unwatch());
      break;
    }
    const commands = left.flatMap((one) => one.commands.map((command) => ({ one, args: command.args })));
    const got = await connection.ask(together(commands.map(({ args }) => args)));
    if (got.kind !== 'reply') return fail(done, left, got);
    if (got.value === undefined) continue;
    for (const one of left) done.set(one, outcome(one, 'replayed', null));
    got.value.forEach((result, i) => {
      const one = commands[i]?.one;
      if (result !== 'done' && one !== undefined) done.set(one, outcome(one, 'failed', result.text));
    });
    return done;
  }
  for (const one of left)
    if (!done.has(one)) done.set(one, outcome(one, 'skipped', 'it is being written all the time'));
  return done;
}

function fail(
  done: Map<SavedKey, ReplayedKey>,
  left: readonly SavedKey[],
  got: { readonly kind: string; readonly error?: { readonly text: string } },
): ReadonlyMap<SavedKey, ReplayedKey> {
  const why = got.error?.text ?? 'the master did not answer: it may have been written';
  for (const one of left) done.set(one, outcome(one, 'failed', why));
  return done;
}
