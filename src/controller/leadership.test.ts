import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeWorld, settled } from '../kvrocks/testing.ts';
import { DEFAULT_SETTINGS } from '../operations/settings.ts';
import type { Network } from '../runtime/runtime.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import type { CampaignEvent, Entry, Store } from '../store/port.ts';
import { Leadership } from './leadership.ts';
import { namespaceKey, topologyKey } from './records.ts';

const shard = (id: string, port: number) => ({
  nodes: [{ id, addr: `10.0.0.1:${port}`, role: 'master', password: '', created_at: 1 }],
  slot_ranges: ['0-16383'],
  target_shard_index: -1,
  migrating_slot: null,
});

const STORED: readonly Entry[] = [
  { key: namespaceKey('ns'), value: 'ns', revision: 1 },
  {
    key: topologyKey('ns', 'c'),
    value: JSON.stringify({ version: 3, name: 'c', shards: [shard('a'.repeat(40), 7000)] }),
    revision: 2,
  },
];

/** A store that answers reads when it is told to. */
function campaigning(network: Partial<Network> = {}) {
  const world = fakeWorld();
  const said: string[] = [];
  const resigned: string[] = [];
  const reads: { answer(): void; fail(): void }[] = [];
  let tell: (event: CampaignEvent) => void = () => {};
  const store: Store = {
    read: (keys) => Promise.resolve(keys.map(() => undefined)),
    list: (prefix) =>
      new Promise((resolve, reject) => {
        const entries = STORED.filter(({ key }) => key.startsWith(prefix));
        reads.push({ answer: () => resolve({ entries, revision: 2 }), fail: () => reject(new Error('away')) });
      }),
    watch: () => ({ close: () => {} }),
    commit: () => Promise.resolve({ kind: 'failed', why: 'full' }),
    campaign: (_, on) => {
      tell = on;
      return { close: () => Promise.resolve() };
    },
    close: () => Promise.resolve(),
  };
  const log = (_: object, message: string) => void said.push(message);
  const leadership = new Leadership({
    runtime: { ...world.runtime, network: { ...world.runtime.network, ...network } },
    store,
    identity: 'me:9379',
    log: { info: log, warn: log, error: log },
    policy: DEFAULT_SETTINGS,
    peers: undefined,
    random: seededRandom(1),
    emptied: () => {},
  });
  leadership.start();
  const lead = (fence: string) =>
    tell({
      kind: 'leading',
      leadership: {
        fence,
        heldUntil: () => Number.POSITIVE_INFINITY,
        resign: () => Promise.resolve(void resigned.push(fence)),
      },
    });
  return { world, leadership, lead, reads, said, resigned, tell: (event: CampaignEvent) => tell(event) };
}

type Campaigning = ReturnType<typeof campaigning>;

async function answer({ reads }: Campaigning): Promise<void> {
  for (const read of reads.splice(0)) read.answer();
  await settled();
}

test('leadership is lost while what is stored is being read: nothing of it is used, and nobody is probed', async () => {
  const scene = campaigning();
  scene.lead('first');
  scene.tell({ kind: 'lost', why: 'the store does not answer' });
  await answer(scene);
  assert.equal(scene.leadership.reign, undefined);
  await scene.world.advance(10_000);
  assert.equal(scene.world.peers.length, 0);
});

test('leadership is won again while the first reading is under way: only the second one counts', async () => {
  const scene = campaigning();
  scene.lead('first');
  scene.tell({ kind: 'following', leader: 'other:1' });
  scene.lead('second');
  await answer(scene);
  assert.equal(scene.leadership.reign?.leadership.fence, 'second');
  assert.equal(scene.leadership.leader, 'me:9379');
  await scene.leadership.stop();
  assert.equal(scene.world.timersLeft(), 0);
});

test('the store cannot be read, again and again: another controller is to have its turn', async () => {
  const scene = campaigning();
  scene.lead('first');
  for (let i = 0; i < 10; i++) {
    for (const read of scene.reads.splice(0)) read.fail();
    await settled();
    await scene.world.advance(1_000);
  }
  assert.deepEqual(scene.resigned, ['first']);
  assert.equal(scene.leadership.leader, undefined);
  await scene.world.advance(60_000);
  assert.equal(scene.reads.length, 0, 'it waits for its turn');
});

test('its probes hang for good and it asks no node any more: told, and leadership given up', async () => {
  // A dial that never ends, though it was given a time to.
  const scene = campaigning({ connect: () => ({ send: () => {}, destroy: () => {} }) });
  scene.lead('first');
  await answer(scene);
  await scene.world.advance(4_000);
  assert.deepEqual(scene.resigned, []);
  await scene.world.advance(4_000);
  assert.deepEqual(scene.resigned, ['first']);
  assert.ok(scene.said.includes('this leader does not do its work and gives leadership up'));
  assert.equal(scene.leadership.reign, undefined);
});
