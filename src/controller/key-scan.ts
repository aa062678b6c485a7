/** Counts the keys that a master holds in each slot, its own or not, gently: one question at a time, half of the time. */
import type { KeysLook } from '../decisions/deep-look.ts';
import { scan } from '../kvrocks/commands/scan.ts';
import { slotOfBytes } from '../kvrocks/commands/slot.ts';
import type { Connection } from '../kvrocks/connection.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import { outcomeWords } from './outcome-words.ts';

const FIRST_PAGE = 100;
/** The server reads so many within a few milliseconds; nobody else of its thread is served meanwhile. */
const LARGEST_PAGE = 1_000;
/** Bytes of keys in one answer that are aimed at. */
const PAGE_BYTES = 256 * 1024;

/** `within`: ms after which the rest is left alone. Resolves in any case. */
export async function scanKeys(runtime: Runtime, connection: Connection, within: Duration): Promise<KeysLook> {
  const end = runtime.clock.now() + within;
  const held = new Map<number, number>();
  let looked = 0;
  let reached = 0;
  // By the order of slots alone it is known which of them were seen: 2.14 keeps it.
  let ordered = true;
  let cursor = '0';
  let count = FIRST_PAGE;
  const stopped = (why: string): KeysLook => ({ held, looked, from: ordered ? reached : 0, why });
  do {
    const begun = runtime.clock.now();
    if (begun >= end) return stopped(`there was no time for more than ${Math.round(within / 1000)} s`);
    const page = await connection.ask(scan(cursor, count));
    if (page.kind !== 'reply') return stopped(outcomeWords(page));
    let bytes = 0;
    for (const key of page.value.keys) {
      const slot = slotOfBytes(key);
      ordered &&= slot >= reached;
      reached = slot;
      bytes += key.length;
      held.set(slot, (held.get(slot) ?? 0) + 1);
    }
    looked += page.value.keys.length;
    cursor = page.value.next;
    count = bytes > PAGE_BYTES ? Math.max(1, count >> 2) : Math.min(LARGEST_PAGE, count * 2);
    if (cursor !== '0') await pause(runtime, runtime.clock.now() - begun);
  } while (cursor !== '0');
  return { held, looked, from: null, why: null };
}

const pause = (runtime: Runtime, delay: Duration): Promise<void> =>
  new Promise((resolve) => runtime.timers.after(delay, resolve));
