/** What a file holds, by key: the commands to write it again, or why that cannot be known. */
import type { LoggedCommand } from '../kvrocks/commands/poll-updates.ts';
import { DEFAULT_NAMESPACE, keyName } from '../kvrocks/write-batch.ts';
import { keysOfCommand } from './salvage-entries.ts';
import { readHead, readLine, readTail, type SalvageHead, type SalvageTail, type SavedEntry } from './salvage-format.ts';
import { Unreadable } from './stored-values.ts';

export interface SavedKey {
  readonly namespace: string;
  /** Bytes as latin1. */
  readonly key: string;
  /** In the order in which they were written. */
  readonly commands: readonly LoggedCommand[];
  /** Its commands do not make it what it was; null: they do. */
  readonly untold: string | null;
}

export interface SavedKeys {
  readonly head: SalvageHead;
  readonly tail: SalvageTail;
  /** In the order in which they were first written. */
  readonly keys: readonly SavedKey[];
}

/** The server tells only the first of several of one EXEC. */
const TOLD_ONCE = ['LINSERT', 'LTRIM', 'LREM', 'LMOVE', 'RPOPLPUSH'];

/** `default`, as callers and commands name it. */
const namespaceName = (stored: string): string => (stored === DEFAULT_NAMESPACE ? 'default' : stored);

/** Rejects with `Unreadable`. */
export async function readKeys(lines: AsyncIterable<string>): Promise<SavedKeys> {
  const keys = new Keys();
  let head: SalvageHead | undefined;
  let tail: SalvageTail | undefined;
  let open: { entries: SavedEntry[]; commands: LoggedCommand[]; missing: number } | undefined;
  for await (const line of lines) {
    if (head === undefined) {
      head = readHead(line);
      continue;
    }
    const read = readLine(line);
    if (read.kind === 'tail') tail = readTail(line);
    else if (read.kind === 'command') {
      if (open === undefined || open.missing === 0) throw new Unreadable('a command belongs to no entry');
      open.commands.push(read.command);
      open.missing--;
    } else if (open?.entries.at(-1)?.commands === null) {
      open.entries.push(read.entry);
      open.missing = read.entry.commands ?? 0;
    } else {
      if (open !== undefined) keys.add(open.entries, open.commands);
      open = { entries: [read.entry], commands: [], missing: read.entry.commands ?? 0 };
    }
  }
  if (head === undefined || tail === undefined) throw new Unreadable('it has no end');
  if (open !== undefined) keys.add(open.entries, open.commands);
  return { head, tail, keys: keys.all() };
}

class Keys {
  readonly #keys = new Map<
    string,
    { namespace: string; key: string; commands: LoggedCommand[]; untold: string | null }
  >();
  /** Whatever key it is about. */
  #spoilsAll: string | null = null;

  /** Entries whose commands are told together, which is nearly always one. */
  add(entries: readonly SavedEntry[], commands: readonly LoggedCommand[]): void {
    for (const command of commands) {
      const about = keysOfCommand(command);
      for (const key of about) {
        this.#of(command.namespace, key).commands.push(command);
        if (about.length > 1) this.#spoil(command.namespace, key, 'a command is about another key, too');
        const [name = ''] = command.args;
        if (name.toUpperCase() === 'XSETID') this.#spoil(command.namespace, key, 'XSETID is not told rightly');
        if (TOLD_ONCE.includes(name.toUpperCase()) && entries.some(({ content }) => (content?.notes ?? 1) > 1))
          this.#spoil(command.namespace, key, 'only some of what one EXEC did to it is told');
      }
    }
    const told = new Set(commands.flatMap((command) => keysOfCommand(command)));
    for (const { sequence, content } of entries) {
      if (content?.unnamed === true)
        this.#spoilsAll ??= `at sequence ${sequence} keys were deleted without being named (FLUSHALL)`;
      for (const { namespace, key } of content?.keys ?? []) {
        const where = namespaceName(namespace);
        if (!told.has(key))
          this.#spoil(where, key, `what was written at sequence ${sequence} is not told as a command`);
        else if (entries.length > 1) this.#spoil(where, key, 'its many records cannot be told apart');
      }
      if (content === undefined && commands.length === 0)
        this.#spoilsAll ??= `the entry at sequence ${sequence} cannot be read`;
    }
  }

  #of(namespace: string, key: string) {
    const name = keyName({ namespace, key });
    let found = this.#keys.get(name);
    if (found === undefined) {
      found = { namespace, key, commands: [], untold: null };
      this.#keys.set(name, found);
    }
    return found;
  }

  #spoil(namespace: string, key: string, why: string): void {
    this.#of(namespace, key).untold ??= why;
  }

  all(): readonly SavedKey[] {
    return [...this.#keys.values()].map((one) => ({ ...one, untold: one.untold ?? this.#spoilsAll }));
  }
}
