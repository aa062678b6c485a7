/** Planned changes of master in which somebody dies, hangs or does not follow: taken back or finished, nothing lost. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, ClusterClient } from './harness/controller.ts';
import { endsWell } from './harness/ending.ts';
import { backOrNamed, emptied, happened, idOf, mayBePromoted, replaced, replicaOf, write } from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { controllers, everybody, nodes } from './harness/proxy.ts';
import { atPush, type Moment } from './harness/pushes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';
import { tagIn } from './harness/slots.ts';
import type { Writers } from './harness/writers.ts';

const words = (answer: Answer<unknown> | undefined): string =>
  answer === undefined ? 'none' : `${answer.status} ${answer.error?.message ?? ''}`;

/**
 * Asks for a switchover to this node once it may be; the answer is undefined when the controller died over it. Between
 * the two the first writes of all may reach the master, and not yet the eyes of whoever looks at the replica.
 */
async function change(cluster: ClusterClient, to: KvNode): Promise<Answer<unknown> | undefined> {
  for (let left = 5; ; left--) {
    await mayBePromoted(cluster, to);
    const body = { preferred_node_id: await idOf(cluster, to) };
    const answer = await cluster.request('POST', '/shards/0/failover', body).catch(() => undefined);
    if (left === 0 || answer?.error?.code !== 'no_eligible_replica') return answer;
  }
}

/** Asks for it, and waits until what is to happen on its way has happened. */
async function changing(
  cluster: ClusterClient,
  to: KvNode,
  onItsWay: Promise<void>,
): Promise<{ readonly answer: Promise<Answer<unknown> | undefined> }> {
  const answer = change(cluster, to);
  const tooEarly = answer.then(async (answered) => {
    await sleep(5_000);
    throw new Error(`it was over before anything happened: ${words(answered)}`);
  });
  await Promise.race([onItsWay, tooEarly]);
  return { answer };
}

async function servedAgain(writers: Writers): Promise<void> {
  const at = performance.now();
  await until('writes are taken', () => writers.firstAfter(at) !== undefined);
}

/** A replica that was away, or whose data was in doubt, is good for the next round. */
async function goodAgain(cluster: ClusterClient, node: KvNode): Promise<void> {
  if ((await cluster.master(0)).addr !== node.addr) {
    if (/diverged|unproven/.test(await backOrNamed(cluster, node))) await emptied(node);
    await mayBePromoted(cluster, node);
  }
  await cluster.settled(30_000);
}

