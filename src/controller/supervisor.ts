/**
 * The one writer of one cluster. Everything that can change it is an input, taken one at a time: it is folded into
 * what is seen, decisions are made, a change is committed before anything is told, and what is to be told goes into
 * the nodes' outboxes. Nothing here ever waits for a node.
 */
import { brokenPromises } from '../checks/promises.ts';
import { type Decision, decide, nodesKnow, PACE, paces } from '../decisions/decide.ts';
import type { ShardReport } from '../decisions/failover.ts';
import { withFloors } from '../decisions/floor.ts';
import type { Want } from '../decisions/telling.ts';
import { DETECTION, type Happening, type Proposal, type Told, type Trace, type World } from '../decisions/world.ts';
import { type Intended, type OperationId, switchoverOf } from '../operations/intended.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Cancel, Duration, Instant, Runtime } from '../runtime/runtime.ts';
import type { Fence, Revision, Store, Write } from '../store/port.ts';
import type { Address } from '../topology/address.ts';
import { newestEntry, nodeOf, nodesOf } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import type { ClusterEvent } from './events.ts';
import type { History } from './history.ts';
import { JobRunner } from './job-runner.ts';
import { legible } from './legible.ts';
import type { Log } from './log.ts';
import { NodeWatch } from './observation.ts';
import { Outbox } from './outbox.ts';
import { Prober } from './prober.ts';
import { encode, stateKey, topologyKey } from './records.ts';
import { Refusal } from './refusal.ts';

/** What a caller may still do to the cluster, seen from its committed state. Throws a `Refusal`. */
export type Command = (world: World) => Proposal;

interface Waiting {
  readonly command: Command;
  readonly deadline: Instant;
  resolve(intended: Intended): void;
  reject(why: Error): void;
}

interface Watched {
  readonly watch: NodeWatch;
  readonly prober: Prober;
  readonly outbox: Outbox;
  readonly address: Address;
  /** When the whole topology was last asked for. */
  readAt: Instant;
}

/** At which each of the cluster's two records was last written; 0 for one that is not there yet. */
export interface Revisions {
  readonly topology: Revision;
  readonly state: Revision;
}

export interface SupervisorContext {
  readonly runtime: Runtime;
  readonly store: Store;
  readonly fence: Fence;
  /** The instant until which leadership surely holds. */
  heldUntil(): Instant;
  /** What holds for a cluster that has not set it otherwise. */
  readonly policy: ClusterSettings;
  readonly log: Log;
  /** The first probes are spread over this: 0 for a cluster that somebody waits for. */
  readonly spread: Duration;
  /** The store says that this process does not lead, or holds something else than it should. */
  deposed(why: string): void;
  /** A node is no part of the cluster any more, by a decision of its own. */
  left(): void;
  /** Every node of an ending cluster is reset. */
  ended(): void;
}

/** A push goes out only while the lease has this much to spare, in ms. */
const LEASE_TO_SPARE = 1_000;
/** Commands wait this long for a switchover or a commit that is under way. */
const COMMAND_WAITS = 5_000;
const READ_EVERY = 60_000;
const RETRY_COMMIT = 200;
const STORE_NOTES_AFTER = 200;

export class Supervisor {
  #intended: Intended;
  #revisions: Revisions;
  readonly #context: SupervisorContext;
  readonly #history: History;
  readonly #nodes = new Map<NodeId, Watched>();
  readonly #traces = new Map<OperationId, Trace>();
  readonly #resets = new Map<NodeId, string>();
  readonly #jobs: JobRunner;
  readonly #commands: Waiting[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #watchingSince: Instant;
  #trustFrom: Instant = Number.NEGATIVE_INFINITY;
  #committedAt: Instant;
  #committing = false;
  #deciding = false;
  #again = false;
  #settled = false;
  #overwrite = false;
  #reports: readonly ShardReport[] = [];
  #moveWaitsFor: string | undefined;
  #wake: { at: Instant; cancel: Cancel } | undefined;
  #closed = false;
  #ended = false;
  /** Told already, and stored with the next commit or in a moment. */
  #unstored: ClusterEvent[] = [];
  #storeSoon: Cancel | undefined;

