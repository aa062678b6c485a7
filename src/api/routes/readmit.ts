import type { Api, ApiContext } from '../context.ts';
import { readFlag, writeOptions } from '../reading.ts';
import { ClusterNodePath, ReadmitBody, WriteHeaders, WriteQuery } from '../requests.ts';
import { data, Ok, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

export function readmitRoutes(api: Api, { plane }: ApiContext): void {
  api.post(
    `${CLUSTER}/nodes/:node/readmit`,
    {
      schema: {
        operationId: 'readmitNode',
        summary: 'Let back a node that is kept out: it is copied whole from its master, or accepted empty',
        description:
          'For a node that parted from its shard or that nothing proves, where the controller waits for an operator. What it alone holds is saved first; with `force` it is copied over also where that cannot be saved. With `empty`: a master that came back without its data is accepted as it is, and what its shard had is given up.',
        tags: ['nodes'],
        params: ClusterNodePath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: ReadmitBody,
        response: {
          200: data(Ok, 'It is stored, and the status tells how far it is.', { data: 'ok' }),
          ...refused('not_found', 'is_master', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      const { node } = request.params;
      if (readFlag(request.body.empty) === true) await plane.readmitEmpty(request.params, node, writeOptions(request));
      else await plane.readmitNode(request.params, node, writeOptions(request));
      return { data: 'ok' as const };
    },
  );
}
