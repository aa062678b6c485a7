/** Every route against every kind of nonsense: always a refusal in the envelope, never a fault of ours. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { isName } from '../topology/ids.ts';
import { openApiDocument } from './openapi.ts';
import { refusalCodes } from './schemas.ts';
import { createApi, listen } from './server.ts';
import { fakePlane, keptLog, TESTER } from './testing.ts';

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE'] as const;
type Method = (typeof METHODS)[number];
const methodOf = (text: string): Method | undefined => METHODS.find((method) => method === text.toUpperCase());

const good: Readonly<Record<string, string>> = {
  namespace: 'test-ns',
  cluster: 'test-cluster',
  shard: '0',
  node: 'a'.repeat(40),
};

const document = await openApiDocument('0');

const isObject = (value: unknown): value is { readonly [member: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const inside = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce((inner, member) => (isObject(inner) ? inner[member] : undefined), value);

/** The members of a body that the document names. */
function membersOf(operation: unknown): readonly string[] {
  const schema = inside(operation, 'requestBody', 'content', 'application/json', 'schema', '$ref');
  const name = typeof schema === 'string' ? schema.slice(schema.lastIndexOf('/') + 1) : '';
  return Object.keys(inside(document, 'components', 'schemas', name, 'properties') ?? {});
}

/** All routes of the document, with the members of their bodies. */
const routes = Object.entries(inside(document, 'paths') ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods ?? {}).flatMap(([word, operation]) => {
    const method = methodOf(word);
    return method === undefined ? [] : [{ path, method, members: membersOf(operation) }];
  }),
);

const fill = (path: string, values: Readonly<Record<string, string>> = good) =>
  path.replaceAll(/\{([a-z]+)\}/g, (_, name: string) => values[name] ?? 'x');

async function world() {
  const plane = await fakePlane();
  const log = keptLog();
  const api = createApi({ plane, version: '0', log });
  const refusedOr = async (
    allowed: 'never-succeeds' | 'may-succeed',
    method: Method,
    url: string,
    payload?: string | Buffer,
    headers: Record<string, string> = {},
  ) => {
    const answer = await api.inject({ method, url, headers, ...(payload !== undefined && { payload }) });
    const told = `${method} ${url} ${String(payload).slice(0, 80)}: ${answer.statusCode} ${answer.body.slice(0, 200)}`;
    if (answer.statusCode < 300 && allowed === 'may-succeed') return answer;
    assert.ok(answer.statusCode >= 400 && answer.statusCode < 500, told);
    const { error, ...rest } = answer.json();
    assert.deepEqual(rest, {}, told);
    assert.ok(refusalCodes.includes(error.code), told);
    assert.ok(typeof error.message === 'string' && error.message.length > 5, told);
    return answer;
  };
  return { plane, log, refusedOr };
}

const writes = routes.filter(({ members }) => members.length > 0);

test('bodies that are no JSON object: 400 on every route that takes one', async () => {
  const { plane, refusedOr } = await world();
  const bodies = [
    '{',
    '{"namespace":',
    'namespace=x',
    '"text"',
    '17',
    'null',
    'true',
    '[]',
    '[{"namespace":"x"}]',
    '{"a":1}}',
    "{'a':1}",
    '\u0000',
    '<xml/>',
    '['.repeat(100_000),
    '{"a":'.repeat(50_000),
    Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
    Buffer.from('{"namespace":"\xff"}', 'latin1'),
  ];
  for (const { method, path } of writes) {
    for (const body of bodies) {
      const answer = await refusedOr('never-succeeds', method, fill(path), body);
      assert.equal(answer.statusCode, 400, answer.body);
    }
  }
  assert.deepEqual(plane.asked, []);
});

test('no body: accepted only where every member is optional', async () => {
  const { refusedOr } = await world();
  for (const { method, path } of routes) await refusedOr('may-succeed', method, fill(path));
});

test('a body over the limit: 413, whatever it holds', async () => {
  const { plane, refusedOr } = await world();
  const huge = Buffer.alloc(10 * 1024 * 1024, 0x20);
  for (const { method, path } of writes) {
    const answer = await refusedOr('never-succeeds', method, fill(path), huge);
    assert.deepEqual([answer.statusCode, answer.json().error.code], [413, 'invalid']);
  }
  assert.deepEqual(plane.asked, []);
});

const MEMBERS = [...new Set(writes.flatMap(({ members }) => members))];

const NONSENSE: readonly unknown[] = [
  null,
  -1,
  -1e308,
  1e308,
  2 ** 53,
  0.1,
  '-1',
  '99999999999999999999',
  'nonsense\u0000',
  '../../etc/passwd',
  '..%2f..%2f',
  'имя',
  '名前',
  '\u202eabc',
  '\ud800',
  'x'.repeat(100_000),
  {},
  { toString: 1 },
  [],
  [[]],
  [null],
  [{}],
  ['a:1', 'a:1'],
  ['127.0.0.1:0'],
  ['127.0.0.1:65536'],
  ['127.0.0.1:7000 '],
  ['http://127.0.0.1:7000'],
  ['[::1:7000'],
  ['127.0.0.1:7000\r\nX: y'],
  ['名前:7000'],
  Array.from({ length: 2000 }, (_, i) => `10.0.0.1:${i + 1}`),
];

