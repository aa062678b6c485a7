/** BLPOP and its kin on empty keys: connections that wait until a key of theirs is written or their time is up. */
import type { Cancel } from '../runtime/runtime.ts';
import type { Client } from './client.ts';
import { type Core, NIL } from './core.ts';
import type { Reply } from './reply.ts';
import { slotOf } from './slots.ts';

interface Blocked {
  readonly client: Client;
  readonly words: readonly string[];
  readonly slots: ReadonlySet<number>;
  readonly timeout: Cancel;
}

export class BlockedPops {
  readonly #core: Core;
  readonly #wake: (client: Client, reply: Reply) => void;
  #blocked: Blocked[] = [];
  #written = new Set<number>();

  constructor(core: Core, wake: (client: Client, reply: Reply) => void) {
    this.#core = core;
    this.#wake = wake;
  }

  /** Lets the connection wait; false if this command does not wait. */
  block(client: Client, words: readonly string[], keys: readonly number[]): boolean {
    const limit = timeoutOf(words);
    if (limit === undefined) return false;
    const blocked: Blocked = {
      client,
      words,
      slots: new Set(keys.map((index) => slotOf(words[index] ?? ''))),
      timeout:
        limit === 0
          ? () => {}
          : this.#core.after(limit, () => {
              this.forget(client);
              this.#wake(client, NIL);
            }),
    };
    this.#blocked.push(blocked);
    return true;
  }

  written(slots: readonly number[]): void {
    if (this.#blocked.length === 0) return;
    for (const slot of slots) this.#written.add(slot);
  }

  /** Tries again those whose keys may have been written since. The longest waiting come first. */
  retry(): void {
    while (this.#written.size > 0) {
      const written = this.#written;
      this.#written = new Set();
      for (const blocked of this.#blocked.filter(({ slots }) => [...slots].some((slot) => written.has(slot)))) {
        const reply = this.#core.database.execute(blocked.words, this.#core.moment.wall);
        if (reply.kind === 'nil' || reply.kind === 'nil-array') continue;
        this.forget(blocked.client);
        this.#wake(blocked.client, reply);
      }
    }
  }

  forget(client: Client): void {
    for (const blocked of this.#blocked) if (blocked.client === client) blocked.timeout();
    this.#blocked = this.#blocked.filter((blocked) => blocked.client !== client);
  }
}

/** Milliseconds, 0 for ever; undefined if the command does not block. */
function timeoutOf(words: readonly string[]): number | undefined {
  const name = words[0]?.toLowerCase() ?? '';
  if (name === 'xread' || name === 'xreadgroup') {
    const at = words.findIndex((word) => word.toLowerCase() === 'block');
    return at < 0 ? undefined : Number(words[at + 1]);
  }
  const word = name === 'blmpop' || name === 'bzmpop' ? words[1] : words.at(-1);
  return Number(word) * 1000;
}
