/** Logs for tests: an entry a word, `b+3` being one that takes three numbers; read as POLLUPDATES tells them. */
import type { LogEntry, LoggedCommand, Updates } from '../kvrocks/commands/poll-updates.ts';

export interface Log {
  readonly entries: readonly LogEntry[];
  readonly end: number;
  readonly unsupported?: boolean;
  /** How an entry is told as commands; nothing by default. */
  readonly told?: (entry: LogEntry) => readonly LoggedCommand[];
}

/** `first`: the number of the first one. */
export function logOf(words: readonly string[], first = 1): Log {
  let next = first;
  const entries = words.map((word): LogEntry => {
    const [text = '', count = '1'] = word.split('+');
    const entry = { sequence: next, count: Number(count), bytes: text };
    next += entry.count;
    return entry;
  });
  return { entries, end: next - 1 };
}

export interface LogSource {
  entries(after: number, most?: number, lax?: boolean): Promise<Updates<LogEntry>>;
  commands(after: number, most: number): Promise<Updates<LoggedCommand> | undefined>;
  /** Entries that were asked for as commands one by one. */
  readonly singles: number[];
}

/** `piece`: no answer has more entries than this. */
export function logSource(log: Log, piece = 1_000): LogSource {
  const read = (after: number, most: number, lax: boolean): Updates<LogEntry> => {
    if (log.unsupported === true) return { kind: 'unsupported' };
    if (after > log.end) return { kind: 'beyond-the-end' };
    const found = log.entries.filter((entry) => entry.sequence + entry.count - 1 > after);
    const [first] = found;
    if (after < log.end && !lax && first !== undefined) {
      if (first.sequence <= after) return { kind: 'inside-an-entry', begins: first.sequence };
      if (first.sequence > after + 1) return { kind: 'purged', available: first.sequence };
    }
    const entries = found.slice(0, Math.min(most, piece));
    const last = entries.at(-1);
    const nextSequence = last === undefined ? after : last.sequence + last.count - 1;
    return { kind: 'updates', entries, nextSequence, latestSequence: log.end };
  };
  const singles: number[] = [];
  return {
    singles,
    entries: (after, most = 1_000, lax = false) => Promise.resolve(read(after, most, lax)),
    commands: (after, most) => {
      if (most === 1) singles.push(after + 1);
      const got = read(after, most, true);
      if (got.kind !== 'updates') return Promise.resolve(got);
      const told = got.entries.flatMap((entry) => log.told?.(entry) ?? []);
      // As the server does: streams come first.
      const entries = [
        ...told.filter(({ namespace }) => namespace === ''),
        ...told.filter((one) => one.namespace !== ''),
      ];
      return Promise.resolve({ ...got, entries });
    },
  };
}

const length = (text: string): string => String.fromCharCode(text.length);

/** An entry as the server writes it: a note for each command, then each key in the metadata. */
export function batchOf(sequence: number, keys: readonly string[], notes = 1): LogEntry {
  const note = `\x03${length('1')}1`.repeat(notes);
  const records = keys.map((key) => {
    const stored = `\x0b__namespace\x00\x01${key}`;
    return `\x05\x01${length(stored)}${stored}\x01v`;
  });
  return { sequence, count: keys.length, bytes: `${'\0'.repeat(12)}${note}${records.join('')}` };
}
