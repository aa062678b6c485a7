/** Clusters that grow and shrink by kvctl, while clients write values of every type. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ends, kvctl, writes } from './harness/kvctl.ts';
import { kill, signal, until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';
import { SLOTS } from './harness/slots.ts';

const evenly = (all: readonly number[]) =>
  assert.ok(
    all.every((count) => Math.abs(count - SLOTS / all.length) <= 1),
    `${all.join(', ')} slots`,
  );

async function written(scene: Scene) {
  const mixture = await scene.mixture({ libraries: ['ioredis', 'node-redis', 'ioredis'], tags: [''] });
  await sleep(300);
  return mixture;
}

const addresses = (scene: Scene, from: number, to?: number): string =>
  scene.nodes
    .slice(from, to)
    .map(({ addr }) => addr)
    .join(',');

together('scaling', 2, (define) => {
  define(
    'scale out, ended while slots move and run again: no shard is added twice, all have their share, no write is lost',
    { nodes: 8 },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ replicas: 2, nodes: scene.nodes.slice(0, 4) });
      const mixture = await written(scene);
      const line = `scale out --nodes ${addresses(scene, 4)} --replica 2 --slots-per-move 200`;

      const said = await ends(kvctl(controller, cluster, `${line} --dry-run`), 0);
      assert.match(said, /a new shard: .*\n.*a new shard: .*\n.*each of 4 shards gets its share, about 4096 slots/);
      assert.deepEqual(await cluster.slotCounts(), [8_192, 8_192], 'a rehearsal changes nothing');

      const first = kvctl(controller, cluster, line);
      await writes(first, /[1-9]\d* of 8192 slots/);
      signal(first, 'SIGINT');
      const words = await ends(first, 7);
      const [, plan = ''] = /plan (pl-\w{12}) is not over; it goes on by itself/.exec(words) ?? [];
      assert.match(words, new RegExp(`to end it: kvctl move cancel ${plan} -n ${scene.namespace} -c c\\n`));

      // Killed where it could say nothing.
      const second = kvctl(controller, cluster, line);
      await writes(second, /a shard already[\s\S]*a shard already[\s\S]*(is under way|Nothing has to move)/);
      await kill(second);

      const last = await ends(kvctl(controller, cluster, line), 0);
      assert.match(last, /Nothing has to move: each shard has its share/);
      const all = await cluster.slotCounts();
      assert.equal(all.length, 4);
      evenly(all);
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      await scene.carried(cluster);
      scene.note(`${mixture.acknowledged} writes; errors: ${JSON.stringify([...mixture.errors])}`);
    },
  );

  define(
    'scale in, ended while slots move and run again by the command that it says: drained, deleted, no write is lost',
    { nodes: 6 },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ replicas: 2 });
      const mixture = await written(scene);
      const { shards } = await cluster.get();
      const [, leaves] = shards;
      const first = kvctl(controller, cluster, 'scale in 1 --slots-per-move 200');
      await writes(first, /[1-9]\d* of 5461 slots/);
      signal(first, 'SIGINT');
      const words = await ends(first, 7);
      const [, again = ''] = /go on with what comes after it: kvctl (scale in sh-\w{12}) -n/.exec(words) ?? [];
      assert.equal(again, `scale in ${leaves?.id}`);
      assert.match(await ends(kvctl(controller, cluster, again), 0), /delete shard: sh-\w{12} successfully/);
      const ids = (await cluster.get()).shards.map(({ id }) => id);
      assert.deepEqual(ids, [shards[0]?.id, shards[2]?.id]);
      evenly(await cluster.slotCounts());
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      await scene.carried(cluster);

      // Done already: not the shard that has its place now.
      assert.match(await ends(kvctl(controller, cluster, again), 3), /has no shard sh-/);
      assert.equal((await cluster.get()).shards.length, 2);
      scene.note(`${mixture.acknowledged} writes; errors: ${JSON.stringify([...mixture.errors])}`);
    },
  );

  define(
    'a rebalance by weights goes on while its controller dies: kvctl waits for it and says how it ended',
    { nodes: 4, ownController: true },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ replicas: 2 });
      const mixture = await written(scene);
      const running = kvctl(controller, cluster, 'rebalance --weight 0=3 --slots-per-move 200');
      await writes(running, /[1-9]\d* of 4096 slots/);
      await controller.kill();
      await sleep(1_000);
      await controller.start();
      const words = await ends(running, 0);
      assert.match(words, /plan pl-\w{12} is over after/);
      assert.deepEqual(await cluster.slotCounts(), [12_288, 4_096]);
      await until('nothing is on its way', async () => {
        const moves = await ends(kvctl(controller, cluster, 'moves'), 0);
        return moves === 'No slots are on their way.\n';
      });
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      await scene.carried(cluster);
    },
  );
});
