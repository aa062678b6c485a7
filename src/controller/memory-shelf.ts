/** A shelf in memory, for tests and the simulation: it outlives controllers, as a folder does. */
import { type Shelf, ShelfError, type ShelfFile, type Shelved } from './shelf.ts';

export class MemoryShelf implements Shelf {
  /** By `namespace/cluster/name`. */
  readonly files = new Map<string, string>();
  /** Every file from now on fails with these words. */
  failsWith: string | undefined;

  begin(namespace: string, cluster: string): Promise<ShelfFile> {
    let text = '';
    const fail = () => Promise.reject(new ShelfError(this.failsWith));
    return Promise.resolve({
      write: (more) => {
        if (this.failsWith !== undefined) return fail();
        text += more;
        return Promise.resolve();
      },
      finish: (name) => {
        if (this.failsWith !== undefined) return fail();
        this.files.set(`${namespace}/${cluster}/${name}`, text);
        return Promise.resolve();
      },
      abandon: () => Promise.resolve(),
    });
  }

  list(namespace: string, cluster: string): Promise<readonly Shelved[]> {
    const prefix = `${namespace}/${cluster}/`;
    const found = [...this.files].filter(([path]) => path.startsWith(prefix)).sort();
    return Promise.resolve(
      found.map(([path, text]) => {
        const all = text.trimEnd().split('\n');
        const ends = { firstLine: all[0] ?? '', lastLine: all.at(-1) ?? '' };
        return { name: path.slice(prefix.length), bytes: text.length, ...ends };
      }),
    );
  }

  read(namespace: string, cluster: string, name: string): Promise<AsyncIterable<string> | undefined> {
    const text = this.files.get(`${namespace}/${cluster}/${name}`);
    return Promise.resolve(text === undefined ? undefined : lines(text));
  }
}

async function* lines(text: string): AsyncIterable<string> {
  for (const line of text.split('\n')) if (line !== '') yield line;
}
