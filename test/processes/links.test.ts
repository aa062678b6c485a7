/** Links that break while the processes live: who sees what, and what is concluded from it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './harness/controller.ts';
import { endsWell } from './harness/ending.ts';
import { failovers, replaced, replicaOf, settledAgain, statusOf, write } from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { controllers, everybody, nodes } from './harness/proxy.ts';
import { Resp, textOf } from './harness/resp.ts';
import { type Define, together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';

/** Longer than any tolerance. */
const LONG = 6_000;

/** Nothing was decided: the same master, the same version, no failover. */
async function heldStill(cluster: ClusterClient, version: number): Promise<void> {
  assert.equal(await failovers(cluster), 0);
  assert.equal((await cluster.get()).version, version);
}

/** What befalls a master is said, but it is alive, and stays master. */
function staysMaster(
  define: Define,
  name: string,
  befall: (master: KvNode, scene: Scene) => Promise<() => void>,
): void {
  define(name, { nodes: 2, proxied: true }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const { version } = await cluster.get();
    const master = await scene.masterOf(cluster);
    const writers = await scene.writers({ libraries: ['raw'] });
    const heal = await befall(master, scene);
    await cluster.until('it is said', ({ problems }) => problems.length > 0);
    await sleep(LONG);
    const { problems } = await cluster.status();
    scene.note(problems.map(({ code, message, waiting_for }) => `${code} ${message}; ${waiting_for}`).join('; '));
    assert.ok(problems.some(({ code }) => code === 'MASTER_UNREACHABLE'));
    await heldStill(cluster, version);
    const at = performance.now();
    await until('clients are served', () => writers.firstAfter(at) !== undefined);
    heal();
    await endsWell(scene, cluster, { writers: [writers] });
    await heldStill(cluster, version);
  });
}

together('the controller is cut off', 4, (define) => {
  define(
    'controller-isolated-from-all: it holds still, says so, and finds everything as it was',
    { nodes: 4, proxied: true, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const { version } = await cluster.get();
      const writers = await scene.writers();
      for (const manner of ['hole', 'cut'] as const) {
        for (const node of scene.nodes) node.proxy.impose(controllers, manner);
        const { state } = await cluster.problem('MASTER_UNREACHABLE');
        assert.equal(state, 'down');
        await sleep(LONG);
        await heldStill(cluster, version);
        for (const node of scene.nodes) node.proxy.heal();
        await cluster.settled();
      }
      await endsWell(scene, cluster, { writers: [writers] });
      assert.deepEqual([...writers.errors], []);
      await heldStill(cluster, version);
    },
  );

  staysMaster(define, 'controller-isolated-from-one-master-only, by silence: its replicas hear it', async (master) =>
    master.proxy.impose(controllers, 'hole'),
  );

  staysMaster(define, 'controller-isolated-from-one-master-only, by ended connections', async (master) =>
    master.proxy.impose(controllers, 'cut'),
  );

  staysMaster(define, 'master-answers-errors-to-everything that the controller asks', async (master) =>
    master.proxy.impose(controllers, { judge: () => ({ answer: '-ERR something is wrong here\r\n' }) }),
  );

  staysMaster(define, 'a master whose answers to the controller are garbage', async (master) =>
    master.proxy.impose(controllers, {
      judge: () => ({ say: (answer) => Buffer.from(answer.map((byte) => byte ^ 0x15)) }),
    }),
  );

  staysMaster(define, 'a master whose answers to the controller take two seconds', async (master) =>
    master.proxy.impose(controllers, { delay: 2_000 }),
  );

  define(
    'master-accepts-then-refuses-connections: first it takes and ends them, then it takes none; it is replaced once it is dead',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const { version } = await cluster.get();
      const master = await scene.masterOf(cluster);
      const keys = await write(master, 'k', 50);
      await scene.replicasEqual(cluster, keys);
      master.proxy.impose(controllers, 'cut');
      await cluster.problem('MASTER_UNREACHABLE');
      await sleep(2_000);
      // New ones are refused to everybody; its replica still has its own.
      master.proxy.refuse();
      await sleep(2_000);
      await heldStill(cluster, version);
      await master.kill();
      await replaced(scene, cluster, master);
      master.proxy.heal();
      await master.start();
      await endsWell(scene, cluster, { keys });
    },
  );
});

