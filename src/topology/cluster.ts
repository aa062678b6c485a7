/**
 * The intended topology of one cluster: a value that is committed as a whole under one version, and never changed in
 * place. What the nodes really hold is observed elsewhere.
 */
import type { Secret } from '../runtime/secret.ts';
import type { Address } from './address.ts';
import type { NodeId, Sequence, ShardId, Version } from './ids.ts';
import { intersect, NO_SLOTS, type SlotSet, union } from './slots.ts';

/**
 * The lineage entry under which a node was last proven to hold a prefix of its shard's history, and how:
 * `master` of that entry; attached `empty`; attached `within` its limit; `copied` whole; by the `log`; `trust`ed at
 * import, as it said its link was up.
 */
export interface Proof {
  readonly entry: Version;
  readonly how: 'master' | 'empty' | 'within' | 'copied' | 'log' | 'trust';
  /** Copied by force: the process that was. A later one may have lost the copy with its power, and hold what it replaced. */
  readonly process?: ServerProcess;
}

export interface Node {
  readonly id: NodeId;
  readonly address: Address;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** `away`: listed, but absent from every text until the rule of lineage lets it back. */
  readonly membership: 'member' | 'away';
  /** The highest sequence it was ever seen at, as last stored. */
  readonly highest: Sequence;
  /** Null: unproven. Never a candidate, and attached only with sequence 0 or by a full copy. */
  readonly proof: Proof | null;
  /**
   * On what ground the present topology names it as a replica, until that is confirmed and its link was seen up:
   * then it becomes the proof. Null: nothing is outstanding.
   */
  readonly attaching: Attach | null;
  /** Among equally advanced replicas the one with the higher number is promoted. 0 to 1000. */
  readonly priority: number;
  /** Never promoted unless an operator names it. */
  readonly noFailover: boolean;
  /**
   * Its link was down while its master answered, and was not seen up since: it lacks what the master wrote meanwhile,
   * and cannot tell a dead master from a broken path. Neither witness nor candidate.
   */
  readonly cutOff: boolean;
  /** It is to be copied whole, by force; null: no. */
  readonly copy: Copy | null;
}

/**
 * From the finding that a node holds, or may hold, what its shard does not have, to the proof that it was copied whole.
 * Never a master meanwhile; `decisions/copies.ts` says what becomes of it.
 */
export interface Copy {
  /**
   * The text of a script that is loaded on the node before it is attached: gone from it exactly if everything that
   * it held was replaced (Kvrocks keeps scripts in the database).
   */
  readonly marker: string;
  /** The first sequence of what it alone may hold: all below is the shard's. Null: nobody can tell. */
  readonly partedAt: Sequence | null;
  /** The newest entry of the lineage when `partedAt` was found; a promotion after it may cut the shard's history below. */
  readonly under: Version;
  /** What the node alone holds is saved up to this sequence, or nobody wants it; null: not saved yet. */
  readonly saved: Sequence | null;
  /** Looks of the log's entry that ends at `saved`: another one there means that the node was written anew. */
  readonly seal: string;
  /** Copy it though what it alone holds cannot be saved, on somebody's word. */
  readonly force: boolean;
  /** `controller` until somebody asks for it. */
  readonly by: string;
  /** Copies that turned out not to be whole. */
  readonly failures: number;
  /** The process that the marker was loaded in; null: it is not loaded. Only while that runs does its absence prove anything. */
  readonly process: ServerProcess | null;
}

/** A run of a server: its process id, and when it began by its own clock, in ms since 1970, exact to a second. */
export interface ServerProcess {
  readonly id: number;
  readonly startedAt: number;
}

/** Its clock and its count of seconds are read one after the other. */
const SAME_START = 2_000;

export const sameProcess = (a: ServerProcess, b: ServerProcess): boolean =>
  a.id === b.id && Math.abs(a.startedAt - b.startedAt) <= SAME_START;

/** What every new node of a shard begins with. */
export const NEW_NODE = {
  membership: 'member',
  highest: 0,
  proof: null,
  attaching: null,
  priority: 100,
  noFailover: false,
  cutOff: false,
  copy: null,
} as const satisfies Partial<Node>;

/**
 * `empty`: at sequence 0. `within`: its number is within its limit. `log`: every entry of its log up to `highest` was
 * compared with its master's. `copied`: by force, or since the servers compare histories themselves.
 */
export type Attach = 'empty' | 'within' | 'log' | 'copied';

/**
 * One promotion. `sequence` is P, the new master's number at its promotion; until the exact one is known it is what
 * the decision read (never above P).
 */
export interface LineageEntry {
  readonly version: Version;
  readonly master: NodeId;
  readonly sequence: Sequence;
  readonly exact: boolean;
}

