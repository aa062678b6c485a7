/** What is waited for, and asked, where masters fail. */
import assert from 'node:assert/strict';
import type { FailoverPlan } from '../../../src/controller/control-plane.ts';
import type { ClusterStatus } from '../../../src/controller/status.ts';
import type { ClusterClient } from './controller.ts';
import type { KvNode } from './nodes.ts';
import { until } from './processes.ts';
import type { Scene } from './scene.ts';
import type { Writers } from './writers.ts';

/** Waits until another node is master of the shard. */
export async function replaced(
  scene: Scene,
  cluster: ClusterClient,
  old: KvNode,
  { shard = 0, within = 15_000 } = {},
): Promise<KvNode> {
  await cluster.until(
    `${old.addr} is replaced`,
    ({ shards }) => {
      const master = shards[shard]?.nodes.find((node) => node.role === 'master');
      return master !== undefined && master.addr !== old.addr && master.in_sync && master.says === 'master';
    },
    within,
  );
  return scene.masterOf(cluster, shard);
}

/**
 * The dead master is replaced by this node: by itself, or, where the controller holds and says so, on our word. Whether
 * it was near enough is the controller's to say.
 */
export async function replacedBy(scene: Scene, cluster: ClusterClient, old: KvNode, by: KvNode): Promise<KvNode> {
  const isMaster = async () => (await cluster.master(0)).addr !== old.addr;
  await until('it is replaced, or its loss is said while the replica answers', async () => {
    if (await isMaster()) return true;
    const { problems } = await cluster.status();
    const said = problems.some(({ code }) => code === 'MASTER_DOWN' || code === 'MASTER_UNREACHABLE');
    return said && (await statusOf(cluster, by))?.state === 'up';
  });
  if (!(await isMaster())) {
    const body = { force: true, preferred_node_id: await idOf(cluster, by) };
    const answer = await cluster.request('POST', '/shards/0/failover', body);
    if (answer.status !== 200) scene.note(`${answer.status} ${answer.error?.message}`);
  }
  const promoted = await replaced(scene, cluster, old);
  assert.equal(promoted.addr, by.addr);
  return promoted;
}

export async function happened(cluster: ClusterClient, kind: string): Promise<number> {
  return (await cluster.events()).filter((event) => event.kind === kind).length;
}

export const failovers = (cluster: ClusterClient): Promise<number> => happened(cluster, 'failover');

export async function idOf(cluster: ClusterClient, node: KvNode): Promise<string> {
  const found = (await cluster.get()).shards.flatMap((shard) => shard.nodes).find(({ addr }) => addr === node.addr);
  if (found === undefined) throw new Error(`${node.addr} is no node of the cluster`);
  return found.id;
}

export async function statusOf(cluster: ClusterClient, node: KvNode) {
  return (await cluster.status()).shards.flatMap((shard) => shard.nodes).find(({ addr }) => addr === node.addr);
}

/** The only replica of the shard, or the first one. */
export async function replicaOf(scene: Scene, cluster: ClusterClient, shard = 0): Promise<KvNode> {
  const [replica] = await scene.replicasOf(cluster, shard);
  if (replica === undefined) throw new Error(`shard ${shard} has no replica`);
  return replica;
}

/** Numbered keys, written one after the other; answers their names. */
export async function write(node: KvNode, prefix: string, count: number): Promise<readonly string[]> {
  const keys = Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  for (const [i, key] of keys.entries()) await node.call('SET', key, `${i}`);
  return keys;
}

/** Waits until this replica may take its master's place by a planned change: its link is up and it is proven. */
export async function mayBePromoted(cluster: ClusterClient, node: KvNode, shard = 0): Promise<void> {
  const id = await idOf(cluster, node);
  await cluster.until(`${node.addr} is in order`, ({ shards }) =>
    (shards[shard]?.nodes ?? []).some((one) => one.id === id && one.in_sync && one.link === 'up'),
  );
  await until(`${node.addr} may be promoted`, async () => {
    const body = { preferred_node_id: id, dry_run: true };
    const plan = await cluster.post<FailoverPlan>(`/shards/${shard}/failover`, body);
    if (plan.candidate === id) return true;
    throw new Error(plan.judged.map((one) => `${one.node}: ${one.refusals.join(', ')}`).join('; '));
  });
}

/** `copied`: it held what its shard does not have, or nobody could tell, and it was copied whole. */
export type Return = 'follows' | 'copied' | 'diverged' | 'unproven';

/**
 * The old master is back: it either follows, which nothing allows unless it holds what the shard holds or was copied
 * whole, or it is named, and an operator is waited for.
 */
export async function backOrNamed(cluster: ClusterClient, old: KvNode): Promise<Return> {
  const id = await idOf(cluster, old);
  const ofIt = ({ problems }: ClusterStatus) =>
    problems.filter(({ node, code }) => node === id && /DIVERGED|UNPROVEN/.test(code));
  const status = await cluster.until(
    `${old.addr} follows or is named`,
    (seen) => {
      const node = seen.shards.flatMap((shard) => shard.nodes).find((one) => one.id === id);
      const follows = node?.membership === 'member' && node.in_sync && node.says === 'slave' && node.link === 'up';
      const named = ofIt(seen);
      return (follows && named.length === 0) || named.some(({ command }) => command !== null);
    },
    30_000,
  );
  const [named] = ofIt(status);
  if (named !== undefined) return named.code === 'DIVERGED' ? 'diverged' : 'unproven';
  const events = await cluster.events();
  return events.some((event) => event.kind === 'node.diverged' && event.node === id) ? 'copied' : 'follows';
}

/** Does what the problem's command says: its folder is emptied, and it is copied whole. */
export async function emptied(node: KvNode): Promise<void> {
  await node.kill();
  node.wipe();
  await node.start();
}

/** Whatever became of the old master: if an operator is waited for, it is emptied, and then all is well. */
export async function settledAgain(
  scene: Scene,
  cluster: ClusterClient,
  old: KvNode,
  ...teams: readonly Writers[]
): Promise<Return> {
  const became = await backOrNamed(cluster, old);
  const lost = await scene.lost(cluster, ...teams);
  scene.note(`the old master ${became}; ${lost} acknowledged writes are missing`);
  if (became === 'follows') assert.equal(lost, 0);
  else if (became !== 'copied') await emptied(old);
  return became;
}
