/** `POLLUPDATES <sequence> [MAX n] [STRICT] [FORMAT RAW|RESP]`: what was written after a number, as Kvrocks 2.14 tells it. */
import { type NodeCommand, refuse } from './commands.ts';
import { bulk, error, integer, type Outcome } from './core.ts';
import { separately } from './data/log.ts';
import { commandsOf } from './data/log-commands.ts';
import type { Database, LogEntry } from './data/port.ts';
import type { Reply } from './reply.ts';

const UINT64 = 64;
const MOST = 1000;

interface Asked {
  /** The number of the first record that is wanted: one more than the word, and 0 behind the highest there is. */
  readonly next: bigint;
  readonly most: number;
  readonly strict: boolean;
  readonly format: 'raw' | 'resp';
}

export function pollUpdatesCommand(database: Database): NodeCommand {
  return {
    arity: -2,
    flags: ['readonly', 'admin'],
    prepare(words) {
      const asked = askedOf(words);
      return typeof asked === 'string' ? refuse(asked) : () => pollUpdates(database, asked);
    },
  };
}

/** The words understood, or what is wrong with them. */
function askedOf(words: readonly string[]): Asked | string {
  const after = integerWord(words[1] ?? '');
  if (typeof after === 'string') return after;
  if (BigInt.asUintN(UINT64, after) !== after) return 'out of range of integer type';
  let most = 16;
  let strict = false;
  let format: Asked['format'] = 'raw';
  for (let i = 2; i < words.length; i++) {
    const option = words[i]?.toLowerCase();
    if (option === 'strict') {
      strict = true;
    } else if (option === 'max') {
      const word = words[++i];
      const value = word === undefined ? 'no more item to parse' : integerWord(word);
      if (typeof value === 'string') return value;
      if (value < 1n || value > BigInt(MOST)) return 'out of numeric range';
      most = Number(value);
    } else if (option === 'format') {
      const word = words[++i]?.toLowerCase();
      if (word === undefined) return 'no more item to parse';
      if (word !== 'raw' && word !== 'resp') return 'invalid FORMAT option, should be RAW or RESP';
      format = word;
    } else {
      return 'syntax error';
    }
  }
  return { next: BigInt.asUintN(UINT64, after + 1n), most, strict, format };
}

function integerWord(word: string): bigint | string {
  if (/^\d+$/.test(word)) return BigInt(word);
  return /^\d/.test(word) ? 'encounter non-integer characters' : 'not started as an integer';
}

function pollUpdates(database: Database, { next, most, strict, format }: Asked): Outcome {
  const { sequence } = database;
  if (next > BigInt(sequence + 1)) return error('next sequence is out of range');
  const from = Number(next);
  let entries: readonly LogEntry[] = [];
  if (from !== sequence + 1) {
    const found = entriesFrom(database, from, most);
    const [first] = found;
    if (first === undefined) return error('iterator is not valid');
    if (strict && first.sequence !== from) {
      return error(`mismatched sequence number, expected ${from} but got ${first.sequence}`);
    }
    entries = found;
  }
  const last = entries.at(-1);
  return {
    kind: 'map',
    items: [
      bulk('next_sequence'),
      integer(last === undefined ? BigInt.asUintN(UINT64, next - 1n) : last.sequence + last.count - 1),
      bulk('latest_sequence'),
      integer(sequence),
      bulk('updates'),
      { kind: 'array', items: format === 'raw' ? entries.map(raw) : asCommands(entries) },
    ],
  };
}

/** Batches from a number on, or from where the log begins if that is later. */
function entriesFrom(database: Database, from: number, most: number): readonly LogEntry[] {
  const found = database.entriesFrom(Math.max(from, database.logStart), most) ?? [];
  return found.some(({ apart }) => apart)
    ? found.flatMap((entry) => (entry.apart ? separately(entry, most) : entry)).slice(0, most)
    : found;
}

/**
 * The head of a RocksDB batch, eight bytes of sequence and four of count, the lowest first; behind it not RocksDB's
 * bytes but the effects, which two nodes have in common exactly if they wrote or were fed the same.
 */
function raw({ sequence, count, effects }: LogEntry): Reply {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(sequence));
  head.writeUInt32LE(count, 8);
  const body = Buffer.from(JSON.stringify(effects), 'latin1');
  return bulk(Buffer.concat([head, body]).toString('hex').toUpperCase());
}

/** Namespaces, in order of their names, and the commands of each. */
function asCommands(entries: readonly LogEntry[]): readonly Reply[] {
  const shown = entries.flatMap(commandsOf);
  return (['', 'default'] as const).flatMap((namespace): readonly Reply[] => {
    const commands = shown.filter((command) => command.namespace === namespace);
    if (commands.length === 0) return [];
    return [
      bulk(namespace),
      { kind: 'array', items: commands.map(({ words }) => ({ kind: 'array', items: words.map(bulk) })) },
    ];
  });
}
