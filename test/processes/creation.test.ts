/** Clusters made, refused, taken over and deleted. */
import assert from 'node:assert/strict';
import type { KvNode } from './harness/nodes.ts';
import { together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';

const addresses = (nodes: readonly KvNode[]): string[] => nodes.map((node) => node.addr);

async function write(node: KvNode, keys: number): Promise<void> {
  for (let i = 0; i < keys; i++) await node.call('SET', `k${i}`, `${i}`);
}

async function read(node: KvNode, keys: number): Promise<void> {
  for (let i = 0; i < keys; i++) assert.equal(await node.call('GET', `k${i}`), `${i}`);
}

const versions = (nodes: readonly KvNode[]): Promise<number[]> => Promise.all(nodes.map((node) => node.version()));

async function clusters(scene: Scene): Promise<readonly string[]> {
  return (await scene.controller.call<{ clusters: string[] }>('GET', scene.clusters)).clusters;
}

/** What `CLUSTERX SETNODES` makes of a lone node: the master of these slots. */
async function makeMaster(node: KvNode, id: string, slots: string, version: number): Promise<void> {
  await node.call('CLUSTERX', 'SETNODES', `${id} 127.0.0.1 ${node.port} master - ${slots}`, version);
  await node.call('CLUSTERX', 'SETNODEID', id);
}

/** Offers these as one shard; answers with what is wrong with them. */
async function offered(scene: Scene, nodes: readonly KvNode[], body: object = {}): Promise<string> {
  const all = { name: 'c', nodes: addresses(nodes), replicas: nodes.length, ...body };
  const refused = await scene.controller.request('POST', scene.clusters, all);
  assert.equal(refused.status, 400, refused.error?.message);
  scene.note(refused.error?.message ?? '');
  return refused.error?.message ?? '';
}

together('clusters made, refused, taken over and deleted', 3, (define) => {
  define(
    'three shards of two: ids are given, every node carries the version, every replica is linked, clients lose nothing',
    { nodes: 6 },
    async (scene) => {
      assert.deepEqual(await versions(scene.nodes), [-1, -1, -1, -1, -1, -1]);
      const cluster = await scene.create({ replicas: 2 });
      await scene.carried(cluster);
      const { shards } = await cluster.get();
      assert.deepEqual(
        shards.map((shard) => shard.slot_ranges),
        [['0-5461'], ['5462-10922'], ['10923-16383']],
      );
      const ids = shards.flatMap((shard) => shard.nodes.map((node) => node.id));
      assert.equal(new Set(ids).size, 6);
      for (const id of ids) assert.match(id, /^[A-Za-z0-9]{40}$/);
      const writers = await scene.writers();
      await scene.nothingLost(cluster, writers);
      assert.equal(writers.errorCount, 0);
    },
  );

  define(
    'nodes with a topology, with data, of another password and dead ones are all named, and nothing is left behind',
    { nodes: 4 },
    async (scene) => {
      const [fine, withTopology, withData, dead] = [scene.node(0), scene.node(1), scene.node(2), scene.node(3)];
      const locked = await scene.add({ requirepass: 'other', masterauth: 'other' });
      await makeMaster(withTopology, 'a'.repeat(40), '0-16383', 3);
      await makeMaster(withData, 'b'.repeat(40), '0-16383', 1);
      await write(withData, 3);
      await withData.kill();
      withData.forgetTopology();
      await withData.start();
      await dead.kill();

      const unanswered = await scene.controller.request('POST', scene.clusters, {
        name: 'c',
        nodes: addresses([fine, dead, locked]),
      });
      assert.equal(unanswered.status, 400);
      assert.equal(unanswered.error?.code, 'node_check_failed');
      assert.match(unanswered.error?.message ?? '', new RegExp(`${dead.addr} refuses connections`));
      assert.match(unanswered.error?.message ?? '', new RegExp(`${locked.addr} .*password`));

      const unfit = await scene.controller.request('POST', scene.clusters, {
        name: 'c',
        nodes: addresses([fine, withTopology, withData]),
      });
      assert.equal(unfit.status, 400);
      assert.match(
        unfit.error?.message ?? '',
        new RegExp(`${withTopology.addr} carries a topology already, version 3`),
      );
      assert.match(unfit.error?.message ?? '', new RegExp(`${withData.addr} .*holds data`));
      assert.doesNotMatch(unfit.error?.message ?? '', new RegExp(fine.addr));

      assert.deepEqual(await clusters(scene), []);
      assert.deepEqual(await versions([fine, withTopology, withData]), [-1, 3, -1]);
      // Their claims are free again, too.
      await scene.create({ nodes: [fine], replicas: 1 });
    },
  );

  define('dangerous-settings-at-adoption: each is told with its cure, which mends it', { nodes: 1 }, async (scene) => {
    const plain = scene.node(0);
    const deaf = await scene.add({ 'slave-serve-stale-data': 'no' });
    const emptying = await scene.add({ 'slave-empty-db-before-fullsync': 'yes' });
    const rsid = await scene.add({ 'use-rsid-psync': 'yes' });
    const forgetting = await scene.add({ 'persist-cluster-nodes-enabled': 'no' });
    const locked = await scene.add({ requirepass: 'other', masterauth: 'other' });
    const alone = await scene.add({ 'cluster-enabled': 'no' });

    const message = await offered(scene, [plain, deaf, emptying, rsid]);
    assert.match(message, new RegExp(`${deaf.addr} [^.]*CONFIG SET slave-serve-stale-data yes`));
    assert.match(message, new RegExp(`${emptying.addr} [^.]*CONFIG SET slave-empty-db-before-fullsync no`));
    assert.match(message, new RegExp(`${rsid.addr} [^.]*another use-rsid-psync than its master`));
    assert.doesNotMatch(message, new RegExp(plain.addr));

    assert.match(await offered(scene, [plain, locked]), new RegExp(`${locked.addr} .*password`));
    assert.match(
      await offered(scene, [plain, alone]),
      new RegExp(`${alone.addr} is not in cluster mode; set cluster-enabled yes`),
    );
    // Made without cluster mode, a database keeps its keys where nobody finds them in a cluster.
    await write(alone, 5);
    await alone.kill();
    await alone.start({});
    scene.note(
      `in cluster mode it answers ${await alone.call('DBSIZE')} keys at ${(await alone.replication()).sequence}`,
    );
    assert.match(await offered(scene, [plain, alone]), new RegExp(`${alone.addr} is at sequence 5`));

    await deaf.call('CONFIG', 'SET', 'slave-serve-stale-data', 'yes');
    await emptying.call('CONFIG', 'SET', 'slave-empty-db-before-fullsync', 'no');
    const cluster = await scene.create({ nodes: [plain, deaf, emptying], replicas: 3 });
    await cluster.post('/shards/0/nodes', { addr: forgetting.addr });
    const status = await cluster.problem('DANGEROUS_SETTING');
    const { message: what, command } = status.problems.find(({ code }) => code === 'DANGEROUS_SETTING') ?? {};
    assert.match(what ?? '', new RegExp(`${forgetting.addr}: persist-cluster-nodes-enabled is no`));
    assert.match(command ?? '', /CONFIG SET persist-cluster-nodes-enabled yes/);
  });

  define(
    'same-node-offered-to-two-clusters: one wins, one after the other, at the same moment, and under two spellings',
    { nodes: 2 },
    async (scene) => {
      const [node, other] = [scene.node(0), scene.node(1)];
      const both = await Promise.all(
        [
          { name: 'one', nodes: [node.addr] },
          { name: 'two', nodes: [`localhost:${node.port}`] },
          { name: 'three', nodes: [other.addr, node.addr] },
        ].map((body) => scene.controller.request('POST', scene.clusters, body)),
      );
      assert.deepEqual(
        both.filter((answer) => answer.status === 201).map((answer) => answer.status),
        [201],
      );
      for (const answer of both.filter(({ status }) => status !== 201)) {
        assert.equal(answer.status, 409);
        assert.equal(answer.error?.code, 'already_exists');
      }
      const [winner = ''] = await clusters(scene);
      const late = await scene.controller.request('POST', scene.clusters, {
        name: 'four',
        nodes: [`localhost:${node.port}`],
      });
      assert.equal(late.status, 409);
      assert.match(late.error?.message ?? '', new RegExp(`${scene.namespace}/${winner}`));
      const twice = await scene.controller.request('POST', scene.clusters, {
        name: 'five',
        nodes: [other.addr, `localhost:${other.port}`],
      });
      assert.equal(twice.status, winner === 'three' ? 409 : 400);
    },
  );

  define(
    'a deleted cluster leaves its data; created again with force it is at a higher version with all keys',
    { nodes: 1 },
    async (scene) => {
      const node = scene.node(0);
      const cluster = await scene.create({ replicas: 1 });
      await write(node, 20);
      const before = (await cluster.get()).version;
      await cluster.delete();
      assert.deepEqual(await clusters(scene), []);
      await read(node, 20);

      const careful = await scene.controller.request('POST', scene.clusters, { name: 'c', nodes: [node.addr] });
      assert.equal(careful.status, 400);
      assert.match(careful.error?.message ?? '', /carries a topology already/);
      await scene.controller.call('POST', scene.clusters, { name: 'c', nodes: [node.addr], force: true });
      await cluster.settled();
      assert.ok((await cluster.get()).version > before);
      await scene.carried(cluster);
      await read(node, 20);
    },
  );

  define('a cluster deleted with reset leaves empty nodes that can be used at once', { nodes: 4 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const writers = await scene.writers();
    await writers.stop();
    await cluster.delete('?reset=true');
    assert.deepEqual(await clusters(scene), []);
    assert.deepEqual(await versions(scene.nodes), [-1, -1, -1, -1]);
    for (const node of scene.nodes) assert.deepEqual(await node.call('SCAN', '0', 'COUNT', '10'), ['0', []]);
    const masters = [scene.node(0), scene.node(2)];
    const again = await scene.create({ nodes: masters, replicas: 1 });
    await scene.carried(again);
  });

  define(
    'import-existing-cluster: healthy, then with a dead replica, whose return is seen',
    { nodes: 4 },
    async (scene) => {
      const made = await scene.create({ replicas: 2 });
      const { version, shards } = await made.get();
      const writers = await scene.writers();
      await writers.stop();
      await made.delete();

      const imported = scene.cluster('taken');
      await imported.post('/import', { nodes: [scene.node(0).addr] });
      await imported.settled();
      const after = await imported.get();
      assert.ok(after.version > version);
      assert.deepEqual(
        after.shards.map((shard) => [shard.slot_ranges, shard.nodes.map((node) => [node.id, node.addr, node.role])]),
        shards.map((shard) => [shard.slot_ranges, shard.nodes.map((node) => [node.id, node.addr, node.role])]),
      );
      await scene.carried(imported);
      await scene.nothingLost(imported, writers);
      await imported.delete();

      await scene.node(1).kill();
      await imported.post('/import', { nodes: [scene.node(0).addr, scene.node(2).addr] });
      const dead = (await imported.status()).shards[0]?.nodes.find((node) => node.addr === scene.node(1).addr);
      assert.equal(dead?.membership, 'away');
      await scene.node(1).start();
      // Nobody can prove what it holds: it comes back by itself, or it is named with what to do.
      await imported.until('the replica is back or named', (status) =>
        status.shards.every((shard) =>
          shard.nodes.every(
            (node) =>
              (node.membership === 'member' && node.link !== 'down') ||
              status.problems.some((problem) => problem.node === node.id && problem.command !== null),
          ),
        ),
      );
      await scene.nothingLost(imported, writers);
    },
  );

  define(
    'import-existing-cluster: slots without an owner are said, a dead master is refused',
    { nodes: 2 },
    async (scene) => {
      const [first, second] = [scene.node(0), scene.node(1)];
      const [a, b] = ['a'.repeat(40), 'b'.repeat(40)];
      const text = [
        `${a} 127.0.0.1 ${first.port} master - 0-8000`,
        `${b} 127.0.0.1 ${second.port} master - 8100-16383`,
      ].join('\n');
      for (const [node, id] of [
        [first, a],
        [second, b],
      ] as const) {
        await node.call('CLUSTERX', 'SETNODES', text, 7);
        await node.call('CLUSTERX', 'SETNODEID', id);
      }
      await second.kill();
      const refused = await scene.controller.request('POST', `${scene.clusters}/c/import`, { nodes: [first.addr] });
      assert.equal(refused.status, 400);
      assert.match(refused.error?.message ?? '', new RegExp(`${second.addr} .*does not answer`));
      assert.deepEqual(await clusters(scene), []);

      await second.start();
      const imported = scene.cluster('c');
      await imported.post('/import', { nodes: [first.addr] });
      const { version, shards } = await imported.get();
      assert.ok(version > 7);
      assert.deepEqual(
        shards.map((shard) => shard.slot_ranges),
        [['0-8000'], ['8100-16383']],
      );
      const status = await imported.until('both masters carry it', ({ shards: seen }) =>
        seen.every((shard) => shard.nodes.every((node) => node.in_sync)),
      );
      assert.equal(status.slots_served, 16_384 - 99);
    },
  );
});
