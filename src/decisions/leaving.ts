/** Removed nodes: released, then reset when asked for or when they hold nothing, then let go. */
import type { Duration, Instant } from '../runtime/runtime.ts';
import type { LeavingNode } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import type { Reset } from './jobs.ts';
import { released } from './telling.ts';
import { type Proposal, soonest, type World } from './world.ts';

export interface LeavingDecision {
  readonly proposal: Proposal | undefined;
  readonly resets: readonly Reset[];
  readonly wakeAt: Instant | undefined;
}

/**
 * A released node sends clients that still believe in it to those that have its slots now. Once it is reset they get
 * CLUSTERDOWN instead, which node-redis hands to its application: whoever uses it all the time has learned it by then, and
 * one that comes later gets it all the same.
 */
const REDIRECTS_FOR: Duration = 2_000;

/** From when on it may be reset; no client writes to a replica, and where the whole cluster ends there is nobody else. */
function resetFrom({ intended, view }: World, { id }: LeavingNode): Instant {
  const seen = view(id);
  if (intended.cluster.shards.length === 0 || seen?.fenced?.before === 'slave') return Number.NEGATIVE_INFINITY;
  return (seen?.versionSince ?? 0) + REDIRECTS_FOR;
}

/** It has no topology and no id: whoever it is, it is nobody's any more. */
function blank(world: World, node: LeavingNode): boolean {
  const view = world.view(node.id);
  return view?.state === 'up' && view.version === -1 && view.myId === '';
}

export function decideLeaving(world: World, resetDone: (node: NodeId) => string | undefined): LeavingDecision {
  const { intended } = world;
  if (intended.pause !== null) return { proposal: undefined, resets: [], wakeAt: undefined };
  const gone: { node: LeavingNode; how: string }[] = [];
  const resets: Reset[] = [];
  let wakeAt: Instant | undefined;
  for (const node of intended.cluster.leaving) {
    const done = resetDone(node.id);
    if (blank(world, node)) gone.push({ node, how: 'it has no topology any more' });
    else if (done !== undefined) gone.push({ node, how: done });
    else if (released(world, node)) {
      const from = resetFrom(world, node);
      if (world.now < from) wakeAt = soonest(wakeAt, from);
      else resets.push({ node: node.id, address: node.address, flush: node.how === 'reset' });
    }
  }
  if (gone.length === 0) return { proposal: undefined, resets, wakeAt };
  const leaving = intended.cluster.leaving.filter((node) => !gone.some((one) => one.node.id === node.id));
  return {
    proposal: {
      next: { ...intended, cluster: { ...intended.cluster, leaving } },
      events: gone.map(({ node, how }) => ({
        kind: 'node.removed',
        message: `${node.id} is no part of the cluster any more: ${how}`,
        by: 'controller',
        node: node.id,
      })),
    },
    resets,
    wakeAt,
  };
}
