import { command, group } from '../command.ts';
import { CLUSTER, clusterAt, findShard, SHARDS } from '../lookup.ts';
import { table } from '../render/table.ts';
import { clusterText, nodeTable, shardTable, topologyTable } from '../render/topology.ts';
import { shard } from '../settings.ts';

const names = (title: string, list: readonly string[]): string => table([{ title, cell: (name) => name }], list);

const listNamespaces = command({
  names: ['namespaces', 'namespace', 'ns'],
  about: 'List the namespaces',
  run: async (session) => {
    const data = await session.ask(session.api.GET('/api/v1/namespaces'));
    session.show(data, names('NAMESPACE', data.namespaces));
  },
});

const listClusters = command({
  names: ['clusters', 'cluster'],
  about: 'List the clusters of a namespace',
  run: async (session) => {
    const path = { namespace: session.namespace() };
    const data = await session.ask(session.api.GET('/api/v1/namespaces/{namespace}/clusters', { params: { path } }));
    session.show(data, names('CLUSTER', data.clusters));
  },
});

const listShards = command({
  names: ['shards', 'shard'],
  about: 'List the shards of a cluster',
  run: async (session) => {
    const data = await session.ask(session.api.GET(SHARDS, { params: { path: session.place() } }));
    session.show(data, shardTable(data.shards));
  },
});

const listNodes = command({
  names: ['nodes', 'node'],
  about: 'List the nodes of a cluster, or of one shard',
  settings: [shard],
  run: async (session) => {
    const cluster = await clusterAt(session, session.place());
    const wanted = session.get(shard);
    const found = wanted === undefined ? undefined : findShard(cluster, wanted);
    const shards = found === undefined ? [...cluster.shards.entries()] : [[found.index, found.shard] as const];
    session.show({ nodes: shards.flatMap(([, { nodes }]) => nodes) }, nodeTable(shards));
  },
});

export const list = group(
  ['list', 'ls'],
  'List namespaces, clusters, shards or nodes',
  listNamespaces,
  listClusters,
  listShards,
  listNodes,
);

const getCluster = command({
  names: ['cluster'],
  args: '[cluster]',
  about: 'Show the committed topology of a cluster',
  run: async (session) => {
    const place = session.place(session.args[0]);
    const data = await session.ask(session.api.GET(CLUSTER, { params: { path: place } }));
    session.show(data, clusterText(place.namespace, data.cluster));
  },
});

const getShard = command({
  names: ['shard'],
  args: '<shard>',
  about: 'Show one shard of a cluster',
  run: async (session) => {
    const { shard: found, index } = findShard(await clusterAt(session, session.place()), session.arg(0));
    session.show({ shard: found }, topologyTable([[index, found]]));
  },
});

export const get = group(['get'], 'Show a cluster or a shard', getCluster, getShard);
