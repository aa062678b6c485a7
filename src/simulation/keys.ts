/** Keys for slots. */
import { slotOf } from '../emulator/slots.ts';

const known = new Map<number, string>();

/** A key that hashes to `slot`; clients of the traffic use none of them. */
export function keyInSlot(slot: number): string {
  const found = known.get(slot);
  if (found !== undefined) return found;
  for (let i = 0; ; i++) {
    const key = `hand${i}`;
    if (slotOf(key) !== slot) continue;
    known.set(slot, key);
    return key;
  }
}
