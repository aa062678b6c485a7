/**
 * Entries of a node's log beside the commands that they are told as. The server tells a run of entries as one list of
 * commands and not which belongs to which, leaves out what it cannot tell, and puts streams first: so the list is
 * dealt out by keys, and where that says nothing, entries are asked for one by one.
 */
import type { LogEntry, LoggedCommand, Updates } from '../kvrocks/commands/poll-updates.ts';
import { type BatchContent, DEFAULT_NAMESPACE, keyName, readBatch } from '../kvrocks/write-batch.ts';
import type { Sequence } from '../topology/ids.ts';

export interface ToldEntry {
  readonly entry: LogEntry;
  /** Undefined: its bytes say nothing. */
  readonly content: BatchContent | undefined;
  /** Null: among those of the next one that has some, nobody knows which. */
  readonly commands: readonly LoggedCommand[] | null;
}

export interface CommandSource {
  commands(after: Sequence, most: number): Promise<Updates<LoggedCommand> | undefined>;
}

interface Read {
  readonly entry: LogEntry;
  readonly content: BatchContent | undefined;
}

/** The keys that a command as POLLUPDATES tells it is about. */
export function keysOfCommand({ args }: LoggedCommand): readonly string[] {
  const [name = '', first, second] = args;
  const both = name.toUpperCase() === 'LMOVE' || name.toUpperCase() === 'RPOPLPUSH';
  return [first, both ? second : undefined].filter((key) => key !== undefined);
}

/**
 * `entries` follow each other without a gap. `budget`: how many may be asked for one by one, in one object for a whole
 * job, since each may cost the server 50 ms.
 */
export async function tell(
  source: CommandSource,
  entries: readonly LogEntry[],
  budget: { left: number },
): Promise<readonly ToldEntry[]> {
  const read = entries.map((entry): Read => ({ entry, content: readBatch(entry.bytes) }));
  const all = await commandsOf(source, entries);
  if (all.length === 0) return read.map((one) => ({ ...one, commands: [] }));
  const streams = all.some(({ namespace }) => namespace === '');
  const legible = read.every(({ content }) => content !== undefined);
  // Nothing tells them apart, and there are too many to ask: none is to be missing from the whole.
  if ((!legible || streams) && budget.left < read.length)
    return read.map((one, i) => ({ ...one, commands: i === read.length - 1 ? all : null }));
  const told: ToldEntry[] = [];
  let next = 0;
  for (const group of legible && !streams ? groups(read) : read.map((one) => [one])) {
    const keys = new Set(group.flatMap(({ content }) => content?.keys.map(({ key }) => key) ?? []));
    const from = next;
    while (next < all.length && keysOfCommand(all[next] ?? NO_COMMAND).every((key) => keys.has(key))) next++;
    told.push(...(await deal(source, group, legible && !streams ? all.slice(from, next) : undefined, budget)));
  }
  return told;
}

const NO_COMMAND: LoggedCommand = { namespace: '', args: [] };

/** Undefined `commands`: not known for this group alone. */
async function deal(
  source: CommandSource,
  group: readonly Read[],
  commands: readonly LoggedCommand[] | undefined,
  budget: { left: number },
): Promise<readonly ToldEntry[]> {
  const [only] = group;
  if (commands !== undefined && group.length === 1 && only !== undefined) return [{ ...only, commands }];
  const plain = group.every(({ content }) => content?.notes === 1 && content.keys.length === 1);
  if (commands !== undefined && plain && commands.length === group.length)
    return group.map((one, i) => ({ ...one, commands: commands.slice(i, i + 1) }));
  const told: ToldEntry[] = [];
  for (const one of group) {
    if (budget.left <= 0) break;
    budget.left--;
    told.push({ ...one, commands: await commandsOf(source, [one.entry]) });
  }
  if (told.length === group.length) return told;
  return group.map((one, i) => ({ ...one, commands: i === group.length - 1 ? (commands ?? []) : null }));
}

/** Runs of entries in which each has a key in common with the one before. */
function groups(read: readonly Read[]): readonly (readonly Read[])[] {
  const found: Read[][] = [];
  let before: ReadonlySet<string> = new Set();
  for (const one of read) {
    const keys = new Set(one.content?.keys.map(keyName));
    const last = found.at(-1);
    if (last !== undefined && [...keys].some((key) => before.has(key))) last.push(one);
    else found.push([one]);
    before = keys;
  }
  return found;
}

async function commandsOf(source: CommandSource, entries: readonly LogEntry[]): Promise<readonly LoggedCommand[]> {
  const first = entries[0];
  const last = entries.at(-1);
  if (first === undefined || last === undefined) return [];
  const got = await source.commands(first.sequence - 1, entries.length);
  if (got?.kind !== 'updates' || got.nextSequence !== last.sequence + last.count - 1) return [];
  return got.entries;
}

/** `default` as the server tells it, empty for streams: whose namespace only the bytes tell. */
export function namespaceOf(command: LoggedCommand, content: BatchContent | undefined): string {
  const own = content?.keys[0]?.namespace;
  if (command.namespace !== '' && command.namespace !== 'default') return command.namespace;
  return own === undefined || own === DEFAULT_NAMESPACE ? 'default' : own;
}
