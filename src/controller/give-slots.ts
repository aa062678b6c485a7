/** Slots that nobody owns get an owner by the topology alone: no key is moved, and none is deleted. */
import { type Gift, uncoveredSlots, withGifts } from '../decisions/uncovered.ts';
import type { Proposal, World } from '../decisions/world.ts';
import { movesOf, nextVersion } from '../operations/intended.ts';
import { binds } from '../operations/move.ts';
import { shardOf } from '../topology/cluster.ts';
import { formatRange, subtract } from '../topology/slots.ts';
import { refusePaused } from './changes.ts';
import { notFound, Refusal } from './refusal.ts';

/** Throws a `Refusal` where one of them has an owner by now, or a move of its shard is under way. */
export function giveSlots(world: World, gifts: readonly Gift[], by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const free = uncoveredSlots(intended.cluster);
  for (const { shard, slots } of gifts) {
    if (shardOf(intended.cluster, shard) === undefined) throw notFound(`shard ${shard}`);
    const taken = subtract(slots, free);
    if (taken.length > 0)
      throw new Refusal(
        'changed',
        `slots ${taken.map(formatRange).join(',')} have an owner by now; check the cluster again`,
      );
    const move = movesOf(intended).find((one) => one.phase !== 'queued' && binds(one, shard));
    if (move !== undefined)
      throw new Refusal(
        'operation_running',
        `slots ${formatRange(move.range)} are on their way from or to this shard; try again when that has ended`,
        move.id,
      );
  }
  return {
    next: nextVersion(intended, withGifts(intended.cluster, gifts)),
    events: gifts.map(({ shard, slots }) => ({
      kind: 'slots.given',
      message: `slots ${slots.map(formatRange).join(',')}, which nobody owned, are given to shard ${shard} without any keys being moved`,
      by,
      shard,
    })),
  };
}
