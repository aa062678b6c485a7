/** Slots of keys: CRC16 (XMODEM) of the key's bytes, or of what stands in its first `{...}`, modulo 16,384. */
import { latin1OfText } from '../resp.ts';

export const SLOT_COUNT = 16384;

const CRC16_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

function crc16(latin1: string): number {
  let crc = 0;
  for (let at = 0; at < latin1.length; at++) {
    crc = ((crc << 8) ^ (CRC16_TABLE[((crc >> 8) ^ latin1.charCodeAt(at)) & 0xff] ?? 0)) & 0xffff;
  }
  return crc;
}

/** The key is a text; its UTF-8 bytes count. An empty tag, `{}`, is no tag. */
export const slotOfKey = (key: string): number => slotOfBytes(latin1OfText(key));

/** The same for a key of any bytes, as latin1. */
export function slotOfBytes(bytes: string): number {
  const open = bytes.indexOf('{');
  const close = open < 0 ? -1 : bytes.indexOf('}', open + 1);
  return crc16(close > open + 1 ? bytes.slice(open + 1, close) : bytes) % SLOT_COUNT;
}

/** A range of slots, both ends included. */
export interface SlotSpan {
  readonly first: number;
  readonly last: number;
}

/** `5`, or `5-9`; never `5-5`, which SETNODES refuses. */
export function formatSpan(span: SlotSpan): string {
  return span.first === span.last ? `${span.first}` : `${span.first}-${span.last}`;
}

/** Undefined unless it is `5` or `5-9`, within 0..16383 and in order. */
export function parseSpan(text: string): SlotSpan | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last < SLOT_COUNT ? { first, last } : undefined;
}

let tags: string[] | undefined;

/** A short key of that slot (0..16383), always the same; no application is likely to use it. Filled at the first use. */
export function keyInSlot(slot: number): string {
  tags ??= findTags();
  const tag = tags[slot];
  if (tag === undefined) throw new RangeError(`no slot ${slot}`);
  return `kvctl:{${tag}}`;
}

function findTags(): string[] {
  const found: string[] = new Array(SLOT_COUNT);
  let missing = SLOT_COUNT;
  for (let number = 0; missing > 0; number++) {
    const tag = number.toString(36);
    const slot = crc16(tag) % SLOT_COUNT;
    if (found[slot] !== undefined) continue;
    found[slot] = tag;
    missing -= 1;
  }
  return found;
}