export interface Shard {
  readonly id: ShardId;
  /** The id of one of `nodes`, a member. */
  readonly master: NodeId;
  /** In the order in which they are listed. */
  readonly nodes: readonly Node[];
  readonly slots: SlotSet;
  /** Oldest first, never empty; the last entry is the present master's. */
  readonly lineage: readonly LineageEntry[];
  /** The highest sequence that its master is known to have reached. */
  readonly floor: Sequence;
  /** What a candidate must have reached: the floor less what may be lost. */
  readonly eligibleFrom: Sequence;
  /**
   * Set by an unplanned failover: the next one of this shard waits, by `level` longer, until its master has proven
   * itself. Null: none was, or it has.
   */
  readonly damping: { readonly level: number } | null;
  /**
   * Its master answered without what it had reached, this number, and nobody could replace it. Null: it did not. Until
   * somebody is promoted, or an operator accepts the loss, what the master writes from then on proves nothing.
   */
  readonly dataLost: Sequence | null;
}

/** A removed node that was not told yet: probed and claimed until it was, or until an operator forgets it. */
export interface LeavingNode {
  readonly id: NodeId;
  readonly address: Address;
  /** The last version that named it. */
  readonly version: Version;
  /** `reset`: flushed and reset once fenced. `release`: made a master without slots, its data left. */
  readonly how: 'reset' | 'release';
}

export interface Cluster {
  readonly namespace: string;
  readonly name: string;
  readonly version: Version;
  /** One for all nodes, as client password and towards masters. */
  readonly password: Secret;
  readonly shards: readonly Shard[];
  readonly leaving: readonly LeavingNode[];
}

export const clusterKey = (namespace: string, name: string): string => `${namespace}/${name}`;

export function shardOf(cluster: Cluster, id: ShardId): Shard | undefined {
  return cluster.shards.find((shard) => shard.id === id);
}

export function nodeOf(cluster: Cluster, id: NodeId): { readonly shard: Shard; readonly node: Node } | undefined {
  for (const shard of cluster.shards) {
    const node = shard.nodes.find((candidate) => candidate.id === id);
    if (node !== undefined) return { shard, node };
  }
  return undefined;
}

export function nodesOf(cluster: Cluster): readonly Node[] {
  return cluster.shards.flatMap((shard) => shard.nodes);
}

export function masterOf(shard: Shard): Node {
  const master = shard.nodes.find((node) => node.id === shard.master);
  if (master === undefined) throw new Error(`shard ${shard.id} names a master that it does not hold`);
  return master;
}

export const replicasOf = (shard: Shard): readonly Node[] => shard.nodes.filter((node) => node.id !== shard.master);

export const coverage = (cluster: Cluster): SlotSet =>
  cluster.shards.reduce((all, shard) => union(all, shard.slots), NO_SLOTS);

export function withShard(cluster: Cluster, id: ShardId, change: (shard: Shard) => Shard): Cluster {
  return { ...cluster, shards: cluster.shards.map((shard) => (shard.id === id ? change(shard) : shard)) };
}

export function withNode(shard: Shard, id: NodeId, change: (node: Node) => Node): Shard {
  return { ...shard, nodes: shard.nodes.map((node) => (node.id === id ? change(node) : node)) };
}

export const newestEntry = (shard: Shard): LineageEntry => {
  const entry = shard.lineage.at(-1);
  if (entry === undefined) throw new Error(`shard ${shard.id} has no lineage`);
  return entry;
};

/** What makes a topology impossible, in words; empty when it may be committed. */
export function faultsOf(cluster: Cluster): readonly string[] {
  const faults: string[] = [];
  const ids = new Set<string>();
  let owned: SlotSet = NO_SLOTS;
  for (const [index, shard] of cluster.shards.entries()) {
    const twice = intersect(owned, shard.slots);
    if (twice.length > 0) faults.push(`shard ${index}: slot ${twice[0]?.from} has another owner already`);
    owned = union(owned, shard.slots);
    const master = shard.nodes.find((node) => node.id === shard.master);
    if (master === undefined) faults.push(`shard ${index}: its master ${shard.master} is none of its nodes`);
    else if (master.membership !== 'member') faults.push(`shard ${index}: its master ${shard.master} is away`);
    if (shard.lineage.at(-1)?.master !== shard.master)
      faults.push(`shard ${index}: its lineage ends with another master`);
    for (const node of shard.nodes) {
      if (ids.has(node.id)) faults.push(`node ${node.id} is listed twice`);
      ids.add(node.id);
    }
  }
  for (const node of cluster.leaving) if (ids.has(node.id)) faults.push(`node ${node.id} is listed and leaving`);
  return faults;
}
