/** How fast slots move: by the servers' own settings, and by the cluster's, which are put back. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './harness/controller.ts';
import { fill, filled, migrating, move, pair, SLOW, shardOfSlot, TAG, TAGS } from './harness/moving.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { Resp } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import { slotOf } from './harness/slots.ts';

const set = (cluster: ClusterClient, settings: object): Promise<unknown> =>
  cluster.controller.call('PATCH', `${cluster.path}/settings`, settings);

async function speedOf(node: KvNode, name = 'migrate-speed'): Promise<string> {
  const [, value] = [await node.call('CONFIG', 'GET', name)].flat();
  return String(value);
}

together('speed', 3, (define) => {
  define(
    'a move at the speed of the cluster while its controller dies: the source is set, and gets back what it had',
    { nodes: 2, ownController: true, conf: SLOW },
    async (scene) => {
      const { cluster, source, target } = await pair(scene, 60, ...TAGS.slice(0, 2));
      await set(cluster, { migrate_speed: 50 });
      assert.equal(await speedOf(source), '40', 'nothing moves yet');
      await move(cluster, TAGS.slice(0, 2).map(slotOf), 1);
      await until('its source has it', async () => (await speedOf(source)) === '50');
      assert.equal(await speedOf(target), '40');
      await scene.controller.kill();
      await scene.controller.start();
      await set(cluster, { migrate_speed: 2_000 });
      await until('the new speed holds for the piece that runs', async () => (await speedOf(source)) === '2000');
      await cluster.idle();
      await until('the source has its own speed again', async () => (await speedOf(source)) === '40');
      for (const tag of TAGS.slice(0, 2)) {
        assert.equal(await shardOfSlot(cluster, slotOf(tag)), 1);
        await filled(source, tag, 60);
      }
      await cluster.settled();
      const told = (await cluster.events())
        .filter(({ kind }) => kind.startsWith('speed.'))
        .map(({ message }) => message);
      assert.match(told.at(-1) ?? '', /its migrate-speed is 40 again/);
    },
  );

  define(
    'what somebody else sets meanwhile is left as it is, and told; a setting that is given up is put back while slots move',
    { nodes: 2, conf: { ...SLOW, 'migrate-speed': '4' } },
    async (scene) => {
      const { cluster, source } = await pair(scene, 60, TAG);
      await set(cluster, { migrate_speed: 5 });
      await move(cluster, slotOf(TAG), 1);
      await until('its source has it', async () => (await speedOf(source)) === '5');
      await set(cluster, { migrate_speed: null });
      await until('put back, though it moves', async () => (await speedOf(source)) === '4');
      await set(cluster, { migrate_speed: 6 });
      await until('set again', async () => (await speedOf(source)) === '6');
      await source.call('CONFIG', 'SET', 'migrate-speed', '3000');
      await cluster.idle();
      await until('it is told', async () =>
        (await cluster.events()).some(({ kind, message }) => kind === 'speed.left' && /left at 3000/.test(message)),
      );
      assert.equal(await speedOf(source), '3000');
      assert.equal(await shardOfSlot(cluster, slotOf(TAG)), 1);
      await filled(source, TAG, 60);
    },
  );

  define(
    'a cluster that is deleted while slots move gives its servers back what they had',
    { nodes: 2, conf: SLOW },
    async (scene) => {
      const { cluster, source } = await pair(scene, 60, TAG);
      await set(cluster, { migrate_speed: 30 });
      await move(cluster, slotOf(TAG), 1);
      await migrating(cluster);
      await until('its source has it', async () => (await speedOf(source)) === '30');
      await cluster.delete();
      assert.equal(await speedOf(source), '40');
    },
  );

  define(
    'raw keys are copied at the cluster’s rate, which changes in the middle of a piece',
    { nodes: 2, conf: { 'migrate-type': 'raw-key-value' } },
    async (scene) => {
      const rate = 'migrate-batch-rate-limit-mb';
      const { cluster, source, target } = await pair(scene, 0, TAG);
      const connection = await Resp.open(source.port);
      const value = 'x'.repeat(100_000);
      for (let i = 0; i < 80; i++) await connection.call('SET', `${TAG}big${i}`, value + i);
      connection.close();
      await fill(source, TAG, 20);
      await set(cluster, { migrate_rate_limit_mb: 1 });
      await move(cluster, slotOf(TAG), 1);
      await migrating(cluster);
      await until('its source has it', async () => (await speedOf(source, rate)) === '1');
      const began = Date.now();
      await sleep(500);
      await set(cluster, { migrate_rate_limit_mb: 1_000 });
      await cluster.idle();
      scene.note(`${Date.now() - began} ms; at one megabyte a second it takes 8 s`);
      await filled(target, TAG, 20);
      await until('put back', async () => (await speedOf(source, rate)) === '16');
    },
  );

  define(
    'migration-outrun-by-a-writer: it does not end by itself, nothing else is disturbed, and the cluster’s speed lets it end',
    { nodes: 2, conf: { 'migrate-type': 'redis-command', 'migrate-speed': '20', 'migrate-sequence-gap': '1' } },
    async (scene) => {
      const { cluster, source } = await pair(scene, 10, TAG);
      const connection = await Resp.open(source.port);
      const taken: string[] = [];
      let over = false;
      const writing = (async () => {
        for (let n = 0; !over; n++) {
          const key = `${TAG}w${n % 400}`;
          if ((await connection.ask(['SET', key, 'x'])) === 'OK') taken.push(key);
          else await sleep(20);
          await sleep(2);
        }
      })();
      try {
        await sleep(300);
        await move(cluster, slotOf(TAG), 1);
        await migrating(cluster);
        await sleep(4_000);
        const { operations } = await cluster.status();
        assert.deepEqual(
          operations.map(({ phase }) => phase),
          ['migrating'],
          'a writer is faster than 20 commands a second',
        );
        await set(cluster, { migrate_speed: 0 });
        await until('it has moved', async () => (await shardOfSlot(cluster, slotOf(TAG))) === 1, 30_000);
      } finally {
        over = true;
        await writing;
        connection.close();
      }
      await cluster.idle();
      await until('its own speed is back', async () => (await speedOf(source)) === '20');
      await filled(source, TAG, 10);
      const target = await Resp.open((await scene.masterOf(cluster, 1)).port);
      for (const key of new Set(taken)) assert.equal(await target.ask(['GET', key]), 'x', key);
      target.close();
      scene.note(`${taken.length} writes`);
    },
  );
});
