import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Fastify from 'fastify';
import { TEST_CLUSTER } from '../../api/testing.ts';
import { served, terminal } from '../testing.ts';

const answering = (make: (request: Request) => Response | Promise<Response>): typeof fetch => {
  return async (input, init) => make(new Request(input, init));
};

/** As `fetch` fails when a connection breaks. */
const broken = (code: string): typeof fetch => {
  return async () => {
    throw new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) });
  };
};

test('a controller that is not there: its address, how to start one, how to name another', async () => {
  const gone = Fastify();
  const host = await gone.listen({ host: '127.0.0.1', port: 0 });
  await gone.close();
  assert.deepEqual(await terminal().kvctl(`create namespace ns --host ${host}`), {
    code: 6,
    out: '',
    err: `error: no controller answers at ${host}: the connection is refused\nStart one with kvctl-server (http://127.0.0.1:9379 by default), or name another with --host or the variable KVCTL_HOST.\n`,
  });
});

test('a port to which fetch makes no connection, whoever listens there', async () => {
  const { code, err } = await terminal().kvctl('create namespace ns --host 127.0.0.1:1');
  assert.equal(code, 6);
  assert.match(err, /no controller answers at http:\/\/127\.0\.0\.1:1: this port is reserved for another protocol/);
});

test('a host that does not resolve', async () => {
  const { code, err } = await terminal({ fetch: broken('ENOTFOUND') }).kvctl('list namespaces --host nowhere');
  assert.equal(code, 6);
  assert.match(err, /no controller answers at http:\/\/nowhere:9379: there is no such host/);
});

test('a connection that breaks after a write was sent: it may have happened', async () => {
  const { kvctl } = terminal({ fetch: broken('UND_ERR_SOCKET') });
  assert.deepEqual(await kvctl('create namespace ns'), {
    code: 7,
    out: '',
    err: 'error: the connection to the controller at http://127.0.0.1:9379 broke before its answer (UND_ERR_SOCKET); it may or may not have happened\nFind out: kvctl status\n',
  });
  assert.equal((await kvctl('list namespaces')).code, 6);
});

test('an answer that stops in the middle is no answer', async () => {
  const fetch = answering(
    () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(new TextEncoder().encode('{"data": "crea'));
            controller.error(new TypeError('terminated'));
          },
        }),
        { status: 201 },
      ),
  );
  assert.equal((await terminal({ fetch }).kvctl('create namespace ns')).code, 7);
});

test('a controller that does not answer in time, while garbage is collected', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  const silent = Fastify({ forceCloseConnections: true });
  silent.all('/*', async () => {
    collect();
    await new Promise(() => {});
  });
  const host = await silent.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => silent.close());
  const { kvctl } = terminal({ env: { KVCTL_HOST: host } });
  const read = await kvctl('list namespaces --timeout 4s');
  assert.equal(read.code, 6);
  assert.match(read.err, /gave no answer within 4 s/);
  assert.equal((await kvctl('create namespace ns --timeout 4s')).code, 7);
});

test('something else that answers is not taken for a controller', async () => {
  for (const text of ['<html>hello</html>', '', '[]', '"ok"']) {
    const fetch = answering(() => new Response(text, { status: 200, headers: { 'content-type': 'text/html' } }));
    const { code, out, err } = await terminal({ fetch }).kvctl('list namespaces');
    assert.deepEqual({ code, out }, { code: 6, out: '' });
    assert.match(err, /what answers at http:\/\/127\.0\.0\.1:9379 is not a controller \(HTTP status 200, text\/html\)/);
  }
});

test('refusals without a code, as an older controller gives them, are told by their status', async () => {
  const cases = [
    [400, 2],
    [404, 3],
    [409, 4],
    [500, 1],
    [503, 6],
    [504, 7],
  ];
  for (const [status, exit] of cases) {
    const fetch = answering(() => Response.json({ error: { message: 'no' } }, { status: status ?? 0 }));
    const { code, err } = await terminal({ fetch }).kvctl('list namespaces');
    assert.deepEqual({ status, code, err: err.split('\n')[0] }, { status, code: exit, err: 'error: no' });
  }
});

test('what a controller says cannot move the cursor of the terminal', async () => {
  const fetch = answering(() =>
    Response.json({ error: { message: 'no\x1b[2J\nyes', code: 'internal' } }, { status: 500 }),
  );
  const { err } = await terminal({ fetch }).kvctl('list namespaces');
  assert.match(err, /^error: no\\u\{1b\}\[2J\\u\{a\}yes\n/);
});

test('a follower that sends on to the leader is followed, body and all', async (t) => {
  const { host, plane } = await served(t);
  const follower = Fastify();
  follower.all('/*', (request, reply) => reply.redirect(`${host}${request.url}`, 307));
  const at = await follower.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => follower.close());
  const { kvctl } = terminal({ env: { KVCTL_HOST: at } });
  assert.equal((await kvctl('create namespace elsewhere')).code, 0);
  assert.deepEqual(plane.namespaces(), ['elsewhere', 'test-ns']);
  const late = await kvctl('pause test-cluster -n test-ns --if-version 7');
  assert.equal(late.code, 4);
  assert.equal(plane.status(TEST_CLUSTER).paused, null);
});
