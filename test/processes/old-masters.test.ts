/** Masters that come back after another one took their place, and replicas that are not what they say. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsWell } from './harness/ending.ts';
import {
  backOrNamed,
  emptied,
  failovers,
  idOf,
  mayBePromoted,
  replaced,
  replacedBy,
  replicaOf,
  statusOf,
  write,
} from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { textOf } from './harness/resp.ts';
import { together } from './harness/scenario.ts';
import { tagIn } from './harness/slots.ts';

/** How often this master has fed a replica its whole database. */
async function fullCopies(master: KvNode): Promise<number> {
  return Number(/^sync_full:(\d+)/m.exec(textOf(await master.call('INFO', 'stats')))?.[1] ?? Number.NaN);
}

/** The text that makes this node, alone, the master of every slot. */
async function pushForeign(node: KvNode, version: number): Promise<void> {
  const id = String(await node.call('CLUSTERX', 'MYID'));
  await node.call('CLUSTERX', 'SETNODES', `${id} 127.0.0.1 ${node.port} master - 0-16383`, version);
}

together('old masters that return', 3, (scenario) => {
  scenario(
    'old-master-had-nothing-unreplicated: it returns with its old topology and rejoins without a full copy',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const keys = [...(await write(old, 'before', 200))];
      await scene.replicasEqual(cluster, keys);
      await old.kill();
      const promoted = await replaced(scene, cluster, old);
      keys.push(...(await write(promoted, 'after', 200)));
      const copies = await fullCopies(promoted);
      await old.start();
      assert.equal(await backOrNamed(cluster, old), 'follows');
      await endsWell(scene, cluster, { keys });
      assert.equal(await fullCopies(promoted), copies);
    },
  );

  scenario(
    'old-master-returns-with-old-topology: slots have moved meanwhile, and it gets nothing of its old share back',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const writers = await scene.writers();
      await writers.stop();
      await scene.replicasEqual(cluster, []);
      await old.kill();
      await replaced(scene, cluster, old);
      await cluster.post('/migrate', { target: 1, slot: '0-100' });
      await cluster.idle();
      const { version } = await cluster.get();
      await old.start();
      await backOrNamed(cluster, old);
      await endsWell(scene, cluster, { writers: [writers] });
      assert.ok((await old.version()) >= version);
    },
  );

  scenario(
    'old-master-returns-with-newer-topology, the present one under a higher number: healed by a version above it',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const keys = await write(old, 'k', 50);
      await scene.replicasEqual(cluster, keys);
      await old.kill();
      await replaced(scene, cluster, old);
      // Pushed by hand while the controller cannot see it: it is read once the controller is back.
      const { version, shards } = await cluster.get();
      const nodes = shards[0]?.nodes ?? [];
      const master = nodes.find(({ role }) => role === 'master');
      const text = nodes
        .map(({ id, addr }) =>
          [id, addr.replace(':', ' '), id === master?.id ? 'master - 0-16383' : `slave ${master?.id}`].join(' '),
        )
        .join('\n');
      await old.start();
      await old.call('CLUSTERX', 'SETNODES', text, version + 30).catch(() => {});
      await backOrNamed(cluster, old);
      await endsWell(scene, cluster, { keys });
    },
  );

  scenario(
    'old-master-returns-with-foreign-topology of a higher version: named, not obeyed, and followed once it is overruled',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const keys = await write(old, 'k', 50);
      await scene.replicasEqual(cluster, keys);
      await old.kill();
      const promoted = await replaced(scene, cluster, old);
      const before = await cluster.get();
      await old.start();
      // Nobody is quicker than the controller for sure: what matters is what it does about it.
      const foreign = before.version + 50;
      await pushForeign(old, foreign);
      await cluster.problem('TOPOLOGY_NEWER');
      await sleep(1_500);
      assert.equal(await old.version(), foreign);
      assert.equal((await scene.masterOf(cluster)).addr, promoted.addr);
      assert.equal(await promoted.call('SET', 'served', 'yes'), 'OK');
      await cluster.post('/sync', { force: true });
      await until('it is overruled', async () => (await old.version()) > foreign);
      if (/diverged|unproven/.test(await backOrNamed(cluster, old))) await emptied(old);
      await endsWell(scene, cluster, { keys: [...keys, 'served'] });
      assert.ok((await cluster.get()).version > foreign);
    },
  );

  scenario(
    'old-master-wrote-what-nobody-copied, to be fenced: it is named with how much it has alone, and its data is kept',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      await cluster.patch('/settings', { diverged: 'fence' });
      const old = await scene.masterOf(cluster);
      const replica = await replicaOf(scene, cluster);
      const keys = [...(await write(old, 'both', 50))];
      await scene.replicasEqual(cluster, keys);
      await replica.kill();
      keys.push(...(await write(old, 'alone', 20)));
      await cluster.problem('NODE_DOWN');
      await old.kill();
      await replica.start();
      const promoted = await replacedBy(scene, cluster, old, replica);
      keys.push(...(await write(promoted, 'later', 200)));

      await old.start();
      assert.equal(await backOrNamed(cluster, old), 'diverged');
      const { problems } = await cluster.status();
      scene.note(problems.map(({ message, command }) => `${message}; ${command}`).join('; '));
      const told = (await cluster.events()).find(({ kind }) => kind === 'node.diverged');
      assert.match(told?.message ?? '', /it holds 20 records that its shard does not have/);
      // Fenced: it answers nobody, and its data is where it was.
      assert.match(String(await old.ask('SET', 'both1', 'x')), /MOVED/);
      assert.equal((await old.replication()).role, 'master');
      await scene.carried(cluster);
      await emptied(old);
      await endsWell(scene, cluster, { keys });
    },
  );

  scenario(
    'old-master-diverged-two-promotions-ago: its number is below the newest promotion’s, and it is not let back',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const first = await scene.masterOf(cluster);
      const keys = [...(await write(first, 'all', 50))];
      await scene.replicasEqual(cluster, keys);
      const [second, third] = await scene.replicasOf(cluster);
      assert.ok(second !== undefined && third !== undefined);
      await Promise.all([second.kill(), third.kill()]);
      // Ten writes that nobody else has.
      await write(first, 'lost', 10);
      await cluster.problem('NODE_DOWN');
      await first.kill();
      // Alone, since both have the same and whoever is seen first is promoted.
      await second.start();
      await replacedBy(scene, cluster, first, second);
      await third.start();
      keys.push(...(await write(second, 'second', 100)));
      await mayBePromoted(cluster, third);
      assert.equal(await cluster.failover(0, await idOf(cluster, third)), await idOf(cluster, third));
      keys.push(...(await write(third, 'third', 100)));
      await first.start();
      const became = await backOrNamed(cluster, first);
      assert.ok(became === 'copied' || became === 'diverged', became);
      const told = (await cluster.events()).filter(({ kind }) => kind === 'node.diverged');
      scene.note(told.map(({ message }) => message).join('; '));
      assert.deepEqual(
        told.map(({ node }) => node),
        [await idOf(cluster, first)],
      );
      if (became === 'diverged') await emptied(first);
      await endsWell(scene, cluster, { keys });
    },
  );

  scenario(
    'old-master-written-to-by-a-stale-client-while-it-is-being-read: nothing that it took is mixed with the shard’s',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const keys = [...(await write(old, 'before', 50))];
      await scene.replicasEqual(cluster, keys);
      await old.kill();
      const promoted = await replaced(scene, cluster, old);
      keys.push(...(await write(promoted, 'after', 500)));
      await old.start();
      // From its first moment on until it is fenced, as a client would that knows nothing but this address.
      const stale: string[] = [];
      let refused = false;
      while (!refused) {
        const key = `stale${stale.length}`;
        refused = (await old.ask('SET', key, 'x').catch(() => 'MOVED')) !== 'OK';
        if (!refused) stale.push(key);
      }
      const became = await backOrNamed(cluster, old);
      scene.note(`it took ${stale.length} writes and ${became}`);
      if (stale.length > 0) assert.notEqual(became, 'follows');
      if (became === 'diverged') await emptied(old);
      await endsWell(scene, cluster, { keys: [...keys, ...stale] });
    },
  );

  scenario(
    'old-master-returns-rolled-back: on an old copy of its disk it is below the promotion, and is never attached by number',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const keys = [...(await write(old, 'first', 50))];
      await scene.replicasEqual(cluster, keys);
      await old.kill();
      const promoted = await replaced(scene, cluster, old);
      const copy = old.copyDisk();
      await old.start();
      assert.equal(await backOrNamed(cluster, old), 'follows');
      keys.push(...(await write(promoted, 'second', 50)));
      await scene.replicasEqual(cluster, keys);
      await mayBePromoted(cluster, old);
      // It is master once more, with all that there is, and then loses the half of it.
      await cluster.failover(0, await idOf(cluster, old));
      await cluster.settled();
      keys.push(...(await write(old, 'third', 50)));
      await scene.replicasEqual(cluster, keys);
      await old.kill();
      await replaced(scene, cluster, old);
      copy.restore();
      await old.start();
      const became = await backOrNamed(cluster, old);
      scene.note(`on its old disk it ${became}`);
      await scene.carried(cluster);
      if (became === 'unproven' || became === 'diverged') await emptied(old);
      await endsWell(scene, cluster, { keys });
      assert.equal(await failovers(cluster), 2);
    },
  );
});

