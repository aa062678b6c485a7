import { Type } from 'typebox';
import { clusterAnswer, etagOf } from '../cluster-cache.ts';
import type { Api, ApiContext } from '../context.ts';
import { clusterExample } from '../examples.ts';
import {
  nodeChecks,
  plainOptions,
  readNodes,
  readPassword,
  readReplicas,
  wantsReset,
  writeOptions,
} from '../reading.ts';
import {
  CheckHeaders,
  ClusterPath,
  DeleteQuery,
  ImportBody,
  NamespacePath,
  NewClusterBody,
  NewClusterPath,
  RevealQuery,
  WriteHeaders,
  WriteQuery,
} from '../requests.ts';
import { mayReveal } from '../reveal.ts';
import { ClusterBody, Created, data, Ok, ON_CHANGE, refused, StatusBody } from '../schemas.ts';
import { clusterBody } from '../views.ts';
import { CLUSTER, CLUSTERS } from './paths.ts';

const tags = ['clusters'];

export function clusterRoutes(api: Api, context: ApiContext): void {
  const { plane } = context;
  api.post(
    CLUSTERS,
    {
      schema: {
        operationId: 'createCluster',
        summary: 'Create a cluster',
        description:
          'Every node is checked first, all at once. Slots are split evenly over the shards, earlier ones taking the remainder.',
        tags,
        params: NamespacePath,
        querystring: WriteQuery,
        headers: CheckHeaders,
        body: NewClusterBody,
        response: {
          201: data(Created, 'It is there.', { data: 'created' }),
          ...refused('already_exists', 'not_found', 'node_check_failed', 'node_failed', 'outcome_unknown'),
        },
      },
    },
    async (request, reply) => {
      const { name, nodes, replicas, password } = request.body;
      const addresses = readNodes(nodes);
      const wanted = {
        name,
        nodes: addresses,
        replicas: readReplicas(replicas, addresses.length),
        password: readPassword(password),
      };
      await plane.createCluster(request.params.namespace, wanted, nodeChecks(request.headers), plainOptions(request));
      reply.code(201);
      return { data: 'created' as const };
    },
  );

  api.get(
    CLUSTERS,
    {
      schema: {
        operationId: 'listClusters',
        summary: 'List the clusters of a namespace',
        tags,
        params: NamespacePath,
        response: {
          200: data(Type.Object({ clusters: Type.Array(Type.String()) }), 'Their names.', {
            data: { clusters: ['test-cluster'] },
          }),
          ...refused('not_found'),
        },
      },
    },
    async (request) => ({ data: { clusters: [...plane.clusters(request.params.namespace)] } }),
  );

  api.post(
    `${CLUSTER}/import`,
    {
      schema: {
        operationId: 'importCluster',
        summary: 'Take over a cluster that its nodes know already',
        tags,
        params: NewClusterPath,
        querystring: WriteQuery,
        headers: CheckHeaders,
        body: ImportBody,
        response: {
          201: data(Created, 'It is there.', { data: 'created' }),
          ...refused('already_exists', 'not_found', 'node_check_failed', 'node_failed', 'outcome_unknown'),
        },
      },
    },
    async (request, reply) => {
      const { nodes, password } = request.body;
      const checks = nodeChecks(request.headers);
      await plane.importCluster(
        request.params,
        readNodes(nodes),
        readPassword(password),
        checks,
        plainOptions(request),
      );
      reply.code(201);
      return { data: 'created' as const };
    },
  );

  api.get(
    CLUSTER,
    {
      schema: {
        operationId: 'getCluster',
        summary: 'The committed topology of a cluster',
        description: 'The answer’s `ETag` is the version, as `If-Match` of a write takes it.',
        tags,
        params: ClusterPath,
        querystring: RevealQuery,
        response: {
          200: data(Type.Object({ cluster: ClusterBody }), 'The cluster.', { data: { cluster: clusterExample } }),
          ...refused('not_found'),
        },
      },
    },
    async (request, reply) => {
      const view = plane.cluster(request.params);
      if (mayReveal(request, context)) {
        reply.header('etag', etagOf(view));
        return { data: { cluster: clusterBody(view, 'clear') } };
      }
      const { headers, bytes } = clusterAnswer(view);
      reply.hijack();
      reply.raw.writeHead(200, headers).end(bytes);
      return reply;
    },
  );

  api.delete(
    CLUSTER,
    {
      schema: {
        operationId: 'deleteCluster',
        summary: 'Delete a cluster',
        description: 'Nodes keep their data and topology, or are fenced, flushed and reset with `reset`.',
        tags,
        params: ClusterPath,
        querystring: DeleteQuery,
        headers: WriteHeaders,
        response: { 200: data(Ok, 'It is gone.', { data: 'ok' }), ...refused('not_found', ...ON_CHANGE) },
      },
    },
    async (request) => {
      await plane.deleteCluster(request.params, wantsReset(request), writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.get(
    `${CLUSTER}/status`,
    {
      schema: {
        operationId: 'getClusterStatus',
        summary: 'What the controller sees of a cluster',
        tags,
        params: ClusterPath,
        response: { 200: data(StatusBody, 'Its nodes, problems and operations.'), ...refused('not_found') },
      },
    },
    async (request) => ({ data: plane.status(request.params) }),
  );
}
