/** Planned changes of master: nothing that was acknowledged is lost, whatever dies meanwhile. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type ClusterClient, isSettled } from './harness/controller.ts';
import { until } from './harness/processes.ts';
import { scenario } from './harness/scenario.ts';

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** Asks for a switchover and comes back as soon as its drain is committed, or it was refused or is over already. */
async function drained(
  cluster: ClusterClient,
  preferred?: string,
): Promise<{ answer: Promise<Answer<unknown> | undefined> }> {
  const { version } = await cluster.get();
  let over = false;
  const body = preferred === undefined ? {} : { preferred_node_id: preferred };
  const answer = cluster
    .request('POST', '/shards/0/failover', body)
    .catch(() => undefined)
    .finally(() => {
      over = true;
    });
  await until('the drain is committed', async () => over || (await cluster.get()).version !== version, 5_000, 1);
  return { answer };
}

async function happened(cluster: ClusterClient, kind: string): Promise<boolean> {
  return (await cluster.events()).some((event) => event.kind === kind);
}

scenario(
  'switchover-under-write-load: ten in a row under sixteen writers of both libraries, no write lost, no error seen',
  { nodes: 4 },
  async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const writers = await scene.writers({ count: 16, pause: 5 });
    const pauses: number[] = [];
    for (let i = 0; i < 10; i++) {
      const shard = i % 2;
      const before = await cluster.master(shard);
      const from = performance.now();
      const promoted = await cluster.failover(shard);
      assert.notEqual(promoted, before.id);
      assert.equal((await cluster.master(shard)).id, promoted);
      await cluster.until('the old master follows', isSettled);
      await sleep(300);
      pauses.push(writers.longestGap(from, performance.now()));
    }
    await scene.nothingLost(cluster, writers);
    await scene.carried(cluster);
    scene.note(`${writers.acknowledged.length} writes; errors: ${JSON.stringify([...writers.errors])}`);
    scene.note(
      `longest time without a write: median ${Math.round(median(pauses))} ms, most ${Math.round(Math.max(...pauses))} ms`,
    );
    assert.deepEqual([...writers.errors], []);
  },
);

scenario('the preferred node is honoured, or refused with the reason', { nodes: 4 }, async (scene) => {
  const other = await scene.add();
  const cluster = await scene.create({ nodes: scene.nodes.slice(0, 3), replicas: 3 });
  const { shards } = await cluster.get();
  const [master, first, second] = shards[0]?.nodes ?? [];
  assert.ok(master !== undefined && first !== undefined && second !== undefined);
  assert.equal(await cluster.failover(0, second.id), second.id);
  await cluster.settled();
  assert.equal((await cluster.master(0)).id, second.id);

  const already = await cluster.request('POST', '/shards/0/failover', { preferred_node_id: second.id });
  assert.equal(already.status, 409);
  assert.match(already.error?.message ?? '', /is the master of shard 0 already/);
  const stranger = await cluster.request('POST', '/shards/0/failover', { preferred_node_id: 'x'.repeat(40) });
  assert.equal(stranger.status, 400);
  assert.match(stranger.error?.message ?? '', new RegExp(first.addr));
  await scene.at(first.addr).kill();
  await cluster.problem('NODE_DOWN');
  const dead = await cluster.request('POST', '/shards/0/failover', { preferred_node_id: first.id });
  assert.equal(dead.status, 409);
  assert.equal(dead.error?.code, 'no_eligible_replica');
  assert.match(dead.error?.message ?? '', new RegExp(`${first.addr}: .*(refused|reset|closed)`));
  // Nobody else was promoted in its place.
  assert.equal((await cluster.master(0)).id, second.id);
  assert.equal(await other.version(), -1);
});

