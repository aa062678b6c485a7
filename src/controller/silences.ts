/**
 * Which nodes of all clusters do not answer, and since when: what the brake is judged by. Told only when a node falls
 * silent or is seen again, so that an answered probe costs nothing.
 */
import { type Silence, tooMuchAtOnce } from '../decisions/brake.ts';
import type { Instant } from '../runtime/runtime.ts';

export class Silences {
  readonly #nodes = new Map<string, string>();
  readonly #silent = new Map<string, Silence>();
  #brake: boolean | undefined;

  /** Watched from now on. `node` and `shard` are unique over all clusters. */
  watched(node: string, shard: string): void {
    this.#nodes.set(node, shard);
    this.#brake = undefined;
  }

  unwatched(node: string): void {
    this.#nodes.delete(node);
    this.#silent.delete(node);
    this.#brake = undefined;
  }

  /** Told once for each silence; told again it changes nothing. */
  fell(node: string, at: Instant): void {
    const shard = this.#nodes.get(node);
    if (shard === undefined || this.#silent.has(node)) return;
    this.#silent.set(node, { shard, at });
    this.#brake = undefined;
  }

  seen(node: string): void {
    if (this.#silent.delete(node)) this.#brake = undefined;
  }

  /** So much fell silent at once that this process takes itself for the one that is cut off. */
  get brake(): boolean {
    this.#brake ??= tooMuchAtOnce(this.#nodes.size, this.#silent);
    return this.#brake;
  }
}
