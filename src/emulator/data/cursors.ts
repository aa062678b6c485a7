import type { Cursors } from './command.ts';

const KEPT = 16384;
const HIGH_BIT = 2n ** 63n;

/** The last 16,384 cursors of a process, as Kvrocks keeps them; older ones begin again. Forgotten at a restart. */
export function createCursors(): Cursors {
  const kept: { readonly cursor: string; readonly name: string }[] = [];
  let counter = 0;
  return {
    after(name) {
      const cursor = String(HIGH_BIT + BigInt(counter));
      kept[counter % KEPT] = { cursor, name };
      counter++;
      return cursor;
    },
    nameOf(cursor) {
      if (!/^\d+$/.test(cursor)) return '';
      const found = kept[Number((BigInt(cursor) & (HIGH_BIT - 1n)) % BigInt(KEPT))];
      return found?.cursor === cursor ? found.name : '';
    },
  };
}
