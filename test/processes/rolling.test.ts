/** Every node of a cluster is restarted, one at a time, while clients write. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './harness/controller.ts';
import { ends, kvctl, writes } from './harness/kvctl.ts';
import { type Child, hasEnded, lastWords, signal } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';

/** Restarts what kvctl tells a person to, until it has ended or `enough` are restarted; their addresses in that order. */
async function obey(scene: Scene, child: Child, enough: number): Promise<readonly string[]> {
  const done: string[] = [];
  while (!hasEnded(child) && done.length < enough) {
    const told = [...lastWords(child, 20_000).matchAll(/restart (\S+) now/g)].map(([, addr = '']) => addr);
    const next = told[done.length];
    if (next !== undefined) {
      await restart(scene, next);
      done.push(next);
    }
    await sleep(50);
  }
  return done;
}

async function restart(scene: Scene, addr: string): Promise<void> {
  const node = scene.nodes.find((one) => one.addr === addr);
  assert.ok(node !== undefined, addr);
  await node.kill();
  await node.start();
}

/** The restarts of a hook that makes a file named as the node's port and waits until that is gone. */
async function serve(scene: Scene, child: Child, folder: string): Promise<readonly string[]> {
  const done: string[] = [];
  while (!hasEnded(child)) {
    for (const { port, addr } of scene.nodes) {
      const file = join(folder, `${port}`);
      if (!existsSync(file)) continue;
      await restart(scene, addr);
      done.push(addr);
      rmSync(file);
    }
    await sleep(50);
  }
  return done;
}

const processes = async (cluster: ClusterClient): Promise<ReadonlyMap<string, string>> => {
  const { shards } = await cluster.status();
  const nodes = shards.flatMap((shard) => shard.nodes);
  return new Map(nodes.map((node) => [node.addr, `${node.process_id} since ${node.started_at}`]));
};

together('restarts', 1, (define) => {
  define(
    'a rolling restart, ended after two nodes and run again by the command that it says: each once, no failover, no write lost',
    { nodes: 6 },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ replicas: 3 });
      const mixture = await scene.mixture({ libraries: ['ioredis', 'node-redis', 'ioredis'], tags: [''] });
      const before = await processes(cluster);
      // Whoever began within the same seconds as the cluster could not be told from whoever was restarted.
      await sleep(4_000);
      assert.match(await ends(kvctl(controller, cluster, 'restart cluster'), 2), /Say --rolling/);
      const planned = await ends(kvctl(controller, cluster, 'restart cluster --rolling --dry-run'), 0);
      const order = [...planned.matchAll(/\d+\. (.*)/g)].map(([, words = '']) => words.split(' ')[0]);
      const shard = ['restart', 'restart', 'switch', 'restart'];
      assert.deepEqual(order, [...shard, ...shard]);

      const first = kvctl(controller, cluster, 'restart cluster --rolling');
      const one = await obey(scene, first, 2);
      await writes(first, /^switch shard 0 over/m);
      signal(first, 'SIGINT');
      const said = await ends(first, 7);
      const [, since = ''] = /To go on: kvctl restart cluster --rolling --since (\S+) -n/.exec(said) ?? [];
      assert.notEqual(since, '', said);

      const folder = mkdtempSync(join(tmpdir(), 'kvctl-hook-'));
      const hook = `touch ${folder}/{port}; while [ -e ${folder}/{port} ]; do sleep 0.1; done`;
      const second = kvctl(controller, cluster, `restart cluster --rolling --since ${since} --hook`, hook);
      const two = await serve(scene, second, folder);
      rmSync(folder, { recursive: true });
      assert.match(await ends(second, 0), /restart cluster: c successfully/);

      assert.deepEqual([...one, ...two].sort(), scene.nodes.map(({ addr }) => addr).sort(), 'each was restarted once');
      const after = await processes(cluster);
      for (const [addr, process] of before) assert.notEqual(after.get(addr), process, `${addr} is another process`);
      const kinds = (await cluster.events()).map(({ kind }) => kind);
      assert.ok(!kinds.includes('failover'), 'a master was killed');
      assert.equal(kinds.filter((kind) => kind === 'switchover.done').length, 2);
      assert.match(
        await ends(kvctl(controller, cluster, `restart cluster --rolling --since ${since}`), 0),
        /Nothing to restart/,
      );
      await cluster.settled();
      await scene.mixtureHeld(cluster, mixture);
      scene.note(`${mixture.acknowledged} writes; errors: ${JSON.stringify([...mixture.errors])}`);
    },
  );

  define(
    'a hook that fails ends it before anything else is restarted; a cluster that is not in order is left alone',
    { nodes: 4 },
    async (scene) => {
      const { controller } = scene;
      const cluster = await scene.create({ replicas: 2 });
      const failing = await ends(kvctl(controller, cluster, 'restart cluster --rolling --hook', 'exit 3 # {id}'), 1);
      assert.match(
        failing,
        /the hook for \S+ ended with 3[\s\S]*To go on once it runs: kvctl restart cluster --rolling/,
      );
      assert.match(await ends(kvctl(controller, cluster, 'restart cluster --rolling --hook', 'true'), 2), /{port}/);
      const [replica] = await scene.replicasOf(cluster);
      await replica?.kill();
      await cluster.until('its replica is missed', ({ problems }) => problems.length > 0);
      const refused = await ends(kvctl(controller, cluster, 'restart cluster --rolling --hook', 'echo {id}'), 4);
      assert.match(refused, /not in order: \S+ is (refused|silent)/);
      await replica?.start();
      await cluster.settled();
    },
  );
});
