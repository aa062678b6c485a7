/** The controller is late, or its store is, or it sees too little: what it then decides, and what it does not. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsWell } from './harness/ending.ts';
import { backOrNamed, emptied, failovers, happened, replaced, replicaOf, write } from './harness/failing.ts';
import { until } from './harness/processes.ts';
import { controllers, nodes } from './harness/proxy.ts';
import { together } from './harness/scenario.ts';

const LOCKED = { requirepass: 'secret', masterauth: 'secret' };

together('late', 4, (define) => {
  define(
    'late-commit: the store takes long over a failover of a master that comes back meanwhile: given back, nobody told',
    { nodes: 2, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const master = await scene.masterOf(cluster);
      const keys = await write(master, 'k', 50);
      await scene.replicasEqual(cluster, keys);
      await sleep(1_500);
      const { version } = await cluster.get();
      // A lock of the database that another process holds: the commit waits for it.
      const other = new DatabaseSync(join(scene.controller.dir, 'kvctl.db'), { timeout: 2_000 });
      try {
        await master.kill();
        other.exec('BEGIN IMMEDIATE');
        await sleep(800);
        await master.start();
        await sleep(300);
        other.exec('ROLLBACK');
      } finally {
        other.close();
      }
      await cluster.settled();
      const [decided, given] = [await failovers(cluster), await happened(cluster, 'failover.given-back')];
      scene.note(`${decided} failovers, ${given} given back, version ${version} to ${(await cluster.get()).version}`);
      // A machine that was slow to start it again has made it a failover like others.
      if (given > 0) assert.equal((await scene.masterOf(cluster)).addr, master.addr);
      await endsWell(scene, cluster, { keys });
    },
  );

  define(
    'master-restarts-empty while no controller runs: a named state, an alarm, and whoever still has the data is promoted',
    { nodes: 3, ownController: true, proxied: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 3 });
      const master = await scene.masterOf(cluster);
      const [copied, kept] = await scene.replicasOf(cluster);
      assert.ok(copied !== undefined && kept !== undefined);
      const keys = await write(master, 'k', 100);
      await scene.replicasEqual(cluster, keys);
      const { sequence } = await master.replication();
      await cluster.until('its number is seen', ({ shards }) =>
        (shards[0]?.nodes ?? []).every((node) => (node.sequence ?? 0) >= sequence),
      );
      // What was seen is stored with the next commit, or after a while.
      await cluster.post('/pause');
      await cluster.post('/resume');
      await scene.controller.kill();
      kept.hang();
      master.proxy.impose(({ name }) => name === `node-${kept.port}`, 'hole');
      await master.kill();
      master.wipe();
      await master.start();
      await until('its replica has copied the emptiness', async () => (await copied.replication()).sequence < sequence);
      await scene.controller.start();
      const status = await cluster.problem('DATA_LOST');
      const problem = status.problems.find(({ code }) => code === 'DATA_LOST');
      scene.note(`${problem?.message}; ${problem?.waiting_for}; ${problem?.command}`);
      kept.wake();
      const promoted = await replaced(scene, cluster, master);
      assert.equal(promoted.addr, kept.addr);
      master.proxy.heal();
      for (const node of [master, copied]) {
        if (/diverged|unproven/.test(await backOrNamed(cluster, node))) await emptied(node);
      }
      await endsWell(scene, cluster, { keys });
      for (const key of keys) assert.notEqual(await kept.call('GET', key), null, `${key} is missing`);
    },
  );

  define(
    'no-witness: a replica with a wrong masterauth says down while the path to a living master breaks: no promotion',
    { nodes: 0, ownController: true, proxied: true },
    async (scene) => {
      for (let i = 0; i < 2; i++) await scene.add(LOCKED);
      const cluster = await scene.create({ replicas: 2, password: 'secret' });
      // The shortest hold that may be set.
      await cluster.patch('/settings', { no_witness_hold_ms: 5_000 });
      const [master, replica] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const keys = await write(master, 'k', 50);
      await replica.call('CONFIG', 'SET', 'masterauth', 'wrong');
      // Its connection is ended, and it cannot log in again.
      master.proxy.end(nodes);
      await cluster.problem('REPLICA_UNLINKED');
      // Longer than a link that was up a moment ago counts.
      await sleep(11_000);
      await write(master, 'later', 10);
      const heal = master.proxy.impose(controllers, 'hole');
      await cluster.problem('MASTER_UNREACHABLE');
      await sleep(9_000);
      const { problems } = await cluster.status();
      scene.note(problems.map(({ code, message, waiting_for }) => `${code} ${message}; ${waiting_for}`).join('; '));
      assert.equal(await failovers(cluster), 0);
      assert.equal((await scene.masterOf(cluster)).addr, master.addr);
      heal();
      await replica.call('CONFIG', 'SET', 'masterauth', 'secret');
      await endsWell(scene, cluster, { within: 40_000 });
      for (const key of keys) assert.notEqual(await master.call('GET', key), null);
      assert.equal(await failovers(cluster), 0);
    },
  );

  define(
    'a master and its only replica die together: the replica, back before it, takes over if it had it all',
    { nodes: 2, ownController: true },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const [master, replica] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
      const keys = await write(master, 'k', 50);
      await scene.replicasEqual(cluster, keys);
      await sleep(1_500);
      await Promise.all([master.kill(), replica.kill()]);
      const from = performance.now();
      await replica.start();
      const promoted = await replaced(scene, cluster, master, { within: 30_000 });
      scene.note(`replaced ${Math.round(performance.now() - from)} ms after the death`);
      for (const key of keys) assert.notEqual(await promoted.call('GET', key), null, `${key} is missing`);
      await master.start();
      await endsWell(scene, cluster, { keys });
    },
  );
});