together('switchovers that go wrong', 3, (define) => {
  define(
    'switchover-controller-dies-in-each-phase, switchover-controller-dies-after-the-drain: the successor restores or finishes',
    { nodes: 2, ownController: true, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers({ libraries: ['raw'] });
      const outcomes: string[] = [];
      const moments: readonly [who: 'old' | 'new', moment: Moment][] = [
        ['old', 'sent'],
        ['old', 'answered'],
        ['new', 'sent'],
        ['new', 'answered'],
      ];
      for (const [who, moment] of moments) {
        const [old, next] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
        // What it has sent arrives after its death.
        const died = atPush(who === 'old' ? old : next, moment, () => scene.controller.kill());
        const { answer } = await changing(cluster, next, died);
        await answer;
        await sleep(300);
        await scene.controller.start();
        await cluster.settled(30_000);
        await servedAgain(writers);
        const done = (await scene.masterOf(cluster)) === next;
        outcomes.push(`${who} ${moment}: ${done ? 'done' : 'restored'}`);
        await scene.carried(cluster);
      }
      scene.note(outcomes.join(', '));
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );

  define(
    'switchover-target-dies-midway: the old master serves again, or the shard’s other replica does',
    { nodes: 3, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const writers = await scene.writers({ libraries: ['raw'] });
      const moments: readonly [who: 'old' | 'new', moment: Moment][] = [
        ['old', 'answered'],
        ['new', 'sent'],
        ['new', 'answered'],
      ];
      for (const [who, moment] of moments) {
        const [old, target] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
        const died = atPush(who === 'old' ? old : target, moment, () => target.kill());
        const { answer } = await changing(cluster, target, died);
        scene.note(`${who} ${moment}: ${words(await answer)}`);
        await servedAgain(writers);
        await target.start();
        await goodAgain(cluster, target);
      }
      const lost = await endsWell(scene, cluster, { writers: [writers], mayLose: true });
      scene.note(`${lost} writes lost with a target that had been made master`);
    },
  );

  define(
    'switchover-target-hangs-and-wakes-after-restore: taken back in time, and nothing that waits for it promotes it',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers({ libraries: ['raw'] });
      const [old, target] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const hung = atPush(old, 'sent', () => target.hang());
      const { answer } = await changing(cluster, target, hung);
      scene.note(words(await answer));
      await servedAgain(writers);
      assert.equal((await scene.masterOf(cluster)).addr, old.addr);
      target.wake();
      // From its first moment on.
      for (let i = 0; i < 50; i++) {
        const text = String(await target.call('INFO', 'replication'));
        assert.match(text, /role:slave/);
        await sleep(10);
      }
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );

  define(
    'a target that hangs over its promotion: the old master is put back, and what the other took is not mixed in',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers({ libraries: ['raw'] });
      const [old, target] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const hung = atPush(target, 'sent', () => target.hang());
      const from = performance.now();
      const { answer } = await changing(cluster, target, hung);
      await servedAgain(writers);
      scene.note(`served again after ${Math.round(performance.now() - from)} ms`);
      scene.note(words(await answer));
      assert.equal((await scene.masterOf(cluster)).addr, old.addr);
      target.wake();
      await goodAgain(cluster, target);
      await endsWell(scene, cluster, { writers: [writers], mayLose: true });
    },
  );

  define(
    'switchover-old-master-restarts-from-nodes.conf-while-drained: the shard has one master in the end, and every write',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers({ libraries: ['raw'] });
      for (const held of [false, true]) {
        const [old, target] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
        // Where the replica's answers do not come the drain is not followed by a swap.
        const restarted = atPush(old, 'answered', async () => {
          if (held) target.proxy.impose(controllers, 'hold-out');
          await old.kill();
          await old.start();
        });
        const { answer } = await changing(cluster, target, restarted);
        target.proxy.heal();
        scene.note(words(await answer));
        await servedAgain(writers);
        await goodAgain(cluster, old);
      }
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );

  define(
    'switchover-replica-never-catches-up: taken back in time each time, the old master serves on',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers({ libraries: ['raw', 'ioredis', 'node-redis'], pause: 1 });
      const [old, target] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      let heal = () => {};
      const held = atPush(old, 'sent', async () => {
        heal = old.proxy.impose(nodes, 'hold-out');
        // What is written until the drain, and stays behind.
        await sleep(30);
      });
      const from = performance.now();
      const answer = await change(cluster, target);
      await held;
      scene.note(`${words(answer)}; longest time without a write ${longest()} ms`);
      assert.ok(answer !== undefined && answer.status >= 400);
      assert.equal((await scene.masterOf(cluster)).addr, old.addr);
      assert.ok((await happened(cluster, 'switchover.restored')) >= 1);
      await servedAgain(writers);
      heal();
      await endsWell(scene, cluster, { writers: [writers] });

      function longest(): number {
        return Math.round(writers.longestGap(from, performance.now()));
      }
    },
  );

  define(
    'failover-elsewhere-during-a-drain: both are decided, one after the other, and nothing of the drained shard is lost',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers({ libraries: ['raw'], tag: tagIn(0, 8191), ports: portsOf(scene, 0) });
      const [old, target] = [await scene.masterOf(cluster, 0), await replicaOf(scene, cluster, 0)];
      const dying = await scene.masterOf(cluster, 1);
      const keys = await write(dying, tagIn(8192, 16_383), 50);
      await scene.replicasEqual(cluster, keys);
      // It is drained, and its answer does not come before the other master has been dead for long enough.
      const drained = atPush(old, 'answered', async () => {
        const heal = old.proxy.impose(controllers, 'hold-out');
        void sleep(900).then(heal);
      });
      await dying.kill();
      await sleep(100);
      const { answer } = await changing(cluster, target, drained);
      scene.note(words(await answer));
      await replaced(scene, cluster, dying, { shard: 1 });
      await servedAgain(writers);
      await dying.start();
      await endsWell(scene, cluster, { writers: [writers], keys });
    },
  );

  define(
    'cluster-or-shard-deleted-during-a-switchover: refused, or ended first',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [old, target] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const keys = await write(old, tagIn(0, 8191), 50);
      const drained = atPush(old, 'answered', () => {
        const heal = old.proxy.impose(everybody, 'hold-out');
        void sleep(800).then(heal);
      });
      const { answer } = await changing(cluster, target, drained);
      const [shard, whole] = await Promise.all([cluster.request('DELETE', '/shards/0'), cluster.request('DELETE', '')]);
      scene.note(`shard: ${words(shard)}; cluster: ${words(whole)}; switchover: ${words(await answer)}`);
      assert.equal(shard.status, 409);
      if (whole.status === 200) {
        assert.equal((await cluster.request('GET', '')).status, 404);
        // No node was left drained: one of the two serves.
        const serving = await Promise.all(
          [old, target].map(async (node) => (await node.ask('GET', keys[0] ?? '')) === '0'),
        );
        assert.deepEqual(
          serving.filter((serves) => serves),
          [true],
        );
        return;
      }
      assert.equal(whole.status, 409);
      await endsWell(scene, cluster, { keys });
    },
  );
});

/** Of this shard's two nodes. */
const portsOf = (scene: Scene, shard: number): readonly number[] =>
  scene.nodes.slice(shard * 2, shard * 2 + 2).map((node) => node.port);
