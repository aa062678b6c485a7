/** Slots that move between shards, under load and one after the other. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  fill,
  filled,
  kinds,
  migrating,
  move,
  OTHER,
  pair,
  quicken,
  SLOW,
  shardOfSlot,
  TAG,
  TAGS,
} from './harness/moving.ts';
import { Resp } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import { slotOf } from './harness/slots.ts';

together('moves', 3, (define) => {
  define(
    'move-one-slot, move-a-range: under writers of every type nothing is lost, not even on replicas, and no error is seen but TRYAGAIN',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const mixture = await scene.mixture({
        libraries: ['ioredis', 'node-redis', 'ioredis', 'node-redis', 'ioredis', 'node-redis'],
        tags: ['', TAG, OTHER, ''],
      });
      await sleep(500);
      await move(cluster, slotOf(TAG), 1);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      assert.equal(await shardOfSlot(cluster, slotOf(OTHER)), 0);
      await sleep(300);
      await move(cluster, '10000-12000', 0);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, 10_000), 0);
      assert.equal(await shardOfSlot(cluster, 12_000), 0);
      await move(cluster, slotOf(TAG), 0);
      await cluster.idle();
      await sleep(300);
      await scene.mixtureHeld(cluster, mixture);
      await cluster.settled();
      await scene.carried(cluster);
      scene.note(`${mixture.acknowledged} writes; errors: ${JSON.stringify([...mixture.errors])}`);
      // The last piece of a job is refused with TRYAGAIN by the server itself. ioredis tries again, node-redis tells.
      const seen = [...mixture.errors.keys()].filter((words) => !/^node-redis: TRYAGAIN/.test(words));
      assert.deepEqual(seen, []);
    },
  );

  define(
    'slot_only: the source is told first, the keys stay where they are, and it is said',
    { nodes: 2 },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 20, TAG);
      const { version } = await cluster.get();
      const [here, there] = [await Resp.open(source.port), await Resp.open(target.port)];
      const looks: string[] = [];
      let over = false;
      const watching = (async () => {
        while (!over) {
          // Asked in this order: where the target knows, the source must have known before.
          const told = Number(await there.call('CLUSTERX', 'VERSION')) > version;
          const before = Number(await here.call('CLUSTERX', 'VERSION')) > version;
          if (told && !before) looks.push('the target was told before the source');
        }
      })();
      await move(cluster, slotOf(TAG), 1, { slot_only: true });
      await cluster.idle();
      over = true;
      await watching;
      here.close();
      there.close();
      assert.deepEqual(looks, []);
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      assert.match(String(await source.ask('GET', `${TAG}f0`)), /MOVED/);
      assert.equal(await target.call('GET', `${TAG}f0`), null);
      const said = (await cluster.events()).filter(({ kind }) => kind === 'move.handing-over');
      assert.match(said[0]?.message ?? '', /without their keys, which stay at the source/);
      // They are still there: they come back to life with the slot.
      await move(cluster, slotOf(TAG), 0, { slot_only: true });
      await cluster.idle();
      await filled(source, TAG, 20);
      await scene.carried(cluster);
    },
  );

  define('several ranges of one request are moved one after the other', { nodes: 2, conf: SLOW }, async (scene) => {
    const { cluster, source } = await pair(scene, 40, ...TAGS.slice(0, 3));
    const slots = TAGS.slice(0, 3).map(slotOf);
    await move(cluster, slots, 1);
    let most = 0;
    await cluster.until('all are moved', ({ operations }) => {
      most = Math.max(most, operations.filter(({ phase }) => phase !== 'queued').length);
      return operations.length === 0;
    });
    assert.equal(most, 1);
    const one = ['move.started', 'move.handing-over', 'move.finished'];
    assert.deepEqual(await kinds(cluster), ['move.queued', ...one, ...one, ...one]);
    for (const slot of slots) assert.equal(await shardOfSlot(cluster, slot), 1);
    for (const tag of TAGS.slice(0, 3)) await filled(source, tag, 40);
    await scene.carried(cluster);
  });

  define(
    'a refused move names its reason; a shard that a move binds cannot be deleted',
    { nodes: 3, conf: SLOW },
    async (scene) => {
      const cluster = await scene.create({ nodes: scene.nodes.slice(0, 2), replicas: 1 });
      const source = await scene.masterOf(cluster, 0);
      await fill(source, TAG, 60);
      await cluster.post('/shards', { nodes: [scene.node(2).addr] });
      await cluster.settled();
      const refused = async (target: unknown, slot: unknown, status: number, code: string, words: RegExp) => {
        const answer = await cluster.request('POST', '/migrate', { target, slot });
        assert.deepEqual([answer.status, answer.error?.code], [status, code], answer.error?.message);
        assert.match(answer.error?.message ?? '', words);
      };
      const unknown = await cluster.request('POST', '/migrate', { target: 9, slot: 5 });
      assert.deepEqual([unknown.status, unknown.error?.detail], [404, 'shard 9']);
      await refused(1, 9_000, 409, 'owns_slots', /slots 9000 belong to shard 1 already/);
      await refused(0, '8000-9000', 409, 'owns_slots', /slots 8000-8191 belong to shard 0 already/);
      await refused(0, '16000-16384', 400, 'invalid', /slot/);

      await move(cluster, slotOf(TAG), 2);
      await migrating(cluster);
      await refused(
        1,
        slotOf(TAG),
        409,
        'operation_running',
        new RegExp(`slots ${slotOf(TAG)} are on their way already`),
      );
      await refused(2, '0-8191', 409, 'operation_running', /are on their way already/);
      const bound = await cluster.request('DELETE', '/shards/2');
      assert.deepEqual([bound.status, bound.error?.code], [409, 'operation_running']);
      await quicken(source);
      await cluster.idle();
      await filled(source, TAG, 60);
      // What was refused left nothing behind.
      assert.equal((await kinds(cluster)).filter((kind) => kind === 'move.queued').length, 1);
      await scene.carried(cluster);
    },
  );

  define(
    'cluster-deleted-during-a-move: refused while it cannot be ended, and what was queued is given up',
    { nodes: 2, conf: { ...SLOW, 'migrate-speed': '10' } },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 100, TAG, OTHER);
      const [first = 0, second = 0] = [slotOf(TAG), slotOf(OTHER)].sort((a, b) => a - b);
      await move(cluster, [first, second], 1);
      await migrating(cluster);
      const refused = await cluster.request('DELETE', '');
      assert.deepEqual([refused.status, refused.error?.code], [409, 'operation_running']);
      assert.match(refused.error?.message ?? '', /a move is under way/);
      assert.deepEqual(
        (await cluster.status()).operations.map(({ phase }) => phase),
        ['migrating'],
      );
      // One that ends in time is waited for: no node is left with a job whose outcome nobody tells.
      await quicken(source);
      await cluster.delete();
      assert.equal((await cluster.request('GET', '')).status, 404);
      for (const node of [source, target]) {
        const lines = await node.nodes();
        const owner = lines.find(({ slots }) => slots.some((range) => within(range, first)));
        assert.equal(owner?.addr, target.addr);
      }
      for (const tag of [TAG, OTHER]) await filled(target, tag, 100);
    },
  );
});

function within(range: string, slot: number): boolean {
  const [from = 0, to = from] = range.split('-').map(Number);
  return from <= slot && slot <= to;
}
