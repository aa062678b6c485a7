/** Targets that die with what they have just been given, before any of their replicas has it. */
import assert from 'node:assert/strict';
import { failovers, replicaOf, write } from './harness/failing.ts';
import { ends, kvctl } from './harness/kvctl.ts';
import { fill, filled, from, move, quicken, SLOW, said, shardOfSlot, TAG, takes, underWay } from './harness/moving.ts';
import type { KvNode } from './harness/nodes.ts';
import { atPush } from './harness/pushes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';
import { slotOf, tagIn } from './harness/slots.ts';

const slot = slotOf(TAG);

/** A slot is on its way to the second shard, whose replica gets nothing any more of what its master takes. */
async function begun(scene: Scene) {
  const cluster = await scene.create({ replicas: 2 });
  const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
  const replica = await replicaOf(scene, cluster, 1);
  await fill(source, TAG, 20);
  const keys = await write(target, tagIn(9_000, 16_383), 20);
  await scene.replicasEqual(cluster, keys);
  const { version } = await cluster.get();
  await move(cluster, slot, 1);
  await takes(target, slot, 'start');
  target.proxy.impose(from(replica), 'hold-out');
  return { cluster, source, target, replica, version };
}

type Begun = Awaited<ReturnType<typeof begun>>;

/** It is at its target in the end, with every key, and each server is where the topology says. */
async function endsThere(scene: Scene, { cluster }: Begun, before?: () => Promise<void>): Promise<void> {
  await cluster.idle(60_000);
  assert.equal(await shardOfSlot(cluster, slot), 1);
  await filled(await scene.masterOf(cluster, 1), TAG, 20);
  await before?.();
  await cluster.settled(60_000);
  await filled(await scene.masterOf(cluster, 1), TAG, 20);
}

/** The dead target comes back with its disk. */
async function returns({ target }: Begun): Promise<void> {
  target.proxy.heal();
  await target.start();
}

async function knows(target: KvNode, { cluster, version }: Begun): Promise<void> {
  await cluster.until(
    'the target is known to have been told',
    ({ shards }) =>
      shards[1]?.nodes.some(({ addr, version: has }) => addr === target.addr && (has ?? 0) > version) === true,
  );
}

together('moves whose target dies with what it was given', 2, (define) => {
  define(
    'target-dies-before-its-replica-has-the-slots: they go back to its source, which is switched over, and move again',
    { nodes: 4, conf: SLOW, proxied: true },
    async (scene) => {
      const one = await begun(scene);
      const { cluster, source, target, replica } = one;
      await quicken(source);
      await knows(target, one);
      await write(target, `${TAG}late`, 10);
      await target.kill();
      const words = `${target.addr} died before any of its replicas had them; they go back to ${source.addr}`;
      assert.match(await said(cluster, 'move.retried'), new RegExp(words));
      assert.equal(await scene.masterOf(cluster, 1), replica);
      assert.match(await said(cluster, 'switchover.started'), /it refuses slots \d+, which it had given away/);
      await endsThere(scene, one, () => returns(one));
      assert.notEqual(await scene.masterOf(cluster, 0), source);
      assert.equal(await failovers(cluster), 1);
      // What it took with the slots it alone had: lost to clients, as the last writes of any dead master, and kept.
      await cluster.until('what it alone held is saved', ({ operations }) => operations.length === 0);
      const saved = await ends(kvctl(cluster.controller, cluster, 'salvage list'), 0);
      const id = /\S+\.jsonl/.exec(saved)?.[0] ?? '';
      assert.match(await ends(kvctl(cluster.controller, cluster, `salvage show ${id}`), 0), /late9/, saved);
    },
  );

  define(
    'target-comes-back-empty-after-success: its replica takes its place before it copies the loss, the slots go back',
    { nodes: 4, conf: SLOW, proxied: true },
    async (scene) => {
      const one = await begun(scene);
      const { cluster, source, target, replica } = one;
      const died = atPush(target, 'sent', () => target.kill());
      await quicken(source);
      await died;
      target.wipe();
      target.proxy.end(() => true);
      target.proxy.heal();
      await target.start();
      assert.match(await said(cluster, 'move.retried'), /they go back to/);
      assert.equal(await scene.masterOf(cluster, 1), replica);
      await endsThere(scene, one);
    },
  );

  define(
    'target-dies-after-success-and-so-does-the-controller: the next one holds, and says how to settle it',
    { nodes: 4, conf: SLOW, proxied: true, ownController: true },
    async (scene) => {
      const one = await begun(scene);
      const { cluster, source, target } = one;
      const died = atPush(target, 'sent', async () => {
        await Promise.all([cluster.controller.kill(), target.kill()]);
      });
      await quicken(source);
      await died;
      await cluster.controller.start();
      const { problems } = await cluster.problem('MASTER_DOWN', 30_000);
      const down = problems.find(({ code }) => code === 'MASTER_DOWN');
      assert.match(down?.message ?? '', /had just come from .*, which still has what it gave away/);
      const id = (await underWay(cluster))[0]?.id ?? '';
      assert.match(down?.command ?? '', new RegExp(`^kvctl move settle ${id} .*--owner source$`));
      const forced = kvctl(cluster.controller, cluster, 'failover shard 1 --force');
      assert.match(await ends(forced, 4), /kvctl move settle/);
      assert.match(await ends(kvctl(cluster.controller, cluster, `move cancel ${id}`), 4), /the target’s already/);
      assert.equal(await scene.masterOf(cluster, 1), target);
      await ends(kvctl(cluster.controller, cluster, `move settle ${id} --owner source`), 0);
      await endsThere(scene, one, () => returns(one));
    },
  );
});
