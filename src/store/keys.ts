/** What all engines do alike with keys: their order, the range of a prefix, and what can be written at all. */
import type { Write } from './port.ts';

/** A UTF-16 unit moved so that units compare as the code points they belong to: surrogates come after U+FFFF. */
function rank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

/** The order of the keys' UTF-8 bytes, which is that of their code points; `<` on strings differs beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** The smallest text greater than everything that starts with `prefix`; undefined when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue;
    // Surrogates are no code points of their own, so text never holds one.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** Why no engine can take these writes, for people; undefined when they can be tried. */
export function refusalOf(writes: readonly Write[]): string | undefined {
  const seen = new Set<string>();
  for (const { key, value } of writes) {
    if (key === '') return 'a key is empty';
    // A lone surrogate has no UTF-8 form: it would be stored as another character.
    if (!key.isWellFormed()) return 'a key is not well-formed Unicode';
    if (value !== null && !value.isWellFormed()) return `the value of ${key} is not well-formed Unicode`;
    if (seen.has(key)) return `${key} is written twice in one commit`;
    seen.add(key);
  }
  return undefined;
}
