/**
 * Replicas that carry the committed topology and do not do what it says: they follow another address, or have no link
 * to the master that answers. What they were told got lost within them: they are told anew, by a new version, since an
 * equal one would be answered OK and ignored. What that does not mend is a problem for people.
 */
import { meantFor, nextVersion, switchoverOf } from '../operations/intended.ts';
import type { Duration, Instant } from '../runtime/runtime.ts';
import { formatAddress, sameAddress } from '../topology/address.ts';
import { masterOf, type Node, type Shard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { carries } from './seen.ts';
import { type NodeView, type Proposal, soonest, type World } from './world.ts';

export type Unlinked =
  /** It follows another address than its master's, whatever comes of that. */
  | { readonly kind: 'elsewhere'; readonly follows: string }
  /** By the right address, and without a link for so long that it is no passing one. */
  | { readonly kind: 'no-link'; readonly since: Instant };

/** A link is down for a moment after each change of master. */
const LINK_GRACE: Duration = 3_000;
/** What was read may be from before the node heard. */
const HEARD_GRACE: Duration = 2_000;
/** A link that is not there by then is told anew. */
const TELL_AFTER: Duration = 10_000;
const TELL_EVERY: Duration = 60_000;

/** Undefined where it does what it was told, where that cannot be said, or where its master is what is missing. */
export function unlinked(world: World, shard: Shard, node: Node): Unlinked | undefined {
  const view = world.view(node.id);
  const master = world.view(shard.master);
  if (node.id === shard.master || node.membership === 'away' || view?.state !== 'up' || view.says !== 'slave')
    return undefined;
  // Being copied whole it has none for as long as that takes.
  if (node.copy !== null || master?.state !== 'up' || master.says !== 'master' || !carries(world, node))
    return undefined;
  if (view.follows !== null && !followsItsMaster(world, shard, node.id))
    return settledFor(world, view) ? { kind: 'elsewhere', follows: formatAddress(view.follows) } : undefined;
  if (view.link !== 'down' || view.linkDownAt === null || world.now - view.linkDownAt <= LINK_GRACE) return undefined;
  return { kind: 'no-link', since: view.linkDownAt };
}

/** By its address; also one that says nothing of whom it follows. */
export function followsItsMaster(world: World, shard: Shard, node: NodeId): boolean {
  const follows = world.view(node)?.follows ?? null;
  return follows === null || sameAddress(follows, masterOf(shard).address);
}

const settledFor = (world: World, view: NodeView): boolean =>
  world.now - view.since > HEARD_GRACE && world.now - view.holdsSince > HEARD_GRACE;

/** When it is to be told anew. */
function dueAt(world: World, node: NodeId, found: Unlinked): Instant {
  const last = world.toldAgainAt(node);
  if (found.kind === 'elsewhere') return last + TELL_EVERY;
  // The first one counts from its own loss, the next ones from each other.
  return last >= found.since ? last + TELL_EVERY : found.since + TELL_AFTER;
}

/** Tells anew whom it is time for, all in one version; `wakeAt`: when it is time for the next. */
export function decideUnlinked(world: World): { proposal: Proposal | undefined; wakeAt: Instant | undefined } {
  const { intended } = world;
  if (intended.pause !== null || switchoverOf(intended) !== undefined)
    return { proposal: undefined, wakeAt: undefined };
  let wakeAt: Instant | undefined;
  const again: { node: NodeId; what: string; shard: string }[] = [];
  for (const shard of intended.cluster.shards) {
    for (const node of shard.nodes) {
      const found = unlinked(world, shard, node);
      if (found === undefined || !meantFor(intended, node.id)) continue;
      const due = dueAt(world, node.id, found);
      if (due > world.now) wakeAt = soonest(wakeAt, due);
      else again.push({ node: node.id, what: words(world, found), shard: shard.id });
    }
  }
  if (again.length === 0) return { proposal: undefined, wakeAt };
  return {
    proposal: {
      next: nextVersion(intended, intended.cluster),
      events: again.map(({ node, what, shard }) => ({
        kind: 'topology.healed',
        message: `${node} is told anew: it carries version ${intended.cluster.version} and ${what}`,
        by: 'controller',
        shard,
        node,
      })),
      again: again.map(({ node }) => node),
    },
    wakeAt: undefined,
  };
}

const words = (world: World, found: Unlinked): string =>
  found.kind === 'elsewhere'
    ? `follows ${found.follows}`
    : `has had no link to its master for ${Math.round((world.now - found.since) / 1_000)} s`;
