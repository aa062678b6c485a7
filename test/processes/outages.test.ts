/** Many nodes at once, and the same one again and again. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsWell } from './harness/ending.ts';
import { backOrNamed, emptied, failovers, idOf, mayBePromoted, replaced, replicaOf } from './harness/failing.ts';
import { KvNode } from './harness/nodes.ts';
import { real, SharedProcess } from './harness/power.ts';
import { folder, until } from './harness/processes.ts';
import { everybody } from './harness/proxy.ts';
import { missing } from './harness/reading.ts';
import { scenario, together } from './harness/scenario.ts';
import { tagIn } from './harness/slots.ts';

together('many nodes', 2, (define) => {
  define(
    'half-the-nodes-of-a-site-vanish: masters there are replaced, those here stay, and all are back in the end',
    { nodes: 8 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers();
      await writers.stop();
      await scene.replicasEqual(cluster, []);
      const masters = await Promise.all([0, 1, 2, 3].map((shard) => scene.masterOf(cluster, shard)));
      const [first, second, third, fourth] = masters;
      assert.ok(first !== undefined && second !== undefined && third !== undefined && fourth !== undefined);
      const away = [first, second, await replicaOf(scene, cluster, 2), await replicaOf(scene, cluster, 3)];
      const from = performance.now();
      for (const node of away) node.hang();
      await Promise.all([replaced(scene, cluster, first), replaced(scene, cluster, second, { shard: 1 })]);
      scene.note(`both replaced in ${Math.round(performance.now() - from)} ms`);
      assert.equal((await scene.masterOf(cluster, 2)).addr, third.addr);
      assert.equal((await scene.masterOf(cluster, 3)).addr, fourth.addr);
      assert.equal((await cluster.status()).slots_served, 16_384);
      for (const node of away) node.wake();
      for (const node of away) if (/diverged|unproven/.test(await backOrNamed(cluster, node))) await emptied(node);
      await endsWell(scene, cluster, { writers: [writers] });
      assert.equal(await failovers(cluster), 2);
    },
  );

  define('a-whole-cluster-restarts, at once and after a while: all is as it was', { nodes: 6 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const before = await scene.writers();
    await before.stop();
    await scene.replicasEqual(cluster, []);
    for (const away of [0, 3_000]) {
      await Promise.all(scene.nodes.map((node) => node.kill()));
      await sleep(away);
      await Promise.all(scene.nodes.map((node) => node.start()));
      await cluster.settled();
    }
    const after = await scene.writers();
    await endsWell(scene, cluster, { writers: [before, after] });
  });

  define('rolling-restart-of-all-nodes under writes: each is back before the next one', { nodes: 4 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const writers = await scene.writers({ libraries: ['raw', 'ioredis'], patience: 1_000, pause: 5 });
    for (const [i, node] of scene.nodes.entries()) {
      const shard = Math.floor(i / 2);
      const wasMaster = (await scene.masterOf(cluster, shard)) === node;
      await node.kill();
      if (wasMaster) await replaced(scene, cluster, node, { shard, within: 30_000 });
      await node.start();
      const became = await backOrNamed(cluster, node);
      if (/diverged|unproven/.test(became)) await emptied(node);
      await mayBePromoted(cluster, node, shard);
    }
    await endsWell(scene, cluster, { writers: [writers], mayLose: true });
  });
});

together('the same one again', 3, (define) => {
  define(
    'flapping-master: one that dies again and again is replaced once, and then matters no more',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const flapping = await scene.masterOf(cluster);
      const before = await scene.writers();
      await before.stop();
      await scene.replicasEqual(cluster, []);
      for (let i = 0; i < 5; i++) {
        await flapping.kill();
        await sleep(300 + i * 300);
        await flapping.start();
        await sleep(500);
      }
      const times = await failovers(cluster);
      scene.note(`${times} failovers`);
      assert.ok(times <= 1);
      const after = await scene.writers();
      await endsWell(scene, cluster, { writers: [before, after] });
    },
  );

  define(
    'masters that die right after their promotion: the second is replaced at once, the third one waits and says so, an operator’s word ends the wait',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const before = await scene.writers();
      await before.stop();
      await scene.replicasEqual(cluster, []);
      const first = await scene.masterOf(cluster);
      await first.kill();
      const second = await replaced(scene, cluster, first);
      const third = scene.nodes.find((node) => node !== first && node !== second);
      assert.ok(third !== undefined);
      await mayBePromoted(cluster, third);
      await second.kill();
      await replaced(scene, cluster, second);
      await first.start();
      await mayBePromoted(cluster, first);
      await third.kill();
      // By now it would have been replaced.
      await sleep(2_500);
      // A machine that took long until here has seen the third one be healthy for long enough.
      const waits = (await failovers(cluster)) === 2;
      if (waits) {
        const { problems } = await cluster.status();
        scene.note(problems.map(({ code, message, waiting_for }) => `${code} ${message}; ${waiting_for}`).join('; '));
        const down = problems.find(({ code }) => code === 'MASTER_DOWN');
        assert.ok(down?.waiting_for !== null);
        assert.equal(await cluster.failover(0), await idOf(cluster, first));
      }
      scene.note(`the third failover ${waits ? 'waited' : 'did not wait'}`);
      await replaced(scene, cluster, third);
      await Promise.all([second.start(), third.start()]);
      await endsWell(scene, cluster, { writers: [before], within: 40_000 });
    },
  );

  define(
    'flapping-link, 3 s on and 3 s off: damped, and one master in the end with all that was acknowledged',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const before = await scene.writers();
      await before.stop();
      await scene.replicasEqual(cluster, []);
      for (let i = 0; i < 4; i++) {
        const heal = old.proxy.impose(everybody, 'hole');
        await sleep(3_000);
        heal();
        await sleep(3_000);
      }
      const times = await failovers(cluster);
      scene.note(`${times} failovers`);
      assert.ok(times <= 1);
      if (/diverged|unproven/.test(await backOrNamed(cluster, old).catch(() => 'follows'))) await emptied(old);
      await endsWell(scene, cluster, { writers: [before] });
    },
  );
});

/** As many as two cores bear beside everything else. */
const MASTERS = real ? 12 : 30;

