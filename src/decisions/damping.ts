/**
 * A shard whose new master has not proven itself waits before its next failover, longer each time, and never for good:
 * what fails again at once will mostly go on failing, and each change of master may lose a few records more.
 *
 * A failover sets `damping` and raises its level; the wait counts from that commit. It ends when every probe of the
 * master in 5 s was answered, at the committed version: that is stored without a new version. Never damped are a
 * promotion that saves replicas from a master without its data, an operator's own, after which the shard is free, and
 * the first crash of a new master: its process is gone, and may come back on an empty disk that its replicas would copy
 * before anybody could help it (as where machines are replaced one after the other).
 */
import type { Duration, Instant } from '../runtime/runtime.ts';
import { type Shard, withShard } from '../topology/cluster.ts';
import { lostData, type Verdict } from './liveness.ts';
import { carries } from './seen.ts';
import { type Proposal, soonest, type World } from './world.ts';

/** Milliseconds for which a master must be healthy. */
const HEALTHY: Duration = 5_000;
/** Milliseconds from one failover to the next one, by level; the last one holds for all above. */
const WAITS: readonly Duration[] = [10_000, 60_000, 600_000];

/** After one more failover of this shard; always another value, so that the wait begins anew. */
export const dampedAgain = (shard: Shard): NonNullable<Shard['damping']> => ({
  level: shard.damping === null ? 0 : Math.min(shard.damping.level + 1, WAITS.length - 1),
});

type Death = (Verdict & { readonly kind: 'dead' })['how'];

/** Until when the next failover of this shard waits, after a death of this kind; undefined: it does not. */
export function dampedUntil(world: World, shard: Shard, how: Death): Instant | undefined {
  if (shard.damping === null || how === 'lost-data') return undefined;
  if (how === 'crash' && shard.damping.level === 0) return undefined;
  const until = world.dampedSince(shard.id) + (WAITS[Math.min(shard.damping.level, WAITS.length - 1)] ?? 0);
  return until > world.now ? until : undefined;
}

/** Since when the master has answered every probe; undefined while it is not what it should be. */
function healthySince(world: World, shard: Shard): Instant | undefined {
  const master = world.view(shard.master);
  if (master?.state !== 'up' || master.says !== 'master' || lostData(world, shard)) return undefined;
  if (!carries(world, { id: shard.master })) return undefined;
  return Math.max(master.since, world.dampedSince(shard.id), master.promoted?.at ?? Number.NEGATIVE_INFINITY);
}

/** Frees the shards whose masters have proven themselves. */
export function decideDamping(world: World): {
  readonly proposal: Proposal | undefined;
  readonly wakeAt: Instant | undefined;
} {
  let { cluster } = world.intended;
  let wakeAt: Instant | undefined;
  for (const shard of cluster.shards) {
    const since = shard.damping === null ? undefined : healthySince(world, shard);
    if (since === undefined) continue;
    if (world.now < since + HEALTHY) wakeAt = soonest(wakeAt, since + HEALTHY);
    else cluster = withShard(cluster, shard.id, (old) => ({ ...old, damping: null }));
  }
  const proposal =
    cluster === world.intended.cluster ? undefined : { next: { ...world.intended, cluster }, events: [] };
  return { proposal, wakeAt };
}
