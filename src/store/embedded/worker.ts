/** The store's thread: takes everything that has arrived, commits it as one group, then reads, then answers. */
import { join } from 'node:path';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Fence, Write } from '../port.ts';
import { Database, type Judged, Uncertain } from './database.ts';
import { failureOf, wordsOf } from './failures.ts';
import { openDatabase, takeFolder } from './folder.ts';
import type { CommitRequest, FromWorker, Reply, Request, Settings } from './messages.ts';
import { StoreOpenError } from './open-error.ts';
import { Reserve } from './reserve.ts';

const port = parentPort;
if (port === null) throw new Error('the embedded store runs in a worker thread');
const settings: Settings = workerData;

const UNOPENED = 'the database cannot be opened';
const NO_HISTORY = 'the disk is full: history is not kept until there is room';

function say(message: FromWorker): void {
  port?.postMessage(message);
}

function failed(why: string): Judged {
  return { outcome: { kind: 'failed', why }, idle: [] };
}

/** Opens the folder, and answers for it. */
class Keeper {
  readonly #path: string;
  readonly #release: () => void;
  readonly #reserve: Reserve;
  #database: Database | undefined;
  #fence: Fence | undefined;

  constructor() {
    const folder = takeFolder(settings);
    this.#path = folder.database;
    this.#release = folder.release;
    try {
      this.#database = openDatabase(settings.dir, folder.database);
    } catch (error) {
      folder.release();
      throw error;
    }
    say({ kind: 'opened', revision: this.#database.revision });
    this.#reserve = new Reserve(settings.dir, join(settings.dir, 'reserve'), settings.reserve);
  }

  /** False once closed. */
  serve(requests: readonly Request[]): boolean {
    this.#reopen();
    const replies: Reply[] = [];
    const commits: CommitRequest[] = [];
    const others: Exclude<Request, CommitRequest>[] = [];
    for (const request of requests) {
      // Tokens change between commits, so each is judged in its place.
      if (request.kind === 'fence') this.#fence = request.fence;
      if (request.kind !== 'commit') others.push(request);
      else if (this.#fence !== undefined && request.fence === this.#fence) commits.push(request);
      else replies.push({ kind: 'commit', id: request.id, outcome: { kind: 'fenced' }, idle: [] });
    }
    const judged = this.#commit(commits.map((request) => request.writes));
    commits.forEach(({ id }, i) => {
      replies.push({ kind: 'commit', id, ...(judged[i] ?? failed('not judged')) });
    });
    this.#reopen();
    const closing = others.find((request) => request.kind === 'close');
    for (const request of others) {
      if (request.kind === 'fence') replies.push({ kind: 'done', id: request.id });
      else if (request.kind !== 'close') replies.push(this.#answer(request));
    }
    if (closing !== undefined) {
      this.#database?.close();
      this.#release();
      replies.push({ kind: 'done', id: closing.id });
    }
    say({ kind: 'replies', replies });
    if (closing !== undefined) return false;
    this.#tidy();
    return true;
  }

  #tidy(): void {
    const database = this.#database;
    if (database === undefined) return;
    // On a full disk the log must not grow at all.
    if (!database.untidy && !this.#reserve.spent) return;
    if (!database.tidy()) this.#makeRoom();
  }

  /** Gives the reserve to the file's growth by what is in the log; from then on commits use the log's space again. */
  #makeRoom(): void {
    if (this.#reserve.spend()) this.#database?.tidy();
  }

  #answer(request: Extract<Request, { kind: 'read' | 'list' }>): Reply {
    const { id } = request;
    const database = this.#database;
    if (database === undefined) return { kind: 'unavailable', id, why: UNOPENED };
    try {
      switch (request.kind) {
        case 'read':
          return { kind: 'read', id, entries: request.keys.map((key) => database.read(key)) };
        case 'list':
          return { kind: 'list', id, entries: database.list(request.prefix), revision: database.revision };
      }
    } catch (error) {
      return { kind: 'unavailable', id, why: wordsOf(error) };
    }
  }

  #commit(group: readonly (readonly Write[])[]): readonly Judged[] {
    const tight = this.#tight();
    const kept = group.filter((writes) => !(tight && isHistory(writes)));
    const judged = this.#commitTogether(kept)[Symbol.iterator]();
    return group.map((writes) =>
      tight && isHistory(writes) ? failed(NO_HISTORY) : (judged.next().value ?? failed('not judged')),
    );
  }

  #commitTogether(group: readonly (readonly Write[])[]): readonly Judged[] {
    const database = this.#database;
    if (group.length === 0) return [];
    if (database === undefined) return group.map(() => failed(UNOPENED));
    try {
      return database.commit(group);
    } catch (error) {
      if (error instanceof Uncertain) return group.map(() => this.#unknown(error));
      if (failureOf(error) === 'full') this.#makeRoom();
      // One bad commit must not fail its neighbours.
      return group.map((writes) => this.#commitAlone(writes));
    }
  }

  #commitAlone(writes: readonly Write[]): Judged {
    const database = this.#database;
    if (database === undefined) return failed(UNOPENED);
    if (this.#tight() && isHistory(writes)) return failed(NO_HISTORY);
    try {
      return database.commit([writes])[0] ?? failed('not judged');
    } catch (error) {
      if (error instanceof Uncertain) return this.#unknown(error);
      if (failureOf(error) === 'full') this.#makeRoom();
      return failed(wordsOf(error));
    }
  }

  /** Whether what room there is must be left to the commits that matter. */
  #tight(): boolean {
    if (!this.#reserve.spent || this.#reserve.refill()) return false;
    return (this.#database?.free() ?? 0) < settings.reserve;
  }

  /** What is in the file now is found out by opening it anew, before anything else is answered from it. */
  #unknown(error: Uncertain): Judged {
    try {
      this.#database?.close();
    } catch {
      // It is given up in any case.
    }
    this.#database = undefined;
    return { outcome: { kind: 'unknown', why: error.message }, idle: [] };
  }

  #reopen(): void {
    if (this.#database !== undefined) return;
    try {
      this.#database = new Database(this.#path);
      say({ kind: 'reopened', revision: this.#database.revision, why: 'the disk failed during a commit' });
    } catch {
      // Tried again before the next questions.
    }
  }
}

/** Taking history away makes room: that is always tried. */
function isHistory(writes: readonly Write[]): boolean {
  const { history } = settings;
  if (writes.every(({ value }) => value === null)) return false;
  return writes.every(({ key }) => history.some((prefix) => key.startsWith(prefix)));
}

try {
  const keeper = new Keeper();
  port.on('message', (first: readonly Request[]) => {
    const requests = [...first];
    for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
      requests.push(...more.message);
    }
    if (!keeper.serve(requests)) port.close();
  });
} catch (error) {
  if (!(error instanceof StoreOpenError)) throw error;
  say({ kind: 'refused', code: error.code, message: error.message });
}
