/**
 * Clients as applications have them: each writes rising numbers to its own keys and follows MOVED, waits on TRYAGAIN,
 * reconnects, and tries another node when one is gone. Every acknowledged write is remembered with the node that
 * acknowledged it and how far that node had come, so that afterwards each one can be accounted for.
 */
import { writeCommand } from '../emulator/resp-reader.ts';
import { slotOf } from '../emulator/slots.ts';
import { type Reply, ReplyReader } from '../kvrocks/resp.ts';
import type { Cancel, Duration, Instant, RandomSource, Runtime, Socket } from '../runtime/runtime.ts';
import { randomInteger } from '../runtime/seeded-random.ts';
import type { Address } from '../topology/address.ts';
import type { EventLoop } from './event-loop.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess } from './virtual-runtime.ts';

export interface Acknowledged {
  readonly key: string;
  readonly slot: number;
  readonly value: number;
  readonly at: Instant;
  /** The host that acknowledged it. */
  readonly host: string;
  /** The node's sequence when the acknowledgement left it: the write is within it. */
  readonly sequence: number;
}

export interface TrafficOptions {
  readonly clients: number;
  readonly keysPerClient: number;
  /** Between two commands of one client, on average. */
  readonly pause: Duration;
}

/** A read that did not find what had been acknowledged before it was sent. */
export interface StaleRead {
  readonly write: Acknowledged;
  readonly at: Instant;
  readonly host: string;
}

const REPLY_TIMEOUT = 1_000;
const CONNECT_TIMEOUT = 500;
/** ioredis and node-redis give up after 16. */
const REDIRECTS = 16;
const LONGEST_TRY = 30;
/** To read a key back. */
const READ_TRIES = 5;

interface Line {
  readonly address: Address;
  socket: Socket;
  reader: ReplyReader;
  waiting: ((reply: Reply | undefined, sequence: number) => void) | undefined;
  open: boolean;
}

/** One connection a node, one command at a time. */
class Client {
  readonly #runtime: Runtime;
  readonly #random: RandomSource;
  readonly #seeds: () => readonly Address[];
  readonly #stamps: { last: number };
  readonly #lines = new Map<string, Line>();
  readonly #places = new Map<number, Address>();

  constructor(runtime: Runtime, random: RandomSource, seeds: () => readonly Address[], stamps: { last: number }) {
    this.#runtime = runtime;
    this.#random = random;
    this.#seeds = seeds;
    this.#stamps = stamps;
  }

  /** `reply` is undefined where nobody knows whether it was carried out; `sent` false: it certainly was not. */
  ask(slot: number, words: readonly string[], done: (answer: Answer) => void): void {
    this.#attempt(slot, writeCommand(words), 0, 0, done);
  }

  #anyone(): Address {
    const seeds = this.#seeds();
    return seeds[randomInteger(this.#random, seeds.length)] ?? { host: 'nobody', port: 1 };
  }

  #attempt(slot: number, bytes: string, redirects: number, tries: number, done: (answer: Answer) => void): void {
    const address = this.#places.get(slot) ?? this.#anyone();
    const again = (delay: Duration, redirected: number) => {
      if (tries >= LONGEST_TRY) done({ kind: 'refused', why: 'given up' });
      else if (delay === 0) this.#attempt(slot, bytes, redirected, tries + 1, done);
      else this.#runtime.timers.after(delay, () => this.#attempt(slot, bytes, redirected, tries + 1, done));
    };
    this.#send(address, bytes, (reply, sequence, sent) => {
      if (reply === undefined) {
        this.#places.delete(slot);
        if (sent) done({ kind: 'unknown' });
        else again(20 + 30 * this.#random.next(), 0);
        return;
      }
      if (reply.kind !== 'error') {
        this.#places.set(slot, address);
        done({ kind: 'reply', reply, host: address.host, sequence });
        return;
      }
      const [word, , place = ''] = reply.text.split(' ');
      if (word === 'MOVED') {
        const colon = place.lastIndexOf(':');
        this.#places.set(slot, { host: place.slice(0, colon), port: Number(place.slice(colon + 1)) });
        if (redirects < REDIRECTS) again(0, redirects + 1);
        else {
          this.#places.delete(slot);
          again(50, 0);
        }
      } else if (word === 'TRYAGAIN') again(5, redirects);
      else {
        this.#places.delete(slot);
        again(20 + 30 * this.#random.next(), 0);
      }
    });
  }

  #send(
    address: Address,
    bytes: string,
    done: (reply: Reply | undefined, sequence: number, sent: boolean) => void,
  ): void {
    const key = `${address.host}:${address.port}`;
    const known = this.#lines.get(key);
    let sent = false;
    let over = false;
    let cancel: Cancel = () => {};
    const finish = (reply: Reply | undefined, sequence: number) => {
      if (over) return;
      over = true;
      cancel();
      line.waiting = undefined;
      if (reply === undefined) {
        line.socket.destroy();
        if (this.#lines.get(key) === line) this.#lines.delete(key);
      }
      done(reply, sequence, sent);
    };
    const line = known ?? this.#open(key, address);
    line.waiting = finish;
    const go = () => {
      sent = true;
      line.socket.send(bytes);
      cancel = this.#runtime.timers.after(REPLY_TIMEOUT, () => finish(undefined, 0));
    };
    if (line.open) go();
    else this.#opening.set(line, go);
  }
  readonly #opening = new WeakMap<Line, () => void>();

  #open(key: string, address: Address): Line {
    const reader = new ReplyReader();
    const socket = this.#runtime.network.connect(address, CONNECT_TIMEOUT, {
      connected: () => {
        line.open = true;
        this.#opening.get(line)?.();
      },
      received: (bytes) => {
        reader.push(bytes);
        const reply = reader.next();
        if (reply !== undefined) line.waiting?.(reply, this.#stamps.last);
      },
      ended: () => {
        if (this.#lines.get(key) === line) this.#lines.delete(key);
        line.waiting?.(undefined, 0);
      },
    });
    const line: Line = { address, socket, reader, waiting: undefined, open: false };
    this.#lines.set(key, line);
    return line;
  }
}

