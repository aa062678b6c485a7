/**
 * The data's own vocabulary: deterministic changes, and how many RocksDB records each writes (one a key-value put or
 * deletion, as Kvrocks 2.14 numbers them). The log holds these, a replica replays them, a dump consists of them.
 *
 * An effect never fails: on a node whose data has parted from its master's it does what it can, replacing a key of
 * another type, as raw puts into the store would.
 */
import type { Keyspace } from './keyspace.ts';
import { performList } from './list-effects.ts';
import { SortedSet } from './sorted-set.ts';
import { performStream } from './stream-effects.ts';
import { type BitmapValue, copyOf, type HashValue, recordsOf, SEGMENT_BYTES, type SetValue } from './values.ts';

/** A command of the vocabulary: its name, its key, its words. Numbers are decimal, times milliseconds since 1970. */
export type Effect = readonly string[];

/** `expireAt` is milliseconds since 1970, 0 for never. */
export function setEffect(key: string, text: string, expireAt = 0): Effect {
  return expireAt === 0 ? ['SET', key, text] : ['SET', key, text, 'PXAT', String(expireAt)];
}

/** Performs one effect and tells the number of records it takes; 0 for what changes nothing and for unknown words. */
export function perform(keyspace: Keyspace, effect: Effect): number {
  const key = effect[1] ?? '';
  switch (effect[0]) {
    case 'SET':
      // SET key value [PXAT time]
      keyspace.put(key, { value: { kind: 'string', text: effect[2] ?? '' }, expireAt: Number(effect[4] ?? 0) });
      return 1;
    case 'DEL':
      return keyspace.remove(key) ? 1 : 0;
    case 'EVICT':
      // The leftover of an expired key, found when the key is written anew: no record of its own.
      keyspace.remove(key);
      return 0;
    case 'PEXPIREAT':
      return performExpire(keyspace, key, Number(effect[2]));
    case 'RENAME':
      return performCopy(keyspace, key, effect[2] ?? '', true);
    case 'COPY':
      return performCopy(keyspace, key, effect[2] ?? '', false);
    case 'FLUSHALL': {
      const had = keyspace.size > 0;
      keyspace.clear();
      return had ? 1 : 0;
    }
    case 'DELSLOTS':
      return performDeleteSlots(keyspace, effect);
    case 'HSET':
      return performHashSet(keyspace, key, effect);
    case 'HDEL':
      return performHashDelete(keyspace, key, effect);
    case 'SADD':
      return performSetAdd(keyspace, key, effect);
    case 'SREM':
      return performSetRemove(keyspace, key, effect);
    case 'SSTORE':
      keyspace.remove(key);
      return Math.max(1, performSetAdd(keyspace, key, effect));
    case 'ZADD':
      return performSortedAdd(keyspace, key, effect);
    case 'ZREM':
      return performSortedRemove(keyspace, key, effect);
    case 'ZSTORE':
      keyspace.remove(key);
      return Math.max(1, performSortedAdd(keyspace, key, effect));
    case 'SETBIT':
      return performSetBit(keyspace, key, Number(effect[2]), effect[3] === '1');
    case 'BITMAP':
      return performBitmap(keyspace, key, effect);
    default:
      return performList(keyspace, effect) ?? performStream(keyspace, effect) ?? 0;
  }
}

/** The keys an effect touches; empty for effects on no key, for notes and for DELSLOTS. */
export function keysOf(effect: Effect): readonly string[] {
  switch (effect[0]) {
    case 'FLUSHALL':
    case 'DELSLOTS':
    case 'NOTE':
    case 'PUBLISH':
    case 'SCRIPT':
    case 'HISTORY':
    case 'OF-HISTORY':
      return [];
    case 'RENAME':
    case 'COPY':
    case 'LMOVE':
      return effect.slice(1, 3);
    default:
      return effect.slice(1, 2);
  }
}

function performExpire(keyspace: Keyspace, key: string, at: number): number {
  const entry = keyspace.get(key);
  if (entry === undefined || entry.expireAt === at) return 0;
  entry.expireAt = at;
  return 1;
}

function performCopy(keyspace: Keyspace, from: string, to: string, removing: boolean): number {
  const entry = keyspace.get(from);
  if (entry === undefined || from === to) return 0;
  keyspace.put(to, removing ? entry : { value: copyOf(entry.value), expireAt: entry.expireAt });
  if (removing) keyspace.remove(from);
  return recordsOf(entry.value) + (removing ? 2 : 1);
}

/** DELSLOTS slot...: a range deletion, one record whatever it removes. */
function performDeleteSlots(keyspace: Keyspace, effect: Effect): number {
  let had = false;
  for (let i = 1; i < effect.length; i++) had = keyspace.removeSlot(Number(effect[i])) || had;
  return had ? 1 : 0;
}

function hashFor(keyspace: Keyspace, key: string): HashValue {
  const value = keyspace.get(key)?.value;
  if (value?.kind === 'hash') return value;
  const made: HashValue = { kind: 'hash', fields: new Map() };
  keyspace.put(key, { value: made, expireAt: 0 });
  return made;
}

