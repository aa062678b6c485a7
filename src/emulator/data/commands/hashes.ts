import type { Reply } from '../../reply.ts';
import {
  addInt64,
  float,
  floatText,
  optionInt64,
  parseFloat64,
  parseInt64,
  parseNumber,
  Refusal,
  storedFloatText,
  texts,
} from '../arguments.ts';
import { type Access, at, type Commands, held, ONE_KEY, reading, writing } from '../command.ts';
import { bulk, bulkOrNil, bulks, count, mapOf, NIL, OK, ONE, ZERO } from '../replies.ts';
import { choose } from './choosing.ts';

const NO_FIELDS: ReadonlyMap<string, string> = new Map();

function fieldsOf(access: Access, key: string): ReadonlyMap<string, string> {
  return held(access, key, 'hash')?.fields ?? NO_FIELDS;
}

/** The server reads fields in order of their bytes. */
function inOrder(fields: ReadonlyMap<string, string>): readonly string[] {
  return [...fields.keys()].sort();
}

/**
 * Fields and values alternate from the third word on; tells how many fields are new. The server writes from the last to
 * the first, each field once, and only what changes.
 */
function setFields(access: Access, words: readonly string[]): number {
  if (words.length % 2 !== 0) throw new Refusal(texts.arity);
  const key = at(words, 1);
  const fields = fieldsOf(access, key);
  const effect = ['HSET', key];
  const seen = new Set<string>();
  let added = 0;
  for (let i = words.length - 2; i >= 2; i -= 2) {
    const field = at(words, i);
    if (seen.has(field)) continue;
    seen.add(field);
    if (!fields.has(field)) added++;
    if (fields.get(field) !== at(words, i + 1)) effect.push(field, at(words, i + 1));
  }
  if (effect.length > 2) access.commit(effect);
  return added;
}

/** Several pairs are taken; those whose field is there are left out, and the last of equal fields counts. */
function setAbsentFields(access: Access, words: readonly string[]): Reply {
  if (words.length % 2 !== 0) throw new Refusal(texts.arity);
  const key = at(words, 1);
  const fields = fieldsOf(access, key);
  const added = new Map<string, string>();
  for (let i = 2; i < words.length; i += 2) if (!fields.has(at(words, i))) added.set(at(words, i), at(words, i + 1));
  if (added.size > 0) access.commit(['HSET', key, ...[...added].reverse().flat()]);
  return count(added.size);
}

function removeFields(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const fields = fieldsOf(access, key);
  const gone = new Set(words.slice(2).filter((field) => fields.has(field)));
  if (gone.size > 0) access.commit(['HDEL', key, ...gone]);
  return count(gone.size);
}

function increment(access: Access, words: readonly string[]): Reply {
  const by = parseInt64(at(words, 3));
  if (by === undefined) throw new Refusal(texts.notInteger);
  const key = at(words, 1);
  const field = at(words, 2);
  const old = fieldsOf(access, key).get(field);
  const value = addInt64(old === undefined ? 0n : optionInt64(old, 'Invalid argument: '), by);
  access.commit(['HSET', key, field, String(value)]);
  return { kind: 'integer', value };
}

function incrementByFloat(access: Access, words: readonly string[]): Reply {
  const by = float(at(words, 3));
  const key = at(words, 1);
  const field = at(words, 2);
  const old = fieldsOf(access, key).get(field);
  const number = old === undefined ? 0 : parseFloat64(old);
  if (number === undefined || /^\s/.test(old ?? '')) throw new Refusal('Invalid argument: value is not a number');
  const value = number + by;
  if (!Number.isFinite(value)) throw new Refusal('Invalid argument: increment would produce NaN or Infinity');
  access.commit(['HSET', key, field, storedFloatText(value)]);
  return bulk(floatText(value));
}

function all(access: Access, words: readonly string[]): Reply {
  const fields = fieldsOf(access, at(words, 1));
  return mapOf(inOrder(fields).flatMap((field) => [field, fields.get(field) ?? '']));
}

function values(access: Access, words: readonly string[]): Reply {
  const fields = fieldsOf(access, at(words, 1));
  return bulks(inOrder(fields).map((field) => fields.get(field) ?? ''));
}

function multiGet(access: Access, words: readonly string[]): Reply {
  const fields = fieldsOf(access, at(words, 1));
  return { kind: 'array', items: words.slice(2).map((field) => bulkOrNil(fields.get(field))) };
}

/** HRANDFIELD key [count [WITHVALUES]]. */
function randomField(access: Access, words: readonly string[]): Reply {
  const wanted = words[2] === undefined ? 1 : parseNumber(words[2]);
  if (wanted === undefined) throw new Refusal(texts.notInteger);
  const withValues = words[3]?.toUpperCase() === 'WITHVALUES';
  if (words.length > 4 || (words.length === 4 && !withValues)) throw new Refusal(texts.syntax);
  const fields = fieldsOf(access, at(words, 1));
  const chosen = choose(access.random, inOrder(fields), wanted);
  if (words.length === 2) return chosen[0] === undefined ? NIL : bulk(chosen[0]);
  return bulks(withValues ? chosen.flatMap((field) => [field, fields.get(field) ?? '']) : chosen);
}

export const hashes: Commands = {
  hget: reading(3, ONE_KEY, (access, words) => bulkOrNil(fieldsOf(access, at(words, 1)).get(at(words, 2)))),
  hincrby: writing(4, ONE_KEY, increment),
  hincrbyfloat: writing(4, ONE_KEY, incrementByFloat),
  hset: writing(-4, ONE_KEY, (access, words) => count(setFields(access, words))),
  hsetnx: writing(-4, ONE_KEY, setAbsentFields),
  hdel: writing(-3, ONE_KEY, removeFields, 'no-dbsize-check'),
  hstrlen: reading(3, ONE_KEY, (access, words) => count(fieldsOf(access, at(words, 1)).get(at(words, 2))?.length ?? 0)),
  hexists: reading(3, ONE_KEY, (access, words) => (fieldsOf(access, at(words, 1)).has(at(words, 2)) ? ONE : ZERO)),
  hlen: reading(2, ONE_KEY, (access, words) => count(fieldsOf(access, at(words, 1)).size)),
  hmget: reading(-3, ONE_KEY, multiGet),
  hmset: writing(-4, ONE_KEY, (access, words) => {
    setFields(access, words);
    return OK;
  }),
  hkeys: reading(2, ONE_KEY, (access, words) => bulks(inOrder(fieldsOf(access, at(words, 1)))), 'slow'),
  hvals: reading(2, ONE_KEY, values, 'slow'),
  hgetall: reading(2, ONE_KEY, all, 'slow'),
  hrandfield: reading(-2, ONE_KEY, randomField, 'slow'),
};
