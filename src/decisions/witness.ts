/**
 * What a master's replicas say of its end. One that still hears it is against its death, and against wins; one that has
 * lost it, or has not heard it for 4 s, is for, if it is known to have been linked shortly before.
 */
import type { Instant } from '../runtime/runtime.ts';
import type { Node, Shard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { namedReplicas } from '../topology/text.ts';
import { DETECTION, type NodeView, type World } from './world.ts';

export type Witness = 'for' | 'against' | 'silent' | 'none';

/** Until its attach is confirmed a link that was seen up may be the one to its former master. */
const linkedHere = (node: Node, view: NodeView): boolean =>
  node.attaching === null || (view.attached !== null && view.linkUpAt >= view.attached.at);

/** Its link was down already when the master answered: its word is about the link, and not about the master. */
const lostBefore = (view: NodeView, master: NodeView): boolean =>
  view.linkDownAt !== null && master.askedAt > view.linkDownAt;

function witnessOf(world: World, master: NodeView, node: Node, brokeAt: Instant): Witness {
  const view = world.view(node.id);
  if (view === undefined || view.linkUpAt < brokeAt - DETECTION.witnessWithin) return 'none';
  if (view.askedAt < Math.max(brokeAt, world.trustFrom) || view.state !== 'up') return 'silent';
  // A full sync is a master's answer that has not come to its end: it says neither.
  if (view.says !== 'slave' || view.link === 'sync' || !linkedHere(node, view)) return 'none';
  // Also from one that was cut off: a link that is up now is the master's own word.
  if (view.link === 'up' && (view.silence ?? 0) < DETECTION.witnessSilence) return 'against';
  if (node.cutOff || lostBefore(view, master)) return 'none';
  // Against holds until it is taken back; for only while it is fresh, since the act follows at once.
  return view.askedAt < world.now - DETECTION.fresh ? 'silent' : 'for';
}

/** The earlier of the end of our connection and a replica's first word that its link is down; null while it answers. */
export function breakOf(world: World, shard: Shard): Instant | null {
  const first = world.view(shard.master)?.brokeAt ?? null;
  if (first === null) return null;
  let at = first;
  for (const { id } of namedReplicas(shard)) {
    const down = world.view(id)?.linkDownAt ?? null;
    if (down !== null && down > at - DETECTION.sameBreak) at = Math.min(at, down);
  }
  return at;
}

/** What each named replica says of its master's end; empty while the master answers. */
export function witnesses(world: World, shard: Shard): ReadonlyMap<NodeId, Witness> {
  const master = world.view(shard.master);
  const brokeAt = breakOf(world, shard);
  if (master === undefined || brokeAt === null) return new Map();
  return new Map(namedReplicas(shard).map((node) => [node.id, witnessOf(world, master, node, brokeAt)]));
}
