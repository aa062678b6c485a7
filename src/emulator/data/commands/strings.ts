import type { Reply } from '../../reply.ts';
import {
  addInt64,
  float,
  floatText,
  INT64_MIN,
  integer,
  optionInteger,
  parseFloat64,
  parseInt64,
  Refusal,
  storedFloatText,
  texts,
} from '../arguments.ts';
import { type Access, ALL_KEYS, at, type Commands, held, ONE_KEY, reading, writing, wrongType } from '../command.ts';
import { type Effect, setEffect } from '../effects.ts';
import { bulk, bulkOrNil, count, NIL, OK, ONE, ZERO } from '../replies.ts';
import type { Entry } from '../values.ts';
import { bitmapText } from './bitmaps.ts';

/** Longest value that SETRANGE and APPEND may make: the server's own bulk limit. */
const LONGEST = 512 * 1024 * 1024;

/** SET with the expiry of `kept`, or none. */
/** The text of a string or, for GET and its kin, of a bitmap. */
function textOf(access: Access, key: string): string | undefined {
  const value = access.live(key)?.value;
  if (value === undefined) return undefined;
  if (value.kind === 'string') return value.text;
  if (value.kind === 'bitmap') return bitmapText(value);
  throw wrongType();
}

/** The words of an expiry option at `index`: its absolute time, or undefined if another word stands there. */
function expiryAt(words: readonly string[], index: number, now: number): number | undefined {
  switch (words[index]?.toUpperCase()) {
    case 'EX':
      return optionInteger(words[index + 1], 1) * 1000 + now;
    case 'PX':
      return optionInteger(words[index + 1], 1) + now;
    case 'EXAT':
      return optionInteger(words[index + 1], 1) * 1000;
    case 'PXAT':
      return optionInteger(words[index + 1], 1);
    default:
      return undefined;
  }
}

interface SetOptions {
  expireAt: number;
  keepTtl: boolean;
  condition: 'NX' | 'XX' | undefined;
  get: boolean;
}

function setOptions(words: readonly string[], now: number): SetOptions {
  const options: SetOptions = { expireAt: 0, keepTtl: false, condition: undefined, get: false };
  let ttlWord: string | undefined;
  for (let i = 3; i < words.length; i++) {
    const word = words[i]?.toUpperCase();
    const other = ttlWord !== undefined && ttlWord !== word;
    const expireAt = other ? undefined : expiryAt(words, i, now);
    if (expireAt !== undefined) {
      ttlWord = word;
      options.expireAt = expireAt;
      i++;
    } else if (word === 'KEEPTTL' && !other) {
      ttlWord = word;
      options.keepTtl = true;
    } else if ((word === 'NX' || word === 'XX') && (options.condition ?? word) === word) {
      options.condition = word;
    } else if (word === 'GET') {
      options.get = true;
    } else {
      throw new Refusal(texts.syntax);
    }
  }
  return options;
}

function set(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const text = at(words, 2);
  if (words.length === 3) {
    access.commit(['SET', key, text]);
    return OK;
  }
  const options = setOptions(words, access.now);
  const entry = access.live(key);
  let old: Reply = NIL;
  if (options.get && entry !== undefined) {
    if (entry.value.kind !== 'string') throw wrongType();
    old = bulk(entry.value.text);
  }
  if (options.condition === 'NX' ? entry !== undefined : options.condition === 'XX' && entry === undefined) {
    return options.get ? old : NIL;
  }
  access.commit(setEffect(key, text, options.keepTtl ? (entry?.expireAt ?? 0) : options.expireAt));
  return options.get ? old : OK;
}

function getEx(access: Access, words: readonly string[]): Reply {
  let expireAt: number | undefined;
  let first: string | undefined;
  for (let i = 2; i < words.length; i++) {
    const word = words[i]?.toUpperCase();
    if (first !== undefined && first !== word) throw new Refusal(texts.syntax);
    first = word;
    expireAt = word === 'PERSIST' ? 0 : expiryAt(words, i, access.now);
    if (expireAt === undefined) throw new Refusal(texts.syntax);
    if (word !== 'PERSIST') i++;
  }
  const key = at(words, 1);
  const text = textOf(access, key);
  if (text !== undefined && expireAt !== undefined) {
    const isString = access.live(key)?.value.kind === 'string';
    access.commit(isString ? setEffect(key, text, expireAt) : ['PEXPIREAT', key, String(expireAt)]);
  }
  return bulkOrNil(text);
}

/** SETEX and PSETEX: `unit` is how many milliseconds the given number counts. */
function setWithTtl(access: Access, words: readonly string[], unit: number): Reply {
  const given = parseInt64(at(words, 2));
  if (given === undefined) throw new Refusal(texts.notInteger);
  if (given <= 0n) throw new Refusal(texts.expireTime);
  access.commit(setEffect(at(words, 1), at(words, 3), Number(given) * unit + access.now));
  return OK;
}

function pairs(words: readonly string[]): readonly Effect[] {
  if (words.length % 2 !== 1) throw new Refusal(texts.arity);
  const effects: Effect[] = [];
  for (let i = 1; i < words.length; i += 2) effects.push(['SET', at(words, i), at(words, i + 1)]);
  return effects;
}

function stringOf(access: Access, key: string): { readonly text: string; readonly entry: Entry | undefined } {
  const value = held(access, key, 'string');
  return { text: value?.text ?? '', entry: value === undefined ? undefined : access.live(key) };
}

