/**
 * Connections between hosts in virtual time: each message late by a drawn latency, in order within its direction, and
 * all the ways in which a network fails. As TCP does, a cut direction keeps what was sent and delivers it when the cut
 * heals, unless the receiver is gone by then.
 */
import type { Duration, Instant, RandomSource, SocketEnd } from '../runtime/runtime.ts';
import type { EventLoop } from './event-loop.ts';

/** What one side of a connection hears. `stamp` is what the sender attached; it is no part of the bytes. */
export interface Ear {
  received(bytes: string, stamp: number): void;
  ended(why: SocketEnd): void;
}

export interface DialEar extends Ear {
  connected(): void;
}

/** Who listens at an address. Accepting is the kernel's work: a hung process accepts, too. */
export interface Listener {
  accept(end: End): Ear;
}

export interface Spy {
  /** Called with everything that is handed to the network, before it can get lost. */
  sent(from: string, to: string, end: End, bytes: string): void;
}

interface Held {
  readonly run: () => void;
}

/** One direction between two hosts. */
class Lane {
  readonly #network: VirtualNetwork;
  readonly from: string;
  readonly to: string;
  #lastDue: Instant = 0;
  #held: Held[] = [];

  constructor(network: VirtualNetwork, from: string, to: string) {
    this.#network = network;
    this.from = from;
    this.to = to;
  }

  carry(run: () => void): void {
    if (this.#held.length > 0 || this.#network.isCut(this.from, this.to)) {
      this.#hold(run);
      return;
    }
    const { loop } = this.#network;
    this.#lastDue = Math.max(this.#lastDue, loop.now + this.#network.latency(this.from, this.to));
    loop.at(this.#lastDue, () => {
      if (this.#held.length > 0 || this.#network.isCut(this.from, this.to)) this.#hold(run);
      else run();
    });
  }

  #hold(run: () => void): void {
    if (this.#held.length === 0) this.#network.waiting.add(this);
    this.#held.push({ run });
  }

  /** The cut may have healed: what was kept is sent again. */
  flush(): void {
    if (this.#network.isCut(this.from, this.to)) return;
    this.#network.waiting.delete(this);
    for (const held of this.#held.splice(0)) this.carry(held.run);
  }
}

/** One side of a connection. */
export class End {
  readonly host: string;
  readonly port: number;
  open = true;
  /** The next thing that this side sends is lost, and the connection with it. */
  doomed = false;
  ear: Ear | undefined;
  readonly #lane: Lane;
  readonly #network: VirtualNetwork;
  #other: End | undefined;

  constructor(network: VirtualNetwork, host: string, port: number, lane: Lane) {
    this.#network = network;
    this.host = host;
    this.port = port;
    this.#lane = lane;
  }

  join(other: End): void {
    this.#other = other;
  }

  get other(): End | undefined {
    return this.#other;
  }

  get remote(): string {
    return this.#lane.to;
  }

  send(bytes: string, stamp = 0): void {
    if (!this.open) return;
    this.#network.spy.sent(this.host, this.#lane.to, this, bytes);
    if (this.doomed) {
      this.#network.loop.after(0, () => this.breakOff());
      return;
    }
    this.#network.mix(bytes.length);
    this.#lane.carry(() => {
      const other = this.#other;
      if (other?.open) other.ear?.received(bytes, stamp);
    });
  }

  /** This side hangs up; it hears nothing more. */
  close(why: 'eof' | 'reset'): void {
    if (!this.open) return;
    this.open = false;
    this.#lane.carry(() => {
      const other = this.#other;
      if (other?.open) other.hear({ kind: why });
    });
  }

  /** The connection breaks: both sides hear of it. */
  breakOff(): void {
    if (!this.open) return;
    this.close('reset');
    this.ear?.ended({ kind: 'reset' });
  }

  hear(why: SocketEnd): void {
    if (!this.open) return;
    this.open = false;
    this.ear?.ended(why);
  }

  carry(run: () => void): void {
    this.#lane.carry(run);
  }
}

const FIRST_PORT = 32_768;

export class VirtualNetwork {
  readonly loop: EventLoop;
  readonly waiting = new Set<Lane>();
  spy: Spy = { sent: () => {} };
  /** Depends on all that was sent so far, when and how long. */
  hash = 0x811c9dc5;
  readonly #random: RandomSource;
  readonly #listeners = new Map<string, Listener>();
  readonly #cuts = new Set<string>();
  readonly #slow = new Map<string, Duration>();
  #port = FIRST_PORT;

  constructor(loop: EventLoop, random: RandomSource) {
    this.loop = loop;
    this.#random = random;
  }

  listen(host: string, port: number, listener: Listener): () => void {
    const key = `${host}:${port}`;
    this.#listeners.set(key, listener);
    return () => this.#listeners.delete(key);
  }

  mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value ^ Math.floor(this.loop.now * 1_000), 0x01000193) >>> 0;
  }

  /** What `from` sends to `to` arrives only once the cut has healed. `*` stands for every host. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
    for (const lane of [...this.waiting]) lane.flush();
  }

  healAll(): void {
    this.#cuts.clear();
    this.#slow.clear();
    for (const lane of [...this.waiting]) lane.flush();
  }

  /** Every message to or from `host`, or with `to` those from one to the other, takes up to so much longer; 0 ends it. */
  slow(host: string, by: Duration, to?: string): void {
    const key = to === undefined ? host : `${host}>${to}`;
    if (by === 0) this.#slow.delete(key);
    else this.#slow.set(key, by);
  }

  /** Something is cut or slow. */
  get troubled(): boolean {
    return this.#cuts.size > 0 || this.#slow.size > 0;
  }

  isCut(from: string, to: string): boolean {
    if (this.#cuts.size === 0) return false;
    return this.#cuts.has(`${from}>${to}`) || this.#cuts.has(`${from}>*`) || this.#cuts.has(`*>${to}`);
  }

  /** Mostly a tenth of a millisecond, seldom some milliseconds. */
  latency(from: string, to: string): Duration {
    const draw = this.#random.next();
    const base = draw < 0.99 ? 0.05 + 0.1 * draw : 0.2 + 5 * this.#random.next();
    if (this.#slow.size === 0) return base;
    const slow = (this.#slow.get(from) ?? 0) + (this.#slow.get(to) ?? 0) + (this.#slow.get(`${from}>${to}`) ?? 0);
    return base + slow * this.#random.next();
  }

  /** The dialling side; `ear` hears `connected`, or that it was never made. */
  dial(from: string, to: { readonly host: string; readonly port: number }, timeout: Duration, ear: DialEar): End {
    const there = new Lane(this, from, to.host);
    const back = new Lane(this, to.host, from);
    this.#port = this.#port >= 65_535 ? FIRST_PORT : this.#port + 1;
    const end = new End(this, from, this.#port, there);
    let connected = false;
    const cancel = this.loop.after(timeout, () => {
      if (connected || !end.open) return;
      end.close('eof');
      ear.ended({ kind: 'timeout' });
    });
    end.ear = ear;
    this.mix(1);
    there.carry(() => {
      if (!end.open) return;
      const listener = this.#listeners.get(`${to.host}:${to.port}`);
      if (listener === undefined) {
        back.carry(() => {
          cancel();
          end.hear({ kind: 'refused' });
        });
        return;
      }
      const far = new End(this, to.host, to.port, back);
      far.join(end);
      end.join(far);
      far.ear = listener.accept(far);
      back.carry(() => {
        if (!end.open) return;
        connected = true;
        cancel();
        ear.connected();
      });
    });
    return end;
  }
}
