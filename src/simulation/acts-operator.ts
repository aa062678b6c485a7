/** What an operator asks for in a random run. */
import { slotOf } from '../emulator/slots.ts';
import type { Act } from './faults.ts';
import type { Machine } from './machine.ts';
import type { Stage } from './stage.ts';

/** Ranges around keys that clients use, so that a move takes data with it. */
function someRange(stage: Stage, index: number): { from: number; to: number } | undefined {
  const keys = Array.from({ length: 24 }, (_, i) => slotOf(`c${i % 4}k${Math.floor(i / 4)}`));
  const { slots } = stage.shard(index);
  const slot = stage.pick(keys.filter((key) => slots.some((range) => range.from <= key && key <= range.to)));
  if (slot === undefined) return undefined;
  const own = slots.find((range) => range.from <= slot && slot <= range.to);
  const from = Math.max(own?.from ?? slot, slot - Math.floor(stage.between(0, 100)));
  return { from, to: Math.min(own?.to ?? slot, slot + Math.floor(stage.between(0, 100))) };
}

async function moveSome(stage: Stage, index: number, slotOnly: boolean): Promise<void> {
  const range = someRange(stage, index);
  const shards = stage.invariants.cluster?.shards.length ?? 1;
  const target = (index + 1 + Math.floor(stage.between(0, shards - 1))) % shards;
  if (range !== undefined && target !== index) await stage.migrate(target, [range], slotOnly);
}

/** An empty node that runs and is in no cluster. */
function spare(stage: Stage): Machine | undefined {
  const listed = new Set(
    stage.invariants.cluster?.shards.flatMap((shard) => shard.nodes.map(({ address }) => stage.machineOf(address))),
  );
  return stage.world.machines.find(
    (machine) => machine.state === 'running' && !listed.has(machine) && machine.core?.database.sequence === 0,
  );
}

async function addOne(stage: Stage, index: number): Promise<void> {
  const machine = spare(stage);
  if (machine !== undefined) await stage.addNode(index, machine);
}

async function removeOne(stage: Stage, index: number): Promise<void> {
  const replicas = stage.replicas(index);
  const machine = stage.pick(replicas);
  // A shard keeps one replica: what is removed with the last one cannot be promoted.
  if (machine !== undefined && replicas.length > 1) await stage.removeNode(index, machine);
}

async function pauseForAWhile(stage: Stage): Promise<void> {
  await stage.pause();
  await stage.sleep(stage.between(500, 4_000));
  await stage.resume();
}

export const operatorActs: readonly Act[] = [
  { weight: 12, name: 'switchover', play: async (stage, index) => void (await stage.failover(index)) },
  { weight: 12, name: 'move', play: (stage, index) => moveSome(stage, index, false) },
  { weight: 2, name: 'move-slots-only', play: (stage, index) => moveSome(stage, index, true) },
  { weight: 3, name: 'add-node', play: addOne },
  { weight: 3, name: 'remove-node', play: removeOne },
  { weight: 2, name: 'pause', play: pauseForAWhile },
];
