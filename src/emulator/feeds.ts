/**
 * The master's side of replication: one feed for each replica. What is not sent stays in the log, so a stopped replica
 * costs no memory. Acknowledgements are those of Kvrocks 2.14: what INFO shows is what the replica said last.
 */
import type { Cancel } from '../runtime/runtime.ts';
import type { Client } from './client.ts';
import { type Core, integer, Later, type Outcome } from './core.ts';
import { lineOf } from './log-lines.ts';

/** Bytes under way to one replica that it has not told to have read. */
const WINDOW = 64 * 1024;
/** Kvrocks looks for news a thousand times, at least 2 ms apart, before it pings. */
const PING_EVERY = 2000;
const PING_SPREAD = 250;

export const PING = 'ping';
export const GET_ACK = '_getack';

export interface Feed {
  readonly client: Client;
  /** The sequence number to send next. */
  next: number;
  acknowledged: number;
  inFlight: number;
  /** The connection is gone. Kvrocks notices by its second write into it. */
  dead: boolean;
  failedWrites: number;
  wantsAck: boolean;
  ping: Cancel;
}

interface Waiter {
  readonly sequence: number;
  readonly count: number;
  readonly reply: Later;
}

const bulkOf = (text: string) => `$${text.length}\r\n${text}\r\n`;

export class Feeds {
  readonly #core: Core;
  readonly #send: (client: Client, bytes: string) => void;
  readonly #close: (client: Client) => void;
  #feeds: Feed[] = [];
  #waiters: Waiter[] = [];

  constructor(core: Core, send: (client: Client, bytes: string) => void, close: (client: Client) => void) {
    this.#core = core;
    this.#send = send;
    this.#close = close;
  }

  get all(): readonly Feed[] {
    return this.#feeds;
  }

  /** Whether a replica that has everything below `next` can be fed from the log: `next` must begin a batch. */
  canFeed(next: number): boolean {
    const { database } = this.#core;
    if (next === database.sequence + 1) return true;
    if (next > database.sequence || next < 1) return false;
    const entries = database.entriesFrom(next, 1);
    return entries !== undefined && entries[0]?.sequence === next;
  }

  start(client: Client, next: number): void {
    const feed: Feed = {
      client,
      next,
      acknowledged: 0,
      inFlight: 0,
      dead: false,
      failedWrites: 0,
      wantsAck: false,
      ping: () => {},
    };
    client.feed = feed;
    this.#feeds.push(feed);
    this.#schedulePing(feed);
  }

  /** Sends what is new to all; called at the end of each event. */
  pump(): void {
    for (const feed of [...this.#feeds]) this.#pump(feed);
  }

  acknowledge(feed: Feed, sequence: number): void {
    feed.acknowledged = Math.max(feed.acknowledged, sequence);
    const done = this.#waiters.filter((waiter) => this.#acknowledgedBy(waiter.sequence) >= waiter.count);
    if (done.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const waiter of done) waiter.reply.resolve(integer(this.#acknowledgedBy(waiter.sequence)));
  }

  /** The replica has read so many bytes. */
  credit(feed: Feed, bytes: number): void {
    feed.inFlight -= bytes;
    this.#pump(feed);
  }

  /** The connection is gone; the feed stays listed until a write fails. */
  broken(feed: Feed): void {
    feed.dead = true;
  }

  /** Ends all feeds and their connections. */
  disconnect(): void {
    for (const feed of [...this.#feeds]) this.#drop(feed);
  }

  /** WAIT: the number of replicas that acknowledged all up to now, at the latest after `timeout` ms (0: never). */
  wait(count: number, timeout: number): Outcome {
    const sequence = this.#core.database.sequence;
    const now = this.#acknowledgedBy(sequence);
    if (now >= count) return integer(now);
    for (const feed of this.#feeds) feed.wantsAck = true;
    const waiter: Waiter = { sequence, count, reply: new Later() };
    this.#waiters.push(waiter);
    if (timeout > 0) {
      this.#core.after(timeout, () => {
        if (!this.#waiters.includes(waiter)) return;
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        waiter.reply.resolve(integer(this.#acknowledgedBy(sequence)));
      });
    }
    return waiter.reply;
  }

  /** The `slaveN` lines of INFO replication. */
  infoLines(): readonly string[] {
    const sequence = this.#core.database.sequence;
    return this.#feeds.map(({ client, acknowledged }, i) => {
      const host = client.announcedHost || client.host;
      return `slave${i}:ip=${host},port=${client.listeningPort},offset=${acknowledged},lag=${sequence - acknowledged}`;
    });
  }

  #acknowledgedBy(sequence: number): number {
    return this.#feeds.filter((feed) => feed.acknowledged >= sequence).length;
  }

  #pump(feed: Feed): void {
    const { database } = this.#core;
    if (feed.next > database.sequence) return;
    if (feed.dead) {
      this.#failWrite(feed);
      feed.next = database.sequence + 1;
      return;
    }
    if (feed.inFlight >= WINDOW) return;
    const entries = database.entriesFrom(feed.next);
    if (entries === undefined) {
      this.#drop(feed);
      return;
    }
    let bytes = '';
    for (const entry of entries) {
      if (feed.inFlight + bytes.length >= WINDOW) break;
      bytes += bulkOf(lineOf(entry));
      feed.next = entry.sequence + entry.count;
    }
    if (bytes !== '') this.#write(feed, bytes);
  }

  #write(feed: Feed, bytes: string): void {
    const all = feed.wantsAck ? bytes + bulkOf(GET_ACK) : bytes;
    feed.wantsAck = false;
    feed.inFlight += all.length;
    this.#send(feed.client, all);
  }

  #schedulePing(feed: Feed): void {
    feed.ping = this.#core.after(PING_EVERY + PING_SPREAD * this.#core.random.next(), () => {
      if (feed.dead) this.#failWrite(feed);
      else if (feed.inFlight < WINDOW) this.#write(feed, bulkOf(PING));
      if (this.#feeds.includes(feed)) this.#schedulePing(feed);
    });
  }

  #failWrite(feed: Feed): void {
    feed.failedWrites += 1;
    if (feed.failedWrites > 1) this.#drop(feed);
  }

  #drop(feed: Feed): void {
    feed.ping();
    this.#feeds = this.#feeds.filter((other) => other !== feed);
    feed.client.feed = undefined;
    if (!feed.dead) this.#close(feed.client);
  }
}
