import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SocketEnd } from '../runtime/runtime.ts';
import { Secret } from '../runtime/secret.ts';
import { type Connection, type ConnectionOptions, openConnection } from './connection.ts';
import { type ConnectionEnd, type Outcome, type Question, question, reply } from './question.ts';
import { encodeCommand, type Reply } from './resp.ts';
import { bulk, type FakeWorld, fakeWorld, settled } from './testing.ts';

const PING: Question<Reply> = question(['PING'], (got) => reply<Reply>(got));

function open(
  world: FakeWorld,
  options: Partial<ConnectionOptions> = {},
): { connection: Connection; ends: ConnectionEnd[] } {
  const ends: ConnectionEnd[] = [];
  const connection = openConnection(
    world.runtime,
    { host: '10.0.0.1', port: 6666 },
    { connectTimeout: 500, replyTimeout: 1000, ended: (why) => void ends.push(why), ...options },
  );
  return { connection, ends };
}

/** The outcome so far: undefined while it is awaited. */
function watch<T>(outcome: Promise<Outcome<T>>): { readonly got: () => Outcome<T> | undefined } {
  let got: Outcome<T> | undefined;
  void outcome.then((value) => {
    got = value;
  });
  return { got: () => got };
}

test('questions asked before the connection is made are sent after it, and answered in order', async () => {
  const world = fakeWorld();
  const { connection } = open(world);
  const first = watch(connection.ask(PING));
  const second = watch(connection.ask(PING));
  await world.advance(100);
  assert.equal(world.lastPeer().sent, '');
  world.lastPeer().accept();
  assert.equal(world.lastPeer().sent, encodeCommand(['PING']).repeat(2));
  await world.advance(30);
  world.lastPeer().send('+one\r\n+tw');
  world.lastPeer().send('o\r\n');
  await settled();
  assert.deepEqual(first.got(), {
    kind: 'reply',
    value: { kind: 'simple', text: 'one' },
    askedAt: 1100,
    answeredAt: 1130,
  });
  assert.deepEqual(second.got(), {
    kind: 'reply',
    value: { kind: 'simple', text: 'two' },
    askedAt: 1100,
    answeredAt: 1130,
  });
  assert.equal(world.timersLeft(), 0);
});

test('an error reply is an answer, classified', async () => {
  const world = fakeWorld();
  const { connection } = open(world);
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  world.lastPeer().send('-LOADING kvrocks is restoring the db from backup\r\n');
  await settled();
  const got = asked.got();
  assert.equal(got?.kind === 'error' && got.error.kind, 'loading');
  assert.equal(connection.state, 'open');
});

test('a password: AUTH goes first, in the same breath', async () => {
  const world = fakeWorld();
  const { connection } = open(world, { password: new Secret('pw') });
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  assert.equal(world.lastPeer().sent, encodeCommand(['AUTH', 'pw']) + encodeCommand(['PING']));
  world.lastPeer().send('+OK\r\n+PONG\r\n');
  await settled();
  assert.equal(asked.got()?.kind, 'reply');
  assert.equal(connection.denied, false);
});

test('a wrong password: denied, and every question is answered so', async () => {
  const world = fakeWorld();
  const { connection } = open(world, { password: new Secret('wrong') });
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  world.lastPeer().send('-ERR Invalid password\r\n-NOAUTH Authentication required.\r\n');
  await settled();
  const got = asked.got();
  assert.equal(got?.kind === 'error' && got.error.kind, 'denied');
  assert.equal(connection.denied, true);
});

test('a node without a password that is sent one: served', async () => {
  const world = fakeWorld();
  const { connection } = open(world, { password: new Secret('pw') });
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  world.lastPeer().send('-ERR Client sent AUTH, but no password is set\r\n+PONG\r\n');
  await settled();
  assert.equal(asked.got()?.kind, 'reply');
  assert.equal(connection.denied, false);
});

test('a peer that echoes: over at once, and the password is nowhere', async () => {
  const world = fakeWorld();
  const { connection, ends } = open(world, { password: new Secret('hunter2') });
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  world.lastPeer().send(world.lastPeer().sent);
  await settled();
  assert.equal(connection.state, 'over');
  assert.equal(asked.got()?.kind, 'ended');
  assert.equal(JSON.stringify([asked.got(), ends]).includes('hunter2'), false);
});

test('no answer: the question times out at its own deadline, the others with it, and the connection is closed', async () => {
  const world = fakeWorld();
  const { connection, ends } = open(world);
  const slow = watch(connection.ask(PING, 15_000));
  world.lastPeer().accept();
  await world.advance(200);
  const quick = watch(connection.ask(PING, 300));
  await world.advance(299);
  assert.equal(quick.got(), undefined);
  await world.advance(1);
  assert.deepEqual(quick.got(), { kind: 'timeout', askedAt: 1200, answeredAt: 1500 });
  assert.deepEqual(slow.got(), { kind: 'ended', why: { kind: 'no-answer' }, askedAt: 1000, answeredAt: 1500 });
  assert.deepEqual(ends, [{ kind: 'no-answer' }]);
  assert.ok(world.lastPeer().over);
  assert.equal(world.timersLeft(), 0);
});

