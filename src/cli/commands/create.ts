import { command, group } from '../command.ts';
import { usage } from '../exit.ts';
import { CLUSTER, clusterAt, findShard, SHARD, SHARDS } from '../lookup.ts';
import type { Session } from '../session.ts';
import { forceNodes, ifVersion, nodes, noWait, password, replica, shard } from '../settings.ts';
import { nodesKnow, waitFor } from '../waiting.ts';

function wantedNodes(session: Session): string[] {
  const wanted = session.get(nodes);
  if (wanted.length === 0) throw usage('the nodes are missing', 'Name them with --nodes 127.0.0.1:7001,127.0.0.1:7002');
  return [...wanted];
}

/** Members of a request that adds nodes. */
const adding = (session: Session) => ({
  password: session.get(password).reveal(),
  ...(session.get(forceNodes) && { force: true }),
});

const createNamespace = command({
  names: ['namespace', 'ns'],
  args: '<namespace>',
  about: 'Create a namespace',
  run: async (session) => {
    const namespace = session.arg(0);
    const data = await session.ask(session.api.POST('/api/v1/namespaces', { body: { namespace } }));
    session.show(data, `create namespace: ${namespace} successfully.\n`);
  },
});

const createCluster = command({
  names: ['cluster'],
  args: '<cluster>',
  about: 'Create a cluster from empty nodes, its slots split evenly over the shards',
  settings: [nodes, replica, password, forceNodes, noWait],
  examples: [
    'kvctl create cluster c1 -n ns --nodes 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003,127.0.0.1:7004 --replica 2',
  ],
  run: async (session) => {
    const place = session.place(session.arg(0));
    const data = await session.ask(
      session.api.POST('/api/v1/namespaces/{namespace}/clusters', {
        params: { path: { namespace: place.namespace }, query: session.writing.query },
        body: {
          name: place.cluster,
          nodes: wantedNodes(session),
          replicas: session.get(replica),
          ...adding(session),
        },
      }),
    );
    session.show(data, `create cluster: ${place.cluster} successfully.\n`);
    await waitFor(session, place, nodesKnow);
  },
});

const createShard = command({
  names: ['shard'],
  about: 'Add a shard without slots to a cluster',
  settings: [nodes, password, forceNodes, ifVersion, noWait],
  examples: ['kvctl create shard -n ns -c c1 --nodes 127.0.0.1:7005,127.0.0.1:7006'],
  run: async (session) => {
    const place = session.place();
    const { query, header } = session.writing;
    const data = await session.ask(
      session.api.POST(SHARDS, {
        params: { path: place, query, header },
        body: { nodes: wantedNodes(session), ...adding(session) },
      }),
    );
    session.show(data, 'create shard successfully.\n');
    await waitFor(session, place, nodesKnow);
  },
});

const createNode = command({
  names: ['node'],
  args: '<address>',
  about: 'Add a node to a shard, as a replica of its master',
  settings: [shard, password, forceNodes, ifVersion, noWait],
  examples: ['kvctl create node 127.0.0.1:7007 -n ns -c c1 --shard 0'],
  run: async (session) => {
    const place = session.place();
    const addr = session.arg(0);
    const wanted = session.get(shard);
    if (wanted === undefined) throw usage('the shard is missing', 'Name it with --shard <index or id>');
    const found = findShard(await clusterAt(session, place), wanted);
    const { query, header } = session.writing;
    const data = await session.ask(
      session.api.POST(`${SHARD}/nodes`, {
        params: { path: { ...place, shard: found.shard.id }, query, header },
        body: { addr, role: 'slave', ...adding(session) },
      }),
    );
    session.show(data, `create node: ${addr} successfully.\n`);
    await waitFor(session, place, nodesKnow);
  },
});

export const create = group(
  ['create'],
  'Create a namespace, cluster, shard or node',
  createNamespace,
  createCluster,
  createShard,
  createNode,
);

export const importing = group(
  ['import'],
  'Take over a cluster that its nodes know already',
  command({
    names: ['cluster'],
    args: '<cluster>',
    about: 'Take over a cluster that its nodes know already; any of its nodes will do',
    settings: [nodes, password, noWait],
    examples: ['kvctl import cluster c1 -n ns --nodes 127.0.0.1:7001'],
    run: async (session) => {
      const place = session.place(session.arg(0));
      const data = await session.ask(
        session.api.POST(`${CLUSTER}/import`, {
          params: { path: place, query: session.writing.query },
          body: { nodes: wantedNodes(session), password: session.get(password).reveal() },
        }),
      );
      session.show(data, `import cluster: ${place.cluster} successfully.\n`);
      await waitFor(session, place, nodesKnow);
    },
  }),
);
