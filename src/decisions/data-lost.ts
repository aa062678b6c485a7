/**
 * A master that answers without what it had reached, and that nobody can replace: stored, so that neither its new writes
 * nor another controller take it for whole again. Replicas that may be promoted later end it, or an operator who accepts
 * the loss.
 */
import { shardOf, withNode, withShard } from '../topology/cluster.ts';
import type { ShardReport } from './failover.ts';
import { lostFrom } from './liveness.ts';
import type { Happening, Proposal, World } from './world.ts';

export function decideDataLost(world: World, reports: readonly ShardReport[]): Proposal | undefined {
  let { cluster } = world.intended;
  const events: Happening[] = [];
  for (const { shard: id, verdict, judged, candidate, held } of reports) {
    const shard = shardOf(cluster, id);
    if (verdict.kind !== 'dead' || verdict.how !== 'lost-data' || shard === undefined || shard.dataLost !== null)
      continue;
    // Whose answer is on its way may take its place in a moment: a commit would only keep that waiting.
    if (candidate === null ? judged?.some(({ late }) => late) : held === null) continue;
    const dataLost = lostFrom(world, shard);
    cluster = withShard(cluster, id, (old) => ({
      ...withNode(old, old.master, (node) => ({ ...node, proof: null })),
      dataLost,
    }));
    const message = `${shard.master} came back without the ${dataLost} records that it had reached, and nobody can take its place`;
    events.push({ kind: 'data.lost', message, by: 'controller', shard: id, node: shard.master });
  }
  return cluster === world.intended.cluster ? undefined : { next: { ...world.intended, cluster }, events };
}
