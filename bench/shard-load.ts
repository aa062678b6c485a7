/**
 * A write load on one shard that sees when which node takes writes: a writer for each node, which follows no redirection
 * and asks again at once. A few thousand numbered keys are written over and over, so that the load can last for hours.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KvNode } from '../test/processes/harness/nodes.ts';
import { Resp, RespError } from '../test/processes/harness/resp.ts';

const KEYS = 4_000;
const PAUSE = 6;

interface Write {
  readonly value: number;
  /** On `performance.now()`. */
  readonly at: number;
}

export class ShardLoad {
  /** The last acknowledged write of each key. */
  readonly #last = new Map<string, Write>();
  readonly #tag: string;
  readonly #loops: Promise<void>[];
  readonly #firstAt = new Map<number, number>();
  readonly #resting = new Set<number>();
  #count = 0;
  #over = false;

  constructor(nodes: readonly KvNode[], tag: string) {
    this.#tag = tag;
    this.#loops = nodes.map((node) => this.#write(node.port));
  }

  async #write(port: number): Promise<void> {
    let connection: Resp | undefined;
    while (!this.#over) {
      await sleep(PAUSE);
      if (this.#resting.has(port)) continue;
      try {
        if (connection === undefined || connection.over) connection = await Resp.open(port, 300);
        // A value is used once: who holds a lower one holds an older write.
        const value = ++this.#count;
        const key = `${this.#tag}${value % KEYS}`;
        const reply = await connection.ask(['SET', key, value], 500);
        if (reply instanceof RespError) continue;
        const at = performance.now();
        if ((this.#last.get(key)?.value ?? 0) < value) this.#last.set(key, { value, at });
        if (!this.#firstAt.has(port)) this.#firstAt.set(port, at);
      } catch {
        // Dead, hung or fenced: another try follows.
      }
    }
    connection?.close();
  }

  /** From now on the first write that each node takes is of interest. */
  watch(): void {
    this.#firstAt.clear();
  }

  /** A broken node gets no writes: back again it would take them until it is told that it is no master any more. */
  rest(node: KvNode): void {
    this.#resting.add(node.port);
  }

  resume(node: KvNode): void {
    this.#resting.delete(node.port);
  }

  /** When this node took its first write since `watch`; undefined when it has taken none. */
  firstAt(node: KvNode): number | undefined {
    return this.#firstAt.get(node.port);
  }

  /** How many writes that were acknowledged before this instant the node does not have. */
  async missing(node: KvNode, before: number): Promise<number> {
    const written = [...this.#last].filter(([, { at }]) => at < before);
    const connection = await Resp.open(node.port);
    try {
      const replies = await Promise.all(written.map(([key]) => connection.ask(['GET', key], 20_000)));
      return written.filter(([, { value }], i) => Number(replies[i] ?? 0) < value).length;
    } finally {
      connection.close();
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }
}

/** When the node first said that it is a master, asked every few ms over one connection. */
export async function becomesMaster(node: KvNode, within: number): Promise<number> {
  const end = performance.now() + within;
  const connection = await Resp.open(node.port);
  try {
    while (performance.now() < end) {
      const reply = await connection.ask(['INFO', 'replication'], 20_000);
      if (typeof reply === 'string' && /^role:master/m.test(reply)) return performance.now();
      await sleep(5);
    }
  } finally {
    connection.close();
  }
  throw new Error(`${node.addr} was not promoted within ${within} ms`);
}

/** Asks the node for a sign of life all the while; answers how long the slowest answer took, in ms. */
export async function slowestAnswer(node: KvNode): Promise<() => Promise<number>> {
  const connection = await Resp.open(node.port);
  let over = false;
  let slowest = 0;
  const loop = (async () => {
    while (!over) {
      const from = performance.now();
      await connection.ask(['PING'], 20_000);
      slowest = Math.max(slowest, performance.now() - from);
      await sleep(1);
    }
    connection.close();
  })();
  return async () => {
    over = true;
    await loop;
    return slowest;
  };
}
