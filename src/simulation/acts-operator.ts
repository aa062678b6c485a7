/** What an operator asks for in a random run. */
import type { Act } from './faults.ts';
import type { Machine } from './machine.ts';
import type { Stage } from './stage.ts';

async function moveSome(stage: Stage, index: number, slotOnly: boolean): Promise<void> {
  const range = stage.rangeWithKeys(index, Math.floor(stage.between(0, 100)), Math.floor(stage.between(0, 100)));
  const shards = stage.invariants.cluster?.shards.length ?? 1;
  const target = (index + 1 + Math.floor(stage.between(0, shards - 1))) % shards;
  if (range !== undefined && target !== index) await stage.migrate(target, [range], slotOnly);
}

/** Several at once, in small pieces, so that they take a while and run side by side. */
async function planSome(stage: Stage): Promise<void> {
  const shards = stage.invariants.cluster?.shards.length ?? 1;
  const moves = [];
  for (let source = 0; source < shards; source++) {
    const range = stage.rangeWithKeys(source, Math.floor(stage.between(0, 60)), Math.floor(stage.between(0, 60)));
    const target = (source + 1 + Math.floor(stage.between(0, shards - 1))) % shards;
    if (range !== undefined && target !== source) moves.push({ range, source, target });
  }
  if (moves.length > 0) await stage.plan(moves, { slotsPerMove: 1 + Math.floor(stage.between(0, 60)) }, 'rebalance');
}

/** Its pieces take a while: the way between the two masters is long. */
async function moveSlowly(stage: Stage, index: number): Promise<void> {
  const shards = stage.invariants.cluster?.shards.length ?? 1;
  const target = (index + 1) % shards;
  const range = stage.rangeWithKeys(index, 20, 20);
  if (range === undefined || target === index) return;
  stage.slowLink(stage.master(index), stage.master(target), stage.between(20, 400), stage.between(1_000, 8_000));
  await stage.plan([{ range, source: index, target }]);
}

async function pauseMoves(stage: Stage): Promise<void> {
  await stage.changeMoves({ do: 'pause', which: 'all' });
  await stage.sleep(stage.between(500, 4_000));
  await stage.changeMoves({ do: 'resume', which: 'all' });
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
  { weight: 5, name: 'plan-moves', play: planSome },
  { weight: 5, name: 'move-slowly', play: moveSlowly },
  { weight: 2, name: 'pause-moves', play: pauseMoves },
  {
    weight: 3,
    name: 'cancel-moves',
    play: async (stage) => void (await stage.changeMoves({ do: 'cancel', which: 'all' })),
  },
  {
    weight: 2,
    name: 'retry-moves',
    play: async (stage) => void (await stage.changeMoves({ do: 'retry', which: 'all' })),
  },
  { weight: 2, name: 'move-slots-only', play: (stage, index) => moveSome(stage, index, true) },
  { weight: 3, name: 'add-node', play: addOne },
  { weight: 3, name: 'remove-node', play: removeOne },
  { weight: 2, name: 'pause', play: pauseForAWhile },
];
