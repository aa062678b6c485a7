import { randomInteger } from '../../../runtime/seeded-random.ts';
import type { Reply } from '../../reply.ts';
import { glob, optionInteger, parseInt64, Refusal, texts } from '../arguments.ts';
import { type Access, ALL_KEYS, at, type Commands, NO_KEY, ONE_KEY, reading, TWO_KEYS, writing } from '../command.ts';
import { type Effect, setEffect } from '../effects.ts';
import { notesOf } from '../log-commands.ts';
import { bulk, bulks, count, OK, ONE, ZERO } from '../replies.ts';
import type { Entry } from '../values.ts';

const NO_RANGES_IN_EXEC = 'Not implemented: DeleteRange unsupported in WriteBatchWithIndex';

function remove(access: Access, words: readonly string[]): Reply {
  const effects: Effect[] = [];
  const seen = new Set<string>();
  for (let i = 1; i < words.length; i++) {
    const key = at(words, i);
    if (seen.has(key) || access.live(key) === undefined) continue;
    seen.add(key);
    effects.push(['DEL', key]);
  }
  if (effects.length > 0) access.commit(...effects);
  return count(effects.length);
}

/** A key named twice counts twice. */
function exists(access: Access, words: readonly string[]): Reply {
  let found = 0;
  for (let i = 1; i < words.length; i++) if (access.live(at(words, i)) !== undefined) found++;
  return count(found);
}

/** `unit`: milliseconds that the given number counts; `base`: what it is counted from. */
function expire(access: Access, key: string, given: number, unit: number, base: number): Reply {
  const entry = access.live(key);
  if (entry === undefined) return ZERO;
  const time = given * unit + base;
  // A time before 1970 has passed as well; 0 means never, also where a client says it.
  const expireAt = time < 0 ? 1 : time;
  if (entry.expireAt !== expireAt) access.commit(expiryEffect(key, entry, expireAt));
  return ONE;
}

/** A string is written anew with its time. */
function expiryEffect(key: string, { value }: Entry, expireAt: number): Effect {
  return value.kind === 'string' ? setEffect(key, value.text, expireAt) : ['PEXPIREAT', key, String(expireAt)];
}

function absoluteTime(word: string): number {
  const time = parseInt64(word);
  if (time === undefined) throw new Refusal(texts.notInteger);
  return Number(time);
}

function timeLeft(access: Access, key: string, unit: number): Reply {
  const entry = access.live(key);
  if (entry === undefined) return count(-2);
  if (entry.expireAt === 0) return count(-1);
  return count(Math.floor((entry.expireAt - access.now) / unit));
}

function expireTime(access: Access, key: string, unit: number): Reply {
  const entry = access.live(key);
  if (entry === undefined) return count(-2);
  return count(entry.expireAt === 0 ? -1 : Math.floor(entry.expireAt / unit));
}

function persist(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const entry = access.live(key);
  if (entry === undefined || entry.expireAt === 0) return ZERO;
  access.commit(expiryEffect(key, entry, 0));
  return ONE;
}

function rename(access: Access, words: readonly string[]): Reply {
  const from = at(words, 1);
  const to = at(words, 2);
  const entry = access.live(from);
  if (entry === undefined) throw new Refusal(texts.noSuchKey);
  if (from !== to) access.commit(...renameEffects(from, to, entry));
  return OK;
}

function renameEffects(from: string, to: string, entry: Entry): readonly Effect[] {
  if (entry.value.kind === 'string') return [['DEL', from], setEffect(to, entry.value.text, entry.expireAt)];
  return [['RENAME', from, to], ...notesOf(to, entry.value)];
}

function copyEffects(from: string, to: string, entry: Entry): readonly Effect[] {
  if (entry.value.kind === 'string') return [setEffect(to, entry.value.text, entry.expireAt)];
  return [['COPY', from, to], ...notesOf(to, entry.value)];
}

function renameIfAbsent(access: Access, words: readonly string[]): Reply {
  const from = at(words, 1);
  const to = at(words, 2);
  const entry = access.live(from);
  if (entry === undefined) throw new Refusal(texts.noSuchKey);
  if (access.live(to) !== undefined) return ZERO;
  access.commit(...renameEffects(from, to, entry));
  return ONE;
}

