/**
 * Reads a node's log from a sequence on, in pieces that are neither too many nor too large. It reads over connections
 * of its own: a reply above the limit ends the connection, and the fence's must not end.
 */
import { myId } from '../kvrocks/commands/my-id.ts';
import {
  type LogEntry,
  type LoggedCommand,
  MOST_UPDATES,
  pollUpdates,
  type Updates,
} from '../kvrocks/commands/poll-updates.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import type { Outcome, Question } from '../kvrocks/question.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';

/** A job that cannot be done now: it is asked for again. `message` is for people. */
export class JobFailed extends Error {}

const CONNECT_TIMEOUT = 1_000;
/** The server looks for the place in a file of its log from the file's start: 50 ms for each 30 MB (2.14). */
const REPLY_TIMEOUT = 20_000;
/** Entries asked for at first, before it is known how large they are. */
const FIRST_PIECE = 128;
/** Bytes of entries in one answer that are aimed at; RAW takes two characters for each. */
const PIECE_BYTES = 1024 * 1024;

export class LogReader {
  readonly #runtime: Runtime;
  readonly #id: NodeId;
  readonly #address: Address;
  readonly #password: Secret;
  #connection: Connection | undefined;
  #piece = FIRST_PIECE;

  constructor(runtime: Runtime, id: NodeId, address: Address, password: Secret) {
    this.#runtime = runtime;
    this.#id = id;
    this.#address = address;
    this.#password = password;
  }

  close(): void {
    this.#connection?.close();
  }

  /**
   * Entries behind `after`, at most `most`; strict unless `lax`. Fewer come where they are large. Rejects with
   * `JobFailed` if the node does not answer, or an entry is too large for any answer.
   */
  async entries(after: Sequence, most: number = MOST_UPDATES, lax = false): Promise<Updates<LogEntry>> {
    for (;;) {
      const max = Math.min(most, this.#piece);
      const outcome = await this.#ask(pollUpdates(after, max, { strict: !lax }));
      if (outcome.kind === 'reply') {
        this.#aim(outcome.value, max);
        return outcome.value;
      }
      if (!tooLarge(outcome)) throw new JobFailed(words(outcome));
      if (max === 1) throw new JobFailed('an entry of its log is too large to be read');
      this.#piece = Math.max(1, Math.floor(max / 8));
    }
  }

  /** The same as commands. Undefined where the server does not tell them, or they are too large for one answer. */
  async commands(after: Sequence, most: number): Promise<Updates<LoggedCommand> | undefined> {
    const outcome = await this.#ask(pollUpdates(after, most, { format: 'resp' }));
    if (outcome.kind === 'reply') return outcome.value;
    if (tooLarge(outcome) || outcome.kind === 'error') return undefined;
    throw new JobFailed(words(outcome));
  }

  async #ask<T>(question: Question<T>): Promise<Outcome<T>> {
    let connection = this.#connection;
    if (connection === undefined || connection.state === 'over') {
      connection = openConnection(this.#runtime, this.#address, {
        password: this.#password,
        connectTimeout: CONNECT_TIMEOUT,
        replyTimeout: REPLY_TIMEOUT,
      });
      this.#connection = connection;
      const id = await connection.ask(myId());
      if (id.kind !== 'reply') throw new JobFailed(words(id));
      // One without an id was let in by somebody's word.
      if (id.value !== this.#id && id.value !== '') throw new JobFailed('another node answers at its address');
    }
    return connection.ask(question);
  }

  #aim(got: Updates<LogEntry>, max: number): void {
    if (got.kind !== 'updates' || got.entries.length === 0) return;
    const bytes = got.entries.reduce((sum, entry) => sum + entry.bytes.length, 0);
    const fitting = Math.floor((PIECE_BYTES * got.entries.length) / Math.max(1, bytes));
    if (got.entries.length === max || fitting < max)
      this.#piece = Math.max(1, Math.min(MOST_UPDATES, fitting, this.#piece * 4));
  }
}

const tooLarge = (outcome: Outcome<unknown>): boolean =>
  outcome.kind === 'garbled' || (outcome.kind === 'ended' && outcome.why.kind === 'garbled');

function words(outcome: Outcome<unknown>): string {
  switch (outcome.kind) {
    case 'error':
      return outcome.error.text;
    case 'garbled':
      return outcome.why;
    case 'timeout':
      return 'it did not answer in time';
    case 'ended':
      return `the connection ended (${outcome.why.kind})`;
    case 'reply':
      return 'it answered';
  }
}
