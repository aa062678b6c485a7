/** What a machine keeps when its process dies, and what of that a loss of power takes away. */
import type { Duration, Instant } from '../runtime/runtime.ts';

/** A copy of a disk, as a backup or a snapshot of the machine has it. */
export interface DiskImage {
  readonly nodes: string | undefined;
  readonly config: string | undefined;
  readonly data: readonly string[];
}

interface Undo {
  readonly at: Instant;
  readonly undo: () => void;
}

/** The system has written everything that is older. */
const UNSYNCED_FOR: Duration = 10_000;
const PRUNED_AT = 10_000;

/** Changes in their order, newest last, for as long as the system may still lose them. */
class Journal {
  #changes: Undo[] = [];

  add(at: Instant, undo: () => void): void {
    this.#changes.push({ at, undo });
    if (this.#changes.length > PRUNED_AT) this.#changes = this.#changes.filter((one) => one.at > at - UNSYNCED_FOR);
  }

  /** Takes back what was changed after `since`. */
  rollBack(since: Instant): void {
    for (let last = this.#changes.at(-1); last !== undefined && last.at > since; last = this.#changes.at(-1)) {
      last.undo();
      this.#changes.pop();
    }
  }

  clear(): void {
    this.#changes = [];
  }
}

export class Disk {
  #nodes: string | undefined;
  #config: string | undefined;
  #data: string[] = [];
  readonly #files = new Journal();
  readonly #log = new Journal();

  /** The text of nodes.conf. */
  get nodes(): string | undefined {
    return this.#nodes;
  }

  get config(): string | undefined {
    return this.#config;
  }

  /** The whole lines of the data file. */
  get lines(): readonly string[] {
    return this.#data.flatMap((text) => text.split('\n').slice(0, -1));
  }

  append(lines: string, now: Instant): void {
    const data = this.#data;
    data.push(lines);
    this.#log.add(now, () => data.pop());
  }

  replaceData(text: string, now: Instant): void {
    const before = this.#data;
    this.#data = text === '' ? [] : [text];
    this.#log.add(now, () => {
      this.#data = before;
    });
  }

  /** `undefined` removes it. */
  saveNodes(text: string | undefined, now: Instant): void {
    const before = this.#nodes;
    this.#nodes = text;
    this.#files.add(now, () => {
      this.#nodes = before;
    });
  }

  saveConfig(text: string): void {
    this.#config = text;
  }

  /** Data written after `data` and a nodes.conf written after `files` never reached the disk. */
  losePower(data: Instant, files: Instant): void {
    this.#log.rollBack(data);
    this.#files.rollBack(files);
    this.#log.clear();
    this.#files.clear();
  }

  wipe(): void {
    this.restore({ nodes: undefined, config: undefined, data: [] });
  }

  image(): DiskImage {
    return { nodes: this.#nodes, config: this.#config, data: [...this.#data] };
  }

  restore(image: DiskImage): void {
    this.#nodes = image.nodes;
    this.#config = image.config;
    this.#data = [...image.data];
    this.#log.clear();
    this.#files.clear();
  }
}
