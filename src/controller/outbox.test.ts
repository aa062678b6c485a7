import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Want } from '../decisions/telling.ts';
import type { Told } from '../decisions/world.ts';
import { infoReplications, infoServers } from '../kvrocks/recorded.ts';
import { bulk, fakeWorld, settled } from '../kvrocks/testing.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import type { Learned } from './observation.ts';
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
  const numbers: (Told | null)[] = [];
  const learned: Learned[] = [];
  let holds = true;
  /** What a decision would say once there is room again. */
  let wanted: Want | undefined;
  const outbox = new Outbox(world.runtime, ID, ADDRESS, NO_SECRET, {
    mayAct: () => holds,
    learned: (facts) => void learned.push(facts),
    busy: () => {},
    told: ({ version }, told) => {
      happened.push(`told ${version}`);
      numbers.push(told);
    },
    free: () => {
      if (wanted !== undefined) outbox.tell(wanted);
    },
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
    numbers,
    learned,
    answer,
    wants: (one: Want | undefined) => {
      wanted = one;
      if (one !== undefined) outbox.tell(one);
    },
    loseLease: () => {
      holds = false;
    },
  };
}

/** A whole reading, up to where only the settings are still to be answered. */
async function beforeSettings() {
  const posted = posting();
  const reading = posted.outbox.read(true);
  posted.world.lastPeer().accept();
  await posted.answer(bulk(ID));
  await posted.answer('-ERR The cluster is not initialized\r\n');
  await posted.answer(bulk(infoServers.unstable));
  return { ...posted, reading };
}

test('which process it is and how it is set up are learned in one: nobody sees the one without the other', async () => {
  const { outbox, learned, answer, reading } = await beforeSettings();
  assert.ok(learned.every(({ process }) => process === undefined));
  const settings = {
    'cluster-enabled': 'yes',
    'persist-cluster-nodes-enabled': 'yes',
    'slave-serve-stale-data': 'yes',
    'slave-empty-db-before-fullsync': 'no',
    'use-rsid-psync': 'yes',
    'migrate-type': 'raw-key-value',
    'migrate-speed': '4096',
    'replication-connect-timeout-ms': '500',
  };
  const pairs = Object.entries(settings).map(([name, value]) => `*2\r\n${bulk(name)}${bulk(value)}`);
  await answer(pairs.join(''));
  await reading;
  const last = learned.at(-1);
  assert.deepEqual([last?.process?.id, last?.rsid, last?.dangers], [16067, true, []]);
  outbox.close();
});

test('a node that does not tell its settings is known all the same; one that did not answer is asked again', async () => {
  for (const [ending, known] of [
    ['error', true],
    ['end', false],
  ] as const) {
    const { world, outbox, learned, answer, reading } = await beforeSettings();
    if (ending === 'error') await answer("-ERR unknown command 'config'\r\n".repeat(8));
    else world.lastPeer().end({ kind: 'eof' });
    await reading;
    const told = learned.find(({ process }) => process !== undefined);
    assert.deepEqual([told !== undefined, told?.rsid], known ? [true, null] : [false, undefined], ending);
    outbox.close();
  }
});

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
  const { world, outbox, happened, answer, wants, loseLease } = posting();
  wants(want(7));
  world.lastPeer().accept();
  await answer(bulk(ID));
  wants(want(8));
  loseLease();
  await answer('+OK\r\n');
  await answer(bulk(`${ID} 10.0.0.1 6666@16666 myself,master - 0 0 7 connected 0-16383\n`));
  assert.deepEqual(happened, ['told 7', 'not told 8: leadership may have run out meanwhile']);
  assert.equal(world.lastPeer().sent.split('SETNODES').length - 1, 1);
  outbox.close();
});

test('what was wanted while an older push was under way, and is no more: never told', async () => {
  const { world, outbox, happened, answer, wants } = posting();
  wants(want(7));
  world.lastPeer().accept();
  await answer(bulk(ID));
  wants(want(8));
  wants(undefined);
  await answer('+OK\r\n');
  await answer(bulk(`${ID} 10.0.0.1 6666@16666 myself,master - 0 0 7 connected 0-16383\n`));
  assert.deepEqual(happened, ['told 7']);
  assert.equal(world.lastPeer().sent.split('SETNODES').length - 1, 1);
  outbox.close();
});

test('a hung node of many urgent versions: three connections, and the last version when one of them has ended', async () => {
  const { world, outbox, happened, wants } = posting();
  for (let version = 7; version <= 30; version++) wants(want(version, { purpose: 'promote', urgent: true }));
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
  assert.match(world.lastPeer().sent, /SETNODES[\s\S]*\r\n30\r\n/);
  outbox.close();
});

/** What `MULTI; INFO replication; CLUSTERX SETNODES; INFO replication; EXEC` answers. */
const breathOf = (before: string, behind: string): string =>
  `+OK\r\n${'+QUEUED\r\n'.repeat(3)}*3\r\n${bulk(before)}+OK\r\n${bulk(behind)}`;

test('two versions promote one node at once: the later one says that it found a master, whose number is no promotion’s', async () => {
  const { world, outbox, numbers } = posting();
  for (const version of [7, 8]) outbox.tell(want(version, { purpose: 'promote', breath: true, urgent: true }));
  const asked = new Map(world.peers.map((peer) => [peer, 0]));
  /** Both are answered until they have sent their push; by then neither of the two has been carried out. */
  for (let turn = 0; turn < 4; turn++) {
    for (const peer of world.peers) {
      peer.accept();
      await settled();
      const sent = peer.sent.slice(asked.get(peer));
      asked.set(peer, peer.sent.length);
      if (sent.includes('MYID')) peer.send(bulk(ID));
      else if (sent.includes('INFO') && !sent.includes('MULTI')) peer.send(bulk(infoReplications.slaveUp));
      await settled();
    }
  }
  const [first, second] = world.peers;
  first?.send(breathOf(infoReplications.slaveUp, infoReplications.master));
  second?.send(breathOf(infoReplications.master, infoReplications.master.replaceAll('2000', '2040')));
  await settled();
  assert.deepEqual(
    numbers.map((told) => [told?.version, told?.before, told?.sequence]),
    [
      [7, 'slave', 2_000],
      [8, 'master', 2_040],
    ],
  );
  outbox.close();
});
