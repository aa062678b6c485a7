/**
 * Gives its opinion on a master that another controller misses, by looking at the node itself. It needs no leadership;
 * the store only tells it the cluster's password, and where that takes too long it looks without one: an answer that
 * asks for a password comes from a living process, too.
 */
import type { Duration, Instant, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Store } from '../store/port.ts';
import { clusterKey } from '../topology/cluster.ts';
import type { Owner } from './claims.ts';
import { lookAt, type Opinion, type PeerQuestion } from './peers.ts';
import { decode, stateKey, topologyKey } from './records.ts';

/** The same master is asked for ten times a second while it is missed. */
const REMEMBER: Duration = 10_000;
const READ_FOR: Duration = 200;

export class Lookout {
  readonly #runtime: Runtime;
  readonly #store: Store;
  readonly #passwords = new Map<Owner, { readonly read: Promise<Secret | undefined>; readonly at: Instant }>();

  constructor(runtime: Runtime, store: Store) {
    this.#runtime = runtime;
    this.#store = store;
  }

  /** Never rejects; within 700 ms. */
  async opinion(question: PeerQuestion): Promise<Opinion> {
    return lookAt(this.#runtime, question.master, await this.#password(question));
  }

  #password({ namespace, cluster }: PeerQuestion): Promise<Secret | undefined> {
    const now = this.#runtime.clock.now();
    for (const [owner, { at }] of this.#passwords) if (now - at > REMEMBER) this.#passwords.delete(owner);
    const owner = clusterKey(namespace, cluster);
    const known = this.#passwords.get(owner);
    const read = known?.read ?? this.#read(namespace, cluster);
    if (known === undefined) this.#passwords.set(owner, { read, at: now });
    return new Promise((resolve) => {
      const cancel = this.#runtime.timers.after(READ_FOR, () => resolve(undefined));
      void read.then((password) => {
        cancel();
        resolve(password);
      });
    });
  }

  async #read(namespace: string, cluster: string): Promise<Secret | undefined> {
    try {
      const [topology, state] = await this.#store.read([topologyKey(namespace, cluster), stateKey(namespace, cluster)]);
      if (topology === undefined) return undefined;
      const decoded = decode(namespace, topology.value, state?.value, this.#runtime.random.child('lookout'));
      return decoded.ok ? decoded.intended.cluster.password : undefined;
    } catch {
      return undefined;
    }
  }
}
