/**
 * Space kept for the commits that matter: a file of real bytes. When the disk is full it is deleted, and until there is
 * room for it again history is not kept: a full disk costs history first and topology last.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';

/** Attempts passed over after one that failed though the file system had spoken of room, as under a quota. */
const PASSED_OVER = 100;

export class Reserve {
  readonly #path: string;
  readonly #dir: string;
  readonly #bytes: number;
  #whole = false;
  #passOver = 0;

  constructor(dir: string, path: string, bytes: number) {
    this.#dir = dir;
    this.#path = path;
    this.#bytes = bytes;
    this.refill();
  }

  /** Whether the disk was full when last looked at. */
  get spent(): boolean {
    return !this.#whole;
  }

  /** Gives the space back; false when there was none left to give. */
  spend(): boolean {
    const had = this.#whole;
    this.#whole = false;
    fs.rmSync(this.#path, { force: true });
    return had;
  }

  /** Sets the space aside where there is room for it; true once it is. */
  refill(): boolean {
    if (this.#whole) return true;
    if (this.#passOver > 0) {
      this.#passOver--;
      return false;
    }
    try {
      if (fs.statSync(this.#path, { throwIfNoEntry: false })?.size === this.#bytes) {
        this.#whole = true;
        return true;
      }
      const { bavail, bsize } = fs.statfsSync(this.#dir);
      // Not at the edge: it would be spent again at once.
      if (bavail * bsize < 2 * this.#bytes) return false;
      // Random, since some file systems store zeros as nothing.
      fs.writeFileSync(this.#path, randomBytes(this.#bytes), { mode: 0o600, flush: true });
      this.#whole = true;
    } catch {
      this.spend();
      this.#passOver = PASSED_OVER;
    }
    return this.#whole;
  }
}
