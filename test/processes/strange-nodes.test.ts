/** What answers at a node's address and is none, and nodes that lock the controller out. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterClient, type Controller, hasProblem } from './harness/controller.ts';
import { failovers, statusOf } from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { Resp } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';
import { MANNERS, type Manner, Stranger } from './harness/stranger.ts';

/** Asks the controller something all the while; answers how long the slowest answer took, in ms. */
function asking(controller: Controller): () => Promise<number> {
  let over = false;
  let slowest = 0;
  const loop = (async () => {
    while (!over) {
      const from = performance.now();
      await controller.call('GET', '/namespaces');
      slowest = Math.max(slowest, performance.now() - from);
      await sleep(20);
    }
  })();
  return async () => {
    over = true;
    await loop;
    return slowest;
  };
}

const MIB = 1024 * 1024;

/** Generous, for a machine that is busy with other things; a controller that reads an endless answer is far above. */
const RESPONSIVE = 1_500;

async function withStranger<T>(manner: Manner, port: number, use: (stranger: Stranger) => Promise<T>): Promise<T> {
  const stranger = await Stranger.start(manner, port);
  try {
    return await use(stranger);
  } finally {
    await stranger.close();
  }
}

/** Sets the password of a node that was started with none, or takes it away again. */
async function lock(node: KvNode, now: string, next: string): Promise<void> {
  const connection = await Resp.open(node.port);
  try {
    if (now !== '') await connection.call('AUTH', now);
    await connection.call('CONFIG', 'SET', 'requirepass', next);
  } finally {
    connection.close();
  }
}

async function locked(scene: Scene, cluster: ClusterClient, node: KvNode): Promise<void> {
  const { version } = await cluster.get();
  await lock(node, '', 'changed');
  // Who is logged in stays so; a new connection is refused.
  await scene.controller.kill();
  await scene.controller.start();
  const status = await cluster.problem('WRONG_PASSWORD');
  const seen = status.shards.flatMap((shard) => shard.nodes).find(({ addr }) => addr === node.addr);
  assert.equal(seen?.state, 'denied');
  assert.doesNotMatch(JSON.stringify(status), /changed/);
  await sleep(4_000);
  assert.equal(await failovers(cluster), 0);
  assert.equal((await cluster.get()).version, version);
  await lock(node, 'changed', '');
  await cluster.settled();
}

