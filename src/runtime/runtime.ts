/**
 * All that the product asks of the world: time, timers, chance, sockets. Nothing outside this room touches the
 * platform's own, so the simulation can run the same code under a virtual clock; `scripts/check-imports.ts` enforces it.
 */

/** Milliseconds of a clock that never jumps; only differences mean something. */
export type Instant = number;
/** A span of time in milliseconds. */
export type Duration = number;

export interface Clock {
  /** Monotonic, with fractions of a millisecond. */
  now(): Instant;
  /** Milliseconds since 1970, for people and records only: it may jump, so nothing is decided by it. */
  wall(): number;
}

/** Cancels; harmless when repeated or late. */
export type Cancel = () => void;

export interface Timers {
  /** Calls once, `delay` ms from now, never before the present turn has ended. */
  after(delay: Duration, call: () => void): Cancel;
}

export interface RandomSource {
  /** Uniform in [0, 1). */
  next(): number;
  /** A source of its own for one purpose: what one purpose draws never shifts what another gets. */
  child(purpose: string): RandomSource;
}

/** Why a connection could not be made or came to its end. */
export type SocketEnd =
  | { readonly kind: 'refused' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'eof' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'unresolved'; readonly host: string }
  | { readonly kind: 'other'; readonly code: string };

export interface SocketHandlers {
  connected(): void;
  /** Bytes as a latin1 string: one character a byte. Parsing those is several times faster than byte loops. */
  received(bytes: string): void;
  /** Once, also when the connection was never made; never after `destroy()`. Nothing follows it. */
  ended(why: SocketEnd): void;
}

export interface Socket {
  /** Bytes as a latin1 string. Before `connected` they are kept and sent then; after the end they are dropped. */
  send(bytes: string): void;
  /** Ends at once. No handler is called any more. */
  destroy(): void;
}

export interface Network {
  /** Dials; `connectTimeout` ends an attempt with `timeout`. Never throws: a failure is `ended`. */
  connect(
    address: { readonly host: string; readonly port: number },
    connectTimeout: Duration,
    handlers: SocketHandlers,
  ): Socket;
  /** The numeric addresses of a host name, or of itself when it is one; empty when it does not resolve. */
  resolve(host: string): Promise<readonly string[]>;
}

export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: RandomSource;
  readonly network: Network;
}
