/**
 * The folder with what nodes alone held: `<folder>/<namespace>/<cluster>/<name>`. A file is written beside its place,
 * brought to the disk, and renamed into it; what a crash leaves behind is not listed.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isShelfName, type Shelf, ShelfError, type ShelfFile, type Shelved } from '../controller/shelf.ts';

/** Unfinished files end like this. */
const UNFINISHED = '.part';
/** The longest line that is looked for at either end of a file. */
const LONGEST_LINE = 1024 * 1024;

/** A name as one part of a path: older stores may hold any. */
const part = (name: string): string => encodeURIComponent(name).replace(/^\./, '%2E');

function shelfError(error: unknown): ShelfError {
  return new ShelfError(error instanceof Error ? error.message : String(error));
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** A folder's own entries are brought to the disk, too: without it a loss of power may take the new name back. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** `folder` need not exist yet. */
export function salvageFolder(folder: string): Shelf {
  const placeOf = (namespace: string, cluster: string) => join(folder, part(namespace), part(cluster));
  return {
    begin: async (namespace, cluster) => {
      const place = placeOf(namespace, cluster);
      try {
        await mkdir(place, { recursive: true, mode: 0o700 });
        const path = join(place, `${randomUUID()}${UNFINISHED}`);
        return new OpenFile(place, path, await open(path, 'wx', 0o600));
      } catch (error) {
        throw shelfError(error);
      }
    },
    list: async (namespace, cluster) => {
      const place = placeOf(namespace, cluster);
      try {
        const names = (await readdir(place)).filter((name) => isShelfName(name) && !name.endsWith(UNFINISHED));
        return await Promise.all(names.sort().map((name) => shelved(place, name)));
      } catch (error) {
        if (isMissing(error)) return [];
        throw shelfError(error);
      }
    },
    read: async (namespace, cluster, name) => {
      if (!isShelfName(name) || name.endsWith(UNFINISHED)) return undefined;
      const path = join(placeOf(namespace, cluster), name);
      try {
        await stat(path);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw shelfError(error);
      }
      return linesOf(path);
    },
  };
}

/** Read from when the first line is asked for: what is told before somebody listens is lost, the end too. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path, 'utf8');
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    input.destroy();
  }
}

class OpenFile implements ShelfFile {
  readonly #folder: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  #over = false;

  constructor(folder: string, path: string, handle: FileHandle) {
    this.#folder = folder;
    this.#path = path;
    this.#handle = handle;
  }

  async write(text: string): Promise<void> {
    try {
      await this.#handle.writeFile(text);
    } catch (error) {
      throw shelfError(error);
    }
  }

  async finish(name: string): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#path, join(this.#folder, name));
      this.#over = true;
      await syncFolder(this.#folder);
    } catch (error) {
      throw shelfError(error);
    }
  }

  async abandon(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    await this.#handle.close().catch(() => {});
    await unlink(this.#path).catch(() => {});
  }
}

async function shelved(folder: string, name: string): Promise<Shelved> {
  const handle = await open(join(folder, name), 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, LONGEST_LINE);
    const head = Buffer.alloc(length);
    await handle.read(head, 0, length, 0);
    const tail = Buffer.alloc(length);
    await handle.read(tail, 0, length, size - length);
    const firstLine = head.toString('utf8').split('\n', 1)[0] ?? '';
    const lastLine = tail.toString('utf8').trimEnd().split('\n').at(-1) ?? '';
    return { name, bytes: size, firstLine, lastLine };
  } finally {
    await handle.close();
  }
}
