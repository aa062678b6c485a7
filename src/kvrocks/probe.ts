/**
 * The hot path: one long-lived connection to a node, both questions in one write that was encoded once, both answers
 * read into one record. It dials when asked and never by itself: when to try again is its owner's decision.
 */
import type { Duration, Instant, Runtime, Socket } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from './address.ts';
import {
  forgetClusterInfo,
  forgetReplication,
  type ProbeKind,
  ProbeRecord,
  readClusterInfo,
  readProbeError,
  readReplication,
} from './probe-record.ts';
import type { ConnectionEnd } from './question.ts';
import { encodeCommand } from './resp.ts';

export interface ProbeLimits {
  readonly connectTimeout: Duration;
  readonly replyTimeout: Duration;
  /** Bytes of all answers to one probe. */
  readonly bytes: number;
}

/** 64 KiB: a master tells some 50 bytes for each of its replicas. */
export const PROBE_LIMITS: ProbeLimits = { connectTimeout: 500, replyTimeout: 1000, bytes: 64 * 1024 };

export interface ProbeHandlers {
  /** The connection was made, and what was asked has just been sent. */
  connected(): void;
  /** The record is the probe's own, and filled again by the next answer. */
  answered(record: Readonly<ProbeRecord>): void;
  /**
   * The connection is no more, or was never made; also at EOF while nothing is asked. `askedAt`: when the question that
   * stays without an answer was sent; undefined if none was.
   */
  failed(why: ConnectionEnd, askedAt: Instant | undefined): void;
}

const QUESTIONS = encodeCommand(['CLUSTER', 'INFO']) + encodeCommand(['INFO', 'replication']);

const UNREADABLE_INFO = { kind: 'other', text: 'CLUSTER INFO: unreadable' } as const;
const UNREADABLE_REPLICATION = { kind: 'other', text: 'INFO replication: unreadable' } as const;

type State = 'idle' | 'dialing' | 'open' | 'closed';

/** What `#frame` answers in place of an end. */
const MORE_NEEDED = -1;
const GARBAGE = -2;

export class Probe {
  readonly #runtime: Runtime;
  readonly #address: Address;
  readonly #password: Secret | undefined;
  readonly #limits: ProbeLimits;
  readonly #on: ProbeHandlers;
  readonly #record = new ProbeRecord();
  #state: State = 'idle';
  #socket: Socket | undefined;
  /** A question was asked and not yet answered. */
  #waiting = false;
  /** When it was sent; undefined before that. */
  #askedAt: Instant | undefined;
  /** The answer to AUTH comes first. */
  #login = false;
  /** Received, not yet whole, and the length below which it cannot be. */
  #held = '';
  #enough = 0;
  #cancelDeadline: (() => void) | undefined;
  // The reply that `#frame` found: its first byte, and where its content is.
  #type = 0;
  #from = 0;
  #to = 0;

  constructor(
    runtime: Runtime,
    address: Address,
    password: Secret | undefined,
    limits: ProbeLimits,
    on: ProbeHandlers,
  ) {
    this.#runtime = runtime;
    this.#address = address;
    this.#password = password?.empty ? undefined : password;
    this.#limits = limits;
    this.#on = on;
  }

  /** True while a connection is open: then `ask` needs no dialling. */
  get open(): boolean {
    return this.#state === 'open';
  }

