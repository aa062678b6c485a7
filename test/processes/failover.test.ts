/** Masters that die, hang and come back, and replicas that are there or not. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsWell } from './harness/ending.ts';
import { failovers, mayBePromoted, replaced, replicaOf, settledAgain, statusOf, write } from './harness/failing.ts';
import { until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import { tagIn } from './harness/slots.ts';

together('masters that die', 3, (scenario) => {
  scenario(
    'master-killed: its replica takes over, the other shard notices nothing, the old master comes back',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [old, other] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      const writers = await scene.writers({ libraries: ['raw'], tag: tagIn(0, 8191) });
      const apart = await scene.writers({ libraries: ['raw'], tag: tagIn(8192, 16383) });
      await sleep(500);
      await old.kill();
      const killed = performance.now();
      await replaced(scene, cluster, old);
      await until('writes are taken', () => writers.firstAfter(killed) !== undefined);
      scene.note(
        `from kill -9 to the first accepted write: ${Math.round((writers.firstAfter(killed) ?? 0) - killed)} ms`,
      );
      assert.equal((await scene.masterOf(cluster, 1)).addr, other.addr);
      await sleep(500);
      await old.start();
      assert.equal(await failovers(cluster), 1);
      assert.equal(apart.errorCount, 0);
      await settledAgain(scene, cluster, old, writers);
      await endsWell(scene, cluster, { writers: [writers, apart], mayLose: true });
    },
  );

  scenario(
    'master-killed-two-replicas: the more advanced one is promoted, the other follows it',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const master = await scene.masterOf(cluster);
      const [behind, ahead] = await scene.replicasOf(cluster);
      assert.ok(behind !== undefined && ahead !== undefined);
      behind.hang();
      // More than what waits in sockets, so that the one that hangs cannot have it all.
      const big = 'x'.repeat(256 * 1024);
      const keys = Array.from({ length: 64 }, (_, i) => `big${i}`);
      for (const key of keys) await master.call('SET', key, big);
      const { sequence } = await master.replication();
      await until('one replica has it all', async () => ((await statusOf(cluster, ahead))?.sequence ?? 0) >= sequence);
      await master.kill();
      behind.wake();
      const promoted = await replaced(scene, cluster, master);
      assert.equal(promoted.addr, ahead.addr);
      await until('the other one follows', async () => {
        const status = await statusOf(cluster, behind);
        return status?.in_sync === true && status.link === 'up';
      });
      await scene.replicasEqual(cluster, keys);
      await master.start();
      await endsWell(scene, cluster, { keys });
    },
  );

  scenario(
    'second-death-in-the-same-shard-within-a-minute: replaced again, without anybody’s help',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const first = await scene.masterOf(cluster);
      const keys = [...(await write(first, 'before', 30))];
      await scene.replicasEqual(cluster, keys);
      await first.kill();
      const second = await replaced(scene, cluster, first);
      keys.push(...(await write(second, 'between', 30)));
      await mayBePromoted(cluster, await replicaAlive(second));
      await second.kill();
      // A shard that has just failed over may be made to wait for a while, and says so.
      const third = await replaced(scene, cluster, second, { within: 40_000 });
      assert.equal(await failovers(cluster), 2);
      keys.push(...(await write(third, 'after', 30)));
      await Promise.all([first.start(), second.start()]);
      await endsWell(scene, cluster, { keys });
      for (const key of keys) assert.notEqual(await third.call('GET', key), null, `${key} is missing`);

      async function replicaAlive(master: typeof first) {
        const found = scene.nodes.find((node) => node !== first && node !== master);
        assert.ok(found !== undefined);
        return found;
      }
    },
  );

  scenario('failover-of-every-shard-at-once: all are replaced, and every key is there', { nodes: 8 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const writers = await scene.writers();
    await writers.stop();
    await scene.replicasEqual(cluster, []);
    const masters = await Promise.all([0, 1, 2, 3].map((shard) => scene.masterOf(cluster, shard)));
    const killed = performance.now();
    await Promise.all(masters.map((master) => master.kill()));
    await Promise.all(masters.map((master, shard) => replaced(scene, cluster, master, { shard })));
    scene.note(`all four replaced in ${Math.round(performance.now() - killed)} ms`);
    assert.equal(await failovers(cluster), 4);
    await Promise.all(masters.map((master) => master.start()));
    await endsWell(scene, cluster, { writers: [writers] });
  });

  scenario('master-restarts-quickly: back before the decision it stays master', { nodes: 2 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const master = await scene.masterOf(cluster);
    const before = await scene.writers();
    await before.stop();
    const { version } = await cluster.get();
    const killed = performance.now();
    await master.kill();
    await master.start();
    const took = performance.now() - killed;
    scene.note(`away for ${Math.round(took)} ms`);
    await cluster.settled();
    // A machine that took longer to start it than the decision may take has shown a failover.
    if (took < 450) {
      assert.equal(await failovers(cluster), 0);
      assert.equal((await cluster.get()).version, version);
    }
    await endsWell(scene, cluster, { writers: [before, await scene.writers()] });
  });

  scenario(
    'master-restarts-empty at once: the replica keeps the data, the emptied one is copied whole and never master',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const before = await scene.writers();
      await before.stop();
      await scene.replicasEqual(cluster, []);
      await old.kill();
      old.wipe();
      await old.start();
      const promoted = await replaced(scene, cluster, old);
      assert.notEqual(promoted.addr, old.addr);
      await endsWell(scene, cluster, { writers: [before] });
    },
  );

  scenario('master-restarts-empty later, after its replica was promoted: copied whole', { nodes: 2 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const old = await scene.masterOf(cluster);
    const before = await scene.writers();
    await before.stop();
    await scene.replicasEqual(cluster, []);
    await old.kill();
    await replaced(scene, cluster, old);
    old.wipe();
    await old.start();
    await endsWell(scene, cluster, { writers: [before] });
  });
});

together('masters that hang', 3, (scenario) => {
  scenario(
    'master-hangs: replaced after the tolerance; awake again it steps down and follows',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const before = await scene.writers();
      await before.stop();
      await sleep(500);
      old.hang();
      const hung = performance.now();
      const promoted = await replaced(scene, cluster, old);
      scene.note(`from the hang to the new master: ${Math.round(performance.now() - hung)} ms`);
      const after = await scene.writers({ ports: [promoted.port], libraries: ['raw'] });
      old.wake();
      await cluster.settled();
      const { role, masterPort } = await old.replication();
      assert.deepEqual({ role, masterPort }, { role: 'slave', masterPort: promoted.port });
      await endsWell(scene, cluster, { writers: [before, after] });
    },
  );

  scenario(
    'master-hangs under writes: what it took in while nobody looked is never mixed with what came later',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const writers = await scene.writers({ libraries: ['raw', 'ioredis', 'node-redis'], patience: 1_000 });
      old.hang();
      await replaced(scene, cluster, old);
      const replacedAt = performance.now();
      await until('writes are taken', () => writers.firstAfter(replacedAt) !== undefined);
      old.wake();
      await sleep(1_500);
      await settledAgain(scene, cluster, old, writers);
      await endsWell(scene, cluster, { writers: [writers], mayLose: true });
    },
  );

  scenario('master-pauses-briefly: less than the tolerance, and nothing happens', { nodes: 2 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const { version } = await cluster.get();
    const writers = await scene.writers({ libraries: ['raw'] });
    const master = await scene.masterOf(cluster);
    master.hang();
    await sleep(1_500);
    master.wake();
    await sleep(3_000);
    assert.equal(await failovers(cluster), 0);
    assert.equal((await cluster.get()).version, version);
    await endsWell(scene, cluster, { writers: [writers] });
  });
});

together('replicas that are gone', 3, (scenario) => {
  scenario('replica-killed-and-back: said while it is away, nothing else happens', { nodes: 2 }, async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const { version } = await cluster.get();
    const replica = await replicaOf(scene, cluster);
    const writers = await scene.writers();
    await replica.kill();
    const status = await cluster.problem('NODE_DOWN');
    assert.equal(status.state, 'degraded');
    await sleep(500);
    await replica.start();
    await cluster.settled();
    assert.equal((await cluster.get()).version, version);
    assert.equal(writers.errorCount, 0);
    await endsWell(scene, cluster, { writers: [writers] });
  });

  scenario(
    'all-replicas-gone: nobody is promoted, it is said, and the master heals it',
    { nodes: 3 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const master = await scene.masterOf(cluster);
      const writers = await scene.writers();
      await writers.stop();
      for (const replica of await scene.replicasOf(cluster)) await replica.kill();
      await cluster.problem('NODE_DOWN');
      await master.kill();
      const status = await cluster.until('the loss of the master is said', ({ problems }) =>
        problems.some(({ code }) => code === 'MASTER_DOWN' || code === 'MASTER_UNREACHABLE'),
      );
      assert.equal(status.state, 'down');
      await sleep(2_000);
      assert.equal(await failovers(cluster), 0);
      const refused = await cluster.request('POST', '/shards/0/failover', {});
      assert.equal(refused.status, 409);
      assert.equal(refused.error?.code, 'no_eligible_replica');
      await Promise.all(scene.nodes.map((node) => node.start()));
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );

  scenario(
    'no-replica: a lone master that dies is said, and serves again when it is back',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const writers = await scene.writers();
      await writers.stop();
      await scene.node(0).kill();
      const status = await cluster.problem('MASTER_UNREACHABLE');
      assert.equal(status.state, 'down');
      assert.equal(status.slots_served, 8192);
      await scene.node(0).start();
      await cluster.settled();
      assert.equal(await failovers(cluster), 0);
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );

  scenario(
    'paused-cluster: a dead master is said and left alone until the cluster is resumed',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const old = await scene.masterOf(cluster);
      const { version } = await cluster.get();
      const writers = await scene.writers();
      await writers.stop();
      await scene.replicasEqual(cluster, []);
      await cluster.post('/pause');
      await old.kill();
      const status = await cluster.problem('MASTER_DOWN');
      assert.match(status.problems.find(({ code }) => code === 'MASTER_DOWN')?.command ?? '', /kvctl resume/);
      await sleep(1_500);
      assert.equal((await cluster.get()).version, version);
      assert.equal((await cluster.request('POST', '/shards/0/failover', {})).status, 409);
      await cluster.post('/resume');
      await replaced(scene, cluster, old);
      await old.start();
      await endsWell(scene, cluster, { writers: [writers] });
    },
  );
});
