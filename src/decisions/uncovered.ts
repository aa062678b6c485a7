/**
 * Slots that no shard owns, and who is to have them: whoever holds keys in them, so that these are served again; where
 * nobody does, the neighbour, so that ranges stay whole.
 */
import { type Cluster, coverage, type Shard } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import { ALL_SLOTS, covers, type SlotRange, type SlotSet, slotSet, subtract, union } from '../topology/slots.ts';
import type { DeepLook } from './deep-look.ts';
import type { World } from './world.ts';

export interface Gift {
  readonly shard: ShardId;
  readonly slots: SlotSet;
}

export interface Sharing {
  readonly gifts: readonly Gift[];
  /** Slots that nobody is to be given as things are, each set with the reason. */
  readonly kept: readonly { readonly slots: SlotSet; readonly why: string }[];
}

export const uncoveredSlots = (cluster: Cluster): SlotSet => subtract(ALL_SLOTS, coverage(cluster));

type Fate = { readonly to: ShardId } | { readonly why: string };

export function shareUncovered(world: World, deep: DeepLook): Sharing {
  const { cluster } = world.intended;
  const gifts = new Map<ShardId, SlotRange[]>();
  const kept = new Map<string, SlotRange[]>();
  for (const run of uncoveredSlots(cluster)) {
    for (let slot = run.from; slot <= run.to; slot++) {
      const fate = fateOf(world, deep, slot, run);
      const into = 'to' in fate ? listOf(gifts, fate.to) : listOf(kept, fate.why);
      into.push({ from: slot, to: slot });
    }
  }
  return {
    gifts: [...gifts].map(([shard, ranges]) => ({ shard, slots: slotSet(ranges) })),
    kept: [...kept].map(([why, ranges]) => ({ slots: slotSet(ranges), why })),
  };
}

function listOf<K>(lists: Map<K, SlotRange[]>, key: K): SlotRange[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: SlotRange[] = [];
  lists.set(key, list);
  return list;
}

function fateOf(world: World, deep: DeepLook, slot: number, run: SlotRange): Fate {
  const { shards } = world.intended.cluster;
  const holders: Shard[] = [];
  for (const shard of shards) {
    const look = deep.nodes.get(shard.master);
    const keys = look?.kind === 'read' ? look.keys : null;
    // Whoever was not asked may be the one that has the keys.
    if (keys === null || (keys.from !== null && slot >= keys.from))
      return { why: `nobody knows yet whether ${shard.master} holds keys in them` };
    if (keys.held.has(slot)) holders.push(shard);
  }
  const [holder, other] = holders;
  if (holder !== undefined && other !== undefined)
    return { why: `${holders.map(({ master }) => master).join(' and ')} hold keys in them` };
  const to = holder ?? neighbourOf(world, run);
  return to === undefined ? { why: 'no master answers that could own them' } : { to: to.id };
}

const answers = (world: World, { master }: Shard): boolean => {
  const view = world.view(master);
  return view?.state === 'up' && view.says === 'master';
};

/** Who owns the slot before the run, or behind it; else who owns the fewest. */
function neighbourOf(world: World, run: SlotRange): Shard | undefined {
  const shards = world.intended.cluster.shards.filter((shard) => answers(world, shard));
  const owning = (slot: number) => shards.find(({ slots }) => covers(slots, { from: slot, to: slot }));
  const count = ({ slots }: Shard) => slots.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const fewest = shards.reduce<Shard | undefined>(
    (least, shard) => (least === undefined || count(shard) < count(least) ? shard : least),
    undefined,
  );
  return owning(run.from - 1) ?? owning(run.to + 1) ?? fewest;
}

/** The cluster in which these slots have found their owners. */
export const withGifts = (cluster: Cluster, gifts: readonly Gift[]): Cluster => ({
  ...cluster,
  shards: cluster.shards.map((shard) => {
    const gift = gifts.find((one) => one.shard === shard.id);
    return gift === undefined ? shard : { ...shard, slots: union(shard.slots, gift.slots) };
  }),
});
