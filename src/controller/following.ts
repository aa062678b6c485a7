/** Follows what lies under a prefix of the store, whatever becomes of the watch: where it ended, all is listed anew. */
import type { Cancel, Timers } from '../runtime/runtime.ts';
import type { Change, Entry, Revision, Store, Watch } from '../store/port.ts';
import type { Log } from './log.ts';

export interface FollowingHandlers {
  changed(change: Change): void;
  /** Everything that is there now: changes were missed. */
  listed(entries: readonly Entry[]): void;
}

const RETRY_LIST = 1_000;

export class Following {
  readonly #store: Store;
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #prefix: string;
  readonly #on: FollowingHandlers;
  #watch: Watch | undefined;
  #retry: Cancel | undefined;
  #closed = false;

  constructor(store: Store, timers: Timers, log: Log, prefix: string, on: FollowingHandlers) {
    this.#store = store;
    this.#timers = timers;
    this.#log = log;
    this.#prefix = prefix;
    this.#on = on;
  }

  /** Changes made after revision `from`. */
  start(from: Revision): void {
    if (this.#closed) return;
    this.#watch = this.#store.watch(this.#prefix, from, (event) => {
      switch (event.kind) {
        case 'changes':
          for (const change of event.changes) if (!this.#closed) this.#on.changed(change);
          return;
        case 'compacted':
          void this.#list();
          return;
        case 'lost':
          this.#log.warn({ why: event.why }, 'the watch of the metadata store ended');
          void this.#list();
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
    this.#retry?.();
  }

  async #list(): Promise<void> {
    if (this.#closed) return;
    try {
      const { entries, revision } = await this.#store.list(this.#prefix);
      if (this.#closed) return;
      this.#on.listed(entries);
      this.start(revision);
    } catch {
      if (!this.#closed) this.#retry = this.#timers.after(RETRY_LIST, () => void this.#list());
    }
  }
}
