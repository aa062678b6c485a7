/** Ordinary cluster clients at their defaults, and one that follows MOVED by itself at once, behind one small face. */
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { Resp, RespError } from './resp.ts';

export type Library = 'ioredis' | 'node-redis' | 'raw';

export interface Client {
  readonly library: Library;
  set(key: string, value: string): Promise<unknown>;
  /** Any command about this one key. */
  command(name: string, key: string, ...words: readonly string[]): Promise<unknown>;
  close(): void;
}

export interface ClientOptions {
  readonly ports: readonly number[];
  readonly password?: string | undefined;
}

export function openClient(library: Library, options: ClientOptions): Promise<Client> {
  switch (library) {
    case 'ioredis':
      return ioredis(options);
    case 'node-redis':
      return nodeRedis(options);
    case 'raw':
      return Promise.resolve(new RawClient(options.ports));
  }
}

async function ioredis({ ports, password }: ClientOptions): Promise<Client> {
  const cluster = new Cluster(
    ports.map((port) => ({ host: '127.0.0.1', port })),
    password === undefined ? {} : { redisOptions: { password } },
  );
  // Each lost connection is told here besides; what counts is what a command answers.
  cluster.on('error', () => {});
  await new Promise<void>((resolve) => cluster.once('ready', () => resolve()));
  return {
    library: 'ioredis',
    set: (key, value) => cluster.set(key, value),
    command: (name, key, ...words) => cluster.call(name, key, ...words),
    close: () => cluster.disconnect(),
  };
}

async function nodeRedis({ ports, password }: ClientOptions): Promise<Client> {
  const cluster = createCluster({
    rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
    ...(password === undefined ? {} : { defaults: { password } }),
  });
  cluster.on('error', () => {});
  await cluster.connect();
  return {
    library: 'node-redis',
    set: (key, value) => cluster.set(key, value),
    command: (name, key, ...words) => cluster.sendCommand(key, false, [name, key, ...words]),
    close: () => cluster.destroy(),
  };
}

/** Never waits longer than it must, so that it shows when a node takes writes, not when a library tries again. */
class RawClient implements Client {
  readonly library = 'raw';
  readonly #ports: readonly number[];
  readonly #connections = new Map<number, Resp>();
  #at: number;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#at = ports[0] ?? 0;
  }

  set(key: string, value: string): Promise<unknown> {
    return this.command('SET', key, value);
  }

  /** One attempt, a redirection at most; the next attempt asks where the last one was sent. */
  async command(name: string, key: string, ...words: readonly string[]): Promise<unknown> {
    try {
      const connection = await this.#connection();
      const reply = await connection.ask([name, key, ...words], 500);
      if (!(reply instanceof RespError)) return reply;
      const moved = /^MOVED \d+ .*:(\d+)$/.exec(reply.message)?.[1];
      if (moved === undefined) throw reply;
      this.#at = Number(moved);
      throw reply;
    } catch (error) {
      if (!(error instanceof RespError)) this.#elsewhere();
      throw error;
    }
  }

  async #connection(): Promise<Resp> {
    const known = this.#connections.get(this.#at);
    if (known !== undefined && !known.over) return known;
    const opened = await Resp.open(this.#at, 300);
    this.#connections.set(this.#at, opened);
    return opened;
  }

  #elsewhere(): void {
    this.#at = this.#ports[(this.#ports.indexOf(this.#at) + 1) % this.#ports.length] ?? this.#at;
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
  }
}
