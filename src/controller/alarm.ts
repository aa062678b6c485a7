/** One timer for the next instant at which something may turn out otherwise though nothing new was seen. */
import type { Cancel, Duration, Instant, Runtime } from '../runtime/runtime.ts';

/** A timer this late is a stall of our own. */
const STALL: Duration = 250;

export class Alarm {
  readonly #runtime: Runtime;
  readonly #ring: (stalled: boolean) => void;
  #set: { readonly at: Instant; readonly cancel: Cancel } | undefined;

  /** `stalled`: it rang so late that this process must have stood still. */
  constructor(runtime: Runtime, ring: (stalled: boolean) => void) {
    this.#runtime = runtime;
    this.#ring = ring;
  }

  /** Undefined leaves it as it is. */
  at(at: Instant | undefined): void {
    if (at === undefined || this.#set?.at === at) return;
    this.#set?.cancel();
    const { clock, timers } = this.#runtime;
    const cancel = timers.after(Math.max(1, at - clock.now()), () => {
      this.#set = undefined;
      this.#ring(clock.now() - at > STALL);
    });
    this.#set = { at, cancel };
  }

  close(): void {
    this.#set?.cancel();
  }
}