together('replicas that lie, and nodes of the past', 3, (scenario) => {
  scenario(
    'sibling-ahead-of-the-promoted: a stopped replica that was further is not attached by its number',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const master = await scene.masterOf(cluster);
      const [ahead, behind] = await scene.replicasOf(cluster);
      assert.ok(ahead !== undefined && behind !== undefined);
      const keys = [...(await write(master, 'all', 50))];
      await scene.replicasEqual(cluster, keys);
      await behind.kill();
      await write(master, 'ahead', 20);
      const { sequence } = await master.replication();
      await until('the other one has it', async () => (await ahead.replication()).sequence >= sequence);
      await ahead.kill();
      await master.kill();
      await behind.start();
      await replacedBy(scene, cluster, master, behind);
      // Beyond the numbers of both.
      keys.push(...(await write(behind, 'later', 200)));
      await Promise.all([ahead.start(), master.start()]);
      for (const node of [ahead, master]) {
        const became = await backOrNamed(cluster, node);
        assert.notEqual(became, 'follows');
        if (became !== 'copied') await emptied(node);
      }
      await endsWell(scene, cluster, { keys });
    },
  );

  scenario(
    'replica-that-lies: flushed and reset, of another past, or on an old copy of its disk: refused, or copied whole',
    { nodes: 4 },
    async (scene) => {
      const [first, second, flushed, foreign] = [scene.node(0), scene.node(1), scene.node(2), scene.node(3)];
      const cluster = await scene.create({ nodes: [first, second], replicas: 2 });
      const master = await scene.masterOf(cluster);
      const keys = [...(await write(master, 'k', 300))];
      await scene.replicasEqual(cluster, keys);
      for (const node of [flushed, foreign]) {
        const id = 'f'.repeat(40);
        await node.call('CLUSTERX', 'SETNODES', `${id} 127.0.0.1 ${node.port} master - 0-16383`, 1);
        await node.call('CLUSTERX', 'SETNODEID', id);
        await write(node, 'other', 100);
      }
      await flushed.call('FLUSHALL');
      await flushed.call('CLUSTER', 'RESET', 'HARD');
      assert.ok((await flushed.replication()).sequence > 0);
      for (const node of [flushed, foreign]) {
        const refused = await cluster.request('POST', '/shards/0/nodes', { addr: node.addr });
        assert.equal(refused.status, 400);
        scene.note(refused.error?.message ?? '');
      }
      // A replica comes back on the disk that it had before.
      const replica = await replicaOf(scene, cluster);
      await replica.kill();
      const copy = replica.copyDisk();
      await replica.start();
      keys.push(...(await write(master, 'more', 300)));
      await scene.replicasEqual(cluster, keys);
      // The controller has seen how far it was.
      const { sequence } = await master.replication();
      await until('its number is seen', async () => ((await statusOf(cluster, replica))?.sequence ?? 0) >= sequence);
      await replica.kill();
      copy.restore();
      await replica.start();
      const became = await backOrNamed(cluster, replica);
      scene.note(`on its old disk it ${became}`);
      await scene.replicasEqual(cluster, keys);
      if (became === 'unproven') await emptied(replica);
      await endsWell(scene, cluster, { keys });
    },
  );

  scenario(
    'removed-node-comes-back: told that it is no part of it any more, and not adopted',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const [gone, kept] = await scene.replicasOf(cluster);
      assert.ok(gone !== undefined && kept !== undefined);
      const writers = await scene.writers({ ports: [scene.node(0).port, kept.port] });
      await gone.kill();
      await cluster.problem('NODE_DOWN');
      await cluster.delete(`/shards/0/nodes/${await idOf(cluster, gone)}`);
      await cluster.problem('LEAVING_UNTOLD');
      await gone.start();
      await endsWell(scene, cluster, { writers: [writers] });
      assert.equal((await gone.replication()).role, 'master');
      assert.match(String(await gone.ask('SET', 'k', 'v')), /MOVED|CLUSTERDOWN/);
    },
  );

  scenario(
    'a node with another password than the cluster is named, and not taken for dead',
    { nodes: 0 },
    async (scene) => {
      const conf = { requirepass: 'secret', masterauth: 'secret' };
      for (let i = 0; i < 2; i++) await scene.add(conf);
      const cluster = await scene.create({ replicas: 2, password: 'secret' });
      const writers = await scene.writers({ password: 'secret', tag: tagIn(0, 16_383) });
      const replica = await replicaOf(scene, cluster);
      await replica.kill();
      await replica.start({ ...conf, requirepass: 'changed' });
      const status = await cluster.problem('WRONG_PASSWORD');
      assert.doesNotMatch(JSON.stringify(status), /secret|changed/);
      await replica.kill();
      await replica.start(conf);
      await cluster.settled();
      assert.equal(await failovers(cluster), 0);
      await writers.stop();
      assert.doesNotMatch(JSON.stringify([await cluster.get(), await cluster.events()]), /secret/);
    },
  );
});
