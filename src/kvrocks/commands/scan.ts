import { garbled, type Question, question, readText, reply } from '../question.ts';

/** Some of the keys of a node, and where to go on. */
export interface ScannedKeys {
  /** `0` after the last key. */
  readonly next: string;
  /** Any bytes, a character a byte (latin1). */
  readonly keys: readonly string[];
}

/**
 * `SCAN <cursor> COUNT <count>`: at most `count` keys behind the cursor, `0` at the beginning. A node in cluster mode
 * lists its keys in the order of their slots, whoever owns those: keys in slots of others are listed like its own, and
 * only here, since every other command for them is answered MOVED (2.14; there is no COUNTKEYSINSLOT). A cursor is good
 * on its own process only, and for its next 16,384 ones. A late or repeated copy changes nothing.
 */
export function scan(cursor: string, count: number): Question<ScannedKeys> {
  return question(['SCAN', cursor, 'COUNT', `${count}`], (got) => {
    const [next, list] = got.kind === 'array' ? got.items : [];
    const to = next && readText(next);
    if (to === undefined || list?.kind !== 'array') return garbled('SCAN: no cursor and keys');
    const keys: string[] = [];
    for (const item of list.items) {
      const key = readText(item);
      if (key === undefined) return garbled('SCAN: a key that is none');
      keys.push(key);
    }
    return reply({ next: to, keys });
  });
}
