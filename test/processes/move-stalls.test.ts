/** Moves that do not come to their end by themselves: outrun, not let in, or left by the one that had taken over. */
import assert from 'node:assert/strict';
import { endsWell } from './harness/ending.ts';
import { failovers, idOf, replicaOf, write } from './harness/failing.ts';
import { ends, kvctl } from './harness/kvctl.ts';
import {
  fill,
  filled,
  from,
  kinds,
  move,
  pair,
  quicken,
  SLOW,
  said,
  shardOfSlot,
  TAG,
  takes,
  underWay,
} from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { controllers } from './harness/proxy.ts';
import { atPush } from './harness/pushes.ts';
import { textOf } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import { slotOf, tagIn } from './harness/slots.ts';

const slot = slotOf(TAG);
const locked = { requirepass: 'secret', masterauth: 'secret' };

together('moves that stall', 3, (define) => {
  define(
    'migration-outrun-by-a-writer: it is reported, ended when it is to be tried anew, and done once it may be faster',
    { nodes: 2, conf: { ...SLOW, 'migrate-speed': '1', 'migrate-pipeline-size': '1', 'migrate-sequence-gap': '1' } },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 3, TAG);
      const writers = await scene.writers({ ports: [source.port], libraries: ['raw'], tag: TAG, count: 2, pause: 20 });
      await move(cluster, slot, 1);
      await takes(target, slot, 'start');
      const { problems } = await cluster.problem('MOVE_LONG', 20_000);
      assert.match(
        problems[0]?.message ?? '',
        new RegExp(`on their way for 1\\d s; ${source.addr} says start of ${slot}`),
      );
      const [running] = await underWay(cluster);
      assert.deepEqual([running?.phase, running?.moved, running?.failures], ['migrating', 0, 0]);
      await cluster.post('/moves/retry', { move: running?.id });
      assert.match(await said(cluster, 'move.ended'), /the piece is ended and tried anew/);
      await said(cluster, 'move.retried');
      await quicken(source);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      await endsWell(scene, cluster, { writers: [writers] });
      await filled(source, TAG, 3);
    },
  );

  define(
    'migration-with-unequal-passwords, the source has none: it waits for that, says so, and begins once they are equal',
    { nodes: 2, conf: locked },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1, password: 'secret' });
      const source = await scene.masterOf(cluster, 0);
      const keys = await write(source, TAG, 20);
      await source.kill();
      await source.start({});
      await cluster.settled();
      await move(cluster, slot, 1);
      const why = new RegExp(`both masters have the same requirepass: ${source.addr} has none`);
      await until('what it waits for is said', async () =>
        (await underWay(cluster)).some(({ waiting_for: what }) => why.test(what ?? '')),
      );
      assert.deepEqual(await kinds(cluster), ['move.queued']);
      assert.equal(await shardOfSlot(cluster, slot), 0);
      await source.kill();
      await source.start(locked);
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      await endsWell(scene, cluster, { keys });
      assert.equal(textOf(await (await scene.masterOf(cluster, 1)).call('GET', `${TAG}19`)), '19');
    },
  );

  define(
    'migration-with-unequal-passwords, the source gets one while it runs: the move that waits for it begins',
    { nodes: 2, conf: locked },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1, password: 'secret' });
      const source = await scene.masterOf(cluster, 0);
      await source.kill();
      await source.start({});
      await cluster.settled();
      await move(cluster, slot, 1);
      await until('it waits', async () =>
        (await underWay(cluster)).some(({ waiting_for: what }) => /requirepass/.test(what ?? '')),
      );
      await source.call('CONFIG', 'SET', 'requirepass', 'secret');
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
    },
  );

  define(
    'migration-with-unequal-passwords: it fails by what the target answers, the slots stay, and it is done when tried again',
    { nodes: 2, proxied: true, conf: locked },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1, password: 'secret' });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      const keys = await write(source, TAG, 20);
      const admin = await source.connect();
      const sets = (password: string) => admin.call('CONFIG', 'SET', 'requirepass', password);
      // Only while it migrates: a controller whose password is not the node's could not ask it to, or how it ended.
      let changedAt: number | undefined;
      source.proxy.impose(controllers, {
        judge: (words) => {
          if (words[1]?.toUpperCase() !== 'MIGRATE') return undefined;
          changedAt = performance.now();
          return { after: sets('another') };
        },
      });
      scene.repeatedly(50, async () => {
        // Just after it was asked it may still tell of the try before.
        if (changedAt === undefined || performance.now() - changedAt < 500) return;
        if (!/migrating_state: ?fail/.test(textOf(await admin.call('CLUSTER', 'INFO')))) return;
        changedAt = undefined;
        await sets('secret');
      });
      await move(cluster, slot, 1);
      const why = await said(cluster, 'move.failed', 30_000);
      assert.match(why, /: ERR failed to authenticate on destination node: .*Invalid password/i);
      source.proxy.heal();
      await until('its source has been told', async () =>
        (await underWay(cluster)).every(({ phase }) => phase === 'failed'),
      );
      assert.deepEqual(
        (await cluster.status()).problems.map(({ code }) => code).filter((code) => /^MOVE/.test(code)),
        ['MOVE_FAILED'],
      );
      assert.match(await ends(kvctl(cluster.controller, cluster, 'moves'), 0), /failed to authenticate/);
      assert.equal(await shardOfSlot(cluster, slot), 0);
      assert.equal(textOf(await source.call('GET', `${TAG}0`)), '0');
      await cluster.post('/moves/retry');
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      admin.close();
      await endsWell(scene, cluster, { keys });
      for (const [i, key] of keys.entries()) assert.equal(await target.call('GET', key), `${i}`);
    },
  );

  define(
    'target-fails-over-after-success, its replica behind, and the controller dies: the next one holds, also who would force it, and nothing is lost',
    { nodes: 4, conf: SLOW, proxied: true, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      const replica = await replicaOf(scene, cluster, 1);
      await fill(source, TAG, 20);
      const keys = [...(await write(target, tagIn(9_000, 16_383), 20))];
      await scene.replicasEqual(cluster, keys);
      const { version } = await cluster.get();
      await move(cluster, slot, 1);
      await takes(target, slot, 'start');
      target.proxy.impose(from(replica), 'hold-out');
      // It serves them, and dies before it has heard that they are its own.
      const died = atPush(target, 'sent', async () => {
        keys.push(...(await write(target, `${TAG}late`, 10)));
        await Promise.all([target.kill(), cluster.controller.kill()]);
      });
      await quicken(source);
      await died;
      // Whether the one before it had told the source, it cannot know.
      await cluster.controller.start();
      const lacks = /lacks slots that were moved to its master, which it has from sequence \d+ on/;
      await cluster.until(
        'it is said why nobody takes its place',
        ({ problems }) => problems.some(({ code, message }) => code === 'MASTER_DOWN' && lacks.test(message)),
        30_000,
      );
      const body = { force: true, preferred_node_id: await idOf(cluster, replica) };
      const forced = await cluster.request('POST', '/shards/1/failover', body);
      assert.deepEqual([forced.status, forced.error?.code], [409, 'no_eligible_replica']);
      assert.match(forced.error?.message ?? '', lacks);
      // It was told nothing by which it would delete its copy.
      assert.equal((await kinds(cluster)).includes('move.finished'), false);
      assert.equal(await source.version(), version);
      assert.equal(await failovers(cluster), 0);
      target.proxy.end(from(replica));
      target.proxy.heal();
      await target.start();
      await cluster.idle();
      assert.equal(await shardOfSlot(cluster, slot), 1);
      await endsWell(scene, cluster, { keys });
      await filled(target, TAG, 20);
      for (let i = 0; i < 10; i++) assert.equal(await target.call('GET', `${TAG}late${i}`), `${i}`);
    },
  );
});
