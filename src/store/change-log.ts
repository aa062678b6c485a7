/**
 * The latest commits, kept in memory so that a watch can begin at a revision read a moment ago; and the watches that
 * read from it. Used by the engines that live in this process.
 */
import type { Change, Revision, Watch, WatchEvent } from './port.ts';

interface Logged {
  readonly revision: Revision;
  /** In key order. */
  readonly changes: readonly Change[];
  readonly size: number;
}

export interface LogBounds {
  readonly commits: number;
  /** UTF-16 units of keys and values. */
  readonly text: number;
}

function sizeOf(change: Change): number {
  return change.kind === 'put' ? change.entry.key.length + change.entry.value.length : change.key.length;
}

function keyOf(change: Change): string {
  return change.kind === 'put' ? change.entry.key : change.key;
}

export class ChangeLog {
  readonly #bounds: LogBounds;
  #commits: Logged[] = [];
  #size = 0;
  #base: Revision;

  /** Knows of nothing at or before `base`. */
  constructor(base: Revision, bounds: LogBounds) {
    this.#base = base;
    this.#bounds = bounds;
  }

  /** The newest revision known. */
  get revision(): Revision {
    return this.#commits.at(-1)?.revision ?? this.#base;
  }

  /** Changes in key order; revisions rise. */
  append(revision: Revision, changes: readonly Change[]): void {
    const size = changes.reduce((sum, change) => sum + sizeOf(change), 0);
    this.#commits.push({ revision, changes, size });
    this.#size += size;
    if (this.#commits.length > this.#bounds.commits || this.#size > this.#bounds.text) this.#shed();
  }

  /** Forgets all commits up to `revision`, which is known. */
  compact(revision: Revision): void {
    const kept = this.#indexAfter(revision);
    this.#base = Math.max(this.#base, revision);
    for (const gone of this.#commits.splice(0, kept)) this.#size -= gone.size;
  }

  /** Forgets everything up to and including `revision`, which may be one never logged. */
  restart(revision: Revision): void {
    this.#commits = [];
    this.#size = 0;
    this.#base = revision;
  }

  /** The commits after `from`; undefined when some of them are forgotten. */
  after(from: Revision): readonly Logged[] | undefined {
    return from < this.#base ? undefined : this.#commits.slice(this.#indexAfter(from));
  }

  /** Down to half of the bounds at once, so that appending stays cheap; the newest commit always stays. */
  #shed(): void {
    let count = this.#commits.length;
    let size = this.#size;
    let last = this.#base;
    for (const { revision, size: own } of this.#commits.slice(0, -1)) {
      if (count <= this.#bounds.commits / 2 && size <= this.#bounds.text / 2) break;
      count--;
      size -= own;
      last = revision;
    }
    this.compact(last);
  }

  #indexAfter(from: Revision): number {
    let low = 0;
    let high = this.#commits.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#commits[middle]?.revision ?? 0) <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** One watch over the log: keeps its place, so nothing is missed or told twice however it is woken. */
export class Subscription implements Watch {
  readonly #log: ChangeLog;
  readonly #prefix: string;
  readonly #on: (event: WatchEvent) => void;
  readonly #ended: () => void;
  #position: Revision;
  #open = true;

  /** `ended` is called once, when the watch closes or ends. */
  constructor(
    log: ChangeLog,
    prefix: string,
    from: Revision,
    on: (event: WatchEvent) => void,
    ended: () => void = () => {},
  ) {
    this.#log = log;
    this.#prefix = prefix;
    this.#position = from;
    this.#on = on;
    this.#ended = ended;
  }

  /** Tells what has not been told, of commits up to `limit`. */
  pump(limit: Revision = Number.POSITIVE_INFINITY): void {
    if (!this.#open) return;
    const commits = this.#log.after(this.#position);
    if (commits === undefined) {
      this.end({ kind: 'compacted' });
      return;
    }
    for (const { revision, changes } of commits) {
      // The watcher may close it, or wake it again, from within its own call.
      if (!this.#open || revision > limit) return;
      if (revision <= this.#position) continue;
      this.#position = revision;
      const own = changes.filter((change) => keyOf(change).startsWith(this.#prefix));
      if (own.length > 0) this.#on({ kind: 'changes', revision, changes: own });
    }
  }

  /** Ends the watch with a last word. */
  end(event: WatchEvent): void {
    if (!this.#open) return;
    this.close();
    this.#on(event);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ended();
  }
}
