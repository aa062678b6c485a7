/** Plans of moves by the API, while clients write values of every type. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MoveProgress, PlanProgress } from '../../src/controller/move-views.ts';
import type { ClusterClient } from './harness/controller.ts';
import { SLOW } from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';

interface Planned {
  readonly plan: string | null;
  readonly version: number;
  readonly slots: number;
  readonly moves: readonly { readonly range: string }[];
  readonly shards: readonly { readonly after: number }[];
}

const underWay = (cluster: ClusterClient) =>
  cluster.controller.call<{ plans: readonly PlanProgress[]; moves: readonly MoveProgress[] }>(
    'GET',
    `${cluster.path}/moves`,
  );

const over = (cluster: ClusterClient) =>
  until('no slots are on their way', async () => (await underWay(cluster)).plans.length === 0, 60_000, 50);

async function written(scene: Scene) {
  const mixture = await scene.mixture({ libraries: ['ioredis', 'node-redis', 'ioredis'], tags: [''] });
  await sleep(300);
  return mixture;
}

together('plans', 3, (define) => {
  define(
    'rebalance-after-adding-a-shard, drain-a-shard-and-delete-it: previewed, run as previewed, and every key is there',
    { nodes: 6 },
    async (scene) => {
      const [first, second] = [scene.nodes.slice(0, 4), scene.nodes.slice(4)];
      const cluster = await scene.create({ replicas: 2, nodes: first });
      const mixture = await written(scene);
      await cluster.post('/shards', { nodes: second.map(({ addr }) => addr) });
      await cluster.settled();
      const planned = await cluster.post<Planned>('/rebalance', { dry_run: true });
      assert.deepEqual([planned.plan, planned.slots], [null, 5_461]);
      assert.deepEqual(await cluster.slotCounts(), [8_192, 8_192, 0], 'a rehearsal moves nothing');
      assert.deepEqual((await cluster.post<Planned>('/rebalance')).slots, planned.slots);
      await over(cluster);
      assert.deepEqual(
        await cluster.slotCounts(),
        planned.shards.map(({ after }) => after),
      );
      assert.equal((await cluster.post<Planned>('/rebalance', { dry_run: true })).slots, 0);

      const drained = await cluster.post<Planned>('/rebalance', { drain: [2] });
      assert.equal(drained.slots, 5_461);
      const refused = await cluster.request('DELETE', '/shards/2');
      assert.equal(refused.status, 409);
      await over(cluster);
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      await cluster.delete('/shards/2');
      await scene.carried(cluster);
      scene.note(`${mixture.acknowledged} writes; errors: ${JSON.stringify([...mixture.errors])}`);
    },
  );

  define(
    'migration-paused-and-resumed, -cancelled: nothing new is begun, then it goes on, then the rest stays where it is',
    { nodes: 4, conf: SLOW },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const mixture = await written(scene);
      await cluster.post('/migrate', { target: 1, slot: '0-2000', slots_per_move: 100 });
      const moved = async () => (await underWay(cluster)).plans[0]?.moved ?? 2_001;
      await until('some have moved', async () => (await moved()) > 0, 30_000, 10);
      await cluster.post('/moves/pause');
      const still = await until(
        'what ran is finished',
        async () => {
          const { plans } = await underWay(cluster);
          return plans[0]?.moves.every(({ phase }) => phase === 'queued') ? plans[0] : undefined;
        },
        30_000,
      );
      assert.ok(still.paused && still.moved < 2_001, `${still.moved} have moved`);
      await sleep(1_000);
      assert.equal(await moved(), still.moved);
      await cluster.post('/moves/resume');
      await until('it goes on', async () => (await moved()) > still.moved, 30_000, 10);
      await cluster.post('/moves/cancel');
      await over(cluster);
      const [, after = 0] = await cluster.slotCounts();
      assert.ok(after >= 8_192 + still.moved, `${after} slots are there`);
      scene.note(`${after - 8_192} of 2001 slots moved`);
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      await scene.carried(cluster);
    },
  );

  define(
    'a target that is gone: the plan waits, says for what, and is done when it is back; there is nothing to try again',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const target = await scene.masterOf(cluster, 1);
      await target.kill();
      await cluster.until('its death is seen', ({ state }) => state === 'down');
      await cluster.post('/migrate', { target: 1, slot: '0-9' });
      const { plans } = await underWay(cluster);
      assert.match(plans[0]?.moves[0]?.waiting_for ?? '', /127\.0\.0\.1/, 'it is said what it waits for');
      await target.start();
      await over(cluster);
      assert.deepEqual(await cluster.slotCounts(), [8_182, 8_202]);
      const nothing = await cluster.request('POST', '/moves/retry', {});
      assert.equal(nothing.status, 400);
      await cluster.settled();
      await scene.carried(cluster);
    },
  );
});
