import { classifyError } from '../errors.ts';
import { garbled, type Question, type Read, readText, reply } from '../question.ts';
import { encodeCommand, type Reply } from '../resp.ts';

/** Entries of a node's log, or why there are none. */
export type Updates<E> =
  | {
      readonly kind: 'updates';
      readonly entries: readonly E[];
      /** The last sequence that `entries` reach; ask on from here. */
      readonly nextSequence: number;
      readonly latestSequence: number;
    }
  /** The node is not as far as that. */
  | { readonly kind: 'beyond-the-end' }
  /** The log begins later: at `available`, if the server told. */
  | { readonly kind: 'purged'; readonly available: number | undefined };

/** One entry of RocksDB's log. Two nodes with a common history have the same `raw` under the same `sequence`. */
export interface LogEntry {
  readonly sequence: number;
  /** How many sequence numbers it takes. */
  readonly count: number;
  /** Hexadecimal, capitals. */
  readonly raw: string;
}

/** The server gives no more at once. */
const MOST_UPDATES = 1000;

/**
 * `POLLUPDATES <after> MAX <max> STRICT`: the raw entries behind sequence `after`. Strict: the first must begin at
 * exactly `after + 1`. `usage` before 2.14. A late or repeated copy changes nothing.
 */
export function pollUpdates(after: number, max: number): Question<Updates<LogEntry>> {
  return {
    bytes: encodeCommand(['POLLUPDATES', `${after}`, 'MAX', `${Math.min(max, MOST_UPDATES)}`, 'STRICT']),
    replies: 1,
    read: ([got]) => readUpdates(got, rawEntries),
  };
}

/** One write of a node, as a command that a client could send. Texts are latin1: a character a byte. */
export interface LoggedCommand {
  readonly namespace: string;
  readonly args: readonly string[];
}

/** The same with `FORMAT RESP`: the writes as commands, for saving what a node alone holds. */
export function pollCommands(after: number, max: number): Question<Updates<LoggedCommand>> {
  return {
    bytes: encodeCommand(['POLLUPDATES', `${after}`, 'MAX', `${Math.min(max, MOST_UPDATES)}`, 'FORMAT', 'RESP']),
    replies: 1,
    read: ([got]) => readUpdates(got, loggedCommands),
  };
}

function readUpdates<E>(
  got: Reply | undefined,
  entriesOf: (items: readonly Reply[]) => readonly E[] | undefined,
): Read<Updates<E>> {
  if (got?.kind === 'error') return readRefusal(got.text);
  if (got?.kind !== 'array') return garbled('POLLUPDATES: no fields');
  const fields = new Map<string, Reply>();
  for (let at = 0; at + 1 < got.items.length; at += 2) {
    const [name, value] = got.items.slice(at, at + 2);
    if (name !== undefined && value !== undefined) fields.set(readText(name) ?? '', value);
  }
  const nextSequence = sequenceOf(fields.get('next_sequence'));
  const latestSequence = sequenceOf(fields.get('latest_sequence'));
  const updates = fields.get('updates');
  const entries = updates?.kind === 'array' ? entriesOf(updates.items) : undefined;
  if (nextSequence === undefined || latestSequence === undefined || entries === undefined) {
    return garbled('POLLUPDATES: a field is missing');
  }
  return reply({ kind: 'updates', entries, nextSequence, latestSequence });
}

function readRefusal<E>(text: string): Read<Updates<E>> {
  if (text.includes('next sequence is out of range')) return reply({ kind: 'beyond-the-end' });
  if (text.includes('mismatched sequence number')) {
    const available = /but got (\d{1,15})/.exec(text)?.[1];
    return reply({ kind: 'purged', available: available === undefined ? undefined : Number(available) });
  }
  return { kind: 'error', error: classifyError(text) };
}

function sequenceOf(got: Reply | undefined): number | undefined {
  if (got?.kind === 'integer') return got.value;
  const text = got && readText(got);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A batch begins with its sequence, eight bytes, and its count, four, both with the lowest byte first. */
const HEADER = /^[0-9a-f]{24}/i;

function rawEntries(items: readonly Reply[]): readonly LogEntry[] | undefined {
  const entries: LogEntry[] = [];
  for (const item of items) {
    const raw = readText(item)?.toUpperCase();
    if (raw === undefined || !HEADER.test(raw)) return undefined;
    const header = Buffer.from(raw.slice(0, 24), 'hex');
    const sequence = header.readBigUInt64LE(0);
    if (sequence > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    entries.push({ sequence: Number(sequence), count: header.readUInt32LE(8), raw });
  }
  return entries;
}

/** Namespaces and lists of commands take turns. */
function loggedCommands(items: readonly Reply[]): readonly LoggedCommand[] | undefined {
  const commands: LoggedCommand[] = [];
  for (let at = 0; at < items.length; at += 2) {
    const [name, list] = items.slice(at, at + 2);
    const namespace = name && readText(name);
    if (namespace === undefined || list?.kind !== 'array') return undefined;
    for (const command of list.items) {
      const args = command.kind === 'array' ? command.items.map(argument) : [];
      if (args.length === 0 || !args.every((arg) => arg !== undefined)) return undefined;
      commands.push({ namespace, args });
    }
  }
  return commands;
}

function argument(item: Reply): string | undefined {
  return item.kind === 'integer' ? `${item.value}` : readText(item);
}
