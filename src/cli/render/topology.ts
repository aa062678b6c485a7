/** A committed topology as tables. */
import type { Cluster, Node, Shard } from '../session.ts';
import { type Column, table } from './table.ts';
import { plain, traits } from './text.ts';

const slotsOf = (shard: Shard): string | null => shard.slot_ranges?.join(' ') ?? null;

/** `5-9 to 2`, or `5-9 from another shard`; null when nothing moves. */
function moving(shard: Shard): string | null {
  if (shard.migrating_slot !== -1) return `${shard.migrating_slot} to ${shard.target_shard_index}`;
  return shard.import_slot === -1 ? null : `${shard.import_slot} arriving`;
}

interface ShardRow {
  readonly index: number;
  readonly shard: Shard;
}

const shardColumns: readonly Column<ShardRow>[] = [
  { title: 'SHARD', cell: ({ index }) => index, right: true },
  { title: 'ID', cell: ({ shard }) => shard.id },
  { title: 'SLOTS', cell: ({ shard }) => slotsOf(shard) },
  { title: 'MOVING', cell: ({ shard }) => moving(shard) },
  { title: 'MASTER', cell: ({ shard }) => shard.nodes.find(({ role }) => role === 'master')?.addr },
  { title: 'NODES', cell: ({ shard }) => shard.nodes.length, right: true },
];

export const shardTable = (shards: readonly Shard[]): string =>
  table(
    shardColumns,
    shards.map((shard, index) => ({ index, shard })),
  );

interface NodeRow extends ShardRow {
  readonly node: Node;
}

const nodeColumns: readonly Column<NodeRow>[] = [
  { title: 'SHARD', cell: ({ index }) => index, right: true },
  { title: 'ADDRESS', cell: ({ node }) => node.addr },
  {
    title: 'ROLE',
    cell: ({ node }) => [node.role, ...(node.state === undefined ? [] : [node.state]), ...traits(node)].join(', '),
  },
  { title: 'ID', cell: ({ node }) => node.id },
];

const topologyColumns: readonly Column<NodeRow>[] = [
  ...nodeColumns.slice(0, 3),
  { title: 'SLOTS', cell: ({ node, shard }) => (node.role === 'master' ? slotsOf(shard) : null) },
  { title: 'MOVING', cell: ({ node, shard }) => (node.role === 'master' ? moving(shard) : null) },
  ...nodeColumns.slice(3),
];

/** Shards by their index, which a single one does not have by itself. */
export type Indexed = readonly (readonly [number, Shard])[];

const rows = (shards: Indexed): readonly NodeRow[] =>
  shards.flatMap(([index, shard]) => shard.nodes.map((node) => ({ index, shard, node })));

export const nodeTable = (shards: Indexed): string => table(nodeColumns, rows(shards));
export const topologyTable = (shards: Indexed): string => table(topologyColumns, rows(shards));

export const clusterText = (namespace: string, cluster: Cluster): string =>
  `cluster ${plain(cluster.name)} of namespace ${plain(namespace)}, version ${cluster.version}\n\n${topologyTable([...cluster.shards.entries()])}`;
