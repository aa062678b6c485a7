/** Asks one node at its own pace, over one long-lived connection, and once at once when that connection ends. */
import { PACE } from '../decisions/decide.ts';
import { PROBE_LIMITS, Probe } from '../kvrocks/probe.ts';
import type { ProbeRecord } from '../kvrocks/probe-record.ts';
import type { ConnectionEnd } from '../kvrocks/question.ts';
import type { Cancel, Duration, Instant, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';

export interface ProberHandlers {
  /** A question was sent, or a connection begun for it. */
  asked(): void;
  connected(): void;
  answered(record: Readonly<ProbeRecord>): void;
  failed(why: ConnectionEnd, begunAt: Instant, wasOpen: boolean): void;
  /** A timer came late: this process stood still until now. */
  stalled(late: Duration): void;
}

/** A timer this late is a stall of our own. */
const STALL = 250;

export class Prober {
  readonly #runtime: Runtime;
  readonly #probe: Probe;
  readonly #on: ProberHandlers;
  #interval: Duration = PACE.quiet;
  #begunAt: Instant;
  #dueAt: Instant = 0;
  #cancel: Cancel | undefined;
  #wasOpen = false;
  /** Something readable came over this connection. */
  #answered = false;
  #closed = false;

  /** The first question goes out after `delay`, so that many nodes are spread over the interval. */
  constructor(runtime: Runtime, address: Address, password: Secret, delay: Duration, on: ProberHandlers) {
    this.#runtime = runtime;
    this.#on = on;
    this.#begunAt = runtime.clock.now();
    this.#probe = new Probe(runtime, address, password, PROBE_LIMITS, {
      connected: () => {
        this.#wasOpen = true;
        on.connected();
      },
      answered: (record) => {
        this.#answered = true;
        on.answered(record);
      },
      failed: (why, askedAt) => this.#failed(why, askedAt),
    });
    this.#schedule(delay);
  }

  #schedule(delay: Duration): void {
    this.#cancel?.();
    this.#dueAt = this.#runtime.clock.now() + delay;
    this.#cancel = this.#runtime.timers.after(delay, () => {
      const late = this.#runtime.clock.now() - this.#dueAt;
      // First, so that whatever asking brings, the next question is due.
      this.#schedule(this.#interval);
      if (late > STALL) this.#on.stalled(late);
      this.#ask();
    });
  }

  #ask(): void {
    const now = this.#runtime.clock.now();
    if (!this.#probe.ask()) return;
    this.#begunAt = now;
    this.#on.asked();
  }

  #failed(why: ConnectionEnd, askedAt: Instant | undefined): void {
    const wasOpen = this.#wasOpen;
    const answered = this.#answered;
    this.#wasOpen = false;
    this.#answered = false;
    this.#on.failed(why, askedAt ?? this.#begunAt, wasOpen);
    // The end of a connection is no word about the node yet: a new one is tried at once. Not so where none ever brought
    // an answer: whatever takes connections there would be asked again without pause.
    if (wasOpen && answered && !this.#closed) this.askNow();
  }

  /** Takes effect with the next question, which is brought forward if that is sooner. */
  pace(interval: Duration): void {
    if (interval === this.#interval || this.#closed) return;
    const sooner = interval < this.#interval;
    this.#interval = interval;
    if (sooner) this.askNow();
  }

  askNow(): void {
    if (this.#closed) return;
    this.#ask();
    this.#schedule(this.#interval);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#probe.close();
  }
}
