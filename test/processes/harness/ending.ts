/**
 * The check that ends every test: what was promised held as far as it shows through HTTP, the nodes carry what is
 * committed or are named with what to do, and acknowledged writes read back but for those whose loss was told.
 */
import assert from 'node:assert/strict';
import { type ClusterClient, isSettled } from './controller.ts';
import type { Scene } from './scene.ts';
import type { Writers } from './writers.ts';

export interface Ending {
  readonly writers?: readonly Writers[];
  /** More keys that replicas must hold as their masters do. */
  readonly keys?: readonly string[];
  /** Acknowledged writes may be missing if the controller said that some may be. */
  readonly mayLose?: boolean;
  /** Problems that the scenario leaves, by their codes; their nodes stand aside. */
  readonly named?: readonly string[];
  readonly within?: number;
}

/** Answers how many acknowledged writes are missing. */
export async function endsWell(scene: Scene, cluster: ClusterClient, ending: Ending = {}): Promise<number> {
  const { writers = [], keys = [], mayLose = false, named = [], within = 20_000 } = ending;
  await cluster.until(
    named.length === 0 ? 'the cluster is settled' : `the cluster is settled but for ${named.join(', ')}`,
    (status) => {
      const aside = status.problems.filter(({ code }) => named.includes(code));
      if (aside.length === 0) return isSettled(status);
      const without = (node: { readonly id: string }) => aside.every((problem) => problem.node !== node.id);
      return isSettled({
        ...status,
        state: status.state === 'degraded' ? 'ok' : status.state,
        problems: status.problems.filter((problem) => !aside.includes(problem)),
        shards: status.shards.map((shard) => ({ ...shard, nodes: shard.nodes.filter(without) })),
      });
    },
    within,
  );
  await scene.carried(cluster);
  await promisesHeld(cluster);
  const lost = await scene.lost(cluster, ...writers);
  if (lost > 0) {
    scene.note(`${lost} acknowledged writes are missing`);
    assert.ok(mayLose, `${lost} acknowledged writes are missing`);
    assert.ok(await lossTold(cluster), `${lost} acknowledged writes are missing, and nobody said so`);
  }
  const written = writers.flatMap(({ acknowledged }) => acknowledged.map(({ key }) => key));
  await scene.replicasEqual(cluster, [...written, ...keys]);
  return lost;
}

/** A replaced master may have had what nobody else has: its event says what is known, a problem names the node. */
async function lossTold(cluster: ClusterClient): Promise<boolean> {
  const events = await cluster.events();
  return events.some(({ kind }) => kind === 'failover' || kind === 'switchover.failed');
}

/** Of the stored topology and its history, whatever happened. */
async function promisesHeld(cluster: ClusterClient): Promise<void> {
  const { shards, version } = await cluster.get();
  const nodes = shards.flatMap((shard) => shard.nodes);
  assert.equal(new Set(nodes.map(({ id }) => id)).size, nodes.length, 'a node is listed twice');
  assert.equal(new Set(nodes.map(({ addr }) => addr)).size, nodes.length, 'an address is listed twice');
  for (const [index, shard] of shards.entries()) {
    const masters = shard.nodes.filter(({ role }) => role === 'master');
    assert.equal(masters.length, 1, `shard ${index} has ${masters.length} masters`);
  }
  const events = await cluster.events();
  const ids = events.map(({ id }) => id);
  assert.deepEqual(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
    'events are out of order',
  );
  // What was only seen is stored beside a commit that is under way, under the version before it.
  const decided = events.filter(({ kind }) => /^(failover|switchover|move)/.test(kind)).map((event) => event.version);
  assert.deepEqual(
    decided,
    [...decided].sort((a, b) => a - b),
    'a version went down',
  );
  assert.ok(decided.every((one) => one <= version));
}
