import { slotOf } from '../slots.ts';
import type { Entry } from './values.ts';

interface Bucket {
  readonly entries: Map<string, Entry>;
  /** The keys in order of their bytes, made when asked for, dropped when a key comes or goes. */
  sorted: readonly string[] | undefined;
}

/** All keys of a node by slot, as Kvrocks orders them. Knows nothing of time: expired keys are in it until removed. */
export class Keyspace {
  readonly #buckets = new Map<number, Bucket>();
  /** The slots with keys in order, made when asked for, dropped when a slot comes or goes. */
  #order: readonly number[] | undefined;
  #size = 0;

  /** Expired keys included. */
  get size(): number {
    return this.#size;
  }

  get(key: string): Entry | undefined {
    return this.#buckets.get(slotOf(key))?.entries.get(key);
  }

  put(key: string, entry: Entry): void {
    const slot = slotOf(key);
    let bucket = this.#buckets.get(slot);
    if (bucket === undefined) {
      bucket = { entries: new Map(), sorted: undefined };
      this.#buckets.set(slot, bucket);
      this.#order = undefined;
    }
    const before = bucket.entries.size;
    bucket.entries.set(key, entry);
    if (bucket.entries.size !== before) {
      this.#size++;
      bucket.sorted = undefined;
    }
  }

  remove(key: string): boolean {
    const slot = slotOf(key);
    const bucket = this.#buckets.get(slot);
    if (bucket === undefined || !bucket.entries.delete(key)) return false;
    this.#size--;
    bucket.sorted = undefined;
    if (bucket.entries.size === 0) this.#drop(slot);
    return true;
  }

  /** Removes all keys of a slot; false if there were none. */
  removeSlot(slot: number): boolean {
    const bucket = this.#buckets.get(slot);
    if (bucket === undefined) return false;
    this.#size -= bucket.entries.size;
    this.#drop(slot);
    return true;
  }

  clear(): void {
    this.#buckets.clear();
    this.#order = undefined;
    this.#size = 0;
  }

  /** In order of their bytes, expired ones included. */
  keysOf(slot: number): readonly string[] {
    const bucket = this.#buckets.get(slot);
    if (bucket === undefined) return [];
    bucket.sorted ??= [...bucket.entries.keys()].sort();
    return bucket.sorted;
  }

  /** The slots from `from` on that hold keys. */
  *slots(from = 0): Generator<number> {
    this.#order ??= [...this.#buckets.keys()].sort((a, b) => a - b);
    for (const slot of this.#order) if (slot >= from) yield slot;
  }

  /** Every key by slot and bytes. */
  *keys(): Generator<string> {
    for (const slot of this.slots()) yield* this.keysOf(slot);
  }

  #drop(slot: number): void {
    this.#buckets.delete(slot);
    this.#order = undefined;
  }
}
