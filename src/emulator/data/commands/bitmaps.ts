import type { Reply } from '../../reply.ts';
import { optionInteger, parseInt64, Refusal, texts } from '../arguments.ts';
import { type Access, at, type Commands, ONE_KEY, reading, writing, wrongType } from '../command.ts';
import { setEffect } from '../effects.ts';
import { count, ONE, ZERO } from '../replies.ts';
import { type BitmapValue, SEGMENT_BYTES } from '../values.ts';

/** `max-bitmap-to-string-mb` at its default of 16. */
const LONGEST_TEXT = 16 * 1024 * 1024;

/** A bitmap as the text that GET answers. Refused beyond 16 MiB. */
export function bitmapText(bitmap: BitmapValue): string {
  if (bitmap.size > LONGEST_TEXT) {
    throw new Refusal(
      'Operation aborted: The size of the bitmap string exceeds the configuration item max-bitmap-to-string-mb',
    );
  }
  return Buffer.from(bytesOf(bitmap)).toString('latin1');
}

function bytesOf(bitmap: BitmapValue): Uint8Array {
  const bytes = new Uint8Array(bitmap.size);
  for (const [index, segment] of bitmap.segments) {
    const from = index * SEGMENT_BYTES;
    if (from < bitmap.size) bytes.set(segment.subarray(0, Math.min(SEGMENT_BYTES, bitmap.size - from)), from);
  }
  return bytes;
}

/** SETBIT makes bitmaps, but works on strings too. */
function bitmapOrText(access: Access, key: string): BitmapValue | string | undefined {
  const value = access.live(key)?.value;
  if (value === undefined || value.kind === 'bitmap') return value;
  if (value.kind === 'string') return value.text;
  throw wrongType();
}

function offsetWord(word: string): number {
  const offset = parseInt64(word);
  if (offset === undefined || offset < 0n || offset > 4294967295n) {
    throw new Refusal('bit offset is not an integer or out of range');
  }
  return Number(offset);
}

function bit(held: BitmapValue | string | undefined, offset: number): boolean {
  if (held === undefined) return false;
  const byte = Math.floor(offset / 8);
  const bits =
    typeof held === 'string'
      ? byte < held.length
        ? held.charCodeAt(byte)
        : 0
      : (held.segments.get(Math.floor(byte / SEGMENT_BYTES))?.[byte % SEGMENT_BYTES] ?? 0);
  return (bits & (0x80 >> (offset % 8))) !== 0;
}

function setBit(access: Access, words: readonly string[]): Reply {
  const key = at(words, 1);
  const offset = offsetWord(at(words, 2));
  const word = at(words, 3);
  if (word !== '0' && word !== '1') throw new Refusal('bit is out of range');
  const held = bitmapOrText(access, key);
  const old = bit(held, offset);
  if (typeof held === 'string') {
    const byte = Math.floor(offset / 8);
    const mask = 0x80 >> (offset % 8);
    const padded = held.padEnd(byte + 1, '\0');
    const bits = padded.charCodeAt(byte);
    const changed = String.fromCharCode(word === '1' ? bits | mask : bits & ~mask);
    const text = padded.slice(0, byte) + changed + padded.slice(byte + 1);
    const expireAt = access.live(key)?.expireAt ?? 0;
    access.commit(setEffect(key, text, expireAt));
  } else {
    access.commit(['SETBIT', key, String(offset), word]);
  }
  return old ? ONE : ZERO;
}

function ones(byte: number): number {
  let left = byte;
  let found = 0;
  for (; left !== 0; left &= left - 1) found++;
  return found;
}

/** BITCOUNT key [start end [BYTE|BIT]]. */
function bitCount(access: Access, words: readonly string[]): Reply {
  if (words.length === 3 || words.length > 5) throw new Refusal(texts.syntax);
  const unit = words[4]?.toUpperCase();
  if (unit !== undefined && unit !== 'BYTE' && unit !== 'BIT') throw new Refusal(texts.syntax);
  let start = words.length > 2 ? optionInteger(words[2]) : 0;
  let stop = words.length > 2 ? optionInteger(words[3]) : -1;
  const held = bitmapOrText(access, at(words, 1));
  if (held === undefined) return ZERO;
  const bytes = typeof held === 'string' ? Buffer.from(held, 'latin1') : bytesOf(held);
  const length = unit === 'BIT' ? bytes.length * 8 : bytes.length;
  if (start < 0 && stop < 0 && start > stop) return ZERO;
  if (start < 0) start = Math.max(0, length + start);
  if (stop < 0) stop = Math.max(0, length + stop);
  stop = Math.min(stop, length - 1);
  let found = 0;
  if (unit === 'BIT') {
    for (let i = start; i <= stop; i++) if ((bytes[i >> 3] ?? 0) & (0x80 >> (i % 8))) found++;
  } else {
    for (let i = start; i <= stop; i++) found += ones(bytes[i] ?? 0);
  }
  return count(found);
}

export const bitmaps: Commands = {
  getbit: reading(3, ONE_KEY, (access, words) => {
    const offset = offsetWord(at(words, 2));
    return bit(bitmapOrText(access, at(words, 1)), offset) ? ONE : ZERO;
  }),
  setbit: writing(4, ONE_KEY, setBit),
  bitcount: reading(-2, ONE_KEY, bitCount),
};
