/**
 * Replicas that were cut off: their link went down while their master went on answering. What they say of its end is
 * about the link, and what they lack nobody has measured, so they are neither witnesses nor candidates until their link
 * is seen up again. Stored, since a controller that starts later cannot see which of the two came first.
 */
import type { Duration } from '../runtime/runtime.ts';
import { type Node, newestEntry, type Shard, withNode, withShard } from '../topology/cluster.ts';
import { namedReplicas } from '../topology/text.ts';
import { lostData } from './liveness.ts';
import { carries } from './seen.ts';
import type { Happening, NodeView, Proposal, World } from './world.ts';

/** A replica tries again a second after its link broke: one whose master was only restarted is back by then. */
const AFTER: Duration = 1_500;

/** The link was down for a while, and the master has answered a question sent after that. */
function isCutOff(world: World, shard: Shard, node: Node, view: NodeView, master: NodeView): boolean {
  if (node.proof?.entry !== newestEntry(shard).version || node.attaching !== null) return false;
  if (view.link !== 'down' || view.linkDownAt === null) return false;
  const since = Math.max(view.linkDownAt + AFTER, world.trustFrom);
  return view.askedAt >= since && master.askedAt >= since;
}

/** Marks and clears; no node's text depends on it. */
export function decideCutOff(world: World): Proposal | undefined {
  let { cluster } = world.intended;
  const events: Happening[] = [];
  for (const shard of cluster.shards) {
    const master = world.view(shard.master);
    if (master?.state !== 'up' || master.says !== 'master' || lostData(world, shard)) continue;
    for (const node of namedReplicas(shard)) {
      const view = world.view(node.id);
      if (view?.state !== 'up' || view.says !== 'slave') continue;
      const cutOff = node.cutOff
        ? view.link !== 'up' || !carries(world, node)
        : isCutOff(world, shard, node, view, master);
      if (cutOff === node.cutOff) continue;
      cluster = withShard(cluster, shard.id, (old) => withNode(old, node.id, (one) => ({ ...one, cutOff })));
      events.push({
        kind: cutOff ? 'node.cut-off' : 'node.linked',
        message: cutOff
          ? `${node.id} has no link to ${shard.master}, which answers: until it has, it is not promoted and its word does not count`
          : `${node.id} is linked to ${shard.master} again`,
        by: 'controller',
        shard: shard.id,
        node: node.id,
      });
    }
  }
  return cluster === world.intended.cluster ? undefined : { next: { ...world.intended, cluster }, events };
}
