/** The OpenAPI 3.1 document, generated from the schemas that check the requests; nothing listens for it. */
import swagger from '@fastify/swagger';
import Fastify from 'fastify';
import type { ControlPlane } from '../controller/control-plane.ts';
import type { Api, ApiContext } from './context.ts';
import { allRoutes } from './routes/index.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };
export type OpenApiDocument = { readonly [member: string]: Json };

const DESCRIPTION = `Control plane of Apache Kvrocks clusters.

Every answer is \`{"data": ...}\` with a 2xx status, or \`{"error": {"message", "code", "detail"}}\` with a 4xx or 5xx status. Bodies are JSON whatever their content type says, an empty body is an empty object, and unknown members are ignored. \`force\`, \`wait\` and \`dry_run\` are taken from the query or the body. Passwords are shown as \`""\` or \`********\`.`;

function unreachable(): never {
  throw new Error('the document’s routes are never called');
}

/** Routes are declared here and never called: whoever calls the controller has a fault. */
const declaring = (version: string): ApiContext => ({
  plane: nobody,
  clock: { wall: unreachable },
  streams: { open: unreachable, count: 0, closeAll: unreachable },
  allowReveal: false,
  version,
});

const nobody: ControlPlane = {
  ready: unreachable,
  leader: unreachable,
  namespaces: unreachable,
  createNamespace: unreachable,
  deleteNamespace: unreachable,
  clusters: unreachable,
  cluster: unreachable,
  status: unreachable,
  settings: unreachable,
  changeSettings: unreachable,
  events: unreachable,
  evidence: unreachable,
  watchEvents: unreachable,
  createCluster: unreachable,
  importCluster: unreachable,
  deleteCluster: unreachable,
  createShard: unreachable,
  deleteShard: unreachable,
  failover: unreachable,
  failoverPlan: unreachable,
  createNode: unreachable,
  deleteNode: unreachable,
  forgetNode: unreachable,
  readmitNode: unreachable,
  readmitEmpty: unreachable,
  salvages: unreachable,
  salvage: unreachable,
  replaySalvage: unreachable,
  changeNode: unreachable,
  resetNode: unreachable,
  migrate: unreachable,
  pause: unreachable,
  resume: unreachable,
  sync: unreachable,
  moves: unreachable,
  rebalancePlan: unreachable,
  rebalance: unreachable,
  changeMoves: unreachable,
  check: unreachable,
  fix: unreachable,
};

const isObject = (value: Json | undefined): value is { readonly [member: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Moves every schema that has a title to the components, so that a client's types have names. */
function hoist(value: Json, components: Map<string, Json>): Json {
  if (Array.isArray(value)) return value.map((item) => hoist(item, components));
  if (!isObject(value)) return value;
  const { title, ...rest } = value;
  const inner = Object.fromEntries(
    Object.entries(rest).map(([member, of]) => [member, isExample(member) ? of : hoist(of, components)]),
  );
  const isSchema = 'type' in rest || 'const' in rest || 'anyOf' in rest;
  if (typeof title !== 'string' || !isSchema) return title === undefined ? inner : { title, ...inner };
  components.set(title, inner);
  return { $ref: `#/components/schemas/${title}` };
}

const isExample = (member: string): boolean => member === 'example' || member === 'examples';

/** A body may be left out where all of its members may. */
function relaxBodies(paths: Json, components: ReadonlyMap<string, Json>): Json {
  if (!isObject(paths)) return paths;
  const operations = (path: Json): Json => {
    if (!isObject(path)) return path;
    return Object.fromEntries(Object.entries(path).map(([method, operation]) => [method, relaxed(operation)]));
  };
  const relaxed = (operation: Json): Json => {
    if (!isObject(operation)) return operation;
    const { requestBody } = operation;
    if (!isObject(requestBody)) return operation;
    const name = /"\$ref":"#\/components\/schemas\/(\w+)"/.exec(JSON.stringify(requestBody))?.[1];
    const schema = name === undefined ? undefined : components.get(name);
    return { ...operation, requestBody: { ...requestBody, required: isObject(schema) && 'required' in schema } };
  };
  return Object.fromEntries(Object.entries(paths).map(([path, of]) => [path, operations(of)]));
}

async function generated(version: string): Promise<Json> {
  const app: Api = Fastify({ exposeHeadRoutes: false });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'kvctl-server', version, description: DESCRIPTION },
      servers: [{ url: '/' }],
    },
  });
  await app.register(async (scope) => allRoutes(scope, declaring(version)));
  await app.ready();
  const document: Json = JSON.parse(JSON.stringify(app.swagger()));
  await app.close();
  return document;
}

/** `version` is the product's. */
export async function openApiDocument(version: string): Promise<OpenApiDocument> {
  const document = await generated(version);
  if (!isObject(document)) throw new Error('the generator made no document');
  const schemas = new Map<string, Json>();
  const { paths = {} } = document;
  const hoisted = hoist(paths, schemas);
  const sorted = [...schemas].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...document,
    paths: relaxBodies(hoisted, schemas),
    components: { schemas: Object.fromEntries(sorted) },
  };
}

const texts = new Map<string, Promise<string>>();

/** As `/openapi.json` serves it. Made once. */
export function openApiText(version: string): Promise<string> {
  let text = texts.get(version);
  if (text === undefined) {
    text = openApiDocument(version).then((document) => `${JSON.stringify(document, null, 2)}\n`);
    texts.set(version, text);
  }
  return text;
}