together('strangers', 2, (define) => {
  define(
    'strangers offered as nodes: refused in time, each with what it did, and nothing stays behind',
    { nodes: 1 },
    async (scene) => {
      const { controller } = scene;
      const strangers = await Promise.all(MANNERS.map((manner) => Stranger.start(manner)));
      try {
        const stop = asking(controller);
        const from = performance.now();
        const answer = await controller.request('POST', scene.clusters, {
          name: 'c',
          nodes: [...strangers.map(({ addr }) => addr), scene.node(0).addr],
        });
        const took = performance.now() - from;
        const slowest = await stop();
        assert.deepEqual([answer.status, answer.error?.code], [400, 'node_check_failed']);
        const message = answer.error?.message ?? '';
        scene.note(`${Math.round(took)} ms: ${message}`);
        for (const { addr } of strangers) assert.match(message, new RegExp(`${addr} (is no Kvrocks|does not answer)`));
        assert.doesNotMatch(message, new RegExp(scene.node(0).addr));
        assert.ok(took < 8_000, `it took ${Math.round(took)} ms`);
        assert.ok(slowest < RESPONSIVE, `meanwhile an answer took ${Math.round(slowest)} ms`);
        await until('no connection to them is left', () => strangers.every(({ connections }) => connections === 0));
        for (const { written } of strangers) assert.ok(written < 32 * MIB, `${written} bytes were read`);
      } finally {
        await Promise.all(strangers.map((stranger) => stranger.close()));
      }
      await scene.create({ replicas: 1 });
    },
  );

  define(
    'a stranger at a dead replica’s address: named, read no further than needed, and gone when the replica is back',
    { nodes: 3 },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ nodes: scene.nodes.slice(0, 2), replicas: 2 });
      const other = await scene.create({ name: 'other', nodes: scene.nodes.slice(2), replicas: 1 });
      // Clients of a cluster read what a stranger sends, too: here only what the controller reads is of interest.
      const writers = await scene.writers({ ports: [(await scene.masterOf(cluster)).port], libraries: ['raw'] });
      const [replica] = await scene.replicasOf(cluster);
      assert.ok(replica !== undefined);
      const { version } = await cluster.get();
      await replica.kill();
      await cluster.problem('NODE_DOWN');
      for (const manner of MANNERS) {
        await withStranger(manner, replica.port, async (stranger) => {
          const stop = asking(controller);
          const states = manner === 'garbage' ? ['garbled'] : ['silent', 'garbled'];
          await until(`it is seen that it answers ${manner}`, async () =>
            states.includes((await statusOf(cluster, replica))?.state ?? ''),
          );
          await sleep(1_000);
          const node = await statusOf(cluster, replica);
          scene.note(
            `${manner}: ${node?.state}, ${node?.reason}; ${stranger.written} bytes over ${stranger.accepted} connections`,
          );
          assert.ok(hasProblem(await cluster.status(), 'NODE_DOWN'));
          const slowest = await stop();
          assert.ok(slowest < RESPONSIVE, `meanwhile an answer took ${Math.round(slowest)} ms`);
          assert.ok(stranger.written < 64 * MIB, `${stranger.written} bytes were read`);
          assert.ok(stranger.accepted < 100, `${stranger.accepted} connections were made`);
        });
        await until('it is gone', async () => (await statusOf(cluster, replica))?.state === 'refused');
      }
      await other.settled();
      await replica.start();
      await cluster.settled();
      assert.equal((await cluster.get()).version, version);
      assert.equal(await failovers(cluster), 0);
      assert.deepEqual([...writers.errors], []);
      await scene.nothingLost(cluster, writers);
      await scene.carried(cluster);
    },
  );

  define(
    'a stranger at a dead master’s address: its replica takes over all the same, and the master follows when it is back',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      await old.call('SET', 'before', 'v');
      await scene.replicasEqual(cluster, ['before']);
      await sleep(1_200);
      const killed = Date.now();
      await old.kill();
      await withStranger('garbage', old.port, async () => {
        // The server itself takes up to 10 s to end a replication whose master made no sense to it.
        await cluster.until(
          `${old.addr} is replaced`,
          ({ shards }) =>
            (shards[0]?.nodes ?? []).some(
              ({ addr, role, says }) => addr !== old.addr && role === 'master' && says === role,
            ),
          25_000,
        );
        const decided = (await cluster.events()).find(({ kind }) => kind === 'failover')?.at ?? Number.NaN;
        scene.note(`decided after ${decided - killed} ms, done after ${Date.now() - killed} ms`);
      });
      await old.start();
      await cluster.settled();
      await scene.replicasEqual(cluster, ['before']);
      await scene.carried(cluster);
    },
  );

  define(
    'wrong password set while it runs: the replica, then the master, is named as such, and nobody is promoted',
    { nodes: 2, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers();
      await writers.stop();
      const [replica] = await scene.replicasOf(cluster);
      assert.ok(replica !== undefined);
      await locked(scene, cluster, replica);
      await locked(scene, cluster, await scene.masterOf(cluster));
      await scene.nothingLost(cluster, writers);
      await scene.carried(cluster);
    },
  );

  define(
    'a foreign topology given to a master by hand: named, and mended by the command that is told',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const { version } = await cluster.get();
      const writers = await scene.writers();
      await writers.stop();
      const master = await scene.masterOf(cluster);
      const id = String(await master.call('CLUSTERX', 'MYID'));
      await master.call('CLUSTERX', 'SETNODES', `${id} 127.0.0.1 ${master.port} master - 0-16383`, version + 50);
      const status = await cluster.problem('TOPOLOGY_NEWER');
      assert.match(
        status.problems.find(({ code }) => code === 'TOPOLOGY_NEWER')?.command ?? '',
        new RegExp(`^kvctl sync .*\\b${scene.namespace}\\b.* --force$`),
      );
      await sleep(1_500);
      assert.equal(await master.version(), version + 50);
      await cluster.post('/sync', { force: true });
      await cluster.settled();
      assert.ok((await cluster.get()).version > version + 50);
      await scene.carried(cluster);
      await scene.nothingLost(cluster, writers);
    },
  );

  define('a removed node that holds nothing is reset, and taken in again at once', { nodes: 2 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const [replica] = await scene.replicasOf(cluster);
    const { shards } = await cluster.get();
    assert.ok(replica !== undefined);
    await cluster.delete(`/shards/0/nodes/${shards[0]?.nodes.find(({ addr }) => addr === replica.addr)?.id}`);
    await cluster.settled();
    assert.equal(await replica.version(), -1);
    assert.equal((await replica.replication()).role, 'master');
    await cluster.post('/shards/0/nodes', { addr: replica.addr });
    await cluster.settled();
    await scene.carried(cluster);
  });
});
