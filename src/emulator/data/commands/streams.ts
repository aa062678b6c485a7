import type { Reply } from '../../reply.ts';
import { parseInt64, parseNumber, Refusal, texts } from '../arguments.ts';
import { type Access, at, type Command, type Commands, held, NO_KEY, ONE_KEY, reading, writing } from '../command.ts';
import type { Effect } from '../effects.ts';
import { note } from '../log-commands.ts';
import { array, bulk, bulks, count, NIL, NIL_ARRAY, ZERO } from '../replies.ts';
import { compareIds, idText, streamPosition } from '../stream-effects.ts';
import type { StreamEntry, StreamId, StreamValue } from '../values.ts';

const INVALID_ID = 'Invalid stream ID specified as stream command argument';
const TOO_SMALL = 'Invalid argument: The ID specified in XADD is equal or smaller than the target stream top item';
/** Both parts of an id are exact up to here only. */
const LAST = Number.MAX_SAFE_INTEGER;
const ZERO_ID: StreamId = { ms: 0, seq: 0 };

function part(word: string): number {
  if (!/^\d{1,20}$/.test(word)) throw new Refusal(INVALID_ID);
  return Math.min(Number(word), LAST);
}

/** An id in full, or its milliseconds with `seq` for the rest. */
function idWord(word: string, seq: number): StreamId {
  const dash = word.indexOf('-');
  if (dash < 0) return { ms: part(word), seq };
  return { ms: part(word.slice(0, dash)), seq: part(word.slice(dash + 1)) };
}

function naturalWord(word: string | undefined): number {
  const value = word === undefined ? undefined : parseNumber(word);
  if (value === undefined || value < 0) throw new Refusal(texts.notInteger);
  return value;
}

function streamOf(access: Access, key: string): StreamValue | undefined {
  return held(access, key, 'stream');
}

interface Trim {
  readonly maxLength?: number;
  readonly minId?: StreamId;
}

/** MAXLEN [=] n or MINID [=] id at `index`; the near form `~` is not there. */
function trimAt(words: readonly string[], index: number): { readonly trim: Trim; readonly next: number } | undefined {
  const word = words[index]?.toUpperCase();
  if (word !== 'MAXLEN' && word !== 'MINID') return undefined;
  const value = words[index + 1] === '=' ? index + 2 : index + 1;
  if (value >= words.length) throw new Refusal(texts.syntax);
  const trim = word === 'MAXLEN' ? { maxLength: naturalWord(words[value]) } : { minId: idWord(at(words, value), 0) };
  return { trim, next: value + 1 };
}

/** How many of the oldest entries must go. */
function surplus(stream: StreamValue, trim: Trim): number {
  if (trim.maxLength !== undefined) return Math.max(0, stream.entries.length - trim.maxLength);
  return trim.minId === undefined ? 0 : streamPosition(stream, trim.minId);
}

function nextId(word: string, last: StreamId, now: number): StreamId {
  if (word === '*') return now > last.ms ? { ms: now, seq: 0 } : { ms: last.ms, seq: last.seq + 1 };
  if (word.startsWith('*-')) {
    const id = { ms: now, seq: part(word.slice(2)) };
    if (compareIds(id, last) <= 0) throw new Refusal(TOO_SMALL);
    return id;
  }
  if (word.endsWith('-*')) {
    const ms = part(word.slice(0, -2));
    if (ms < last.ms) throw new Refusal(TOO_SMALL);
    return { ms, seq: ms === last.ms ? last.seq + 1 : 0 };
  }
  const id = idWord(word, 0);
  if (compareIds(id, ZERO_ID) === 0) {
    throw new Refusal('Invalid argument: The ID specified in XADD must be greater than 0-0');
  }
  if (compareIds(id, last) <= 0) throw new Refusal(TOO_SMALL);
  return id;
}

function add(access: Access, words: readonly string[]): Reply {
  let create = true;
  let trim: Trim = {};
  let i = 2;
  for (; i < words.length; ) {
    const found = trimAt(words, i);
    if (found !== undefined) {
      trim = found.trim;
      i = found.next;
    } else if (words[i]?.toUpperCase() === 'NOMKSTREAM') {
      create = false;
      i++;
    } else if (words[i]?.toUpperCase() === 'LIMIT') {
      throw new Refusal('syntax error, LIMIT cannot be used without the special ~ option');
    } else {
      break;
    }
  }
  const idGiven = at(words, i);
  const fields = words.slice(i + 1);
  if (fields.length === 0 || fields.length % 2 !== 0) throw new Refusal(texts.arity);
  const key = at(words, 1);
  const stream = streamOf(access, key);
  if (stream === undefined && !create) return NIL;
  const id = nextId(idGiven, stream?.lastId ?? ZERO_ID, access.now);
  access.commit(...additionEffects(key, stream, id, fields, trim));
  return bulk(idText(id));
}

/** The trim comes first and leaves room; an entry that it would remove is only counted. */
function additionEffects(
  key: string,
  stream: StreamValue | undefined,
  id: StreamId,
  fields: readonly string[],
  trim: Trim,
): readonly Effect[] {
  const room = trim.maxLength === undefined ? trim : { maxLength: Math.max(0, trim.maxLength - 1) };
  const gone = stream === undefined ? 0 : surplus(stream, room);
  const cut: readonly Effect[] = gone > 0 ? [['XCUT', key, String(gone)], ...deletionNotes(key, stream, gone)] : [];
  const kept = trim.maxLength !== 0 && (trim.minId === undefined || compareIds(id, trim.minId) >= 0);
  const added = String((stream?.added ?? 0) + 1);
  return [...cut, kept ? ['XADD', key, idText(id), ...fields] : ['XSETID', key, idText(id), added, idText(id)]];
}

