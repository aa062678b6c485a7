/** What only real connections show: foreign pages, names that lead here, and clients that misuse HTTP itself. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { hostGuard } from './guard.ts';
import { type ApiSettings, createApi, listen } from './server.ts';
import { fakePlane, keptLog, TEST_CLUSTER } from './testing.ts';

async function served(t: TestContext, more: Partial<ApiSettings> = {}) {
  const plane = await fakePlane();
  const log = keptLog();
  const api = createApi({ plane, version: '0', log, ...more });
  const { port } = await listen(api, { host: '127.0.0.1', port: 0 });
  t.after(() => api.close());
  return { plane, log, api, port, base: `http://127.0.0.1:${port}/api/v1` };
}

/** Sends the bytes and resolves with all that came back once the connection has ended. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

const statusOf = (answer: string): number => Number(answer.split(' ')[1]);
const bodyOf = (answer: string): { error: { code: string; message: string } } =>
  JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

test('the document’s first examples, through a socket as curl sends them', async (t) => {
  const { base } = await served(t);
  const post = await fetch(`${base}/namespaces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: '{"namespace": "by-curl"}',
  });
  assert.deepEqual([post.status, await post.json()], [201, { data: 'created' }]);
  const list = await fetch(`${base}/namespaces`);
  assert.deepEqual(await list.json(), { data: { namespaces: ['by-curl', 'test-ns'] } });
  assert.equal(list.headers.get('cache-control'), 'no-store');
});

test('GET cluster answers from its bytes, and anew after a change', async (t) => {
  const { base, plane } = await served(t);
  const url = `${base}/namespaces/test-ns/clusters/test-cluster`;
  const version = async () => {
    const answer = await fetch(url);
    assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8');
    const { data } = JSON.parse(await answer.text());
    assert.equal(answer.headers.get('etag'), `"${data.cluster.version}"`);
    return data.cluster.version;
  };
  assert.deepEqual([await version(), await version()], [1, 1]);
  plane.change(TEST_CLUSTER, (cluster) => cluster);
  assert.equal(await version(), 2);
  const head = await fetch(url, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

test('a page of another origin cannot make a browser act on the API', async (t) => {
  const { base, plane, port } = await served(t);
  const own = `http://127.0.0.1:${port}`;
  const act = (headers: Record<string, string>) =>
    fetch(`${base}/namespaces`, { method: 'POST', headers, body: '{"namespace":"by-page"}' });
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: `http://localhost:${port}` },
    { origin: `http://127.0.0.1:${port + 1}` },
    { origin: 'null' },
    { origin: '' },
    { origin: `${own}.evil.example` },
  ]) {
    const answer = await act(headers);
    assert.equal(answer.status, 403, JSON.stringify(headers));
    assert.equal(JSON.parse(await answer.text()).error.code, 'forbidden');
  }
  // fetch itself sets sec-fetch headers, so these go by hand.
  const bytes = (site: string) =>
    `POST /api/v1/namespaces HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nSec-Fetch-Site: ${site}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
  assert.equal(statusOf(await raw(port, bytes('cross-site'))), 403);
  assert.deepEqual(plane.asked, []);
  assert.equal(statusOf(await raw(port, bytes('same-origin'))), 400, 'its own page gets as far as the body');
  assert.equal((await act({ origin: own })).status, 201);
});

test('a name that was rebound to loopback leads nowhere', async (t) => {
  const { port } = await served(t, { names: ['kv.internal'] });
  const from = async (host: string) =>
    raw(port, `GET /api/v1/namespaces HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '']) {
    const answer = await from(host);
    assert.deepEqual([statusOf(answer), bodyOf(answer).error.code], [403, 'forbidden'], host);
  }
  for (const host of ['localhost', `LOCALHOST:${port}`, '127.0.0.1', `[::1]:${port}`, '10.1.2.3', 'kv.internal']) {
    assert.equal(statusOf(await from(host)), 200, host);
  }
});

test('bound to more than loopback it has any name', () => {
  const guard = hostGuard(() => ({ loopback: false, names: [] }));
  const asked = (method: string, headers: Record<string, string>) => ({ method, headers });
  assert.equal(guard(asked('GET', { host: 'kv.example.com' })), undefined);
  assert.equal(guard(asked('POST', { host: 'kv.example.com', origin: 'https://kv.example.com' })), undefined);
  assert.equal(
    guard(asked('POST', { host: 'kv.example.com', origin: 'https://other.example.com' }))?.code,
    'forbidden',
  );
});

test('10 MiB: the answer is 413, and it arrives', async (t) => {
  const { base, plane } = await served(t);
  const body = Buffer.alloc(10 * 1024 * 1024, 'x');
  for (const path of ['/namespaces', '/namespaces/test-ns/clusters', '/nothing-here']) {
    const answer = await fetch(`${base}${path}`, { method: 'POST', body });
    const status = path === '/nothing-here' ? 404 : 413;
    assert.equal(answer.status, status);
    assert.equal(typeof JSON.parse(await answer.text()).error.code, 'string');
  }
  assert.deepEqual(plane.asked, []);
});

test('what is not HTTP is answered in the envelope', async (t) => {
  const { port } = await served(t);
  const wrong: readonly [string, number][] = [
    ['nonsense\r\n\r\n', 400],
    ['FROB /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
    ['GET /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n', 400],
    ['GET /api/v1/\u0001 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 400],
    ['PROPFIND /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 405],
    ['OPTIONS /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 405],
  ];
  for (const [bytes, status] of wrong) {
    const answer = await raw(port, bytes);
    assert.equal(statusOf(answer), status, `${bytes.slice(0, 60)} ${answer}`);
    assert.equal(typeof bodyOf(answer).error.code, 'string', answer);
  }
  assert.equal(statusOf(await raw(port, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')), 200);
});

test('closing lets a request under way have its answer, and cuts one that never comes to its end', async (t) => {
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const { api, plane, port, base } = await served(t);
  plane.sync = async () => {
    asked.resolve();
    await goOn.promise;
  };
  const answer = fetch(`${base}/namespaces/test-ns/clusters/test-cluster/sync`, { method: 'POST' });
  const halfway = raw(port, 'POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{');
  await asked.promise;
  const closed = api.close();
  goOn.resolve();
  assert.equal((await answer).status, 200);
  await Promise.all([closed, halfway]);
});

test('slow-loris clients lose their connections, and others are served meanwhile', async (t) => {
  const { port, base } = await served(t, { arrival: { headers: 60, request: 120, checkedEach: 20 } });
  const slow = [
    raw(port, ''),
    raw(port, 'GET / HTTP/1.1\r\nHost: local'),
    raw(port, 'POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"names'),
  ];
  assert.equal((await fetch(`${base}/namespaces`)).status, 200);
  const ended = await Promise.all(slow);
  for (const answer of ended) assert.equal(statusOf(answer), 408, answer);
});
