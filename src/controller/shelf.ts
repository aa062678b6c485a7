/**
 * Where files with the writes that a node alone held are kept: a folder at the server's edge, memory in the simulation.
 * A file is whole or not there.
 */
export interface Shelf {
  /**
   * Begins a file of this cluster; it has no name before it is finished. Whatever fails rejects with `ShelfError`, and
   * leaves nothing behind.
   */
  begin(namespace: string, cluster: string): Promise<ShelfFile>;
  /** Finished files, sorted by name. Rejects with `ShelfError`. */
  list(namespace: string, cluster: string): Promise<readonly Shelved[]>;
  /** Its lines in order, without their ends, a few at a time; undefined: there is none of this name. */
  read(namespace: string, cluster: string, name: string): Promise<AsyncIterable<string> | undefined>;
}

export interface Shelved {
  readonly name: string;
  readonly bytes: number;
  /** Lines without their ends. */
  readonly firstLine: string;
  readonly lastLine: string;
}

export interface ShelfFile {
  /** Lines with their ends. */
  write(text: string): Promise<void>;
  /** From here on it is there under its name, also after a loss of power; one that was there is replaced. */
  finish(name: string): Promise<void>;
  /** It is as if it had never been begun. Harmless when repeated, and after `finish`. */
  abandon(): Promise<void>;
}

/** `message` is for people and says what failed: `ENOSPC: no space left on device`. */
export class ShelfError extends Error {}

/** A file's name, as `/salvages/{id}` takes it: nothing that leads out of its folder. */
export const isShelfName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/.test(name);

/** For controllers that are given none: nothing can be saved. */
export const NO_SHELF: Shelf = {
  begin: () => Promise.reject(new ShelfError('this controller was given no place for files')),
  list: () => Promise.resolve([]),
  read: () => Promise.resolve(undefined),
};
