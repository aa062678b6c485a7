/** What `load-child.ts` writes and `kill.test.ts` expects to find. */
export const WRITERS = 6;
export const PARTS = 4;
/** A writer's newest records stay, this many. */
export const KEPT = 40;

/** Of every length from a few bytes to several pages, and telling whose it is. */
export function partOf(writer: number, number: number, part: number): { readonly key: string; readonly value: string } {
  const text = `${writer}.${number}.${part};`;
  return { key: `/record/${writer}/${number}/${part}`, value: text.repeat(1 + ((number * 7 + part * 131) % 900)) };
}
