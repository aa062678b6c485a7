/** The control plane of all clusters, as the API sees it: whoever leads answers, and every write goes to its reign. */

import type { Intended, OperationId } from '../operations/intended.ts';
import { type ClusterSettings, DEFAULT_SETTINGS } from '../operations/settings.ts';
import type { RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { randomText } from '../runtime/seeded-random.ts';
import type { Store } from '../store/port.ts';
import type { Address } from '../topology/address.ts';
import type { SlotRange } from '../topology/slots.ts';
import { changeWholeNode, proveAddress } from './address-change.ts';
import type { Command } from './callers.ts';
import * as changes from './changes.ts';
import type { CheckView, FixResult } from './check-views.ts';
import { check, type FixOptions, fix } from './checking.ts';
import {
  type ClusterName,
  type ClusterView,
  type ControlPlane,
  type FailoverPlan,
  type NewCluster,
  type NodeChecks,
  type Promoted,
  type ShardRef,
  WAIT_FOR_NODES,
  type WriteOptions,
} from './control-plane.ts';
import { COPY_BOUNDS, type CopyBounds } from './copy-jobs.ts';
import { NO_ESTIMATE, type SlotSizes, slotSizes } from './data-estimate.ts';
import { describe, moveViews } from './describe.ts';
import type { ClusterEvent } from './events.ts';
import type { Evidence } from './evidence-record.ts';
import { planFailover } from './failover-plan.ts';
import { failOver } from './failover-request.ts';
import { giveSlots } from './give-slots.ts';
import { addNode, addShard, type JoiningNode, resetUnclaimed } from './joining.ts';
import { Leadership } from './leadership.ts';
import type { Log } from './log.ts';
import { Lookout } from './lookout.ts';
import { changeMoves } from './move-changes.ts';
import type { MovePlane, MovesCommand } from './move-plane.ts';
import { type MoveOptions, type NewId, queueMoves, startPlan, type WantedPlan } from './move-planning.ts';
import { planViews } from './move-views.ts';
import type { Opinion, PeerQuestion, Peers } from './peers.ts';
import { readmitEmpty } from './readmission.ts';
import { readmitNode } from './readmit.ts';
import { balance, type RebalanceView, type WantedBalance } from './rebalancing.ts';
import { Refusal } from './refusal.ts';
import { Registry } from './registry.ts';
import type { Reign } from './reign.ts';
import { type Replay, type SalvageContents, Salvages, type SalvageView } from './salvages.ts';
import {
  changeSettings,
  type NodeChange,
  type SettingsChange,
  type SettingsView,
  settingsView,
} from './settings-changes.ts';
import { NO_SHELF, type Shelf } from './shelf.ts';
import type { ClusterStatus } from './status.ts';
import type { Supervisor } from './supervisor.ts';

export interface ControllerOptions {
  readonly runtime: Runtime;
  readonly store: Store;
  /** `host:port` of the HTTP API: how other controllers and people name this one. */
  readonly identity: string;
  readonly log: Log;
  /** What holds for clusters that have not set it otherwise. */
  readonly policy?: ClusterSettings;
  /** Where that goes which a node alone held; without it nothing is saved, and nothing that should be is copied over. */
  readonly shelf?: Shelf;
  readonly copyBounds?: CopyBounds;
  /** The other controllers over the same store; absent: there are none. */
  readonly peers?: Peers;
}

export class Controller implements ControlPlane {
  readonly #runtime: Runtime;
  readonly #random: RandomSource;
  readonly #leadership: Leadership;
  readonly #registry: Registry;
  readonly #lookout: Lookout;
  readonly #policy: ClusterSettings;
  readonly #salvages: Salvages;
  readonly #views = new WeakMap<Intended, ClusterView>();

  constructor(options: ControllerOptions) {
    const { runtime, store, log, identity } = options;
    const random = runtime.random.child('controller');
    this.#runtime = runtime;
    this.#policy = options.policy ?? DEFAULT_SETTINGS;
    this.#random = random;
    const shelf = options.shelf ?? NO_SHELF;
    this.#salvages = new Salvages(runtime, shelf);
    this.#registry = new Registry({ runtime, store, random });
    this.#lookout = new Lookout(runtime, store);
    this.#leadership = new Leadership({
      runtime,
      store,
      identity,
      log,
      random,
      peers: options.peers,
      policy: this.#policy,
      copying: { shelf, bounds: options.copyBounds ?? COPY_BOUNDS },
      emptied: (reign, owner) => {
        // A failure leaves it for the next start.
        this.#registry
          .remove(reign, owner)
          .catch((error: unknown) =>
            log.warn({ cluster: owner, error: String(error) }, 'an emptied cluster was not removed yet'),
          );
      },
    });
  }

  start(): void {
    this.#leadership.start();
  }

  /** Nothing new is begun; pushes that are under way end with their connections. */
  stop(): Promise<void> {
    return this.#leadership.stop();
  }

  ready(): boolean {
    return this.#leadership.reign !== undefined;
  }

  leader(): string | undefined {
    return this.#leadership.leader;
  }

  /** What this process sees of a master that another controller misses; asked of followers. Never rejects. */
  opinion(question: PeerQuestion): Promise<Opinion> {
    return this.#lookout.opinion(question);
  }

  #lead(): Reign {
    const { reign } = this.#leadership;
    if (reign === undefined) throw new Refusal('not_leader', 'no controller leads at present; try again in a moment');
    return reign;
  }

  #supervisor(name: ClusterName): Supervisor {
    return this.#lead().supervisor(name);
  }

  namespaces(): readonly string[] {
    return [...this.#lead().namespaces.keys()].sort();
  }

  async createNamespace(namespace: string, _options: WriteOptions): Promise<void> {
    await this.#registry.createNamespace(this.#lead(), namespace);
  }

  async deleteNamespace(namespace: string, _options: WriteOptions): Promise<void> {
    await this.#registry.deleteNamespace(this.#lead(), namespace);
  }

  clusters(namespace: string): readonly string[] {
    return this.#registry.clusters(this.#lead(), namespace);
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

  settings(name: ClusterName): SettingsView {
    return settingsView(this.#supervisor(name).intended.settings, this.#policy);
  }

  async changeSettings(name: ClusterName, change: SettingsChange, options: WriteOptions): Promise<void> {
    await this.#lead().change(name, options, (world) => changeSettings(world, change, options.caller.name));
  }

  events(name: ClusterName, after: number, limit: number): Promise<readonly ClusterEvent[]> {
    return this.#supervisor(name).history.read(after, limit);
  }

  async evidence(name: ClusterName, ref: ShardRef | undefined, limit: number): Promise<readonly Evidence[]> {
    const { evidence, intended } = this.#supervisor(name);
    const named = ref === undefined || 'id' in ref ? ref?.id : changes.findShard(intended.cluster, ref).shard.id;
    return evidence.read(named, limit);
  }

  watchEvents(name: ClusterName, on: (event: ClusterEvent) => void): { close(): void } {
    return this.#supervisor(name).history.watch(on);
  }

  async createCluster(namespace: string, wanted: NewCluster, checks: NodeChecks, options: WriteOptions): Promise<void> {
    await this.#registry.createCluster(this.#lead(), namespace, wanted, checks, options);
  }

  async importCluster(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    _checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    await this.#registry.importCluster(this.#lead(), name, nodes, password, options);
  }

  async deleteCluster(name: ClusterName, reset: boolean, options: WriteOptions): Promise<void> {
    await this.#registry.deleteCluster(this.#lead(), name, reset, options);
  }

  /** One change of one cluster, and time for its nodes to hear of it. */
  async #changeAndWait(name: ClusterName, options: WriteOptions, command: Command): Promise<void> {
    await this.#wait(await this.#lead().change(name, options, command), options);
  }

  async #wait(supervisor: Supervisor, options: WriteOptions): Promise<void> {
    await supervisor.nodesKnow(options.wait ?? WAIT_FOR_NODES);
  }

  async createShard(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    const building = this.#registry.building();
    await this.#wait(await addShard(this.#lead(), name, nodes, password, checks, options, building), options);
  }

  async deleteShard(name: ClusterName, shard: ShardRef, reset: boolean, options: WriteOptions): Promise<void> {
    await this.#changeAndWait(name, options, (world) => changes.removeShard(world, shard, reset, options.caller.name));
  }

  failover(name: ClusterName, ref: ShardRef, preferred: string | undefined, options: WriteOptions): Promise<Promoted> {
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    return failOver(this.#runtime, supervisor, ref, preferred, options, () => this.#newId('so'));
  }

  failoverPlan(name: ClusterName, shard: ShardRef, preferred: string | undefined, force: boolean): FailoverPlan {
    return planFailover(this.#supervisor(name).world(), shard, preferred, force);
  }

  #newId(kind: string): string {
    return `${kind}-${randomText(this.#random, 12)}`;
  }

  async createNode(
    name: ClusterName,
    shard: ShardRef,
    node: JoiningNode,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void> {
    const building = this.#registry.building();
    await this.#wait(await addNode(this.#runtime, this.#lead(), name, shard, node, checks, options, building), options);
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
    await this.#lead().change(name, options, (world) => changes.forgetNode(world, node, options.caller.name));
  }

  async readmitNode(name: ClusterName, node: string, options: WriteOptions): Promise<void> {
    const force = options.force === true;
    await this.#lead().change(name, options, (world) => readmitNode(world, node, force, options.caller.name));
  }

  async readmitEmpty(name: ClusterName, node: string, options: WriteOptions): Promise<void> {
    await this.#changeAndWait(name, options, (world) => readmitEmpty(world, node, options.caller.name));
  }

  salvages(name: ClusterName): Promise<readonly SalvageView[]> {
    return this.#salvages.list(this.#supervisor(name).intended.cluster);
  }

  salvage(name: ClusterName, id: string, after: number, limit: number): Promise<SalvageContents> {
    return this.#salvages.show(this.#supervisor(name).intended.cluster, id, after, limit);
  }

  async replaySalvage(name: ClusterName, id: string, dryRun: boolean, options: WriteOptions): Promise<Replay> {
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    const done = await this.#salvages.replay(supervisor.intended.cluster, id, dryRun);
    if (!dryRun) {
      const message = `of ${id} ${done.replayed} keys were written again, ${done.skipped} were left as they are, ${done.failed} failed`;
      const event = { kind: 'salvage.replayed', message, by: options.caller.name };
      await supervisor.submit(({ intended }) => ({ next: intended, events: [event] }));
    }
    return done;
  }

  async changeNode(
    name: ClusterName,
    shard: ShardRef,
    node: string,
    change: NodeChange,
    options: WriteOptions,
  ): Promise<void> {
    const { address } = change;
    const reign = this.#lead();
    const release =
      address === undefined ? undefined : await proveAddress(this.#runtime, reign, name, shard, node, address);
    try {
      const { name: by } = options.caller;
      const supervisor = await reign.change(name, options, (world) => changeWholeNode(world, shard, node, change, by));
      if (address !== undefined) await this.#wait(supervisor, options);
    } finally {
      release?.();
    }
  }

  async resetNode(address: Address, password: Secret, options: WriteOptions): Promise<void> {
    const context = { runtime: this.#runtime, random: this.#random };
    await resetUnclaimed(context, this.#lead(), address, password, options);
  }

  async migrate(
    name: ClusterName,
    target: ShardRef,
    ranges: readonly SlotRange[],
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<void> {
    const perSlot = how.slotOnly === true ? NO_ESTIMATE : await this.#slotSizes(name);
    await this.#lead().change(name, options, (world) =>
      queueMoves(world, target, ranges, how, options.caller.name, (kind) => this.#newId(kind), perSlot),
    );
  }

  async rebalancePlan(name: ClusterName, wanted: WantedBalance): Promise<RebalanceView> {
    const perSlot = await this.#slotSizes(name);
    return balance(this.#supervisor(name).world(), wanted, perSlot).view;
  }

  #slotSizes(name: ClusterName): Promise<SlotSizes> {
    return slotSizes(this.#runtime, this.#supervisor(name).world());
  }

  async rebalance(
    name: ClusterName,
    wanted: WantedBalance,
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<RebalanceView & { readonly plan: OperationId | null }> {
    const done: { view?: RebalanceView; plan: OperationId | null } = { plan: null };
    const perSlot = await this.#slotSizes(name);
    const supervisor = await this.#lead().change(name, options, (world) => {
      const { plan, view } = balance(world, wanted, perSlot);
      done.view = view;
      done.plan = null;
      if (view.moves.length + view.fills.length === 0) return { next: world.intended, events: [] };
      const newId: NewId = (kind) => {
        const id = this.#newId(kind);
        if (kind === 'pl' && view.moves.length > 0) done.plan = id;
        return id;
      };
      return startPlan(world, plan, how, options.caller.name, newId, perSlot);
    });
    const { view } = done;
    if (view === undefined) throw new Error(`the plan for ${name.cluster} was not computed`);
    if (view.fills.length > 0) await this.#wait(supervisor, options);
    return { ...view, plan: done.plan };
  }

  moves(name: ClusterName): ReturnType<MovePlane['moves']> {
    return planViews(this.#supervisor(name).world());
  }

  /** The plan's id; null where it was done by the topology alone. */
  async startPlan(
    name: ClusterName,
    plan: WantedPlan,
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<OperationId | null> {
    const ids = { mv: '', pl: '' };
    const newId = (kind: 'mv' | 'pl') => {
      ids[kind] = this.#newId(kind);
      return ids[kind];
    };
    await this.#lead().change(name, options, (world) => startPlan(world, plan, how, options.caller.name, newId));
    return ids.mv === '' ? null : ids.pl;
  }

  async changeMoves(name: ClusterName, command: MovesCommand, options: WriteOptions): Promise<void> {
    await this.#lead().change(name, options, (world) => changeMoves(world, command, options.caller.name));
  }

  async pause(name: ClusterName, until: number | null, options: WriteOptions): Promise<void> {
    const reign = this.#lead();
    await reign.change(name, options, (world) => changes.pause(world, until, options.caller.name));
    if (until !== null) reign.resumeAt(name, until);
  }

  async resume(name: ClusterName, options: WriteOptions): Promise<void> {
    await this.#lead().change(name, options, (world) => changes.resume(world, options.caller.name));
  }

  async sync(name: ClusterName, options: WriteOptions): Promise<void> {
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    supervisor.sync(options.force === true);
    await this.#wait(supervisor, options);
  }

  check(name: ClusterName, scanFor: number): Promise<CheckView> {
    return check(this.#runtime, this.#supervisor(name), scanFor);
  }

  fix(name: ClusterName, finding: string, options: FixOptions): Promise<FixResult> {
    const supervisor = this.#supervisor(name);
    changes.checkVersion(supervisor.intended, options.ifVersion);
    return fix(this.#runtime, supervisor, name, finding, options, {
      sync: (of, how) => this.sync(of, how),
      readmitNode: (of, node, how) => this.readmitNode(of, node, how),
      readmitEmpty: (of, node, how) => this.readmitEmpty(of, node, how),
      failover: (of, shard, preferred, how) => this.failover(of, shard, preferred, how),
      forgetNode: (of, node, how) => this.forgetNode(of, node, how),
      giveSlots: (of, { gifts }, how) =>
        this.#changeAndWait(of, how, (world) => giveSlots(world, gifts, how.caller.name)),
    });
  }
}
