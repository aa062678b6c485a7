import { invalid } from '../../controller/refusal.ts';
import type { Api, ApiContext } from '../context.ts';
import { refuseMember } from '../members.ts';
import { writeOptions } from '../reading.ts';
import { ClusterPath, PauseBody, PlainBody, WriteHeaders, WriteQuery } from '../requests.ts';
import { data, Ok, ON_CHANGE, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

const tags = ['operations'];
const common = { tags, params: ClusterPath, querystring: WriteQuery, headers: WriteHeaders };
const response = { 200: data(Ok, 'Done.', { data: 'ok' }), ...refused('not_found', ...ON_CHANGE) };

/** Milliseconds since 1970, or null for a pause without end. */
function pauseEnd(asked: { readonly until?: number; readonly for?: number }, now: number): number | null {
  if (asked.until !== undefined && asked.for !== undefined) throw invalid('until, for: got both; allowed: one of them');
  if (asked.for !== undefined) return Math.round(now + asked.for * 1000);
  if (asked.until === undefined) return null;
  if (asked.until <= now) throw refuseMember('until', asked.until, `milliseconds since 1970, after ${Math.floor(now)}`);
  return asked.until;
}

export function operationRoutes(api: Api, { plane, clock }: ApiContext): void {
  api.post(
    `${CLUSTER}/pause`,
    {
      schema: {
        ...common,
        operationId: 'pauseCluster',
        summary: 'Have the controller change nothing by itself, for a while or until resumed',
        body: PauseBody,
        response,
      },
    },
    async (request) => {
      await plane.pause(request.params, pauseEnd(request.body, clock.wall()), writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.post(
    `${CLUSTER}/resume`,
    {
      schema: {
        ...common,
        operationId: 'resumeCluster',
        summary: 'End a pause',
        body: PlainBody,
        response,
      },
    },
    async (request) => {
      await plane.resume(request.params, writeOptions(request));
      return { data: 'ok' as const };
    },
  );

  api.post(
    `${CLUSTER}/sync`,
    {
      schema: {
        ...common,
        operationId: 'syncCluster',
        summary: 'Read every node again now and heal what differs',
        description: 'With `force` also where a node carries a newer or foreign topology, which is overwritten.',
        body: PlainBody,
        response,
      },
    },
    async (request) => {
      await plane.sync(request.params, writeOptions(request));
      return { data: 'ok' as const };
    },
  );
}
