/** The events of one cluster: numbered, stored apart from its topology, bounded, and told to whoever listens. */
import type { Happening } from '../decisions/world.ts';
import type { Clock } from '../runtime/runtime.ts';
import type { Store, Write } from '../store/port.ts';
import type { ClusterEvent } from './events.ts';
import { eventKey, eventPrefix } from './records.ts';

const EVENT_FORMAT = 1;
const EVENTS_KEPT = 10_000;
const EVENTS_KEPT_FOR = 7 * 24 * 3_600_000;
/** Older events than these are read from the store. */
const IN_MEMORY = 500;
/** Between two looks at what is too old. */
const PRUNE_EVERY = 256;

/** Undefined for a record that is none, or of a format that a later release has written: history is no reason to stop. */
function readEvent(record: string): ClusterEvent | undefined {
  try {
    const { format, ...event } = JSON.parse(record) as ClusterEvent & { readonly format: number };
    return format === EVENT_FORMAT ? event : undefined;
  } catch {
    return undefined;
  }
}

export class History {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #namespace: string;
  readonly #name: string;
  readonly #recent: ClusterEvent[] = [];
  readonly #listeners = new Set<(event: ClusterEvent) => void>();
  #nextId: number;
  #sincePrune = 0;
  /** Keys that a later write removes. */
  #surplus: string[] = [];

  constructor(store: Store, clock: Clock, namespace: string, name: string, nextId: number) {
    this.#store = store;
    this.#clock = clock;
    this.#namespace = namespace;
    this.#name = name;
    this.#nextId = nextId;
  }

  get nextId(): number {
    return this.#nextId;
  }

  /**
   * Ids are the wall clock in microseconds, made to rise: events that were stored without a change of the cluster
   * leave no number behind in its record, and a successor must not spend one twice.
   */
  stamp(happenings: readonly Happening[], version: number): readonly ClusterEvent[] {
    const at = this.#clock.wall();
    return happenings.map((happening) => {
      const id = Math.max(this.#nextId, Math.floor(at * 1_000));
      this.#nextId = id + 1;
      return { id, at, version, ...happening };
    });
  }

  writes(events: readonly ClusterEvent[]): readonly Write[] {
    const writes: Write[] = events.map((event) => ({
      key: eventKey(this.#namespace, this.#name, event.id),
      expected: undefined,
      value: JSON.stringify({ format: EVENT_FORMAT, ...event }),
    }));
    for (const key of this.#surplus.splice(0)) writes.push({ key, expected: undefined, value: null });
    return writes;
  }

  publish(events: readonly ClusterEvent[]): void {
    for (const event of events) {
      this.#recent.push(event);
      if (this.#recent.length > IN_MEMORY) this.#recent.shift();
      for (const listener of this.#listeners) listener(event);
    }
    this.#sincePrune += events.length;
    if (this.#sincePrune >= PRUNE_EVERY) {
      this.#sincePrune = 0;
      void this.#prune();
    }
  }

  watch(on: (event: ClusterEvent) => void): { close(): void } {
    this.#listeners.add(on);
    return { close: () => this.#listeners.delete(on) };
  }

  /** Oldest first, ids above `after`, the newest `limit` of them. */
  async read(after: number, limit: number): Promise<readonly ClusterEvent[]> {
    const first = this.#recent[0];
    const stored = first !== undefined && after >= first.id ? this.#recent : await this.#stored();
    return limit === 0 ? [] : stored.filter((event) => event.id > after).slice(-limit);
  }

  async #stored(): Promise<readonly ClusterEvent[]> {
    const { entries } = await this.#store.list(eventPrefix(this.#namespace, this.#name));
    return entries.flatMap((entry) => readEvent(entry.value) ?? []);
  }

  async #prune(): Promise<void> {
    try {
      const events = await this.#stored();
      const oldest = this.#clock.wall() - EVENTS_KEPT_FOR;
      const surplus = events.filter((event, i) => i < events.length - EVENTS_KEPT || event.at < oldest);
      this.#surplus = surplus.map((event) => eventKey(this.#namespace, this.#name, event.id));
    } catch {
      // The store is away: the next look finds the same.
    }
  }
}
