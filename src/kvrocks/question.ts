/**
 * A question to a node as a value: the bytes, how many replies they bring, and how to read those. Every file in
 * `commands/` makes one; `Connection.ask` sends it.
 */
import type { Instant, SocketEnd } from '../runtime/runtime.ts';
import { classifyError, type NodeError } from './errors.ts';
import { encodeCommand, type Reply } from './resp.ts';

export interface Question<T> {
  readonly bytes: string;
  /** More than one for a pipeline or a transaction. */
  readonly replies: number;
  read(replies: readonly Reply[]): Read<T>;
}

/** What the replies said. `garbled`: well-formed RESP, but not an answer to this question. */
export type Read<T> =
  | { readonly kind: 'reply'; readonly value: T }
  | { readonly kind: 'error'; readonly error: NodeError }
  | { readonly kind: 'garbled'; readonly why: string };

/** Why a connection is no more. */
export type ConnectionEnd =
  | SocketEnd
  /** Connected, but a question was not answered in time: replies can no longer be told apart. */
  | { readonly kind: 'no-answer' }
  /** What came was no RESP, above a limit, or an answer to no question. */
  | { readonly kind: 'garbled'; readonly why: string }
  /** By our own `close()`. */
  | { readonly kind: 'closed' };

/**
 * The end of every question. Freshness is judged by `askedAt`, the instant at which the bytes were handed to the
 * connected socket; undefined means that they never were, so the command cannot have been carried out. In every other
 * case without a reply it may have been, or may be later.
 */
export type Outcome<T> =
  | (Read<T> & { readonly askedAt: Instant; readonly answeredAt: Instant })
  /** This question's own deadline passed. */
  | { readonly kind: 'timeout'; readonly askedAt: Instant; readonly answeredAt: Instant }
  | {
      readonly kind: 'ended';
      readonly why: ConnectionEnd;
      readonly askedAt: Instant | undefined;
      readonly answeredAt: Instant;
    };

/** One command with one reply; an error reply is classified before `read` is asked. */
export function question<T>(
  args: readonly string[],
  read: (reply: Exclude<Reply, ErrorReply>) => Read<T>,
): Question<T> {
  return {
    bytes: encodeCommand(args),
    replies: 1,
    read: ([reply]) => {
      if (reply === undefined) return garbled('no reply');
      return reply.kind === 'error' ? { kind: 'error', error: classifyError(reply.text) } : read(reply);
    },
  };
}

type ErrorReply = Extract<Reply, { kind: 'error' }>;

/**
 * `MULTI; commands; EXEC`: `read` gets the replies inside EXEC's array, errors among them, as many as commands. A
 * command refused while queued is the transaction's error: EXEC's own EXECABORT says less.
 */
export function transaction<T>(
  commands: readonly (readonly string[])[],
  read: (replies: readonly Reply[]) => Read<T>,
): Question<T> {
  return {
    bytes: [['MULTI'], ...commands, ['EXEC']].map(encodeCommand).join(''),
    replies: commands.length + 2,
    read: (replies) => {
      for (const reply of replies) {
        if (reply.kind === 'error') return { kind: 'error', error: classifyError(reply.text) };
      }
      const exec = replies.at(-1);
      if (exec?.kind !== 'array' || exec.items.length !== commands.length) return garbled('EXEC: no array of replies');
      return read(exec.items);
    },
  };
}

export function reply<T>(value: T): Read<T> {
  return { kind: 'reply', value };
}

/** Never put bytes that were received into `why`: a peer may echo a password. */
export function garbled(why: string): { readonly kind: 'garbled'; readonly why: string } {
  return { kind: 'garbled', why };
}

/** Reads `OK`, and nothing else. */
export function readOk(got: Reply): Read<'ok'> {
  if (got.kind === 'error') return { kind: 'error', error: classifyError(got.text) };
  return got.kind === 'simple' && got.text === 'OK' ? reply('ok') : garbled('not OK');
}

/** Reads a text: a bulk or a simple string. */
export function readText(got: Reply): string | undefined {
  return got.kind === 'bulk' || got.kind === 'simple' ? got.text : undefined;
}
