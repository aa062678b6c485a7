/** Nodes and shards that come and go, and nodes that carry another topology than they should. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterBody, type ClusterClient, isSettled } from './harness/controller.ts';
import { idOf, mayBePromoted } from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';

/** What somebody else's tool would push: this node alone, the master of every slot. */
async function pushForeign(node: KvNode, version: number): Promise<void> {
  const id = String(await node.call('CLUSTERX', 'MYID'));
  await node.call('CLUSTERX', 'SETNODES', `${id} 127.0.0.1 ${node.port} master - 0-16383`, version);
}

async function ended(scene: Scene, cluster: ClusterClient): Promise<void> {
  await cluster.settled();
  await scene.carried(cluster);
}

together('topologies', 3, (define) => {
  define(
    'add-node and remove-node under load: copied whole, promoted, and the one that leaves keeps its data',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers();
      const [old, added] = [await scene.masterOf(cluster), await scene.add()];
      await cluster.post('/shards/0/nodes', { addr: added.addr, role: 'slave' });
      await cluster.settled();
      const again = await cluster.request('POST', '/shards/0/nodes', { addr: added.addr, role: 'slave' });
      assert.deepEqual([again.status, again.error?.message], [409, 'the entry already existed']);
      const id = await idOf(cluster, added);
      // Its link is up a moment before it is proven.
      await mayBePromoted(cluster, added);
      assert.equal(await cluster.failover(0, id), id);
      await cluster.settled();

      const refused = await cluster.request('DELETE', `/shards/0/nodes/${id}`);
      assert.deepEqual([refused.status, refused.error?.code], [409, 'is_master']);
      await cluster.delete(`/shards/0/nodes/${await idOf(cluster, old)}`);
      await ended(scene, cluster);
      assert.equal((await cluster.get()).shards[0]?.nodes.length, 2);
      // Released: a master that serves nothing, with all that it had.
      assert.equal((await old.replication()).role, 'master');
      assert.match(String(await old.ask('GET', writers.acknowledged[0]?.key ?? '')), /MOVED/);
      assert.ok((await old.replication()).sequence > 0);
      assert.deepEqual([...writers.errors], []);
      await scene.nothingLost(cluster, writers);
    },
  );

  define('remove-node with reset: emptied, and taken in again like a new one', { nodes: 3 }, async (scene) => {
    const cluster = await scene.create({ replicas: 3 });
    const writers = await scene.writers();
    const [replica] = await scene.replicasOf(cluster);
    assert.ok(replica !== undefined);
    await cluster.delete(`/shards/0/nodes/${await idOf(cluster, replica)}?reset=true`);
    await cluster.settled();
    assert.equal(await replica.version(), -1);
    assert.deepEqual(await replica.call('SCAN', '0', 'COUNT', '10'), ['0', []]);
    // A flushed node keeps its number and would lie as a replica: it is refused until its folder is empty.
    const refused = await cluster.request('POST', '/shards/0/nodes', { addr: replica.addr });
    assert.equal(refused.status, 400);
    assert.match(refused.error?.message ?? '', /empty its data folder/);
    await replica.kill();
    replica.wipe();
    await replica.start();
    await cluster.post('/shards/0/nodes', { addr: replica.addr });
    await ended(scene, cluster);
    assert.equal(writers.errorCount, 0);
    await scene.nothingLost(cluster, writers);
  });

  define(
    'add-shard and remove-shard under load: slots go there and back, and it leaves only without slots',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ nodes: scene.nodes.slice(0, 2), replicas: 1 });
      const added = scene.nodes.slice(2);
      const writers = await scene.writers({ libraries: ['ioredis'] });
      await cluster.post('/shards', { nodes: added.map((node) => node.addr) });
      await cluster.settled();
      assert.equal((await cluster.get()).shards[2]?.slot_ranges, null);
      await cluster.post('/migrate', { target: 2, slot: ['0-1000', '9000-9500'] });
      await cluster.idle();
      await sleep(200);
      const refused = await cluster.request('DELETE', '/shards/2');
      assert.deepEqual([refused.status, refused.error?.code], [409, 'owns_slots']);
      assert.match(refused.error?.message ?? '', /1502 slots/);
      await cluster.post('/migrate', { target: 0, slot: '0-1000' });
      await cluster.post('/migrate', { target: 1, slot: '9000-9500' });
      await cluster.idle();
      await cluster.delete('/shards/2');
      await ended(scene, cluster);
      assert.equal((await cluster.get()).shards.length, 2);
      for (const node of added) {
        assert.equal((await node.replication()).role, 'master');
        assert.match(String(await node.ask('SET', 'k', 'v')), /MOVED|CLUSTERDOWN/);
      }
      assert.deepEqual([...writers.errors], []);
      await scene.nothingLost(cluster, writers);
    },
  );

  define('a node that returns with an old topology is told the committed one', { nodes: 3 }, async (scene) => {
    const cluster = await scene.create({ nodes: scene.nodes.slice(0, 2), replicas: 2 });
    const [replica] = await scene.replicasOf(cluster);
    assert.ok(replica !== undefined);
    await replica.kill();
    await cluster.problem('NODE_DOWN');
    await cluster.post('/shards/0/nodes', { addr: scene.node(2).addr });
    const { version } = await cluster.get();
    await replica.start();
    await ended(scene, cluster);
    assert.ok((await replica.version()) >= version);
  });

  define(
    'nodes that lost their topology get it again, masters and replicas, with their data',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const writers = await scene.writers();
      await writers.stop();
      await scene.replicasEqual(cluster, []);
      // The controller has seen what they hold: a node without a name is known by its number alone.
      await cluster.until('the numbers are seen', ({ shards }) =>
        shards.every(({ nodes }) => nodes.every((node) => node.sequence === nodes[0]?.sequence && node.sequence !== 0)),
      );
      const [replica] = await scene.replicasOf(cluster, 0);
      const master = await scene.masterOf(cluster, 1);
      assert.ok(replica !== undefined);
      for (const node of [replica, master]) {
        await node.kill();
        node.forgetTopology();
        await node.start();
      }
      await ended(scene, cluster);
      await scene.nothingLost(cluster, writers);
    },
  );

  define(
    'a foreign topology of a higher version is named, neither obeyed nor overwritten until sync --force says so',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const before = await cluster.get();
      const writers = await scene.writers();
      await writers.stop();
      await scene.replicasEqual(cluster, []);
      const [replica] = await scene.replicasOf(cluster, 0);
      assert.ok(replica !== undefined);
      const foreign = before.version + 20;
      await pushForeign(replica, foreign);
      const status = await cluster.problem('TOPOLOGY_NEWER');
      const problem = status.problems.find(({ code }) => code === 'TOPOLOGY_NEWER');
      assert.match(problem?.message ?? '', new RegExp(`version ${foreign}`));
      assert.match(problem?.command ?? '', new RegExp(`^kvctl sync .*\\b${scene.namespace}\\b.* --force$`));
      await sleep(1_500);
      assert.equal(await replica.version(), foreign);
      const masters = (body: ClusterBody) =>
        body.shards.map(({ nodes, slot_ranges }) => [nodes.find(({ role }) => role === 'master')?.id, slot_ranges]);
      assert.deepEqual(masters(await cluster.get()), masters(before));
      await cluster.post('/sync', {});
      assert.equal(await replica.version(), foreign);

      await cluster.post('/sync', { force: true });
      await cluster.until(
        'it is told and back',
        (seen) => isSettled(seen) || !seen.problems.every(({ command }) => command === null),
      );
      await ended(scene, cluster);
      assert.ok((await cluster.get()).version > foreign);
      await scene.nothingLost(cluster, writers);
    },
  );

  define(
    'our own topology pushed under a higher number is healed by a version above it, without a word of anybody',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [replica] = await scene.replicasOf(cluster);
      assert.ok(replica !== undefined);
      const { version, shards } = await cluster.get();
      const [master, slave] = shards[0]?.nodes ?? [];
      assert.ok(master !== undefined && slave !== undefined);
      const line = (id: string, addr: string, rest: string) => `${id} ${addr.replace(':', ' ')} ${rest}`;
      const text = [line(master.id, master.addr, 'master - 0-16383'), line(slave.id, slave.addr, `slave ${master.id}`)];
      await replica.call('CLUSTERX', 'SETNODES', text.join('\n'), version + 5);
      await until('it is healed', async () => (await cluster.get()).version > version + 5);
      await ended(scene, cluster);
    },
  );
});
