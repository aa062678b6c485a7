/** What a data command is, and what it may use. */
import type { RandomSource } from '../../runtime/runtime.ts';
import type { Reply } from '../reply.ts';
import { Refusal, texts } from './arguments.ts';
import type { Effect } from './effects.ts';
import type { Keyspace } from './keyspace.ts';
import type { KeyCounts } from './port.ts';
import type { Entry, Value } from './values.ts';

/** The view of one command at one moment. */
export interface Access {
  readonly keyspace: Keyspace;
  readonly random: RandomSource;
  readonly cursors: Cursors;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** What DBSIZE SCAN counted last. */
  counts: KeyCounts;
  /** Undefined for what is not there or has expired. */
  live(key: string): Entry | undefined;
  /** Within EXEC: what the server cannot put into a batch that is read before it is written is refused. */
  readonly inBatch: boolean;
  /** Performs and logs effects as one batch; nothing is logged if they change nothing. */
  commit(...effects: readonly Effect[]): void;
}

/** Numbers that stand for where a scan stopped, as clients of Redis expect them. */
export interface Cursors {
  /** A cursor that leads to what comes after `name`. */
  after(name: string): string;
  /** The name behind a cursor; empty for the beginning and for a cursor that nobody gave. */
  nameOf(cursor: string): string;
}

export interface Command {
  readonly arity: number;
  readonly flags: readonly string[];
  /** First key, last key (negative: counted from the end) and step, as COMMAND INFO shows; zeros: no keys. */
  readonly range: readonly [number, number, number];
  /** For commands whose keys the range does not tell. */
  readonly keys?: (words: readonly string[]) => readonly number[];
  run(access: Access, words: readonly string[]): Reply;
}

export type Commands = Readonly<Record<string, Command>>;

type Run = Command['run'];
type Range = Command['range'];

export const NO_KEY: Range = [0, 0, 0];
export const ONE_KEY: Range = [1, 1, 1];
export const TWO_KEYS: Range = [1, 2, 1];
export const ALL_KEYS: Range = [1, -1, 1];
/** All but the last word, a timeout. */
export const KEYS_BEFORE_TIMEOUT: Range = [1, -2, 1];

export function reading(arity: number, range: Range, run: Run, ...flags: readonly string[]): Command {
  return { arity, flags: ['readonly', ...flags], range, run };
}

export function writing(arity: number, range: Range, run: Run, ...flags: readonly string[]): Command {
  return { arity, flags: ['write', ...flags], range, run };
}

export function wrongType(): Refusal {
  return new Refusal(texts.wrongType);
}

/** The word at a place that the arity guarantees. */
export function at(words: readonly string[], index: number): string {
  const word = words[index];
  if (word === undefined) throw new Refusal(texts.arity);
  return word;
}

/** The value of a kind under a live key; undefined if there is none. Refuses another kind. */
export function held<K extends Value['kind']>(
  access: Access,
  key: string,
  kind: K,
): Extract<Value, { kind: K }> | undefined {
  const value = access.live(key)?.value;
  if (value === undefined) return undefined;
  if (!isKind(value, kind)) throw wrongType();
  return value;
}

function isKind<K extends Value['kind']>(value: Value, kind: K): value is Extract<Value, { kind: K }> {
  return value.kind === kind;
}
