/** The state as a JSON-able value and back. A snapshot is the work of this file or it is refused. */
import type { Keyspace } from './keyspace.ts';
import type { LogEntry } from './port.ts';
import { SortedSet } from './sorted-set.ts';
import { idOf, idText } from './stream-effects.ts';
import { type Entry, SEGMENT_BYTES, type StreamEntry, type Value } from './values.ts';

const FORMAT = 'emulated-data-1';

interface LogState {
  readonly sequence: number;
  readonly logStart: number;
  readonly log: readonly LogEntry[];
}

export function takeSnapshot(keyspace: Keyspace, state: LogState): unknown {
  const keys: unknown[] = [];
  for (const key of keyspace.keys()) {
    const entry = keyspace.get(key);
    if (entry !== undefined) keys.push([key, entry.expireAt, entry.value.kind, packed(entry.value)]);
  }
  return {
    format: FORMAT,
    sequence: state.sequence,
    keys,
    logStart: state.logStart,
    log: state.log.map(({ sequence, count, effects, slots, apart }) => [
      sequence,
      count,
      effects,
      slots,
      apart === true,
    ]),
  };
}

function packed(value: Value): unknown {
  switch (value.kind) {
    case 'string':
      return value.text;
    case 'hash':
      return [...value.fields].flat();
    case 'list':
      return [...value.items];
    case 'set':
      return [...value.members];
    case 'zset':
      // JSON has no infinities, so scores are texts.
      return value.scores.items.flatMap(({ member, score }) => [member, String(score)]);
    case 'bitmap':
      return [value.size, [...value.segments].map(([index, bytes]) => [index, Buffer.from(bytes).toString('latin1')])];
    case 'stream':
      return [
        idText(value.lastId),
        idText(value.maxDeletedId),
        value.added,
        value.entries.map(({ id, fields }) => [idText(id), fields]),
      ];
  }
}

/** Reads a snapshot into an empty keyspace. Throws if it is not one; the keyspace is then of no use. */
export function readSnapshot(snapshot: unknown, keyspace: Keyspace): LogState {
  const { format, sequence, keys, logStart, log } = fieldsOf(snapshot);
  if (format !== FORMAT) throw new Error('not a snapshot of emulated data');
  for (const item of list(keys)) {
    const [key, expireAt, kind, value] = list(item);
    const entry: Entry = { value: unpacked(text(kind), value), expireAt: number(expireAt) };
    keyspace.put(text(key), entry);
  }
  return {
    sequence: number(sequence),
    logStart: number(logStart),
    log: list(log).map((item) => {
      const [first, count, effects, slots, apart] = list(item);
      return {
        sequence: number(first),
        count: number(count),
        effects: list(effects).map(texts),
        slots: list(slots).map(number),
        ...(apart === true ? { apart } : undefined),
      };
    }),
  };
}

function unpacked(kind: string, value: unknown): Value {
  switch (kind) {
    case 'string':
      return { kind, text: text(value) };
    case 'hash':
      return { kind, fields: new Map(pairs(texts(value))) };
    case 'list':
      return { kind, items: [...texts(value)] };
    case 'set':
      return { kind, members: new Set(texts(value)) };
    case 'zset': {
      const items = pairs(texts(value)).map(([member, score]) => ({ member, score: Number(score) }));
      return { kind, scores: SortedSet.of(items) };
    }
    case 'bitmap': {
      const [size, stored] = list(value);
      const segments = new Map<number, Uint8Array>();
      for (const item of list(stored)) {
        const [index, bytes] = list(item);
        const segment = new Uint8Array(SEGMENT_BYTES);
        segment.set(Buffer.from(text(bytes), 'latin1'));
        segments.set(number(index), segment);
      }
      return { kind, size: number(size), segments };
    }
    case 'stream': {
      const [lastId, maxDeletedId, added, entries] = list(value);
      return {
        kind,
        lastId: idOf(text(lastId)),
        maxDeletedId: idOf(text(maxDeletedId)),
        added: number(added),
        entries: list(entries).map((item): StreamEntry => {
          const [id, fields] = list(item);
          return { id: idOf(text(id)), fields: texts(fields) };
        }),
      };
    }
    default:
      throw new Error(`unknown kind in a snapshot: ${kind}`);
  }
}

interface Fields {
  readonly format?: unknown;
  readonly sequence?: unknown;
  readonly keys?: unknown;
  readonly logStart?: unknown;
  readonly log?: unknown;
}

function fieldsOf(snapshot: unknown): Fields {
  return typeof snapshot === 'object' && snapshot !== null ? snapshot : {};
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('a list is missing in a snapshot');
  return value;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error('a text is missing in a snapshot');
  return value;
}

function texts(value: unknown): readonly string[] {
  return list(value).map(text);
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw new Error('a number is missing in a snapshot');
  return value;
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return found;
}
