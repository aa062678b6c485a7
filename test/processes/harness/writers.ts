/**
 * Writers of numbered keys. Each key is written once and remembered with the time of its acknowledgement; what was not
 * acknowledged may or may not be there afterwards, and nobody asks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type ClientOptions, type Library, openClient } from './clients.ts';

export interface WriterOptions extends ClientOptions {
  readonly count: number;
  /** Given to the writers in turn. */
  readonly libraries: readonly Library[];
  /** A hash tag in front of each key, such as `{t1}`: all keys then have one slot. */
  readonly tag?: string;
  /** Milliseconds between two writes of one writer. */
  readonly pause?: number;
  /** Milliseconds after which an application gives up on an answer. */
  readonly patience?: number;
}

interface Acknowledged {
  readonly key: string;
  readonly value: string;
  /** On `performance.now()`. */
  readonly at: number;
}

let teams = 0;

export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** What an application saw, by its words; redirections that a library follows are not among them. */
  readonly errors = new Map<string, number>();
  readonly #clients: readonly Client[];
  readonly #options: WriterOptions;
  readonly #team = ++teams;
  readonly #loops: Promise<void>[];
  #stopped = false;

  private constructor(clients: readonly Client[], options: WriterOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#loops = clients.map((client, i) => this.#write(client, i));
  }

  static async start(options: WriterOptions): Promise<Writers> {
    const libraries = Array.from(
      { length: options.count },
      (_, i) => options.libraries[i % options.libraries.length] ?? 'raw',
    );
    const clients = await Promise.all(libraries.map((library) => openClient(library, options)));
    return new Writers(clients, options);
  }

  async #write(client: Client, writer: number): Promise<void> {
    const { tag = '', pause = 0, patience = 5_000 } = this.#options;
    for (let n = 0; !this.#stopped; n++) {
      const key = `${tag}w${this.#team}:${writer}:${n}`;
      const value = `${n}`;
      const late = new AbortController();
      try {
        await Promise.race([
          client.set(key, value),
          sleep(patience, undefined, { signal: late.signal }).then(() => {
            throw new Error(`no answer within ${patience} ms`);
          }),
        ]);
        this.acknowledged.push({ key, value, at: performance.now() });
      } catch (error) {
        this.#noteError(client, error);
        // A dead node refuses at once: an application would not ask without pause either.
        await sleep(client.library === 'raw' ? 2 : 10);
      } finally {
        late.abort();
      }
      if (pause > 0) await sleep(pause);
    }
  }

  #noteError(client: Client, error: unknown): void {
    const words = error instanceof Error ? error.message : String(error);
    if (client.library === 'raw' && words.startsWith('MOVED')) return;
    if (this.#stopped) return;
    const kind = `${client.library}: ${words.slice(0, 80)}`;
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + 1);
  }

  get errorCount(): number {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Ends the writers; answers that are under way are waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    for (const client of this.#clients) client.close();
  }

  /** When the first write was acknowledged that was later than `at`; undefined when none was. */
  firstAfter(at: number): number | undefined {
    return this.acknowledged.find((one) => one.at > at)?.at;
  }

  /** The longest time between two acknowledgements in the window, whoever wrote; in ms. */
  longestGap(from: number, to: number): number {
    let longest = 0;
    let last = from;
    for (const { at } of this.acknowledged) {
      if (at < from) continue;
      if (at > to) break;
      longest = Math.max(longest, at - last);
      last = at;
    }
    return Math.max(longest, to - last);
  }
}
