import type { Effect } from './effects.ts';
import type { Keyspace } from './keyspace.ts';
import type { StreamId, StreamValue } from './values.ts';

/** `ms-seq`; both exact only up to 2^53. */
export function idText(id: StreamId): string {
  return `${id.ms}-${id.seq}`;
}

export function compareIds(a: StreamId, b: StreamId): number {
  return a.ms - b.ms || a.seq - b.seq;
}

/** An id as `idText` writes it. */
export function idOf(text: string): StreamId {
  const dash = text.indexOf('-');
  return { ms: Number(text.slice(0, dash)), seq: Number(text.slice(dash + 1)) };
}

/** The position of the first entry with this id or a higher one. */
export function streamPosition(stream: StreamValue, id: StreamId): number {
  let low = 0;
  let high = stream.entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = stream.entries[middle];
    if (entry !== undefined && compareIds(entry.id, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function streamFor(keyspace: Keyspace, key: string): StreamValue {
  const value = keyspace.get(key)?.value;
  if (value?.kind === 'stream') return value;
  const zero = { ms: 0, seq: 0 };
  const made: StreamValue = { kind: 'stream', entries: [], lastId: zero, maxDeletedId: zero, added: 0 };
  keyspace.put(key, { value: made, expireAt: 0 });
  return made;
}

function cut(stream: StreamValue, count: number): number {
  const gone = stream.entries.splice(0, count);
  const last = gone[gone.length - 1];
  if (last !== undefined && compareIds(last.id, stream.maxDeletedId) > 0) stream.maxDeletedId = last.id;
  return gone.length;
}

/** The effects on streams; undefined for others. */
export function performStream(keyspace: Keyspace, effect: Effect): number | undefined {
  const key = effect[1] ?? '';
  switch (effect[0]) {
    case 'XADD': {
      // XADD key id field value...
      const stream = streamFor(keyspace, key);
      const id = idOf(effect[2] ?? '');
      const at = streamPosition(stream, id);
      const there = stream.entries[at];
      const same = there !== undefined && compareIds(there.id, id) === 0;
      stream.entries.splice(at, same ? 1 : 0, { id, fields: effect.slice(3) });
      if (compareIds(id, stream.lastId) > 0) stream.lastId = id;
      stream.added++;
      return 2;
    }
    case 'XCUT':
      // XCUT key count: the oldest go within an XADD, whose metadata record is counted there.
      return cut(streamFor(keyspace, key), Number(effect[2]));
    case 'XTRIM': {
      const gone = cut(streamFor(keyspace, key), Number(effect[2]));
      return gone > 0 ? gone + 1 : 0;
    }
    case 'XDEL': {
      const stream = streamFor(keyspace, key);
      let gone = 0;
      for (let i = 2; i < effect.length; i++) {
        const id = idOf(effect[i] ?? '');
        const at = streamPosition(stream, id);
        const there = stream.entries[at];
        if (there === undefined || compareIds(there.id, id) !== 0) continue;
        stream.entries.splice(at, 1);
        if (compareIds(id, stream.maxDeletedId) > 0) stream.maxDeletedId = id;
        gone++;
      }
      return gone > 0 ? gone + 1 : 0;
    }
    case 'XSETID': {
      // XSETID key last-id entries-added max-deleted-id
      const stream = streamFor(keyspace, key);
      stream.lastId = idOf(effect[2] ?? '0-0');
      stream.added = Number(effect[3] ?? 0);
      stream.maxDeletedId = idOf(effect[4] ?? '0-0');
      return 1;
    }
    default:
      return undefined;
  }
}
