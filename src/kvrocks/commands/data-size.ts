import { infoFields, natural } from '../info-text.ts';
import { garbled, type Question, type Read, readText, reply } from '../question.ts';
import { encodeCommand, type Reply } from '../resp.ts';

/** What a server holds, as far as it can tell without looking through all of it. */
export interface DataSize {
  /**
   * RocksDB's own estimate of the keys of all types: exact for keys that were written once, too high where they were
   * overwritten, expired or moved away and nothing was compacted since (2.14; whole slots are deleted as ranges, which
   * it does not count).
   */
  readonly keys: number;
  /** Of its files and what is not in one yet, compressed as they are; null where it is not told. */
  readonly bytes: number | null;
}

/** `INFO rocksdb` and `INFO keyspace`, of which only the sizes. A late or repeated copy changes nothing. */
export function dataSize(): Question<DataSize> {
  const asked = ['rocksdb', 'keyspace'].map((section) => encodeCommand(['INFO', section])).join('');
  return { bytes: asked, replies: 2, read: readSizes };
}

function readSizes(replies: readonly Reply[]): Read<DataSize> {
  const [rocksdb, keyspace] = replies.map((got) => infoFields(readText(got) ?? ''));
  const keys = natural(rocksdb?.get('estimate_keys[metadata]'));
  if (keys === undefined) return garbled('INFO rocksdb: no estimate of the keys');
  const bytes = natural(keyspace?.get('used_db_size')) ?? 0;
  return reply({ keys, bytes: bytes === 0 ? null : bytes });
}
