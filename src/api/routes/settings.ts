import { Type } from 'typebox';
import type { Api, ApiContext } from '../context.ts';
import { refuseUnknown, writeOptions } from '../reading.ts';
import { ClusterPath, SettingsChangeBody, WriteHeaders, WriteQuery } from '../requests.ts';
import { data, ON_CHANGE, refused, SettingsBody } from '../schemas.ts';
import { CLUSTER } from './paths.ts';

const tags = ['settings'];
const answered = data(Type.Object({ settings: SettingsBody }), 'Every setting, with its default and what it does.');

export function settingsRoutes(api: Api, { plane }: ApiContext): void {
  api.get(
    `${CLUSTER}/settings`,
    {
      schema: {
        operationId: 'getSettings',
        summary: 'How a cluster is watched and mended',
        tags,
        params: ClusterPath,
        response: { 200: answered, ...refused('not_found') },
      },
    },
    async (request) => ({ data: { settings: plane.settings(request.params) } }),
  );

  api.patch(
    `${CLUSTER}/settings`,
    {
      schema: {
        operationId: 'changeSettings',
        summary: 'Change how a cluster is watched and mended, at once',
        description: 'What is absent stays; null gives the server’s default back. Nothing is told to any node.',
        tags,
        params: ClusterPath,
        querystring: WriteQuery,
        headers: WriteHeaders,
        body: SettingsChangeBody,
        response: { 200: answered, ...refused('not_found', ...ON_CHANGE) },
      },
    },
    async (request) => {
      refuseUnknown(request.body, SettingsChangeBody);
      await plane.changeSettings(request.params, request.body, writeOptions(request));
      return { data: { settings: plane.settings(request.params) } };
    },
  );
}
