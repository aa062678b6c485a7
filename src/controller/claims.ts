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
      const owner = this.#owners.get(key);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  claim(keys: readonly string[], owner: Owner): void {
    const own = this.#keys.get(owner) ?? new Set<string>();
    this.#keys.set(owner, own);
    for (const key of keys) {
      this.#owners.set(key, owner);
      own.add(key);
    }
  }

  release(keys: readonly string[], owner: Owner): void {
    const own = this.#keys.get(owner);
    for (const key of keys) if (own?.delete(key)) this.#owners.delete(key);
    if (own?.size === 0) this.#keys.delete(owner);
  }

  /** Exactly the nodes of `cluster` are claimed for it from now on. */
  async settle(owner: Owner, cluster: Cluster | undefined): Promise<void> {
    const wanted = new Set<string>();
    const nodes = cluster === undefined ? [] : [...nodesOf(cluster), ...cluster.leaving];
    for (const node of nodes) {
      wanted.add(node.id);
      for (const key of await this.spellings(node.address)) wanted.add(key);
    }
    this.release(
      [...(this.#keys.get(owner) ?? [])].filter((key) => !wanted.has(key)),
      owner,
    );
    this.claim([...wanted], owner);
  }
}
