/**
 * Slots that a master owns and takes no write of. A server remembers the last range that it has given away, by its job's
 * success: should the topology say later that it owns it after all, it answers every write there with TRYAGAIN, and MIGRATE
 * of it with an error, until it moves other slots, takes part of the range back by an import, or is restarted. Whoever
 * takes its place remembers nothing, so a switchover mends it. By the same word a server has given slots away that nobody
 * was told of, and then a switchover would bring the old ones back: only what a move knows to have come back counts.
 */
import { switchoverOf } from '../operations/intended.ts';
import { isActive, type Move } from '../operations/move.ts';
import type { Node, Shard } from '../topology/cluster.ts';
import { intersect, NO_SLOTS, type SlotSet } from '../topology/slots.ts';
import { choosePromotion } from './promotion.ts';
import { carries } from './seen.ts';
import type { World } from './world.ts';

/**
 * Of what a move has brought back to it, by its own word; undefined: it has not said so since it was told that they are its
 * own.
 */
export function refusedSlots(world: World, move: Move, shard: Shard): SlotSet | undefined {
  if (move.returned === null || move.source !== shard.id || isActive(move)) return NO_SLOTS;
  const master = world.view(shard.master);
  if (master?.state !== 'up' || !carries(world, { id: shard.master })) return undefined;
  if (master.says !== 'master' || master.askedAt < master.versionSince) return undefined;
  const { migrating } = master;
  if (migrating?.state !== 'success' || migrating.range === null) return NO_SLOTS;
  return intersect(intersect(shard.slots, [migrating.range]), [move.returned]);
}

/** Who could take its place without loss; undefined: nobody now. */
export function curedBy(world: World, shard: Shard): Node | undefined {
  if (switchoverOf(world.intended) !== undefined || world.intended.pause !== null) return undefined;
  const wanted = { askedSince: Number.NEGATIVE_INFINITY, force: false, linked: true };
  const promotion = choosePromotion(world, shard, wanted);
  const to = promotion.kind === 'promote' ? shard.nodes.find(({ id }) => id === promotion.node) : undefined;
  return to !== undefined && carries(world, to) ? to : undefined;
}
