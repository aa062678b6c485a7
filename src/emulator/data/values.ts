/** What a key may hold. Texts are latin1; `expireAt` is milliseconds since 1970, 0 for never. */
import { SortedSet } from './sorted-set.ts';

interface StringValue {
  readonly kind: 'string';
  readonly text: string;
}
export interface HashValue {
  readonly kind: 'hash';
  readonly fields: Map<string, string>;
}
export interface ListValue {
  readonly kind: 'list';
  readonly items: string[];
}
export interface SetValue {
  readonly kind: 'set';
  readonly members: Set<string>;
}
interface SortedSetValue {
  readonly kind: 'zset';
  readonly scores: SortedSet;
}

/** Bits in segments of 1,024 bytes, as Kvrocks stores them: one far bit costs one segment. Segments have full length. */
export interface BitmapValue {
  readonly kind: 'bitmap';
  /** Bytes up to the highest byte ever written. */
  size: number;
  readonly segments: Map<number, Uint8Array>;
}

export interface StreamId {
  readonly ms: number;
  readonly seq: number;
}
export interface StreamEntry {
  readonly id: StreamId;
  /** Fields and values alternate. */
  readonly fields: readonly string[];
}
/** The only kind that may be empty. */
export interface StreamValue {
  readonly kind: 'stream';
  readonly entries: StreamEntry[];
  lastId: StreamId;
  maxDeletedId: StreamId;
  added: number;
}

export type Value = StringValue | HashValue | ListValue | SetValue | SortedSetValue | BitmapValue | StreamValue;

export interface Entry {
  readonly value: Value;
  expireAt: number;
}

export const SEGMENT_BYTES = 1024;

/** How many records besides its metadata a value takes in the store, as RENAME and COPY write them. */
export function recordsOf(value: Value): number {
  switch (value.kind) {
    case 'string':
      return 0;
    case 'hash':
      return value.fields.size;
    case 'list':
      return value.items.length;
    case 'set':
      return value.members.size;
    case 'zset':
      return 2 * value.scores.size;
    case 'bitmap':
      return value.segments.size;
    case 'stream':
      return value.entries.length;
  }
}

/** A copy that shares nothing that may change. */
export function copyOf(value: Value): Value {
  switch (value.kind) {
    case 'string':
      return value;
    case 'hash':
      return { kind: 'hash', fields: new Map(value.fields) };
    case 'list':
      return { kind: 'list', items: [...value.items] };
    case 'set':
      return { kind: 'set', members: new Set(value.members) };
    case 'zset':
      return { kind: 'zset', scores: SortedSet.of(value.scores.items) };
    case 'bitmap': {
      const segments = new Map<number, Uint8Array>();
      for (const [index, bytes] of value.segments) segments.set(index, bytes.slice());
      return { kind: 'bitmap', size: value.size, segments };
    }
    case 'stream':
      return { ...value, entries: [...value.entries] };
  }
}

export function isExpired(entry: Entry, now: number): boolean {
  // Kvrocks 2.14 still serves a key in the very millisecond of its end.
  return entry.expireAt !== 0 && entry.expireAt < now;
}
