import type { RandomSource } from '../../../runtime/runtime.ts';
import { randomInteger } from '../../../runtime/seeded-random.ts';

/** `count` different texts of the list, or all of them if there are fewer. */
export function chooseSome(random: RandomSource, texts: readonly string[], count: number): readonly string[] {
  const pool = [...texts];
  const chosen = Math.min(count, pool.length);
  for (let i = 0; i < chosen; i++) {
    const at = i + randomInteger(random, pool.length - i);
    const text = pool[at] ?? '';
    pool[at] = pool[i] ?? '';
    pool[i] = text;
  }
  return pool.slice(0, chosen);
}

/** As SRANDMEMBER counts: a positive number of different texts, or a negative one with repetitions. */
export function choose(random: RandomSource, texts: readonly string[], count: number): readonly string[] {
  if (count >= 0) return chooseSome(random, texts, count);
  if (texts.length === 0) return [];
  return Array.from({ length: -count }, () => texts[randomInteger(random, texts.length)] ?? '');
}
