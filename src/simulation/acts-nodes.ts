/** Acts of a random run that befall nodes. */
import type { Act } from './faults.ts';
import type { Machine } from './machine.ts';
import type { Stage } from './stage.ts';

export function anyNode(stage: Stage, index: number): Machine {
  return stage.pick([stage.master(index), ...stage.replicas(index)]) ?? stage.master(index);
}

/** Every node carries what is committed and plays its role. */
export const whole = (stage: Stage): boolean =>
  stage.invariants.cluster !== undefined && stage.unconverged().length === 0;

/** Back after a moment, a while, or a long time. */
function restLength(stage: Stage): number {
  const draw = stage.random.next();
  if (draw < 0.35) return stage.between(50, 900);
  if (draw < 0.8) return stage.between(900, 6_000);
  return stage.between(6_000, 20_000);
}

function startLater(stage: Stage, machine: Machine, rest: number): void {
  const { life } = machine;
  stage.world.loop.after(rest, () => {
    if (machine.life === life) stage.start(machine);
  });
}

function killForAWhile(stage: Stage, machine: Machine): void {
  if (machine.state === 'dead') return;
  stage.kill(machine);
  startLater(stage, machine, restLength(stage));
}

function hangForAWhile(stage: Stage, machine: Machine): void {
  if (machine.state !== 'running') return;
  stage.hang(machine);
  const length = stage.chance(0.5) ? stage.between(100, 2_800) : stage.between(3_500, 12_000);
  stage.world.loop.after(length, () => stage.wake(machine));
}

/** A disk is only lost while other nodes of its shard hold all of it, and nothing else is amiss. */
const mayLoseADisk = (stage: Stage, index: number): boolean =>
  !stage.world.over && whole(stage) && stage.replicas(index).length > 0 && stage.watched();

async function wipeOne(stage: Stage, index: number): Promise<void> {
  if (!mayLoseADisk(stage, index)) return;
  const replica = stage.pick(stage.replicas(index));
  if (stage.chance(0.5) || replica === undefined) {
    await stage.emptyMaster(index, restLength(stage));
    return;
  }
  stage.kill(replica);
  stage.wipe(replica);
  startLater(stage, replica, restLength(stage));
}

/** So many records fewer are seen before a master that goes on at once has written as many others. */
const SEEN_MISSING = 40;

/** A node goes back to what its disk held some seconds ago, as when a snapshot of its machine is restored. */
async function rollBackOne(stage: Stage, index: number): Promise<void> {
  const machine = anyNode(stage, index);
  if (machine.state !== 'running') return;
  const image = machine.snapshot();
  const before = machine.core?.database.sequence ?? 0;
  await stage.sleep(stage.between(1_000, 6_000));
  if (!mayLoseADisk(stage, index) || machine.state !== 'running') return;
  if (machine === stage.master(index)) {
    // A few that nobody missed, under numbers that are soon taken again: nothing tells that from outside.
    if ((machine.core?.database.sequence ?? 0) < before + SEEN_MISSING) return;
    await stage.emptyMaster(index, restLength(stage), image);
    return;
  }
  stage.kill(machine);
  stage.restoreDisk(machine, image);
  startLater(stage, machine, restLength(stage));
}

function losePower(stage: Stage, index: number): void {
  const machine = anyNode(stage, index);
  // A master that lost a few records and took as many others is seen at the number that it had.
  const data = machine === stage.master(index) ? 0 : stage.between(0, 200);
  stage.losePower(machine, data, stage.between(0, 5_000), stage.between(1_200, 20_000));
}

/** For a while it is not itself. */
function ailing(stage: Stage, machine: Machine, kind: 'closesAtOnce' | 'answersErrors' | 'diskFull'): void {
  stage.ail(machine, kind, stage.between(200, 6_000));
}

function dieWritingTopology(stage: Stage, machine: Machine): void {
  stage.dieAtSave(machine, 1 + Math.floor(stage.between(0, 2)), restLength(stage));
}

const LOSABLE = ['SETNODES', 'MIGRATE', 'CLUSTER', 'MYID'];

export const nodeActs: readonly Act[] = [
  { weight: 10, name: 'kill-master', play: (stage, index) => killForAWhile(stage, stage.master(index)) },
  { weight: 5, name: 'kill-a-node', play: (stage, index) => killForAWhile(stage, anyNode(stage, index)) },
  { weight: 4, name: 'lose-a-disk', play: wipeOne },
  { weight: 2, name: 'roll-back-a-disk', play: rollBackOne },
  { weight: 3, name: 'lose-power', play: losePower },
  { weight: 6, name: 'hang-a-node', play: (stage, index) => hangForAWhile(stage, anyNode(stage, index)) },
  { weight: 2, name: 'close-at-once', play: (stage, index) => ailing(stage, anyNode(stage, index), 'closesAtOnce') },
  { weight: 2, name: 'answer-errors', play: (stage, index) => ailing(stage, anyNode(stage, index), 'answersErrors') },
  { weight: 2, name: 'full-disk', play: (stage, index) => ailing(stage, anyNode(stage, index), 'diskFull') },
  { weight: 2, name: 'die-writing', play: (stage, index) => dieWritingTopology(stage, anyNode(stage, index)) },
  {
    weight: 6,
    name: 'lose-an-answer',
    play: (stage, index) => stage.loseAnswer(anyNode(stage, index), stage.pick(LOSABLE) ?? 'SETNODES'),
  },
  {
    weight: 1,
    name: 'clock-of-a-node',
    play: (stage, index) => stage.jumpClock(anyNode(stage, index), stage.between(-7_200_000, 7_200_000)),
  },
];
