import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyInSlot } from '../kvrocks/commands/slot.ts';
import { openConnection } from '../kvrocks/connection.ts';
import { bulk, fakeWorld, settled } from '../kvrocks/testing.ts';
import { scanKeys } from './key-scan.ts';

const page = (cursor: string, keys: readonly string[]): string =>
  `*2\r\n${bulk(cursor)}*${keys.length}\r\n${keys.map(bulk).join('')}`;

/** A node that answers each page after so many ms; resolves with what was found within a second. */
async function scanned(pages: readonly string[], answerAfter: number) {
  const world = fakeWorld();
  const options = { connectTimeout: 100, replyTimeout: 5_000 };
  const connection = openConnection(world.runtime, { host: '10.0.0.1', port: 1 }, options);
  const peer = world.lastPeer();
  peer.accept();
  let result: Awaited<ReturnType<typeof scanKeys>> | undefined;
  void scanKeys(world.runtime, connection, 1_000).then((found) => {
    result = found;
  });
  for (const reply of pages) {
    await settled();
    await world.advance(answerAfter);
    peer.send(reply);
    await settled();
    // As long again as it took: half of the time is the node's own.
    await world.advance(answerAfter);
  }
  connection.close();
  await settled();
  return { result: result ?? assert.fail('it never ended'), sent: peer.sent };
}

test('all keys are counted by their slots, in pages', async () => {
  const keys = [keyInSlot(3), keyInSlot(3), keyInSlot(700)];
  const { result, sent } = await scanned([page('7', keys), page('0', [keyInSlot(16_383)])], 1);
  assert.deepEqual(
    [...result.held],
    [
      [3, 2],
      [700, 1],
      [16_383, 1],
    ],
  );
  assert.deepEqual([result.looked, result.from, result.why], [4, null, null]);
  assert.match(sent, /SCAN\r\n\$1\r\n0\r\n.*SCAN\r\n\$1\r\n7\r\n/s);
});

test('when its time is over it says how far it came', async () => {
  const pages = [1, 2, 3].map((slot) => page(`${slot}`, [keyInSlot(slot * 100)]));
  const { result } = await scanned(pages, 300);
  assert.deepEqual([result.looked, result.from], [2, 200]);
  assert.match(result.why ?? '', /no time for more than 1 s/);
});

test('a node that stops answering, or lists its keys in no order, leaves slots unseen', async () => {
  const { result } = await scanned([page('7', [keyInSlot(500), keyInSlot(20)])], 1);
  assert.deepEqual([result.looked, result.from], [2, 0]);
  assert.match(result.why ?? '', /the connection ended/);
});
