import { Type } from 'typebox';
import type { Api, ApiContext } from '../context.ts';
import { refuseMember } from '../members.ts';
import { ClusterPath, EventsQuery } from '../requests.ts';
import { data, EventBody, refused } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

/** Microseconds since 1970 have sixteen digits. */
const ID = /^[0-9]{1,16}$/;

/** Where a stream begins: behind what its reader saw last. */
function beginning(lastEventId: string | readonly string[] | undefined, after: string | undefined): number | undefined {
  if (lastEventId === undefined || lastEventId === '') return after === undefined ? undefined : Number(after);
  if (typeof lastEventId !== 'string' || !ID.test(lastEventId)) {
    throw refuseMember('Last-Event-ID', lastEventId, 'the id of an event');
  }
  return Number(lastEventId);
}

export function eventRoutes(api: Api, { plane, streams }: ApiContext): void {
  api.get(
    `${CLUSTER}/events`,
    {
      schema: {
        operationId: 'listEvents',
        summary: 'What happened to a cluster, as a list or as a stream',
        description:
          'With `Accept: text/event-stream` the events come as they happen, each with its id; `Last-Event-ID` or `after` resumes behind an event, and without either the stream begins now. A comment each 15 s keeps it alive. A reader that does not keep up is cut off.',
        tags: ['events'],
        params: ClusterPath,
        querystring: EventsQuery,
        headers: Type.Object({
          'Last-Event-ID': Type.Optional(Type.String({ description: 'for a stream: the last id that was seen' })),
        }),
        response: {
          200: data(Type.Object({ events: Type.Array(EventBody) }), 'Oldest first.'),
          ...refused('not_found'),
        },
      },
    },
    async (request, reply) => {
      const { after, limit } = request.query;
      const wantsStream = request.headers.accept?.includes('text/event-stream') ?? false;
      if (wantsStream && request.method === 'GET') {
        const from = beginning(request.headers['last-event-id'], after);
        streams.open(request.params, from, reply.raw);
        return reply.hijack();
      }
      return { data: { events: [...(await plane.events(request.params, Number(after ?? 0), Number(limit ?? 100)))] } };
    },
  );
}
