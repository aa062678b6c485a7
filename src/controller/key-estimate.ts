/** How many keys a slot of each shard holds, roughly: what people are told when slots are to move. */
import type { World } from '../decisions/world.ts';
import { estimateKeys } from '../kvrocks/commands/estimate-keys.ts';
import { openConnection } from '../kvrocks/connection.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import { masterOf, type Shard } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import { slotCount } from '../topology/slots.ts';

/** Of shards whose master said so. */
export type KeysPerSlot = ReadonlyMap<ShardId, number>;

export const NO_ESTIMATE: KeysPerSlot = new Map();

/** Nobody waits longer for a number that only informs. */
const WITHIN: Duration = 500;
const AT_ONCE = 16;

/** Asks the masters that are up and own slots. Never rejects; a master that does not answer is left out. */
export async function keysPerSlot(runtime: Runtime, world: World): Promise<KeysPerSlot> {
  const waiting = world.intended.cluster.shards.filter(
    ({ master, slots }) => slots.length > 0 && world.view(master)?.state === 'up',
  );
  const found = new Map<ShardId, number>();
  const turns = Array.from({ length: AT_ONCE }, async () => {
    for (let shard = waiting.shift(); shard !== undefined; shard = waiting.shift()) {
      const keys = await keysOf(runtime, world, shard);
      if (keys !== undefined) found.set(shard.id, keys / slotCount(shard.slots));
    }
  });
  await Promise.all(turns);
  return found;
}

async function keysOf(runtime: Runtime, world: World, shard: Shard): Promise<number | undefined> {
  const connection = openConnection(runtime, masterOf(shard).address, {
    password: world.intended.cluster.password,
    connectTimeout: WITHIN,
    replyTimeout: WITHIN,
  });
  try {
    const answer = await connection.ask(estimateKeys());
    return answer.kind === 'reply' ? answer.value : undefined;
  } finally {
    connection.close();
  }
}
