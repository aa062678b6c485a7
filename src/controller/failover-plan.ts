/** What a failover would do if it were asked for now, by carrying it out on paper; and what it may lose. */
import { handedOver } from '../decisions/move-deaths.ts';
import { choosePromotion } from '../decisions/promotion.ts';
import type { World } from '../decisions/world.ts';
import { type Shard, shardOf } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { failOverDeadMaster, findShard, masterAnswers, switchoverCandidate } from './changes.ts';
import type { FailoverPlan, MayLose, ShardRef } from './control-plane.ts';
import { legible } from './legible.ts';
import { Refusal } from './refusal.ts';

/** What is lost with a master that does not answer if this replica takes its place. */
export function mayLose(world: World, shard: Shard, replica: NodeId): MayLose {
  const master = world.view(shard.master);
  const reached = Math.max(shard.floor, master?.highest ?? 0);
  const heard = master?.answeredAt ?? Number.NEGATIVE_INFINITY;
  return {
    records: Math.max(0, reached - (world.view(replica)?.sequence ?? 0)),
    unseen_ms: heard === Number.NEGATIVE_INFINITY ? null : Math.max(0, Math.round(world.now - heard)),
  };
}

const NO_REPLICA = 'it has none';

type Outcome = { readonly node: NodeId } | { readonly refused: string };

/** Throws only what the caller has wrong: a shard or a node that is none. */
function attempt(world: World, promote: () => NodeId): Outcome {
  try {
    return { node: promote() };
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'invalid' || error.code === 'not_found') throw error;
    // Each one's reasons stand beside it.
    if (Array.isArray(error.detail)) return { refused: error.detail.length === 0 ? NO_REPLICA : 'each is refused' };
    // Whoever asked knows which shard it is about.
    return { refused: legible(error.message, world.intended.cluster).replace(/^shard \d+: /, '') };
  }
}

function promotedBy(world: World, shard: Shard, preferred: NodeId | undefined, force: boolean): NodeId {
  const { next } = failOverDeadMaster(world, { id: shard.id }, preferred, force, 'nobody');
  return shardOf(next.cluster, shard.id)?.master ?? shard.master;
}

export function planFailover(world: World, ref: ShardRef, preferred: NodeId | undefined, force: boolean): FailoverPlan {
  const { shard } = findShard(world.intended.cluster, ref);
  const planned = masterAnswers(world, shard);
  const askedSince = (planned ? null : world.view(shard.master)?.brokeAt) ?? Number.NEGATIVE_INFINITY;
  const words = (text: string) => legible(text, world.intended.cluster);
  const promotion = choosePromotion(world, shard, {
    askedSince,
    force: force && !planned,
    linked: planned,
    preferred,
    handedOver: handedOver(world, shard),
  });
  const judged = promotion.judged.map(({ refusals, passedOver, ...one }) => ({
    ...one,
    refusals: refusals.map(words),
    passedOver: passedOver === null ? null : words(passedOver),
  }));
  const nothing = { candidate: null, refused: null, needs_force: false, with_force: null, may_lose: null };
  const common = { ...nothing, shard: shard.id, master: shard.master, judged };
  if (planned) {
    const outcome = attempt(world, () => switchoverCandidate(world, ref, preferred).to.id);
    const found = 'node' in outcome ? { candidate: outcome.node } : outcome;
    return { ...common, how: 'switchover', ...found };
  }
  const outcome = attempt(world, () => promotedBy(world, shard, preferred, force));
  if ('node' in outcome) {
    const lost = mayLose(world, shard, outcome.node);
    return { ...common, how: 'promotion', candidate: outcome.node, may_lose: lost };
  }
  const forced = attempt(world, () => promotedBy(world, shard, preferred, true));
  if (!('node' in forced)) return { ...common, how: 'promotion', ...outcome };
  const lost = mayLose(world, shard, forced.node);
  return { ...common, how: 'promotion', ...outcome, needs_force: true, with_force: forced.node, may_lose: lost };
}
