/**
 * Writes of others under our lead, noticed through the store's watch: of a cluster that is led here, of one that is
 * not, of a namespace. Our own writes come by the same way, sometimes before their answer, so what is there is
 * compared with what a supervisor knows once it has no commit under way.
 *
 * Level-triggered: a look reads both records of a cluster anew, so nothing hangs on the order in which changes and
 * answers arrive, and a watch that was lost is made good by looking at everything.
 */
import type { RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Change, Entry, Revision, Store } from '../store/port.ts';
import { clusterKey } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import type { Owner } from './claims.ts';
import { Following } from './following.ts';
import { newNodes } from './foreign-topology.ts';
import type { Log } from './log.ts';
import { METADATA_PREFIX, namespaceKey, parseKey, stateKey, topologyKey } from './records.ts';
import type { Reign } from './reign.ts';
import type { Supervisor } from './supervisor.ts';

export interface ForeignWritesContext {
  readonly runtime: Runtime;
  readonly store: Store;
  readonly log: Log;
  readonly random: RandomSource;
}

/** How long a commit may be under way, or a cluster be created or removed, before a look gives up waiting for it. */
const OWN_WRITES: number = 5_000;
const LOOK_AGAIN = 200;
/** A new node is held for its cluster until it is claimed. */
const HOLD = 10_000;

export class ForeignWrites {
  readonly #context: ForeignWritesContext;
  readonly #reign: Reign;
  readonly #following: Following;
  readonly #looking = new Set<Owner>();
  readonly #again = new Set<Owner>();
  #closed = false;

  constructor(context: ForeignWritesContext, reign: Reign) {
    this.#context = context;
    this.#reign = reign;
    this.#following = new Following(context.store, context.runtime.timers, context.log, METADATA_PREFIX, {
      changed: (change) => this.#changed(change),
      listed: (entries) => this.#listed(entries),
    });
  }

  /** Everything up to `revision` was read. */
  start(revision: Revision): void {
    this.#following.start(revision);
  }

  close(): void {
    this.#closed = true;
    this.#following.close();
  }

  #changed(change: Change): void {
    const key = parseKey(change.kind === 'put' ? change.entry.key : change.key);
    if (key === undefined) return;
    const revision = change.kind === 'put' ? change.entry.revision : change.revision;
    if (key.cluster === undefined) this.#namespace(key.namespace, revision, change.kind === 'put');
    else {
      const owner = clusterKey(key.namespace, key.cluster);
      const known = this.#reign.clusters.get(owner)?.revisions.topology ?? 0;
      if (revision > known) this.look(owner);
    }
  }

  #listed(entries: readonly Entry[]): void {
    const { namespaces, clusters, setAside } = this.#reign;
    const there = new Set(entries.map(({ key }) => key));
    for (const entry of entries) this.#changed({ kind: 'put', entry });
    for (const namespace of namespaces.keys())
      if (!there.has(namespaceKey(namespace))) this.#namespace(namespace, Number.POSITIVE_INFINITY, false);
    for (const owner of [...clusters.keys(), ...setAside.keys()]) {
      const [namespace = '', name = ''] = owner.split('/');
      if (!there.has(topologyKey(namespace, name))) this.look(owner);
    }
  }

  #namespace(namespace: string, revision: Revision, there: boolean): void {
    const { namespaces, clusters } = this.#reign;
    const known = namespaces.get(namespace) ?? 0;
    if (revision <= known) return;
    if (there) {
      namespaces.set(namespace, revision);
      return;
    }
    namespaces.delete(namespace);
    if (![...clusters.keys()].some((owner) => owner.startsWith(`${namespace}/`))) return;
    this.#context.log.warn(
      { namespace },
      'a namespace that holds clusters was deleted by somebody else, and is put back',
    );
    void this.#reign
      .write([{ key: namespaceKey(namespace), expected: 0, value: namespace }], () => new Error('it is there again'))
      .then(
        (put) => namespaces.set(namespace, put),
        (error: unknown) => this.#context.log.warn({ namespace, error: String(error) }, 'a namespace was not put back'),
      );
  }

  /** Compares what is stored of a cluster with what is known of it here. */
  look(owner: Owner): void {
    if (this.#closed) return;
    if (this.#looking.has(owner)) {
      this.#again.add(owner);
      return;
    }
    this.#looking.add(owner);
    this.#look(owner)
      .catch((error: unknown) => {
        this.#context.log.warn({ cluster: owner, error: String(error) }, 'a changed cluster could not be read');
        return false;
      })
      .then((done) => {
        this.#looking.delete(owner);
        if (this.#again.delete(owner)) this.look(owner);
        else if (!done) this.#context.runtime.timers.after(LOOK_AGAIN, () => this.look(owner));
      });
  }

  /** False: what is there cannot be told from our own writes yet. */
  async #look(owner: Owner): Promise<boolean> {
    const { creating, removing, clusters } = this.#reign;
    if (creating.has(owner) || removing.has(owner)) return false;
    const supervisor = clusters.get(owner);
    if (supervisor !== undefined && !(await supervisor.until(() => !supervisor.committing, OWN_WRITES))) return false;
    const known = supervisor?.revisions;
    const [namespace = '', name = ''] = owner.split('/');
    const [topology, state] = await this.#context.store.read([topologyKey(namespace, name), stateKey(namespace, name)]);
    if (this.#closed) return true;
    if (creating.has(owner) || removing.has(owner) || clusters.get(owner) !== supervisor) return false;
    if (supervisor === undefined) {
      await this.#reign.takeUp(owner, topology, state);
      return true;
    }
    if (supervisor.committing || supervisor.revisions !== known) return false;
    if ((state?.revision ?? 0) !== supervisor.revisions.state) {
      this.#reign.doubt(`somebody else wrote the state of ${owner}`);
      return true;
    }
    // Nothing of it was ever stored here: it is theirs to delete.
    if (topology === undefined && supervisor.revisions.state === 0) {
      this.#reign.doubt(`somebody else deleted ${owner}`);
      return true;
    }
    if ((topology?.revision ?? 0) === supervisor.revisions.topology) return true;
    return this.#overtaken(owner, supervisor, topology);
  }

  async #overtaken(owner: Owner, supervisor: Supervisor, topology: Entry | undefined): Promise<boolean> {
    const { claims } = this.#reign;
    const record = topology?.value ?? null;
    const taken = new Map<NodeId, string>();
    for (const { id, address } of newNodes(supervisor.intended.cluster, record)) {
      const keys = [id, ...(await claims.spellings(address))];
      const other = claims.owner(keys);
      if (other !== undefined && other !== owner) taken.set(id, other);
      else this.#context.runtime.timers.after(HOLD, claims.reserve(keys, owner));
    }
    if (this.#closed) return true;
    if (supervisor.committing) return false;
    this.#context.log.warn({ cluster: owner }, 'somebody else wrote a topology that is led here');
    supervisor.overtaken({ record, taken }, topology?.revision ?? 0);
    return true;
  }
}
