import type { LogEntry } from './port.ts';

/** The batches of a node in order, the oldest forgotten beyond a limit, as a write-ahead log of limited size. */
export class WriteLog {
  readonly #limit: number;
  #entries: LogEntry[] = [];
  #head = 0;
  /** The number below which nothing is known any more. */
  #start = 1;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(entry: LogEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length - this.#head > this.#limit) this.#forget(this.#head + 1);
  }

  /** At most `most` entries with a record numbered `from` or higher; undefined if some of them are forgotten. */
  from(from: number, most = Number.POSITIVE_INFINITY): readonly LogEntry[] | undefined {
    if (from < this.#start) return undefined;
    const at = this.#find(from);
    const found = this.#entries.slice(at, at + most);
    const first = found[0];
    if (first?.apart && first.sequence < from) found[0] = tailOf(first, from);
    return found;
  }

  /** Forgets the batches that end below `sequence`. */
  purge(sequence: number): void {
    this.#forget(this.#find(sequence));
    if (this.#head === this.#entries.length) this.#start = Math.max(this.#start, sequence);
  }

  /** Empty, knowing of nothing below `start`. */
  reset(start: number, entries: readonly LogEntry[]): void {
    this.#entries = [...entries];
    this.#head = 0;
    this.#start = start;
  }

  get start(): number {
    return this.#start;
  }

  all(): readonly LogEntry[] {
    return this.#entries.slice(this.#head);
  }

  #forget(head: number): void {
    if (head <= this.#head) return;
    const last = this.#entries[head - 1];
    if (last !== undefined) this.#start = last.sequence + last.count;
    this.#head = head;
    // Cut off in large pieces only: each cut copies the rest.
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  #find(sequence: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && entry.sequence + entry.count <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What remains of an entry of separate records from a number on. */
function tailOf(entry: LogEntry, from: number): LogEntry {
  const [[kind = '', channel = '', ...messages] = [], ...rest] = entry.effects;
  const gone = from - entry.sequence;
  const effects = [[kind, channel, ...messages.slice(gone)], ...rest];
  return { sequence: from, count: entry.count - gone, effects, slots: entry.slots, apart: true };
}

/** The batches of an entry of separate records, at most `most`. */
export function separately(entry: LogEntry, most: number): readonly LogEntry[] {
  const [[kind = '', channel = '', ...messages] = [], ...rest] = entry.effects;
  return messages.slice(0, most).map((message, i) => ({
    sequence: entry.sequence + i,
    count: 1,
    effects: [[kind, channel, message], ...rest],
    slots: [],
  }));
}
