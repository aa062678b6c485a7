/** The files of what nodes of a cluster alone held: listed, shown, written again on somebody's word. */
import type { Runtime } from '../runtime/runtime.ts';
import type { Cluster } from '../topology/cluster.ts';
import { notFound, Refusal } from './refusal.ts';
import { readHead, readLine, readTail } from './salvage-format.ts';
import { readKeys, type SavedKeys } from './salvage-read.ts';
import { type ReplayedKey, replay } from './salvage-replay.ts';
import { isShelfName, type Shelf, ShelfError, type Shelved } from './shelf.ts';
import { Unreadable } from './stored-values.ts';

export interface SalvageView {
  /** The file's name: how it is asked for. */
  readonly id: string;
  readonly bytes: number;
  readonly shard: string;
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly saved_at: number;
  /** The first sequence that is not its shard's; null: nobody could tell. */
  readonly parted_at: number | null;
  readonly first: number;
  readonly last: number;
  readonly records: number;
  readonly commands: number;
  /** False: some of what the node alone may have held was in no log any more. */
  readonly all: boolean;
}

/** One command as it was written; texts are latin1, a byte a character. */
export interface SavedCommand {
  readonly sequence: number;
  readonly namespace: string;
  readonly args: readonly string[];
}

export interface SalvageContents {
  readonly salvage: SalvageView;
  /** In the order in which they were written. */
  readonly commands: readonly SavedCommand[];
  /** Where to go on; null: there are no more. */
  readonly next: number | null;
}

export interface Replay {
  readonly dry_run: boolean;
  readonly replayed: number;
  readonly skipped: number;
  readonly failed: number;
  readonly keys: readonly ReplayedKey[];
}

function viewOf({ name, bytes, firstLine, lastLine }: Shelved): SalvageView | undefined {
  try {
    const { shard, node, saved_at, parted_at } = readHead(firstLine);
    const { first, last, records, commands, all } = readTail(lastLine);
    return { id: name, bytes, shard, node, saved_at, parted_at, first, last, records, commands, all };
  } catch (error) {
    // Somebody put it there: no file of ours is unfinished under its name.
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** What cannot be read is the server's to mend, and no fault of the caller. */
async function reading<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ShelfError) throw new Refusal('internal', `the salvage folder: ${error.message}`);
    if (error instanceof Unreadable) throw new Refusal('internal', `the salvage file cannot be read: ${error.message}`);
    throw error;
  }
}

export class Salvages {
  readonly #runtime: Runtime;
  readonly #shelf: Shelf;

  constructor(runtime: Runtime, shelf: Shelf) {
    this.#runtime = runtime;
    this.#shelf = shelf;
  }

  /** Newest first. */
  list({ namespace, name }: Cluster): Promise<readonly SalvageView[]> {
    return reading(async () => {
      const files = (await this.#shelf.list(namespace, name)).flatMap((file) => viewOf(file) ?? []);
      return files.sort((a, b) => b.saved_at - a.saved_at || (a.id < b.id ? -1 : 1));
    });
  }

  async #lines({ namespace, name }: Cluster, id: string): Promise<AsyncIterable<string>> {
    const lines = isShelfName(id) ? await this.#shelf.read(namespace, name, id) : undefined;
    if (lines === undefined) throw notFound(`salvage ${id}`);
    return lines;
  }

  /** At most `limit` commands, those numbered from `after` on; the first is 0. */
  show(cluster: Cluster, id: string, after: number, limit: number): Promise<SalvageContents> {
    return reading(async () => {
      const lines = await this.#lines(cluster, id);
      const salvage = (await this.list(cluster)).find((one) => one.id === id);
      if (salvage === undefined) throw new Unreadable('it has no head or no end');
      const commands: SavedCommand[] = [];
      let at = 0;
      let sequence = 0;
      let isHead = true;
      for await (const line of lines) {
        if (isHead) {
          isHead = false;
          continue;
        }
        const read = readLine(line);
        if (read.kind === 'entry') sequence = read.entry.sequence;
        if (read.kind !== 'command') continue;
        if (at >= after + limit) return { salvage, commands, next: at };
        if (at >= after) commands.push({ sequence, ...read.command });
        at++;
      }
      return { salvage, commands, next: null };
    });
  }

  async replay(cluster: Cluster, id: string, dryRun: boolean): Promise<Replay> {
    const saved = await reading(async (): Promise<SavedKeys> => readKeys(await this.#lines(cluster, id)));
    const keys = await replay({ runtime: this.#runtime, password: cluster.password }, cluster, saved, dryRun);
    const count = (...outcomes: readonly ReplayedKey['outcome'][]) =>
      keys.filter(({ outcome }) => outcomes.includes(outcome)).length;
    return {
      dry_run: dryRun,
      replayed: count('replayed', 'would-be'),
      skipped: count('skipped'),
      failed: count('failed'),
      keys,
    };
  }
}
