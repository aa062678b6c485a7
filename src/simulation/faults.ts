/**
 * What befalls a cluster in a random run: faults and an operator's commands in an order and at instants drawn from the
 * seed. A shard that is not whole yet is mostly left alone, so that each run has something to lose, and a disk is only
 * emptied while others hold all of it.
 */

import { slotOf } from '../emulator/slots.ts';
import type { Machine } from './machine.ts';
import type { Scenario } from './run.ts';
import type { Stage } from './stage.ts';

export interface RandomOptions {
  /** Acts in one run. */
  readonly acts: number;
  /** Between two acts, in ms. */
  readonly pause: readonly [number, number];
}

type Act = (stage: Stage, index: number) => void | Promise<void>;

function whole(stage: Stage, index: number): boolean {
  const shard = stage.invariants.cluster?.shards[index];
  const open = stage.unconverged();
  return shard !== undefined && open.length === 0;
}

/** Back after a moment, a while, or a long time. */
function restLength(stage: Stage): number {
  const draw = stage.random.next();
  if (draw < 0.35) return stage.between(50, 900);
  if (draw < 0.8) return stage.between(900, 6_000);
  return stage.between(6_000, 20_000);
}

function killForAWhile(stage: Stage, machine: Machine): void {
  const { life } = machine;
  if (machine.state === 'dead') return;
  stage.kill(machine);
  stage.world.loop.after(restLength(stage), () => {
    if (machine.life === life) stage.start(machine);
  });
}

function hangForAWhile(stage: Stage, machine: Machine): void {
  if (machine.state !== 'running') return;
  stage.hang(machine);
  const length = stage.random.next() < 0.5 ? stage.between(100, 2_800) : stage.between(3_500, 12_000);
  stage.world.loop.after(length, () => stage.wake(machine));
}

/** The controller's process stands still and goes on as if nothing had been. */
function stallForAWhile(stage: Stage): void {
  const process = stage.world.controllerProcess;
  if (process === undefined) return;
  stage.world.note('hang the controller');
  stage.world.count('controller-hang');
  process.hang();
  stage.world.loop.after(stage.between(100, 8_000), () => {
    if (process.alive) stage.world.note('wake the controller');
    process.wake();
  });
}

/** A replica falls behind its master by up to two seconds. */
function thinLink(stage: Stage, index: number): void {
  const replica = stage.pick(stage.replicas(index));
  if (replica !== undefined)
    stage.slowLink(stage.master(index), replica, stage.between(10, 2_000), stage.between(500, 6_000));
}

function isolateForAWhile(stage: Stage, machine: Machine, all: boolean): void {
  if (all) stage.isolate(machine);
  else stage.cutFromController(machine);
  stage.world.loop.after(stage.between(500, 10_000), () => stage.heal(machine));
}

function anyNode(stage: Stage, index: number): Machine {
  return stage.pick([stage.master(index), ...stage.replicas(index)]) ?? stage.master(index);
}

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

function moveSome(stage: Stage, index: number, slotOnly: boolean): void {
  const range = someRange(stage, index);
  const shards = stage.invariants.cluster?.shards.length ?? 1;
  const target = (index + 1 + Math.floor(stage.between(0, shards - 1))) % shards;
  if (range !== undefined && target !== index) void stage.migrate(target, [range], slotOnly);
}

const LOSABLE = ['SETNODES', 'MIGRATE', 'CLUSTER', 'MYID'];

/** Each act with how often it is drawn. */
const acts: readonly (readonly [weight: number, act: Act])[] = [
  [10, (stage, index) => killForAWhile(stage, stage.master(index))],
  [5, (stage, index) => killForAWhile(stage, anyNode(stage, index))],
  [4, (stage, index) => wipeOne(stage, index)],
  [6, (stage, index) => hangForAWhile(stage, anyNode(stage, index))],
  [4, (stage, index) => isolateForAWhile(stage, stage.master(index), true)],
  [4, (stage, index) => isolateForAWhile(stage, anyNode(stage, index), false)],
  [4, (stage, index) => stage.slow(anyNode(stage, index), stage.between(5, 400), stage.between(500, 5_000))],
  [4, (stage, index) => thinLink(stage, index)],
  [6, (stage, index) => stage.loseAnswer(anyNode(stage, index), stage.pick(LOSABLE) ?? 'SETNODES')],
  [
    6,
    (stage) => {
      stage.crashController();
      stage.world.loop.after(stage.between(50, 6_000), () => stage.startController());
    },
  ],
  [8, (stage) => stage.crashAfterSteps(1 + Math.floor(stage.between(0, 12)), stage.between(50, 3_000))],
  [3, (stage) => stallForAWhile(stage)],
  [10, (stage, index) => void stage.failover(index)],
  [10, (stage, index) => moveSome(stage, index, false)],
  [2, (stage, index) => moveSome(stage, index, true)],
  [3, (stage, index) => addOne(stage, index)],
  [3, (stage, index) => removeOne(stage, index)],
  [
    2,
    async (stage) => {
      await stage.pause();
      stage.world.loop.after(stage.between(500, 4_000), () => void stage.resume());
    },
  ],
];

/** A disk is only lost while other nodes of its shard hold all of it, and nothing else is amiss. */
async function wipeOne(stage: Stage, index: number): Promise<void> {
  if (!whole(stage, index) || stage.replicas(index).length < 1 || stage.world.network.troubled) return;
  const replica = stage.pick(stage.replicas(index));
  if (stage.random.next() < 0.5 || replica === undefined) {
    await stage.emptyMaster(index, restLength(stage));
    return;
  }
  const { life } = replica;
  stage.kill(replica);
  stage.wipe(replica);
  stage.world.loop.after(restLength(stage), () => {
    if (replica.life === life) stage.start(replica);
  });
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

function addOne(stage: Stage, index: number): void {
  const machine = spare(stage);
  if (machine !== undefined) void stage.addNode(index, machine);
}

function removeOne(stage: Stage, index: number): void {
  const replicas = stage.replicas(index);
  const machine = stage.pick(replicas);
  // A shard keeps one replica: what is removed with the last one cannot be promoted.
  if (machine !== undefined && replicas.length > 1) void stage.removeNode(index, machine);
}

const total = acts.reduce((sum, [weight]) => sum + weight, 0);

function draw(stage: Stage): Act {
  let left = stage.random.next() * total;
  for (const [weight, act] of acts) {
    left -= weight;
    if (left < 0) return act;
  }
  return () => {};
}

/** A disturbed shard is hit again this often. */
const AGAIN = 0.15;

export function randomScenario(shards: number, perShard: number, options: RandomOptions): Scenario {
  return {
    name: 'random',
    shards,
    perShard,
    spares: 1,
    lostAnswers: 0.01,
    async play(stage) {
      for (let i = 0; i < options.acts; i++) {
        await stage.sleep(stage.between(options.pause[0], options.pause[1]));
        const index = Math.floor(stage.between(0, stage.invariants.cluster?.shards.length ?? 1));
        const act = draw(stage);
        if (whole(stage, index) || stage.random.next() < AGAIN) await act(stage, index);
      }
      await stage.sleep(2_000);
    },
  };
}
