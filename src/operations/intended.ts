/**
 * Everything of one cluster that is committed together: its topology, its long operations, its pause. The text for
 * each node is a pure function of this value and of nothing that was observed.
 */
import type { Cluster } from '../topology/cluster.ts';
import { fingerprint } from '../topology/fingerprint.ts';
import type { NodeId, Version } from '../topology/ids.ts';
import { topologyText } from '../topology/text.ts';
import type { Move } from './move.ts';
import type { ClusterSettings } from './settings.ts';
import type { Switchover } from './switchover.ts';

export type Operation = Switchover | Move;
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
  /** The id that the next event gets. */
  readonly nextEvent: number;
  /** Every node is leaving to be reset; once all are, the cluster is gone. */
  readonly ending: boolean;
}

export const switchoverOf = (intended: Intended): Switchover | undefined =>
  intended.operations.find((operation) => operation.kind === 'switchover');

export const movesOf = (intended: Intended): readonly Move[] =>
  intended.operations.filter((operation) => operation.kind === 'move');

/** The move that nodes are busy with: MIGRATE was sent, or its outcome is being told. */
export const activeMove = (intended: Intended): Move | undefined =>
  movesOf(intended).find((move) => move.phase === 'migrating' || move.phase === 'handing-over');

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

// Asked for with every decision; a value that is never changed in place can be remembered by identity.
const looks = new WeakMap<Intended, Look>();

/** What the committed version tells whoever it is meant for; `meantFor` says for whom. */
export function lookOf(intended: Intended): Look {
  const known = looks.get(intended);
  if (known !== undefined) return known;
  const switchover = switchoverOf(intended);
  const drained = switchover?.phase === 'draining' ? { shard: switchover.shard, to: switchover.to } : undefined;
  const text = topologyText(intended.cluster, drained);
  const look = { text, fingerprint: fingerprint(text) };
  looks.set(intended, look);
  return look;
}

/**
 * Whether the committed version may be told to `node` at all. A drained version is for the old master alone: told to
 * its replica, it would promote it before it has caught up. Both ends of a running migration hear nothing.
 */
export function meantFor(intended: Intended, node: NodeId): boolean {
  const switchover = switchoverOf(intended);
  if (switchover?.phase === 'draining' && switchover.from !== node) return false;
  return !movesOf(intended).some(
    (move) => move.phase === 'migrating' && (move.sourceNode === node || move.targetNode === node),
  );
}

/** A new version of the topology: one above the present and above `seen`. */
export function nextVersion(intended: Intended, cluster: Cluster, seen: Version = 0): Intended {
  return { ...intended, cluster: { ...cluster, version: Math.max(intended.cluster.version, seen) + 1 } };
}
