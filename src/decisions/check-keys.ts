/**
 * Keys that a master holds in slots of others, and slots of its own that it does not serve. Both are left over by a move
 * that was not told as it should be: a topology that a master got inside MULTI, a change of owners without the keys, a
 * MIGRATE by hand. No client can reach such keys, and they come back to life with their slot.
 */
import { movesOf } from '../operations/intended.ts';
import { unfinished } from '../operations/move.ts';
import { sameAddress } from '../topology/address.ts';
import { masterOf, type Shard, shardOf } from '../topology/cluster.ts';
import {
  covers,
  formatRange,
  formatSlots,
  intersect,
  NO_SLOTS,
  type SlotRange,
  type SlotSet,
  slotSet,
  subtract,
} from '../topology/slots.ts';
import { type Found, NOTHING_MORE } from './check-found.ts';
import { kvctl } from './commands.ts';
import type { DeepLook, KeysLook, NodeLook } from './deep-look.ts';
import type { World } from './world.ts';

export function keyFindings(world: World, deep: DeepLook): readonly Found[] {
  const moving = movingSlots(world, deep);
  return world.intended.cluster.shards.flatMap((shard) => {
    const look = deep.nodes.get(shard.master);
    if (look?.kind !== 'read') return [];
    return [
      ...unserved(world, shard, look, moving),
      ...(look.keys === null
        ? []
        : [...left(world, deep, shard, look.keys, moving), ...unseen(world, shard, look.keys)]),
    ];
  });
}

/** Neither end of a move holds or serves its slots as the topology says until all of it has ended. */
const movingSlots = (world: World, deep: DeepLook): SlotSet =>
  slotSet([deep.intended, world.intended].flatMap((at) => movesOf(at).filter(unfinished)).map(({ range }) => range));

/** Longer ones nobody types; the slots stand in the answer as data. */
const MOST = 300;

/** What is known of the keys that one master holds in slots of one other shard. */
interface Held {
  readonly shard: Shard;
  readonly own: number;
  readonly owner: Shard;
  readonly index: number;
  readonly held: ReadonlyMap<number, number>;
}

function left(world: World, deep: DeepLook, shard: Shard, { held }: KeysLook, moving: SlotSet): readonly Found[] {
  const { shards } = world.intended.cluster;
  const own = shards.indexOf(shard);
  const foreign = subtract(slotSet([...held.keys()].map((slot) => ({ from: slot, to: slot }))), moving);
  const certain = deep.elsewhere.get(shard.master) ?? new Set<number>();
  return shards.flatMap((owner, index) => {
    const look = deep.nodes.get(owner.master);
    const theirs = look?.kind === 'read' ? look.keys : null;
    if (owner === shard || theirs === null) return [];
    const sets: Record<'stale' | 'only' | 'open', SlotRange[]> = { stale: [], only: [], open: [] };
    // Of slots that changed hands since they were looked at nothing is known.
    const then = shardOf(deep.intended.cluster, owner.id)?.slots ?? NO_SLOTS;
    for (const range of intersect(foreign, intersect(owner.slots, then))) {
      for (let slot = range.from; slot <= range.to; slot++) {
        const known = certain.has(slot) && (theirs.from === null || slot < theirs.from);
        sets[!known ? 'open' : theirs.held.has(slot) ? 'stale' : 'only'].push({ from: slot, to: slot });
      }
    }
    const of = { shard, own, owner, index, held };
    return [
      ...onlyCopy(world, of, slotSet(sets.only)),
      ...leftBehind(world, of, slotSet(sets.stale)),
      ...undecided(world, of, slotSet(sets.open)),
    ];
  });
}

function keyWords({ shard, owner, index, held }: Held, slots: SlotSet): string {
  let keys = 0;
  for (const [slot, count] of held) if (covers(slots, { from: slot, to: slot })) keys += count;
  return `${shard.master} holds ${keys} ${keys === 1 ? 'key' : 'keys'} in slots of shard ${index} (${owner.master})`;
}

const common = (of: Held, slots: SlotSet) => ({
  ...NOTHING_MORE,
  shard: of.shard.id,
  node: of.shard.master,
  slots,
  evidence: perSlot(of.held, slots),
});

/** Slots that change their owner by the topology alone keep their keys where they were. */
function onlyCopy(world: World, of: Held, slots: SlotSet): readonly Found[] {
  if (slots.length === 0) return [];
  const back = kvctl(world, `migrate slot ${formatSlots(slots)}`, '--target', `${of.own}`, '--slot-only');
  return [
    {
      ...common(of, slots),
      code: 'KEYS_STRANDED',
      severity: 'error',
      message: `${keyWords(of, slots)}, which holds none in them itself: they may be all that there is, and no client can reach them`,
      waitingFor:
        'an operator: if these keys are wanted, their slots are to go back to where they are, without a move of keys',
      command: back.length <= MOST ? back : null,
    },
  ];
}

