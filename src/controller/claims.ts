/**
 * Which cluster each node belongs to: by resolved address, so that `localhost:7000` and `127.0.0.1:7000` are one, and
 * by id. Derived from the stored clusters, plus what is being created now, so a crash leaves no claim behind.
 */
import type { Network } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { Cluster } from '../topology/cluster.ts';
import { nodesOf } from '../topology/cluster.ts';

/** `namespace/cluster`. */
export type Owner = string;

export class Claims {
  readonly #network: Network;
  readonly #owners = new Map<string, Owner>();
  readonly #keys = new Map<Owner, Set<string>>();
  /** Of nodes that are being checked: apart from the claims, which follow what is committed meanwhile. */
  readonly #reserved = new Map<string, Owner>();
  readonly #settling = new Map<Owner, number>();
  #settlements = 0;

  constructor(network: Network) {
    this.#network = network;
  }

  /** Every spelling of an address, as claims know them. A name that does not resolve stands for itself. */
  async spellings(address: Address): Promise<readonly string[]> {
    const found = await this.#network.resolve(address.host);
    return (found.length === 0 ? [address.host] : found).map((host) => `${host}|${address.port}`);
  }

  /** The first owner of any of these keys. */
  owner(keys: readonly string[]): Owner | undefined {
    for (const key of keys) {
      const owner = this.#owners.get(key) ?? this.#reserved.get(key);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  /** Holds keys that nobody owns until they are given back, whatever is settled meanwhile. */
  reserve(keys: readonly string[], owner: Owner): () => void {
    for (const key of keys) this.#reserved.set(key, owner);
    return () => {
      for (const key of keys) this.#reserved.delete(key);
    };
  }

  /** Exactly the nodes of `cluster` are claimed for it from now on. The call that began last holds. */
  async settle(owner: Owner, cluster: Cluster | undefined): Promise<void> {
    const settlement = ++this.#settlements;
    this.#settling.set(owner, settlement);
    const wanted = new Set<string>();
    const nodes = cluster === undefined ? [] : [...nodesOf(cluster), ...cluster.leaving];
    for (const node of nodes) {
      wanted.add(node.id);
      for (const key of await this.spellings(node.address)) wanted.add(key);
    }
    if (this.#settling.get(owner) !== settlement) return;
    this.#settling.delete(owner);
    for (const key of this.#keys.get(owner) ?? []) {
      if (!wanted.has(key) && this.#owners.get(key) === owner) this.#owners.delete(key);
    }
    for (const key of wanted) this.#owners.set(key, owner);
    if (wanted.size === 0) this.#keys.delete(owner);
    else this.#keys.set(owner, wanted);
  }
}
