/** What a command of the node itself is: everything that is not a data command. */
import type { Client } from './client.ts';
import type { Outcome } from './core.ts';
import type { Reply } from './reply.ts';

export type Flag =
  | 'readonly'
  | 'write'
  | 'admin'
  /** Answered while the database is being restored. */
  | 'ok-loading'
  /** Answered without a password. */
  | 'auth'
  | 'no-multi'
  /** Executed within MULTI, not queued. */
  | 'bypass-multi'
  | 'no-script'
  | 'exclusive'
  | 'blocking';

/** Executes a command whose arguments are in order. */
export type Action = (client: Client, inExec: boolean) => Outcome;

export interface NodeCommand {
  /** Positive: exact number of words with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly Flag[];
  readonly range?: readonly [number, number, number];
  readonly keys?: (words: readonly string[]) => readonly number[];
  /** Looks at the arguments, before slots and roles are looked at: an error, or what to do. */
  prepare(words: readonly string[]): { readonly refused: Reply } | Action;
}

export type NodeCommands = Readonly<Record<string, NodeCommand>>;

export const refuse = (text: string): { readonly refused: Reply } => ({
  refused: { kind: 'error', text: `ERR ${text}` },
});

/** A command without arguments to look at. */
export function simple(
  arity: number,
  flags: readonly Flag[],
  run: (words: readonly string[], client: Client, inExec: boolean) => Outcome,
): NodeCommand {
  return { arity, flags, prepare: (words) => (client, inExec) => run(words, client, inExec) };
}
