/** Moves whose ends do not hear each other, or do not let each other in, and moves that go to and fro. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { fill, filled, kinds, migrating, move, pair, quicken, shardOfSlot, TAG, TAGS } from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { everybody, nodes } from './harness/proxy.ts';
import { Resp } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import { slotOf } from './harness/slots.ts';

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
});
