import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bulk, fakeWorld, settled } from '../kvrocks/testing.ts';
import { Secret } from '../runtime/secret.ts';
import { lookAt, type Opinion } from './peers.ts';

const MASTER = { id: 'a'.repeat(40), address: { host: '10.0.0.1', port: 6666 } };

function looking(password?: Secret) {
  const world = fakeWorld();
  const found: Opinion[] = [];
  void lookAt(world.runtime, MASTER, password).then((opinion) => found.push(opinion));
  return { world, found };
}

test('the master answers here by its name: alive', async () => {
  const { world, found } = looking();
  world.lastPeer().accept();
  world.lastPeer().send(bulk(MASTER.id));
  await world.advance(0);
  assert.deepEqual(found, ['alive']);
  assert.deepEqual([world.lastPeer().over, world.timersLeft()], [true, 0], 'nothing stays behind');
});

test('the master answers with an error, being loaded or locked: a process is there, alive', async () => {
  const { world, found } = looking(new Secret('old'));
  world.lastPeer().accept();
  world.lastPeer().send('-ERR invalid password\r\n-NOAUTH Authentication required.\r\n');
  await world.advance(0);
  assert.deepEqual(found, ['alive']);
});

test('another node answers at its address: no word about the master', async () => {
  const { world, found } = looking();
  world.lastPeer().accept();
  world.lastPeer().send(bulk('b'.repeat(40)));
  await world.advance(0);
  assert.deepEqual(found, ['silent']);
});

test('refused once and then answered: it was restarting, alive', async () => {
  const { world, found } = looking();
  world.lastPeer().end({ kind: 'refused' });
  await settled();
  await world.advance(50);
  assert.deepEqual([found, world.peers.length], [[], 2]);
  world.lastPeer().accept();
  world.lastPeer().send(bulk(''));
  await world.advance(0);
  assert.deepEqual(found, ['alive']);
});

test('cut off in the middle and then refused twice: dead', async () => {
  const { world, found } = looking();
  world.lastPeer().accept();
  world.lastPeer().end({ kind: 'eof' });
  await settled();
  await world.advance(50);
  world.lastPeer().end({ kind: 'refused' });
  await settled();
  await world.advance(50);
  assert.deepEqual(found, [], 'once is not enough');
  world.lastPeer().end({ kind: 'refused' });
  await settled();
  assert.deepEqual([found, world.timersLeft()], [['dead'], 0]);
});

test('it takes the connection and says nothing, or takes none: silent after half a second, whatever follows', async () => {
  for (const accepts of [true, false]) {
    const { world, found } = looking();
    if (accepts) world.lastPeer().accept();
    await world.advance(499);
    assert.deepEqual(found, []);
    await world.advance(1);
    assert.deepEqual([found, world.lastPeer().over, world.timersLeft()], [['silent'], true, 0]);
  }
});
