import { Type } from 'typebox';
import type { ShardRef } from '../../controller/control-plane.ts';
import { notFound } from '../../controller/refusal.ts';
import type { Cluster, Shard } from '../../topology/cluster.ts';
import type { Api, ApiContext } from '../context.ts';
import { emptyShardExample, shardExample } from '../examples.ts';
import {
  changeOptions,
  nodeChecks,
  readNodes,
  readPassword,
  readShard,
  wantsDryRun,
  wantsReset,
  writeOptions,
} from '../reading.ts';
import {
  ClusterPath,
  DeleteQuery,
  FailoverBody,
  NewShardBody,
  RevealQuery,
  ShardPath,
  WriteCheckHeaders,
  WriteHeaders,
  WriteQuery,
} from '../requests.ts';
import { mayReveal } from '../reveal.ts';
import { Created, data, MayLoseBody, Ok, ON_CHANGE, PlanBody, refused, ShardBody } from '../schemas.ts';
import { shardBody } from '../views.ts';
import { SHARD, SHARDS } from './paths.ts';

const tags = ['shards'];

/** Throws `not_found`. */
export function shardAt(cluster: Cluster, ref: ShardRef): Shard {
  const shard = 'id' in ref ? cluster.shards.find(({ id }) => id === ref.id) : cluster.shards[ref.index];
  if (shard === undefined) throw notFound(`shard ${'id' in ref ? ref.id : ref.index}`);
  return shard;
}

export function shardRoutes(api: Api, context: ApiContext): void {
  const { plane } = context;
  api.post(
    SHARDS,
    {
      schema: {
        operationId: 'createShard',
        summary: 'Add a shard without slots',
        tags,
        params: ClusterPath,
        querystring: WriteQuery,
        headers: WriteCheckHeaders,
        body: NewShardBody,
        response: {
          201: data(Created, 'It is there.', { data: 'created' }),
          ...refused('already_exists', 'not_found', 'node_check_failed', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request, reply) => {
      const { nodes, password } = request.body;
      const checks = nodeChecks(request.headers);
      await plane.createShard(request.params, readNodes(nodes), readPassword(password), checks, writeOptions(request));
      reply.code(201);
      return { data: 'created' as const };
    },
  );

  api.get(
    SHARDS,
    {
      schema: {
        operationId: 'listShards',
        summary: 'List the shards of a cluster',
        tags,
        params: ClusterPath,
        querystring: RevealQuery,
        response: {
          200: data(Type.Object({ shards: Type.Array(ShardBody) }), 'The shards, in their order.', {
            data: { shards: [shardExample, emptyShardExample] },
          }),
          ...refused('not_found'),
        },
      },
    },
    async (request) => {
      const view = plane.cluster(request.params);
      const passwords = mayReveal(request, context) ? 'clear' : 'masked';
      return { data: { shards: view.cluster.shards.map((shard) => shardBody(view, shard, passwords)) } };
    },
  );

  api.get(
    SHARD,
    {
      schema: {
        operationId: 'getShard',
        summary: 'One shard of a cluster',
        tags,
        params: ShardPath,
        querystring: RevealQuery,
        response: {
          200: data(Type.Object({ shard: ShardBody }), 'The shard.', { data: { shard: shardExample } }),
          ...refused('not_found'),
        },
      },
    },
    async (request) => {
      const view = plane.cluster(request.params);
      const shard = shardAt(view.cluster, readShard(request.params.shard));
      return { data: { shard: shardBody(view, shard, mayReveal(request, context) ? 'clear' : 'masked') } };
    },
  );

  api.delete(
    SHARD,
    {
      schema: {
        operationId: 'deleteShard',
        summary: 'Delete a shard that owns no slots',
        tags,
        params: ShardPath,
        querystring: DeleteQuery,
        headers: WriteHeaders,
        response: {
          200: data(Ok, 'It is gone; later shards move down by one.', { data: 'ok' }),
          ...refused('not_found', 'owns_slots', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      const shard = readShard(request.params.shard);
      await plane.deleteShard(request.params, shard, wantsReset(request), writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.post(
    `${SHARD}/failover`,
    {
      schema: {
        operationId: 'failover',
        summary: 'Make another node the shard’s master',
        description:
          'Where the master answers nothing is lost; where it does not, `may_lose` says what may be. `force` promotes past the lag limit. With `dry_run` the answer is the plan, and nothing changes.',
        tags,
        params: ShardPath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: FailoverBody,
        response: {
          200: data(
            Type.Union([Type.Object({ new_master_id: Type.String(), may_lose: Type.Optional(MayLoseBody) }), PlanBody]),
            'The new master’s id, or the plan.',
            { data: { new_master_id: 'O0JKq1Hp9FtI3dJTU3MigWjjZJzPtduoDODX0OAY' } },
          ),
          ...refused('not_found', 'no_eligible_replica', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      const shard = readShard(request.params.shard);
      const preferred = request.body.preferred_node_id || undefined;
      const options = changeOptions(request);
      if (wantsDryRun(request)) {
        const { judged, ...plan } = plane.failoverPlan(request.params, shard, preferred, options.force ?? false);
        const verdicts = judged.map(({ node, sequence, refusals, passedOver }) => ({
          node,
          sequence,
          refusals: [...refusals],
          passed_over: passedOver,
        }));
        return { data: { ...plan, judged: verdicts } };
      }
      const { master, mayLose } = await plane.failover(request.params, shard, preferred, options);
      return { data: { new_master_id: master, ...(mayLose !== null && { may_lose: mayLose }) } };
    },
  );
}
