/**
 * The data folder: who has it, what is in it, and a reserve of space.
 *
 *   kvctl.db, -wal, -shm   the database
 *   lock.db                empty; locked for as long as the process lives, and by the system's own doing no longer
 *   holder.json            who that is, for people only: nothing is decided by it
 *   reserve                bytes that are given back to a full disk
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createDatabase, Database, FORMAT, inspectDatabase } from './database.ts';
import { failureOf, wordsOf } from './failures.ts';
import type { Settings } from './messages.ts';
import { StoreOpenError } from './open-error.ts';

/** Up to this size every page is looked at when the store opens. */
const THOROUGH_UP_TO = 64 * 1024 * 1024;
/** A predecessor that is just ending is waited for, in milliseconds. */
const LOCK_PATIENCE = 300;

function sizeOf(path: string): number | undefined {
  return fs.statSync(path, { throwIfNoEntry: false })?.size;
}

function unwritable(dir: string, error: unknown): StoreOpenError {
  return new StoreOpenError(
    'unwritable',
    `The data folder ${dir} cannot be used (${wordsOf(error)}): give this user write access and some free space there, or choose another folder.`,
  );
}

/** An empty file only its owner may read; never opens one that is there. */
function touch(path: string): void {
  if (fs.existsSync(path)) return;
  try {
    fs.closeSync(fs.openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!fs.existsSync(path)) throw error;
  }
}

/** Removes a file that may not be there. */
function remove(path: string): void {
  fs.rmSync(path, { force: true });
}

/** As much as the holder said of itself; a stale or unreadable file says nothing. */
function describeHolder(path: string): string {
  try {
    const told: unknown = JSON.parse(fs.readFileSync(path, 'utf8'));
    if (typeof told !== 'object' || told === null) return 'another process';
    const { pid, address, since } = { pid: '', address: '', since: '', ...told };
    return `process ${pid} (at ${address}, since ${since})`;
  } catch {
    return 'another process';
  }
}

export interface Folder {
  readonly database: string;
  /** Gives the folder up. */
  release(): void;
}

/** Takes the folder for this process. Throws `StoreOpenError`: `locked` or `unwritable`. */
export function takeFolder(settings: Settings): Folder {
  const { dir } = settings;
  const holder = join(dir, 'holder.json');
  let lock: DatabaseSync;
  try {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    touch(join(dir, 'lock.db'));
    lock = new DatabaseSync(join(dir, 'lock.db'), { timeout: LOCK_PATIENCE });
  } catch (error) {
    throw unwritable(dir, error);
  }
  try {
    // Nothing is ever written there, so nothing needs a journal on the disk.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (failureOf(error) !== 'busy') throw unwritable(dir, error);
    throw new StoreOpenError(
      'locked',
      `The data folder ${dir} is in use by ${describeHolder(holder)}: stop that process first, or give this one a folder of its own.`,
    );
  }
  try {
    remove(holder);
    fs.writeFileSync(`${holder}.new`, JSON.stringify(settings.holder), { mode: 0o600 });
    fs.renameSync(`${holder}.new`, holder);
  } catch {
    // A full disk must not keep the store from opening; a second process is then refused without a name.
  }
  return {
    database: join(dir, 'kvctl.db'),
    release: () => {
      remove(holder);
      lock.close();
    },
  };
}

/** Makes the database where there is none; checks and opens it. Throws `StoreOpenError`; changes no file then. */
export function openDatabase(dir: string, path: string): Database {
  try {
    if (!fs.existsSync(path)) create(dir, path);
  } catch (error) {
    throw error instanceof StoreOpenError ? error : unwritable(dir, error);
  }
  try {
    check(path);
    // A backup may have been put back with any mode.
    if ((fs.statSync(path).mode & 0o777) !== 0o600) fs.chmodSync(path, 0o600);
    return new Database(path);
  } catch (error) {
    if (error instanceof StoreOpenError) throw error;
    const failure = failureOf(error);
    if (failure === 'damaged' || failure === 'other') throw corrupt(path, wordsOf(error));
    throw unwritable(dir, error);
  }
}

function corrupt(path: string, damage: string): StoreOpenError {
  return new StoreOpenError(
    'corrupt',
    `The database ${path} is damaged (${damage}) and was left as it is: put a backup in its place, or move it away to begin with an empty store.`,
  );
}

function check(path: string): void {
  const { format, damage } = inspectDatabase(path, (sizeOf(path) ?? 0) <= THOROUGH_UP_TO);
  if (format > FORMAT) {
    throw new StoreOpenError(
      'newer-format',
      `The database ${path} has format ${format} and this release knows formats up to ${FORMAT}: use the release that wrote it, or a later one.`,
    );
  }
  if (damage !== undefined) throw corrupt(path, damage);
}

/** Under another name first, so that a file under the real name is always whole, and an empty one a damaged one. */
function create(dir: string, path: string): void {
  // SQLite throws the log of a missing database away: it would be the last trace of it.
  if ((sizeOf(`${path}-wal`) ?? 0) > 0) throw corrupt(path, 'the file is missing, its -wal is there');
  const fresh = `${path}.new`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) remove(fresh + suffix);
  touch(fresh);
  createDatabase(fresh);
  fs.renameSync(fresh, path);
  const folder = fs.openSync(dir, 'r');
  fs.fsyncSync(folder);
  fs.closeSync(folder);
}
