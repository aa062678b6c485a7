/** Acts of a random run that befall controllers, their store, and the network. */
import { anyNode } from './acts-nodes.ts';
import type { Act } from './faults.ts';
import type { Stage } from './stage.ts';
import type { Party } from './stage-faults.ts';

/** Faults that last shorter or longer than a lease. */
const awhile = (stage: Stage): number => (stage.chance(0.6) ? stage.between(200, 4_000) : stage.between(4_000, 14_000));

function crashForAWhile(stage: Stage): void {
  const host = stage.someController();
  if (host === undefined) return;
  stage.crashController(host);
  stage.world.loop.after(stage.between(50, 6_000), () => stage.startController(host));
}

/** The process stands still and goes on as if nothing had been. */
function stallForAWhile(stage: Stage): void {
  const host = stage.hangController();
  if (host !== undefined) stage.world.loop.after(awhile(stage), () => stage.wakeController(host));
}

function cutFromStore(stage: Stage): void {
  const host = stage.someController();
  if (host === undefined) return;
  stage.reach(host, stage.chance(0.5) ? 'silent' : 'refused');
  stage.world.loop.after(awhile(stage), () => stage.reach(host, 'up'));
}

function storeGone(stage: Stage): void {
  const how = stage.chance(0.5) ? 'silent' : 'refused';
  for (const host of stage.world.controllers) stage.reach(host, how);
  stage.world.loop.after(awhile(stage), () => {
    for (const host of stage.world.controllers) stage.reach(host, 'up');
  });
}

function storeSlow(stage: Stage): void {
  const kind = stage.pick(['slowBy', 'commitsBy', 'answersBy'] as const) ?? 'slowBy';
  stage.slowStore(kind, kind === 'slowBy' ? stage.between(5, 400) : stage.between(100, 3_000), awhile(stage));
}

function during(stage: Stage, heal: () => void): void {
  stage.world.loop.after(awhile(stage), heal);
}

function cutAController(stage: Stage, others: readonly Party[]): void {
  const host = stage.someController();
  if (host !== undefined) during(stage, stage.cut([host], others, stage.chance(0.6) ? 'both' : 'one-way'));
}

/** The machines and controllers fall into two groups, each node and controller on a side of its own drawing. */
function partition(stage: Stage): void {
  const { machines, controllers } = stage.world;
  const ones: Party[] = [];
  const others: Party[] = [];
  for (const party of [...machines, ...controllers]) (stage.chance(0.5) ? ones : others).push(party);
  during(stage, stage.cut(ones, others, stage.chance(0.6) ? 'both' : 'one-way'));
}

/** A replica falls behind its master by up to two seconds. */
function thinLink(stage: Stage, index: number): void {
  const replica = stage.pick(stage.replicas(index));
  if (replica !== undefined)
    stage.slowLink(stage.master(index), replica, stage.between(10, 2_000), stage.between(500, 6_000));
}

function slowController(stage: Stage, index: number): void {
  const host = stage.someController();
  // Beyond the second after which an answer is given up: what was asked comes to pass all the same, later.
  if (host !== undefined) stage.slowLink(host, anyNode(stage, index), stage.between(500, 5_000), awhile(stage));
}

export const controlActs: readonly Act[] = [
  { weight: 6, name: 'kill-controller', play: crashForAWhile },
  {
    weight: 8,
    name: 'kill-controller-at-a-step',
    play: (stage) => stage.crashAfterSteps(1 + Math.floor(stage.between(0, 12)), stage.between(50, 3_000)),
  },
  { weight: 4, name: 'hang-controller', play: stallForAWhile },
  { weight: 3, name: 'cut-from-store', play: cutFromStore },
  { weight: 2, name: 'store-gone', play: storeGone },
  { weight: 3, name: 'store-slow', play: storeSlow },
  { weight: 2, name: 'cut-from-all-nodes', play: (stage) => cutAController(stage, stage.world.machines) },
  { weight: 2, name: 'cut-from-a-node', play: (stage, index) => cutAController(stage, [anyNode(stage, index)]) },
  {
    weight: 1,
    name: 'clock-of-a-controller',
    play: (stage) => {
      const host = stage.someController();
      if (host !== undefined) stage.jumpClock(host, stage.between(-7_200_000, 7_200_000));
    },
  },
];

export const networkActs: readonly Act[] = [
  {
    weight: 4,
    name: 'isolate-a-master',
    play: (stage, index) => {
      const master = stage.master(index);
      stage.isolate(master);
      stage.world.loop.after(stage.between(500, 10_000), () => stage.heal(master));
    },
  },
  { weight: 3, name: 'partition', play: partition },
  {
    weight: 2,
    name: 'cut-from-replicas',
    play: (stage, index) =>
      during(stage, stage.cut([stage.master(index)], stage.replicas(index), stage.chance(0.5) ? 'both' : 'one-way')),
  },
  { weight: 2, name: 'black-hole', play: (stage, index) => during(stage, stage.blackHole(anyNode(stage, index))) },
  {
    weight: 2,
    name: 'flapping-link',
    play: (stage, index) => stage.flap(anyNode(stage, index), 3_000, 1 + Math.floor(stage.between(0, 3))),
  },
  {
    weight: 4,
    name: 'slow-a-node',
    play: (stage, index) => stage.slow(anyNode(stage, index), stage.between(5, 400), stage.between(500, 5_000)),
  },
  { weight: 3, name: 'slow-controller', play: slowController },
  { weight: 4, name: 'thin-link', play: thinLink },
  {
    weight: 2,
    name: 'lose-packets',
    play: (stage, index) => stage.losePackets(anyNode(stage, index), stage.between(0.01, 0.3), awhile(stage)),
  },
];
