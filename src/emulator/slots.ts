/** CRC16 (XMODEM: polynomial 0x1021, start 0), one entry a byte. */
const table = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  table[byte] = crc & 0xffff;
}

/**
 * The slot, 0 to 16383, of a key given as latin1 bytes: of the text between the first `{` and the next `}` if that is
 * not empty, else of the whole key.
 */
export function slotOf(key: string): number {
  let from = 0;
  let to = key.length;
  const open = key.indexOf('{');
  if (open >= 0) {
    const close = key.indexOf('}', open + 1);
    if (close > open + 1) {
      from = open + 1;
      to = close;
    }
  }
  let crc = 0;
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) & 0xffff) ^ (table[((crc >> 8) ^ key.charCodeAt(i)) & 0xff] ?? 0);
  }
  return crc & 0x3fff;
}