/** One record for each field, be its value new or not; a field given twice counts once, with its last value. */
function performHashSet(keyspace: Keyspace, key: string, effect: Effect): number {
  const { fields } = hashFor(keyspace, key);
  const size = fields.size;
  const given = new Map<string, string>();
  for (let i = 2; i + 1 < effect.length; i += 2) given.set(effect[i] ?? '', effect[i + 1] ?? '');
  for (const [field, text] of given) fields.set(field, text);
  return given.size + (fields.size > size ? 1 : 0);
}

function performHashDelete(keyspace: Keyspace, key: string, effect: Effect): number {
  const value = keyspace.get(key)?.value;
  if (value?.kind !== 'hash') return 0;
  let deleted = 0;
  for (let i = 2; i < effect.length; i++) if (value.fields.delete(effect[i] ?? '')) deleted++;
  if (value.fields.size === 0) keyspace.remove(key);
  return deleted > 0 ? deleted + 1 : 0;
}

function setFor(keyspace: Keyspace, key: string): SetValue {
  const value = keyspace.get(key)?.value;
  if (value?.kind === 'set') return value;
  const made: SetValue = { kind: 'set', members: new Set() };
  keyspace.put(key, { value: made, expireAt: 0 });
  return made;
}

function performSetAdd(keyspace: Keyspace, key: string, effect: Effect): number {
  if (effect.length < 3) return 0;
  const { members } = setFor(keyspace, key);
  const size = members.size;
  for (let i = 2; i < effect.length; i++) members.add(effect[i] ?? '');
  const added = members.size - size;
  return added > 0 ? added + 1 : 0;
}

function performSetRemove(keyspace: Keyspace, key: string, effect: Effect): number {
  const value = keyspace.get(key)?.value;
  if (value?.kind !== 'set') return 0;
  let removed = 0;
  for (let i = 2; i < effect.length; i++) if (value.members.delete(effect[i] ?? '')) removed++;
  if (value.members.size === 0) keyspace.remove(key);
  return removed > 0 ? removed + 1 : 0;
}

/** ZADD key score member...: a new member takes two records, a new score three. */
function performSortedAdd(keyspace: Keyspace, key: string, effect: Effect): number {
  if (effect.length < 4) return 0;
  let value = keyspace.get(key)?.value;
  if (value?.kind !== 'zset') {
    value = { kind: 'zset', scores: new SortedSet() };
    keyspace.put(key, { value, expireAt: 0 });
  }
  let records = 0;
  let added = false;
  for (let i = 2; i + 1 < effect.length; i += 2) {
    switch (value.scores.set(effect[i + 1] ?? '', Number(effect[i]))) {
      case 'new':
        records += 2;
        added = true;
        break;
      case 'changed':
        records += 3;
        break;
      case 'same':
        break;
    }
  }
  return records + (added ? 1 : 0);
}

function performSortedRemove(keyspace: Keyspace, key: string, effect: Effect): number {
  const value = keyspace.get(key)?.value;
  if (value?.kind !== 'zset') return 0;
  let removed = 0;
  for (let i = 2; i < effect.length; i++) if (value.scores.delete(effect[i] ?? '')) removed++;
  if (value.scores.size === 0) keyspace.remove(key);
  return removed > 0 ? 2 * removed + 1 : 0;
}

function bitmapFor(keyspace: Keyspace, key: string): BitmapValue {
  const value = keyspace.get(key)?.value;
  if (value?.kind === 'bitmap') return value;
  const made: BitmapValue = { kind: 'bitmap', size: 0, segments: new Map() };
  keyspace.put(key, { value: made, expireAt: 0 });
  return made;
}

function performSetBit(keyspace: Keyspace, key: string, offset: number, on: boolean): number {
  const bitmap = bitmapFor(keyspace, key);
  const byte = Math.floor(offset / 8);
  const index = Math.floor(byte / SEGMENT_BYTES);
  let segment = bitmap.segments.get(index);
  if (segment === undefined) {
    segment = new Uint8Array(SEGMENT_BYTES);
    bitmap.segments.set(index, segment);
  }
  const mask = 0x80 >> (offset % 8);
  const old = segment[byte % SEGMENT_BYTES] ?? 0;
  segment[byte % SEGMENT_BYTES] = on ? old | mask : old & ~mask;
  if (byte < bitmap.size) return 1;
  bitmap.size = byte + 1;
  return 2;
}

/** BITMAP key size (segment bytes)...: a whole bitmap. */
function performBitmap(keyspace: Keyspace, key: string, effect: Effect): number {
  keyspace.remove(key);
  const bitmap = bitmapFor(keyspace, key);
  bitmap.size = Number(effect[2]);
  for (let i = 3; i + 1 < effect.length; i += 2) {
    const segment = new Uint8Array(SEGMENT_BYTES);
    segment.set(Buffer.from(effect[i + 1] ?? '', 'latin1').subarray(0, SEGMENT_BYTES));
    bitmap.segments.set(Number(effect[i]), segment);
  }
  return bitmap.segments.size + 1;
}
