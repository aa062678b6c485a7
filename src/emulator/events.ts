/**
 * What reaches the core of an emulated node and what it asks of the world. The core does no I/O and reads no clock: the
 * socket shell and the simulation both drive it by `EmulatedNode.handle(event, moment)`.
 */
import type { Duration, Instant, SocketEnd } from '../runtime/runtime.ts';

/** Both clocks at one event. */
export interface Moment {
  /** Monotonic milliseconds: all waiting is measured by it. */
  readonly now: Instant;
  /** Milliseconds since 1970: expiry, times shown to people, `master_last_io_seconds_ago`. */
  readonly wall: number;
}

/** What a node left on its disk. */
export interface StoredState {
  /** The text of nodes.conf; undefined if there is none. */
  readonly nodes?: string | undefined;
  /** The whole lines of the data file, in order. */
  readonly data?: readonly string[] | undefined;
  /** What CONFIG REWRITE wrote: `name value` lines. They win over the settings given at start. */
  readonly config?: string | undefined;
}

export type NodeEvent =
  /** First of all, once for each process. */
  | { readonly kind: 'start'; readonly stored: StoredState }
  /** SIGTERM or SHUTDOWN: answered by an `exit` with code 0. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'opened'; readonly connection: number; readonly host: string; readonly port: number }
  /** Bytes as a latin1 string. */
  | { readonly kind: 'received'; readonly connection: number; readonly bytes: string }
  /** The other side ended it, or it broke; not after the node's own `close`. */
  | { readonly kind: 'closed'; readonly connection: number }
  | { readonly kind: 'link-connected'; readonly link: number }
  | { readonly kind: 'link-received'; readonly link: number; readonly bytes: string }
  /** Never made, or over; not after the node's own `link-close`. */
  | { readonly kind: 'link-ended'; readonly link: number; readonly why: SocketEnd }
  /** `EmulatedNode.wakeAt` has come. Early ones do no harm. */
  | { readonly kind: 'wake' }
  /** Answers each `save-nodes`; `error` is the system's word for why not: `Is a directory`. */
  | { readonly kind: 'nodes-saved'; readonly error?: string | undefined };

export type Output =
  /** More lines for the data file. On disk before anything later in the list is done: acknowledged writes survive. */
  | { readonly kind: 'append'; readonly lines: string }
  /** The data file is to hold exactly this text from now on. */
  | { readonly kind: 'replace-data'; readonly text: string }
  | { readonly kind: 'save-nodes'; readonly text: string }
  | { readonly kind: 'remove-nodes' }
  | { readonly kind: 'save-config'; readonly text: string }
  | { readonly kind: 'send'; readonly connection: number; readonly bytes: string }
  /** After everything sent so far has gone out. */
  | { readonly kind: 'close'; readonly connection: number }
  | {
      readonly kind: 'dial';
      readonly link: number;
      readonly host: string;
      readonly port: number;
      readonly connectTimeout: Duration;
    }
  | { readonly kind: 'link-send'; readonly link: number; readonly bytes: string }
  | { readonly kind: 'link-close'; readonly link: number }
  /** The process is over; nothing may be given to this node any more. 139 stands for a crash. */
  | { readonly kind: 'exit'; readonly code: number; readonly reason: string };
