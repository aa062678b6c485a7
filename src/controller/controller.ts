/**
 * The control plane of all clusters: leads or follows, keeps a supervisor for each cluster, and owns what spans
 * clusters: the names of namespaces and clusters, and the claims on nodes.
 */

import { brokenPromises } from '../checks/promises.ts';
import { activeMove, type Intended, switchoverOf } from '../operations/intended.ts';
import { type ClusterSettings, DEFAULT_SETTINGS } from '../operations/settings.ts';
import type { Duration, RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { randomText } from '../runtime/seeded-random.ts';
import type { Leadership, Revision, Store, Write } from '../store/port.ts';
import { type Address, formatAddress, sameAddress } from '../topology/address.ts';
import { clusterKey, nodeOf, nodesOf } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { NO_SLOTS, type SlotRange } from '../topology/slots.ts';
import { Adoption, failedChecks } from './adoption.ts';
import {
  type Building,
  buildCluster,
  buildShard,
  type FitnessRules,
  groupFailures,
  importCluster,
} from './building.ts';
import * as changes from './changes.ts';
import { Claims, type Owner } from './claims.ts';
import {
  type ClusterName,
  type ClusterView,
  type ControlPlane,
  type FailoverPlan,
  type NewCluster,
  type NodeChecks,
  type ShardRef,
  WAIT_FOR_NODES,
  type WriteOptions,
} from './control-plane.ts';
import { describe, moveViews } from './describe.ts';
import type { ClusterEvent } from './events.ts';
import { failOver } from './failover-request.ts';
import { History } from './history.ts';
import type { Log } from './log.ts';
import { checkNode, failureOf, type NodeFacts } from './node-check.ts';
import { resetNode } from './node-reset.ts';
import {
  decode,
  encode,
  eventPrefix,
  METADATA_PREFIX,
  namespaceKey,
  parseKey,
  STATE_PREFIX,
  stateKey,
  topologyKey,
} from './records.ts';
import { alreadyExists, invalid, notFound, Refusal } from './refusal.ts';
import type { ClusterStatus } from './status.ts';
import { type Command, type Revisions, Supervisor, type SupervisorContext } from './supervisor.ts';

export interface ControllerOptions {
  readonly runtime: Runtime;
  readonly store: Store;
  /** `host:port` of the HTTP API: how other controllers and people name this one. */
  readonly identity: string;
  readonly log: Log;
  /** What holds for clusters that have not set it otherwise. */
  readonly policy?: ClusterSettings;
}

const END_OPERATIONS = 5_000;

/** At the start the first probes of all nodes are spread, so that few clusters are seen at once and many in seconds. */
const SPREAD_AT_MOST = 5_000;
const NODES_A_MILLISECOND = 4;

interface Reign {
  readonly leadership: Leadership;
  readonly namespaces: Map<string, Revision>;
  readonly clusters: Map<Owner, Supervisor>;
  /** Stored clusters that cannot be read: listed, deletable, and left alone. */
  readonly setAside: Map<Owner, { readonly why: string; readonly revisions: Revisions }>;
  readonly claims: Claims;
  readonly adoption: Adoption;
  /** Names that are being created. */
  readonly creating: Set<Owner>;
  /** Removals under way: a second one of the same cluster is the first. */
  readonly removing: Map<Owner, Promise<void>>;
}

export class Controller implements ControlPlane {
  readonly #runtime: Runtime;
  readonly #store: Store;
  readonly #identity: string;
  readonly #log: Log;
  readonly #policy: ClusterSettings;
  readonly #random: RandomSource;
  readonly #views = new WeakMap<Intended, ClusterView>();
  #reign: Reign | undefined;
  #leader: string | undefined;
  #campaign: { close(): Promise<void> } | undefined;
  #stopped = false;

  constructor(options: ControllerOptions) {
    this.#runtime = options.runtime;
    this.#store = options.store;
    this.#identity = options.identity;
    this.#log = options.log;
    this.#policy = options.policy ?? DEFAULT_SETTINGS;
    this.#random = options.runtime.random.child('controller');
  }

  start(): void {
    this.#campaign = this.#store.campaign(this.#identity, (event) => {
      switch (event.kind) {
        case 'leading':
          this.#leader = this.#identity;
          void this.#ascend(event.leadership);
          return;
        case 'following':
          this.#leader = event.leader;
          this.#descend('another controller leads');
          return;
        case 'lost':
          this.#leader = undefined;
          this.#descend(event.why);
      }
    });
  }

  /** Nothing new is begun; pushes that are under way end with their connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#descend('it was stopped');
    await this.#campaign?.close();
  }

  async #ascend(leadership: Leadership): Promise<void> {
    for (;;) {
      try {
        const claims = new Claims(this.#runtime.network);
        const reign: Reign = {
          leadership,
          namespaces: new Map(),
          clusters: new Map(),
          setAside: new Map(),
          claims,
          adoption: new Adoption(this.#runtime, claims),
          creating: new Set(),
          removing: new Map(),
        };
        await this.#load(reign);
        if (this.#stopped) return;
        this.#reign = reign;
        this.#log.info({ clusters: reign.clusters.size, namespaces: reign.namespaces.size }, 'leading');
        return;
      } catch (error) {
        this.#log.error({ error: String(error) }, 'the metadata store could not be read');
        if (this.#stopped) return;
        await new Promise<void>((resolve) => this.#runtime.timers.after(1_000, resolve));
      }
    }
  }

  #descend(why: string): void {
    const reign = this.#reign;
    this.#reign = undefined;
    if (reign === undefined) return;
    if (this.#stopped) this.#log.info({ why }, 'not leading any more');
    else this.#log.warn({ why }, 'not leading any more');
    for (const supervisor of reign.clusters.values()) supervisor.close();
  }

  async #load(reign: Reign): Promise<void> {
    const [metadata, states] = await Promise.all([this.#store.list(METADATA_PREFIX), this.#store.list(STATE_PREFIX)]);
    const loaded: { intended: Intended; revisions: Revisions }[] = [];
    const stateOf = new Map(states.entries.map((entry) => [entry.key, entry]));
    for (const entry of metadata.entries) {
      const key = parseKey(entry.key);
      if (key === undefined) continue;
      if (key.cluster === undefined) {
        reign.namespaces.set(key.namespace, entry.revision);
        continue;
      }
      const state = stateOf.get(stateKey(key.namespace, key.cluster));
      const revisions = { topology: entry.revision, state: state?.revision ?? 0 };
      const decoded = decode(key.namespace, entry.value, state?.value, this.#random);
      const owner = clusterKey(key.namespace, key.cluster);
      if (!decoded.ok) {
        this.#log.error({ cluster: owner, why: decoded.why }, 'a stored cluster cannot be read and is set aside');
        reign.setAside.set(owner, { why: decoded.why, revisions });
        continue;
      }
      await reign.claims.settle(owner, decoded.intended.cluster);
      loaded.push({ intended: decoded.intended, revisions });
    }
    const nodes = loaded.reduce((sum, { intended }) => sum + nodesOf(intended.cluster).length, 0);
    const spread = Math.min(SPREAD_AT_MOST, nodes / NODES_A_MILLISECOND);
    for (const { intended, revisions } of loaded) this.#supervise(reign, intended, revisions, spread);
  }

  #supervise(reign: Reign, intended: Intended, revisions: Revisions, spread: Duration): Supervisor {
    const { namespace, name } = intended.cluster;
    const owner = clusterKey(namespace, name);
    const history = new History(this.#store, this.#runtime.clock, namespace, name, intended.nextEvent);
    const context: SupervisorContext = {
      runtime: this.#runtime,
      store: this.#store,
      fence: reign.leadership.fence,
      heldUntil: () => reign.leadership.heldUntil(),
      policy: this.#policy,
      log: this.#log,
      spread,
      deposed: (why) => {
        this.#log.error({ cluster: owner, why }, 'a cluster was changed behind this controller');
        if (this.#reign === reign) {
          this.#descend(why);
          // The store decides again who leads; what it holds is read anew.
          void this.#ascend(reign.leadership);
        }
      },
      left: () => void reign.claims.settle(owner, reign.clusters.get(owner)?.intended.cluster),
      ended: () => {
        // A failure leaves it for the next start.
        this.#remove(reign, owner).catch((error: unknown) =>
          this.#log.warn({ cluster: owner, error: String(error) }, 'an emptied cluster was not removed yet'),
        );
      },
    };
    const supervisor = new Supervisor(context, intended, revisions, history);
    reign.clusters.set(owner, supervisor);
    const until = intended.pause?.until;
    if (until != null) this.#resumeAt({ namespace, cluster: name }, until);
    return supervisor;
  }

  ready(): boolean {
    return this.#reign !== undefined;
  }

  leader(): string | undefined {
    return this.#leader;
  }

  #lead(): Reign {
    if (this.#reign === undefined)
      throw new Refusal('not_leader', 'no controller leads at present; try again in a moment');
    return this.#reign;
  }

  #supervisor({ namespace, cluster }: ClusterName): Supervisor {
    const reign = this.#lead();
    const owner = clusterKey(namespace, cluster);
    const supervisor = reign.clusters.get(owner);
    if (supervisor !== undefined) return supervisor;
    const aside = reign.setAside.get(owner);
    if (aside !== undefined)
      throw new Refusal('unavailable', `cluster ${cluster} is set aside: ${aside.why}; delete it or mend its record`);
    throw notFound(`cluster ${cluster} in namespace ${namespace}`);
  }

  namespaces(): readonly string[] {
    return [...this.#lead().namespaces.keys()].sort();
  }

  async createNamespace(namespace: string, _options: WriteOptions): Promise<void> {
    const reign = this.#lead();
    if (reign.namespaces.has(namespace)) throw alreadyExists(`namespace ${namespace}`);
    const revision = await this.#write(reign, [{ key: namespaceKey(namespace), expected: 0, value: namespace }], () =>
      alreadyExists(`namespace ${namespace}`),
    );
    reign.namespaces.set(namespace, revision);
  }

  async deleteNamespace(namespace: string, _options: WriteOptions): Promise<void> {
    const reign = this.#lead();
    const revision = this.#namespace(reign, namespace);
    const clusters = this.clusters(namespace);
    if (clusters.length > 0) {
      throw new Refusal(
        'not_empty',
        `namespace ${namespace} still holds ${clusters.join(', ')}; delete what it holds first`,
      );
    }
    const busy = [...reign.creating].find((owner) => owner.startsWith(`${namespace}/`));
    if (busy !== undefined) throw new Refusal('operation_running', `cluster ${busy} is being created in it`);
    await this.#write(reign, [{ key: namespaceKey(namespace), expected: revision, value: null }], () =>
      notFound(`namespace ${namespace}`),
    );
    reign.namespaces.delete(namespace);
  }

  #namespace(reign: Reign, namespace: string): Revision {
    const revision = reign.namespaces.get(namespace);
    if (revision === undefined) throw notFound(`namespace ${namespace}`);
    return revision;
  }

  async #write(reign: Reign, writes: readonly Write[], conflict: () => Refusal): Promise<Revision> {
    const outcome = await this.#store.commit(writes, reign.leadership.fence);
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
        this.#descend(outcome.why);
        void this.#ascend(reign.leadership);
        throw new Refusal('outcome_unknown', 'it is not known whether the change was made; look before you try again');
    }
  }

  clusters(namespace: string): readonly string[] {
    const reign = this.#lead();
    this.#namespace(reign, namespace);
    const prefix = `${namespace}/`;
    return [...reign.clusters.keys(), ...reign.setAside.keys()]
      .filter((owner) => owner.startsWith(prefix))
      .map((owner) => owner.slice(prefix.length))
      .sort();
  }

  cluster(name: ClusterName): ClusterView {
    const { intended } = this.#supervisor(name);
    const known = this.#views.get(intended);
    if (known !== undefined) return known;
    const view = { cluster: intended.cluster, moves: moveViews(intended.operations) };
    this.#views.set(intended, view);
    return view;
  }

  status(name: ClusterName): ClusterStatus {
    return describe(this.#supervisor(name));
  }

  events(name: ClusterName, after: number, limit: number): Promise<readonly ClusterEvent[]> {
    return this.#supervisor(name).history.read(after, limit);
  }

  watchEvents(name: ClusterName, on: (event: ClusterEvent) => void): { close(): void } {
    return this.#supervisor(name).history.watch(on);
  }

  #building(): Building {
    return { random: this.#random, createdAt: Math.floor(this.#runtime.clock.wall() / 1_000) };
  }

  #rules(checks: NodeChecks, options: WriteOptions, masterMayHoldData: boolean): FitnessRules {
    return { force: options.force === true, skipClusterMode: checks.skipClusterMode === true, masterMayHoldData };
  }

  async createCluster(namespace: string, wanted: NewCluster, checks: NodeChecks, options: WriteOptions): Promise<void> {
    await this.#found(namespace, wanted.name, options, async (reign, owner, holding) => {
      holding.push(await reign.adoption.reserve(owner, wanted.nodes));
      const facts = await reign.adoption.check(wanted.nodes, wanted.password);
      reign.adoption.checkIds(owner, facts);
      const groups = facts.length / wanted.replicas;
      const rules = this.#rules(checks, options, groups === 1);
      const failures = Array.from({ length: groups }, (_, i) =>
        groupFailures(facts.slice(i * wanted.replicas, (i + 1) * wanted.replicas), rules, undefined),
      ).flat();
      if (failures.length > 0) throw failedChecks(failures);
      return buildCluster(namespace, wanted.name, facts, wanted.replicas, wanted.password, this.#building());
    });
  }

  async importCluster(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    _checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    await this.#found(name.namespace, name.cluster, options, async (reign, owner, holding) => {
      const asked = await reign.adoption.check(nodes, password);
      const newest = [...asked].sort((a, b) => b.version - a.version)[0];
      if (newest?.topology == null)
        throw failedChecks([
          { node: nodes.map(formatAddress).join(', '), reasons: ['carries no topology; create the cluster instead'] },
        ]);
      const lines = [...newest.topology.nodes.values()];
      const addresses = lines.map(({ host, port }) => ({ host, port }));
      for (const address of nodes) {
        if (
          !addresses.some((other) => sameAddress(other, address)) &&
          !asked.some((one) => newest.topology?.nodes.has(one.id))
        ) {
          throw failedChecks([
            { node: formatAddress(address), reasons: ['is no node of the topology that it was to be imported with'] },
          ]);
        }
      }
      holding.push(await reign.adoption.reserve(owner, addresses));
      const checked = await Promise.all(addresses.map((address) => checkNode(this.#runtime, address, password)));
      const reached = new Map<NodeId, NodeFacts>();
      for (const one of checked) if (one.ok) reached.set(one.facts.id, one.facts);
      reign.adoption.checkIds(owner, [...reached.values()]);
      const { namespace, cluster } = name;
      const imported = importCluster(namespace, cluster, newest.topology, reached, password, this.#building());
      if (!imported.ok) throw failedChecks(imported.failures);
      return imported.intended;
    });
  }

  /** Stores a new cluster and begins to supervise it; nothing stays behind if `build` or the commit fails. */
  async #found(
    namespace: string,
    name: string,
    options: WriteOptions,
    build: (reign: Reign, owner: Owner, holding: (() => void)[]) => Promise<Intended>,
  ): Promise<void> {
    const reign = this.#lead();
    const revision = this.#namespace(reign, namespace);
    const owner = clusterKey(namespace, name);
    if (reign.clusters.has(owner) || reign.setAside.has(owner))
      throw alreadyExists(`cluster ${name} in namespace ${namespace}`);
    if (reign.creating.has(owner))
      throw new Refusal('operation_running', `cluster ${name} is being created by another request`);
    reign.creating.add(owner);
    const holding: (() => void)[] = [];
    try {
      const intended = await build(reign, owner, holding);
      const broken = brokenPromises(undefined, intended);
      if (broken.length > 0)
        throw new Refusal('node_check_failed', `the topology cannot be taken over: ${broken.join('; ')}`);
      // From the reservation of its addresses to the claim on all of its nodes, without a gap.
      await reign.claims.settle(owner, intended.cluster);
      try {
        const records = encode(intended);
        const written = await this.#write(
          reign,
          [
            // The namespace must still be there when the cluster is.
            { key: namespaceKey(namespace), expected: revision, value: namespace },
            { key: topologyKey(namespace, name), expected: 0, value: records.topology },
            { key: stateKey(namespace, name), expected: 0, value: records.state },
          ],
          () => new Refusal('changed', `namespace ${namespace} or cluster ${name} was changed meanwhile; look again`),
        );
        reign.namespaces.set(namespace, written);
        this.#supervise(reign, intended, { topology: written, state: written }, 0);
      } catch (error) {
        await reign.claims.settle(owner, undefined);
        throw error;
      }
    } finally {
      for (const release of holding) release();
      reign.creating.delete(owner);
    }
    const supervisor = reign.clusters.get(owner);
    await supervisor?.nodesKnow(options.wait ?? WAIT_FOR_NODES);
  }

  async deleteCluster(name: ClusterName, reset: boolean, options: WriteOptions): Promise<void> {
    const reign = this.#lead();
    const owner = clusterKey(name.namespace, name.cluster);
    if (reign.setAside.has(owner)) return this.#remove(reign, owner);
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    await supervisor.submit((world) => changes.dropQueuedMoves(world, options.caller.name));
    const idle = await supervisor.until(
      ({ intended }) => activeMove(intended) === undefined && switchoverOf(intended) === undefined,
      END_OPERATIONS,
    );
    if (!idle)
      throw new Refusal('operation_running', 'a move is under way and cannot be ended; try again when it is done');
    if (!reset) return this.#remove(reign, owner);
    const unreachable = nodesOf(supervisor.intended.cluster).filter(
      (node) => supervisor.watchOf(node.id)?.state !== 'up',
    );
    if (unreachable.length > 0 && options.force !== true) {
      throw failedChecks(
        unreachable.map((node) => ({
          node: formatAddress(node.address),
          reasons: ['does not answer, so it cannot be reset; delete without reset, or pass force to leave it out'],
        })),
      );
    }
    await supervisor.submit((world) => changes.endCluster(world, options.caller.name));
    const done = await supervisor.until(
      ({ intended }) => intended.cluster.leaving.length === 0,
      Math.max(options.wait ?? 0, END_OPERATIONS),
    );
    if (done || options.force === true) return this.#remove(reign, owner);
    const left = supervisor.intended.cluster.leaving.map((node) => formatAddress(node.address)).join(', ');
    throw new Refusal('outcome_unknown', `not reset yet: ${left}; the cluster goes when they are, see its status`);
  }

  #remove(reign: Reign, owner: Owner): Promise<void> {
    const running = reign.removing.get(owner);
    if (running !== undefined) return running;
    const removal = this.#removeNow(reign, owner).finally(() => reign.removing.delete(owner));
    reign.removing.set(owner, removal);
    return removal;
  }

  /** From the store, then from memory; its nodes are free again. Its history goes with it. */
  async #removeNow(reign: Reign, owner: Owner): Promise<void> {
    const supervisor = reign.clusters.get(owner);
    const [namespace = '', name = ''] = owner.split('/');
    const revisions = supervisor?.revisions ?? reign.setAside.get(owner)?.revisions;
    if (revisions === undefined) return;
    const writes: Write[] = [{ key: topologyKey(namespace, name), expected: revisions.topology, value: null }];
    if (revisions.state > 0) writes.push({ key: stateKey(namespace, name), expected: revisions.state, value: null });
    await this.#write(reign, writes, () => new Refusal('changed', 'the cluster was changed meanwhile; try again'));
    supervisor?.close();
    reign.clusters.delete(owner);
    reign.setAside.delete(owner);
    await reign.claims.settle(owner, undefined);
    const { entries } = await this.#store.list(eventPrefix(namespace, name));
    await this.#store.commit(
      entries.map((entry) => ({ key: entry.key, expected: undefined, value: null })),
      reign.leadership.fence,
    );
  }

  /** One change of one cluster; then its claims are those of its new nodes, and its nodes have time to hear. */
  async #change(name: ClusterName, options: WriteOptions, command: Command): Promise<Supervisor> {
    const reign = this.#lead();
    const supervisor = this.#supervisor(name);
    await supervisor.submit((world) => {
      changes.checkVersion(world.intended, options.ifVersion);
      return command(world);
    });
    await reign.claims.settle(clusterKey(name.namespace, name.cluster), supervisor.intended.cluster);
    return supervisor;
  }

  async #changeAndWait(name: ClusterName, options: WriteOptions, command: Command): Promise<void> {
    const supervisor = await this.#change(name, options, command);
    await supervisor.nodesKnow(options.wait ?? WAIT_FOR_NODES);
  }

  #samePassword(supervisor: Supervisor, password: Secret): void {
    // An absent one means the cluster's own.
    if (!password.empty && !password.equals(supervisor.intended.cluster.password)) {
      throw invalid('password: differs from the cluster’s; all nodes of a cluster have one password');
    }
  }

  async createShard(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    const reign = this.#lead();
    const supervisor = this.#supervisor(name);
    this.#samePassword(supervisor, password);
    const owner = clusterKey(name.namespace, name.cluster);
    const release = await reign.adoption.reserve(owner, nodes);
    try {
      const facts = await reign.adoption.check(nodes, supervisor.intended.cluster.password);
      reign.adoption.checkIds(owner, facts);
      const failures = groupFailures(facts, this.#rules(checks, options, false), undefined);
      if (failures.length > 0) throw failedChecks(failures);
      const seen = Math.max(...facts.map((one) => one.version));
      const taken = new Set(nodesOf(supervisor.intended.cluster).map((node) => node.id));
      const building = this.#building();
      await this.#changeAndWait(name, options, (world) =>
        changes.addShard(
          world,
          (version) => buildShard(facts, NO_SLOTS, version, building, taken),
          seen,
          options.caller.name,
        ),
      );
    } finally {
      release();
    }
  }

  async deleteShard(name: ClusterName, shard: ShardRef, reset: boolean, options: WriteOptions): Promise<void> {
    await this.#changeAndWait(name, options, (world) => changes.removeShard(world, shard, reset, options.caller.name));
  }

  failover(name: ClusterName, ref: ShardRef, preferred: string | undefined, options: WriteOptions): Promise<string> {
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    return failOver(this.#runtime, supervisor, ref, preferred, options, () => this.#newId('so'));
  }

  failoverPlan(name: ClusterName, shard: ShardRef, preferred: string | undefined): FailoverPlan {
    return changes.planFailover(this.#supervisor(name).world(), shard, preferred);
  }

  #newId(kind: string): string {
    return `${kind}-${randomText(this.#random, 12)}`;
  }

  async createNode(
    name: ClusterName,
    ref: ShardRef,
    node: { readonly address: Address; readonly role: 'master' | 'slave'; readonly password: Secret },
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    const reign = this.#lead();
    const supervisor = this.#supervisor(name);
    const { shard } = changes.findShard(supervisor.intended.cluster, ref);
    this.#samePassword(supervisor, node.password);
    if (node.role === 'master')
      throw invalid('role: a shard has its one master already; add the node as slave and fail over to it');
    const owner = clusterKey(name.namespace, name.cluster);
    const release = await reign.adoption.reserve(owner, [node.address]);
    try {
      const { password } = supervisor.intended.cluster;
      const [facts] = await reign.adoption.check([node.address], password);
      const master = shard.nodes.find((one) => one.id === shard.master);
      const leader = master === undefined ? undefined : await checkNode(this.#runtime, master.address, password);
      if (facts === undefined || leader === undefined) throw notFound('the shard’s master');
      if (!leader.ok) throw failedChecks([failureOf(leader)]);
      reign.adoption.checkIds(owner, [facts]);
      const failures = groupFailures([facts], this.#rules(checks, options, false), leader.facts);
      if (failures.length > 0) throw failedChecks(failures);
      const taken = new Set(nodesOf(supervisor.intended.cluster).map((one) => one.id));
      const [built] = buildShard([leader.facts, facts], NO_SLOTS, 0, this.#building(), taken).nodes.slice(1);
      if (built === undefined) throw notFound('the node');
      await this.#changeAndWait(name, options, (world) =>
        changes.addNode(world, { id: shard.id }, built, facts.version, options.caller.name),
      );
    } finally {
      release();
    }
  }

  async deleteNode(
    name: ClusterName,
    shard: ShardRef,
    node: string,
    reset: boolean,
    options: WriteOptions,
  ): Promise<void> {
    await this.#changeAndWait(name, options, (world) =>
      changes.removeNode(world, shard, node, reset, options.caller.name),
    );
  }

  async forgetNode(name: ClusterName, node: string, options: WriteOptions): Promise<void> {
    await this.#change(name, options, (world) => changes.forgetNode(world, node, options.caller.name));
  }

  async resetNode(address: Address, password: Secret, options: WriteOptions): Promise<void> {
    const reign = this.#lead();
    const owner = reign.claims.owner(await reign.claims.spellings(address));
    const [facts] = await reign.adoption.check([address], password);
    if (facts === undefined) throw notFound(formatAddress(address));
    const claimed = owner ?? (facts.id === '' ? undefined : reign.claims.owner([facts.id]));
    if (claimed !== undefined && !this.#isAway(reign, claimed, facts.id)) {
      throw new Refusal(
        'already_exists',
        `${formatAddress(address)} is a node of cluster ${claimed}; delete it there first`,
      );
    }
    if (facts.holdsData && options.force !== true) {
      throw failedChecks([{ node: formatAddress(address), reasons: ['holds data; pass force to destroy it'] }]);
    }
    await resetNode(this.#runtime, this.#random, facts, password);
  }

  #isAway(reign: Reign, owner: Owner, id: NodeId): boolean {
    const intended = reign.clusters.get(owner)?.intended;
    return intended !== undefined && nodeOf(intended.cluster, id)?.node.membership === 'away';
  }

  async migrate(
    name: ClusterName,
    target: ShardRef,
    ranges: readonly SlotRange[],
    slotOnly: boolean,
    options: WriteOptions,
  ): Promise<void> {
    await this.#change(name, options, (world) =>
      changes.queueMoves(world, target, ranges, slotOnly, options.caller.name, () => this.#newId('mv')),
    );
  }

  async pause(name: ClusterName, until: number | null, options: WriteOptions): Promise<void> {
    await this.#change(name, options, (world) => changes.pause(world, until, options.caller.name));
    if (until !== null) this.#resumeAt(name, until);
  }

  /** A pause with an end resumes by itself; after a restart the end is looked at again when the cluster is loaded. */
  #resumeAt(name: ClusterName, until: number): void {
    const delay: Duration = Math.min(Math.max(0, until - this.#runtime.clock.wall()), 2_000_000_000);
    this.#runtime.timers.after(delay, () => {
      const supervisor = this.#reign?.clusters.get(clusterKey(name.namespace, name.cluster));
      const pause = supervisor?.intended.pause;
      if (supervisor === undefined || pause?.until !== until) return;
      if (until > this.#runtime.clock.wall()) return this.#resumeAt(name, until);
      void supervisor.submit((world) => changes.resume(world, 'controller')).catch(() => this.#resumeAt(name, until));
    });
  }

  async resume(name: ClusterName, options: WriteOptions): Promise<void> {
    await this.#change(name, options, (world) => changes.resume(world, options.caller.name));
  }

  async sync(name: ClusterName, options: WriteOptions): Promise<void> {
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    supervisor.sync(options.force === true);
    await supervisor.nodesKnow(options.wait ?? WAIT_FOR_NODES);
  }
}
