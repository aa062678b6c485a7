/**
 * The database file: two tables, and commits in groups. Runs in the store's thread; every call blocks it.
 *
 * SQLite's locks are the process' POSIX locks, which vanish when the process closes any descriptor of the same file: the
 * files of the folder are never opened here but by SQLite.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { afterPrefix } from '../keys.ts';
import type { Committed, Entry, Revision, Write } from '../port.ts';
import { failureOf, wordsOf } from './failures.ts';

/** The one this release writes, and the newest that it reads. */
export const FORMAT = 1;

/** Bytes of log, about, after which it is moved into the database proper, outside of any commit. */
const CHECKPOINT_EVERY = 4 * 1024 * 1024;
const PAGE = 4096;

export interface Judged {
  readonly outcome: Committed;
  readonly idle: readonly string[];
}

/** The disk failed while a transaction was made durable: a part of the log may hold it. Close and open again. */
export class Uncertain extends Error {
  override readonly name = 'Uncertain';
}

/** Makes an empty database and closes it; whole and durable once this returns. */
export function createDatabase(path: string): void {
  const db = new DatabaseSync(path);
  try {
    db.exec(`
      PRAGMA page_size = ${PAGE};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE records (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        value TEXT NOT NULL,
        revision INTEGER NOT NULL
      ) STRICT;
      INSERT INTO meta (name, value) VALUES ('format', ${FORMAT}), ('revision', 0);
    `);
  } finally {
    db.close();
  }
}

export interface Inspection {
  readonly format: number;
  /** What is wrong with the file, in SQLite's words. */
  readonly damage: string | undefined;
}

/**
 * Looks at a database without changing a byte of it or of its log: a read-only connection does not even move the log
 * into the file when it closes. `thorough` walks through all pages. Throws what SQLite throws.
 */
export function inspectDatabase(path: string, thorough: boolean): Inspection {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
  try {
    const format = numberOf(only(db.prepare("SELECT value FROM meta WHERE name = 'format'")));
    const found = thorough ? only(db.prepare('PRAGMA quick_check(1)')) : 'ok';
    return { format, damage: found === 'ok' ? undefined : String(found) };
  } finally {
    db.close();
  }
}

/** The one column of the first row, undefined without a row. */
function only(statement: StatementSync, ...parameters: string[]): unknown {
  return Object.values(statement.get(...parameters) ?? {})[0];
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw new Error(`expected a number, found ${typeof value}`);
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`expected text, found ${typeof value}`);
  return value;
}

function entryOf({ key, value, revision }: Record<string, unknown>): Entry {
  return { key: textOf(key), value: textOf(value), revision: numberOf(revision) };
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #select: StatementSync;
  readonly #revisionOf: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #range: StatementSync;
  readonly #tail: StatementSync;
  readonly #setRevision: StatementSync;
  readonly #freePages: StatementSync;
  #revision: Revision;
  #written = 0;

  /** Opens a database that `inspectDatabase` found good. Throws what SQLite throws, also when it cannot be written. */
  constructor(path: string) {
    const db = new DatabaseSync(path, { timeout: 1_000 });
    this.#db = db;
    try {
      db.exec(`
        PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 0;
        PRAGMA journal_size_limit = ${2 * CHECKPOINT_EVERY};
        BEGIN IMMEDIATE;
        ROLLBACK;
      `);
      this.#select = db.prepare('SELECT key, value, revision FROM records WHERE key = ?');
      this.#revisionOf = db.prepare('SELECT revision FROM records WHERE key = ?');
      this.#begin = db.prepare('BEGIN IMMEDIATE');
      this.#commit = db.prepare('COMMIT');
      this.#put = db.prepare(`
        INSERT INTO records (key, value, revision) VALUES (?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision
      `);
      this.#delete = db.prepare('DELETE FROM records WHERE key = ?');
      this.#range = db.prepare('SELECT key, value, revision FROM records WHERE key >= ? AND key < ? ORDER BY key');
      this.#tail = db.prepare('SELECT key, value, revision FROM records WHERE key >= ? ORDER BY key');
      this.#setRevision = db.prepare("UPDATE meta SET value = ? WHERE name = 'revision'");
      this.#freePages = db.prepare('PRAGMA freelist_count');
      this.#revision = numberOf(only(db.prepare("SELECT value FROM meta WHERE name = 'revision'")));
    } catch (error) {
      db.close();
      throw error;
    }
  }

  get revision(): Revision {
    return this.#revision;
  }

  read(key: string): Entry | undefined {
    const row = this.#select.get(key);
    return row === undefined ? undefined : entryOf(row);
  }

  list(prefix: string): readonly Entry[] {
    const end = afterPrefix(prefix);
    return (end === undefined ? this.#tail.all(prefix) : this.#range.all(prefix, end)).map(entryOf);
  }

  /**
   * Commits in order, made durable together, each judged on what the ones before it left. Either all outcomes are
   * answered, or it throws: `Uncertain`, or anything else when certainly nothing of the group was written.
   */
  commit(group: readonly (readonly Write[])[]): readonly Judged[] {
    const before = this.#revision;
    let judged: readonly Judged[];
    try {
      this.#begin.run();
      judged = group.map((writes) => this.#judge(writes));
      if (this.#revision !== before) this.#setRevision.run(this.#revision);
      this.#written += 2 * PAGE;
    } catch (error) {
      this.#undo(before);
      throw error;
    }
    try {
      this.#commit.run();
    } catch (error) {
      this.#undo(before);
      // Only a write that found no room has certainly not reached the end of its transaction.
      if (failureOf(error) === 'full' || failureOf(error) === 'busy') throw error;
      throw new Uncertain(wordsOf(error));
    }
    return judged;
  }

  /** Whether the log has grown so far that it should be moved into the file. */
  get untidy(): boolean {
    return this.#written >= CHECKPOINT_EVERY;
  }

  /** Moves the log into the file, so that its space is used again; false when there was no room for that. */
  tidy(): boolean {
    this.#written = 0;
    try {
      this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
      return true;
    } catch (error) {
      // The log keeps everything, and it is tried again after as much text.
      return failureOf(error) !== 'full';
    }
  }

  /** Bytes inside the file that deleted records have left. */
  free(): number {
    return numberOf(only(this.#freePages)) * PAGE;
  }

  close(): void {
    this.#db.close();
  }

  #judge(writes: readonly Write[]): Judged {
    const revisions = new Map<string, Revision>();
    for (const { key } of writes) revisions.set(key, numberOf(only(this.#revisionOf, key) ?? 0));
    const conflicts = writes.filter(({ key, expected }) => expected !== undefined && expected !== revisions.get(key));
    if (conflicts.length > 0) {
      return { outcome: { kind: 'conflict', keys: conflicts.map((write) => write.key) }, idle: [] };
    }
    const idle = writes.filter(({ key, value }) => value === null && revisions.get(key) === 0).map(({ key }) => key);
    if (idle.length < writes.length) this.#apply(writes, this.#revision + 1);
    return { outcome: { kind: 'committed', revision: this.#revision }, idle };
  }

  #apply(writes: readonly Write[], revision: Revision): void {
    for (const { key, value } of writes) {
      if (value === null) this.#delete.run(key);
      else this.#put.run(key, value, revision);
      this.#written += PAGE + (value?.length ?? 0);
    }
    this.#revision = revision;
  }

  #undo(before: Revision): void {
    this.#revision = before;
    // Some failures roll back by themselves.
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }
}
