/**
 * One term of leadership and all that was read and is kept under its token: the names, a supervisor for each cluster,
 * the claims on nodes. It ends as a whole; the next one reads everything anew.
 */
import type { Intended } from '../operations/intended.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Duration, RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Entry, Leadership, Revision, Store, Write } from '../store/port.ts';
import { clusterKey, nodesOf } from '../topology/cluster.ts';
import { Adoption } from './adoption.ts';
import type { Command } from './callers.ts';
import * as changes from './changes.ts';
import { Claims, type Owner } from './claims.ts';
import type { Revisions } from './commits.ts';
import type { ClusterName, WriteOptions } from './control-plane.ts';
import type { CopyMeans } from './copy-jobs.ts';
import { takeOver } from './foreign-topology.ts';
import { ForeignWrites } from './foreign-writes.ts';
import { History } from './history.ts';
import type { Log } from './log.ts';
import type { Peers } from './peers.ts';
import { Pulse, SILENT_FOR } from './pulse.ts';
import { decode, METADATA_PREFIX, parseKey, STATE_PREFIX, stateKey } from './records.ts';
import { notFound, Refusal } from './refusal.ts';
import { Silences } from './silences.ts';
import { Supervisor, type SupervisorContext } from './supervisor.ts';

export interface ReignContext {
  readonly runtime: Runtime;
  readonly store: Store;
  readonly log: Log;
  /** What holds for clusters that have not set it otherwise. */
  readonly policy: ClusterSettings;
  readonly random: RandomSource;
  readonly peers: Peers | undefined;
  readonly copying?: CopyMeans | undefined;
  /** What is in memory cannot be relied on any more: the reign ends, and the store is read anew. */
  doubted(reign: Reign, why: string): void;
  /** This process leads and does not do its work: leadership is given up. */
  unfit(reign: Reign, why: string): void;
  /** Every node of an ending cluster is reset: it may go. */
  emptied(reign: Reign, owner: Owner): void;
}

interface Loaded {
  readonly intended: Intended;
  readonly revisions: Revisions;
  readonly overtaken: boolean;
}

/** A node is told something only while the lease has this much to spare, in ms. */
const LEASE_TO_SPARE = 1_000;

/** At the start the first probes of all nodes are spread, so that few clusters are seen at once and many in seconds. */
const SPREAD_AT_MOST = 5_000;
const NODES_A_MILLISECOND = 4;

export class Reign {
  readonly leadership: Leadership;
  readonly namespaces = new Map<string, Revision>();
  readonly clusters = new Map<Owner, Supervisor>();
  /** Stored clusters that cannot be read: listed, deletable, and left alone. */
  readonly setAside = new Map<Owner, { readonly why: string; readonly revisions: Revisions }>();
  readonly claims: Claims;
  readonly adoption: Adoption;
  /** Names that are being created. */
  readonly creating = new Set<Owner>();
  /** Removals under way: a second one of the same cluster is the first. */
  readonly removing = new Map<Owner, Promise<void>>();
  readonly #context: ReignContext;
  readonly #foreign: ForeignWrites;
  readonly #pulse = new Pulse();
  readonly #silences = new Silences();
  #ended = false;

  constructor(context: ReignContext, leadership: Leadership) {
    this.#context = context;
    this.leadership = leadership;
    this.claims = new Claims(context.runtime.network);
    this.adoption = new Adoption(context.runtime, this.claims);
    this.#foreign = new ForeignWrites(context, this);
  }