together('masters that are cut off', 4, (define) => {
  for (const manner of ['hole', 'cut'] as const) {
    const how = manner === 'hole' ? 'nothing comes through' : 'its connections end';
    define(
      `master-isolated-from-controllers-and-replicas, ${how}: its replica takes over, and it steps down when it is back`,
      { nodes: 2, proxied: true },
      async (scene) => {
        const cluster = await scene.create({ replicas: 2 });
        const old = await scene.masterOf(cluster);
        const before = await scene.writers();
        await before.stop();
        await scene.replicasEqual(cluster, []);
        old.proxy.impose(everybody, manner);
        const promoted = await replaced(scene, cluster, old, { within: 30_000 });
        const after = await scene.writers({ ports: [promoted.port], libraries: ['raw'] });
        await after.stop();
        old.proxy.heal();
        await endsWell(scene, cluster, { writers: [before, after] });
        assert.equal((await old.replication()).role, 'slave');
      },
    );
  }

  for (const rsid of [false, true]) {
    define(
      `old-master-wrote-while-isolated, ${rsid ? 'with' : 'without'} use-rsid-psync: measured, fenced, its data kept, never mixed`,
      { nodes: 2, proxied: true, ...(rsid ? { conf: { 'use-rsid-psync': 'yes' } } : {}) },
      async (scene) => {
        const cluster = await scene.create({ replicas: 2 });
        const old = await scene.masterOf(cluster);
        const keys = [...(await write(old, 'both', 50))];
        await scene.replicasEqual(cluster, keys);
        old.proxy.impose(everybody, 'hole');
        // A client on its side of the cut goes on.
        keys.push(...(await write(old, 'alone', 30)));
        const promoted = await replaced(scene, cluster, old, { within: 30_000 });
        keys.push(...(await write(promoted, 'later', 100)));
        old.proxy.heal();
        const became = await settledAgain(scene, cluster, old);
        if (!rsid) assert.notEqual(became, 'follows');
        await endsWell(scene, cluster, { keys });
      },
    );
  }

  define(
    'master-cut-from-its-replicas, seen by the controller: nobody is promoted, and it is said',
    { nodes: 3, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const master = await scene.masterOf(cluster);
      const writers = await scene.writers();
      master.proxy.impose(nodes, 'cut');
      const { problems } = await cluster.problem('REPLICA_UNLINKED');
      scene.note(problems.map(({ code, message }) => `${code} ${message}`).join('; '));
      await sleep(LONG);
      assert.equal(await failovers(cluster), 0);
      assert.equal((await cluster.status()).state, 'degraded');
      master.proxy.heal();
      await endsWell(scene, cluster, { writers: [writers], within: 40_000 });
      assert.deepEqual([...writers.errors], []);
      // Replicas that stay without their link are told anew, by a version of its own.
      assert.equal(await failovers(cluster), 0);
    },
  );

  define(
    'master-says-it-is-a-slave: it is told its role again, and no key is lost',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const master = await scene.masterOf(cluster);
      const keys = await write(master, 'k', 50);
      await scene.replicasEqual(cluster, keys);
      // What its replica says of itself.
      const text = textOf(await (await replicaOf(scene, cluster)).call('INFO', 'replication'));
      const asSlave = `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
      const heal = master.proxy.impose(controllers, {
        judge: ([name = '', section = '']) =>
          name.toUpperCase() === 'INFO' && section.toLowerCase() === 'replication' ? { answer: asSlave } : undefined,
      });
      await until('it is seen', async () => (await statusOf(cluster, master))?.says === 'slave');
      await sleep(3_000);
      const { state, problems } = await cluster.status();
      scene.note(`${state}: ${problems.map(({ code, message }) => `${code} ${message}`).join('; ')}`);
      assert.notEqual(state, 'ok');
      heal();
      await endsWell(scene, cluster, { keys });
    },
  );
});

/** Takes connections until the system takes no more for it: from then on an attempt gets no answer at all. */
async function fillBacklog(port: number): Promise<() => void> {
  const taken: Resp[] = [];
  try {
    for (;;) taken.push(await Resp.open(port, 300));
  } catch {
    return () => {
      for (const one of taken) one.close();
    };
  }
}

together('black holes', 1, (define) => {
  define(
    'one-node-in-a-black-hole, not even connections are answered: the others are asked at their own pace',
    { nodes: 6, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const lost = await replicaOf(scene, cluster, 2);
      const others = scene.nodes.filter((node) => node !== lost);
      lost.hang();
      const free = await fillBacklog(lost.port);
      await cluster.problem('NODE_DOWN');
      let oldest = 0;
      for (let i = 0; i < 60; i++) {
        for (const node of others) oldest = Math.max(oldest, (await statusOf(cluster, node))?.answered_ago ?? 0);
        await sleep(80);
      }
      scene.note(`the oldest answer of another node was ${oldest} ms old`);
      // Each second, and generously more for a busy machine.
      assert.ok(oldest < 2_000, `an answer was ${oldest} ms old`);
      // A master elsewhere is replaced as ever.
      const master = await scene.masterOf(cluster, 0);
      await master.kill();
      await replaced(scene, cluster, master);
      await master.start();
      lost.wake();
      free();
      await endsWell(scene, cluster);
    },
  );
});
