/** Saves what a node alone holds: the entries of its log that its master's log does not have at the same place. */
import { createHash } from 'node:crypto';
import type { Save, Saved } from '../decisions/jobs.ts';
import type { LogEntry } from '../kvrocks/commands/poll-updates.ts';
import { isKeyless, readBatch } from '../kvrocks/write-batch.ts';
import type { Sequence } from '../topology/ids.ts';
import type { EntrySource } from './log-compare.ts';
import { JobFailed } from './log-reader.ts';
import { type CommandSource, tell } from './salvage-entries.ts';
import { entryLines, headLine, type SalvageHead, type SalvageTail, tailLine } from './salvage-format.ts';
import { type Shelf, ShelfError, type ShelfFile } from './shelf.ts';

/** Entries that may be asked for as commands one by one, for one file. */
const SINGLES = 500;

/** How an entry looks: enough to know it again. */
const sealOf = (entry: LogEntry): string => createHash('sha1').update(entry.bytes, 'latin1').digest('hex').slice(0, 16);

interface Sources {
  readonly node: EntrySource & CommandSource;
  readonly master: EntrySource;
  readonly shelf: Shelf;
  readonly progress: (done: number, of: number) => void;
}

/** Rejects with `JobFailed` where a server does not answer. */
export async function saveAlone(sources: Sources, job: Save, head: SalvageHead): Promise<Saved> {
  const { node, shelf } = sources;
  const start = await startOf(node, job);
  if ('kind' in start) return start;
  const file = new SalvageFile(shelf, head);
  try {
    return await saveFrom(sources, job, start, file);
  } catch (error) {
    await file.abandon();
    if (error instanceof ShelfError) return { kind: 'refused', why: error.message, mayPass: true };
    throw error;
  }
}

interface Start {
  readonly after: Sequence;
  /** False: its log begins later than what it alone may hold. */
  readonly all: boolean;
}

/** Behind what is saved already, if the log still says so; otherwise where it parted. */
async function startOf(node: EntrySource, job: Save): Promise<Start | Saved> {
  if (job.after !== null && (await stillThere(node, job.after, job.seal))) return { after: job.after, all: true };
  const wanted = job.from ?? 1;
  const got = await node.entries(wanted - 1, 1, true);
  switch (got.kind) {
    case 'unsupported':
      return { kind: 'refused', why: 'its server does not tell its log' };
    case 'beyond-the-end':
      return endsBefore(node);
    case 'purged':
    case 'inside-an-entry':
    case 'updates': {
      const first = got.kind === 'updates' ? got.entries[0] : undefined;
      // It ends exactly there.
      if (got.kind === 'updates' && first === undefined) return { after: wanted - 1, all: job.from !== null };
      if (first === undefined) return { kind: 'refused', why: 'its log does not reach back to where it parted' };
      const all = job.from !== null && first.sequence <= wanted;
      if (!all && !job.partly)
        return {
          kind: 'refused',
          why: `its log begins only at sequence ${first.sequence}, and it parted at ${wanted}`,
        };
      return { after: first.sequence - 1, all };
    }
  }
}

/** Before the place where it parted: there is nothing that it alone holds. */
async function endsBefore(node: EntrySource): Promise<Saved> {
  const got = await node.entries(0, 1, true);
  if (got.kind !== 'updates') throw new JobFailed('its log changed while it was read');
  const nothing = { file: null, first: 0, records: 0, commands: 0, all: true } as const;
  return { kind: 'saved', to: got.latestSequence, seal: '', ...nothing };
}

async function stillThere(node: EntrySource, last: Sequence, seal: string): Promise<boolean> {
  if (seal === '') return true;
  const got = await node.entries(last - 1, 1, true);
  const [entry] = got.kind === 'updates' ? got.entries : [];
  return entry !== undefined && entry.sequence + entry.count - 1 === last && sealOf(entry) === seal;
}

