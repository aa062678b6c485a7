/**
 * The topology as `CLUSTERX SETNODES` takes it: a line a node, masters with their slots, replicas with their master's
 * id. Away nodes are absent. Every slot that is owned is named, since a slot left out of a text is not freed.
 */
import { type Cluster, replicasOf, type Shard } from './cluster.ts';
import type { NodeId, ShardId } from './ids.ts';
import { ALL_SLOTS, formatRange, NO_SLOTS, type SlotSet } from './slots.ts';

/** A switchover's drain: `from`, the master, stands without slots, and `to` as the master of all of them. */
export interface Drained {
  readonly shard: ShardId;
  readonly to: NodeId;
}

function masterLine(node: { id: NodeId; address: { host: string; port: number } }, slots: SlotSet): string {
  const ranges = slots.map((range) => ` ${formatRange(range)}`).join('');
  return `${node.id} ${node.address.host} ${node.address.port} master -${ranges}`;
}

function shardLines(shard: Shard, drained: Drained | undefined): string[] {
  const draining = drained?.shard === shard.id ? drained : undefined;
  const lines: string[] = [];
  for (const node of shard.nodes) {
    if (node.membership === 'away') continue;
    if (draining?.to === node.id) lines.push(masterLine(node, shard.slots));
    else if (node.id === shard.master) lines.push(masterLine(node, draining === undefined ? shard.slots : NO_SLOTS));
    else lines.push(`${node.id} ${node.address.host} ${node.address.port} slave ${draining?.to ?? shard.master}`);
  }
  return lines;
}

/** The one text of this version. It goes as it is to members, and fences whoever is missing from it. */
export function topologyText(cluster: Cluster, drained?: Drained): string {
  return cluster.shards.flatMap((shard) => shardLines(shard, drained)).join('\n');
}

/** Stands for the owner of slots that nobody serves any more; no node has this id. */
const NOBODY = { id: '0'.repeat(40), address: { host: '127.0.0.1', port: 1 } };

/**
 * The text that releases a removed node: the committed topology with the node as a master without slots. No two
 * texts of one version that go to different nodes disagree on a slot's owner. Where the whole cluster ends, its slots
 * go to nobody: left out, each node would keep its own.
 */
export function releasingText(cluster: Cluster, node: { id: NodeId; address: { host: string; port: number } }): string {
  const rest = cluster.shards.length === 0 ? masterLine(NOBODY, ALL_SLOTS) : topologyText(cluster);
  return `${rest}\n${masterLine(node, NO_SLOTS)}`;
}

/** Replicas that a text names for this shard. */
export const namedReplicas = (shard: Shard) => replicasOf(shard).filter((node) => node.membership === 'member');
