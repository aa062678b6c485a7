/** Reproducible random numbers: the same seed and purpose give the same numbers on every machine. */
import type { RandomSource } from './runtime.ts';

/** FNV-1a over the text's UTF-16 units: spreads purposes and seeds over 32 bits. */
function hash(text: string, seed: number): number {
  let h = (seed ^ 0x811c9dc5) >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/** Mulberry32: 32 bits of state, enough for spreading load and drawing faults; not for secrets. */
export function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    },
    child: (purpose) => seededRandom(hash(purpose, seed)),
  };
}

/** An integer from 0 up to, but without, `below`. */
export function randomInteger(random: RandomSource, below: number): number {
  return Math.floor(random.next() * below);
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** `length` letters and digits, as node ids and shard ids are written. */
export function randomText(random: RandomSource, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += ALPHANUMERIC[randomInteger(random, ALPHANUMERIC.length)];
  return text;
}
