/** The HTTP edge: limits, tolerance, envelope and guards around the routes. */

import type { IncomingMessage } from 'node:http';
import Fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify';
import { type TObject, Type } from 'typebox';
import type { ControlPlane } from '../controller/control-plane.ts';
import { Refusal } from '../controller/refusal.ts';
import { nodeRuntime } from '../runtime/node-runtime.ts';
import type { Runtime, Timers } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import { readBody } from './body.ts';
import type { Api, ApiLog } from './context.ts';
import { answerTo, BODY_LIMIT, HEADER_LIMIT, rawAnswer } from './errors.ts';
import { type EventStreams, eventStreams } from './event-stream.ts';
import { hostGuard, isLoopback, isNumeric } from './guard.ts';
import { COMMON_HEADERS, JSON_TYPE } from './headers.ts';
import { objectReader } from './members.ts';
import { routeTable } from './route-table.ts';
import { allRoutes } from './routes/index.ts';
import { BASE, LEADER } from './routes/paths.ts';

export interface ApiSettings {
  readonly plane: ControlPlane;
  /** The product's. */
  readonly version: string;
  readonly log: ApiLog;
  /** False: nobody sees passwords in clear, not even callers on loopback. True by default. */
  readonly allowReveal?: boolean | undefined;
  /** Names under which users reach it when it is bound to loopback, beside `localhost` and numeric addresses. */
  readonly names?: readonly string[] | undefined;
  readonly arrival?: ArrivalLimits | undefined;
  readonly runtime?: Pick<Runtime, 'clock' | 'timers'> | undefined;
}

/** Milliseconds within which a request must be there, or its connection ends: a byte a second holds nothing for long. */
interface ArrivalLimits {
  readonly headers: number;
  /** Headers and body. */
  readonly request: number;
  /** How often connections are looked at. */
  readonly checkedEach: number;
}

const ARRIVAL: ArrivalLimits = { headers: 10_000, request: 30_000, checkedEach: 5_000 };

/** Above what proxies and browsers keep connections for, so that they end them first. */
const KEPT_ALIVE = 65_000;

function newServer(arrival: ArrivalLimits): Api {
  return Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: arrival.request,
    keepAliveTimeout: KEPT_ALIVE,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    http: {
      maxHeaderSize: HEADER_LIMIT,
      headersTimeout: arrival.headers,
      connectionsCheckingInterval: arrival.checkedEach,
    },
    // Names are bounded by the headers' limit; a longer one than the router's own 100 is unknown, not unroutable.
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: HEADER_LIMIT },
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
      else socket.end(rawAnswer(error.code));
    },
    frameworkErrors: (error, _request, reply) => {
      const { status, headers, body } = answerTo(error).answer;
      reply.hijack();
      reply.raw.writeHead(status, { ...COMMON_HEADERS, ...headers, 'content-type': JSON_TYPE });
      reply.raw.end(JSON.stringify(body));
    },
  });
}

/** Bodies are read as JSON whatever they call themselves, so what they call themselves is forgotten. */
function forgetContentType(raw: IncomingMessage): void {
  if (raw.headers['content-type'] !== undefined) delete raw.headers['content-type'];
}

function answerErrors(api: Api, log: ApiLog): void {
  api.setErrorHandler((error: FastifyError | Refusal, request: FastifyRequest, reply: FastifyReply) => {
    const { answer, fault } = answerTo(error);
    if (fault) log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    reply.code(answer.status).headers(answer.headers).header('content-type', JSON_TYPE);
    return reply.send(JSON.stringify(answer.body));
  });
}

function checkBySchemas(api: Api): void {
  const readers = new WeakMap<TObject, ReturnType<typeof objectReader>>();
  const readerOf = (schema: TObject, what: string) => {
    const known = readers.get(schema);
    if (known !== undefined) return known;
    const reader = objectReader(schema, what);
    readers.set(schema, reader);
    return reader;
  };
  api.setValidatorCompiler(({ schema, httpPart }) => {
    // Headers are read where they are used: their schemas tell names, for the document.
    if (httpPart === 'headers') return () => true;
    if (!Type.IsObject(schema)) throw new Error(`the ${httpPart} of a route is described by no object`);
    const read = readerOf(schema, `the ${httpPart ?? 'request'}`);
    return (value: unknown) => {
      const result = read(value ?? {});
      return result.ok ? { value: result.value } : { error: result.refusal };
    };
  });
  api.setSerializerCompiler(() => JSON.stringify);
}

/** Not listening yet: see `listen`. */
export function createApi(settings: ApiSettings): Api {
  const { plane, log } = settings;
  const { clock, timers } = settings.runtime ?? nodeRuntime();
  const streams = eventStreams(plane, timers);
  const api = newServer(settings.arrival ?? ARRIVAL);
  const table = routeTable();
  const guard = hostGuard(() => ({
    loopback: boundToLoopback(api),
    names: [...(settings.names ?? []), ...namesOf(api)],
  }));

  api.addHook('onRoute', ({ method, url }) => table.add(method, url));
  api.addHook('onRequest', (request, _reply, done) => {
    const refusal = guard(request.raw);
    if (refusal !== undefined) return done(refusal);
    if (request.is404) return done(table.refusal(request.method, request.url));
    const route = request.routeOptions.url;
    if (route?.startsWith(BASE) && route !== LEADER && !plane.ready()) {
      return done(new Refusal('not_leader', 'no controller leads at present; try again'));
    }
    forgetContentType(request.raw);
    done();
  });
  // Hijacked answers bring their own.
  api.addHook('onSend', (_request, reply, _payload, done) => {
    reply.headers(COMMON_HEADERS);
    done();
  });
  api.addHook('onResponse', (request, reply, done) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') logWrite(log, request, reply);
    done();
  });
  closeGently(api, streams, timers);
  api.removeAllContentTypeParsers();
  api.addContentTypeParser('*', (_request, payload, done) => readBody(payload, done));
  checkBySchemas(api);
  answerErrors(api, log);
  allRoutes(api, { plane, clock, streams, allowReveal: settings.allowReveal ?? true, version: settings.version });
  return api;
}

function logWrite(log: ApiLog, request: FastifyRequest, reply: FastifyReply): void {
  const { method, url, ip } = request;
  log.info({ method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime), caller: ip }, 'write answered');
}

/** Milliseconds that requests under way get when the server closes; what is left then is cut. */
const CLOSING_GRACE = 2_000;

function closeGently(api: Api, streams: EventStreams, timers: Timers): void {
  api.addHook('preClose', (done) => {
    streams.closeAll();
    const cancel = timers.after(CLOSING_GRACE, () => api.server.closeAllConnections());
    if (api.server.listening) api.server.once('close', cancel);
    else cancel();
    done();
  });
}

/** Until it listens anywhere, the stricter rule. */
function boundToLoopback(api: Api): boolean {
  return api.addresses().every((at) => typeof at !== 'string' && isLoopback(at.address));
}

const listenNames = new WeakMap<object, string>();

function namesOf(api: Api): readonly string[] {
  const name = listenNames.get(api.server);
  return name === undefined ? [] : [name];
}

/** Listens, and resolves with where: the port that was given where `address` asks for port 0. Rejects when it cannot. */
export async function listen(api: Api, address: Address): Promise<Address> {
  if (!isNumeric(address.host)) listenNames.set(api.server, address.host);
  await api.listen({ host: address.host, port: address.port });
  const at = api.addresses()[0];
  return { host: address.host, port: typeof at === 'object' ? at.port : address.port };
}
