import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterInfos, infoReplications } from '../kvrocks/recorded.ts';
import { bulk, fakeWorld } from '../kvrocks/testing.ts';
import { Secret } from '../runtime/secret.ts';
import { Prober } from './prober.ts';

const ANSWER = bulk(clusterInfos.quiet) + bulk(infoReplications.slaveUp);

function probing() {
  const world = fakeWorld();
  const failed: string[] = [];
  const prober = new Prober(world.runtime, { host: '10.0.0.1', port: 6666 }, new Secret(''), 0, {
    asked: () => {},
    connected: () => {},
    answered: () => {},
    failed: (why) => void failed.push(why.kind),
    stalled: () => {},
  });
  return { world, failed, prober };
}

test('a connection that has answered ends: a new one is tried at once', async () => {
  const { world, failed, prober } = probing();
  await world.advance(0);
  world.lastPeer().accept();
  world.lastPeer().send(ANSWER);
  world.lastPeer().end({ kind: 'eof' });
  assert.deepEqual([world.peers.length, failed], [2, ['eof']]);
  prober.close();
});

test('something takes connections and ends them, or answers garbage: it is asked at the pace and not more often', async () => {
  const { world, failed, prober } = probing();
  await world.advance(0);
  world.lastPeer().accept();
  world.lastPeer().send(ANSWER);
  world.lastPeer().end({ kind: 'eof' });
  for (let i = 0; i < 4; i++) {
    world.lastPeer().accept();
    if (i % 2 === 0) world.lastPeer().send('HTTP/1.1 400 Bad Request\r\n');
    else world.lastPeer().end({ kind: 'eof' });
    assert.equal(world.peers.length, 2 + i, 'not at once');
    await world.advance(1_000);
    assert.equal(world.peers.length, 3 + i, 'at the pace');
  }
  assert.deepEqual(failed, ['eof', 'garbled', 'eof', 'garbled', 'eof']);
  prober.close();
});
