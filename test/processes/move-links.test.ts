/** Moves past links that break between their two servers, and past answers that get lost. */
import assert from 'node:assert/strict';
import { endsWell } from './harness/ending.ts';
import { ends, kvctl } from './harness/kvctl.ts';
import {
  afterSuccessIsTold,
  fill,
  filled,
  from,
  kinds,
  migrating,
  move,
  pair,
  quicken,
  SLOW,
  said,
  says,
  shardOfSlot,
  TAG,
  takes,
  underWay,
} from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { controllers, type Fault } from './harness/proxy.ts';
import { together } from './harness/scenario.ts';
import { slotOf } from './harness/slots.ts';

const slot = slotOf(TAG);

together('links between the servers of a move', 3, (define) => {
  /** The source takes the slots back although the target has them; who reaches the target past its redirects finds both. */
  const replyLost = (state: 'success' | 'error', fault: Fault) =>
    define(
      `move-success-reply-lost-between-the-servers, and the target says ${state}: one owner in the end, with every write that the source took`,
      { nodes: 4, conf: SLOW, proxied: true },
      async (scene) => {
        const cluster = await scene.create({ replicas: 2 });
        const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
        await fill(source, TAG, 20);
        const writers = await scene.writers({
          ports: [source.port],
          libraries: ['raw'],
          tag: TAG,
          count: 1,
          pause: 20,
        });
        afterSuccessIsTold(source, target, slot, fault);
        await move(cluster, slot, 1);
        await says(source, slot, 'start');
        await quicken(source);
        await says(source, slot, 'fail');
        await takes(target, slot, state);
        assert.equal(await target.ask('SET', `${TAG}alone`, 'x'), 'OK', 'the target serves them, too');
        assert.match(await said(cluster, 'move.retried'), /failed to set import status on destination node/);
        target.proxy.heal();
        await cluster.idle();
        assert.match(await said(cluster, 'move.both-served'), /says that it has taken them over/);
        assert.equal(await shardOfSlot(cluster, slot), 1);
        await endsWell(scene, cluster, { writers: [writers] });
        await filled(target, TAG, 20);
        assert.equal(await target.call('GET', `${TAG}alone`), null);
      },
    );
  // What its source asks for after the failure does not reach it, either.
  replyLost('success', 'hole');
  replyLost('error', 'hold-out');

  define(
    'move-success-reply-lost-between-the-servers, and no controller reaches the target then: what it did is told once it says so',
    { nodes: 2, conf: SLOW, proxied: true },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 20, TAG);
      afterSuccessIsTold(source, target, slot, 'hole');
      await move(cluster, slot, 1);
      await says(source, slot, 'start');
      await quicken(source);
      await takes(target, slot, 'success');
      const heal = target.proxy.impose(controllers, 'hold-out');
      await said(cluster, 'move.retried');
      heal();
      target.proxy.end(from(source));
      target.proxy.heal();
      await cluster.idle();
      assert.match(await said(cluster, 'move.both-served'), /says that it has taken them over/);
      await filled(target, TAG, 20);
    },
  );

  define(
    'move-there-and-back-and-there-again: a success of the past gives no slots away, and every value comes along',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      const mixture = await scene.mixture({ libraries: ['ioredis', 'node-redis', 'ioredis'], tags: [TAG, ''] });
      for (const to of [1, 0]) {
        await move(cluster, slot, to);
        await cluster.idle();
        assert.equal(await shardOfSlot(cluster, slot), to);
      }
      // Its source never hears of it, and its target still says that it has taken them over.
      let lost = 0;
      source.proxy.impose(controllers, {
        judge: (words) => {
          if (lost > 0 || words[1]?.toUpperCase() !== 'MIGRATE') return undefined;
          lost++;
          queueMicrotask(() => source.proxy.end(controllers));
          return { after: new Promise(() => {}) };
        },
      });
      await takes(target, slot, 'success');
      await move(cluster, slot, 1);
      const why = await said(cluster, 'move.retried');
      assert.equal(lost, 1);
      assert.match(why, /the job is gone, and the source serves the slots/);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      const one = ['move.queued', 'move.started', 'move.handing-over', 'move.finished'];
      const again = ['move.queued', 'move.started', 'move.retried', 'move.handing-over', 'move.finished'];
      assert.deepEqual(await kinds(cluster), [...one, ...one, ...again]);
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      await scene.carried(cluster);
    },
  );

  define(
    'migration-to-a-black-hole, midway: it is noticed, named and rolled back while the source serves on, and goes on when healed',
    { nodes: 2, conf: SLOW, proxied: true },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 60, TAG);
      const writers = await scene.writers({ ports: [source.port], libraries: ['raw'], tag: TAG, count: 1, pause: 50 });
      await move(cluster, slot, 1);
      await migrating(cluster);
      await takes(target, slot, 'start');
      target.proxy.impose(from(source), 'hole');
      const why = await said(cluster, 'move.retried');
      assert.match(why, /: ERR failed to .*Resource temporarily unavailable/, 'the reason of the source');
      // The end of the connection has not reached it: for the target the job runs.
      const waiting = new RegExp(`the job that ${target.addr} runs ends`);
      await until('what it waits for is said', async () =>
        (await underWay(cluster)).some(({ waiting_for: what }) => waiting.test(what ?? '')),
      );
      assert.match(await ends(kvctl(cluster.controller, cluster, 'moves'), 0), /waits until the job that/);
      assert.equal(await shardOfSlot(cluster, slot), 0);
      const at = performance.now();
      await until('the source takes writes', () => writers.firstAfter(at) !== undefined);
      await quicken(source);
      target.proxy.heal();
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      await endsWell(scene, cluster, { writers: [writers] });
      await filled(source, TAG, 60);
    },
  );

  define(
    'migration-to-a-black-hole, from the start: given up after three tries, named, and done when tried again after it',
    { nodes: 2, proxied: true },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 60, TAG);
      const writers = await scene.writers({ ports: [source.port], libraries: ['raw'], tag: TAG, count: 1, pause: 50 });
      target.proxy.impose(from(source), 'hole');
      await move(cluster, slot, 1);
      const why = await said(cluster, 'move.failed', 30_000);
      assert.match(why, /: ERR failed to set import status on destination node: .*Resource temporarily unavailable/);
      const [failed] = await until('its source has been told', async () => {
        const moves = await underWay(cluster);
        return moves.every(({ phase }) => phase === 'failed') && moves;
      });
      assert.deepEqual([failed?.failures, failed?.moved, await shardOfSlot(cluster, slot)], [3, 0, 0]);
      assert.match(await ends(kvctl(cluster.controller, cluster, 'moves'), 0), /failed to set import status/);
      const at = performance.now();
      await until('the source takes writes', () => writers.firstAfter(at) !== undefined);
      // What it has said into the hole is lost with its connections.
      target.proxy.end(from(source));
      target.proxy.heal();
      await cluster.post('/moves/retry');
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      await endsWell(scene, cluster, { writers: [writers] });
      await filled(source, TAG, 60);
    },
  );
});
