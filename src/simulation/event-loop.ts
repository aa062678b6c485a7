/**
 * Virtual time: a heap of events, each run alone, with every promise that it set going settled before the next. Each
 * event runs in an immediate of its own; Node drains all microtasks between two immediates, so that is certain and not
 * hoped for, and many immediates are queued at once, which makes an event cost less than a microsecond.
 *
 * The only file of the simulation that touches the platform.
 */
import type { Cancel, Duration, Instant } from '../runtime/runtime.ts';

interface Entry {
  readonly at: Instant;
  readonly order: number;
  /** Undefined: cancelled. */
  call: (() => void) | undefined;
}

/** Immediates queued at a time. */
const BATCH = 256;

export class EventLoop {
  now: Instant = 0;
  /** Events run so far. */
  events = 0;
  readonly #heap: Entry[] = [];
  #order = 0;
  #broken: unknown;
  #failed = false;

  /** Calls once at `at`, or now if that has passed; events of one instant run in the order in which they were asked for. */
  at(at: Instant, call: () => void): Cancel {
    const entry: Entry = { at: at > this.now ? at : this.now, order: this.#order++, call };
    this.#push(entry);
    return () => {
      entry.call = undefined;
    };
  }

  after(delay: Duration, call: () => void): Cancel {
    return this.at(this.now + delay, call);
  }

  sleep(delay: Duration): Promise<void> {
    return new Promise((resolve) => this.at(this.now + delay, resolve));
  }

  /** Runs events until `done` says so or nothing is left to happen. Rejects with what an event threw or left rejected. */
  run(done: () => boolean): Promise<void> {
    const rejected = (why: unknown) => this.#break(why);
    process.on('unhandledRejection', rejected);
    return new Promise<void>((resolve, reject) => {
      let queued = 0;
      let over = false;
      const finish = () => {
        over = true;
        if (this.#failed) reject(this.#broken);
        else resolve();
      };
      const turn = () => {
        queued--;
        if (!over) {
          if (this.#failed || done() || !this.#step()) finish();
          else if (queued === 0) refill();
        }
      };
      const refill = () => {
        queued = BATCH;
        for (let i = 0; i < BATCH; i++) setImmediate(turn);
      };
      refill();
    }).finally(() => process.off('unhandledRejection', rejected));
  }

  #break(why: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#broken = why;
  }

  #step(): boolean {
    for (;;) {
      const entry = this.#pop();
      if (entry === undefined) return false;
      const { call } = entry;
      if (call === undefined) continue;
      this.now = entry.at;
      this.events++;
      try {
        call();
      } catch (error) {
        this.#break(error);
      }
      return true;
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      if (least === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, least)) {
        least = right;
        child++;
      }
      if (!before(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Milliseconds of the real clock, to compare simulated time with. */
export const realMilliseconds = (): number => performance.now();
