/** Which slot a key belongs to: CRC16 (XMODEM) of what stands in its first braces, or of all of it. */
export const SLOTS = 16_384;

export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const hashed = Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key);
  let crc = 0;
  for (const byte of hashed) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc % SLOTS;
}

/** A hash tag whose slot lies in `from`-`to`, both included; another one for each `nth`. */
export function tagIn(from: number, to: number, nth = 0): string {
  let found = 0;
  for (let i = 0; ; i++) {
    const slot = slotOf(`t${i}`);
    if (slot >= from && slot <= to && found++ === nth) return `{t${i}}`;
  }
}
