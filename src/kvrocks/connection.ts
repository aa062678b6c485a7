/**
 * One connection to a node for everything but the probes: questions go out in order, in one pipeline, and each ends as
 * a value, never as an exception. A node that answers garbage, without end, nothing, or a byte a second costs at most
 * the deadline of a question and the memory of `ReplyLimits`.
 */
import type { Duration, Instant, Runtime, Socket } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from './address.ts';
import { type ConnectionEnd, garbled, type Outcome, type Question, type Read } from './question.ts';
import { encodeCommand, REPLY_LIMITS, type Reply, type ReplyLimits, ReplyReader } from './resp.ts';

export interface ConnectionOptions {
  /** Sent before anything else. Absent or empty: no AUTH. */
  readonly password?: Secret;
  readonly connectTimeout: Duration;
  /** For each question that brings none of its own, counted from when it was sent. */
  readonly replyTimeout: Duration;
  readonly limits?: ReplyLimits;
  /** Once, when the connection is made; questions asked before are sent right after it. */
  connected?(): void;
  /** Once, when it has ended or was never made; at once at EOF, also when nothing was asked. Not after `close()`. */
  ended?(why: ConnectionEnd): void;
}

export type ConnectionState = 'dialing' | 'open' | 'over';

export interface Connection {
  readonly state: ConnectionState;
  /** True when the node refused the password: everything is then answered with an error of kind `denied`. */
  readonly denied: boolean;
  /** True when a password was sent and the node has none: it takes every command from anybody. */
  readonly passwordless: boolean;
  /**
   * Always resolves: within `connectTimeout` plus the timeout. One unanswered question ends the connection, and with
   * it every other question that was waiting.
   */
  ask<T>(question: Question<T>, timeout?: Duration): Promise<Outcome<T>>;
  /** Ends it; what waits is answered `ended`, `closed`. Harmless when repeated. */
  close(): void;
}

/** A question under way, with its type put away in closures. */
interface Waiting {
  readonly bytes: string;
  readonly timeout: Duration;
  readonly missing: number;
  askedAt: Instant | undefined;
  cancelDeadline: () => void;
  answered(replies: readonly Reply[], askedAt: Instant, answeredAt: Instant): void;
  timedOut(askedAt: Instant, answeredAt: Instant): void;
  ended(why: ConnectionEnd, answeredAt: Instant): void;
}

/** Dials at once. */
export function openConnection(runtime: Runtime, address: Address, options: ConnectionOptions): Connection {
  return new NodeConnection(runtime, address, options);
}

class NodeConnection implements Connection {
  state: ConnectionState = 'dialing';
  denied = false;
  passwordless = false;
  readonly #runtime: Runtime;
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #reader: ReplyReader;
  #queue: Waiting[] = [];
  /** Replies that have come for the first of the queue. */
  #replies: Reply[] = [];
  #why: ConnectionEnd = { kind: 'closed' };

  constructor(runtime: Runtime, address: Address, options: ConnectionOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#reader = new ReplyReader(options.limits ?? REPLY_LIMITS);
    const password = options.password;
    // AUTH is not waited for: if it is refused the commands behind it are answered NOAUTH and do nothing.
    if (password !== undefined && !password.empty) void this.ask(this.#login(password));
    this.#socket = runtime.network.connect(address, options.connectTimeout, {
      connected: () => this.#connected(),
      received: (bytes) => this.#received(bytes),
      ended: (why) => this.#end(why),
    });
  }

  ask<T>(question: Question<T>, timeout: Duration = this.#options.replyTimeout): Promise<Outcome<T>> {
    return new Promise((resolve) => {
      const waiting: Waiting = {
        bytes: question.bytes,
        timeout,
        missing: question.replies,
        askedAt: undefined,
        cancelDeadline: () => {},
        answered: (replies, askedAt, answeredAt) => resolve({ ...question.read(replies), askedAt, answeredAt }),
        timedOut: (askedAt, answeredAt) => resolve({ kind: 'timeout', askedAt, answeredAt }),
        ended: (why, answeredAt) => resolve({ kind: 'ended', why, askedAt: waiting.askedAt, answeredAt }),
      };
      if (this.state === 'over') {
        waiting.ended(this.#why, this.#runtime.clock.now());
        return;
      }
      this.#queue.push(waiting);
      if (this.state === 'open') this.#send(waiting);
    });
  }

  close(): void {
    if (this.state === 'over') return;
    this.#finish({ kind: 'closed' });
  }

  /** Never lets the reply's own text out: a peer may echo the password. */
  #login(password: Secret): Question<undefined> {
    return {
      bytes: encodeCommand(['AUTH', password.reveal()]),
      replies: 1,
      read: ([reply]): Read<undefined> => {
        if (reply?.kind === 'simple' && reply.text === 'OK') return { kind: 'reply', value: undefined };
        if (reply?.kind !== 'error') {
          this.#end({ kind: 'garbled', why: 'AUTH: neither OK nor an error' });
          return garbled('AUTH');
        }
        // A node without a password takes every command, so it is as good as let in.
        this.passwordless = reply.text.includes('no password is set');
        this.denied = !this.passwordless;
        return { kind: 'reply', value: undefined };
      },
    };
  }

  #connected(): void {
    if (this.state !== 'dialing') return;
    this.state = 'open';
    for (const waiting of this.#queue) this.#send(waiting);
    this.#options.connected?.();
  }

  #send(waiting: Waiting): void {
    const askedAt = this.#runtime.clock.now();
    waiting.askedAt = askedAt;
    waiting.cancelDeadline = this.#runtime.timers.after(waiting.timeout, () => {
      this.#queue = this.#queue.filter((other) => other !== waiting);
      waiting.timedOut(askedAt, this.#runtime.clock.now());
      this.#end({ kind: 'no-answer' });
    });
    this.#socket.send(waiting.bytes);
  }

  #received(bytes: string): void {
    if (this.state !== 'open') return;
    this.#reader.push(bytes);
    for (;;) {
      const got = this.#reader.next();
      if (got === undefined) break;
      const first = this.#queue[0];
      if (first === undefined) {
        this.#end({ kind: 'garbled', why: 'a reply to no question' });
        return;
      }
      this.#replies.push(got);
      if (this.#replies.length < first.missing) continue;
      const replies = this.#replies;
      this.#replies = [];
      this.#queue.shift();
      first.cancelDeadline();
      const answeredAt = this.#runtime.clock.now();
      first.answered(replies, first.askedAt ?? answeredAt, answeredAt);
      if (this.#over()) return;
    }
    if (this.#reader.garbled !== undefined) this.#end({ kind: 'garbled', why: this.#reader.garbled });
    else if (this.#queue.length === 0 && !this.#reader.idle)
      this.#end({ kind: 'garbled', why: 'a reply to no question' });
  }

  /** Whether a reader has ended the connection meanwhile. */
  #over(): boolean {
    return this.state === 'over';
  }

  #end(why: ConnectionEnd): void {
    if (this.state === 'over') return;
    this.#finish(why);
    this.#options.ended?.(why);
  }

  #finish(why: ConnectionEnd): void {
    this.state = 'over';
    this.#why = why;
    this.#socket.destroy();
    const queue = this.#queue;
    this.#queue = [];
    this.#replies = [];
    const now = this.#runtime.clock.now();
    for (const waiting of queue) {
      waiting.cancelDeadline();
      waiting.ended(why, now);
    }
  }
}
