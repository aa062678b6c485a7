import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_CLUSTER } from '../../api/testing.ts';
import { served, until } from '../testing.ts';

const IN = 'test-cluster -n test-ns';

test('the newest events, oldest first', async (t) => {
  const { kvctl, plane } = await served(t);
  for (let i = 1; i <= 1203; i++) plane.happen(TEST_CLUSTER, `number ${i}`);
  assert.deepEqual(await kvctl(`events ${IN} --last 2`), {
    code: 0,
    out: [
      '2023-06-07 01:34:54Z  note  number 1202 (version 1, by controller)\n',
      '2023-06-07 01:34:54Z  note  number 1203 (version 1, by controller)\n',
    ].join(''),
    err: '',
  });
  const json = await kvctl(`events ${IN} --last 1 -o json`);
  assert.deepEqual(JSON.parse(json.out), { events: await plane.events(TEST_CLUSTER, 1202, 1) });
});

test('a cluster that is not there has no events, followed or not', async (t) => {
  const { kvctl } = await served(t);
  for (const flag of ['', '--follow']) assert.equal((await kvctl(`events nope -n test-ns ${flag}`)).code, 3);
});

test('following: what was, then what happens; a broken stream is taken up behind the last event', async (t) => {
  const stop = new AbortController();
  /** Breaks the streams that are open, as a network does. */
  const breakers = new Set<() => void>();
  const asked: (string | null)[] = [];
  let reachable = true;
  const breakable: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    if (request.headers.get('accept') !== 'text/event-stream') return fetch(input, init);
    asked.push(request.headers.get('last-event-id'));
    if (!reachable)
      throw new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) });
    const line = new AbortController();
    breakers.add(() => line.abort(new TypeError('terminated')));
    return fetch(input, { ...init, signal: AbortSignal.any([init?.signal ?? line.signal, line.signal]) });
  };
  const { kvctl, plane, screen } = await served(t, { fetch: breakable, stopped: stop.signal });
  plane.happen(TEST_CLUSTER, 'first');
  const ended = kvctl(`events ${IN} --follow -o json`);
  await until(() => plane.watching(TEST_CLUSTER) === 1);
  plane.happen(TEST_CLUSTER, 'second');
  await until(() => screen.out.includes('second'));

  reachable = false;
  for (const breakNow of breakers) breakNow();
  await until(() => plane.watching(TEST_CLUSTER) === 0);
  plane.happen(TEST_CLUSTER, 'third, unseen');
  await until(() => asked.length >= 3);
  reachable = true;
  await until(() => screen.out.includes('third'));
  plane.happen(TEST_CLUSTER, 'fourth');
  await until(() => screen.out.includes('fourth'));

  stop.abort();
  const { code, out, err } = await ended;
  assert.equal(code, 0);
  assert.deepEqual(
    out
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text).message),
    ['first', 'second', 'third, unseen', 'fourth'],
  );
  assert.deepEqual([asked[0], ...new Set(asked.slice(1))], ['1', '2']);
  assert.equal(err.match(/trying again/g)?.length, 1);
});

test('a stream that falls silent is given up and made again', async (t) => {
  const stop = new AbortController();
  let opened = 0;
  const dumb: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    if (request.headers.get('accept') !== 'text/event-stream') return fetch(input, init);
    opened++;
    const body = new ReadableStream({
      start(controller) {
        init?.signal?.addEventListener('abort', () => controller.error(init.signal?.reason));
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  const { kvctl, screen } = await served(t, { fetch: dumb, stopped: stop.signal });
  const ended = kvctl(`events ${IN} --follow`);
  await until(() => opened === 2);
  stop.abort();
  assert.equal((await ended).code, 0);
  assert.match(screen.err, /gave no answer within 45 s; trying again/);
});
