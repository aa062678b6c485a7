/** What operators ask for: switchovers, moves, nodes and shards that come and go, undisturbed and disturbed. */
import type { Scenario } from './run.ts';
import { afterSuccess, dyingController, neverFailsOver, one, two } from './scenario-steps.ts';

export const operationScenarios: readonly Scenario[] = [
  {
    name: 'switchover-under-write-load',
    ...two,
    planned: true,
    traffic: { clients: 6, pause: 15 },
    async play(stage) {
      for (let i = 0; i < 6; i++) {
        const ended = await stage.failover(i % 2);
        stage.expect(ended.kind === 'done', `a switchover was ${JSON.stringify(ended)}`);
        await stage.sleep(stage.between(500, 2_500));
      }
    },
  },
  {
    name: 'switchover-behind-a-slow-link',
    ...one,
    planned: true,
    // Few writes on a long way: what is missing is within the lag that lets a switchover begin, and late.
    traffic: { clients: 4, pause: 60 },
    async play(stage) {
      for (let i = 0; i < 4; i++) {
        stage.slowLink(stage.master(0), stage.replica(0), stage.between(5, 90), 1_500);
        await stage.sleep(200);
        await stage.failover(0);
        await stage.sleep(3_000);
      }
    },
  },
  {
    name: 'switchover-with-siblings',
    shards: 1,
    perShard: 4,
    planned: true,
    traffic: { clients: 6, pause: 15 },
    async play(stage) {
      for (let i = 0; i < 4; i++) {
        await stage.failover(0);
        await stage.sleep(stage.between(1_000, 3_000));
        stage.expect(stage.unconverged().length === 0, `after a switchover: ${stage.unconverged().join(', ')}`);
      }
    },
  },
  {
    name: 'switchover-controller-dies-after-the-drain',
    ...one,
    planned: true,
    async play(stage) {
      // The drained version is the first commit, its push the second step.
      stage.crashAfterSteps(stage.random.next() < 0.5 ? 1 : 2, stage.between(100, 4_000));
      await stage.failover(0);
      await stage.sleep(8_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'switchover-controller-dies-in-each-phase',
    shards: 2,
    perShard: 3,
    planned: true,
    play: (stage) => dyingController(stage, 12, () => stage.failover(0)),
  },
  {
    name: 'switchover-old-master-restarts-from-nodes.conf-while-drained',
    ...one,
    async play(stage) {
      const old = stage.master(0);
      stage.crashAfterSteps(2, stage.between(1_000, 4_000));
      await stage.failover(0);
      await stage.sleep(stage.between(5, 100));
      stage.kill(old);
      await stage.sleep(stage.between(50, 400));
      stage.start(old);
      await stage.sleep(8_000);
    },
  },
  {
    name: 'switchover-target-hangs-and-wakes-after-restore',
    ...one,
    async play(stage) {
      const target = stage.replica(0);
      const old = stage.master(0);
      const failover = stage.failover(0);
      // It answers the question about its lag and hangs before it has caught up.
      await stage.sleep(stage.between(1, 9));
      stage.hang(target);
      await stage.sleep(stage.between(1_500, 5_000));
      stage.wake(target);
      await failover;
      await stage.sleep(3_000);
      const master = stage.master(0);
      stage.expect(master === old || master === target, 'somebody else became master');
    },
  },
  {
    name: 'switchover-target-dies-midway',
    ...one,
    async play(stage) {
      const target = stage.replica(0);
      const failover = stage.failover(0);
      await stage.sleep(stage.between(1, 30));
      stage.kill(target);
      await failover;
      await stage.sleep(stage.between(500, 6_000));
      stage.start(target);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'switchover-replica-never-catches-up',
    ...one,
    async play(stage) {
      const old = stage.master(0);
      const replica = stage.replica(0);
      const failover = stage.failover(0);
      await stage.sleep(stage.between(0, 4));
      // What the drain left behind never arrives.
      const heal = stage.cut([old], [replica]);
      const ended = await failover;
      stage.expect(ended.kind !== 'unanswered', 'it was never answered');
      await stage.sleep(500);
      const serves = stage
        .unconverged()
        .every((line) => !line.includes('is a slave') && !line.startsWith('a switchover'));
      stage.expect(serves, `it is not put back: ${stage.unconverged().join(', ')}`);
      heal();
      await stage.sleep(4_000);
    },
  },
  {
    name: 'switchover-behind-a-large-lag',
    ...one,
    planned: true,
    traffic: { clients: 6, pause: 10 },
    async play(stage) {
      stage.slowLink(stage.master(0), stage.replica(0), 2_000, 8_000, 1_500);
      await stage.sleep(3_000);
      const { version } = stage.invariants.cluster ?? { version: 0 };
      const ended = await stage.failover(0);
      stage.expect(ended.kind === 'refused', `it was ${JSON.stringify(ended)}`);
      stage.expect(stage.invariants.cluster?.version === version, 'something was stopped before it was refused');
      await stage.sleep(7_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'move-one-slot',
    ...two,
    planned: true,
    async play(stage) {
      const { slot } = stage.world.traffic.acknowledged[0] ?? { slot: 0 };
      const from = stage.shard(0).slots.some((range) => range.from <= slot && slot <= range.to) ? 0 : 1;
      const ended = await stage.migrate(1 - from, [{ from: slot, to: slot }]);
      stage.expect(ended.kind === 'done', `the move was ${JSON.stringify(ended)}`);
      await stage.sleep(4_000);
      stage.expect(stage.invariants.movesFinished === 1, 'the move did not end');
    },
  },
  {
    name: 'move-a-range',
    ...two,
    planned: true,
    traffic: { pause: 40 },
    async play(stage) {
      for (const [target, from, to] of [
        [1, 0, 1_200],
        [1, 2_000, 3_200],
        [0, 9_000, 10_200],
        [0, 500, 1_000],
      ] as const) {
        await stage.migrate(target, [{ from, to }]);
        await stage.sleep(stage.between(1_500, 4_000));
      }
      stage.expect(stage.invariants.movesFinished === 4, `${stage.invariants.movesFinished} of 4 moves ended`);
    },
  },
  {
    name: 'migration-controller-dies-in-each-phase',
    ...two,
    planned: true,
    play: (stage) => dyingController(stage, 9, () => stage.migrate(1, [{ from: 0, to: 2_000 }])),
  },
  {
    name: 'version-raised-while-a-move-runs',
    shards: 3,
    perShard: 2,
    async play(stage) {
      for (let i = 0; i < 4; i++) {
        stage.slow(stage.master(0), 60, 1_000);
        await stage.migrate(1, [{ from: i * 500, to: i * 500 + 400 }]);
        await stage.failover(2);
        await stage.sleep(4_000);
      }
    },
  },
  {
    name: 'migration-success-reply-lost',
    ...two,
    async play(stage) {
      stage.loseAnswer(stage.master(0), 'MIGRATE');
      await stage.migrate(1, [{ from: 0, to: 2_000 }]);
      await stage.sleep(5_000);
      stage.expect(stage.invariants.movesFinished === 1, 'the move did not end');
    },
  },
  {
    name: 'source-restarts-after-success',
    ...two,
    async play(stage) {
      const source = stage.master(0);
      await afterSuccess(stage, source);
      stage.kill(source);
      await stage.sleep(stage.between(40, 400));
      stage.start(source);
      await stage.sleep(6_000);
    },
  },
  {
    name: 'source-dies-right-after-success',
    ...two,
    async play(stage) {
      const source = stage.master(0);
      await afterSuccess(stage, source);
      stage.kill(source);
      await stage.sleep(stage.between(2_000, 6_000));
      stage.start(source);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'removed-node-comes-back',
    shards: 1,
    perShard: 3,
    async play(stage) {
      const replica = stage.replica(0);
      const { id } = replica;
      stage.kill(replica);
      await stage.sleep(1_000);
      await stage.removeNode(0, replica);
      await stage.sleep(stage.between(500, 3_000));
      stage.start(replica);
      await stage.sleep(5_000);
      stage.expect(!(stage.invariants.cluster?.leaving.includes(id) ?? true), 'it still counts as leaving');
      stage.expect(replica.core?.isSlave === false, 'it still follows its master');
      neverFailsOver(stage);
    },
  },
  {
    name: 'remove-node-and-empty-it',
    shards: 1,
    perShard: 3,
    planned: true,
    async play(stage) {
      const replica = stage.replica(0);
      stage.slowLink(stage.master(0), replica, stage.between(0, 300), 3_000);
      const removed = await stage.removeNode(0, replica, true);
      stage.expect(removed.kind === 'done', `removing was ${JSON.stringify(removed)}`);
      await stage.sleep(stage.between(3_000, 5_000));
      stage.expect(replica.core?.database.isEmpty(0) === true, 'it is not emptied');
    },
  },
  {
    name: 'add-node-and-remove-node',
    ...one,
    spares: 1,
    planned: true,
    async play(stage) {
      const spare = stage.world.machine('n3');
      const added = await stage.addNode(0, spare);
      stage.expect(added.kind === 'done', `adding was ${JSON.stringify(added)}`);
      await stage.sleep(3_000);
      stage.expect(stage.unconverged().length === 0, `after adding: ${stage.unconverged().join(', ')}`);
      await stage.removeNode(0, spare);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'add-shard',
    ...two,
    spares: 2,
    planned: true,
    async play(stage) {
      const added = await stage.addShard([stage.world.machine('n5'), stage.world.machine('n6')]);
      stage.expect(added.kind === 'done', `adding was ${JSON.stringify(added)}`);
      await stage.sleep(2_000);
      await stage.migrate(2, [
        { from: 0, to: 1_500 },
        { from: 9_000, to: 10_500 },
      ]);
      await stage.sleep(8_000);
      stage.expect(stage.invariants.movesFinished === 2, `${stage.invariants.movesFinished} of 2 moves ended`);
    },
  },
];
