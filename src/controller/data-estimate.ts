/** How much a slot of each shard holds, roughly: what people are told when slots are to move, and how a move begins. */
import type { World } from '../decisions/world.ts';
import { type DataSize, dataSize } from '../kvrocks/commands/data-size.ts';
import { openConnection } from '../kvrocks/connection.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import { masterOf, type Shard } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import { slotCount } from '../topology/slots.ts';

/** Of one slot, on average; of shards whose master said so. */
export type SlotSizes = ReadonlyMap<ShardId, DataSize>;

export const NO_ESTIMATE: SlotSizes = new Map();

/** Nobody waits longer for a number that only informs. */
const WITHIN: Duration = 500;
const AT_ONCE = 16;

/** Asks the masters that are up and own slots. Never rejects; a master that does not answer is left out. */
export async function slotSizes(runtime: Runtime, world: World): Promise<SlotSizes> {
  const waiting = world.intended.cluster.shards.filter(
    ({ master, slots }) => slots.length > 0 && world.view(master)?.state === 'up',
  );
  const found = new Map<ShardId, DataSize>();
  const turns = Array.from({ length: AT_ONCE }, async () => {
    for (let shard = waiting.shift(); shard !== undefined; shard = waiting.shift()) {
      const size = await sizeOf(runtime, world, shard);
      const count = slotCount(shard.slots);
      if (size !== undefined)
        found.set(shard.id, { keys: size.keys / count, bytes: size.bytes === null ? null : size.bytes / count });
    }
  });
  await Promise.all(turns);
  return found;
}

async function sizeOf(runtime: Runtime, world: World, shard: Shard): Promise<DataSize | undefined> {
  const connection = openConnection(runtime, masterOf(shard).address, {
    password: world.intended.cluster.password,
    connectTimeout: WITHIN,
    replyTimeout: WITHIN,
  });
  try {
    const answer = await connection.ask(dataSize());
    return answer.kind === 'reply' ? answer.value : undefined;
  } finally {
    connection.close();
  }
}

/**
 * What is copied in a second at least, by how the source copies. Raw, 290,000 small keys were measured, and 16 MB, its limit;
 * as commands it is half of the migrate-speed that a server has by default.
 */
const COPIES = {
  'raw-key-value': { keys: 60_000, bytes: 5_000_000 },
  'redis-command': { keys: 2_000, bytes: 5_000_000 },
} as const;

/**
 * Slots that can surely be copied within so many ms: a first piece of the usual size is far too long for a shard of
 * hundreds of gigabytes. Null where the source has not told enough.
 */
export function fitting(
  perSlot: DataSize | undefined,
  how: 'raw-key-value' | 'redis-command' | null,
  within: Duration,
): number | null {
  if (perSlot === undefined || perSlot.bytes === null || how === null) return null;
  const each = Math.max(perSlot.keys / COPIES[how].keys, perSlot.bytes / COPIES[how].bytes);
  return Math.max(1, Math.floor(within / 1_000 / Math.max(each, 1e-9)));
}
