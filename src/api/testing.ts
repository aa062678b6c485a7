/** A control plane in memory, without nodes: for tests of whatever speaks HTTP to the real one. */
import type { CheckView, FixResult } from '../controller/check-views.ts';
import type { FixOptions } from '../controller/checking.ts';
import type {
  Caller,
  ClusterName,
  ClusterView,
  ControlPlane,
  FailoverPlan,
  MoveView,
  NewCluster,
  NodeChecks,
  Promoted,
  ShardRef,
  WriteOptions,
} from '../controller/control-plane.ts';
import type { ClusterEvent } from '../controller/events.ts';
import type { Evidence } from '../controller/evidence-record.ts';
import type { MovePlane, MovesCommand } from '../controller/move-plane.ts';
import type { MoveOptions } from '../controller/move-planning.ts';
import type { RebalanceView, WantedBalance } from '../controller/rebalancing.ts';
import { alreadyExists, invalid, notFound, Refusal } from '../controller/refusal.ts';
import type { Replay, SalvageContents, SalvageView } from '../controller/salvages.ts';
import {
  type NodeChange,
  SETTING_NAMES,
  SETTINGS,
  type SettingsChange,
  type SettingsView,
  settingsView,
} from '../controller/settings-changes.ts';
import type { ClusterStatus } from '../controller/status.ts';
import { type ClusterSettings, DEFAULT_SETTINGS } from '../operations/settings.ts';
import { NO_SECRET, type Secret } from '../runtime/secret.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { type Cluster, NEW_NODE, type Node, nodeOf, nodesOf, type Shard, withNode } from '../topology/cluster.ts';
import { isName, NAME_RULE, newNodeId, newShardId } from '../topology/ids.ts';
import { NO_SLOTS, parseRange, type SlotRange, type SlotSet, splitEvenly, subtract, union } from '../topology/slots.ts';
import { balancedOf, CREATED_AT, evidenceOf, foundNothing, replayOf, SALVAGE, statusOf } from './testing-views.ts';

/** What a write was given, for assertions. */
export interface Asked {
  readonly what: string;
  readonly options: WriteOptions;
  readonly more: readonly unknown[];
}

interface Held {
  view: ClusterView;
  paused: { readonly until: number | null; readonly by: string } | null;
  readonly events: ClusterEvent[];
  readonly evidence: Evidence[];
  settings: Partial<ClusterSettings>;
  readonly watchers: Set<(event: ClusterEvent) => void>;
}

export class FakePlane implements ControlPlane {
  readonly asked: Asked[] = [];
  /** Thrown by the next call of a write, once. */
  next: unknown;
  isReady = true;
  /** What a check finds. */
  found: (cluster: Cluster) => CheckView = foundNothing;
  leads: string | undefined = '127.0.0.1:9379';
  underWay: ReturnType<MovePlane['moves']> = { plans: [], moves: [] };
  readonly #namespaces = new Map<string, Map<string, Held>>();
  readonly #random = seededRandom(7);

  ready(): boolean {
    return this.isReady;
  }

  leader(): string | undefined {
    return this.leads;
  }

