/**
 * Everything of one cluster that is committed together: its topology, its long operations, its pause. The text for
 * each node is a pure function of this value and of nothing that was observed.
 */
import type { Cluster } from '../topology/cluster.ts';
import { fingerprint } from '../topology/fingerprint.ts';
import type { NodeId, ShardId, Version } from '../topology/ids.ts';
import { topologyText } from '../topology/text.ts';
import { type ActiveMove, isActive, type Move, takesPart } from './move.ts';
import type { Plan } from './plan.ts';
import type { ClusterSettings } from './settings.ts';
import type { Switchover } from './switchover.ts';
import type { Tuned } from './tuning.ts';

export type Operation = Switchover | Move | Plan;
export type OperationId = string;

export interface Pause {
  /** Milliseconds since 1970; null: until somebody resumes. */
  readonly until: number | null;
  readonly by: string;
}

export interface Intended {
  readonly cluster: Cluster;
  readonly operations: readonly Operation[];
  readonly pause: Pause | null;
  /** What was set for this cluster alone; the rest is as the process was started. */
  readonly settings: Partial<ClusterSettings>;
  /** What servers of it get back once it is not needed any more. */
  readonly tuned: readonly Tuned[];
  /** The id that the next event gets. */
  readonly nextEvent: number;
  /** Every node is leaving to be reset; once all are, the cluster is gone. */
  readonly ending: boolean;
}

export const switchoverOf = (intended: Intended): Switchover | undefined =>
  intended.operations.find((operation) => operation.kind === 'switchover');

export const movesOf = (intended: Intended): readonly Move[] =>
  intended.operations.filter((operation) => operation.kind === 'move');

// Asked for with every decision; a value that is never changed in place can be remembered by identity.
const actives = new WeakMap<Intended, readonly ActiveMove[]>();
const heldNodes = new WeakMap<Intended, ReadonlySet<NodeId>>();
const looks = new WeakMap<Intended, Look>();

function remembered<T>(of: WeakMap<Intended, T>, intended: Intended, make: () => T): T {
  const known = of.get(intended) ?? make();
  of.set(intended, known);
  return known;
}

/** Moves that nodes are busy with: no two of them have a shard in common. */
export const activeMoves = (intended: Intended): readonly ActiveMove[] =>
  remembered(actives, intended, () => movesOf(intended).filter(isActive));

/** What nodes of this shard are busy with: one move, unless another controller has begun more. */
export const movesOfShard = (intended: Intended, shard: ShardId): readonly ActiveMove[] =>
  activeMoves(intended).filter((move) => takesPart(move, shard));

export const moveOfShard = (intended: Intended, shard: ShardId): ActiveMove | undefined =>
  movesOfShard(intended, shard)[0];

export function withOperation(intended: Intended, changed: Operation): Intended {
  return {
    ...intended,
    operations: intended.operations.map((operation) => (operation.id === changed.id ? changed : operation)),
  };
}

export function withoutOperation(intended: Intended, id: OperationId): Intended {
  return { ...intended, operations: intended.operations.filter((operation) => operation.id !== id) };
}

/** The committed version as it is told, and as it is read back. */
export interface Look {
  readonly text: string;
  readonly fingerprint: string;
}

/** What the committed version tells whoever it is meant for; `meantFor` says for whom. */
export function lookOf(intended: Intended): Look {
  return remembered(looks, intended, () => {
    const switchover = switchoverOf(intended);
    const drained = switchover?.phase === 'draining' ? { shard: switchover.shard, to: switchover.to } : undefined;
    const text = topologyText(intended.cluster, drained);
    return { text, fingerprint: fingerprint(text) };
  });
}

/**
 * Whether the committed version may be told to `node` at all. A drained version is for the old master alone: told to
 * its replica, it would promote it before it has caught up. The ends of a running migration hear nothing, and the
 * target of a piece of which nobody knows whose it is neither; an end that was replaced is told like any other node. Nor
 * is an end held whose job is to be ended: that is done by telling the target.
 */
export function meantFor(intended: Intended, node: NodeId): boolean {
  const switchover = switchoverOf(intended);
  if (switchover?.phase === 'draining' && switchover.from !== node) return false;
  return !remembered(heldNodes, intended, () => held(intended)).has(node);
}

function held(intended: Intended): ReadonlySet<NodeId> {
  const nodes = new Set<NodeId>();
  for (const move of activeMoves(intended)) {
    const holds = (shard: ShardId, node: NodeId) => {
      if (intended.cluster.shards.find(({ id }) => id === shard)?.master === node) nodes.add(node);
    };
    if (move.phase === 'held') holds(move.target, move.targetNode);
    if (move.phase !== 'migrating') continue;
    holds(move.source, move.sourceNode);
    if (move.endedAt === null) holds(move.target, move.targetNode);
  }
  return nodes;
}

/** A new version of the topology: one above the present and above `seen`. */
export function nextVersion(intended: Intended, cluster: Cluster, seen: Version = 0): Intended {
  return { ...intended, cluster: { ...cluster, version: Math.max(intended.cluster.version, seen) + 1 } };
}