/** COPY from to [DB 0] [REPLACE]. */
function copy(access: Access, words: readonly string[]): Reply {
  let replace = false;
  for (let i = 3; i < words.length; i++) {
    const word = words[i]?.toUpperCase();
    if (word === 'REPLACE') {
      replace = true;
    } else if (word === 'DB') {
      i++;
      if (optionInteger(words[i]) !== 0) throw new Refusal(texts.syntax);
    } else {
      throw new Refusal(texts.syntax);
    }
  }
  const from = at(words, 1);
  const to = at(words, 2);
  const entry = access.live(from);
  if (entry === undefined) throw new Refusal(texts.noSuchKey);
  if (!replace && access.live(to) !== undefined) return ZERO;
  if (from !== to) access.commit(...copyEffects(from, to, entry));
  return ONE;
}

function keys(access: Access, words: readonly string[]): Reply {
  const pattern = glob(at(words, 1));
  const found: string[] = [];
  for (const key of access.keyspace.keys()) {
    if (pattern.test(key) && access.live(key) !== undefined) found.push(key);
  }
  return bulks(found);
}

/** An empty bulk, not nil, if there is none. */
function randomKey(access: Access): Reply {
  const all = [...access.keyspace.keys()];
  if (all.length === 0) return bulk('');
  const start = randomInteger(access.random, all.length);
  for (let i = 0; i < all.length; i++) {
    const key = all[(start + i) % all.length] ?? '';
    if (access.live(key) !== undefined) return bulk(key);
  }
  return bulk('');
}

/** DBSIZE answers what the last DBSIZE SCAN counted. */
function databaseSize(access: Access, words: readonly string[]): Reply {
  if (words.length === 1) return count(access.counts.keys);
  if (words.length > 2 || words[1]?.toUpperCase() !== 'SCAN') throw new Refusal('DBSIZE command, DBSIZE [SCAN]');
  let found = 0;
  let expires = 0;
  let left = 0;
  for (const key of access.keyspace.keys()) {
    const entry = access.live(key);
    if (entry === undefined) continue;
    found++;
    if (entry.expireAt === 0) continue;
    expires++;
    left += entry.expireAt - access.now;
  }
  const averageTtl = expires === 0 ? 0 : Math.floor(left / expires / 1000);
  access.counts = { keys: found, expires, averageTtl, expired: access.keyspace.size - found };
  return OK;
}

function flush(access: Access): Reply {
  if (access.inBatch && access.keyspace.size > 0) throw new Refusal(NO_RANGES_IN_EXEC);
  access.commit(['FLUSHALL']);
  return OK;
}

export const keyCommands: Commands = {
  ttl: reading(2, ONE_KEY, (access, words) => timeLeft(access, at(words, 1), 1000)),
  pttl: reading(2, ONE_KEY, (access, words) => timeLeft(access, at(words, 1), 1)),
  type: reading(2, ONE_KEY, (access, words) => ({
    kind: 'simple',
    text: access.live(at(words, 1))?.value.kind ?? 'none',
  })),
  exists: reading(-2, ALL_KEYS, exists),
  persist: writing(2, ONE_KEY, persist),
  expire: writing(3, ONE_KEY, (access, words) =>
    expire(access, at(words, 1), optionInteger(words[2]), 1000, access.now),
  ),
  pexpire: writing(3, ONE_KEY, (access, words) => expire(access, at(words, 1), optionInteger(words[2]), 1, access.now)),
  expireat: writing(3, ONE_KEY, (access, words) => expire(access, at(words, 1), absoluteTime(at(words, 2)), 1000, 0)),
  pexpireat: writing(3, ONE_KEY, (access, words) => expire(access, at(words, 1), absoluteTime(at(words, 2)), 1, 0)),
  expiretime: reading(2, ONE_KEY, (access, words) => expireTime(access, at(words, 1), 1000)),
  pexpiretime: reading(2, ONE_KEY, (access, words) => expireTime(access, at(words, 1), 1)),
  del: writing(-2, ALL_KEYS, remove, 'no-dbsize-check'),
  unlink: writing(-2, ALL_KEYS, remove, 'no-dbsize-check'),
  rename: writing(3, TWO_KEYS, rename),
  renamenx: writing(3, TWO_KEYS, renameIfAbsent),
  copy: writing(-3, TWO_KEYS, copy),
  keys: reading(2, NO_KEY, keys, 'slow'),
  randomkey: reading(1, NO_KEY, randomKey),
  dbsize: reading(-1, NO_KEY, databaseSize),
  flushdb: writing(1, NO_KEY, flush, 'exclusive', 'no-dbsize-check'),
  flushall: writing(1, NO_KEY, flush, 'exclusive', 'no-dbsize-check', 'admin'),
};
