import { Type } from 'typebox';
import type { Api, ApiContext } from '../context.ts';
import { changeOptions, wantsDryRun } from '../reading.ts';
import { ClusterPath, PlainBody, SalvagePath, SalvageQuery, WriteHeaders, WriteQuery } from '../requests.ts';
import { ContentsBody, ReplayBody, SalvageBody } from '../salvage-schemas.ts';
import { data, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

const tags = ['salvages'];
const SALVAGES = `${CLUSTER}/salvages`;
const SALVAGE = `${SALVAGES}/:salvage`;
const LIMIT = 100;

export function salvageRoutes(api: Api, { plane }: ApiContext): void {
  api.get(
    SALVAGES,
    {
      schema: {
        operationId: 'listSalvages',
        summary: 'What nodes of a cluster alone held when they were copied over, as files of saved writes',
        tags,
        params: ClusterPath,
        response: {
          200: data(Type.Object({ salvages: Type.Array(SalvageBody) }), 'Newest first.', { data: { salvages: [] } }),
          ...refused('not_found'),
        },
      },
    },
    async (request) => ({ data: { salvages: [...(await plane.salvages(request.params))] } }),
  );

  api.get(
    SALVAGE,
    {
      schema: {
        operationId: 'getSalvage',
        summary: 'Show saved writes as commands, in the order in which they were made',
        tags,
        params: SalvagePath,
        querystring: SalvageQuery,
        response: { 200: data(ContentsBody, 'Some of its commands.'), ...refused('not_found') },
      },
    },
    async (request) => {
      const { after, limit } = request.query;
      const { salvage } = request.params;
      return { data: await plane.salvage(request.params, salvage, Number(after ?? 0), Number(limit ?? LIMIT)) };
    },
  );

  api.post(
    `${SALVAGE}/replay`,
    {
      schema: {
        operationId: 'replaySalvage',
        summary: 'Write saved writes again, where the shard has not written the key since it parted from the node',
        description:
          'With `dry_run` nothing is written, and the answer says what would be. A key is left as it is if the shard has written it since, if nobody can tell, or if what was saved of it is not told as commands.',
        tags,
        params: SalvagePath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: PlainBody,
        response: {
          200: data(ReplayBody, 'What became of each key.'),
          ...refused('not_found', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      const { salvage } = request.params;
      const dryRun = wantsDryRun(request);
      return { data: await plane.replaySalvage(request.params, salvage, dryRun, changeOptions(request)) };
    },
  );
}