scenario('switchover-behind-a-large-lag: refused before anything stops', { nodes: 2 }, async (scene) => {
  const cluster = await scene.create({ replicas: 2 });
  const [master, [replica]] = [await scene.masterOf(cluster), await scene.replicasOf(cluster)];
  assert.ok(replica !== undefined);
  const { version } = await cluster.get();
  replica.hang();
  const big = 'x'.repeat(64 * 1024);
  for (let i = 0; i < 50; i++) await master.call('SET', `k${i}`, big);
  const refused = await cluster.request('POST', '/shards/0/failover', {});
  assert.equal(refused.status, 409);
  assert.equal(refused.error?.code, 'no_eligible_replica');
  assert.equal((await cluster.get()).version, version);
  assert.equal(await master.call('SET', 'k', 'v'), 'OK');
  replica.wake();
  await cluster.settled();
  await cluster.failover(0);
  await cluster.settled();
  await scene.replicasEqual(
    cluster,
    Array.from({ length: 50 }, (_, i) => `k${i}`),
  );
});

scenario(
  'switchover-controller-dies-after-the-drain: its successor restores or finishes, and no write is lost',
  { nodes: 2 },
  async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const writers = await scene.writers({ libraries: ['raw'] });
    const phases: string[] = [];
    // The moment of death differs from try to try: before the drain is told, between the two commits, after them.
    for (const after of [0, 8, 40]) {
      const { answer } = await drained(cluster);
      await sleep(after);
      await scene.controller.kill();
      await answer;
      await scene.controller.start();
      await cluster.settled();
      phases.push((await happened(cluster, 'switchover.restored')) ? 'restored' : 'done');
      await scene.carried(cluster);
      const at = performance.now();
      await until('writes are taken', () => writers.firstAfter(at) !== undefined);
    }
    scene.note(`deaths survived: ${phases.join(', ')}`);
    await scene.nothingLost(cluster, writers);
  },
);

scenario(
  'switchover-target-dies-midway: the old master serves again, or the shard’s other replica does',
  { nodes: 3 },
  async (scene) => {
    const cluster = await scene.create({ replicas: 3 });
    const writers = await scene.writers({ libraries: ['raw'] });
    for (const after of [0, 15]) {
      const [target] = await scene.replicasOf(cluster);
      assert.ok(target !== undefined);
      const id = (await cluster.get()).shards[0]?.nodes.find((node) => node.addr === target.addr)?.id;
      const { answer } = await drained(cluster, id);
      await sleep(after);
      await target.kill();
      const answered = await answer;
      scene.note(`answered ${answered?.status} ${answered?.error?.message ?? ''}`);
      const at = performance.now();
      await until('writes are taken', () => writers.firstAfter(at) !== undefined);
      await target.start();
      const status = await cluster.until('the cluster is settled or the killed one is named', (seen) => {
        const named = seen.problems.some((problem) => /DIVERGED|UNPROVEN/.test(problem.code));
        return isSettled(seen) || (named && seen.operations.length === 0);
      });
      if (isSettled(status)) continue;
      await target.kill();
      target.wipe();
      await target.start();
      await cluster.settled();
    }
    const lost = await scene.lost(cluster, writers);
    // What a master took between its promotion and its death, nobody else may have.
    const died = (await happened(cluster, 'failover')) || (await happened(cluster, 'switchover.failed'));
    if (!died) assert.equal(lost, 0);
    await scene.carried(cluster);
    await scene.replicasEqual(
      cluster,
      writers.acknowledged.map((one) => one.key),
    );
  },
);

scenario(
  'switchover-target-hangs: taken back in time, and nothing that waits for it promotes it when it wakes',
  { nodes: 2 },
  async (scene) => {
    const cluster = await scene.create({ replicas: 2 });
    const writers = await scene.writers({ libraries: ['raw'] });
    const [target] = await scene.replicasOf(cluster);
    assert.ok(target !== undefined);
    const { answer } = await drained(cluster);
    target.hang();
    const answered = await answer;
    scene.note(`answered ${answered?.status} ${answered?.error?.message ?? ''}`);
    const at = performance.now();
    await until('writes are taken', () => writers.firstAfter(at) !== undefined);
    target.wake();
    await cluster.settled();
    await scene.carried(cluster);
    await scene.nothingLost(cluster, writers);
  },
);
