/** How a move may end when something befalls those who take part, at each moment of it. */

import { writeCommand } from '../emulator/resp-reader.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { Machine } from './machine.ts';
import { allMoved, comesTo, moveNow, owns, quicken, SLOW, says, slowly, someSlots } from './move-steps.ts';
import type { Scenario } from './run.ts';
import { failsOver, isTold, neverFailsOver, two } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

/** A move begins, and every controller dies within it; resolves as its source says success. */
async function succeedsAlone(stage: Stage): Promise<{ range: SlotRange; source: Machine; target: Machine }> {
  const range = someSlots(stage, 0, 0, 0);
  const [source, target] = [stage.master(0), stage.master(1)];
  await stage.plan([{ range, source: 0, target: 1 }]);
  await says(stage, source, 'start');
  for (const host of stage.world.controllers) stage.crashController(host);
  await quicken(stage, source);
  await says(stage, source, 'success');
  return { range, source, target };
}

async function restart(stage: Stage, machine: Machine): Promise<void> {
  stage.kill(machine);
  await stage.sleep(stage.between(20, 400));
  stage.start(machine);
}

/** Told by hand to one node, as another controller would: the committed topology, above what it has. */
async function tellAnew(stage: Stage, machine: Machine, by: number): Promise<void> {
  const version = (stage.invariants.cluster?.version ?? 0) + by;
  await stage.command(machine, 'CLUSTERX', 'SETNODES', stage.textOf(), String(version));
}

/** A piece is the target's in the topology, and its replica is behind what it took over. */
async function handedOverBehind(stage: Stage): Promise<{ range: SlotRange; target: Machine }> {
  const target = stage.master(1);
  stage.slowLink(target, stage.replica(1), 3_500, 20_000, 2_500);
  await stage.sleep(5_000);
  // Its first piece has keys.
  const range = someSlots(stage, 0, 5, 100);
  await stage.plan([{ range, source: 0, target: 1 }]);
  await comesTo(stage, 'handing-over');
  return { range, target };
}

/** Waits until it was told the topology that gives it the slots, and the controller may have heard so. */
async function knows(stage: Stage, target: Machine): Promise<void> {
  const version = stage.invariants.cluster?.version ?? 0;
  await stage.until(() => Number(target.core?.cluster.topology.version) >= version, 1_000);
  await stage.sleep(stage.between(0, 900));
}

