/** A committed topology as the API writes it. */
import type { ClusterView, MoveView } from '../controller/control-plane.ts';
import { formatAddress } from '../topology/address.ts';
import { type Cluster, NEW_NODE, type Node, type Shard } from '../topology/cluster.ts';
import { formatRange, type SlotRange } from '../topology/slots.ts';
import type { ClusterBody, NodeBody, ShardBody } from './schemas.ts';

/** How passwords are written: masked, unless the caller may see them. */
export type Passwords = 'masked' | 'clear';

export function nodeBody(cluster: Cluster, shard: Shard, node: Node, passwords: Passwords): NodeBody {
  // One password for all nodes: what a node asks for is what it sends its master.
  const password = passwords === 'clear' ? cluster.password.reveal() : cluster.password.toString();
  return {
    id: node.id,
    addr: formatAddress(node.address),
    role: node.id === shard.master ? 'master' : 'slave',
    password,
    master_auth: password,
    created_at: node.createdAt,
    ...(node.membership === 'away' && { state: 'away' as const }),
    ...(node.priority !== NEW_NODE.priority && { priority: node.priority }),
    ...(node.noFailover && { no_failover: true as const }),
  };
}

/** Old clients read an integer while one slot moves, and -1 when idle. */
function moving(range: SlotRange | undefined): number | string {
  if (range === undefined) return -1;
  return range.from === range.to ? range.from : formatRange(range);
}

/** The move that runs, or else the next that will: a shard is idle only when nothing is left to move. */
function firstMove(moves: readonly MoveView[], concerns: (move: MoveView) => boolean): MoveView | undefined {
  const own = moves.filter(concerns);
  return own.find((move) => move.running) ?? own[0];
}

export function shardBody({ cluster, moves }: ClusterView, shard: Shard, passwords: Passwords): ShardBody {
  const leaving = firstMove(moves, (move) => move.source === shard.id);
  const arriving = firstMove(moves, (move) => move.target === shard.id);
  return {
    id: shard.id,
    nodes: shard.nodes.map((node) => nodeBody(cluster, shard, node, passwords)),
    slot_ranges: shard.slots.length === 0 ? null : shard.slots.map(formatRange),
    target_shard_index: leaving === undefined ? -1 : cluster.shards.findIndex((other) => other.id === leaving.target),
    migrating_slot: moving(leaving?.range),
    import_slot: moving(arriving?.range),
  };
}

export function clusterBody(view: ClusterView, passwords: Passwords): ClusterBody {
  return {
    name: view.cluster.name,
    version: view.cluster.version,
    shards: view.cluster.shards.map((shard) => shardBody(view, shard, passwords)),
  };
}
