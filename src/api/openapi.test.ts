import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusals } from '../controller/refusal.ts';
import { openApiDocument } from './openapi.ts';
import { createApi } from './server.ts';
import { fakePlane, keptLog } from './testing.ts';

const document = await openApiDocument('1.2.3');
const text = JSON.stringify(document);

type Found = { readonly [member: string]: unknown };
const isFound = (value: unknown): value is Found => typeof value === 'object' && value !== null;

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, member) => (isFound(inner) ? inner[member] : undefined), value);
}

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE'] as const;

function operations(): readonly { readonly path: string; readonly method: string; readonly of: Found }[] {
  return Object.entries(at(document, 'paths') ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods ?? {}).flatMap(([method, of]) => (isFound(of) ? [{ path, method, of }] : [])),
  );
}

test('the codes of the document and of the controller are the same, each with its status', () => {
  const code = at(document, 'components', 'schemas', 'Refused', 'properties', 'error', 'properties', 'code');
  assert.deepEqual(at(code, 'enum'), Object.keys(refusals));
  for (const [name, { status, meaning }] of Object.entries(refusals)) {
    assert.ok(`${at(code, 'description')}`.includes(`\`${name}\` (${status}): ${meaning}`), name);
  }
  for (const { path, method, of } of operations()) {
    for (const [status, response] of Object.entries(at(of, 'responses') ?? {})) {
      const named = [...`${at(response, 'description')}`.matchAll(/`([a-z_]+)`: /g)].map(([, word]) => word);
      if (Number(status) < 400) continue;
      assert.ok(named.length > 0, `${method} ${path} ${status}`);
      for (const word of named) {
        const entry = Object.entries(refusals).find(([known]) => known === word)?.[1];
        assert.equal(entry?.status, Number(status), `${method} ${path}: ${word}`);
      }
    }
  }
});

test('every operation has an id of its own, a summary and an answer', () => {
  const ids = operations().map(({ of }) => at(of, 'operationId'));
  assert.equal(new Set(ids).size, ids.length);
  for (const { path, method, of } of operations()) {
    const responses = Object.keys(at(of, 'responses') ?? {});
    assert.equal(typeof at(of, 'summary'), 'string', `${method} ${path}`);
    assert.equal(responses.filter((status) => status.startsWith('2')).length, 1, `${method} ${path}`);
  }
});

test('every route that is served is described, but for the page', async () => {
  const served: string[] = [];
  const api = createApi({ plane: await fakePlane(), version: '0', log: keptLog() });
  for (const { path, method } of operations()) {
    const url = path.replaceAll(/\{([a-z]+)\}/g, ':$1');
    const word = METHODS.find((one) => one.toLowerCase() === method) ?? assert.fail(method);
    assert.ok(api.hasRoute({ method: word, url }), url);
    served.push(`${method} ${path}`);
  }
  const printed = api.printRoutes({ commonPrefix: false }).match(/\((?:[A-Z]+(?:, )?)+\)/g) ?? [];
  const methods = printed.flatMap((list) => list.slice(1, -1).split(', ')).filter((method) => method !== 'HEAD');
  assert.equal(methods.length, served.length + 1);
});

test('the examples of the document are in it', () => {
  for (const example of [
    '{"namespace":"test-ns"}',
    '{"data":"created"}',
    '{"data":"ok"}',
    '{"data":{"namespaces":["test-ns"]}}',
    '{"data":{"clusters":["test-cluster"]}}',
    '{"name":"test-cluster","nodes":["127.0.0.1:6666"],"replicas":1,"password":""}',
    '{"nodes":["127.0.0.1:6666"],"password":""}',
    '"id":"YotDSqzTeHK6CnIX2gZu27IlcYRTW4dkkFQvV382","addr":"127.0.0.1:6666","role":"master","password":"","master_auth":"","created_at":16834433980',
    '"id":"3SStZULMqclwvYNT8gN05IdybROe0vEnn97iNB5Z"',
    '"id":"y5PftTd0Lc3hH34yEyavIji86cRM5i3oxytt42vo","addr":"127.0.0.1:6667"',
    '"id":"pxpE1JSBJcqicuwc95zqTPTj5rB7YtfvpociyH8C","addr":"127.0.0.1:6666","role":"master"',
    '"id":"O0JKq1Hp9FtI3dJTU3MigWjjZJzPtduoDODX0OAY","addr":"127.0.0.1:6667","role":"slave"',
    '"slot_ranges":null',
    '"preferred_node_id":',
    '{"data":{"new_master_id":',
    '{"addr":"127.0.0.1:6666","role":"slave","password":""}',
    '{"target":1,"slot":123,"slot_only":"false"}',
    '"message":"the entry already existed"',
    '"message":"the entry does not exist"',
  ]) {
    assert.ok(text.includes(example), example);
  }
});

test('references lead somewhere, and a body is required only where one of its members is', () => {
  const names = new Set(Object.keys(at(document, 'components', 'schemas') ?? {}));
  for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) assert.ok(names.has(name), name);
  const required = (id: string) =>
    at(operations().find(({ of }) => at(of, 'operationId') === id)?.of, 'requestBody', 'required');
  assert.deepEqual([required('createCluster'), required('failover'), required('pauseCluster')], [true, false, false]);
});

test('the server serves it', async () => {
  const api = createApi({ plane: await fakePlane(), version: '1.2.3', log: keptLog() });
  const answer = await api.inject({ url: '/openapi.json' });
  assert.deepEqual(answer.json(), document);
  assert.equal(answer.json().info.version, '1.2.3');
});
