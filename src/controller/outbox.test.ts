import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Want } from '../decisions/telling.ts';
import { infoReplications } from '../kvrocks/recorded.ts';
import { bulk, fakeWorld, settled } from '../kvrocks/testing.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { Outbox } from './outbox.ts';

const ID = 'a'.repeat(40);
const ADDRESS = { host: '10.0.0.1', port: 6666 };

const want = (version: number, facts: Partial<Want> = {}): Want => ({
  node: ID,
  address: ADDRESS,
  version,
  text: `${ID} 10.0.0.1 6666 master - 0-16383`,
  purpose: 'update',
  guard: 'none',
  breath: false,
  urgent: false,
  ...facts,
});

function posting() {
  const world = fakeWorld();
  const happened: string[] = [];
  let holds = true;
  const outbox = new Outbox(world.runtime, ID, ADDRESS, NO_SECRET, {
    mayAct: () => holds,
    learned: () => {},
    busy: () => {},
    told: ({ version }) => void happened.push(`told ${version}`),
    notTold: ({ version }, why) => void happened.push(`not told ${version}: ${why}`),
    closed: () => {},
  });
  const answer = async (bytes: string) => {
    world.lastPeer().send(bytes);
    await settled();
  };
  return {
    world,
    outbox,
    happened,
    answer,
    loseLease: () => {
      holds = false;
    },
  };
}

test('the lease runs out while the node is asked what its guard demands: nothing is told', async () => {
  const { world, outbox, happened, answer, loseLease } = posting();
  outbox.tell(want(7, { purpose: 'attach', guard: 'may-follow' }));
  world.lastPeer().accept();
  await answer(bulk(ID));
  loseLease();
  await answer(bulk(infoReplications.slaveUp));
  assert.deepEqual(happened, ['not told 7: leadership may have run out meanwhile']);
  assert.ok(!world.lastPeer().sent.includes('SETNODES'));
  outbox.close();
});

test('the lease runs out while an older push is under way: the newer one that waits is not told', async () => {
  const { world, outbox, happened, answer, loseLease } = posting();
  outbox.tell(want(7));
  world.lastPeer().accept();
  await answer(bulk(ID));
  outbox.tell(want(8));
  loseLease();
  await answer('+OK\r\n');
  await answer(bulk(`${ID} 10.0.0.1 6666@16666 myself,master - 0 0 7 connected 0-16383\n`));
  assert.deepEqual(happened, ['told 7', 'not told 8: leadership may have run out meanwhile']);
  assert.equal(world.lastPeer().sent.split('SETNODES').length - 1, 1);
  outbox.close();
});

test('a hung node of many urgent versions: three connections, and the last version when one of them has ended', async () => {
  const { world, outbox, happened } = posting();
  for (let version = 7; version <= 30; version++) outbox.tell(want(version, { purpose: 'promote', urgent: true }));
  await settled();
  assert.equal(world.peers.length, 3);
  world.peers[0]?.end({ kind: 'refused' });
  await settled();
  assert.deepEqual(happened, ['not told 7: it did not answer']);
  assert.equal(world.peers.length, 4);
  world.lastPeer().accept();
  await settled();
  world.lastPeer().send(bulk(ID));
  await settled();
  world.lastPeer().send(bulk(infoReplications.slaveUp));
  await settled();
  assert.match(world.lastPeer().sent, /SETNODES[\s\S]*\r\n30\r\n/);
  outbox.close();
});
