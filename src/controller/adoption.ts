/**
 * Nodes on their way into a cluster: reserved, so that no two requests take the same one under whatever spelling, then
 * asked, then known by id.
 */
import type { Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import type { Claims, Owner } from './claims.ts';
import { type Checked, checkNode, type Failure, failureMessage, failureOf, type NodeFacts } from './node-check.ts';
import { alreadyExists, invalid, Refusal } from './refusal.ts';

export const failedChecks = (failures: readonly Failure[]): Refusal =>
  new Refusal('node_check_failed', failureMessage(failures), failures);

function takenBy(addresses: readonly Address[], owner: Owner): string {
  const words = addresses.map(formatAddress).join(', ');
  return `${addresses.length > 1 ? `one of ${words}` : words} is a node of cluster ${owner} already`;
}

export class Adoption {
  readonly #runtime: Runtime;
  readonly #claims: Claims;

  constructor(runtime: Runtime, claims: Claims) {
    this.#runtime = runtime;
    this.#claims = claims;
  }

  /** Checks all nodes at once. Throws one refusal that names every node that failed. */
  async check(addresses: readonly Address[], password: Secret): Promise<readonly NodeFacts[]> {
    const checked = await Promise.all(addresses.map((address) => checkNode(this.#runtime, address, password)));
    const failed = checked.filter((one): one is Checked & { ok: false } => !one.ok);
    if (failed.length > 0) throw failedChecks(failed.map(failureOf));
    return checked.flatMap((one) => (one.ok ? [one.facts] : []));
  }

  /** Reserves nodes for `owner` while they are checked, until the result is called: once they are claims, or refused. */
  async reserve(owner: Owner, addresses: readonly Address[]): Promise<() => void> {
    const keys: string[] = [];
    for (const address of addresses) {
      const spellings = await this.#claims.spellings(address);
      if (spellings.some((key) => keys.includes(key))) throw invalid(`nodes: ${formatAddress(address)} is named twice`);
      keys.push(...spellings);
    }
    const taken = this.#claims.owner(keys);
    if (taken === owner) {
      const among = addresses.map(formatAddress).join(', ');
      throw alreadyExists(`a node of this cluster, or one that is just leaving it, among ${among}`);
    }
    if (taken !== undefined) throw new Refusal('already_exists', takenBy(addresses, taken));
    return this.#claims.reserve(keys, owner);
  }

  /** Reserves the address `to` for a node of `owner` that is at `from` so far: both may be spellings of one. */
  async reserveInstead(owner: Owner, from: Address, to: Address): Promise<() => void> {
    const own = await this.#claims.spellings(from);
    const keys = (await this.#claims.spellings(to)).filter((key) => !own.includes(key));
    const taken = this.#claims.owner(keys);
    if (taken !== undefined) throw new Refusal('already_exists', takenBy([to], taken));
    return this.#claims.reserve(keys, owner);
  }

  /** Nodes are claimed by id, too: one that was moved to another address is still the other cluster's. */
  checkIds(owner: Owner, facts: readonly NodeFacts[]): void {
    for (const one of facts) {
      const taken = one.id === '' ? undefined : this.#claims.owner([one.id]);
      if (taken === owner) throw alreadyExists(`node ${one.id} at ${formatAddress(one.address)}`);
      if (taken !== undefined)
        throw new Refusal(
          'already_exists',
          `${formatAddress(one.address)} is node ${one.id} of cluster ${taken} already`,
        );
    }
  }
}
