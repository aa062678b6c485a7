import { infoFields, natural } from '../info-text.ts';
import { garbled, type Question, question, readText, reply } from '../question.ts';

/**
 * `INFO rocksdb`, of which only RocksDB's own estimate of the keys of all types: exact for keys that were written once,
 * too high where they were overwritten, expired or moved away and nothing was compacted since (2.14; whole slots are
 * deleted as ranges, which it does not count). A late or repeated copy changes nothing.
 */
export function estimateKeys(): Question<number> {
  return question(['INFO', 'rocksdb'], (got) => {
    const keys = natural(infoFields(readText(got) ?? '').get('estimate_keys[metadata]'));
    return keys === undefined ? garbled('INFO rocksdb: no estimate of the keys') : reply(keys);
  });
}
