import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Cancel, Timers } from '../runtime/runtime.ts';
import { createApi, listen } from './server.ts';
import { fakePlane, keptLog, TEST_CLUSTER } from './testing.ts';

const PATH = '/api/v1/namespaces/test-ns/clusters/test-cluster/events';

/** Timers that run when told to. */
function handTimers() {
  const waiting = new Set<() => void>();
  const timers: Timers = {
    after(_delay, call): Cancel {
      waiting.add(call);
      return () => waiting.delete(call);
    },
  };
  const run = () => {
    for (const call of [...waiting]) {
      waiting.delete(call);
      call();
    }
  };
  return { timers, run, waiting };
}

async function served(t: TestContext) {
  const plane = await fakePlane();
  const hand = handTimers();
  const api = createApi({
    plane,
    version: '0',
    log: keptLog(),
    runtime: { clock: { now: () => 0, wall: () => 0 }, timers: hand.timers },
  });
  const { port } = await listen(api, { host: '127.0.0.1', port: 0 });
  t.after(() => api.close());
  return { plane, hand, api, port };
}

interface Reader {
  readonly socket: Socket;
  text(): string;
  /** Resolves once this has been read. */
  until(what: string | RegExp): Promise<void>;
  ended: Promise<unknown>;
}

async function reader(t: TestContext, port: number, query = '', headers = ''): Promise<Reader> {
  let text = '';
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  socket.write(`GET ${PATH}${query} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n${headers}\r\n`);
  const has = (what: string | RegExp) => (typeof what === 'string' ? text.includes(what) : what.test(text));
  const until = async (what: string | RegExp) => {
    while (!has(what)) await once(socket, 'data');
  };
  const ended = once(socket, 'close');
  await until('retry: 2000');
  return { socket, text: () => text, until, ended };
}

const ids = (text: string): readonly number[] => [...text.matchAll(/^id: ([0-9]+)$/gm)].map(([, id]) => Number(id));

test('a stream begins with what happens next, each event with its id', async (t) => {
  const { plane, port } = await served(t);
  plane.happen(TEST_CLUSTER, 'before');
  const one = await reader(t, port);
  const event = plane.happen(TEST_CLUSTER, 'a line\nand another');
  await one.until('and another');
  assert.match(one.text(), /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/event-stream/);
  assert.ok(one.text().includes(`id: 2\ndata: ${JSON.stringify(event)}\n\n`));
  assert.deepEqual(ids(one.text()), [2]);
});

test('a stream resumes behind the last event that its reader saw', async (t) => {
  const { plane, port } = await served(t);
  for (let i = 1; i <= 1200; i++) plane.happen(TEST_CLUSTER, `event ${i}.`);
  const one = await reader(t, port, '?after=5', 'Last-Event-ID: 100\r\n');
  plane.happen(TEST_CLUSTER, 'the last one');
  await one.until('the last one');
  assert.deepEqual(
    ids(one.text()),
    Array.from({ length: 1101 }, (_, i) => 101 + i),
  );
  const two = await reader(t, port, '?after=1199');
  await two.until('the last one');
  assert.deepEqual(ids(two.text()), [1200, 1201]);
});

test('a reader from another life of the cluster misses nothing of this one', async (t) => {
  const { plane, port } = await served(t);
  const one = await reader(t, port, '', 'Last-Event-ID: 1795566900764000\r\n');
  plane.happen(TEST_CLUSTER, 'young');
  await one.until('young');
  assert.deepEqual(ids(one.text()), [1]);
});

test('ids as the controller makes them, microseconds since 1970: taken up to the largest whole number there is', async (t) => {
  const { api } = await served(t);
  for (const id of ['1795566900764000', String(Number.MAX_SAFE_INTEGER)]) {
    const got = await api.inject({ url: `${PATH}?after=${id}`, headers: { 'last-event-id': id } });
    assert.deepEqual([got.statusCode, got.json()], [200, { data: { events: [] } }]);
  }
});

test('heartbeats reach every stream within fifteen turns, and end with the last stream', async (t) => {
  const { plane, port, hand } = await served(t);
  const readers = await Promise.all(Array.from({ length: 20 }, () => reader(t, port)));
  for (let i = 0; i < 15; i++) hand.run();
  await Promise.all(readers.map((one) => one.until(/\n:\n\n/)));
  for (const one of readers) one.socket.destroy();
  while (plane.watching(TEST_CLUSTER) > 0) await fetch(`http://127.0.0.1:${port}/healthz`);
  hand.run();
  assert.equal(hand.waiting.size, 0);
});

test('a consumer that never reads is cut off, the others are not', async (t) => {
  const { plane, port } = await served(t);
  const lazy = await reader(t, port);
  const good = await reader(t, port);
  lazy.socket.pause();
  const big = 'x'.repeat(100_000);
  for (let i = 1; i <= 400 && plane.watching(TEST_CLUSTER) === 2; i++) {
    plane.happen(TEST_CLUSTER, big);
    await good.until(`id: ${i}\n`);
  }
  assert.equal(plane.watching(TEST_CLUSTER), 1);
  plane.happen(TEST_CLUSTER, 'still here');
  await good.until('still here');
  lazy.socket.resume();
  await lazy.ended;
});

test('a thousand idle streams hold one timer, and closing the server ends them', async (t) => {
  const { api, plane, port, hand } = await served(t);
  const readers: Reader[] = [];
  for (let i = 0; i < 1000; i += 100) {
    readers.push(...(await Promise.all(Array.from({ length: 100 }, () => reader(t, port)))));
  }
  assert.equal(plane.watching(TEST_CLUSTER), 1000);
  assert.equal(hand.waiting.size, 1);
  await api.close();
  await Promise.all(readers.map((one) => one.ended));
  assert.deepEqual([plane.watching(TEST_CLUSTER), hand.waiting.size], [0, 0]);
});

test('an unknown cluster or a strange id is refused before a stream begins', async (t) => {
  const { api } = await served(t);
  const headers = { accept: 'text/event-stream' };
  const unknown = await api.inject({ url: PATH.replace('test-cluster', 'nope'), headers });
  assert.deepEqual([unknown.statusCode, unknown.json().error.code], [404, 'not_found']);
  const strange = await api.inject({ url: PATH, headers: { ...headers, 'last-event-id': 'x' } });
  assert.deepEqual([strange.statusCode, strange.json().error.code], [400, 'invalid']);
});