function increment(access: Access, key: string, by: bigint): Reply {
  const { text, entry } = stringOf(access, key);
  const expireAt = entry?.expireAt ?? 0;
  // Short numbers, nearly all of them, need no big integers.
  if (text.length < 15 && by > -1000000000000n && by < 1000000000000n && /^-?\d+$/.test(text || '0')) {
    const value = Number(text) + Number(by);
    access.commit(setEffect(key, String(value), expireAt));
    return count(value);
  }
  const old = text === '' ? 0n : parseInt64(text);
  if (old === undefined) throw new Refusal(`Invalid argument: ${texts.notInteger}`);
  if (/^\s/.test(text)) throw new Refusal('Invalid argument: value is not an integer');
  const value = addInt64(old, by);
  access.commit(setEffect(key, String(value), expireAt));
  return { kind: 'integer', value };
}

function incrementWord(word: string): bigint {
  const by = parseInt64(word);
  if (by === undefined) throw new Refusal(texts.notInteger);
  return by;
}

function decrementBy(access: Access, words: readonly string[]): Reply {
  const by = incrementWord(at(words, 2));
  if (by === INT64_MIN) throw new Refusal('decrement would overflow');
  return increment(access, at(words, 1), -by);
}

function incrementByFloat(access: Access, words: readonly string[]): Reply {
  const by = float(at(words, 2));
  const key = at(words, 1);
  const { text, entry } = stringOf(access, key);
  const old = text === '' ? 0 : parseFloat64(text);
  if (old === undefined || /^\s/.test(text)) throw new Refusal('Invalid argument: value is not a number');
  const value = old + by;
  if (!Number.isFinite(value)) throw new Refusal('Invalid argument: increment would produce NaN or Infinity');
  access.commit(setEffect(key, storedFloatText(value), entry?.expireAt));
  return bulk(floatText(value));
}

function getRange(access: Access, words: readonly string[]): Reply {
  let start = integer(at(words, 2));
  let stop = integer(at(words, 3));
  const text = held(access, at(words, 1), 'string')?.text;
  // Kvrocks answers nil where Redis answers an empty text.
  if (text === undefined) return NIL;
  if (start < 0) start = Math.max(0, text.length + start);
  if (stop < 0) stop = text.length + stop;
  return start > Math.min(stop, text.length) ? NIL : bulk(text.slice(start, stop + 1));
}

function setRange(access: Access, words: readonly string[]): Reply {
  const offset = integer(at(words, 2));
  const key = at(words, 1);
  const piece = at(words, 3);
  const { text, entry } = stringOf(access, key);
  if (entry === undefined && piece === '') return ZERO;
  if (offset < 0 || offset + piece.length > LONGEST) throw new Refusal('offset is out of range');
  const changed = text.slice(0, offset).padEnd(offset, '\0') + piece + text.slice(offset + piece.length);
  access.commit(setEffect(key, changed, entry?.expireAt));
  return count(changed.length);
}

function append(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const { text, entry } = stringOf(access, key);
  const changed = text + at(words, 2);
  access.commit(setEffect(key, changed, entry?.expireAt));
  return count(changed.length);
}

function getSet(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const old = held(access, key, 'string');
  access.commit(['SET', key, at(words, 2)]);
  return bulkOrNil(old?.text);
}

function getDelete(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const old = held(access, key, 'string');
  if (old !== undefined) access.commit(['DEL', key]);
  return bulkOrNil(old?.text);
}

function setIfAbsent(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  if (access.live(key) !== undefined) return ZERO;
  access.commit(['SET', key, at(words, 2)]);
  return ONE;
}

function multiSetIfAbsent(access: Access, words: readonly string[]): Reply {
  const effects = pairs(words);
  for (let i = 1; i < words.length; i += 2) if (access.live(at(words, i)) !== undefined) return ZERO;
  access.commit(...effects);
  return ONE;
}

/** Absent keys and keys of other kinds are both nil. */
function multiGet(access: Access, words: readonly string[]): Reply {
  const items: Reply[] = [];
  for (let i = 1; i < words.length; i++) {
    const value = access.live(at(words, i))?.value;
    items.push(value?.kind === 'string' ? bulk(value.text) : NIL);
  }
  return { kind: 'array', items };
}

export const strings: Commands = {
  get: reading(2, ONE_KEY, (access, words) => bulkOrNil(textOf(access, at(words, 1)))),
  getex: writing(-2, ONE_KEY, getEx),
  strlen: reading(2, ONE_KEY, (access, words) => count(stringOf(access, at(words, 1)).text.length)),
  getset: writing(3, ONE_KEY, getSet),
  getrange: reading(4, ONE_KEY, getRange),
  substr: reading(4, ONE_KEY, getRange),
  getdel: writing(2, ONE_KEY, getDelete, 'no-dbsize-check'),
  setrange: writing(4, ONE_KEY, setRange),
  mget: reading(-2, ALL_KEYS, multiGet),
  append: writing(3, ONE_KEY, append),
  set: writing(-3, ONE_KEY, set),
  setex: writing(4, ONE_KEY, (access, words) => setWithTtl(access, words, 1000)),
  psetex: writing(4, ONE_KEY, (access, words) => setWithTtl(access, words, 1)),
  setnx: writing(3, ONE_KEY, setIfAbsent),
  msetnx: writing(-3, [1, -1, 2], multiSetIfAbsent),
  mset: writing(-3, [1, -1, 2], (access, words) => {
    access.commit(...pairs(words));
    return OK;
  }),
  incr: writing(2, ONE_KEY, (access, words) => increment(access, at(words, 1), 1n)),
  decr: writing(2, ONE_KEY, (access, words) => increment(access, at(words, 1), -1n)),
  incrby: writing(3, ONE_KEY, (access, words) => increment(access, at(words, 1), incrementWord(at(words, 2)))),
  decrby: writing(3, ONE_KEY, decrementBy),
  incrbyfloat: writing(3, ONE_KEY, incrementByFloat),
};
