import { Type } from 'typebox';
import { notFound } from '../../controller/refusal.ts';
import type { Api, ApiContext } from '../context.ts';
import { plainOptions } from '../reading.ts';
import { NamespacePath, NewNamespace, WriteQuery } from '../requests.ts';
import { Created, data, Ok, refused } from '../schemas.ts';
import { NAMESPACE, NAMESPACES } from './paths.ts';

const tags = ['namespaces'];

export function namespaceRoutes(api: Api, { plane }: ApiContext): void {
  api.post(
    NAMESPACES,
    {
      schema: {
        operationId: 'createNamespace',
        summary: 'Create a namespace',
        tags,
        querystring: WriteQuery,
        body: NewNamespace,
        response: {
          201: data(Created, 'It is there.', { data: 'created' }),
          ...refused('already_exists', 'outcome_unknown'),
        },
      },
    },
    async (request, reply) => {
      await plane.createNamespace(request.body.namespace, plainOptions(request));
      reply.code(201);
      return { data: 'created' as const };
    },
  );

  api.get(
    NAMESPACES,
    {
      schema: {
        operationId: 'listNamespaces',
        summary: 'List the namespaces',
        tags,
        response: {
          200: data(Type.Object({ namespaces: Type.Array(Type.String()) }), 'Their names.', {
            data: { namespaces: ['test-ns'] },
          }),
          ...refused(),
        },
      },
    },
    async () => ({ data: { namespaces: [...plane.namespaces()] } }),
  );

  api.get(
    NAMESPACE,
    {
      schema: {
        operationId: 'hasNamespace',
        summary: 'Whether a namespace exists',
        tags,
        params: NamespacePath,
        response: { 200: data(Ok, 'It exists.', { data: 'ok' }), ...refused('not_found') },
      },
    },
    async (request) => {
      const { namespace } = request.params;
      if (!plane.namespaces().includes(namespace)) throw notFound(`namespace ${namespace}`);
      return { data: 'ok' as const };
    },
  );

  api.delete(
    NAMESPACE,
    {
      schema: {
        operationId: 'deleteNamespace',
        summary: 'Delete an empty namespace',
        tags,
        params: NamespacePath,
        querystring: WriteQuery,
        response: {
          200: data(Ok, 'It is gone.', { data: 'ok' }),
          ...refused('not_found', 'not_empty', 'operation_running', 'outcome_unknown'),
        },
      },
    },
    async (request) => {
      await plane.deleteNamespace(request.params.namespace, plainOptions(request));
      return { data: 'ok' as const };
    },
  );
}
