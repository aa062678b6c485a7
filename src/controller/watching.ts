/**
 * The nodes of one cluster as its supervisor has them: each with what is seen of it, its prober and its outbox. What
 * they bring is folded here; whether it needs a decision is the supervisor's to say.
 */
import { PACE } from '../decisions/decide.ts';
import type { Want } from '../decisions/telling.ts';
import type { Happening, Told } from '../decisions/world.ts';
import type { Connection } from '../kvrocks/connection.ts';
import type { Intended } from '../operations/intended.ts';
import type { Duration, Instant, Runtime } from '../runtime/runtime.ts';
import { type Address, sameAddress } from '../topology/address.ts';
import { clusterKey, newestEntry, nodeOf, nodesOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import type { Log } from './log.ts';
import { NodeWatch } from './observation.ts';
import { Outbox } from './outbox.ts';
import { Prober } from './prober.ts';
import type { Silences } from './silences.ts';

interface Watched {
  readonly watch: NodeWatch;
  readonly prober: Prober;
  readonly outbox: Outbox;
  readonly address: Address;
  /** When the whole topology was last asked for. */
  readAt: Instant;
}

export interface WatchingContext {
  readonly runtime: Runtime;
  readonly log: Log;
  /** The first probes are spread over this: 0 for a cluster that somebody waits for. */
  readonly spread: Duration;
  /** Of all clusters, this one's among them. */
  readonly silences: Silences;
  /** A node was asked. */
  asked(): void;
  /** Leadership surely holds for a while longer. */
  mayAct(): boolean;
}

export interface WatchingHandlers {
  /** As committed now. */
  intended(): Intended;
  /** How far behind its master a replica may be promoted, in ms. */
  maxLag(): Duration;
  /** A decision may turn out otherwise. */
  seen(): void;
  /** A probe was answered; `changed`: a decision may turn out otherwise. */
  answered(changed: boolean, at: Instant): void;
  happened(happening: Happening): void;
  /** What is committed may be told from now on. */
  telling(): void;
  /** This process stood still until `now`. */
  stalled(now: Instant): void;
  /** What came could not be taken in: a defect of ours. */
  failed(error: unknown): void;
}

const READ_EVERY = 60_000;
/** Of a node whose settings are in the way of something: somebody may be mending them. */
const READ_AILING = 10_000;

export class Watching {
  readonly #context: WatchingContext;
  readonly #on: WatchingHandlers;
  readonly #nodes = new Map<NodeId, Watched>();

  constructor(context: WatchingContext, on: WatchingHandlers) {
    this.#context = context;
    this.#on = on;
  }

  watchOf(node: NodeId): NodeWatch | undefined {
    return this.#nodes.get(node)?.watch;
  }

  /** Exactly the nodes of the committed cluster are watched from now on. The ids of those that are not any more. */
  follow(): readonly NodeId[] {
    const { cluster } = this.#on.intended();
    const wanted = new Map<NodeId, { address: Address; highest: number }>();
    for (const node of nodesOf(cluster)) wanted.set(node.id, node);
    for (const node of cluster.leaving) wanted.set(node.id, { address: node.address, highest: 0 });
    const gone: NodeId[] = [];
    for (const [id, node] of this.#nodes) {
      const still = wanted.get(id);
      if (still !== undefined && sameAddress(still.address, node.address)) continue;
      this.#unwatch(id, node);
      gone.push(id);
    }
    for (const [id, { address, highest }] of wanted) if (!this.#nodes.has(id)) this.#watchNode(id, address, highest);
    return gone;
  }

  #unwatch(id: NodeId, node: Watched): void {
    node.prober.close();
    node.outbox.close();
    this.#nodes.delete(id);
    this.#context.silences.unwatched(this.#nameOf(id));
  }

  /** Unique over all clusters. */
  #nameOf(of: NodeId | ShardId): string {
    const { namespace, name } = this.#on.intended().cluster;
    return `${clusterKey(namespace, name)}/${of}`;
  }

  /** Every node is read again, whole, and asked. */
  readAll(): void {
    for (const node of this.#nodes.values()) {
      this.#read(node, true);
      node.prober.askNow();
    }
  }

  /** Asked at once, whatever its pace. */
  askNow(node: NodeId): void {
    this.#nodes.get(node)?.prober.askNow();
  }

  pace(paces: ReadonlyMap<NodeId, Duration>): void {
    for (const [id, node] of this.#nodes) node.prober.pace(paces.get(id) ?? PACE.quiet);
  }

  /** From here on it counts as told: it may go out at any moment. */
  tell(wants: readonly Want[]): void {
    if (wants.length > 0) this.#on.telling();
    for (const want of wants) this.#nodes.get(want.node)?.outbox.tell(want);
  }

  /** Connections on which these nodes were fenced stay open. */
  hold(nodes: readonly NodeId[]): void {
    for (const id of nodes) this.#nodes.get(id)?.outbox.keep();
  }

  /** Over the connection of this number, on which the node was fenced; undefined when that is gone. */
  use<T>(node: NodeId, connection: number, work: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    return this.#nodes.get(node)?.outbox.use(connection, work) ?? Promise.resolve(undefined);
  }

  close(): void {
    for (const [id, node] of this.#nodes) this.#unwatch(id, node);
  }

  /** What a commit changes in what is believed of the nodes. */
  committed(before: Intended, after: Intended, now: Instant): void {
    for (const node of nodesOf(after.cluster)) {
      const watch = this.watchOf(node.id);
      const old = nodesOf(before.cluster).find((one) => one.id === node.id);
      // A new proof explains a lower number: the node was attached anew or copied whole.
      if (old?.proof !== node.proof && node.proof !== null) watch?.restart(node.highest, now);
      if (old !== undefined && (old.membership !== node.membership || old.attaching !== node.attaching)) {
        if (node.attaching !== null && watch !== undefined) watch.attached = null;
        // From here on it begins anew, or is copied whole: its old number means nothing.
        if (node.attaching === 'empty' || node.attaching === 'copied') watch?.restart(0, now);
        if (node.attaching === 'log') watch?.restart(node.highest, now);
        if (node.membership === 'away' && old.membership === 'member') watch?.left(now);
      }
    }
  }

  #watchNode(id: NodeId, address: Address, highest: number): void {
    const { runtime, log, spread } = this.#context;
    const { clock } = runtime;
    const { password } = this.#on.intended().cluster;
    const watch = new NodeWatch(id, highest, clock.now(), clock.wall(), () => this.#on.maxLag());
    const outbox = new Outbox(runtime, id, address, password, {
      mayAct: () => this.#context.mayAct(),
      learned: (learned) => {
        watch.learn(learned, clock.now());
        this.#on.seen();
      },
      busy: (since) => {
        watch.busySince = since;
      },
      told: (want, told) => this.#told(watch, want, told),
      free: () => this.#on.seen(),
      notTold: (want, why) => {
        log.warn({ node: id, version: want.version, purpose: want.purpose, why }, 'node not told');
        this.#on.seen();
      },
      closed: (connection) => {
        if (watch.fenced?.connection !== connection) return;
        watch.fenceHolds = false;
        this.#on.seen();
      },
    });
    const delay = runtime.random.child(id).next() * spread;
    const prober = new Prober(runtime, address, password, delay, {
      connected: () => {
        const node = this.#nodes.get(id);
        if (node !== undefined) this.#read(node, true);
      },
      asked: () => this.#context.asked(),
      answered: (record) => this.#contained(() => this.#answered(id, record)),
      failed: (why, begunAt, wasOpen) =>
        this.#contained(() => {
          const before = watch.state;
          watch.failed(why, begunAt, wasOpen, clock.now(), clock.wall());
          this.#noteSilence(watch);
          this.#noteState(watch, before);
          this.#on.seen();
        }),
      stalled: () => this.#on.stalled(clock.now()),
    });
    const shard = nodeOf(this.#on.intended().cluster, id)?.shard.id ?? id;
    this.#context.silences.watched(this.#nameOf(id), this.#nameOf(shard));
    this.#nodes.set(id, { watch, prober, outbox, address, readAt: clock.now() });
  }

  /** One node's answer must not end the watch of all. */
  #contained(fold: () => void): void {
    try {
      fold();
    } catch (error) {
      this.#on.failed(error);
    }
  }

  #answered(id: NodeId, record: Parameters<NodeWatch['answered']>[0]): void {
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    const { watch } = node;
    const before = watch.state;
    const wasSilent = watch.brokeAt !== null;
    const changed = watch.answered(record, this.#context.runtime.clock.wall());
    if (wasSilent || watch.brokeAt !== null) this.#noteSilence(watch);
    const since = record.answeredAt - node.readAt;
    // A node that woke between our questions has answered the probe and not who it is; an answer may have been lost.
    const strange = watch.version !== null && watch.version !== (watch.holds?.version ?? -1);
    const unread = watch.myId === null || watch.process === null || strange;
    const ailing = watch.passwordless === true || watch.dangers.length > 0;
    const due = since > (ailing ? READ_AILING : READ_EVERY);
    // Settings can be changed while it runs, and it says so to nobody.
    if (due || (unread && since >= PACE.quiet / 2)) this.#read(node, due || watch.process === null);
    if (before !== watch.state) this.#noteState(watch, before);
    this.#on.answered(changed, record.answeredAt);
  }

  /** What a node that is being told something says is read behind that. */
  #read(node: Watched, settings: boolean): void {
    node.readAt = this.#context.runtime.clock.now();
    void node.outbox.read(settings);
  }

  #told(watch: NodeWatch, want: Want, told: Told | null): void {
    if (told !== null) {
      if (want.purpose === 'fence' || want.purpose === 'drain' || want.purpose === 'release') watch.fence(told);
      if (want.purpose === 'attach') {
        // Told again, it has grown by what its new master wrote: the first answer since the promotion is the one to judge.
        const shard = nodeOf(this.#on.intended().cluster, want.node)?.shard;
        const since = shard === undefined ? 0 : newestEntry(shard).version;
        if (watch.attached === null || watch.attached.version < since || told.before !== 'slave')
          watch.attached = told.sequence > 0 && told.sequence < watch.highest ? { ...told, below: true } : told;
        watch.unfence();
      }
      // Behind an earlier push that did it, its number counts what clients have written since.
      if (want.purpose === 'promote' && told.before === 'slave') watch.promoted = told;
      watch.heard(told);
    }
    this.#nodes.get(want.node)?.prober.askNow();
    this.#on.seen();
  }

  #noteSilence(watch: NodeWatch): void {
    if (watch.brokeAt === null) this.#context.silences.seen(this.#nameOf(watch.id));
    else this.#context.silences.fell(this.#nameOf(watch.id), watch.brokeAt);
  }

  #noteState(watch: NodeWatch, before: string): void {
    if (before === watch.state) return;
    const down = watch.state === 'refused' || watch.state === 'silent' || watch.state === 'garbled';
    if (before === 'unknown' && !down) return;
    const kind = watch.state === 'up' ? 'node.up' : down ? 'node.down' : 'node.changed';
    const reason = watch.reason === null ? '' : `: ${watch.reason}`;
    this.#on.happened({ kind, message: `${watch.id} is ${watch.state}${reason}`, by: 'controller', node: watch.id });
  }
}
