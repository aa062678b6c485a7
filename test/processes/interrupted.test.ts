/** A controller that ends in the middle of what it does for somebody. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterClient, type Controller } from './harness/controller.ts';
import { until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import { slotOf, tagIn } from './harness/slots.ts';

async function clusters(controller: Controller, namespace: string): Promise<readonly string[]> {
  return (await controller.call<{ clusters: string[] }>('GET', `/namespaces/${namespace}/clusters`)).clusters;
}

together('interrupted', 3, (define) => {
  define(
    'kill -9 while clusters are created: those that were answered are whole, the others are not there at all',
    { nodes: 8, ownController: true },
    async (scene) => {
      const { controller } = scene;
      const made = new Map<string, ClusterClient>();
      const found: number[] = [];
      // Killed while they are checked, and between the answer to one and to the next.
      for (const after of [0, 1, 2]) {
        const round = scene.nodes
          .map((node, i) => ({ name: `c${i}`, node, namespace: `n${i}` }))
          .filter(({ name }) => !made.has(name));
        const answered: string[] = [];
        const callers = round.map(async ({ name, namespace, node }, i) => {
          await sleep(i * 25);
          const space = await controller.request('POST', '/namespaces', { namespace }).catch(() => undefined);
          if (space === undefined) return;
          const body = { name, nodes: [node.addr] };
          const answer = await controller
            .request('POST', `/namespaces/${namespace}/clusters`, body)
            .catch(() => undefined);
          if (answer === undefined) return;
          assert.equal(answer.status, 201, answer.error?.message);
          answered.push(name);
        });
        const all = Promise.all(callers).then(() => true);
        if (after === 0) await sleep(60);
        else
          await until('some are answered', () => answered.length >= after || Promise.race([all, sleep(0)]), 15_000, 1);
        await controller.kill();
        await all;
        await controller.start();
        const there = new Set((await controller.call<{ namespaces: string[] }>('GET', '/namespaces')).namespaces);
        for (const { name, namespace, node } of round) {
          const listed = there.has(namespace) && (await clusters(controller, namespace)).includes(name);
          if (answered.includes(name)) assert.ok(listed, `${name} was answered and is lost`);
          if (!listed) {
            // Nothing was told before it was stored.
            assert.equal(await node.version(), -1, `${name} is not there and ${node.addr} has its topology`);
            continue;
          }
          const cluster = new ClusterClient(controller, namespace, name);
          await cluster.settled();
          await scene.carried(cluster);
          made.set(name, cluster);
        }
        found.push(made.size);
      }
      scene.note(`clusters after each kill: ${found.join(', ')}`);
      // The nodes of those that did not come to be are free.
      for (const [i, node] of scene.nodes.entries()) {
        if (made.has(`c${i}`)) continue;
        await scene.create({ name: `late${i}`, nodes: [node], replicas: 1 });
      }
    },
  );

  define(
    'SIGTERM while a move runs: ended within five seconds, and finished by the next start',
    {
      nodes: 2,
      ownController: true,
      conf: { 'migrate-type': 'redis-command', 'migrate-speed': '20', 'migrate-pipeline-size': '4' },
    },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const source = await scene.masterOf(cluster);
      const tag = tagIn(0, 8_000);
      const keys = Array.from({ length: 100 }, (_, i) => `${tag}${i}`);
      for (const key of keys) await source.call('SET', key, key);
      await cluster.post('/migrate', { target: 1, slot: slotOf(tag) });
      await until('the source migrates', async () =>
        /migrating_state: ?start/.test(String(await source.call('CLUSTER', 'INFO'))),
      );
      const asked = performance.now();
      assert.equal(await scene.controller.stop(), 0);
      const took = performance.now() - asked;
      scene.note(`it ended in ${Math.round(took)} ms`);
      assert.ok(took < 5_000, `it took ${Math.round(took)} ms`);
      await scene.controller.start();
      await source.call('CONFIG', 'SET', 'migrate-speed', '0');
      await cluster.idle();
      const target = await scene.masterOf(cluster, 1);
      for (const key of keys) assert.equal(await target.call('GET', key), key);
      await cluster.settled();
      await scene.carried(cluster);
    },
  );
});
