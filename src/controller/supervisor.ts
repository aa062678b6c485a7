/**
 * The one writer of one cluster. Everything that can change it is an input, taken one at a time: it is folded into
 * what is seen, decisions are made, a change is committed before anything is told, and what is to be told goes into
 * the nodes' outboxes. Nothing here ever waits for a node.
 */
import { type Decision, decide, nodesKnow, paces } from '../decisions/decide.ts';
import type { ShardReport } from '../decisions/failover.ts';
import { DETECTION, type PeersView, type Proposal, type World } from '../decisions/world.ts';
import { type Intended, switchoverOf } from '../operations/intended.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { randomText } from '../runtime/seeded-random.ts';
import type { Revision } from '../store/port.ts';
import { shardOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import { Alarm } from './alarm.ts';
import { Callers, type Command, type Waiting } from './callers.ts';
import { Commits, type CommitsContext, type Revisions } from './commits.ts';
import { EvidenceLog } from './evidence.ts';
import { type Foreign, settleForeign } from './foreign-topology.ts';
import type { History } from './history.ts';
import { legible } from './legible.ts';
import { NodeWork, type NodeWorkContext } from './node-work.ts';
import type { NodeWatch } from './observation.ts';
import { Panel } from './panel.ts';
import type { Peers } from './peers.ts';
import { Refusal } from './refusal.ts';
import { Traces } from './traces.ts';
import { Watching, type WatchingContext } from './watching.ts';

export interface SupervisorContext extends CommitsContext, WatchingContext, NodeWorkContext {
  /** The other controllers; undefined where there are none. */
  readonly peers: Peers | undefined;
  /** What holds for a cluster that has not set it otherwise. */
  readonly policy: ClusterSettings;
  readonly random: RandomSource;
  /** The store says that this process does not lead, or holds something else than it should. */
  deposed(why: string): void;
  /** A commit failed since somebody else wrote the topology: `overtaken` is to be called with what is there. */
  overtaken(): void;
  /** The cluster has other nodes than before, by no caller's doing. */
  membersChanged(): void;
  /** Every node of an ending cluster is reset. */
  ended(): void;
}

/** It is read at once; where the store is too slow for that, the next commit finds out. */
const OVERTAKEN_WAITS = 1_000;
/** After a fault of our own the same is tried again at this pace. */
const RETRY_FAULT = 1_000;

export class Supervisor {
  #intended: Intended;
  readonly #context: SupervisorContext;
  readonly #commits: Commits;
  readonly #nodes: Watching;
  readonly #traces: Traces;
  readonly #panel: Panel;
  readonly #work: NodeWork;
  readonly #alarm: Alarm;
  readonly #markers: RandomSource;
  /** No two commits have the same one. */
  #fresh: string;
  readonly #callers: Callers;
  readonly #watchingSince: Instant;
  #trustFrom: Instant = Number.NEGATIVE_INFINITY;
  #committedAt: Instant;
  #committing = false;
  #ongoing: Promise<void> = Promise.resolve();
  #resting = false;
  #deciding = false;
  #again = false;
  #settled = false;
  #overwrite = false;
  #foreign: Foreign | undefined;
  /** Nothing is decided before what somebody else wrote is known. */
  #heldUntil: Instant = Number.NEGATIVE_INFINITY;
  #reports: readonly ShardReport[] = [];
  /** Why the last step was not done; undefined once one is. */
  #fault: { readonly what: string; readonly again: Instant } | undefined;
  #closed = false;
  #ended = false;

  constructor(context: SupervisorContext, intended: Intended, revisions: Revisions, history: History) {
    this.#context = context;
    this.#intended = intended;
    const { namespace, name } = intended.cluster;
    const evidence = new EvidenceLog(context.store, namespace, name, intended.nextEvent, context.log);
    this.#commits = new Commits(context, revisions, history, evidence);
    const now = context.runtime.clock.now();
    this.#watchingSince = now;
    this.#committedAt = now;
    this.#traces = new Traces(now);
    this.#callers = new Callers(context.runtime, () => this.world());
    this.#markers = context.runtime.random.child(`markers of ${namespace}/${name}`);
    this.#fresh = randomText(this.#markers, 24);
    this.#alarm = new Alarm(context.runtime, (stalled) => {
      if (stalled) this.stalled(context.runtime.clock.now());
      this.#input();
    });
    this.#work = new NodeWork(context, intended.cluster, {
      learned: (operation, facts) => {
        this.#traces.learn(operation, facts);
        this.#input();
      },
      seen: () => this.#input(),
      arrived: (node) => this.#nodes.askNow(node),
      use: (node, connection, work) => this.#nodes.use(node, connection, work),
    });
    this.#panel = new Panel(context.runtime, context.peers, () => this.#input());
    this.#nodes = new Watching(context, {
      intended: () => this.#intended,
      maxLag: () => this.#intended.settings.maxLag ?? context.policy.maxLag,
      seen: () => this.#input(),
      answered: (changed, at) => {
        if (changed || !this.#settled || at - this.#committedAt >= DETECTION.floorEvery) this.#input();
      },
      happened: (happening) => {
        if (!this.#closed) this.#commits.note(happening, this.#intended);
      },
      stalled: (at) => this.stalled(at),
      telling: () => this.#traces.told(),
      failed: (error) => this.#failed(error),
    });
    this.#nodes.follow();
    this.#input();
  }

  get revisions(): Revisions {
    return this.#commits.revisions;
  }

  get history(): History {
    return this.#commits.history;
  }

  get evidence(): EvidenceLog {
    return this.#commits.evidence;
  }

  get intended(): Intended {
    return this.#intended;
  }

  get reports(): readonly ShardReport[] {
    return this.#reports;
  }

  /** A defect that keeps this cluster from being decided about, in words. */
  get fault(): string | undefined {
    return this.#fault?.what;
  }

  watchOf(node: NodeId): NodeWatch | undefined {
    return this.#nodes.watchOf(node);
  }

  world(): World {
    const { clock } = this.#context.runtime;
    return {
      intended: this.#intended,
      view: (node) => this.#nodes.watchOf(node),
      trace: (operation) => this.#traces.get(operation),
      dampedSince: (shard) => this.#traces.dampedSince(shard),
      brake: this.#context.silences.brake,
      peers: (shard) => this.#peersView(shard),
      toldAgainAt: (node) => this.#traces.toldAgainAt(node),
      lateCommit: (shard) => this.#traces.lateCommit(shard),
      found: (node) => this.#work.found(node),
      fresh: this.#fresh,
      watchingSince: this.#watchingSince,
      trustFrom: this.#trustFrom,
      policy: { ...this.#context.policy, ...this.#intended.settings },
      now: clock.now(),
      wall: clock.wall(),
    };
  }

  #peersView(id: ShardId): PeersView {
    const shard = shardOf(this.#intended.cluster, id);
    const brokeAt = shard === undefined ? null : (this.watchOf(shard.master)?.brokeAt ?? null);
    return this.#panel.view(shard, brokeAt, this.#trustFrom);
  }

  /** While it is, the store may hold what is not known here yet to be ours. */
  get committing(): boolean {
    return this.#committing;
  }

  /**
   * Somebody else wrote the topology at `revision`, and no commit is under way. Settled before anything else is
   * decided, but for a switchover: what that commits goes over it.
   */
  overtaken(foreign: Omit<Foreign, 'overwritten'>, revision: Revision): void {
    this.#commits.overtakenBy(revision);
    this.#foreign = { ...foreign, overwritten: false };
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    this.#input();
  }

  /** Carried out between two commits; resolves once it is durable. Rejects with the command's `Refusal`. */
  submit(command: Command): Promise<Intended> {
    const committed = this.#callers.submit(command);
    this.#input();
    return committed;
  }

  /** Resolves true once `done` says so, false after `within`. Asked again after every input. */
  until(done: (world: World) => boolean, within: Duration): Promise<boolean> {
    return this.#callers.until(done, within);
  }

  /** Every node that is meant to know the committed version carries it. */
  nodesKnow(within: Duration): Promise<boolean> {
    return this.until(nodesKnow, within);
  }

  /** Reads every node again; `overwrite`: the committed topology also holds against foreign ones, once. */
  sync(overwrite: boolean): void {
    this.#overwrite ||= overwrite;
    this.#nodes.readAll();
    this.#input();
  }

  /**
   * Resolves once no commit is under way, and none is begun before the answer is called: whoever deletes the records must
   * not be taken for somebody else.
   */
  async rest(): Promise<() => void> {
    this.#resting = true;
    await this.#ongoing;
    return () => {
      this.#resting = false;
      this.#input();
    };
  }

  close(): void {
    this.#closed = true;
    this.#alarm.close();
    this.#commits.close();
    this.#nodes.close();
    this.#work.close();
    this.#callers.close();
  }

  /** This process stood still until now: what was asked before is not believed. */
  stalled(now: Instant): void {
    this.#trustFrom = now;
  }

  /** Decides now, unless it is being done, and then once more. */
  #input(): void {
    if (this.#closed || this.#resting) return;
    if (this.#deciding || this.#committing) {
      this.#again = true;
      return;
    }
    this.#deciding = true;
    try {
      do {
        this.#again = false;
        this.#step();
      } while (this.#again && !this.#committing && !this.#closed);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#deciding = false;
    }
    this.#callers.look();
  }

  /** A defect: told, contained to this cluster, and the same is tried again a little later. */
  #failed(error: unknown): void {
    const { log, runtime } = this.#context;
    const what = error instanceof Error ? error.message : String(error);
    const now = runtime.clock.now();
    if (this.#fault?.what !== what) {
      const stack = error instanceof Error ? error.stack : undefined;
      log.error({ cluster: this.#intended.cluster.name, error: what, stack }, 'a cluster could not be decided about');
    }
    this.#fault = { what, again: now + RETRY_FAULT };
    this.#alarm.at(this.#fault.again);
  }

  #step(): void {
    const now = this.#context.runtime.clock.now();
    const heldUntil = Math.max(this.#heldUntil, this.#fault?.again ?? this.#heldUntil);
    if (now < heldUntil) {
      this.#callers.hold(now, 'the controller cannot decide about this cluster; its status says why');
      this.#alarm.at(heldUntil);
      return;
    }
    const world = this.world();
    this.#panel.consult(world);
    this.#traces.followHandOver(world);
    const decision = decide(world, {
      resetDone: (node) => this.#work.resetDone(node),
      overwrite: this.#overwrite,
      committedAt: this.#committedAt,
    });
    this.#reports = decision.reports;
    this.#settled = decision.settled;
    this.#nodes.pace(paces(world, decision.reports));
    if (this.evidence.observe(world, decision.reports)) this.#commits.storeSoon();
    const proposal = this.#settleForeign() ?? decision.proposal;
    if (proposal !== undefined) {
      if (proposal === decision.proposal) this.#tell(decision);
      this.#commit(world, proposal, undefined);
      return;
    }
    if (this.#takeCommand(world)) return;
    this.#apply(decision);
    if (this.#intended.ending && this.#intended.cluster.leaving.length === 0 && !this.#ended) {
      this.#ended = true;
      this.#context.ended();
    }
  }

  #settleForeign(): Proposal | undefined {
    if (this.#foreign === undefined || switchoverOf(this.#intended) !== undefined) return undefined;
    return settleForeign(this.#intended, this.#foreign, this.#context.random);
  }

  /** True when a commit was begun for it. */
  #takeCommand(world: World): boolean {
    // The drained version must be followed by its own decision and by nothing else.
    if (switchoverOf(this.#intended) !== undefined) {
      this.#callers.hold(world.now, 'a switchover is under way; try again');
      return false;
    }
    const waiting = this.#callers.next();
    if (waiting === undefined) return false;
    try {
      this.#commit(world, waiting.command(world), waiting);
      return true;
    } catch (error) {
      waiting.reject(this.#refusalOf(error));
      this.#again = true;
      return false;
    }
  }

  #refusalOf(error: unknown): Error {
    if (!(error instanceof Refusal)) return error instanceof Error ? error : new Error(String(error));
    return new Refusal(error.code, legible(error.message, this.#intended.cluster), error.detail);
  }

  #apply(decision: Decision): void {
    this.#fault = undefined;
    this.#tell(decision);
    if (this.#context.mayAct()) {
      this.#nodes.hold(decision.jobs.held);
      this.#work.run(decision.jobs);
    }
    this.#alarm.at(decision.wakeAt);
  }

  #tell({ wants }: Decision): void {
    if (this.#context.mayAct()) this.#nodes.tell(wants);
  }

  #commit(world: World, proposal: Proposal, waiting: Waiting | undefined): void {
    this.#committing = true;
    const ended = this.#commitNow(world, proposal, waiting).catch((error: unknown) => {
      waiting?.reject(new Refusal('internal', 'a fault of the controller; its log has more'));
      this.#failed(error);
    });
    this.#ongoing = ended.then(() => {
      this.#committing = false;
      this.#input();
    });
  }

  /** `world`: what it was decided from. */
  async #commitNow(world: World, proposal: Proposal, waiting: Waiting | undefined): Promise<void> {
    const before = this.#intended;
    const written = await this.#commits.propose(this.world(), world, this.#reports, proposal, this.#traces.untold());
    switch (written.kind) {
      case 'written':
        this.#fault = undefined;
        this.#accept(before, written.after, proposal);
        this.#commits.publish(written.events, written.after.cluster);
        waiting?.resolve(written.after);
        return;
      case 'overtaken':
        waiting?.reject(written.refusal);
        this.#heldUntil = this.#context.runtime.clock.now() + OVERTAKEN_WAITS;
        this.#context.overtaken();
        return;
      case 'not-written':
        waiting?.reject(written.refusal);
        if (written.retryAfter > 0) await this.#pause(written.retryAfter);
        return;
      case 'deposed':
        waiting?.reject(written.refusal);
        this.#context.deposed(written.why);
    }
  }

  #pause(delay: Duration): Promise<void> {
    return new Promise((resolve) => this.#context.runtime.timers.after(delay, resolve));
  }

  #accept(before: Intended, after: Intended, proposal: Proposal): void {
    if (this.#closed) return;
    const now = this.#context.runtime.clock.now();
    this.#intended = after;
    this.#committedAt = now;
    this.#fresh = randomText(this.#markers, 24);
    if (after.cluster.version > before.cluster.version) this.#overwrite = false;
    this.#traces.committed(before, after, proposal, now);
    const gone = before.cluster.leaving.some((node) => !after.cluster.leaving.some((one) => one.id === node.id));
    const settled = this.#foreign !== undefined && switchoverOf(before) === undefined;
    if (this.#foreign !== undefined) this.#foreign = settled ? undefined : { ...this.#foreign, overwritten: true };
    if (gone || settled) this.#context.membersChanged();
    this.#nodes.committed(before, after, now);
    for (const node of this.#nodes.follow()) this.#work.forget(node);
    for (const { shard } of proposal.crashes ?? []) {
      const late = this.#traces.lateCommit(shard);
      if (late !== undefined) this.#nodes.askNow(late.before.master);
    }
  }
}