async function saveFrom(
  { node, master, progress }: Sources,
  job: Save,
  start: Start,
  file: SalvageFile,
): Promise<Saved> {
  const budget = { left: SINGLES };
  let { after } = start;
  let seal = start.after === job.after ? job.seal : '';
  for (;;) {
    const mine = await node.entries(after);
    // What was there a moment ago is not there any more.
    if (mine.kind !== 'updates') throw new JobFailed('its log changed while it was read');
    // A fenced node may be published to without end.
    const entries = mine.entries.filter(
      ({ sequence, count }) => sequence + count - 1 <= (job.upTo ?? sequence + count),
    );
    const last = entries.at(-1);
    if (last === undefined) break;
    progress(after - start.after, mine.latestSequence - start.after);
    const end = last.sequence + last.count - 1;
    const shared = await looksOf(master, after, end);
    for (const run of runs(entries, (entry) => isAlone(entry, shared)))
      for (const told of await tell(node, run, budget))
        await file.add(told.entry, entryLines(told), told.commands?.length ?? 0);
    after = end;
    seal = sealOf(last);
  }
  const done = await file.finish(start.all);
  return { kind: 'saved', to: after, seal, all: start.all, ...done };
}

const isAlone = (entry: LogEntry, shared: ReadonlyMap<Sequence, string>): boolean => {
  if (shared.get(entry.sequence) === entry.bytes) return false;
  const content = readBatch(entry.bytes);
  return content === undefined || !isKeyless(content);
};

/** Entries of the master's log in a range, by their beginnings; none where its log does not reach. */
async function looksOf(master: EntrySource, after: Sequence, end: Sequence): Promise<ReadonlyMap<Sequence, string>> {
  const looks = new Map<Sequence, string>();
  let at = after;
  while (at < end) {
    const got = await master.entries(at, undefined, true);
    const last = got.kind === 'updates' ? got.entries.at(-1) : undefined;
    if (got.kind !== 'updates' || last === undefined) break;
    for (const entry of got.entries) looks.set(entry.sequence, entry.bytes);
    at = last.sequence + last.count - 1;
  }
  return looks;
}

/** Entries that follow each other without a gap and are all wanted. */
function runs(entries: readonly LogEntry[], wanted: (entry: LogEntry) => boolean): readonly (readonly LogEntry[])[] {
  const found: LogEntry[][] = [];
  let open: LogEntry[] | undefined;
  for (const entry of entries) {
    if (!wanted(entry)) open = undefined;
    else if (open === undefined) {
      open = [entry];
      found.push(open);
    } else open.push(entry);
  }
  return found;
}

/** Begun with the first thing that goes into it. */
class SalvageFile {
  readonly #shelf: Shelf;
  readonly #head: SalvageHead;
  #file: ShelfFile | undefined;
  #first = 0;
  #last = 0;
  #records = 0;
  #commands = 0;

  constructor(shelf: Shelf, head: SalvageHead) {
    this.#shelf = shelf;
    this.#head = head;
  }

  async add(entry: LogEntry, lines: string, commands: number): Promise<void> {
    if (this.#file === undefined) {
      this.#file = await this.#shelf.begin(this.#head.namespace, this.#head.cluster);
      this.#first = entry.sequence;
      await this.#file.write(headLine(this.#head));
    }
    await this.#file.write(lines);
    this.#last = entry.sequence + entry.count - 1;
    this.#records += entry.count;
    this.#commands += commands;
  }

  async finish(all: boolean): Promise<{ file: string | null; first: Sequence; records: number; commands: number }> {
    const [first, last, records, commands] = [this.#first, this.#last, this.#records, this.#commands];
    if (this.#file === undefined) return { file: null, first, records, commands };
    const tail: SalvageTail = { end: true, first, last, records, commands, all };
    await this.#file.write(tailLine(tail));
    const name = `${this.#head.node}-${first}-${last}.jsonl`;
    await this.#file.finish(name);
    return { file: name, first, records, commands };
  }

  async abandon(): Promise<void> {
    await this.#file?.abandon();
  }
}
