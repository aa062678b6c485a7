import { Type } from 'typebox';
import { invalid, notFound } from '../../controller/refusal.ts';
import { nodeOf } from '../../topology/cluster.ts';
import type { Api, ApiContext } from '../context.ts';
import { nodesExample } from '../examples.ts';
import {
  nodeChecks,
  plainOptions,
  readAddress,
  readFlag,
  readPassword,
  readShard,
  refuseUnknown,
  wantsReset,
  writeOptions,
} from '../reading.ts';
import {
  ClusterNodePath,
  DeleteQuery,
  NewNodeBody,
  NodeChangeBody,
  NodePath,
  PlainBody,
  ResetBody,
  RevealQuery,
  ShardPath,
  WriteCheckHeaders,
  WriteHeaders,
  WriteQuery,
} from '../requests.ts';
import { mayReveal } from '../reveal.ts';
import { Created, data, NodeBody, Ok, ON_CHANGE, refused } from '../schemas.ts';
import { nodeBody } from '../views.ts';
import { BASE, CLUSTER, NODE, NODES } from './paths.ts';
import { shardAt } from './shards.ts';

const tags = ['nodes'];

export function nodeRoutes(api: Api, context: ApiContext): void {
  const { plane } = context;
  api.post(
    NODES,
    {
      schema: {
        operationId: 'createNode',
        summary: 'Add a node to a shard',
        tags,
        params: ShardPath,
        querystring: WriteQuery,
        headers: WriteCheckHeaders,
        body: NewNodeBody,
        response: {
          201: data(Created, 'It is there.', { data: 'created' }),
          ...refused('already_exists', 'not_found', 'node_check_failed', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request, reply) => {
      const { addr, role, password } = request.body;
      const node = {
        address: readAddress('addr', addr),
        role: role === 'master' ? ('master' as const) : ('slave' as const),
        password: readPassword(password),
      };
      const shard = readShard(request.params.shard);
      await plane.createNode(request.params, shard, node, nodeChecks(request.headers), writeOptions(request));
      reply.code(201);
      return { data: 'created' as const };
    },
  );

  api.get(
    NODES,
    {
      schema: {
        operationId: 'listNodes',
        summary: 'List the nodes of a shard',
        tags,
        params: ShardPath,
        querystring: RevealQuery,
        response: {
          200: data(Type.Object({ nodes: Type.Array(NodeBody) }), 'The nodes, in their order.', {
            data: { nodes: nodesExample },
          }),
          ...refused('not_found'),
        },
      },
    },
    async (request) => {
      const { cluster } = plane.cluster(request.params);
      const shard = shardAt(cluster, readShard(request.params.shard));
      const passwords = mayReveal(request, context) ? 'clear' : 'masked';
      return { data: { nodes: shard.nodes.map((node) => nodeBody(cluster, shard, node, passwords)) } };
    },
  );

  api.delete(
    NODE,
    {
      schema: {
        operationId: 'deleteNode',
        summary: 'Remove a replica from its shard',
        description: 'It keeps its data as a master without slots, or is emptied with `reset`.',
        tags,
        params: NodePath,
        querystring: DeleteQuery,
        headers: WriteHeaders,
        response: {
          200: data(Ok, 'It is out of the topology.', { data: 'ok' }),
          ...refused('not_found', 'is_master', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      const { node, shard } = request.params;
      await plane.deleteNode(request.params, readShard(shard), node, wantsReset(request), writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.patch(
    NODE,
    {
      schema: {
        operationId: 'changeNode',
        summary: 'Change what is special about a node',
        description:
          'What is absent stays. `priority` and `no_failover` hold at once, and nothing is told to any node. `addr` is where the node listens now, with the data and the id that it had: it is asked for its id there first, and every node is told.',
        tags,
        params: NodePath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: NodeChangeBody,
        response: {
          200: data(Type.Object({ node: NodeBody }), 'The node as it is now.'),
          ...refused('not_found', 'already_exists', 'node_check_failed', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      refuseUnknown(request.body, NodeChangeBody);
      const { node: id } = request.params;
      const { priority, no_failover, addr } = request.body;
      if (priority === undefined && no_failover === undefined && addr === undefined)
        throw invalid('nothing to change; allowed: priority, no_failover, addr');
      const shard = readShard(request.params.shard);
      const address = addr === undefined ? undefined : readAddress('addr', addr);
      const change = { priority, noFailover: readFlag(no_failover), address };
      await plane.changeNode(request.params, shard, id, change, writeOptions(request));
      const { cluster } = plane.cluster(request.params);
      const found = nodeOf(cluster, id);
      if (found === undefined) throw notFound(`node ${id}`);
      return { data: { node: nodeBody(cluster, found.shard, found.node, 'masked') } };
    },
  );

  api.post(
    `${CLUSTER}/nodes/:node/forget`,
    {
      schema: {
        operationId: 'forgetNode',
        summary: 'Give up a leaving node that cannot be told, or drop an away node without telling it',
        tags,
        params: ClusterNodePath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: PlainBody,
        response: {
          200: data(Ok, 'It is forgotten.', { data: 'ok' }),
          ...refused('not_found', 'is_master', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      await plane.forgetNode(request.params, request.params.node, writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.post(
    `${BASE}/nodes/reset`,
    {
      schema: {
        operationId: 'resetNode',
        summary: 'Empty a node that no cluster claims, or an away node: fence, flush, reset',
        description: 'With `force` also where it holds data.',
        tags,
        querystring: WriteQuery,
        body: ResetBody,
        response: {
          200: data(Ok, 'It is empty.', { data: 'ok' }),
          ...refused('already_exists', 'node_check_failed', 'node_failed', 'operation_running', 'outcome_unknown'),
        },
      },
    },
    async (request) => {
      const { addr, password } = request.body;
      await plane.resetNode(readAddress('addr', addr), readPassword(password), plainOptions(request));
      return { data: 'ok' as const };
    },
  );
}
