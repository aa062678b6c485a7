import { Type } from 'typebox';
import type { Api, ApiContext } from '../context.ts';
import { readShard } from '../reading.ts';
import { ClusterPath, ClusterWhyQuery, ShardPath, WhyQuery } from '../requests.ts';
import { data, EvidenceBody, refused } from '../schemas.ts';
import { CLUSTER, SHARD } from './paths.ts';
import { shardAt } from './shards.ts';

const tags = ['events'];
const answered = data(
  Type.Object({ evidence: Type.Array(EvidenceBody) }),
  'The newest first: what was seen, who was refused and why, what was waited for, what was done.',
);
const LIMIT = 20;

export function whyRoutes(api: Api, { plane }: ApiContext): void {
  api.get(
    `${CLUSTER}/why`,
    {
      schema: {
        operationId: 'explainCluster',
        summary: 'What the last decisions about a cluster were made from, as it was stored with them',
        description: 'A shard that is gone is still named by its id.',
        tags,
        params: ClusterPath,
        querystring: ClusterWhyQuery,
        response: { 200: answered, ...refused('not_found') },
      },
    },
    async (request) => {
      const { shard, limit } = request.query;
      const ref = shard === undefined ? undefined : readShard(shard);
      return { data: { evidence: [...(await plane.evidence(request.params, ref, Number(limit ?? LIMIT)))] } };
    },
  );

  api.get(
    `${SHARD}/why`,
    {
      schema: {
        operationId: 'explainShard',
        summary: 'What the last decisions about a shard were made from, as it was stored with them',
        tags,
        params: ShardPath,
        querystring: WhyQuery,
        response: { 200: answered, ...refused('not_found') },
      },
    },
    async (request) => {
      const { id } = shardAt(plane.cluster(request.params).cluster, readShard(request.params.shard));
      const limit = Number(request.query.limit ?? LIMIT);
      return { data: { evidence: [...(await plane.evidence(request.params, { id }, limit))] } };
    },
  );
}
