import type { Api, ApiContext } from '../context.ts';
import { writeOptions } from '../reading.ts';
import { ClusterNodePath, PlainBody, WriteHeaders, WriteQuery } from '../requests.ts';
import { data, Ok, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

export function readmitRoutes(api: Api, { plane }: ApiContext): void {
  api.post(
    `${CLUSTER}/nodes/:node/readmit`,
    {
      schema: {
        operationId: 'readmitNode',
        summary: 'Let back a node that is kept out: it is copied whole from its master',
        description:
          'For a node that parted from its shard or that nothing proves, where the controller waits for an operator. What it alone holds is saved first; with `force` it is copied over also where that cannot be saved.',
        tags: ['nodes'],
        params: ClusterNodePath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: PlainBody,
        response: {
          200: data(Ok, 'It is stored, and the status tells how far it is.', { data: 'ok' }),
          ...refused('not_found', 'is_master', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      await plane.readmitNode(request.params, request.params.node, writeOptions(request));
      return { data: 'ok' as const };
    },
  );
}
