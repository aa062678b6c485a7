/**
 * What the emulated node's core needs of its data: one process's keys with their types, expiry and RocksDB-like
 * sequence numbers. Pure: no clock, no chance, no I/O; `now` is milliseconds since 1970.
 */
import type { Reply } from '../reply.ts';

/** One write batch: what a replica or a migration target must replay to get the same state. */
export interface LogEntry {
  /** The number of its first record; the batch takes `count` numbers. */
  readonly sequence: number;
  readonly count: number;
  /**
   * Deterministic effects (absolute expiry, chosen members), commands of the data's own vocabulary (`effects.ts`).
   * `EVICT key` goes before a write to a key that had expired; it takes no number and no client ever sent it.
   */
  readonly effects: readonly (readonly string[])[];
  /** The slots it touches; empty for FLUSHALL, PUBLISH, SCRIPT LOAD and the like. */
  readonly slots: readonly number[];
  /**
   * Each record is a batch of its own, as MPUBLISH writes them: a replica may begin within. Kept as one entry because
   * they come by the hundred thousand; the first effect is `PUBLISH channel message...`, a record a message.
   */
  readonly apart?: true | undefined;
}

export interface CommandShape {
  /** Positive: exact number of words with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly string[];
  readonly write: boolean;
  /** First key, last key (negative: counted from the end) and step, as COMMAND INFO shows; zeros: no fixed keys. */
  readonly range: readonly [number, number, number];
  /** The keys among the words (indices), for the slot check. */
  keys(words: readonly string[]): readonly number[];
}

/** What INFO keyspace shows of keys: the state at the last DBSIZE SCAN, all zero before the first. */
export interface KeyCounts {
  readonly keys: number;
  readonly expires: number;
  /** Seconds. */
  readonly averageTtl: number;
  readonly expired: number;
}

export interface Database {
  /** The number of the last record; 0 for an empty folder. */
  readonly sequence: number;
  /** Undefined: not a data command. Names in any case. */
  shape(name: string): CommandShape | undefined;
  /** The names of all data commands, in lower case. */
  readonly commandNames: readonly string[];
  readonly keyCounts: KeyCounts;
  /** Keys, expired ones included. */
  readonly size: number;
  /**
   * Arity and slots are checked by the caller; argument and type errors are replies. Writes append to the log.
   * Blocking commands (flag `blocking`: BLPOP, XREAD BLOCK...) are tried once: nil or nil-array means they would wait.
   */
  execute(words: readonly string[], now: number): Reply;
  /** Replays an entry that came from a master: takes its numbers as they are. */
  apply(entry: LogEntry): void;
  /** Appends an entry without keys (SCRIPT LOAD...) of `count` records. */
  appendKeyless(count: number, effects: readonly (readonly string[])[]): void;
  /** Appends a batch of one record for each message. */
  appendMessages(channel: string, messages: readonly string[]): void;
  /**
   * From here to `endBatch` all writes become one batch, which takes its numbers at its end; reads see them at once.
   * Entries of `apply` stay their own and go before it.
   */
  beginBatch(): void;
  endBatch(): void;
  /** With `use-rsid-psync`: the id of the replication history, which each batch of the node's own carries. */
  history: string | undefined;
  /** The history that the batch with this number carries; undefined if it carries none or the log does not have it. */
  historyOf(sequence: number): string | undefined;
  /** Grows with every write, also within a batch that has no number yet. */
  readonly writes: number;
  /**
   * At most `most` entries with a record numbered `from` or higher, in order; undefined if the log no longer begins
   * there. The first may begin before `from`, unless it is `apart`.
   */
  entriesFrom(from: number, most?: number): readonly LogEntry[] | undefined;
  /** The number at which the log begins, as far as it is kept. */
  readonly logStart: number;
  /** Forgets all entries below `sequence`, as a purged write-ahead log does. */
  purgeLog(sequence: number): void;
  /** Called with each entry as it is appended (by execute, appendKeyless, appendMessages, deleteSlots and apply). */
  onAppend: ((entry: LogEntry) => void) | undefined;
  keysInSlot(slot: number, now: number): readonly string[];
  /** Effects that recreate a key with value and absolute expiry: what a migration copies. Empty if it is gone. */
  dump(key: string, now: number): readonly (readonly string[])[];
  /** Runs effects under one batch, numbering them anew, as a migration target does. */
  restoreEffects(effects: readonly (readonly string[])[]): void;
  /** Deletes every key of slots a..b, numbering a batch if there were any. */
  deleteSlots(from: number, to: number): void;
  /** Keys that have not expired at `now`. */
  isEmpty(now: number): boolean;
  /** The whole state as a JSON-able value, log included as far as it is kept; for full sync and for disk. */
  snapshot(): unknown;
  /** Replaces everything. Throws on a snapshot that it did not make. */
  restore(snapshot: unknown): void;
  /** Replaces everything by nothing, sequence 0. */
  clear(): void;
}
