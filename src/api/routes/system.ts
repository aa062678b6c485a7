import { Type } from 'typebox';
import { Refusal } from '../../controller/refusal.ts';
import { page, pageHeaders } from '../../web/page.ts';
import type { Api, ApiContext } from '../context.ts';
import { data, refused } from '../schemas.ts';
import { LEADER } from './paths.ts';

const tags = ['system'];
const Word = Type.Object({ data: Type.Literal('ok') });

export function systemRoutes(api: Api, { plane, version, clock }: ApiContext): void {
  api.get(
    LEADER,
    {
      schema: {
        operationId: 'getLeader',
        summary: 'Who leads',
        tags,
        response: {
          200: data(Type.Object({ leader: Type.String({ description: '`host:port` of its API' }) }), 'The leader.', {
            data: { leader: '127.0.0.1:9379' },
          }),
          ...refused(),
        },
      },
    },
    async () => {
      const leader = plane.leader();
      if (leader === undefined) throw new Refusal('not_leader', 'no controller leads at present');
      return { data: { leader } };
    },
  );

  api.get(
    '/healthz',
    {
      schema: {
        operationId: 'isAlive',
        summary: 'Whether the process answers',
        tags,
        response: { 200: { ...Word, description: 'It answers.' } },
      },
    },
    async () => ({ data: 'ok' as const }),
  );

  api.get(
    '/readyz',
    {
      schema: {
        operationId: 'isReady',
        summary: 'Whether requests are served',
        tags,
        response: { 200: { ...Word, description: 'They are.' }, ...refused() },
      },
    },
    async () => {
      if (!plane.ready()) throw new Refusal('not_leader', 'the controller is not ready: it does not lead yet');
      return { data: 'ok' as const };
    },
  );

  api.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'getOpenApi',
        summary: 'This document',
        tags,
        response: { 200: Type.Any({ description: 'OpenAPI 3.1' }) },
      },
    },
    async (_request, reply) => {
      // Built when first asked for: its generator costs a good part of the start.
      const { openApiText } = await import('../openapi.ts');
      reply.header('content-type', 'application/json; charset=utf-8');
      return reply.send(await openApiText(version));
    },
  );

  api.get('/', { schema: { hide: true } }, async (request, reply) => {
    const at = request.headers.host ?? 'localhost';
    return reply.headers(pageHeaders).send(page({ plane, version, at, now: clock.wall() }));
  });
}
