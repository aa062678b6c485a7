/**
 * Connections between hosts in virtual time: each message late by a drawn latency, in order within its direction, and
 * all the ways in which a network fails. As TCP does, a cut direction keeps what was sent and delivers it when the cut
 * heals, unless the receiver is gone by then.
 */
import type { Cancel, Duration, Instant, RandomSource, SocketEnd } from '../runtime/runtime.ts';
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

/** What one message or each message of a way has to bear beyond the usual. */
interface Burden {
  readonly from: string;
  readonly to: string;
  readonly least: Duration;
  readonly most: Duration;
  /** How many of the packets are lost, 0 to 1; each costs the sender's pause before it sends again. */
  readonly lost: number;
}

/** The pause of a sender before it sends a lost packet again; it doubles with each. */
const RESEND = 200;
/** No packet is late by more: runs end before pauses of minutes do, which a real sender comes to. */
const LATEST = 5_000;

/** So long a sender goes on sending what is new while nothing that it sent is confirmed, about its first resend. */
const UNCONFIRMED_FOR = 200;

interface Message {
  readonly run: () => void;
  due: Instant;
  /** Sent when nothing was confirmed any more: it waits for confirmations to come through again. */
  readonly stalled: boolean;
}

/** One direction of a connection between two hosts: what is sent arrives late, in order, or once a cut has healed. */
class Lane {
  readonly #network: VirtualNetwork;
  readonly from: string;
  readonly to: string;
  #lastDue: Instant = 0;
  /** On their way, oldest first. */
  #messages: Message[] = [];
  /** Since when it sends into a way whose confirmations do not come back. */
  #unconfirmedSince: Instant | undefined;

  constructor(network: VirtualNetwork, from: string, to: string) {
    this.#network = network;
    this.from = from;
    this.to = to;
  }

  carry(run: () => void): void {
    this.#lastDue = Math.max(this.#lastDue, this.#network.loop.now + this.#network.latency(this.from, this.to));
    this.#messages.push({ run, due: this.#lastDue, stalled: this.#stalls() });
    if (this.#messages.length === 1) this.#arm();
  }

  #arm(): void {
    const [first] = this.#messages;
    if (first !== undefined) this.#network.loop.at(first.due, () => this.#arrive(first));
  }

  #arrive(message: Message): void {
    // It was dropped meanwhile, or put off with those that a cut had kept.
    if (this.#messages[0] !== message || message.due > this.#network.loop.now) return;
    if (this.#isHeld(message)) {
      this.#network.waiting.add(this);
      return;
    }
    this.#messages.shift();
    message.run();
    this.#arm();
  }

  #isHeld(message: Message): boolean {
    const network = this.#network;
    return network.isCut(this.from, this.to) || (message.stalled && network.isCut(this.to, this.from));
  }

  /** Nothing confirms what was sent: after a moment TCP sends nothing new, and the connection is silent both ways. */
  #stalls(): boolean {
    if (!this.#network.isCut(this.to, this.from)) {
      this.#unconfirmedSince = undefined;
      return false;
    }
    const { now } = this.#network.loop;
    this.#unconfirmedSince ??= now;
    return now - this.#unconfirmedSince > UNCONFIRMED_FOR;
  }

  /** Whoever kept it to send it again is gone. */
  drop(): void {
    this.#network.waiting.delete(this);
    this.#messages = [];
  }

  /** The cut may have healed: what was kept is sent again. */
  flush(): void {
    const [first] = this.#messages;
    if (first !== undefined && this.#isHeld(first)) return;
    this.#network.waiting.delete(this);
    const again = this.#network.loop.now + this.#network.latency(this.from, this.to);
    for (const message of this.#messages) message.due = Math.max(message.due, again);
    this.#lastDue = Math.max(this.#lastDue, again);
    this.#arm();
  }
}

/** One side of a connection. */
export class End {
  readonly host: string;
  readonly port: number;
  open = true;
  /** The next thing that this side sends is lost, and the connection with it. */
  doomed = false;
  /** What is still on its way to this side never arrives. */
  deaf = false;
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
      if (other?.open && !other.deaf) other.ear?.received(bytes, stamp);
    });
  }

  /** This side hangs up; it hears nothing more. */
  close(why: 'eof' | 'reset'): void {
    if (!this.open) return;
    this.open = false;
    this.#network.believes(this, false);
    this.#lane.carry(() => {
      const other = this.#other;
      if (other?.open && !other.deaf) other.hear({ kind: why });
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
    this.#network.believes(this, false);
    this.ear?.ended(why);
  }

  carry(run: () => void): void {
    this.#lane.carry(run);
  }
}

