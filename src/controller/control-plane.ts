/**
 * What the HTTP API may ask of the controller, and nothing else. Reads answer from memory, at once; writes resolve
 * once they are durable and, unless told not to wait, the nodes know or `wait` has passed. Every refusal is thrown
 * as a `Refusal`. Request bodies come parsed and bounded; what needs the state of the world is checked here.
 */
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import type { Cluster } from '../topology/cluster.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { CheckView, FixResult } from './check-views.ts';
import type { FixOptions } from './checking.ts';
import type { ClusterEvent } from './events.ts';
import type { Evidence } from './evidence-record.ts';
import type { MovePlane } from './move-plane.ts';
import type { Replay, SalvageContents, SalvageView } from './salvages.ts';
import type { NodeChange, SettingsChange, SettingsView } from './settings-changes.ts';
import type { ClusterStatus } from './status.ts';

/** Who asks: recorded with everything that it causes. */
export interface Caller {
  /** A name for people, such as `127.0.0.1` or a token's name. */
  readonly name: string;
}

export interface ClusterName {
  readonly namespace: string;
  readonly cluster: string;
}

/** Milliseconds that a write waits for the nodes, unless its caller says otherwise. */
export const WAIT_FOR_NODES = 2_000;

export interface WriteOptions {
  readonly caller: Caller;
  /** Refuse with `changed` unless the cluster is at this version. */
  readonly ifVersion?: number | undefined;
  /** Milliseconds to wait for the nodes after the commit; 2,000 by default, 0 not at all. */
  readonly wait?: number | undefined;
  readonly force?: boolean | undefined;
}

/** Checks on nodes that the caller takes upon itself. */
export interface NodeChecks {
  readonly skipClusterMode?: boolean | undefined;
  readonly skipVersion?: boolean | undefined;
}

export interface NewCluster {
  readonly name: string;
  readonly nodes: readonly Address[];
  /** Nodes in each shard, masters included; divides `nodes.length`. */
  readonly replicas: number;
  readonly password: Secret;
}

/** How a shard is addressed: by its place in the list, or by its id. */
export type ShardRef = { readonly index: number } | { readonly id: string };

/** A move as the API shows it beside its shards. */
export interface MoveView {
  readonly source: string;
  readonly target: string;
  readonly range: SlotRange;
  readonly running: boolean;
}

/** A cluster as readers get it: the committed topology and the moves that are under way in it. */
export interface ClusterView {
  readonly cluster: Cluster;
  readonly moves: readonly MoveView[];
}

export interface ControlPlane extends MovePlane {
  /** True once leadership and state are there: requests are served. */
  ready(): boolean;
  /** Who leads, as `host:port`; undefined when nobody does. */
  leader(): string | undefined;

  namespaces(): readonly string[];
  createNamespace(namespace: string, options: WriteOptions): Promise<void>;
  deleteNamespace(namespace: string, options: WriteOptions): Promise<void>;

  /** Sorted names. Throws `not_found` for an unknown namespace. */
  clusters(namespace: string): readonly string[];
  /** Throws `not_found`. */
  cluster(name: ClusterName): ClusterView;
  /** Throws `not_found`. */
  status(name: ClusterName): ClusterStatus;
  /** How it is watched and mended. Throws `not_found`. */
  settings(name: ClusterName): SettingsView;
  /** Newest last, with an id above `after`, at most `limit`. Throws `not_found`. */
  events(name: ClusterName, after: number, limit: number): Promise<readonly ClusterEvent[]>;
  /**
   * What the last decisions were made from, the newest first, at most `limit`; of one shard where it is named, also of
   * one that is gone if it is named by its id. Throws `not_found` for an unknown cluster or index.
   */
  evidence(name: ClusterName, shard: ShardRef | undefined, limit: number): Promise<readonly Evidence[]>;
  /** Calls with each event from now on until closed; never waits for `on`. Throws `not_found`. */
  watchEvents(name: ClusterName, on: (event: ClusterEvent) => void): { close(): void };