function leftBehind(world: World, of: Held, slots: SlotSet): readonly Found[] {
  if (slots.length === 0) return [];
  const move = (target: number) => kvctl(world, `migrate slot ${formatSlots(slots)}`, '--target', `${target}`);
  const both = `${move(of.own)} && ${move(of.index)}`;
  return [
    {
      ...common(of, slots),
      code: 'KEYS_LEFT',
      severity: 'warning',
      message: `${keyWords(of, slots)}, which serves them with keys of its own: no client can reach them, and they come back if the slots do without a move`,
      waitingFor:
        'an operator: if nobody wants them, moving the slots here and back deletes them, since a move begins by deleting what its target holds of them; no command of the server deletes them alone',
      command: both.length <= MOST ? both : null,
    },
  ];
}

/** It is not certain that their owner serves them, or how: whoever deleted them might delete the only copy. */
function undecided(world: World, of: Held, slots: SlotSet): readonly Found[] {
  if (slots.length === 0) return [];
  return [
    {
      ...common(of, slots),
      code: 'KEYS_ELSEWHERE',
      severity: 'warning',
      message: `${keyWords(of, slots)}, and it is not certain that they are served there: they may be what clients see`,
      waitingFor:
        'an operator: leave them alone; mend first what is wrong with these slots or masters, and check again',
      command: kvctl(world, 'check cluster'),
    },
  ];
}

/** The fullest slots. */
const SHOWN = 5;

function perSlot(held: ReadonlyMap<number, number>, slots: SlotSet): readonly string[] {
  const full = [...held].filter(([slot]) => covers(slots, { from: slot, to: slot })).sort((a, b) => b[1] - a[1]);
  const words = full.slice(0, SHOWN).map(([slot, count]) => `${count} in slot ${slot}`);
  return full.length <= SHOWN ? words : [...words, `and ${full.length - SHOWN} more slots`];
}

function unseen(world: World, shard: Shard, keys: KeysLook): readonly Found[] {
  if (keys.from === null) return [];
  const seen = keys.from === 0 ? 'no slot' : keys.from === 1 ? 'slot 0' : `slots 0-${keys.from - 1}`;
  return [
    {
      ...NOTHING_MORE,
      code: 'KEYS_UNSEEN',
      severity: 'note',
      shard: shard.id,
      node: shard.master,
      message: `${shard.master} was looked through for keys in slots of others only in part: ${seen}, ${keys.looked} keys; ${keys.why}`,
      waitingFor: null,
      command: kvctl(world, 'check cluster', '--scan', '10m', '--timeout', '15m'),
      slots: [{ from: keys.from, to: 16_383 }],
    },
  ];
}

function unserved(
  world: World,
  shard: Shard,
  look: Extract<NodeLook, { kind: 'read' }>,
  moving: SlotSet,
): readonly Found[] {
  const { shards } = world.intended.cluster;
  // Of its last job, told for ever: by hand, or undone, if the topology does not know of it.
  const job = world.view(shard.master)?.migrating;
  const last = job?.state === 'success' ? job.range : null;
  return look.unserved.flatMap(({ slot, moved, why }) => {
    const one = { from: slot, to: slot };
    if (covers(moving, one) || !covers(shard.slots, one)) return [];
    const range = last !== null && covers([last], one) && covers(shard.slots, last) ? last : one;
    const to = moved === null ? -1 : shards.findIndex((other) => sameAddress(masterOf(other).address, moved));
    const takes = to < 0 || shards[to] === shard ? null : to;
    return [
      {
        ...NOTHING_MORE,
        code: 'SLOTS_NOT_SERVED',
        severity: 'error',
        shard: shard.id,
        node: shard.master,
        message: `${shard.master} owns slots ${formatRange(range)} and does not serve them: ${why}`,
        waitingFor:
          takes === null
            ? 'an operator: find out which node holds their keys'
            : `an operator: if they were moved by hand to shard ${takes}, which serves them, the topology is to say so`,
        command:
          takes === null
            ? null
            : kvctl(world, `migrate slot ${formatRange(range)}`, '--target', `${takes}`, '--slot-only'),
        slots: [range],
      },
    ];
  });
}

/** Slots of a master worth a question whether it serves them: the first of each of its ranges, and of its last move. */
export function slotsToTry(world: World, shard: Shard): readonly number[] {
  const job = world.view(shard.master)?.migrating;
  const last = job?.state === 'success' ? job.range : null;
  const tried = shard.slots.slice(0, MOST_TRIED).map(({ from }) => from);
  return last !== null && covers(shard.slots, last) && !tried.includes(last.from) ? [...tried, last.from] : tried;
}
const MOST_TRIED = 64;