  namespaces(): readonly string[] {
    return [...this.#namespaces.keys()].sort();
  }

  async createNamespace(namespace: string, options: WriteOptions): Promise<void> {
    this.#write('createNamespace', options, namespace);
    if (this.#namespaces.has(namespace)) throw alreadyExists(`namespace ${namespace}`);
    this.#namespaces.set(namespace, new Map());
  }

  async deleteNamespace(namespace: string, options: WriteOptions): Promise<void> {
    this.#write('deleteNamespace', options, namespace);
    if (this.#clusters(namespace).size > 0) throw new Refusal('not_empty', `namespace ${namespace} holds clusters`);
    this.#namespaces.delete(namespace);
  }

  clusters(namespace: string): readonly string[] {
    return [...this.#clusters(namespace).keys()].sort();
  }

  cluster(name: ClusterName): ClusterView {
    return this.#held(name).view;
  }

  status(name: ClusterName): ClusterStatus {
    const { view, paused } = this.#held(name);
    return statusOf(view.cluster, paused);
  }

  async events(name: ClusterName, after: number, limit: number): Promise<readonly ClusterEvent[]> {
    return this.#held(name)
      .events.filter(({ id }) => id > after)
      .slice(0, limit);
  }

  async evidence(name: ClusterName, ref: ShardRef | undefined, limit: number): Promise<readonly Evidence[]> {
    const { evidence } = this.#held(name);
    const id = ref === undefined || 'id' in ref ? ref?.id : this.#shardAt(name, ref).id;
    return evidence.filter(({ shard }) => id === undefined || shard === id).slice(0, limit);
  }

  /** Something was decided about a shard; the newest comes first. */
  decide(name: ClusterName, index: number, more: Partial<Evidence> = {}): Evidence {
    const { evidence, view } = this.#held(name);
    const one = { ...evidenceOf(view.cluster, this.#shardAt(name, { index }), evidence.length), ...more };
    evidence.unshift(one);
    return one;
  }

  watchEvents(name: ClusterName, on: (event: ClusterEvent) => void): { close(): void } {
    const { watchers } = this.#held(name);
    watchers.add(on);
    return { close: () => watchers.delete(on) };
  }

  /** How many streams watch. */
  watching(name: ClusterName): number {
    return this.#held(name).watchers.size;
  }

  /** Something happened; ids count from 1. */
  happen(name: ClusterName, message: string, more: Partial<ClusterEvent> = {}): ClusterEvent {
    const held = this.#held(name);
    const id = held.events.length + 1;
    const { version } = held.view.cluster;
    const event = { id, at: CREATED_AT * 1000 + id, kind: 'note', message, by: 'controller', version, ...more };
    held.events.push(event);
    for (const on of [...held.watchers]) on(event);
    return event;
  }

  /** Puts these moves beside the cluster. */
  move(name: ClusterName, moves: readonly MoveView[]): void {
    const held = this.#held(name);
    held.view = { ...held.view, moves };
  }

  /** Changes the topology under a new version. */
  change(name: ClusterName, change: (cluster: Cluster) => Cluster): void {
    const held = this.#held(name);
    const { cluster, moves } = held.view;
    held.view = { cluster: { ...change(cluster), version: cluster.version + 1 }, moves };
  }

  async createCluster(ns: string, wanted: NewCluster, checks: NodeChecks, options: WriteOptions): Promise<void> {
    this.#write('createCluster', options, wanted, checks);
    const shards = wanted.nodes.length / wanted.replicas;
    const slots = splitEvenly(shards);
    this.#add({ namespace: ns, cluster: wanted.name }, wanted.password, wanted.nodes, (addresses) =>
      slots.map((set, i) => this.#shard(addresses.slice(i * wanted.replicas, (i + 1) * wanted.replicas), set)),
    );
  }

  async importCluster(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    this.#write('importCluster', options, checks);
    if (!isName(name.cluster)) throw invalid(`name: allowed: ${NAME_RULE}`);
    this.#add(name, password, nodes, (addresses) => [this.#shard(addresses, splitEvenly(1)[0] ?? NO_SLOTS)]);
  }

  async deleteCluster(name: ClusterName, reset: boolean, options: WriteOptions): Promise<void> {
    this.#write('deleteCluster', options, reset);
    this.#at(name, options);
    this.#clusters(name.namespace).delete(name.cluster);
  }

  async createShard(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    this.#write('createShard', options, password, checks);
    this.#at(name, options);
    this.#claim(nodes, name);
    this.change(name, (cluster) => ({ ...cluster, shards: [...cluster.shards, this.#shard(nodes, NO_SLOTS)] }));
  }

  async deleteShard(name: ClusterName, ref: ShardRef, reset: boolean, options: WriteOptions): Promise<void> {
    this.#write('deleteShard', options, reset);
    this.#at(name, options);
    const shard = this.#shardAt(name, ref);
    if (shard.slots.length > 0) throw new Refusal('owns_slots', `shard ${shard.id} owns slots`);
    this.change(name, (cluster) => ({ ...cluster, shards: cluster.shards.filter(({ id }) => id !== shard.id) }));
  }

  async failover(
    name: ClusterName,
    ref: ShardRef,
    preferred: string | undefined,
    options: WriteOptions,
  ): Promise<Promoted> {
    this.#write('failover', options, preferred);
    this.#at(name, options);
    const { candidate, shard } = this.failoverPlan(name, ref, preferred, options.force ?? false);
    if (candidate === null) throw new Refusal('no_eligible_replica', `shard ${shard} has no replica`);
    this.#replaceShard(name, shard, (own) => ({ ...own, master: candidate }));
    return { master: candidate, mayLose: null };
  }

  failoverPlan(name: ClusterName, ref: ShardRef, preferred: string | undefined, _force: boolean): FailoverPlan {
    const shard = this.#shardAt(name, ref);
    const replicas = shard.nodes.filter(({ id, membership }) => id !== shard.master && membership === 'member');
    if (preferred !== undefined && !replicas.some(({ id }) => id === preferred)) {
      throw invalid(`preferred_node_id: ${preferred} is no replica of this shard`);
    }
    return {
      shard: shard.id,
      master: shard.master,
      how: 'switchover',
      candidate: preferred ?? replicas[0]?.id ?? null,
      refused: replicas.length === 0 ? 'it has no replica' : null,
      needs_force: false,
      with_force: null,
      may_lose: null,
      judged: replicas.map(({ id }) => ({ node: id, sequence: 0, refusals: [], passedOver: null })),
    };
  }

  async createNode(
    name: ClusterName,
    ref: ShardRef,
    node: { readonly address: Address; readonly role: 'master' | 'slave'; readonly password: Secret },
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    this.#write('createNode', options, node, checks);
    this.#at(name, options);
    const shard = this.#shardAt(name, ref);
    this.#claim([node.address], name);
    this.#replaceShard(name, shard.id, (own) => ({ ...own, nodes: [...own.nodes, this.#node(node.address)] }));
  }

  async deleteNode(
    name: ClusterName,
    ref: ShardRef,
    node: string,
    reset: boolean,
    options: WriteOptions,
  ): Promise<void> {
    this.#write('deleteNode', options, node, reset);
    this.#at(name, options);
    const shard = this.#shardAt(name, ref);
    if (!shard.nodes.some(({ id }) => id === node)) throw notFound(`node ${node}`);
    if (shard.master === node) throw new Refusal('is_master', `node ${node} is its shard’s master`);
    this.#replaceShard(name, shard.id, (own) => ({ ...own, nodes: own.nodes.filter(({ id }) => id !== node) }));
  }

  async forgetNode(name: ClusterName, node: string, options: WriteOptions): Promise<void> {
    this.#write('forgetNode', options, node);
    if (nodeOf(this.#at(name, options).view.cluster, node) === undefined) throw notFound(`node ${node}`);
  }

  async readmitNode(name: ClusterName, node: string, options: WriteOptions): Promise<void> {
    this.#write('readmitNode', options, node);
    if (nodeOf(this.#at(name, options).view.cluster, node) === undefined) throw notFound(`node ${node}`);
  }

  async readmitEmpty(name: ClusterName, node: string, options: WriteOptions): Promise<void> {
    this.#write('readmitEmpty', options, node);
    if (nodeOf(this.#at(name, options).view.cluster, node) === undefined) throw notFound(`node ${node}`);
  }

  async salvages(name: ClusterName): Promise<readonly SalvageView[]> {
    this.#held(name);
    return [SALVAGE.salvage];
  }

  async salvage(name: ClusterName, id: string, after: number, limit: number): Promise<SalvageContents> {
    this.#held(name);
    if (id !== SALVAGE.salvage.id) throw notFound(`salvage ${id}`);
    return { ...SALVAGE, commands: SALVAGE.commands.slice(after, after + limit) };
  }

  async replaySalvage(name: ClusterName, id: string, dryRun: boolean, options: WriteOptions): Promise<Replay> {
    this.#write('replaySalvage', options, id, dryRun);
    this.#at(name, options);
    if (id !== SALVAGE.salvage.id) throw notFound(`salvage ${id}`);
    return replayOf(dryRun);
  }

  async changeNode(
    name: ClusterName,
    ref: ShardRef,
    node: string,
    change: NodeChange,
    options: WriteOptions,
  ): Promise<void> {
    this.#write('changeNode', options, node, change);
    this.#at(name, options);
    const shard = this.#shardAt(name, ref);
    if (!shard.nodes.some(({ id }) => id === node)) throw notFound(`node ${node}`);
    this.#replaceShard(name, shard.id, (own) =>
      withNode(own, node, (old) => ({
        ...old,
        priority: change.priority ?? old.priority,
        noFailover: change.noFailover ?? old.noFailover,
        address: change.address ?? old.address,
      })),
    );
  }

  settings(name: ClusterName): SettingsView {
    return settingsView(this.#held(name).settings, DEFAULT_SETTINGS);
  }

  async changeSettings(name: ClusterName, change: SettingsChange, options: WriteOptions): Promise<void> {
    this.#write('changeSettings', options, change);
    const held = this.#at(name, options);
    for (const setting of SETTING_NAMES) {
      const { key } = SETTINGS[setting];
      const to = change[setting];
      if (to !== undefined) held.settings = { ...held.settings, [key]: to ?? undefined };
    }
  }

  async resetNode(address: Address, password: Secret, options: WriteOptions): Promise<void> {
    this.#write('resetNode', options, address, password);
    this.#claim([address], undefined);
  }

  async migrate(
    name: ClusterName,
    target: ShardRef,
    ranges: readonly SlotRange[],
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<void> {
    this.#write('migrate', options, target, ranges, how);
    this.#at(name, options);
    const to = this.#shardAt(name, target);
    this.change(name, (cluster) => ({
      ...cluster,
      shards: cluster.shards.map((shard) => ({
        ...shard,
        slots: shard.id === to.id ? union(shard.slots, ranges) : subtract(shard.slots, ranges),
      })),
    }));
  }

  moves(name: ClusterName): ReturnType<MovePlane['moves']> {
    this.#held(name);
    return this.underWay;
  }

  async rebalancePlan(name: ClusterName, wanted: WantedBalance): Promise<RebalanceView> {
    this.asked.push({ what: 'rebalancePlan', options: { caller: TESTER }, more: [wanted] });
    return balancedOf(this.cluster(name).cluster);
  }

  async rebalance(
    name: ClusterName,
    wanted: WantedBalance,
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<RebalanceView & { readonly plan: string | null }> {
    this.#write('rebalance', options, wanted, how);
    const view = balancedOf(this.#at(name, options).view.cluster);
    const rangesOf = (texts: readonly { readonly range: string }[]) =>
      texts.flatMap(({ range }) => parseRange(range) ?? []);
    this.change(name, (cluster) => ({
      ...cluster,
      shards: cluster.shards.map((shard) => ({
        ...shard,
        slots: union(
          subtract(shard.slots, rangesOf(view.moves.filter(({ source }) => source === shard.id))),
          rangesOf([...view.moves, ...view.fills].filter(({ target }) => target === shard.id)),
        ),
      })),
    }));
    return { ...view, plan: view.moves.length === 0 ? null : 'pl-4fY2kQ81aZx0' };
  }

  async changeMoves(name: ClusterName, command: MovesCommand, options: WriteOptions): Promise<void> {
    this.#write('changeMoves', options, command);
    this.#at(name, options);
  }

  async pause(name: ClusterName, until: number | null, options: WriteOptions): Promise<void> {
    this.#write('pause', options, until);
    this.#at(name, options).paused = { until, by: options.caller.name };
  }

  async resume(name: ClusterName, options: WriteOptions): Promise<void> {
    this.#write('resume', options);
    this.#at(name, options).paused = null;
  }

  async sync(name: ClusterName, options: WriteOptions): Promise<void> {
    this.#write('sync', options);
    this.#at(name, options);
  }

  async check(name: ClusterName, scanFor: number): Promise<CheckView> {
    this.#held(name);
    this.asked.push({ what: 'check', options: { caller: TESTER }, more: [scanFor] });
    return this.found(this.cluster(name).cluster);
  }

  async fix(name: ClusterName, finding: string, options: FixOptions): Promise<FixResult> {
    this.#write('fix', options, finding, options.dryRun, options.scanFor);
    const found = this.found(this.#at(name, options).view.cluster).findings.find(({ key }) => key === finding);
    if (found === undefined) throw notFound(`finding ${finding}`);
    const { dryRun, force } = options;
    const refused = found.fix?.costs != null && force !== true ? `${found.fix.costs}; pass force` : null;
    if (dryRun) return { dry_run: true, finding: found, refused, mended: null, left: null };
    if (refused !== null) throw new Refusal('operation_running', refused);
    return { dry_run: false, finding: found, refused: null, mended: true, left: null };
  }

  #write(what: string, options: WriteOptions, ...more: readonly unknown[]): void {
    this.asked.push({ what, options, more });
    const error = this.next;
    this.next = undefined;
    if (error !== undefined) throw error;
  }

  #clusters(namespace: string): Map<string, Held> {
    const clusters = this.#namespaces.get(namespace);
    if (clusters === undefined) throw notFound(`namespace ${namespace}`);
    return clusters;
  }

  #held({ namespace, cluster }: ClusterName): Held {
    const held = this.#clusters(namespace).get(cluster);
    if (held === undefined) throw notFound(`cluster ${namespace}/${cluster}`);
    return held;
  }

  #at(name: ClusterName, { ifVersion }: WriteOptions): Held {
    const held = this.#held(name);
    const { version } = held.view.cluster;
    if (ifVersion !== undefined && ifVersion !== version) throw new Refusal('changed', `the version is ${version}`);
    return held;
  }

  #shardAt(name: ClusterName, ref: ShardRef): Shard {
    const { shards } = this.cluster(name).cluster;
    const shard = 'id' in ref ? shards.find(({ id }) => id === ref.id) : shards[ref.index];
    if (shard === undefined) throw notFound(`shard ${JSON.stringify(ref)}`);
    return shard;
  }

  #replaceShard(name: ClusterName, id: string, change: (shard: Shard) => Shard): void {
    this.change(name, (cluster) => ({
      ...cluster,
      shards: cluster.shards.map((shard) => (shard.id === id ? change(shard) : shard)),
    }));
  }

  #claim(addresses: readonly Address[], by: ClusterName | undefined): void {
    const wanted = new Set(addresses.map(formatAddress));
    for (const [namespace, clusters] of this.#namespaces) {
      for (const [name, { view }] of clusters) {
        const taken = nodesOf(view.cluster).find(({ address }) => wanted.has(formatAddress(address)));
        if (taken === undefined) continue;
        const where = formatAddress(taken.address);
        if (by?.namespace === namespace && by.cluster === name) throw alreadyExists(`node ${where}`);
        throw new Refusal('already_exists', `${where} belongs to cluster ${namespace}/${name}`);
      }
    }
  }

  #add(
    name: ClusterName,
    password: Secret,
    nodes: readonly Address[],
    shards: (nodes: readonly Address[]) => readonly Shard[],
  ): void {
    const clusters = this.#clusters(name.namespace);
    if (clusters.has(name.cluster)) throw alreadyExists(`cluster ${name.namespace}/${name.cluster}`);
    this.#claim(nodes, name);
    const cluster: Cluster = {
      namespace: name.namespace,
      name: name.cluster,
      version: 1,
      password,
      shards: shards(nodes),
      leaving: [],
    };
    clusters.set(name.cluster, {
      view: { cluster, moves: [] },
      paused: null,
      settings: {},
      evidence: [],
      events: [],
      watchers: new Set(),
    });
  }

  #node(address: Address): Node {
    const id = newNodeId(this.#random);
    return { id, address, createdAt: CREATED_AT, ...NEW_NODE };
  }

  #shard(addresses: readonly Address[], slots: SlotSet): Shard {
    const nodes = addresses.map((address) => this.#node(address));
    const master = nodes[0]?.id ?? '';
    const lineage = [{ version: 1, master, sequence: 0, exact: true }];
    const history = { floor: 0, eligibleFrom: 0, damping: null, dataLost: null };
    return { id: newShardId(this.#random), master, nodes, slots, lineage, ...history };
  }
}

export const TESTER: Caller = { name: 'test' };

const at = (port: number): Address => ({ host: '127.0.0.1', port });

/** Namespace `test-ns` with cluster `test-cluster`: two shards of two nodes at ports 7000 to 7003. */
export async function fakePlane(password: Secret = NO_SECRET): Promise<FakePlane> {
  const plane = new FakePlane();
  const options = { caller: TESTER };
  await plane.createNamespace('test-ns', options);
  const nodes = [7000, 7001, 7002, 7003].map(at);
  await plane.createCluster('test-ns', { name: 'test-cluster', nodes, replicas: 2, password }, {}, options);
  plane.asked.length = 0;
  return plane;
}

export const TEST_CLUSTER: ClusterName = { namespace: 'test-ns', cluster: 'test-cluster' };

/** A log that keeps what went into it. */
export function keptLog() {
  const kept: { readonly level: string; readonly fields: object; readonly sentence: string }[] = [];
  const at = (level: string) => (fields: object, sentence: string) => {
    kept.push({ level, fields, sentence });
  };
  return { kept, info: at('info'), warn: at('warn'), error: at('error') };
}