scenario(
  `a-third-of-sixty-masters-at-once, here of ${MASTERS}: all are replaced, and nothing is lost`,
  { nodes: 0 },
  async (scene) => {
    const shared = real ? undefined : await SharedProcess.start(MASTERS * 2, folder('sixty'));
    try {
      if (shared === undefined) for (let i = 0; i < MASTERS * 2; i++) await scene.add();
      else scene.nodes.push(...shared.ports.map((port) => KvNode.sharing(port, shared.of(port))));
      const cluster = await scene.create({ replicas: 2 });
      const { shards } = await cluster.get();
      const keys: string[] = [];
      for (const [i, shard] of shards.entries()) {
        const [from = 0, to = from] = (shard.slot_ranges?.[0] ?? '').split('-').map(Number);
        const key = `${tagIn(from, to)}k`;
        await (await scene.masterOf(cluster, i)).call('SET', key, 'v');
        keys.push(key);
      }
      await scene.replicasEqual(cluster, keys);
      await sleep(1_000);
      const dying = await Promise.all(Array.from({ length: MASTERS / 3 }, (_, i) => scene.masterOf(cluster, i * 3)));
      const killed = performance.now();
      await Promise.all(dying.map((node) => node.kill()));
      const all = async () => {
        const { shards: seen } = await cluster.status();
        return dying.every((node, i) =>
          seen[i * 3]?.nodes.some((one) => one.addr !== node.addr && one.role === 'master' && one.says === 'master'),
        );
      };
      await until('all are replaced', all, 30_000, 20);
      scene.note(`${dying.length} of ${MASTERS} replaced within ${Math.round(performance.now() - killed)} ms`);
      assert.equal(await failovers(cluster), dying.length);
      await Promise.all(dying.map((node) => node.start()));
      await endsWell(scene, cluster, { keys, within: 60_000 });
      const written = keys.map((key) => ({ key, value: 'v' }));
      assert.deepEqual(await missing(scene.node(0), written), []);
    } finally {
      await shared?.end();
    }
  },
);
