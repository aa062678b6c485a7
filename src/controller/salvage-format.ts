/**
 * A file of what a node alone held, a line a value:
 *
 *   {"format":1,...}                                 the head: whose it is, and where it parted from its shard
 *   {"sequence":7,"count":2,"commands":1,"raw":"…"}   an entry of its log, its bytes in base64, before its commands
 *   ["HSET","h","f","v"]                             a command as the server tells it; texts are latin1, a byte a character
 *   {"end":true,...}                                 the tail: how much it is
 *
 * Where `commands` is null they stand with those of the next entry that has some. A command in another namespace than
 * the default one is `{"namespace":"n","command":[...]}`. The raw bytes are all that there is of what the server does
 * not tell as a command.
 */
import type { LoggedCommand } from '../kvrocks/commands/poll-updates.ts';
import { type BatchContent, readBatch } from '../kvrocks/write-batch.ts';
import type { LineageEntry } from '../topology/cluster.ts';
import type { NodeId, Sequence, ShardId } from '../topology/ids.ts';
import { namespaceOf, type ToldEntry } from './salvage-entries.ts';
import { boolean, each, list, natural, nullable, object, oneOf, text, Unreadable } from './stored-values.ts';

export interface SalvageHead {
  readonly format: 1;
  readonly namespace: string;
  readonly cluster: string;
  readonly shard: ShardId;
  readonly node: NodeId;
  /** The shard's master when it was saved. */
  readonly master: NodeId;
  /** The first sequence that is not its shard's; null: nobody could tell. */
  readonly parted_at: Sequence | null;
  readonly lineage: readonly LineageEntry[];
  /** Milliseconds since 1970. */
  readonly saved_at: number;
  readonly encoding: 'latin1';
}

export interface SalvageTail {
  readonly end: true;
  readonly first: Sequence;
  readonly last: Sequence;
  /** Sequence numbers that only this node had. */
  readonly records: number;
  readonly commands: number;
  /** False: some of what it alone may have held was in no log any more. */
  readonly all: boolean;
}

export interface SavedEntry {
  readonly sequence: Sequence;
  readonly count: number;
  readonly content: BatchContent | undefined;
  /** Null: with those of the next. */
  readonly commands: number | null;
}

export type SalvageLine =
  | { readonly kind: 'entry'; readonly entry: SavedEntry }
  | { readonly kind: 'command'; readonly command: LoggedCommand }
  | { readonly kind: 'tail'; readonly tail: SalvageTail };

export const headLine = (head: SalvageHead): string => `${JSON.stringify(head)}\n`;
export const tailLine = (tail: SalvageTail): string => `${JSON.stringify(tail)}\n`;

export function entryLines({ entry, content, commands }: ToldEntry): string {
  const raw = Buffer.from(entry.bytes, 'latin1').toString('base64');
  const { sequence, count } = entry;
  const told = (commands ?? []).map((command) => {
    const namespace = namespaceOf(command, content);
    return JSON.stringify(namespace === 'default' ? command.args : { namespace, command: command.args });
  });
  const first = JSON.stringify({ sequence, count, commands: commands === null ? null : commands.length, raw });
  return [first, ...told].map((line) => `${line}\n`).join('');
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Unreadable('a line is no JSON');
  }
}

/** Throws `Unreadable`. */
export function readHead(line: string): SalvageHead {
  const head = object(parse(line), 'the first line');
  if (head['format'] !== 1) throw new Unreadable('it has another format than 1');
  return {
    format: 1,
    namespace: text(head['namespace'], 'namespace'),
    cluster: text(head['cluster'], 'cluster'),
    shard: text(head['shard'], 'shard'),
    node: text(head['node'], 'node'),
    master: text(head['master'], 'master'),
    parted_at: nullable(head['parted_at'], 'parted_at', natural),
    lineage: each(head['lineage'], 'lineage', (value, what) => {
      const entry = object(value, what);
      return {
        version: natural(entry['version'], `${what}.version`),
        master: text(entry['master'], `${what}.master`),
        sequence: natural(entry['sequence'], `${what}.sequence`),
        exact: boolean(entry['exact'], `${what}.exact`),
      };
    }),
    saved_at: natural(head['saved_at'], 'saved_at'),
    encoding: oneOf(head['encoding'], ['latin1'], 'encoding'),
  };
}

/** Throws `Unreadable`. */
export function readTail(line: string): SalvageTail {
  const tail = object(parse(line), 'the last line');
  if (tail['end'] !== true) throw new Unreadable('it has no end');
  return {
    end: true,
    first: natural(tail['first'], 'first'),
    last: natural(tail['last'], 'last'),
    records: natural(tail['records'], 'records'),
    commands: natural(tail['commands'], 'commands'),
    all: boolean(tail['all'], 'all'),
  };
}

const texts = (value: unknown, what: string): readonly string[] => list(value, what).map((one) => text(one, what));

/** Any line but the first. Throws `Unreadable`. */
export function readLine(line: string): SalvageLine {
  const value = parse(line);
  if (Array.isArray(value))
    return { kind: 'command', command: { namespace: 'default', args: texts(value, 'a command') } };
  const found = object(value, 'a line');
  if (found['end'] === true) return { kind: 'tail', tail: readTail(line) };
  if (found['command'] !== undefined) {
    const namespace = text(found['namespace'], 'namespace');
    return { kind: 'command', command: { namespace, args: texts(found['command'], 'a command') } };
  }
  const bytes = Buffer.from(text(found['raw'], 'raw'), 'base64').toString('latin1');
  return {
    kind: 'entry',
    entry: {
      sequence: natural(found['sequence'], 'sequence'),
      count: natural(found['count'], 'count'),
      content: readBatch(bytes),
      commands: nullable(found['commands'], 'commands', natural),
    },
  };
}
