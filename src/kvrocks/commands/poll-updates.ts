import { classifyError } from '../errors.ts';
import { garbled, type Question, type Read, readText, reply } from '../question.ts';
import { encodeCommand, type Reply } from '../resp.ts';

/** Entries of a node's log behind a sequence, or why there are none. */
export type Updates<E> =
  | {
      readonly kind: 'updates';
      /** None if the node ends at exactly the sequence that was asked for. */
      readonly entries: readonly E[];
      /** The last sequence of the last entry that was read; ask on from here. */
      readonly nextSequence: number;
      readonly latestSequence: number;
    }
  /** The node is not as far as the sequence that was asked for. */
  | { readonly kind: 'beyond-the-end' }
  /** The next sequence lies within an entry of several, which begins at `begins`. Only told to strict questions. */
  | { readonly kind: 'inside-an-entry'; readonly begins: number }
  /** The log begins later: at `available`; undefined if it holds nothing at all. */
  | { readonly kind: 'purged'; readonly available: number | undefined }
  /** An older server: it has no POLLUPDATES (it came in August 2024), or not this format (RESP: January 2025). */
  | { readonly kind: 'unsupported' };

/** One entry of RocksDB's log: all that one command wrote, or one EXEC. */
export interface LogEntry {
  readonly sequence: number;
  /** How many sequence numbers it takes: the next entry begins at `sequence + count`. */
  readonly count: number;
  /**
   * The whole write batch, a character a byte. Nodes with a common history have the same bytes under the same sequence,
   * after a restart and after a full copy too, since that copies the log. Unequal bytes disprove a common history; equal
   * ones do not prove it: two nodes that took the same SET or PUBLISH wrote the same bytes. (Hashes, lists and their like
   * carry the time of their making and do not repeat; with `use-rsid-psync yes` every entry carries the id of its
   * history, and equal entries are of one history.)
   */
  readonly bytes: string;
}

/** One write of a node, as a command that a client could send. Texts are latin1: a character a byte. */
export interface LoggedCommand {
  /** `default`; empty for XADD and XDEL, whose namespace the server leaves out (2.14). */
  readonly namespace: string;
  readonly args: readonly string[];
}

/** The server refuses to give more at once. */
export const MOST_UPDATES = 1000;

interface Raw {
  readonly strict?: boolean;
  readonly format?: 'raw';
}
interface Commands {
  readonly strict?: boolean;
  readonly format: 'resp';
}

/**
 * `POLLUPDATES <after> MAX <max> [STRICT] [FORMAT RESP]`: what is in the node's log behind sequence `after`, at most
 * `max` entries (cut to 1 to 1,000). Answered by masters and replicas, fenced or not. A late or repeated copy changes
 * nothing. RAW costs two characters a byte, so entries with values of 10 kB pass the limit of one reply (`REPLY_LIMITS`,
 * 16 MiB) at some 800: the reply is `garbled` and the connection ends. Ask for fewer then.
 *
 * Strict, which is the default here, the first entry must begin at exactly `after + 1`. Otherwise the server begins
 * without a word at whatever it has: at the entry that holds `after + 1`, or at the first that its log still has.
 *
 * As commands (`resp`) an entry of RPUSH with three values is three commands, and times are PEXPIREAT. What 2.14 does
 * not tell as a command, or not rightly: FLUSHALL, FLUSHDB and the slots deleted after a move (nothing at all); PERSIST
 * of anything but a string; a list or a bitmap under its new name after RENAME and COPY; BITOP of one key; HyperLogLogs,
 * Bloom filters, sorted ints, XGROUP; the id of XSETID; all but the first of several LINSERT, LTRIM, LREM or LMOVE in
 * one EXEC. Scores are rounded to six decimals. PUBLISH, SCRIPT LOAD and the history ids of `use-rsid-psync` are no
 * commands here. Streams come first, under the empty namespace, so the order between them and the rest holds only
 * within an answer of one entry.
 */
export function pollUpdates(after: number, max: number, options?: Raw): Question<Updates<LogEntry>>;
export function pollUpdates(after: number, max: number, options: Commands): Question<Updates<LoggedCommand>>;
export function pollUpdates(
  after: number,
  max: number,
  { strict = true, format = 'raw' }: Raw | Commands = {},
): Question<Updates<LogEntry> | Updates<LoggedCommand>> {
  const most = Math.max(1, Math.min(Math.floor(max), MOST_UPDATES));
  const args = ['POLLUPDATES', `${after}`, 'MAX', `${most}`];
  if (strict) args.push('STRICT');
  if (format === 'resp') args.push('FORMAT', 'RESP');
  return {
    bytes: encodeCommand(args),
    replies: 1,
    read: ([got]) =>
      format === 'resp' ? readUpdates(got, after, loggedCommands) : readUpdates(got, after, rawEntries),
  };
}

function readUpdates<E>(
  got: Reply | undefined,
  after: number,
  entriesOf: (items: readonly Reply[]) => readonly E[] | undefined,
): Read<Updates<E>> {
  if (got?.kind === 'error') return readRefusal(got.text, after);
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

function readRefusal<E>(text: string, after: number): Read<Updates<E>> {
  if (text.includes('next sequence is out of range')) return reply({ kind: 'beyond-the-end' });
  if (text.includes('mismatched sequence number')) {
    const found = /but got (\d{1,15})$/.exec(text)?.[1];
    const begins = found === undefined ? undefined : Number(found);
    if (begins !== undefined && begins <= after) return reply({ kind: 'inside-an-entry', begins });
    return reply({ kind: 'purged', available: begins });
  }
  // Every file of the log that may hold it is gone.
  if (text === 'ERR iterator is not valid') return reply({ kind: 'purged', available: undefined });
  const error = classifyError(text);
  // The words sent are right, so what is a syntax error is a word that this server does not know.
  if (error.kind === 'usage' || text === 'ERR syntax error') return reply({ kind: 'unsupported' });
  return { kind: 'error', error };
}

function sequenceOf(got: Reply | undefined): number | undefined {
  if (got?.kind === 'integer') return got.value;
  const text = got && readText(got);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A batch begins with its sequence, eight bytes, and its count, four, both with the lowest byte first. */
const HEADER_BYTES = 12;

function rawEntries(items: readonly Reply[]): readonly LogEntry[] | undefined {
  const entries: LogEntry[] = [];
  for (const item of items) {
    const hex = readText(item);
    if (hex === undefined || hex.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(hex)) return undefined;
    const bytes = Buffer.from(hex, 'hex');
    if (bytes.length < HEADER_BYTES) return undefined;
    const sequence = bytes.readBigUInt64LE(0);
    if (sequence > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    entries.push({ sequence: Number(sequence), count: bytes.readUInt32LE(8), bytes: bytes.toString('latin1') });
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