export type Answer =
  | { readonly kind: 'reply'; readonly reply: Reply; readonly host: string; readonly sequence: number }
  /** It was sent, and nobody knows what became of it. */
  | { readonly kind: 'unknown' }
  /** Certainly not carried out. */
  | { readonly kind: 'refused'; readonly why: string };

export class Traffic {
  readonly acknowledged: Acknowledged[] = [];
  readonly stale: StaleRead[] = [];
  unknown = 0;
  refused = 0;
  reads = 0;
  readonly #loop: EventLoop;
  readonly #clients: Client[] = [];
  readonly #options: TrafficOptions;
  readonly #random: RandomSource;
  #running = false;
  #inFlight = 0;

  constructor(
    loop: EventLoop,
    network: VirtualNetwork,
    random: RandomSource,
    seeds: () => readonly Address[],
    options: TrafficOptions,
  ) {
    this.#loop = loop;
    this.#options = options;
    this.#random = random;
    for (let i = 0; i < options.clients; i++) {
      const own = random.child(`client ${i}`);
      const process = new VirtualProcess(loop, network, `10.2.0.${i + 1}`, own);
      this.#clients.push(new Client(process.runtime, own, seeds, process.stamps));
    }
  }

  start(): void {
    this.#running = true;
    this.#clients.forEach((client, i) => {
      this.#begin(client, i);
    });
  }

  /** Resolves when no command is under way any more. */
  async stop(): Promise<void> {
    this.#running = false;
    while (this.#inFlight > 0) await this.#loop.sleep(50);
  }

  #begin(client: Client, index: number): void {
    const random = this.#random.child(`pace ${index}`);
    const next = new Map<string, number>();
    const written: Acknowledged[] = [];
    const keys = Array.from({ length: this.#options.keysPerClient }, (_, k) => `c${index}k${k}`);
    const turn = () => {
      if (!this.#running) return;
      this.#inFlight++;
      const done = () => {
        this.#inFlight--;
        this.#loop.after(this.#options.pause * (0.5 + random.next()), turn);
      };
      const known = written[randomInteger(random, written.length)];
      if (known !== undefined && random.next() < 0.2) this.#read(client, known, done);
      else this.#write(client, keys[randomInteger(random, keys.length)] ?? '', next, written, done);
    };
    this.#loop.after(this.#options.pause * random.next(), turn);
  }

  #write(client: Client, key: string, next: Map<string, number>, written: Acknowledged[], done: () => void): void {
    const value = (next.get(key) ?? 0) + 1;
    next.set(key, value);
    const slot = slotOf(key);
    // A set keeps every number, so that each write can be looked for and a late one overwrites none.
    client.ask(slot, ['SADD', key, String(value)], (answer) => {
      if (answer.kind === 'reply' && answer.reply.kind === 'integer') {
        const { host, sequence } = answer;
        const write = { key, slot, value, at: this.#loop.now, host, sequence };
        this.acknowledged.push(write);
        written.push(write);
        if (written.length > 200) written.splice(0, 100);
      } else if (answer.kind === 'unknown') this.unknown++;
      else this.refused++;
      done();
    });
  }

  #read(client: Client, write: Acknowledged, done: () => void): void {
    client.ask(write.slot, ['SISMEMBER', write.key, String(write.value)], (answer) => {
      if (answer.kind === 'reply' && answer.reply.kind === 'integer') {
        this.reads++;
        if (answer.reply.value !== 1) this.stale.push({ write, at: this.#loop.now, host: answer.host });
      }
      done();
    });
  }

  /** Reads every key back through a client and answers the acknowledged writes that are not there. */
  async missing(): Promise<readonly Acknowledged[]> {
    const client = this.#clients[0];
    if (client === undefined) return [];
    const members = new Map<string, ReadonlySet<number>>();
    const keys = [...new Set(this.acknowledged.map(({ key }) => key))];
    for (const key of keys) {
      let found: Answer = { kind: 'unknown' };
      for (let tries = 0; found.kind !== 'reply' && tries < READ_TRIES; tries++)
        found = await new Promise<Answer>((resolve) => {
          client.ask(slotOf(key), ['SMEMBERS', key], resolve);
        });
      const items = found.kind === 'reply' && found.reply.kind === 'array' ? found.reply.items : [];
      members.set(key, new Set(items.map((item) => ('text' in item ? Number(item.text) : Number.NaN))));
    }
    return this.acknowledged.filter(({ key, value }) => members.get(key)?.has(value) !== true);
  }
}
