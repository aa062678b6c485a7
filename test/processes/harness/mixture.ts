/**
 * Writers of strings, hashes, lists, sets, sorted sets and keys that expire. Each writer grows keys of its own, so what
 * they must hold in the end follows from what was acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type ClientOptions, type Library, openClient } from './clients.ts';
import { type Reply, Resp, RespError, textOf } from './resp.ts';

export interface MixtureOptions extends ClientOptions {
  /** A writer each. */
  readonly libraries: readonly Library[];
  /** Hash tags in front of the keys, in turn; an empty one spreads them. */
  readonly tags: readonly string[];
  /** Milliseconds between two writes of one writer. */
  readonly pause: number;
}

const KINDS = ['string', 'hash', 'list', 'set', 'zset', 'expiring'] as const;
type Kind = (typeof KINDS)[number];

interface Held {
  readonly kind: Kind;
  readonly elements: string[];
}

/** Elements of one key, so that some keys grow before, during and after whatever happens. */
const ELEMENTS = 12;
const LIFETIME = 3_600;
const BATCH = 200;

let teams = 0;

export class Mixture {
  acknowledged = 0;
  /** What an application saw, by its words. */
  readonly errors = new Map<string, number>();
  readonly #held = new Map<string, Held>();
  readonly #team = ++teams;
  readonly #options: MixtureOptions;
  readonly #clients: readonly Client[];
  readonly #loops: readonly Promise<void>[];
  #stopped = false;

  private constructor(clients: readonly Client[], options: MixtureOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#loops = clients.map((client, i) => this.#write(client, i));
  }

  static async start(options: MixtureOptions): Promise<Mixture> {
    return new Mixture(await Promise.all(options.libraries.map((library) => openClient(library, options))), options);
  }

  async #write(client: Client, writer: number): Promise<void> {
    const { tags, pause } = this.#options;
    for (let n = 0; !this.#stopped; n++) {
      const turn = Math.floor(n / KINDS.length);
      const kind = KINDS[n % KINDS.length] ?? 'string';
      const tag = tags[Math.floor(turn / ELEMENTS) % tags.length] ?? '';
      const key = `${tag}${kind}:${this.#team}:${writer}:${Math.floor(turn / ELEMENTS)}`;
      try {
        await client.command(...growing(kind, key, `${n}`));
        this.acknowledged++;
        const held = this.#held.get(key) ?? { kind, elements: [] };
        held.elements.push(`${n}`);
        this.#held.set(key, held);
      } catch (error) {
        const words = `${client.library}: ${error instanceof Error ? error.message.slice(0, 80) : String(error)}`;
        if (!this.#stopped) this.errors.set(words, (this.errors.get(words) ?? 0) + 1);
      }
      await sleep(pause);
    }
  }

  get keys(): Iterable<string> {
    return this.#held.keys();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    for (const client of this.#clients) client.close();
  }

  /** Which of these keys the node at this port does not hold as they were written, in words. */
  async differences(port: number, keys: readonly string[], readonly: boolean): Promise<readonly string[]> {
    const connection = await Resp.open(port);
    const wrong: string[] = [];
    try {
      if (readonly) await connection.call('READONLY');
      for (let i = 0; i < keys.length; i += BATCH) {
        const batch = keys.slice(i, i + BATCH).map(async (key) => {
          const held = this.#held.get(key);
          if (held === undefined) return;
          const value = connection.ask(reading(held.kind, key), 10_000);
          const seconds = held.kind === 'expiring' ? connection.ask(['TTL', key], 10_000) : LIFETIME;
          const [got, left] = [shown(held.kind, await value), Number(await seconds)];
          const wanted = expected(held);
          if (got !== wanted) wrong.push(`${key}: ${got} instead of ${wanted}`);
          else if (!(left > 0 && left <= LIFETIME)) wrong.push(`${key}: expires in ${left}`);
        });
        await Promise.all(batch);
      }
    } finally {
      connection.close();
    }
    return wrong;
  }
}

function growing(kind: Kind, key: string, element: string): [string, string, ...string[]] {
  switch (kind) {
    case 'string':
      return ['SET', key, element];
    case 'hash':
      return ['HSET', key, `f${element}`, element];
    case 'list':
      return ['RPUSH', key, element];
    case 'set':
      return ['SADD', key, element];
    case 'zset':
      return ['ZADD', key, element, `m${element}`];
    case 'expiring':
      return ['SET', key, element, 'EX', `${LIFETIME}`];
  }
}

function reading(kind: Kind, key: string): readonly string[] {
  switch (kind) {
    case 'string':
    case 'expiring':
      return ['GET', key];
    case 'hash':
      return ['HGETALL', key];
    case 'list':
      return ['LRANGE', key, '0', '-1'];
    case 'set':
      return ['SMEMBERS', key];
    case 'zset':
      return ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
  }
}

function shown(kind: Kind, reply: Reply): string {
  if (reply instanceof RespError) return reply.message;
  if (!Array.isArray(reply)) return textOf(reply);
  const words = reply.map(textOf);
  switch (kind) {
    case 'hash':
      return pairs(words).sort().join(' ');
    case 'set':
      return words.sort().join(' ');
    case 'zset':
      return pairs(words).join(' ');
    default:
      return words.join(' ');
  }
}

const pairs = (words: readonly string[]): string[] =>
  words.flatMap((word, i) => (i % 2 === 0 ? [`${word}=${words[i + 1]}`] : []));

function expected({ kind, elements }: Held): string {
  switch (kind) {
    case 'string':
    case 'expiring':
      return elements.at(-1) ?? '';
    case 'hash':
      return elements
        .map((element) => `f${element}=${element}`)
        .sort()
        .join(' ');
    case 'set':
      return [...elements].sort().join(' ');
    case 'list':
      return elements.join(' ');
    case 'zset':
      return elements.map((element) => `m${element}=${element}`).join(' ');
  }
}