  /**
   * Asks, dialling first if there is no connection. False, and nothing happens, while an answer is still awaited or
   * after `close()`. Ends in exactly one of `answered` and `failed`, within both timeouts.
   */
  ask(): boolean {
    if (this.#waiting || this.#state === 'closed') return false;
    this.#waiting = true;
    if (this.#state === 'open') this.#send();
    else this.#dial();
    return true;
  }

  /** For good. No handler is called any more. */
  close(): void {
    this.#drop();
    this.#state = 'closed';
  }

  #dial(): void {
    this.#state = 'dialing';
    this.#login = this.#password !== undefined;
    this.#socket = this.#runtime.network.connect(this.#address, this.#limits.connectTimeout, {
      connected: () => {
        this.#state = 'open';
        this.#send();
        this.#on.connected();
      },
      received: (bytes) => this.#received(bytes),
      ended: (why) => this.#fail(why),
    });
  }

  #send(): void {
    // AUTH is not waited for: if it is refused the questions behind it are answered NOAUTH.
    const login = this.#login ? encodeCommand(['AUTH', this.#password?.reveal() ?? '']) : '';
    this.#askedAt = this.#runtime.clock.now();
    this.#cancelDeadline = this.#runtime.timers.after(this.#limits.replyTimeout, () =>
      this.#fail({ kind: 'no-answer' }),
    );
    this.#socket?.send(login === '' ? QUESTIONS : login + QUESTIONS);
  }

  #received(bytes: string): void {
    if (!this.#waiting) {
      this.#fail({ kind: 'garbled', why: 'a reply to no question' });
      return;
    }
    const text = this.#held === '' ? bytes : this.#held + bytes;
    if (text.length > this.#limits.bytes) {
      this.#fail({ kind: 'garbled', why: 'a reply above the limit of bytes' });
    } else if (text.length < this.#enough) {
      this.#held = text;
    } else {
      this.#read(text);
    }
  }

  #read(text: string): void {
    let begin = 0;
    if (this.#login) {
      begin = this.#frame(text, 0);
      if (begin < 0 || this.#type === DOLLAR) {
        this.#notYet(text, 0, begin < 0 ? begin : GARBAGE);
        return;
      }
      this.#login = false;
    }
    const middle = this.#frame(text, begin);
    const type = this.#type;
    const from = this.#from;
    const to = this.#to;
    const end = middle < 0 ? middle : this.#frame(text, middle);
    if (end < 0) this.#notYet(text, begin, end);
    else if (end !== text.length) this.#fail({ kind: 'garbled', why: 'a reply to no question' });
    else this.#answered(text, type, from, to);
  }

  /** Both answers are there: CLUSTER INFO as given, INFO replication as `#frame` found it last. */
  #answered(text: string, type: number, from: number, to: number): void {
    const record = this.#record;
    record.error = undefined;
    let kind: ProbeKind = 'ok';
    if (type === MINUS) {
      forgetClusterInfo(record);
      kind = readProbeError(text.slice(from, to), record);
    } else if (type !== DOLLAR || !readClusterInfo(text, from, to, record)) {
      forgetClusterInfo(record);
      record.error = UNREADABLE_INFO;
      kind = 'error';
    }
    // Of two errors the first is told.
    if (this.#type === MINUS) {
      forgetReplication(record);
      if (kind === 'ok') kind = readProbeError(text.slice(this.#from, this.#to), record);
    } else {
      const read = this.#type === DOLLAR && readReplication(text, this.#from, this.#to, record);
      if (read === 'loading') kind = 'loading';
      else if (!read) {
        forgetReplication(record);
        record.error ??= UNREADABLE_REPLICATION;
        if (kind === 'ok') kind = 'error';
      }
    }
    record.kind = kind;
    record.askedAt = this.#askedAt ?? 0;
    record.answeredAt = this.#runtime.clock.now();
    // The next question dials again, so that a password mended at the node is noticed.
    if (kind === 'denied') this.#drop();
    else this.#rest();
    this.#on.answered(record);
  }

  /** Finds one reply at `at` and answers where it ends. RESP3's verbatim text counts as a bulk. */
  #frame(text: string, at: number): number {
    if (at >= text.length) {
      this.#enough = at + 1;
      return MORE_NEEDED;
    }
    const type = text.charCodeAt(at);
    if (type !== DOLLAR && type !== MINUS && type !== PLUS && type !== EQUALS) return GARBAGE;
    const end = text.indexOf('\r\n', at);
    if (end < 0) {
      this.#enough = text.length + 1;
      return MORE_NEEDED;
    }
    if (type === MINUS || type === PLUS) {
      this.#type = type;
      this.#from = at + 1;
      this.#to = end;
      return end + 2;
    }
    let length = 0;
    for (let i = at + 1; i < end; i++) {
      const digit = text.charCodeAt(i) - 0x30;
      if (digit < 0 || digit > 9) return GARBAGE;
      length = length * 10 + digit;
    }
    if (end === at + 1 || length > this.#limits.bytes) return GARBAGE;
    this.#type = DOLLAR;
    this.#from = end + 2;
    this.#to = this.#from + length;
    if (this.#to + 2 > text.length) {
      this.#enough = this.#to + 2;
      return MORE_NEEDED;
    }
    return text.charCodeAt(this.#to) === 0x0d && text.charCodeAt(this.#to + 1) === 0x0a ? this.#to + 2 : GARBAGE;
  }

  #notYet(text: string, begin: number, found: number): void {
    if (found === GARBAGE) {
      this.#fail({ kind: 'garbled', why: 'not what CLUSTER INFO and INFO are answered with' });
      return;
    }
    this.#held = text.slice(begin);
    this.#enough -= begin;
  }

  /** Back to a connection on which nothing is asked. */
  #rest(): void {
    this.#waiting = false;
    this.#askedAt = undefined;
    this.#held = '';
    this.#enough = 0;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
  }

  /** Back to no connection at all. */
  #drop(): void {
    this.#rest();
    this.#socket?.destroy();
    this.#socket = undefined;
    if (this.#state !== 'closed') this.#state = 'idle';
  }

  #fail(why: ConnectionEnd): void {
    if (this.#state === 'idle' || this.#state === 'closed') return;
    const askedAt = this.#askedAt;
    this.#drop();
    this.#on.failed(why, askedAt);
  }
}

const DOLLAR = 0x24;
const PLUS = 0x2b;
const MINUS = 0x2d;
const EQUALS = 0x3d;
