/** Moves whose ends do not hear each other, or do not let each other in, and moves that go to and fro. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  fill,
  filled,
  kinds,
  migrating,
  move,
  pair,
  quicken,
  SLOW,
  says,
  shardOfSlot,
  TAG,
  TAGS,
} from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { everybody, nodes } from './harness/proxy.ts';
import { Resp } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import { slotOf, tagIn } from './harness/slots.ts';

/** `CLUSTER IMPORT <slots> 1`, by which a source tells its target that it has everything. */
const IMPORTED = /import\r\n\$\d+\r\n[\d-]+\r\n\$1\r\n1\r\n/i;

together('links in a move', 2, (define) => {
  define(
    'move-success-reply-lost-between-the-servers: the source goes on serving, the target is told, and the move is made again',
    { nodes: 2, proxied: true },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 40, TAG);
      const writers = await scene.writers();
      const heal = target.proxy.impose(nodes, { unheard: IMPORTED });
      await move(cluster, slotOf(TAG), 1);
      await until('its end got lost', async () =>
        (await kinds(cluster)).some((kind) => kind === 'move.retried' || kind === 'move.both-served'),
      );
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 0, 'it stays where it was');
      heal();
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(source, TAG, 40);
      await scene.nothingLost(cluster, writers);
      await cluster.settled();
      await scene.carried(cluster);
      const told = (await cluster.events()).filter(({ kind }) => kind === 'move.both-served');
      for (const { message } of told) assert.match(message, /what the target has taken meanwhile is lost/);
      scene.note(`${(await kinds(cluster)).join(', ')}`);
    },
  );

  define(
    'move-there-and-back-and-there-again: a success of the past gives no slots away, and each key is where it belongs',
    { nodes: 4, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const mixture = await scene.mixture({ libraries: ['ioredis', 'node-redis', 'ioredis'], tags: ['', TAG, TAG] });
      await sleep(300);
      const slot = slotOf(TAG);
      for (const to of [1, 0, 1]) {
        await move(cluster, slot, to);
        await cluster.idle();
        assert.equal(await shardOfSlot(cluster, slot), to);
        await sleep(200);
      }
      // Begun once more, and its controller gone at once: the successor finds that very success of before at the target.
      await move(cluster, slot, 0);
      await cluster.idle();
      const source = await scene.masterOf(cluster, 0);
      await source.call('CONFIG', 'SET', 'migrate-type', 'redis-command');
      await source.call('CONFIG', 'SET', 'migrate-speed', '20');
      await fill(source, TAG, 80);
      await move(cluster, slot, 1);
      await migrating(cluster);
      await scene.controller.kill();
      await scene.controller.start();
      await sleep(500);
      await quicken(source);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      await filled(source, TAG, 80);
      await scene.mixtureHeld(cluster, mixture);
      await cluster.settled();
      await scene.carried(cluster);
      scene.note(`${mixture.acknowledged} writes; errors: ${JSON.stringify([...mixture.errors])}`);
    },
  );

  define(
    'migration-to-a-black-hole: no job is begun that nothing could end, it says what it waits for, and goes on by itself',
    { nodes: 2, proxied: true },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 20, ...TAGS.slice(0, 2));
      const heal = target.proxy.impose(everybody, 'hole');
      await move(cluster, TAGS.slice(0, 2).map(slotOf), 1);
      const waiting = async () => {
        const { plans } = await cluster.controller.call<{
          plans: { moves: { message: string; waiting_for: string }[] }[];
        }>('GET', `${cluster.path}/moves`);
        return plans.flatMap(({ moves }) => moves).map(({ message, waiting_for: why }) => `${message} ${why}`);
      };
      await until('it is said', async () => (await waiting()).some((words) => /answer/.test(words)));
      await sleep(3_000);
      assert.doesNotMatch(String(await source.call('CLUSTER', 'INFO')), /migrating_state: ?start/);
      heal();
      await until(
        'it is over or given up',
        async () => {
          const { operations } = await cluster.status();
          return operations.every(({ phase }) => phase === 'failed');
        },
        30_000,
      );
      await cluster.controller.call('POST', `${cluster.path}/moves/retry`, {}).catch(() => undefined);
      await cluster.idle();
      for (const tag of TAGS.slice(0, 2)) {
        assert.equal(await shardOfSlot(cluster, slotOf(tag)), 1);
        await filled(source, tag, 20);
      }
      await cluster.settled();
    },
  );

  define(
    'migration-with-unequal-passwords: nothing moves, the reason is named, and it goes on once they are equal',
    { nodes: 2 },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 20, TAG);
      // Whoever is connected stays in; the source logs in anew, and without a password.
      const inside = await Resp.open(target.port);
      await inside.call('CONFIG', 'SET', 'requirepass', 'secret');
      await move(cluster, slotOf(TAG), 1);
      const named = await until('the reason is named', async () => {
        const { operations, problems } = await cluster.status();
        const words = [...operations.map(({ message }) => message ?? ''), ...problems.map(({ message }) => message)];
        return words.find((text) => /NOAUTH|authenticat|password|requirepass|denied/i.test(text));
      });
      scene.note(named);
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 0);
      await inside.call('CONFIG', 'SET', 'requirepass', '');
      inside.close();
      await until('the cluster is in order but for the move', async () => {
        const { shards } = await cluster.status();
        return shards.every((shard) => shard.nodes.every(({ state }) => state === 'up'));
      });
      await cluster.controller.call('POST', `${cluster.path}/moves/retry`, {}).catch(() => undefined);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(source, TAG, 20);
      await cluster.settled();
    },
  );

  define(
    'moves-between-disjoint-pairs-side-by-side, and one finishing while the other runs: no key is lost, and no end is told too early',
    { nodes: 4, conf: SLOW },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const [first = '', second = ''] = [tagIn(0, 4_000), tagIn(4_096, 8_000)];
      const [one, two] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      await fill(one, first, 40);
      await fill(two, second, 60);
      const writers = await scene.writers();
      await move(cluster, slotOf(first), 2);
      await move(cluster, slotOf(second), 3);
      const side = await cluster.until('both migrate', ({ operations }) =>
        operations.every(({ phase }) => phase === 'migrating'),
      );
      assert.equal(side.operations.length, 2, 'side by side');
      const { version } = side;
      await quicken(one);
      // The first one's end is told to all but to who is busy with the second.
      await until('the first is over', async () => (await shardOfSlot(cluster, slotOf(first))) === 2);
      const told = await cluster.until('its rest is told', ({ shards }) =>
        [0, 2].every((at) => shards[at]?.nodes.every((node) => node.in_sync && (node.version ?? 0) > version) === true),
      );
      const held = [1, 3].map((at) => told.shards[at]?.nodes[0]?.version);
      if (told.operations.some(({ phase }) => phase === 'migrating'))
        assert.deepEqual(held, [version, version], 'the ends of a move that runs hear nothing');
      await quicken(two);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(second)), 3);
      await filled(one, first, 40);
      await filled(two, second, 60);
      await scene.nothingLost(cluster, writers);
      await cluster.settled();
      await scene.carried(cluster);
    },
  );

  define(
    'move-success-just-before-a-push, undone by somebody else’s push: the target keeps the slots, and it is told',
    { nodes: 2, ownController: true, conf: SLOW },
    async (scene) => {
      const { cluster, source } = await pair(scene, 20, TAG);
      const { version, shards } = await cluster.get();
      await move(cluster, slotOf(TAG), 1);
      await says(source, slotOf(TAG), 'start');
      await scene.controller.kill();
      await says(source, slotOf(TAG), 'success');
      // The topology as it was, under the next number, told by hand to the source alone.
      const text = shards.map(
        ({ nodes: [master], slot_ranges: ranges }) =>
          `${master?.id} ${master?.addr.replace(':', ' ')} master - ${(ranges ?? []).join(' ')}`,
      );
      await source.call('CLUSTERX', 'SETNODES', text.join('\n'), version + 1);
      await scene.controller.start();
      await cluster.idle();
      await cluster.settled();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      assert.ok((await cluster.get()).version > version + 1);
      await filled(source, TAG, 20);
      await scene.carried(cluster);
      scene.note((await kinds(cluster)).join(', '));
    },
  );

  define(
    'target-restarts-after-success, before it is told: it has the keys, and the slots are its own in the end',
    { nodes: 2, ownController: true, conf: SLOW },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 20, TAG);
      await move(cluster, slotOf(TAG), 1);
      await says(source, slotOf(TAG), 'start');
      await scene.controller.kill();
      await says(source, slotOf(TAG), 'success');
      await target.kill();
      await target.start();
      await scene.controller.start();
      await cluster.idle();
      await cluster.settled();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(source, TAG, 20);
      await scene.carried(cluster);
    },
  );
});
