/**
 * Notices that a leader asks no node any more though it should: a chain of timers that broke, a loop that hangs on
 * something. Such a leader holds the lease and protects nobody. Time in which the whole process stood still does not
 * count: then this timer was late, too.
 */
import type { Cancel, Duration, Instant, Timers } from '../runtime/runtime.ts';

const TICK: Duration = 1_000;
/** A tick this late is a stall of the process. */
const STALL: Duration = 250;
export const SILENT_FOR: Duration = 5_000;

export class Pulse {
  #beats = 0;
  #cancel: Cancel | undefined;

  /** A node was asked something. */
  beat(): void {
    this.#beats++;
  }

  /** Calls `silent` once when no node was asked for five seconds while `nodes` says that there are any. */
  watch(now: () => Instant, timers: Timers, nodes: () => boolean, silent: () => void): void {
    let seen = this.#beats;
    let since = now();
    const tick = () => {
      const due = now() + TICK;
      this.#cancel = timers.after(TICK, () => {
        const at = now();
        if (this.#beats !== seen || at > due + STALL || !nodes()) {
          seen = this.#beats;
          since = at;
        }
        if (at - since < SILENT_FOR) tick();
        else silent();
      });
    };
    tick();
  }

  close(): void {
    this.#cancel?.();
  }
}
