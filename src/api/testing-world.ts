/** The API over a control plane in memory, asked without a socket. */
import type { InjectOptions } from 'fastify';
import { NO_SECRET, type Secret } from '../runtime/secret.ts';
import { createApi } from './server.ts';
import { fakePlane, keptLog, TEST_CLUSTER } from './testing.ts';

export const NS = '/api/v1/namespaces';
export const CLUSTERS = `${NS}/test-ns/clusters`;
export const CLUSTER = `${CLUSTERS}/test-cluster`;

export const created = { data: 'created' };
export const ok = { data: 'ok' };
export const EXISTED = 'the entry already existed';
export const ABSENT = 'the entry does not exist';

/** What its clock says, in milliseconds since 1970. */
export const NOW = 1_700_000_000_000;

export async function world(password: Secret = NO_SECRET) {
  const plane = await fakePlane(password);
  const log = keptLog();
  const runtime = { clock: { now: () => 0, wall: () => NOW }, timers: { after: () => () => undefined } };
  const api = createApi({ plane, version: '0.0.0', log, runtime });
  const ask = async (
    method: Exclude<InjectOptions['method'], undefined>,
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await api.inject({ method, url, headers, ...(body !== undefined && { payload }) });
    return { status: answer.statusCode, json: answer.json(), headers: answer.headers };
  };
  const shards = () => plane.cluster(TEST_CLUSTER).cluster.shards;
  return { plane, log, api, ask, shards };
}
