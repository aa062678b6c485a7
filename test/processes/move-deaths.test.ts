/** Moves past the death of everybody who takes part. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsWell } from './harness/ending.ts';
import { backOrNamed, emptied, failovers, replaced, replicaOf } from './harness/failing.ts';
import {
  fill,
  filled,
  from,
  migrating,
  move,
  OTHER,
  pair,
  quicken,
  SLOW,
  says,
  shardOfSlot,
  TAG,
  TAGS,
} from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { controllers } from './harness/proxy.ts';
import { atPush } from './harness/pushes.ts';
import { together } from './harness/scenario.ts';
import { slotOf } from './harness/slots.ts';

together('deaths in a move', 3, (define) => {
  define(
    'controller-dies while one move migrates and another is queued: its successor finishes both',
    { nodes: 4, ownController: true, conf: SLOW },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const source = await scene.masterOf(cluster, 0);
      for (const tag of [TAG, OTHER]) await fill(source, tag, 60);
      const writers = await scene.writers();
      await move(
        cluster,
        [slotOf(TAG), slotOf(OTHER)].sort((a, b) => a - b),
        1,
      );
      const { operations } = await migrating(cluster);
      assert.deepEqual(operations.map(({ phase }) => phase).sort(), ['migrating', 'queued']);
      await scene.controller.kill();
      await scene.controller.start();
      await cluster.idle();
      for (const tag of [TAG, OTHER]) {
        assert.equal(await shardOfSlot(cluster, slotOf(tag)), 1);
        await filled(source, tag, 60);
      }
      await scene.nothingLost(cluster, writers);
      await cluster.settled();
      await scene.carried(cluster);
    },
  );

  define(
    'controller-dies right after the success, and migration-finished-while-no-controller-ran: finished by its successor',
    { nodes: 2, ownController: true, conf: SLOW },
    async (scene) => {
      const { cluster, source } = await pair(scene, 10, ...TAGS);
      const writers = await scene.writers({ libraries: ['ioredis'] });
      for (const [i, tag] of TAGS.entries()) {
        await move(cluster, slotOf(tag), 1);
        await says(source, slotOf(tag), 'start');
        // The first one succeeds while nobody looks; the others die sooner and later after the success.
        if (i === 0) await scene.controller.kill();
        await says(source, slotOf(tag), 'success');
        if (i > 0) {
          await sleep((i - 1) * 3);
          await scene.controller.kill();
        }
        await scene.controller.start();
        await cluster.idle();
        assert.equal(await shardOfSlot(cluster, slotOf(tag)), 1);
        await filled(source, tag, 10);
      }
      await scene.nothingLost(cluster, writers);
      await cluster.settled();
      await scene.carried(cluster);
    },
  );

  define(
    'source-restarts-after-success, with a controller and without one: one owner in the end, and every key',
    { nodes: 2, ownController: true, conf: SLOW },
    async (scene) => {
      const { cluster, source } = await pair(scene, 20, TAG, OTHER);
      for (const [tag, watched] of [
        [TAG, true],
        [OTHER, false],
      ] as const) {
        const writers = await scene.writers({ ports: [source.port], libraries: ['raw'], tag, count: 1, pause: 100 });
        await writers.stop();
        await move(cluster, slotOf(tag), 1);
        await says(source, slotOf(tag), 'start');
        if (!watched) await scene.controller.kill();
        await says(source, slotOf(tag), 'success');
        await source.kill();
        await source.start();
        if (!watched) await scene.controller.start();
        await cluster.idle();
        await cluster.settled();
        assert.equal(await shardOfSlot(cluster, slotOf(tag)), 1);
        await scene.carried(cluster);
        await filled(source, tag, 20);
        await scene.nothingLost(cluster, writers);
      }
    },
  );

  define(
    'migration-target-dies: it fails with the server’s reason, the source serves on, and it is done when the target is back',
    { nodes: 2, conf: SLOW },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 80, TAG);
      const writers = await scene.writers({ ports: [source.port], libraries: ['raw'], tag: TAG, count: 1, pause: 100 });
      await move(cluster, slotOf(TAG), 1);
      await migrating(cluster);
      await sleep(300);
      await target.kill();
      const killed = performance.now();
      await says(source, slotOf(TAG), 'fail');
      const retried = await until('the failure is said', async () =>
        (await cluster.events()).find(({ kind }) => kind === 'move.retried'),
      );
      scene.note(retried.message);
      assert.match(retried.message, new RegExp(`slots ${slotOf(TAG)} .*: \\S+`));
      const waiting = await cluster.until('it waits for the target', ({ operations }) =>
        operations.some(({ phase, message }) => phase === 'queued' && message !== null),
      );
      scene.note(`waiting: ${waiting.operations[0]?.message}`);
      await until('the source takes writes', () => writers.firstAfter(killed + 500) !== undefined);
      await quicken(source);
      await target.start();
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(source, TAG, 80);
      await scene.nothingLost(cluster, writers);
      await scene.carried(cluster);
    },
  );
});

together('failovers in a move', 3, (define) => {
  define(
    'failover-while-migrating-from: the source is replaced, and the move is made from its successor',
    { nodes: 4, conf: SLOW },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const source = await scene.masterOf(cluster, 0);
      const replica = await replicaOf(scene, cluster, 0);
      await fill(source, TAG, 80);
      await fill(source, OTHER, 20);
      await scene.replicasEqual(cluster, []);
      await move(cluster, slotOf(TAG), 1);
      await migrating(cluster);
      await sleep(300);
      await source.kill();
      await replaced(scene, cluster, source);
      await quicken(replica);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(replica, TAG, 80);
      await filled(replica, OTHER, 20);
      await source.start();
      if (/diverged|unproven/.test(await backOrNamed(cluster, source))) await emptied(source);
      await endsWell(scene, cluster);
      assert.equal(await failovers(cluster), 1);
    },
  );

  define(
    'failover-while-migrating-to: the target is replaced, the source serves on, and the move is made to its successor',
    { nodes: 4, conf: SLOW },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      await fill(source, TAG, 80);
      const writers = await scene.writers({ ports: [source.port], libraries: ['raw'], tag: TAG, count: 1, pause: 50 });
      await move(cluster, slotOf(TAG), 1);
      await migrating(cluster);
      await sleep(300);
      await target.kill();
      await replaced(scene, cluster, target, { shard: 1 });
      const at = performance.now();
      await until('the source takes writes', () => writers.firstAfter(at) !== undefined);
      await quicken(source);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(source, TAG, 80);
      await target.start();
      if (/diverged|unproven/.test(await backOrNamed(cluster, target))) await emptied(target);
      await endsWell(scene, cluster, { writers: [writers] });
      assert.equal(await failovers(cluster), 1);
    },
  );

  define(
    'source-dies-right-after-success, its reply lost: the slots stay with the target, which has every key',
    { nodes: 4, conf: SLOW, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const source = await scene.masterOf(cluster, 0);
      await fill(source, TAG, 20);
      await scene.replicasEqual(cluster, []);
      await move(cluster, slotOf(TAG), 1);
      await says(source, slotOf(TAG), 'start');
      // From here on the controller hears nothing of it.
      source.proxy.impose(controllers, 'hold-out');
      await says(source, slotOf(TAG), 'success');
      await source.kill();
      source.proxy.heal();
      await replaced(scene, cluster, source);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(await scene.masterOf(cluster, 1), TAG, 20);
      await source.start();
      if (/diverged|unproven/.test(await backOrNamed(cluster, source))) await emptied(source);
      await endsWell(scene, cluster);
    },
  );

  define(
    'controller-dies-in-each-phase of a hand-over, before and behind what each end is told: its successor ends it',
    { nodes: 4, ownController: true, conf: SLOW, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      for (const tag of TAGS) await fill(source, tag, 10);
      await scene.replicasEqual(cluster, []);
      const writers = await scene.writers({ libraries: ['ioredis'] });
      const moments = [
        [target, 'sent'],
        [target, 'answered'],
        [source, 'sent'],
        [source, 'answered'],
      ] as const;
      for (const [i, [end, moment]] of moments.entries()) {
        const tag = TAGS[i] ?? '';
        await move(cluster, slotOf(tag), 1);
        await says(source, slotOf(tag), 'start');
        const died = atPush(end, moment, () => scene.controller.kill());
        await died;
        await scene.controller.start();
        await cluster.idle();
        assert.equal(await shardOfSlot(cluster, slotOf(tag)), 1);
        await filled(source, tag, 10);
      }
      assert.equal(await failovers(cluster), 0);
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );

  define(
    'controller-dies-in-each-phase: while a failed piece is settled, its successor settles it and moves it',
    { nodes: 2, ownController: true, conf: SLOW, proxied: true },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 20, TAG);
      for (const [end, moment] of [
        [target, 'sent'],
        [target, 'answered'],
        [source, 'sent'],
      ] as const) {
        await source.call('CONFIG', 'SET', 'migrate-speed', '40');
        await move(cluster, slotOf(TAG), 1);
        await says(source, slotOf(TAG), 'start');
        const died = atPush(end, moment, () => scene.controller.kill());
        target.proxy.end(from(source));
        await died;
        await quicken(source);
        await scene.controller.start();
        await cluster.idle();
        assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
        await filled(source, TAG, 20);
        await move(cluster, slotOf(TAG), 0);
        await cluster.idle();
      }
      await endsWell(scene, cluster);
    },
  );

  define(
    'controller-dies-in-each-phase: while a piece is held, its successor holds it until the target says what it has',
    { nodes: 4, ownController: true, conf: SLOW, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      await fill(source, TAG, 20);
      await scene.replicasEqual(cluster, []);
      await move(cluster, slotOf(TAG), 1);
      await says(source, slotOf(TAG), 'start');
      for (const node of [source, target]) node.proxy.impose(controllers, 'hold-out');
      await quicken(source);
      await says(source, slotOf(TAG), 'success');
      // Its answer is lost with it.
      source.proxy.end(controllers);
      await source.kill();
      source.proxy.heal();
      await cluster.until('it is held', ({ operations }) => operations.some(({ phase }) => phase === 'held'), 30_000);
      await scene.controller.kill();
      await scene.controller.start();
      await cluster.problem('MOVE_UNDECIDED');
      await sleep(2_000);
      const { operations } = await cluster.status();
      assert.deepEqual(
        operations.map(({ phase }) => phase),
        ['held'],
      );
      target.proxy.heal();
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(target, TAG, 20);
      await source.start();
      if (/diverged|unproven/.test(await backOrNamed(cluster, source))) await emptied(source);
      await endsWell(scene, cluster);
    },
  );
});
