/** What the parts of an emulated node need of the whole: the moment, the settings, timers and links. */
import type { Cancel, Duration, RandomSource, SocketEnd } from '../runtime/runtime.ts';
import type { Database } from './data/port.ts';
import type { Moment, Output } from './events.ts';
import type { Reply } from './reply.ts';
import type { Settings } from './settings.ts';

export interface LinkHandlers {
  connected(): void;
  received(bytes: string): void;
  ended(why: SocketEnd): void;
}

/** A connection that the node itself dialled. */
export interface Link {
  send(bytes: string): void;
  /** No handler is called any more. */
  close(): void;
}

export interface Core {
  readonly port: number;
  readonly moment: Moment;
  readonly settings: Settings;
  readonly database: Database;
  readonly random: RandomSource;
  /** Follows a master, or tries to. */
  readonly isSlave: boolean;
  /** Calls once, in the event that comes `delay` ms from now. */
  after(delay: Duration, call: () => void): Cancel;
  dial(host: string, port: number, connectTimeout: Duration, handlers: LinkHandlers): Link;
  emit(output: Output): void;
  /** The process dies at once, as by SIGSEGV. */
  crash(where: string): void;
}

/** A reply that comes with a later event. */
export class Later {
  /** An exclusive command: the whole node stands still until then. */
  readonly holdsNode: boolean;
  #reply: Reply | undefined;
  #call: ((reply: Reply) => void) | undefined;

  constructor(holdsNode = false) {
    this.holdsNode = holdsNode;
  }

  /** The first reply counts. */
  resolve(reply: Reply): void {
    if (this.#reply !== undefined) return;
    this.#reply = reply;
    this.#call?.(reply);
  }

  whenResolved(call: (reply: Reply) => void): void {
    this.#call = call;
    if (this.#reply !== undefined) call(this.#reply);
  }
}

export const OK: Reply = { kind: 'simple', text: 'OK' };
export const NIL: Reply = { kind: 'nil' };
export const error = (text: string): Reply => ({ kind: 'error', text: `ERR ${text}` });
export const bulk = (text: string): Reply => ({ kind: 'bulk', text });
export const verbatim = (text: string): Reply => ({ kind: 'verbatim', text });
export const integer = (value: number | bigint): Reply => ({ kind: 'integer', value });
export const array = (items: readonly Reply[]): Reply => ({ kind: 'array', items });

/** What a command gives: a reply, one that comes later, or nothing because it has already sent what there is. */
export type Outcome = Reply | Later | undefined;