test('a byte a second: bounded by the deadline', async () => {
  const world = fakeWorld();
  const { connection } = open(world);
  const asked = watch(connection.ask(PING, 3500));
  world.lastPeer().accept();
  for (const byte of '$5000') {
    await world.advance(1000);
    world.lastPeer().send(byte);
  }
  assert.equal(asked.got()?.kind, 'timeout');
});

test('never connected: whoever asked learns that nothing was sent', async () => {
  const ends: SocketEnd[] = [{ kind: 'refused' }, { kind: 'timeout' }, { kind: 'unresolved', host: 'x' }];
  for (const why of ends) {
    const world = fakeWorld();
    const { connection, ends } = open(world, { password: new Secret('pw') });
    const asked = watch(connection.ask(PING));
    world.lastPeer().end(why);
    await settled();
    assert.deepEqual(asked.got(), { kind: 'ended', why, askedAt: undefined, answeredAt: 1000 });
    assert.deepEqual(ends, [why]);
    assert.equal(world.timersLeft(), 0);
  }
});

test('the connect timeout passes: ended', async () => {
  const world = fakeWorld();
  const { ends } = open(world);
  await world.advance(500);
  assert.deepEqual(ends, [{ kind: 'timeout' }]);
});

test('EOF while nothing is asked: the owner is told at once, and later questions end too', async () => {
  const world = fakeWorld();
  const { connection, ends } = open(world);
  world.lastPeer().accept();
  world.lastPeer().end({ kind: 'eof' });
  assert.deepEqual(ends, [{ kind: 'eof' }]);
  const got = await connection.ask(PING);
  assert.deepEqual(got, { kind: 'ended', why: { kind: 'eof' }, askedAt: undefined, answeredAt: 1000 });
});

test('EOF in the middle of an answer: the question was sent, and has no answer', async () => {
  const world = fakeWorld();
  const { connection } = open(world);
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  world.lastPeer().send('$100\r\nhalf');
  world.lastPeer().end({ kind: 'reset' });
  await settled();
  assert.deepEqual(asked.got(), { kind: 'ended', why: { kind: 'reset' }, askedAt: 1000, answeredAt: 1000 });
});

test('closed by us: what waits is answered, the owner is not told', async () => {
  const world = fakeWorld();
  const { connection, ends } = open(world);
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  connection.close();
  connection.close();
  await settled();
  assert.deepEqual(asked.got(), { kind: 'ended', why: { kind: 'closed' }, askedAt: 1000, answeredAt: 1000 });
  assert.deepEqual(ends, []);
  assert.ok(world.lastPeer().over);
  assert.equal(world.timersLeft(), 0);
});

test('an answer that nobody asked for: over', () => {
  for (const bytes of ['+OK\r\n', '+O', 'x', '']) {
    const world = fakeWorld();
    const { connection } = open(world);
    world.lastPeer().accept();
    world.lastPeer().send(bytes);
    assert.equal(connection.state, bytes === '' ? 'open' : 'over', JSON.stringify(bytes));
  }
});

test('a reply above the limit: over as soon as its length is known', async () => {
  const world = fakeWorld();
  const { connection } = open(world, { limits: { bytes: 100, items: 10, depth: 2, line: 50 } });
  const asked = watch(connection.ask(PING));
  world.lastPeer().accept();
  world.lastPeer().send('$101\r\n');
  await settled();
  const got = asked.got();
  assert.equal(got?.kind === 'ended' && got.why.kind, 'garbled');
  assert.equal(connection.state, 'over');
});

test('questions asked from `connected` are sent once, behind AUTH', () => {
  const world = fakeWorld();
  const connection = openConnection(
    world.runtime,
    { host: 'a', port: 1 },
    { connectTimeout: 1, replyTimeout: 1, password: new Secret('p'), connected: () => void connection.ask(PING) },
  );
  world.lastPeer().accept();
  assert.equal(world.lastPeer().sent, encodeCommand(['AUTH', 'p']) + encodeCommand(['PING']));
});

test('pipelines and single questions, cut anywhere: each gets its own replies', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 40 }),
      async (counts, sizes) => {
        const world = fakeWorld();
        const { connection } = open(world);
        world.lastPeer().accept();
        let number = 0;
        let bytes = '';
        const asked = counts.map((count) => {
          const mine = Array.from({ length: count }, () => `n${number++}`);
          bytes += mine.map(bulk).join('');
          const all: Question<readonly Reply[]> = { bytes: '', replies: count, read: (got) => reply(got) };
          return { mine, outcome: connection.ask(all) };
        });
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          world.lastPeer().send(bytes.slice(at, at + size));
          at += size;
        }
        for (const { mine, outcome } of asked) {
          const got = await outcome;
          assert.deepEqual(
            got.kind === 'reply' && got.value,
            mine.map((text) => ({ kind: 'bulk', text })),
          );
        }
      },
    ),
  );
});
