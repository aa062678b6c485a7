import { CheckBody, FixResultBody } from '../check-schemas.ts';
import type { Api, ApiContext } from '../context.ts';
import { changeOptions, readFlag } from '../reading.ts';
import { CheckRequestBody, ClusterPath, FixBody, WriteHeaders, WriteQuery } from '../requests.ts';
import { data, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

const tags = ['checks'];
/** Seconds that a master is looked through for keys, unless it is said. */
const SCAN = 5;

const milliseconds = (seconds: number | undefined): number => Math.round((seconds ?? SCAN) * 1000);

export function checkRoutes(api: Api, { plane }: ApiContext): void {
  api.post(
    `${CLUSTER}/check`,
    {
      schema: {
        operationId: 'checkCluster',
        summary: 'Find what is wrong between what is stored, what the nodes carry and what they hold',
        description:
          'The status’s problems after each node was asked anew, and what costs the nodes something to find: in which points their topologies differ, slots that nobody owns or serves, keys that a master holds in slots of others. Nothing is changed but what the controller mends by itself once it has read it.',
        tags,
        params: ClusterPath,
        body: CheckRequestBody,
        response: { 200: data(CheckBody, 'What was found, errors first.'), ...refused('not_found') },
      },
    },
    async (request) => ({ data: await plane.check(request.params, milliseconds(request.body.scan)) }),
  );

  api.post(
    `${CLUSTER}/fix`,
    {
      schema: {
        operationId: 'fixFinding',
        summary: 'Mend one finding of a check; without `dry_run: false` only say what would be done',
        description:
          'The cluster is checked first, so that what is mended is what is there now. Where something is lost by it, which `fix.costs` says, it is refused without `force`. The answer comes after another check: `mended` is false where it takes longer, and `left` says what it waits for.',
        tags,
        params: ClusterPath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: FixBody,
        response: {
          200: data(FixResultBody, 'What would be done, or was.'),
          ...refused('not_found', 'is_master', 'no_eligible_replica', 'node_failed', ...ON_CHANGE),
        },
      },
    },
    async (request) => {
      const { body, query, params } = request;
      const dryRun = readFlag(query.dry_run) ?? readFlag(body.dry_run) ?? true;
      const options = { ...changeOptions(request), dryRun, scanFor: milliseconds(body.scan) };
      return { data: await plane.fix(params, body.finding, options) };
    },
  );
}
