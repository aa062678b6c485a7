/** The named situations, each played under traffic with seeds of its own. What must hold in all runs is in run.ts. */
import type { Scenario } from './run.ts';
import type { Stage } from './stage.ts';

const one = { shards: 1, perShard: 2 } as const;
const two = { shards: 2, perShard: 2 } as const;

/** Waits for a failover of the first shard; its new master must be another node. */
async function failsOver(stage: Stage, within: number, what: string): Promise<void> {
  const before = stage.shard(0).master;
  const took = await stage.until(() => stage.shard(0).master !== before, within);
  stage.expect(took !== undefined, `${what}: nobody was promoted within ${within} ms`);
}

function neverFailsOver(stage: Stage): void {
  stage.expect(stage.invariants.promotions.length === 0, 'a failover, and none was due');
}

/** Steps of one act: after how many of them the controller dies is drawn, so many seeds see them all. */
async function dyingController(stage: Stage, steps: number, act: () => Promise<unknown>): Promise<void> {
  stage.crashAfterSteps(1 + Math.floor(stage.between(0, steps)), stage.between(100, 3_000));
  await act();
  await stage.sleep(stage.between(4_000, 8_000));
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'master-killed',
    ...one,
    async play(stage) {
      const old = stage.master(0);
      stage.kill(old);
      const killed = stage.world.loop.now;
      await failsOver(stage, 1_000, 'killed');
      stage.expect(stage.world.loop.now - killed < 950, 'the promotion was decided too late for the first second');
      await stage.sleep(stage.between(1_500, 5_000));
      stage.start(old);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'master-killed-two-replicas',
    shards: 1,
    perShard: 3,
    traffic: { pause: 40 },
    async play(stage) {
      const [, behind] = stage.replicas(0);
      const old = stage.master(0);
      // It misses the last writes, and comes back in time to be asked.
      if (behind !== undefined) stage.kill(behind);
      await stage.sleep(stage.between(100, 700));
      stage.kill(old);
      await stage.sleep(20);
      if (behind !== undefined) stage.start(behind);
      await failsOver(stage, 2_500, 'killed');
      await stage.sleep(4_000);
      stage.start(old);
      await stage.sleep(2_000);
    },
  },
  {
    name: 'master-hangs',
    ...one,
    async play(stage) {
      const old = stage.master(0);
      stage.hang(old);
      await failsOver(stage, 6_500, 'hung');
      await stage.sleep(stage.between(500, 4_000));
      stage.wake(old);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'master-pauses-briefly',
    ...one,
    async play(stage) {
      for (let i = 0; i < 3; i++) {
        const master = stage.master(0);
        stage.hang(master);
        await stage.sleep(stage.between(200, 2_500));
        stage.wake(master);
        await stage.sleep(stage.between(3_500, 5_000));
      }
      neverFailsOver(stage);
    },
  },
  {
    name: 'master-restarts-quickly',
    ...one,
    async play(stage) {
      for (let i = 0; i < 3; i++) {
        const master = stage.master(0);
        stage.kill(master);
        await stage.sleep(stage.between(40, 400));
        stage.start(master);
        await stage.sleep(stage.between(3_000, 5_000));
      }
      neverFailsOver(stage);
    },
  },
  {
    name: 'master-restarts-empty',
    ...one,
    async play(stage) {
      // A replica is a witness that knows what it lost only from what the controller has seen of the master.
      await stage.sleep(1_000);
      await stage.emptyMaster(0, stage.random.next() < 0.5 ? stage.between(40, 500) : stage.between(900, 5_000));
      await stage.sleep(6_000);
      stage.expect(
        stage.invariants.promotions.some(({ planned }) => !planned),
        'the emptied master was not replaced',
      );
    },
  },
  {
    name: 'replica-killed-and-back',
    ...one,
    async play(stage) {
      const replica = stage.replica(0);
      stage.kill(replica);
      await stage.sleep(stage.between(100, 8_000));
      if (stage.random.next() < 0.3) stage.wipe(replica);
      stage.start(replica);
      await stage.sleep(5_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'no-replica',
    shards: 2,
    perShard: 1,
    async play(stage) {
      const master = stage.master(0);
      stage.kill(master);
      await stage.sleep(stage.between(4_000, 8_000));
      stage.expect(stage.problems().length > 0, 'a dead master without a replica was not reported');
      stage.start(master);
      await stage.sleep(3_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'all-replicas-gone',
    shards: 1,
    perShard: 3,
    async play(stage) {
      const master = stage.master(0);
      const replicas = stage.replicas(0);
      for (const replica of replicas) stage.kill(replica);
      await stage.sleep(stage.between(500, 3_000));
      stage.kill(master);
      await stage.sleep(stage.between(3_000, 6_000));
      stage.expect(stage.problems().length > 0, 'a dead shard was not reported');
      neverFailsOver(stage);
      stage.start(master);
      await stage.sleep(2_000);
      for (const replica of replicas) stage.start(replica);
      await stage.sleep(3_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'old-master-returns-with-old-topology',
    ...two,
    async play(stage) {
      const old = stage.master(0);
      stage.kill(old);
      await failsOver(stage, 1_500, 'killed');
      await stage.sleep(1_000);
      await stage.migrate(1, [{ from: 0, to: 40 }]);
      await stage.sleep(3_000);
      stage.start(old);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'old-master-wrote-while-isolated',
    ...one,
    traffic: { pause: 60 },
    async play(stage) {
      const old = stage.master(0);
      stage.isolate(old);
      await failsOver(stage, 8_000, 'isolated');
      await stage.sleep(stage.between(500, 1_500));
      const passed = stage.random.next() < 0.5;
      // By then the new master has come further than it: its number would be believed.
      if (passed) stage.kill(old);
      stage.heal(old);
      if (passed) await stage.sleep(stage.between(5_000, 9_000));
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
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
  {
    name: 'paused-cluster',
    ...one,
    async play(stage) {
      await stage.pause();
      const old = stage.master(0);
      stage.kill(old);
      await stage.sleep(4_000);
      neverFailsOver(stage);
      stage.expect(stage.problems().length > 0, 'a dead master of a paused cluster was not reported');
      await stage.resume();
      await failsOver(stage, 2_000, 'resumed');
      stage.start(old);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'controller-restarts-in-the-middle',
    ...two,
    async play(stage) {
      const old = stage.master(0);
      stage.kill(old);
      await stage.sleep(stage.between(0, 1_500));
      stage.crashController();
      await stage.sleep(stage.between(100, 3_000));
      stage.startController();
      await stage.sleep(stage.between(4_000, 20_000));
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'controller-dies-after-an-attach',
    ...one,
    async play(stage) {
      const old = stage.master(0);
      stage.kill(old);
      await failsOver(stage, 1_500, 'killed');
      await stage.sleep(2_500);
      stage.start(old);
      stage.crashAfterSteps(1 + Math.floor(stage.between(0, 6)), stage.between(300, 3_000));
      await stage.sleep(8_000);
      if ((await stage.converged(12_000)) === undefined) return;
      // Whoever the successor found attached has to be good for the next failover.
      stage.kill(stage.master(0));
      await failsOver(stage, 1_500, 'killed again');
      await stage.sleep(3_000);
    },
  },
  {
    name: 'second-death-in-the-same-shard-within-a-minute',
    shards: 1,
    perShard: 3,
    async play(stage) {
      stage.kill(stage.master(0));
      await failsOver(stage, 1_500, 'killed');
      await stage.sleep(stage.between(3_000, 8_000));
      stage.kill(stage.master(0));
      await failsOver(stage, 2_500, 'killed again');
      await stage.sleep(3_000);
    },
  },
  {
    name: 'failover-of-every-shard-at-once',
    shards: 4,
    perShard: 2,
    async play(stage) {
      const masters = [0, 1, 2, 3].map((index) => stage.master(index));
      for (const master of masters) stage.kill(master);
      const all = await stage.until(() => stage.invariants.promotions.length === 4, 4_000);
      stage.expect(all !== undefined, `${stage.invariants.promotions.length} of 4 shards failed over`);
      await stage.sleep(2_000);
      for (const master of masters) stage.start(master);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'controller-isolated-from-all',
    shards: 2,
    perShard: 3,
    async play(stage) {
      for (const machine of stage.world.machines) stage.cutFromController(machine);
      await stage.sleep(stage.between(2_000, 20_000));
      for (const machine of stage.world.machines) stage.heal(machine);
      await stage.sleep(4_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'controller-isolated-from-one-master-only',
    ...one,
    async play(stage) {
      const master = stage.master(0);
      stage.cutFromController(master);
      await stage.sleep(stage.between(2_000, 20_000));
      neverFailsOver(stage);
      stage.heal(master);
      await stage.sleep(4_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'controller-stalls-five-seconds',
    shards: 2,
    perShard: 3,
    async play(stage) {
      const process = stage.world.controllerProcess;
      process?.hang();
      await stage.sleep(stage.between(300, 7_000));
      process?.wake();
      await stage.sleep(4_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'kill-9-at-every-step',
    shards: 2,
    perShard: 3,
    spares: 1,
    async play(stage) {
      const acts = [
        () => stage.failover(0),
        () => stage.migrate(1, [{ from: 0, to: 800 }]),
        () => stage.addNode(0, stage.world.machine('n7')),
        () => stage.removeNode(1, stage.replica(1)),
        async () => {
          const master = stage.master(1);
          stage.kill(master);
          await stage.sleep(4_000);
          stage.start(master);
        },
      ];
      const act = acts[Math.floor(stage.between(0, acts.length))];
      if (act !== undefined) await dyingController(stage, 16, act);
    },
  },
];

/** A move of the first shard whose success the controller does not hear before its source is done. */
async function afterSuccess(stage: Stage, source: ReturnType<Stage['master']>): Promise<void> {
  stage.loseAnswer(source, 'MIGRATE');
  await stage.migrate(1, [{ from: 0, to: 2_000 }]);
  const ended = await stage.until(
    () => source.core?.cluster.infoText().includes('migrating_state: success') === true,
    8_000,
  );
  stage.expect(ended !== undefined, 'the move never ended at its source');
}

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new Error(`no scenario ${name}; there are ${scenarios.map((scenario) => scenario.name).join(', ')}`);
  return found;
}