function deletionNotes(key: string, stream: StreamValue | undefined, gone: number): readonly Effect[] {
  return stream?.entries.slice(0, gone).map(({ id }) => note('XDEL', key, idText(id))) ?? [];
}

function trimStream(access: Access, words: readonly string[]): Reply {
  const found = trimAt(words, 2);
  if (found === undefined) throw new Refusal(texts.syntax);
  if (words.length > found.next + 1 && words[found.next]?.toUpperCase() === 'LIMIT') {
    throw new Refusal('syntax error, LIMIT cannot be used without the special ~ option');
  }
  const key = at(words, 1);
  const stream = streamOf(access, key);
  const gone = stream === undefined ? 0 : surplus(stream, found.trim);
  if (gone > 0) access.commit(['XTRIM', key, String(gone)], ...deletionNotes(key, stream, gone));
  return count(gone);
}

function remove(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const ids = words.slice(2).map((word) => idWord(word, 0));
  const stream = streamOf(access, key);
  if (stream === undefined) return ZERO;
  const gone = new Set<string>();
  for (const id of ids) {
    const there = stream.entries[streamPosition(stream, id)];
    if (there !== undefined && compareIds(there.id, id) === 0) gone.add(idText(id));
  }
  if (gone.size > 0) access.commit(['XDEL', key, ...gone]);
  return count(gone.size);
}

const entryReply = ({ id, fields }: StreamEntry): Reply => array([bulk(idText(id)), bulks(fields)]);

/** The first position inside or, for an end, the first one outside. */
function edge(stream: StreamValue, word: string, end: boolean): number {
  if (word === '-') return 0;
  if (word === '+') return stream.entries.length;
  const open = word.startsWith('(');
  const id = idWord(open ? word.slice(1) : word, end ? LAST : 0);
  const position = streamPosition(stream, id);
  const there = stream.entries[position];
  const hit = there !== undefined && compareIds(there.id, id) === 0;
  return hit && open !== end ? position + 1 : position;
}

function range(access: Access, words: readonly string[], reversed: boolean): Reply {
  const [first, second] = [at(words, 2), at(words, 3)];
  const [start, end] = reversed ? [second, first] : [first, second];
  let limit = Number.POSITIVE_INFINITY;
  if (words[4]?.toUpperCase() === 'COUNT') {
    if (words.length !== 6) throw new Refusal(texts.syntax);
    limit = naturalWord(words[5]);
  }
  const stream = streamOf(access, at(words, 1)) ?? {
    kind: 'stream',
    entries: [],
    lastId: ZERO_ID,
    maxDeletedId: ZERO_ID,
    added: 0,
  };
  const inside = stream.entries.slice(edge(stream, start, false), edge(stream, end, true));
  if (limit === 0) return NIL;
  const ordered = reversed ? inside.reverse() : inside;
  return array(ordered.slice(0, limit).map(entryReply));
}

function streamsWord(words: readonly string[]): number {
  for (let i = 1; i < words.length; i++) {
    const word = words[i]?.toUpperCase();
    if (word === 'STREAMS') return i;
    if (word === 'COUNT' || word === 'BLOCK') i++;
  }
  return -1;
}

/** XREAD tried once; `$` finds nothing, since nothing comes after the last entry at this moment. */
function read(access: Access, words: readonly string[]): Reply {
  const streams = streamsWord(words);
  let limit = Number.POSITIVE_INFINITY;
  for (let i = 1; i < streams; i++) {
    const word = words[i]?.toUpperCase();
    if (word === 'COUNT') limit = naturalWord(words[++i]);
    else if (word === 'BLOCK') checkBlock(words[++i]);
  }
  if (streams < 0) throw new Refusal(texts.syntax);
  const given = words.length - streams - 1;
  if (given % 2 !== 0) {
    throw new Refusal("Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
  }
  const found: Reply[] = [];
  for (let i = streams + 1; i <= streams + given / 2; i++) {
    const after = at(words, i + given / 2);
    if (after === '$') continue;
    const key = at(words, i);
    const id = idWord(after, 0);
    const stream = streamOf(access, key);
    if (stream === undefined) continue;
    const from = edge(stream, `(${idText(id)}`, false);
    const entries = stream.entries.slice(from, limit === 0 ? undefined : from + limit);
    if (entries.length > 0) found.push(array([bulk(key), array(entries.map(entryReply))]));
  }
  return found.length === 0 ? NIL_ARRAY : array(found);
}

function checkBlock(word: string | undefined): void {
  const timeout = word === undefined ? undefined : parseInt64(word);
  if (timeout === undefined) throw new Refusal(texts.notInteger);
  if (timeout < 0n) throw new Refusal('timeout is negative');
}

const readCommand: Command = {
  ...reading(-4, NO_KEY, read, 'blocking'),
  keys(words) {
    const streams = streamsWord(words);
    if (streams < 0) return [];
    const keys = Math.floor((words.length - streams - 1) / 2);
    return Array.from({ length: keys }, (_, i) => streams + 1 + i);
  },
};

export const streams: Commands = {
  xadd: writing(-5, ONE_KEY, add),
  xdel: writing(-3, ONE_KEY, remove, 'no-dbsize-check'),
  xlen: reading(2, ONE_KEY, (access, words) => count(streamOf(access, at(words, 1))?.entries.length ?? 0)),
  xrange: reading(-4, ONE_KEY, (access, words) => range(access, words, false)),
  xrevrange: reading(-4, ONE_KEY, (access, words) => range(access, words, true)),
  xread: readCommand,
  xtrim: writing(-4, ONE_KEY, trimStream, 'no-dbsize-check'),
};