const GOOD_BODY: Readonly<Record<string, unknown>> = {
  namespace: 'n',
  name: 'c',
  nodes: ['127.0.0.1:9'],
  addr: '127.0.0.1:9',
  target: 1,
  slot: 1,
};

test('each member in turn of a wrong type, negative, huge or strange', async () => {
  const { refusedOr, log } = await world();
  for (const { method, path, members } of writes) {
    for (const member of members) {
      for (const value of NONSENSE) {
        await refusedOr('may-succeed', method, fill(path), JSON.stringify({ ...GOOD_BODY, [member]: value }));
      }
    }
  }
  const faults = log.kept.filter(({ level }) => level === 'error');
  assert.deepEqual(faults, []);
});

test('unknown members are ignored, also those with names that objects have of themselves', async () => {
  const { refusedOr } = await world();
  const body = '{"namespace":"n1","__proto__":{"force":true},"constructor":{"prototype":1},"toString":0,"x":[[[]]]}';
  const answer = await refusedOr('may-succeed', 'POST', '/api/v1/namespaces', body);
  assert.equal(answer.statusCode, 201);
});

const NAMES = [
  '..%2f..%2fetc',
  '%2e%2e',
  '%00',
  '%0d%0aX:y',
  'a%00b',
  '%e5%90%8d%e5%89%8d',
  '%F0%9F%98%80',
  'a%2Fb',
  '%20',
  '%7f',
  '-1',
  '__proto__',
  'constructor',
  'x'.repeat(2000),
  '%ff',
  '%c0%af',
  '%',
  '%zz',
  '%u0041',
  'a;b=c',
  '*',
  '0x10',
  '1e3',
  "'%20OR%201=1",
  '<script>',
];

/** As it stands: `inject` and `fetch` would resolve `%2e%2e` before sending. */
function verbatim(agent: Agent, port: number, method: string, path: string, body: string): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve([answer.statusCode ?? 0, text]));
    });
    asked.on('error', reject);
    asked.end(method === 'POST' ? body : undefined);
  });
}

test('strange names in every place of every path, over a socket', async (t) => {
  const plane = await fakePlane();
  const api = createApi({ plane, version: '0', log: keptLog() });
  const { port } = await listen(api, { host: '127.0.0.1', port: 0 });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(async () => {
    agent.destroy();
    await api.close();
  });
  for (const { method, path } of routes) {
    for (const [, parameter = ''] of path.matchAll(/\{([a-z]+)\}/g)) {
      for (const name of NAMES) {
        const [status, text] = await verbatim(
          agent,
          port,
          method,
          fill(path, { ...good, [parameter]: name }),
          JSON.stringify(GOOD_BODY),
        );
        // Some are strange and yet names that a new cluster may have.
        if (status === 201 && path.endsWith('/import') && isName(name)) {
          await plane.deleteCluster({ namespace: 'test-ns', cluster: name }, false, { caller: TESTER });
          continue;
        }
        const told = `${method} ${path} ${parameter}=${name}: ${status} ${text}`;
        assert.ok(status >= 400 && status < 500, told);
        assert.ok(refusalCodes.includes(JSON.parse(text).error.code), told);
      }
    }
  }
  assert.deepEqual(plane.namespaces(), ['test-ns']);
  assert.deepEqual(plane.clusters('test-ns'), ['test-cluster']);
});

test('strange queries and headers', async () => {
  const { refusedOr } = await world();
  const queries = [
    '?force',
    '?force=%ff',
    '?wait=1e9',
    '?wait=%00',
    '?dry_run=1',
    '?limit=-1',
    '?reveal=',
    '?reset=x',
    '?&&=&%',
  ];
  for (const { method, path } of routes) {
    for (const query of queries) await refusedOr('may-succeed', method, fill(path) + query);
    for (const header of ['if-match', 'last-event-id', 'accept', 'content-type', 'content-encoding']) {
      for (const value of ['', '\u00ff\u00fe', 'x'.repeat(8000), '*/*, */*', '"', '-5', '99999999999999999999']) {
        await refusedOr('may-succeed', method, fill(path), undefined, { [header]: value });
      }
    }
  }
});

test('the routes and members that all this is tried on are there', () => {
  assert.ok(routes.length >= 28 && writes.length >= 14, `${routes.length} routes, ${writes.length} with bodies`);
  for (const member of ['namespace', 'nodes', 'addr', 'slot', 'target', 'preferred_node_id', 'until']) {
    assert.ok(MEMBERS.includes(member), member);
  }
});

test('whatever JSON comes, no route faults', async () => {
  const { refusedOr } = await world();
  const route = fc.constantFrom(...writes);
  const body = fc.dictionary(fc.oneof(fc.constantFrom(...MEMBERS), fc.string()), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 6,
  });
  await fc.assert(
    fc.asyncProperty(route, body, async ({ method, path }, value) => {
      await refusedOr('may-succeed', method, fill(path), JSON.stringify(value));
    }),
    { numRuns: 500 },
  );
});