  /** Reads all that is stored and begins to supervise it. Rejects when the store cannot be read. */
  async load(): Promise<void> {
    const { store } = this.#context;
    const [metadata, states] = await Promise.all([store.list(METADATA_PREFIX), store.list(STATE_PREFIX)]);
    const loaded: Loaded[] = [];
    const stateOf = new Map(states.entries.map((entry) => [entry.key, entry]));
    for (const entry of metadata.entries) {
      const key = parseKey(entry.key);
      if (key === undefined) continue;
      if (key.cluster === undefined) {
        this.namespaces.set(key.namespace, entry.revision);
        continue;
      }
      const owner = clusterKey(key.namespace, key.cluster);
      const read = this.#read(owner, entry, stateOf.get(stateKey(key.namespace, key.cluster)));
      if (read === undefined) continue;
      await this.claims.settle(owner, read.intended.cluster);
      loaded.push(read);
    }
    const nodes = loaded.reduce((sum, { intended }) => sum + nodesOf(intended.cluster).length, 0);
    const spread = Math.min(SPREAD_AT_MOST, nodes / NODES_A_MILLISECOND);
    for (const one of loaded) this.#takeOn(one, spread);
    this.#foreign.start(metadata.revision);
    const { clock, timers } = this.#context.runtime;
    const watches = () => [...this.clusters.values()].some(({ intended }) => nodesOf(intended.cluster).length > 0);
    this.#pulse.watch(
      () => clock.now(),
      timers,
      watches,
      () => this.#context.unfit(this, `no node was asked for ${SILENT_FOR} ms`),
    );
  }

  /** Undefined: it cannot be read, and is set aside. */
  #read(owner: Owner, topology: Entry, state: Entry | undefined): Loaded | undefined {
    const { log, random } = this.#context;
    const revisions = { topology: topology.revision, state: state?.revision ?? 0 };
    const [namespace = ''] = owner.split('/');
    const decoded = decode(namespace, topology.value, state?.value, random);
    if (decoded.ok) return { ...decoded, revisions };
    log.error({ cluster: owner, why: decoded.why }, 'a stored cluster cannot be read and is set aside');
    this.setAside.set(owner, { why: decoded.why, revisions });
    return undefined;
  }

  /** A cluster that somebody else has created, mended or deleted, and that nobody supervises here. */
  async takeUp(owner: Owner, topology: Entry | undefined, state: Entry | undefined): Promise<void> {
    const aside = this.setAside.get(owner);
    if (topology === undefined) {
      this.setAside.delete(owner);
      return;
    }
    if (aside?.revisions.topology === topology.revision && aside.revisions.state === (state?.revision ?? 0)) return;
    this.setAside.delete(owner);
    const read = this.#read(owner, topology, state);
    if (read === undefined) return;
    for (const node of nodesOf(read.intended.cluster)) {
      const other = this.claims.owner([node.id, ...(await this.claims.spellings(node.address))]);
      if (other === undefined || other === owner) continue;
      const why = `${node.id} is a node of cluster ${other} already`;
      this.setAside.set(owner, { why, revisions: read.revisions });
      return;
    }
    await this.claims.settle(owner, read.intended.cluster);
    if (this.#ended || this.clusters.has(owner)) return;
    this.#context.log.info({ cluster: owner }, 'a cluster that somebody else has stored is taken up');
    this.#takeOn(read, 0);
  }

  #takeOn({ intended, revisions, overtaken }: Loaded, spread: Duration): void {
    const supervisor = this.supervise(intended, revisions, spread);
    // A failure leaves it for the next start; until then the two records are of different versions.
    if (overtaken) supervisor.submit((world) => takeOver(world.intended)).catch(() => {});
  }

  /** Memory and store may differ in a way that only reading everything anew mends. */
  doubt(why: string): void {
    this.#context.doubted(this, why);
  }

  /** Pushes that are under way end with their connections. */
  end(): void {
    this.#ended = true;
    this.#foreign.close();
    this.#pulse.close();
    for (const supervisor of this.clusters.values()) supervisor.close();
  }

  /** The first probes of its nodes are spread over `spread` ms. */
  supervise(intended: Intended, revisions: Revisions, spread: Duration): Supervisor {
    const { runtime, store, log, policy, random, copying, peers } = this.#context;
    const { namespace, name } = intended.cluster;
    const owner = clusterKey(namespace, name);
    const history = new History(store, runtime.clock, namespace, name, intended.nextEvent);
    const context: SupervisorContext = {
      runtime,
      store,
      fence: this.leadership.fence,
      peers,
      mayAct: () => this.leadership.heldUntil() - runtime.clock.now() > LEASE_TO_SPARE,
      policy,
      copying,
      random,
      log,
      spread,
      silences: this.#silences,
      asked: () => this.#pulse.beat(),
      deposed: (why) => {
        log.error({ cluster: owner, why }, 'a cluster was changed behind this controller');
        this.doubt(why);
      },
      overtaken: () => this.#foreign.look(owner),
      membersChanged: () => void this.claims.settle(owner, this.clusters.get(owner)?.intended.cluster),
      ended: () => this.#context.emptied(this, owner),
    };
    const supervisor = new Supervisor(context, intended, revisions, history);
    this.clusters.set(owner, supervisor);
    const until = intended.pause?.until;
    if (until != null) this.resumeAt({ namespace, cluster: name }, until);
    return supervisor;
  }

  /** Throws where there is none, or none that can be read. */
  supervisor({ namespace, cluster }: ClusterName): Supervisor {
    const owner = clusterKey(namespace, cluster);
    const supervisor = this.clusters.get(owner);
    if (supervisor !== undefined) return supervisor;
    const aside = this.setAside.get(owner);
    if (aside !== undefined)
      throw new Refusal('unavailable', `cluster ${cluster} is set aside: ${aside.why}; delete it or mend its record`);
    throw notFound(`cluster ${cluster} in namespace ${namespace}`);
  }

  /** At which revision it is. Throws where there is none. */
  namespace(namespace: string): Revision {
    const revision = this.namespaces.get(namespace);
    if (revision === undefined) throw notFound(`namespace ${namespace}`);
    return revision;
  }

  /** Writes names and new clusters; those that are there are written by their supervisors. */
  async write(writes: readonly Write[], conflict: () => Error): Promise<Revision> {
    const outcome = await this.#context.store.commit(writes, this.leadership.fence);
    switch (outcome.kind) {
      case 'committed':
        return outcome.revision;
      case 'conflict':
        throw conflict();
      case 'fenced':
        throw new Refusal('not_leader', 'this controller does not lead any more; try again');
      case 'failed':
        throw new Refusal('unavailable', `the metadata store did not take the change: ${outcome.why}`);
      case 'unknown':
        // What the store holds is found out before anything else is done with it.
        this.doubt(outcome.why);
        throw new Refusal('outcome_unknown', 'it is not known whether the change was made; look before you try again');
    }
  }

  /** One change of one cluster; then its claims are those of its new nodes. */
  async change(name: ClusterName, options: WriteOptions, command: Command): Promise<Supervisor> {
    const supervisor = this.supervisor(name);
    await supervisor.submit((world) => {
      changes.checkVersion(world.intended, options.ifVersion);
      return command(world);
    });
    await this.claims.settle(clusterKey(name.namespace, name.cluster), supervisor.intended.cluster);
    return supervisor;
  }

  /** A pause with an end resumes by itself; a successor looks at the end again when it loads the cluster. */
  resumeAt(name: ClusterName, until: number): void {
    const { clock, timers } = this.#context.runtime;
    const delay: Duration = Math.min(Math.max(0, until - clock.wall()), 2_000_000_000);
    timers.after(delay, () => {
      const supervisor = this.clusters.get(clusterKey(name.namespace, name.cluster));
      const pause = supervisor?.intended.pause;
      if (this.#ended || supervisor === undefined || pause?.until !== until) return;
      if (until > clock.wall()) return this.resumeAt(name, until);
      void supervisor.submit((world) => changes.resume(world, 'controller')).catch(() => this.resumeAt(name, until));
    });
  }
}
