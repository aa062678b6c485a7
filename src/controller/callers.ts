/**
 * Those who wait for a cluster's supervisor: commands in the order in which they came, and conditions that are looked
 * at again after every input.
 */
import type { Proposal, World } from '../decisions/world.ts';
import type { Intended } from '../operations/intended.ts';
import type { Duration, Instant, Runtime } from '../runtime/runtime.ts';
import { Refusal } from './refusal.ts';

/** What a caller may still do to the cluster, seen from its committed state. Throws a `Refusal`. */
export type Command = (world: World) => Proposal;

export interface Waiting {
  readonly command: Command;
  readonly deadline: Instant;
  resolve(intended: Intended): void;
  reject(why: Error): void;
}

/** Commands wait this long for a switchover or a commit that is under way. */
const COMMAND_WAITS = 5_000;

export class Callers {
  readonly #runtime: Runtime;
  readonly #world: () => World;
  readonly #commands: Waiting[] = [];
  readonly #watchers = new Set<() => void>();
  #closed = false;

  constructor(runtime: Runtime, world: () => World) {
    this.#runtime = runtime;
    this.#world = world;
  }

  /** Resolves once it is durable. Rejects with the command's `Refusal`. */
  submit(command: Command): Promise<Intended> {
    return new Promise((resolve, reject) => {
      this.#commands.push({ command, deadline: this.#runtime.clock.now() + COMMAND_WAITS, resolve, reject });
    });
  }

  /** The one that has waited longest. */
  next(): Waiting | undefined {
    return this.#commands.shift();
  }

  /** Nothing is taken at present: who has waited too long is told `why`. */
  hold(now: Instant, why: string): void {
    while ((this.#commands[0]?.deadline ?? Number.POSITIVE_INFINITY) <= now)
      this.#commands.shift()?.reject(new Refusal('operation_running', why));
  }

  /** Resolves true once `done` says so, false after `within` or once nothing happens here any more. */
  until(done: (world: World) => boolean, within: Duration): Promise<boolean> {
    if (done(this.#world())) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      const finish = () => {
        this.#watchers.delete(look);
        cancel();
      };
      const look = () => {
        try {
          if (!this.#closed && !done(this.#world())) return;
          finish();
          resolve(!this.#closed);
        } catch (error) {
          finish();
          reject(error);
        }
      };
      const cancel = this.#runtime.timers.after(within, () => {
        finish();
        resolve(false);
      });
      this.#watchers.add(look);
    });
  }

  look(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  close(): void {
    this.#closed = true;
    const gone = new Refusal('not_leader', 'this controller does not lead any more; try again');
    for (const waiting of this.#commands.splice(0)) waiting.reject(gone);
    this.look();
  }
}