export const migrationEndScenarios: readonly Scenario[] = [
  {
    name: 'migration-target-dies',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 40);
      const target = stage.master(1);
      await stage.plan([{ range, source: 0, target: 1 }]);
      await comesTo(stage, 'migrating');
      await stage.sleep(stage.between(0, 900));
      if (stage.chance(0.5)) stage.kill(target);
      else stage.hang(target);
      await failsOver(stage, 9_000, 'died in a move', 1);
      await quicken(stage, stage.master(0));
      await allMoved(stage, [[range, 1]], 25_000);
      stage.wake(target);
      stage.start(target);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'migration-source-dies',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 40);
      const source = stage.master(0);
      await stage.plan([{ range, source: 0, target: 1 }]);
      await comesTo(stage, 'migrating');
      await stage.sleep(stage.between(0, 900));
      if (stage.chance(0.5)) stage.kill(source);
      else stage.hang(source);
      await failsOver(stage, 9_000, 'died in a move');
      await quicken(stage, stage.master(0));
      await stage.sleep(stage.between(0, 3_000));
      // While it hangs its target goes on waiting for it, and takes nothing from anybody else.
      stage.wake(source);
      await allMoved(stage, [[range, 1]], 25_000);
      stage.start(source);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'migration-finished-while-no-controller-ran',
    ...two,
    planned: true,
    conf: slowly,
    async play(stage) {
      const { range } = await succeedsAlone(stage);
      await stage.sleep(stage.between(0, 5_000));
      stage.startController();
      await stage.world.led();
      await allMoved(stage, [[range, 1]]);
      neverFailsOver(stage);
    },
  },
  {
    name: 'source-restarts-after-success-while-nobody-watches',
    ...two,
    conf: slowly,
    traffic: { clients: 6, pause: 40 },
    async play(stage) {
      const { range, source } = await succeedsAlone(stage);
      // Clients are sent on for a while, so that what the target alone has is not to be lost.
      await stage.sleep(stage.between(200, 2_000));
      await restart(stage, source);
      await stage.sleep(stage.between(0, 2_000));
      stage.startController();
      await stage.world.led();
      await allMoved(stage, [[range, 1]]);
      neverFailsOver(stage);
      await stage.sleep(1_000);
    },
  },
  {
    name: 'target-restarts-after-success',
    ...two,
    conf: slowly,
    async play(stage) {
      const { range, target } = await succeedsAlone(stage);
      await stage.sleep(stage.between(0, 1_000));
      await restart(stage, target);
      await stage.sleep(stage.between(0, 1_000));
      stage.startController();
      await stage.world.led();
      await allMoved(stage, [[range, 1]]);
      neverFailsOver(stage);
    },
  },
  {
    name: 'move-success-just-before-a-push',
    shards: 3,
    perShard: 2,
    planned: true,
    async play(stage) {
      // Its answer is long on its way: for the controller it runs, and everybody else is told new versions.
      const { leader } = stage.world;
      for (let i = 0; i < 3; i++) {
        const range = someSlots(stage, 0, 10, 10);
        if (leader !== undefined) stage.slowLink(stage.master(0), leader, 50, 2_500, stage.between(100, 350));
        await stage.plan([{ range, source: 0, target: 1 }]);
        await says(stage, stage.master(0), 'success');
        await stage.failover(2);
        await allMoved(stage, [[range, 1]]);
        await stage.sleep(2_000);
      }
    },
  },
  {
    name: 'move-success-undone-by-a-foreign-push',
    ...two,
    conf: slowly,
    async play(stage) {
      const { range, source, target } = await succeedsAlone(stage);
      await stage.sleep(stage.between(0, 1_500));
      // It forgets its mark: it serves reads of its old copy, and no write any more.
      await tellAnew(stage, source, 1);
      if (stage.chance(0.5)) await tellAnew(stage, target, 1);
      await stage.sleep(stage.between(0, 500));
      stage.startController();
      await stage.world.led();
      await allMoved(stage, [[range, 1]]);
      await stage.sleep(2_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'move-success-reply-lost-between-the-servers',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 0);
      const [source, target] = [stage.master(0), stage.master(1)];
      await stage.plan([{ range, source: 0, target: 1 }]);
      await says(stage, source, 'start');
      // The target takes over, and what it answers never comes back: it serves them, and so does the source.
      target.loseAnswers(writeCommand(['cluster', 'import', `${range.from}`, '1']));
      stage.world.note(`the target's last answer to its source gets lost`);
      const unwatched = stage.chance(0.4);
      if (unwatched) stage.crashController();
      await quicken(stage, source);
      await says(stage, source, 'fail');
      if (unwatched) {
        await stage.sleep(stage.between(0, 2_000));
        stage.startController();
        await stage.world.led();
      }
      stage.expect(owns(stage, 0, range), 'slots of a failed piece are elsewhere');
      await allMoved(stage, [[range, 1]], 20_000);
      stage.expect(
        stage.world.notes.some(({ text }) => text.includes('says that it has taken them over')),
        'that both have served them was not told',
      );
      await stage.sleep(2_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'source-dies-and-its-target-is-silent',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 0);
      const [source, target] = [stage.master(0), stage.master(1)];
      await stage.plan([{ range, source: 0, target: 1 }]);
      await says(stage, source, 'start');
      const succeeds = stage.chance(0.5);
      // Whether it had taken over is not to be known: replicas and clients reach it, no controller does.
      const heals = stage.world.controllers.map((host) => stage.cut([target, source], [host]));
      if (succeeds) {
        await quicken(stage, source);
        await says(stage, source, 'success');
        await stage.sleep(stage.between(0, 600));
      }
      stage.kill(source);
      await failsOver(stage, 8_000, 'killed, unseen by the controller');
      stage.expect(moveNow(stage)?.phase === 'held', `the move is ${moveNow(stage)?.phase}`);
      await isTold(stage, 'slots of nobody', 'MOVE_UNDECIDED');
      await stage.sleep(stage.between(500, 5_000));
      stage.expect(moveNow(stage)?.phase === 'held', 'it was settled, and nobody could know how');
      for (const heal of heals) heal();
      await allMoved(stage, succeeds ? [[range, 1]] : []);
      stage.start(source);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'source-dies-and-its-target-was-restarted',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 0);
      const [source, target] = [stage.master(0), stage.master(1)];
      await stage.plan([{ range, source: 0, target: 1 }]);
      await says(stage, source, 'start');
      const cut = stage.world.controllers.map((host) => stage.cut([source], [host]));
      stage.kill(target);
      stage.kill(source);
      await stage.sleep(stage.between(50, 400));
      stage.start(target);
      await failsOver(stage, 8_000, 'killed in a move');
      await isTold(stage, 'slots of nobody', 'MOVE_UNDECIDED', 6_000);
      const version = stage.invariants.cluster?.version;
      await stage.sleep(stage.between(2_000, 8_000));
      stage.expect(moveNow(stage)?.phase === 'held', 'it was settled, and nobody could know how');
      stage.expect(stage.invariants.cluster?.version === version, 'something was committed meanwhile');
      const settled = await stage.changeMoves({ do: 'settle', move: moveNow(stage)?.id ?? '', owner: 'source' });
      stage.expect(settled.kind === 'done', `it was ${JSON.stringify(settled)}`);
      await quicken(stage, stage.master(0));
      await allMoved(stage, [[range, 1]]);
      for (const heal of cut) heal();
      stage.start(source);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'both-masters-of-a-move-die',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 0);
      const [source, target] = [stage.master(0), stage.master(1)];
      await stage.plan([{ range, source: 0, target: 1 }]);
      await says(stage, source, 'start');
      await stage.sleep(stage.between(0, 300));
      const [first, second] = stage.chance(0.5) ? [source, target] : [target, source];
      stage.kill(first);
      await stage.sleep(stage.chance(0.5) ? 0 : stage.between(0, 1_500));
      stage.kill(second);
      const both = () => [0, 1].every((i) => stage.master(i) !== source && stage.master(i) !== target);
      stage.expect((await stage.until(both, 12_000)) !== undefined, 'somebody was not replaced');
      await quicken(stage, stage.master(0));
      await allMoved(stage, []);
      stage.start(source);
      stage.start(target);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'target-fails-over-after-success-its-replica-behind',
    ...two,
    traffic: { pause: 60 },
    async play(stage) {
      const { range, target } = await handedOverBehind(stage);
      if (stage.chance(0.5)) await knows(stage, target);
      // What is on its way to the replica is lost with it.
      const heal = stage.cut([target], [stage.replica(1)]);
      if (stage.chance(0.7)) stage.kill(target);
      else stage.hang(target);
      // Its source still has all of them, and has them again; or they had come through in time.
      await failsOver(stage, 9_000, 'died with what it had just been given', 1);
      await stage.sleep(stage.between(500, 5_000));
      heal();
      stage.wake(target);
      stage.start(target);
      await allMoved(stage, [[range, 1]], 40_000);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'target-comes-back-empty-after-success',
    ...two,
    traffic: { pause: 60 },
    async play(stage) {
      const { range, target } = await handedOverBehind(stage);
      if (stage.chance(0.5)) await knows(stage, target);
      await stage.emptyMaster(1, stage.between(100, 1_500));
      stage.expect(
        stage.master(1) !== target,
        'it came back empty with what it had just been given, and is master still',
      );
      await allMoved(stage, [[range, 1]], 40_000);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'target-dies-after-success-and-so-does-the-controller',
    ...two,
    traffic: { pause: 60 },
    async play(stage) {
      const { range, target } = await handedOverBehind(stage);
      for (const host of stage.world.controllers) stage.crashController(host);
      const heal = stage.cut([target], [stage.replica(1)]);
      stage.kill(target);
      // What the controller before it had told the source, the next one cannot know.
      stage.startController();
      await stage.world.led();
      await isTold(stage, 'a master that nobody may replace', 'MASTER_DOWN', 25_000);
      await stage.sleep(stage.between(2_000, 8_000));
      stage.expect(stage.master(1) === target, 'somebody took its place without what it had been given');
      heal();
      const returns = stage.chance(0.5);
      if (returns) stage.start(target);
      else {
        const settled = await stage.changeMoves({ do: 'settle', move: moveNow(stage)?.id ?? '', owner: 'source' });
        stage.expect(settled.kind === 'done', `it was ${JSON.stringify(settled)}`);
        await failsOver(stage, 5_000, 'nothing stands in the way of its replica', 1);
      }
      await allMoved(stage, [[range, 1]], 40_000);
      stage.start(target);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'target-is-replaced-while-its-source-goes-on-copying',
    shards: 2,
    perShard: 3,
    // It does not end before it is let to.
    conf: () => ({ ...SLOW, 'migrate-speed': '1', 'migrate-sequence-gap': '1' }),
    traffic: { clients: 8, pause: 20 },
    async play(stage) {
      const range = someSlots(stage, 0, 0, 0);
      const [source, target] = [stage.master(0), stage.master(1)];
      await stage.plan([{ range, source: 0, target: 1 }]);
      await says(stage, source, 'start');
      // Only its source, and clients, still reach it.
      const others = [...stage.world.controllers, ...stage.replicas(1)];
      const heal = stage.cut([target], others);
      await failsOver(stage, 12_000, 'cut off', 1);
      stage.expect(
        owns(stage, 0, range) || moveNow(stage)?.phase === 'handing-over',
        'slots went to a new master that lacks them',
      );
      for (const one of [source, ...stage.replicas(0)]) await quicken(stage, one);
      await stage.sleep(stage.between(500, 3_000));
      heal();
      // The source refuses what it had given away and has again: a new master has no such mark.
      await allMoved(stage, [[range, 1]], 40_000);
      await stage.sleep(3_000);
    },
  },
];
