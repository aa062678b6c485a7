/**
 * The log as commands, as POLLUPDATES shows it in its RESP format: what Kvrocks 2.14 makes of its raw batches, gaps
 * included. What an effect does not tell by itself is noted beside it when it is written.
 */
import type { Effect } from './effects.ts';
import type { LogEntry } from './port.ts';
import { idText } from './stream-effects.ts';
import type { Value } from './values.ts';

export interface ShownCommand {
  /** Empty for what is written to a stream: the server leaves it out there. */
  readonly namespace: 'default' | '';
  readonly words: readonly string[];
}

/** The server shows only the first of these in a batch, be it one EXEC. */
const SHOWN_ONCE: ReadonlySet<string> = new Set(['LINSERT', 'LTRIM', 'LREM', 'LMOVE']);
const OF_STREAMS: ReadonlySet<string> = new Set(['XADD', 'XDEL']);

export function commandsOf({ effects }: LogEntry): readonly ShownCommand[] {
  const shown: ShownCommand[] = [];
  let first = true;
  for (const words of effects.flatMap(wordsOf)) {
    const [name = ''] = words;
    if (SHOWN_ONCE.has(name)) {
      if (!first) continue;
      first = false;
    }
    shown.push({ namespace: OF_STREAMS.has(name) ? '' : 'default', words });
  }
  return shown;
}

function wordsOf(effect: Effect): readonly Effect[] {
  const [kind = '', key = '', first = '', second = '', third = ''] = effect;
  const each = (name: string): readonly Effect[] => effect.slice(2).map((word) => [name, key, word]);
  switch (kind) {
    case 'NOTE':
      return [effect.slice(1)];
    case 'SET':
      return third === '' ? [['SET', key, first]] : [['SET', key, first], expiry(key, third)];
    case 'PEXPIREAT':
      return first === '0' ? [] : [expiry(key, first)];
    case 'DEL':
    case 'RENAME':
      return [['DEL', key]];
    case 'LSET':
    case 'LREM':
    case 'SETBIT':
    case 'XADD':
      return [effect];
    case 'LINSERT':
      return [['LINSERT', key, first.toLowerCase(), second, third]];
    case 'LMOVE':
      return [['LMOVE', key, first, second.toLowerCase(), third.toLowerCase()]];
    case 'LTRIM':
      return third === CUTS_NOTHING ? [] : [['LTRIM', key, first, second]];
    case 'LPOP':
    case 'RPOP':
      return Array.from({ length: Number(first) }, () => [kind, key]);
    case 'LPUSH':
    case 'RPUSH':
    case 'HDEL':
    case 'SADD':
    case 'SREM':
    case 'ZREM':
    case 'XDEL':
      return each(kind);
    case 'SSTORE':
      return each('SADD');
    case 'HSET':
      return pairs(effect).map(([field, text]) => ['HSET', key, field, text]);
    case 'ZADD':
    case 'ZSTORE':
      return pairs(effect).map(([score, member]) => ['ZADD', key, sixPlaces(Number(score)), member]);
    default:
      return [];
  }
}

/** The fifth word of an LTRIM that leaves the list as it is. */
export const CUTS_NOTHING = 'CUTS-NOTHING';

/** Says what the server shows beside an effect. Does nothing and takes no number. */
export function note(...words: readonly string[]): Effect {
  return ['NOTE', ...words];
}

/** What is shown of a value that gets a new name: nothing of lists and bitmaps, and of no kind when it expires. */
export function notesOf(key: string, value: Value): readonly Effect[] {
  switch (value.kind) {
    case 'hash':
      return [...value.fields.keys()].sort().map((field) => note('HSET', key, field, value.fields.get(field) ?? ''));
    case 'set':
      return [...value.members].sort().map((member) => note('SADD', key, member));
    case 'zset':
      return [...value.scores.items]
        .sort((a, b) => (a.member < b.member ? -1 : 1))
        .map(({ member, score }) => note('ZADD', key, sixPlaces(score), member));
    case 'stream':
      return value.entries.map(({ id, fields }) => note('XADD', key, idText(id), ...fields));
    case 'string':
    case 'list':
    case 'bitmap':
      return [];
  }
}

function expiry(key: string, at: string): Effect {
  return ['PEXPIREAT', key, at];
}

function pairs(effect: Effect): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let i = 2; i + 1 < effect.length; i += 2) found.push([effect[i] ?? '', effect[i + 1] ?? '']);
  return found;
}

/** As C's `%f`. */
function sixPlaces(score: number): string {
  if (!Number.isFinite(score)) return score > 0 ? 'inf' : '-inf';
  return Math.abs(score) < 1e21 ? score.toFixed(6) : `${BigInt(score)}.000000`;
}