  constructor(context: SupervisorContext, intended: Intended, revisions: Revisions, history: History) {
    this.#context = context;
    this.#intended = intended;
    this.#revisions = revisions;
    this.#history = history;
    const now = context.runtime.clock.now();
    this.#watchingSince = now;
    this.#committedAt = now;
    this.#jobs = new JobRunner(context.runtime, intended.cluster.password, {
      reached: (operation, reached) => this.#trace(operation, { reached }),
      migrated: (operation, migration) => this.#trace(operation, { migration }),
      reset: (node, how) => {
        this.#resets.set(node, how);
        this.#input();
      },
    });
    this.#watchNodes();
    this.#input();
  }

  get revisions(): Revisions {
    return this.#revisions;
  }

  get history(): History {
    return this.#history;
  }

  get intended(): Intended {
    return this.#intended;
  }

  get reports(): readonly ShardReport[] {
    return this.#reports;
  }

  get moveWaitsFor(): string | undefined {
    return this.#moveWaitsFor;
  }

  watchOf(node: NodeId): NodeWatch | undefined {
    return this.#nodes.get(node)?.watch;
  }

  world(): World {
    const { clock } = this.#context.runtime;
    return {
      intended: this.#intended,
      view: (node) => this.#nodes.get(node)?.watch,
      trace: (operation) => this.#traces.get(operation),
      watchingSince: this.#watchingSince,
      trustFrom: this.#trustFrom,
      policy: { ...this.#context.policy, ...this.#intended.settings },
      now: clock.now(),
      wall: clock.wall(),
    };
  }

  /** Carried out between two commits; resolves once it is durable. Rejects with the command's `Refusal`. */
  submit(command: Command): Promise<Intended> {
    return new Promise((resolve, reject) => {
      const deadline = this.#context.runtime.clock.now() + COMMAND_WAITS;
      this.#commands.push({ command, deadline, resolve, reject });
      this.#input();
    });
  }

  /** Resolves true once `done` says so, false after `within`. Asked again after every input. */
  until(done: (world: World) => boolean, within: Duration): Promise<boolean> {
    if (done(this.world())) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (result: boolean) => {
        this.#watchers.delete(look);
        cancel();
        resolve(result);
      };
      const look = () => {
        if (this.#closed) finish(false);
        else if (done(this.world())) finish(true);
      };
      const cancel = this.#context.runtime.timers.after(within, () => finish(false));
      this.#watchers.add(look);
    });
  }

  /** Every node that is meant to know the committed version carries it. */
  nodesKnow(within: Duration): Promise<boolean> {
    return this.until(nodesKnow, within);
  }

  /** Reads every node again; `overwrite`: the committed topology also holds against foreign ones, once. */
  sync(overwrite: boolean): void {
    this.#overwrite ||= overwrite;
    for (const node of this.#nodes.values()) {
      this.#read(node, true);
      node.prober.askNow();
    }
    this.#input();
  }

  close(): void {
    this.#closed = true;
    this.#wake?.cancel();
    this.#storeSoon?.();
    for (const node of this.#nodes.values()) this.#unwatch(node);
    this.#nodes.clear();
    this.#jobs.close();
    const gone = new Refusal('not_leader', 'this controller does not lead any more; try again');
    for (const waiting of this.#commands.splice(0)) waiting.reject(gone);
    this.#look();
  }

  /** This process stood still until now: what was asked before is not believed. */
  stalled(now: Instant): void {
    this.#trustFrom = now;
  }

  #trace(operation: OperationId, facts: Partial<Trace>): void {
    const known = this.#traces.get(operation) ?? { phaseAt: this.#watchingSince };
    this.#traces.set(operation, { ...known, ...facts });
    this.#input();
  }

  #watchNodes(): void {
    const wanted = new Map<NodeId, { address: Address; highest: number }>();
    for (const node of nodesOf(this.#intended.cluster)) wanted.set(node.id, node);
    for (const node of this.#intended.cluster.leaving) wanted.set(node.id, { address: node.address, highest: 0 });
    for (const [id, node] of this.#nodes) {
      const still = wanted.get(id);
      if (still !== undefined && still.address.host === node.address.host && still.address.port === node.address.port)
        continue;
      this.#unwatch(node);
      this.#nodes.delete(id);
      this.#resets.delete(id);
    }
    for (const [id, { address, highest }] of wanted) if (!this.#nodes.has(id)) this.#watchNode(id, address, highest);
  }

  #unwatch(node: Watched): void {
    node.prober.close();
    node.outbox.close();
  }

  #watchNode(id: NodeId, address: Address, highest: number): void {
    const { runtime, log } = this.#context;
    const { clock } = runtime;
    const { password } = this.#intended.cluster;
    const watch = new NodeWatch(
      id,
      highest,
      clock.now(),
      clock.wall(),
      () => this.#intended.settings.maxLag ?? this.#context.policy.maxLag,
    );
    const outbox = new Outbox(runtime, id, address, password, {
      learned: (learned) => {
        watch.learn(learned, clock.now());
        this.#input();
      },
      busy: (since) => {
        watch.busySince = since;
      },
      told: (want, told) => this.#told(watch, want, told),
      notTold: (want, why) => {
        log.warn({ node: id, version: want.version, purpose: want.purpose, why }, 'node not told');
        this.#input();
      },
      closed: (connection) => {
        if (watch.fenced?.connection !== connection) return;
        watch.fenceHolds = false;
        this.#input();
      },
    });
    const delay = runtime.random.child(id).next() * this.#context.spread;
    const prober = new Prober(runtime, address, password, delay, {
      connected: () => {
        const node = this.#nodes.get(id);
        if (node !== undefined) this.#read(node, true);
      },
      answered: (record) => this.#answered(id, record),
      failed: (why, begunAt, wasOpen) => {
        const before = watch.state;
        watch.failed(why, begunAt, wasOpen, clock.now(), clock.wall());
        this.#noteState(watch, before);
        this.#input();
      },
      stalled: () => this.stalled(clock.now()),
    });
    this.#nodes.set(id, { watch, prober, outbox, address, readAt: clock.now() });
  }

  #answered(id: NodeId, record: Parameters<NodeWatch['answered']>[0]): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    const { watch } = node;
    const before = watch.state;
    const changed = watch.answered(record, this.#context.runtime.clock.wall());
    if (record.answeredAt - node.readAt > READ_EVERY) this.#read(node, false);
    // A node that woke between our questions has answered the probe and not who it is.
    else if (watch.myId === null || (watch.version !== null && watch.version !== (watch.holds?.version ?? -1)))
      this.#read(node, false);
    if (before !== watch.state) this.#noteState(watch, before);
    if (changed || !this.#settled || this.#dueBy(record.answeredAt)) this.#input();
  }

  #dueBy(now: Instant): boolean {
    return now - this.#committedAt >= DETECTION.floorEvery;
  }

  #read(node: Watched, settings: boolean): void {
    const now = this.#context.runtime.clock.now();
    // A node that is being told something is read back by the push itself.
    if (!settings && now - node.readAt < PACE.quiet / 2) return;
    node.readAt = now;
    void node.outbox.read(settings);
  }

  #told(watch: NodeWatch, want: Want, told: Told | null): void {
    if (told !== null) {
      if (want.purpose === 'fence' || want.purpose === 'drain' || want.purpose === 'release') watch.fence(told);
      if (want.purpose === 'attach') {
        // Told again, it has grown by what its new master wrote: the first answer since the promotion is the one to judge.
        const shard = nodeOf(this.#intended.cluster, want.node)?.shard;
        const since = shard === undefined ? 0 : newestEntry(shard).version;
        if (watch.attached === null || watch.attached.version < since || told.before?.role !== 'slave')
          watch.attached = told;
        watch.unfence();
      }
      if (want.purpose === 'promote' && told.before?.role === 'slave') watch.promoted = told;
      watch.heard(told);
    }
    this.#nodes.get(want.node)?.prober.askNow();
    this.#input();
  }

  #noteState(watch: NodeWatch, before: string): void {
    if (before === watch.state || this.#closed) return;
    const down = watch.state === 'refused' || watch.state === 'silent' || watch.state === 'garbled';
    if (before === 'unknown' && !down) return;
    const kind = watch.state === 'up' ? 'node.up' : down ? 'node.down' : 'node.changed';
    const reason = watch.reason === null ? '' : `: ${watch.reason}`;
    this.#note({ kind, message: `${watch.id} is ${watch.state}${reason}`, by: 'controller', node: watch.id });
  }

  /** What only happened is told at once and stored a little later, many of one moment together. */
  #note(happening: Happening): void {
    const events = this.#stamp([happening], this.#intended);
    this.#history.publish(events);
    this.#unstored.push(...events);
    this.#storeSoon ??= this.#context.runtime.timers.after(STORE_NOTES_AFTER, () => {
      this.#storeSoon = undefined;
      const writes = this.#history.writes(this.#unstored.splice(0));
      if (writes.length > 0) void this.#context.store.commit(writes, this.#context.fence);
    });
  }

  #stamp(happenings: readonly Happening[], after: Intended): readonly ClusterEvent[] {
    const words = (message: string) => legible(message, after.cluster, this.#intended.cluster);
    const told = happenings.map((happening) => ({ ...happening, message: words(happening.message) }));
    return this.#history.stamp(told, after.cluster.version);
  }

  /** Decides now, unless it is being done, and then once more. */
  #input(): void {
    if (this.#closed) return;
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
    } finally {
      this.#deciding = false;
    }
    this.#look();
  }

  #look(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  #step(): void {
    const world = this.world();
    this.#followHandOver(world);
    const decision = decide(world, {
      resetDone: (node) => this.#resets.get(node),
      overwrite: this.#overwrite,
      committedAt: this.#committedAt,
    });
    this.#reports = decision.reports;
    this.#moveWaitsFor = decision.moveWaitsFor;
    this.#settled = decision.settled;
    const paced = paces(world, decision.reports);
    for (const [id, node] of this.#nodes) node.prober.pace(paced.get(id) ?? PACE.quiet);
    if (decision.proposal !== undefined) {
      this.#commit(decision.proposal, undefined);
      return;
    }
    if (this.#takeCommand(world)) return;
    this.#apply(world, decision);
    if (this.#intended.ending && this.#intended.cluster.leaving.length === 0 && !this.#ended) {
      this.#ended = true;
      this.#context.ended();
    }
  }

  #followHandOver(world: World): void {
    for (const operation of this.#intended.operations) {
      if (operation.kind !== 'move' || operation.phase !== 'handing-over') continue;
      const trace = this.#traces.get(operation.id) ?? { phaseAt: world.now };
      const target = this.#nodes.get(operation.targetNode)?.watch;
      const knows = target?.holds !== null && (target?.holds?.version ?? -1) >= operation.version;
      if (trace.targetKnewAt === undefined && knows)
        this.#traces.set(operation.id, { ...trace, targetKnewAt: world.now });
      else if (!this.#traces.has(operation.id)) this.#traces.set(operation.id, trace);
    }
  }

  /** True when a commit was begun for it. */
  #takeCommand(world: World): boolean {
    // The drained version must be followed by its own decision and by nothing else.
    if (switchoverOf(this.#intended) !== undefined) {
      const late = this.#commands.findIndex((waiting) => world.now >= waiting.deadline);
      if (late >= 0)
        this.#commands
          .splice(late, 1)[0]
          ?.reject(new Refusal('operation_running', 'a switchover is under way; try again'));
      return false;
    }
    const waiting = this.#commands.shift();
    if (waiting === undefined) return false;
    try {
      this.#commit(waiting.command(world), waiting);
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

  #apply(world: World, decision: Decision): void {
    if (this.#context.heldUntil() - world.now > LEASE_TO_SPARE) {
      for (const want of decision.wants) this.#nodes.get(want.node)?.outbox.tell(want);
      this.#jobs.run(decision.jobs);
    }
    this.#wakeAt(decision.wakeAt);
  }

  #wakeAt(at: Instant | undefined): void {
    if (at === undefined || this.#wake?.at === at) return;
    this.#wake?.cancel();
    const delay = Math.max(1, at - this.#context.runtime.clock.now());
    const cancel = this.#context.runtime.timers.after(delay, () => {
      this.#wake = undefined;
      const late = this.#context.runtime.clock.now() - at;
      if (late > 250) this.stalled(this.#context.runtime.clock.now());
      this.#input();
    });
    this.#wake = { at, cancel };
  }

  #commit(proposal: Proposal, waiting: Waiting | undefined): void {
    this.#committing = true;
    void this.#commitNow(proposal, waiting).finally(() => {
      this.#committing = false;
      this.#input();
    });
  }

  async #commitNow(proposal: Proposal, waiting: Waiting | undefined): Promise<void> {
    const before = this.#intended;
    const events = this.#stamp(proposal.events, proposal.next);
    const floors = withFloors(this.world(), proposal.next);
    const after: Intended = { ...floors, nextEvent: this.#history.nextId };
    const broken = brokenPromises(before, after);
    if (broken.length > 0) {
      this.#context.log.error(
        { broken, events: events.map((event) => event.message) },
        'a decision would break a promise and was not committed',
      );
      waiting?.reject(new Refusal('internal', 'the change would break a promise and was not made', broken));
      await this.#pause(RETRY_COMMIT);
      return;
    }
    if (!(await this.#write(after, events, waiting))) return;
    this.#accept(before, after, events);
    waiting?.resolve(after);
  }

  /** False when nothing was committed. */
  async #write(after: Intended, events: readonly ClusterEvent[], waiting: Waiting | undefined): Promise<boolean> {
    const { store, fence, deposed } = this.#context;
    const { namespace, name } = after.cluster;
    const records = encode(after);
    const writes: Write[] = [
      { key: topologyKey(namespace, name), expected: this.#revisions.topology, value: records.topology },
      { key: stateKey(namespace, name), expected: this.#revisions.state, value: records.state },
    ];
    const outcome = await store.commit(
      [...writes, ...this.#history.writes([...this.#unstored.splice(0), ...events])],
      fence,
    );
    switch (outcome.kind) {
      case 'committed':
        this.#revisions = { topology: outcome.revision, state: outcome.revision };
        return true;
      case 'conflict':
      case 'fenced':
        waiting?.reject(new Refusal('not_leader', 'this controller does not lead any more; try again'));
        deposed(
          outcome.kind === 'fenced' ? 'the store refused its token' : `somebody else wrote ${outcome.keys.join(', ')}`,
        );
        return false;
      case 'failed':
        waiting?.reject(new Refusal('unavailable', `the metadata store did not take the change: ${outcome.why}`));
        await this.#pause(RETRY_COMMIT);
        return false;
      case 'unknown':
        return this.#findOut(records.state, after, waiting);
    }
  }

  /** The answer to a commit got lost: nothing is done until it was read whether it happened. */
  async #findOut(state: string, after: Intended, waiting: Waiting | undefined): Promise<boolean> {
    const key = stateKey(after.cluster.namespace, after.cluster.name);
    while (!this.#closed) {
      try {
        const [entry] = await this.#context.store.read([key]);
        if (entry?.value === state) {
          this.#revisions = { topology: entry.revision, state: entry.revision };
          return true;
        }
        if ((entry?.revision ?? 0) === this.#revisions.state) {
          waiting?.reject(new Refusal('unavailable', 'the metadata store did not take the change; try again'));
          return false;
        }
        waiting?.reject(
          new Refusal('outcome_unknown', 'it is not known whether the change was made; look before you try again'),
        );
        this.#context.deposed('the store holds a state that this controller did not write');
        return false;
      } catch {
        await this.#pause(RETRY_COMMIT);
      }
    }
    waiting?.reject(
      new Refusal('outcome_unknown', 'it is not known whether the change was made; look before you try again'),
    );
    return false;
  }

  #pause(delay: Duration): Promise<void> {
    return new Promise((resolve) => this.#context.runtime.timers.after(delay, resolve));
  }

  #accept(before: Intended, after: Intended, events: readonly ClusterEvent[]): void {
    if (this.#closed) return;
    const now = this.#context.runtime.clock.now();
    this.#intended = after;
    this.#committedAt = now;
    if (after.cluster.version > before.cluster.version) this.#overwrite = false;
    for (const operation of after.operations) {
      const old = before.operations.find((one) => one.id === operation.id);
      if (
        old === undefined ||
        old.phase !== operation.phase ||
        (old.kind === 'move' && operation.kind === 'move' && old.failures !== operation.failures)
      ) {
        this.#traces.set(operation.id, { phaseAt: now });
      }
    }
    for (const old of before.operations) {
      if (!after.operations.some((one) => one.id === old.id)) this.#traces.delete(old.id);
    }
    const gone = before.cluster.leaving.some((node) => !after.cluster.leaving.some((one) => one.id === node.id));
    if (gone) this.#context.left();
    for (const node of nodesOf(after.cluster)) {
      const old = nodesOf(before.cluster).find((one) => one.id === node.id);
      // A new proof explains a lower number: the node was attached anew or copied whole.
      if (old?.proof !== node.proof && node.proof !== null) this.watchOf(node.id)?.restart(node.highest);
      if (old !== undefined && (old.membership !== node.membership || old.attaching !== node.attaching)) {
        const watch = this.watchOf(node.id);
        if (node.attaching !== null && watch !== undefined) watch.attached = null;
        // From here on it begins anew, or is copied whole: its old number means nothing.
        if (node.attaching === 'empty' || node.attaching === 'copied') watch?.restart(0);
        if (node.membership === 'away' && old.membership === 'member') watch?.left(now);
      }
    }
    this.#watchNodes();
    this.#history.publish(events);
    for (const event of events) {
      const { kind, message, by, version } = event;
      this.#context.log.info(
        { kind, by, version, cluster: `${after.cluster.namespace}/${after.cluster.name}` },
        message,
      );
    }
  }
}
