/** Moves of which one moment counts: when another one ends, when somebody else pushes, when the target starts anew. */
import assert from 'node:assert/strict';
import { fill, filled, kinds, move, pair, quicken, SLOW, says, shardOfSlot, TAG } from './harness/moving.ts';
import { until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import { slotOf, tagIn } from './harness/slots.ts';

together('moments of a move', 3, (define) => {
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