  createCluster(namespace: string, wanted: NewCluster, checks: NodeChecks, options: WriteOptions): Promise<void>;
  importCluster(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void>;
  /** `reset`: the nodes are fenced, flushed and reset; otherwise nothing is pushed and data stays. */
  deleteCluster(name: ClusterName, reset: boolean, options: WriteOptions): Promise<void>;

  createShard(
    name: ClusterName,
    nodes: readonly Address[],
    password: Secret,
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void>;
  deleteShard(name: ClusterName, shard: ShardRef, reset: boolean, options: WriteOptions): Promise<void>;
  failover(name: ClusterName, shard: ShardRef, preferred: string | undefined, options: WriteOptions): Promise<Promoted>;
  /** Who would be promoted and why each other would not, from what is seen now; changes nothing. */
  failoverPlan(name: ClusterName, shard: ShardRef, preferred: string | undefined, force: boolean): FailoverPlan;

  createNode(
    name: ClusterName,
    shard: ShardRef,
    node: { readonly address: Address; readonly role: 'master' | 'slave'; readonly password: Secret },
    checks: NodeChecks,
    options: WriteOptions,
  ): Promise<void>;
  /** Removes it from the topology; `reset` empties it, otherwise it keeps its data as a master without slots. */
  deleteNode(name: ClusterName, shard: ShardRef, node: string, reset: boolean, options: WriteOptions): Promise<void>;
  /** Gives up a leaving node that cannot be told, or drops an away node without telling it. */
  forgetNode(name: ClusterName, node: string, options: WriteOptions): Promise<void>;
  /**
   * Has a node copied whole that is kept out since it parted from its shard, or that nothing proves. `force`: also
   * where what it alone holds cannot be saved first. Resolves once that is stored.
   */
  readmitNode(name: ClusterName, node: string, options: WriteOptions): Promise<void>;
  /** Accepts a master that came back without its data as it is: what its shard had is given up. */
  readmitEmpty(name: ClusterName, node: string, options: WriteOptions): Promise<void>;
  /** Files of what nodes alone held when they were copied over, newest first. */
  salvages(name: ClusterName): Promise<readonly SalvageView[]>;
  /** Its commands from the `after`th on, at most `limit`. Rejects with `not_found`. */
  salvage(name: ClusterName, id: string, after: number, limit: number): Promise<SalvageContents>;
  /**
   * Writes again what a node alone held, as a client would, where the shard has not written the key since they parted;
   * `dryRun`: only says what would be done.
   */
  replaySalvage(name: ClusterName, id: string, dryRun: boolean, options: WriteOptions): Promise<Replay>;
  /** What is special about a node: at once, and nothing is told to any. Its address: proven first, and told to all. */
  changeNode(
    name: ClusterName,
    shard: ShardRef,
    node: string,
    change: NodeChange,
    options: WriteOptions,
  ): Promise<void>;
  /**
   * Empties a node that no cluster claims (left over from an earlier try), or an away node of this cluster: fence,
   * flush, reset. `force` where it holds data.
   */
  resetNode(address: Address, password: Secret, options: WriteOptions): Promise<void>;

  /** At once; a null gives back what the process was started with. */
  changeSettings(name: ClusterName, change: SettingsChange, options: WriteOptions): Promise<void>;
  /** Nothing is changed by the controller itself until `until` (milliseconds since 1970; null: until resumed). */
  pause(name: ClusterName, until: number | null, options: WriteOptions): Promise<void>;
  resume(name: ClusterName, options: WriteOptions): Promise<void>;
  /** Reads every node again now and heals what differs; `force` also overwrites a newer or foreign topology. */
  sync(name: ClusterName, options: WriteOptions): Promise<void>;

  /**
   * What is wrong between what is stored, what the nodes carry and what they hold. Each node is asked anew, and each
   * master looked through for keys of others' slots for at most `scanFor` ms; 0: not at all.
   */
  check(name: ClusterName, scanFor: number): Promise<CheckView>;
  /** Mends the finding of this key, as `check` names it; with `dryRun` only says what would be done. */
  fix(name: ClusterName, finding: string, options: FixOptions): Promise<FixResult>;
}

/** What may be lost with a master that does not answer. */
export interface MayLose {
  /** Sequence numbers that were seen of it and that its successor lacks. */
  readonly records: number;
  /** Milliseconds since its last answer: what it wrote in them nobody knows. Null: it never answered this process. */
  readonly unseen_ms: number | null;
}

export interface Promoted {
  readonly master: string;
  /** Null after a switchover, which loses nothing. */
  readonly mayLose: MayLose | null;
}

export interface FailoverPlan {
  readonly shard: string;
  readonly master: string;
  /** `switchover`: the master answers, and nothing is lost. `promotion`: it does not. */
  readonly how: 'switchover' | 'promotion';
  /** The node that would be promoted; null when none would be. */
  readonly candidate: string | null;
  /** Why none would be. */
  readonly refused: string | null;
  /** None would be, and with `force` one would, at the price of `may_lose`: this one. */
  readonly needs_force: boolean;
  readonly with_force: string | null;
  /** Null where nothing may be lost, or nobody could be promoted. */
  readonly may_lose: MayLose | null;
  readonly judged: readonly {
    readonly node: string;
    readonly sequence: number | null;
    /** Empty when it may be promoted. */
    readonly refusals: readonly string[];
    /** It may be promoted, and why another one would be. */
    readonly passedOver: string | null;
  }[];
}
