/** Situations in which nodes, links or the controller fail. */
import type { Scenario } from './run.ts';
import { dyingController, failsOver, neverFailsOver, one, two } from './scenario-steps.ts';

export const faultScenarios: readonly Scenario[] = [
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
    name: 'masters-killed-one-after-the-other-on-a-slow-store',
    ...two,
    async play(stage) {
      const heirs = [stage.replica(0), stage.replica(1)];
      stage.slowStore('answersBy', 200, 3_000);
      stage.kill(stage.master(0));
      const killed = stage.now;
      await stage.sleep(stage.between(90, 140));
      // The second failover is committed while the first one is told.
      stage.kill(stage.master(1));
      for (const [i, heir] of heirs.entries()) {
        await stage.until(() => heir.core?.isSlave === false, 3_000);
        const took = Math.round(stage.now - killed);
        stage.expect(took < 1_300, `shard ${i} had no master ${took} ms after the first was killed`);
      }
      await stage.sleep(2_000);
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
      // The successor counts anew for how long the new master has been healthy.
      await stage.sleep(6_000);
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
      const lived = stage.between(2_000, 9_000);
      await stage.sleep(lived);
      stage.kill(stage.master(0));
      // Healthy for 5 s it is replaced at once, otherwise 10 s after the failover before.
      await failsOver(stage, lived > 6_500 ? 1_500 : 12_000 - lived, 'killed again');
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
      const host = stage.hangController();
      await stage.sleep(stage.between(300, 7_000));
      if (host !== undefined) stage.wakeController(host);
      await stage.sleep(4_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'controller-and-master-stall-together',
    ...one,
    async play(stage) {
      // As when the host of both pauses; the master comes back a little later, within the tolerance.
      const host = stage.hangController();
      const master = stage.master(0);
      stage.hang(master);
      await stage.sleep(stage.between(3_600, 5_400));
      if (host !== undefined) stage.wakeController(host);
      await stage.sleep(stage.between(300, 2_400));
      stage.wake(master);
      await stage.sleep(4_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'kill-9-at-every-step',
    shards: 2,
    perShard: 3,
    spares: 1,
    deploy: (draw) => ({ controllers: draw.next() < 0.7 ? 1 : 2 }),
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
