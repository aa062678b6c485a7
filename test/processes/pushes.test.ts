/** Topologies on their way to nodes: blocked, ignored, applied and denied, and nodes that die while they are told. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterClient } from './harness/controller.ts';
import type { Verdict } from './harness/conversation.ts';
import { endsWell } from './harness/ending.ts';
import { backOrNamed, emptied, failovers, idOf, replaced, replicaOf, statusOf, write } from './harness/failing.ts';
import { until } from './harness/processes.ts';
import { controllers, everybody } from './harness/proxy.ts';
import { pushes } from './harness/pushes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';
import { tagIn } from './harness/slots.ts';

/** A new version for every node of the cluster: another replica joins this shard. */
async function raise(scene: Scene, cluster: ClusterClient, shard: number): Promise<void> {
  const added = await scene.add();
  await cluster.post(`/shards/${shard}/nodes`, { addr: added.addr, role: 'slave', wait: 0 });
}

together('pushes', 4, (define) => {
  define(
    'master-hangs-during-a-push: replaced after its grace, and told the outcome when it wakes',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const keys = await write(old, tagIn(0, 8191), 50);
      await scene.replicasEqual(cluster, keys);
      let hungAt = 0;
      pushes(old, () => {
        if (hungAt > 0) return undefined;
        hungAt = performance.now();
        old.hang();
        return undefined;
      });
      await raise(scene, cluster, 1);
      await until('it hangs', () => hungAt > 0);
      await replaced(scene, cluster, old);
      scene.note(`replaced ${Math.round(performance.now() - hungAt)} ms after it hung`);
      assert.ok(performance.now() - hungAt > 2_000);
      old.wake();
      if (/diverged|unproven/.test(await backOrNamed(cluster, old))) await emptied(old);
      await endsWell(scene, cluster, { keys });
    },
  );

  define(
    'push-blocks-a-node-for-ten-seconds: not taken for dead, not pushed again, its outcome read back',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const replica = await replicaOf(scene, cluster);
      const writers = await scene.writers({ libraries: ['raw'] });
      let blocked = false;
      const seen = pushes(replica, () => {
        if (blocked) return undefined;
        blocked = true;
        // It takes the command, and nobody hears of it for as long as it is inside.
        const free = replica.proxy.impose(everybody, 'hole');
        void sleep(10_000).then(free);
        return undefined;
      });
      await raise(scene, cluster, 1);
      await until('it is blocked', () => blocked);
      const { version } = await cluster.get();
      const states = new Set<string>();
      for (let i = 0; i < 45; i++) {
        states.add((await statusOf(cluster, replica))?.state ?? '');
        await sleep(200);
      }
      scene.note(`meanwhile it was ${[...states].join(', ')}`);
      assert.ok(!states.has('refused') && !states.has('silent'), [...states].join(', '));
      await endsWell(scene, cluster, { writers: [writers] });
      assert.deepEqual(seen, [version]);
      assert.equal(await failovers(cluster), 0);
    },
  );

  define(
    'push-answered-with-an-error-but-applied: read back, and not told again',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [master, replica] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const error = '-ERR failed to dump the cluster: No space left on device\r\n';
      const seen = [master, replica].map((node) => pushes(node, () => ({ say: () => error })));
      await raise(scene, cluster, 1);
      await endsWell(scene, cluster);
      const { version } = await cluster.get();
      assert.deepEqual(seen, [[version], [version]]);
    },
  );

  define(
    'push-answered-ok-but-ignored: an OK proves nothing, it is told until it carries it',
    { nodes: 4, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [master, replica] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const before = await cluster.get();
      const ignoring = (count: number): Verdict | undefined =>
        count <= 3 ? { instead: ['CLIENT', 'SETNAME', 'nobody'] } : undefined;
      const seen = [master, replica].map((node) => pushes(node, ignoring));
      await raise(scene, cluster, 1);
      for (const [i, node] of [master, replica].entries()) {
        await until(`${node.addr} was told three times`, () => (seen[i]?.length ?? 0) >= 3);
      }
      await endsWell(scene, cluster);
      assert.ok((await cluster.get()).version > before.version);
      assert.equal(await failovers(cluster), 0);
    },
  );

  define(
    'node-killed-while-its-identity-is-set, node-restarts-between-id-and-topology: it starts again and is taken in',
    { nodes: 2, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const keys = await write(await scene.masterOf(cluster), 'k', 50);
      const moments: readonly [word: string, after: number | undefined][] = [
        ['SETNODES', undefined],
        ['SETNODEID', undefined],
        ['EXEC', undefined],
        ['EXEC', 0],
        ['EXEC', 3],
      ];
      for (const [word, after] of moments) {
        const node = await scene.add();
        let killed: Promise<void> | undefined;
        node.proxy.impose(controllers, {
          judge: ([first = '', second = '']) => {
            if (killed !== undefined || ![first.toUpperCase(), second.toUpperCase()].includes(word)) return undefined;
            if (after === undefined) {
              killed = node.kill();
              return { after: killed };
            }
            killed = sleep(after).then(() => node.kill());
            return undefined;
          },
        });
        const answer = await cluster.request('POST', '/shards/0/nodes', { addr: node.addr, wait: 0 });
        assert.equal(answer.status, 201, answer.error?.message);
        await until(`it is killed at ${word}`, () => killed !== undefined);
        await killed;
        await node.start();
        await cluster.settled();
        assert.equal(String(await node.call('CLUSTERX', 'MYID')), await idOf(cluster, node));
      }
      await endsWell(scene, cluster, { keys });
    },
  );
});

together('addresses', 2, (define) => {
  for (const role of ['replica', 'old master'] as const) {
    define(
      `node-address-reused-by-another-node, the address of a dead ${role}: noticed, neither obeyed nor told anything`,
      { nodes: 3 },
      async (scene) => {
        const cluster = await scene.create({ nodes: scene.nodes.slice(0, 2), replicas: 2 });
        const other = scene.node(2);
        const id = 'e'.repeat(40);
        await other.call('CLUSTERX', 'SETNODES', `${id} 127.0.0.1 ${other.port} master - 0-16383`, 77);
        await other.call('CLUSTERX', 'SETNODEID', id);
        const own = await write(other, 'own', 20);
        const master = await scene.masterOf(cluster);
        const keys = await write(master, 'k', 50);
        await scene.replicasEqual(cluster, keys);
        const gone = role === 'replica' ? await replicaOf(scene, cluster) : master;
        await gone.kill();
        if (role === 'replica') await cluster.problem('NODE_DOWN');
        else await replaced(scene, cluster, gone);
        const { version } = await cluster.get();
        const impostor = await scene.impostor(gone, other);
        const status = await cluster.problem('WRONG_NODE');
        const problem = status.problems.find(({ code }) => code === 'WRONG_NODE');
        scene.note(`${problem?.message}; ${problem?.command}`);
        await sleep(2_000);
        assert.equal(await impostor.version(), 77);
        assert.equal(String(await impostor.call('CLUSTERX', 'MYID')), id);
        for (const key of own) assert.notEqual(await impostor.call('GET', key), null);
        assert.equal((await cluster.get()).version, version);
        await impostor.kill();
        await gone.start();
        await endsWell(scene, cluster, { keys });
      },
    );
  }
});