const FIRST_PORT = 32_768;
/** An idle connection is tried, or something is sent over it, within so many ms. */
const TRIES_AGAIN = 2_000;

export class VirtualNetwork {
  readonly loop: EventLoop;
  readonly waiting = new Set<Lane>();
  spy: Spy = { sent: () => {} };
  /** Depends on all that was sent so far, when and how long. */
  hash = 0x811c9dc5;
  readonly #random: RandomSource;
  readonly #listeners = new Map<string, Listener>();
  /** How many faults cut each way. */
  readonly #cuts = new Map<string, number>();
  readonly #burdens = new Set<Burden>();
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

  /**
   * What `from` sends to `to` arrives only once the cut has healed. `*` stands for every host. Undone by what it answers,
   * for its own part: where two faults cut one way, both have to end.
   */
  cut(from: string, to: string): Cancel {
    const way = `${from}>${to}`;
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1);
    let over = false;
    return () => {
      const left = (this.#cuts.get(way) ?? 0) - 1;
      if (over) return;
      over = true;
      if (left > 0) this.#cuts.set(way, left);
      else this.#cuts.delete(way);
      this.#flush();
    };
  }

  /** Ends every cut that was made to or from `host` by name. */
  healHost(host: string): void {
    for (const way of [...this.#cuts.keys()]) if (way.split('>').includes(host)) this.#cuts.delete(way);
    this.#flush();
  }

  /**
   * The machine is gone: what it had sent and nobody had got is gone with it. Whoever believes in a connection to it
   * is told so once it is there again and that connection is tried.
   */
  forget(host: string): void {
    for (const lane of [...this.waiting]) if (lane.from === host) lane.drop();
    for (const end of this.#believed) {
      if (end.remote !== host || end.other?.open !== false) continue;
      end.deaf = true;
      this.loop.after(TRIES_AGAIN * this.#random.next(), () => end.hear({ kind: 'reset' }));
    }
  }

  /** Sides of connections that have not heard of an end. */
  readonly #believed = new Set<End>();

  believes(end: End, open: boolean): void {
    if (open) this.#believed.add(end);
    else this.#believed.delete(end);
  }

  healAll(): void {
    this.#cuts.clear();
    this.#burdens.clear();
    this.#flush();
  }

  #flush(): void {
    for (const lane of [...this.waiting]) lane.flush();
  }

  /** Messages from `from` to `to` take `least` to `most` longer, until undone. `*` stands for every host. */
  slow(from: string, to: string, least: Duration, most: Duration): Cancel {
    return this.#burden({ from, to, least, most, lost: 0 });
  }

  /** `lost` of the packets from `from` to `to`, 0 to 1, have to be sent again. */
  lose(from: string, to: string, lost: number): Cancel {
    return this.#burden({ from, to, least: 0, most: 0, lost });
  }

  #burden(burden: Burden): Cancel {
    this.#burdens.add(burden);
    return () => this.#burdens.delete(burden);
  }

  /** Something is cut or slow. */
  get troubled(): boolean {
    return this.#cuts.size > 0 || this.#burdens.size > 0;
  }

  /** Nothing between these two, or at either of them, is cut or slow. */
  isSound(one: string, other: string): boolean {
    const ill = [...this.#cuts.keys(), ...[...this.#burdens].map(({ from, to }) => `${from}>${to}`)];
    return ![`${one}>${other}`, `${other}>${one}`, `${one}>*`, `*>${one}`, `${other}>*`, `*>${other}`].some((path) =>
      ill.includes(path),
    );
  }

  isCut(from: string, to: string): boolean {
    if (this.#cuts.size === 0) return false;
    return this.#cuts.has(`${from}>${to}`) || this.#cuts.has(`${from}>*`) || this.#cuts.has(`*>${to}`);
  }

  /** Mostly a tenth of a millisecond, seldom some milliseconds. */
  latency(from: string, to: string): Duration {
    const draw = this.#random.next();
    let total = draw < 0.99 ? 0.05 + 0.1 * draw : 0.2 + 5 * this.#random.next();
    for (const burden of this.#burdens) {
      if ((burden.from !== '*' && burden.from !== from) || (burden.to !== '*' && burden.to !== to)) continue;
      total += burden.least + (burden.most - burden.least) * this.#random.next();
      for (let pause = RESEND; burden.lost > 0 && this.#random.next() < burden.lost; pause *= 2) total += pause;
    }
    return Math.min(total, LATEST);
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
      this.believes(far, true);
      this.believes(end, true);
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
