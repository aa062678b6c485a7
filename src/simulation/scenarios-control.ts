/** The control plane itself: leaders that die, hang or are cut off, their store, their clocks. */
import type { Scenario } from './run.ts';
import { failsOver, isTold, neverFailsOver, one, three, two } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

/** The store's lease, and what another needs to take over. */
const NEXT_LEADS = 9_000;

async function anotherLeads(stage: Stage, within: number): Promise<void> {
  const before = stage.world.leader;
  const took = await stage.until(() => stage.world.controller !== undefined && stage.world.leader !== before, within);
  stage.expect(took !== undefined, `nobody else led within ${within} ms`);
}

export const controlScenarios: readonly Scenario[] = [
  {
    name: 'late-commit',
    ...three,
    async play(stage) {
      const old = stage.master(0);
      const { master } = stage.shard(0);
      const replicas = stage.replicas(0);
      stage.slowStore(stage.chance(0.5) ? 'commitsBy' : 'answersBy', 2_000, 6_000);
      stage.kill(old);
      await stage.sleep(stage.between(750, 1_500));
      // The failover is decided and on its way to the store.
      stage.start(old);
      let promoted = false;
      await stage.until(() => {
        promoted ||= replicas.some(({ core }) => core?.isSlave === false);
        return false;
      }, 6_000);
      stage.expect(!promoted, 'somebody was told of a failover that was to be given back');
      stage.expect(stage.shard(0).master === master, 'the master that was back was not given its shard back');
      stage.expect(stage.invariants.promotions.length === 2, 'it was not failed over and given back');
      await stage.sleep(2_000);
    },
  },
  {
    name: 'master-is-back-while-the-one-that-replaced-it-late-is-being-told',
    ...three,
    async play(stage) {
      const old = stage.master(0);
      const { leader } = stage.world;
      if (leader === undefined) return;
      // Connections over which nodes were told something are closed by then: another one has to be made.
      await stage.sleep(6_000);
      stage.slowStore('commitsBy', stage.between(500, 1_500), 4_000);
      const replicas = stage.replicas(0);
      stage.kill(old);
      await stage.sleep(750);
      // The failover is decided, and on its way to the store.
      for (const replica of replicas) stage.slowLink(leader, replica, 200, 4_000);
      await failsOver(stage, 4_000, 'killed');
      // Asked once more it refuses; the one that replaces it is told of that on a slow way.
      await stage.sleep(stage.between(0, 300));
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'leader-killed',
    ...two,
    controllers: 3,
    async play(stage) {
      const { leader } = stage.world;
      if (leader === undefined) return;
      stage.crashController(leader);
      await stage.sleep(stage.between(0, 7_000));
      const old = stage.master(0);
      stage.kill(old);
      await stage.until(() => stage.world.controller !== undefined, NEXT_LEADS);
      await failsOver(stage, 18_000, 'killed with the leader');
      stage.startController(leader);
      await stage.sleep(2_000);
      stage.start(old);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'leader-hangs-and-wakes',
    ...two,
    controllers: 3,
    async play(stage) {
      const { leader } = stage.world;
      if (leader === undefined) return;
      const act = stage.pick([
        () => stage.failover(0),
        () => stage.migrate(1, [{ from: 0, to: 800 }]),
        async () => {
          stage.kill(stage.master(0));
          await stage.sleep(stage.between(0, 1_200));
        },
      ]);
      void act?.();
      // In the middle of it, between a question and its answer.
      await stage.sleep(stage.between(0, 12));
      stage.hangController(leader);
      await anotherLeads(stage, NEXT_LEADS);
      await stage.sleep(stage.between(500, 8_000));
      stage.wakeController(leader);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'leader-partitioned-from-the-store',
    ...two,
    controllers: 2,
    async play(stage) {
      const { leader } = stage.world;
      if (leader === undefined) return;
      stage.reach(leader, stage.chance(0.5) ? 'silent' : 'refused');
      await stage.sleep(stage.between(0, 8_000));
      const old = stage.master(0);
      stage.kill(old);
      await failsOver(stage, 25_000, 'killed while the leader cannot write');
      stage.expect(stage.world.leader !== leader, 'the one that cannot reach the store still leads');
      await stage.sleep(1_000);
      stage.reach(leader, 'up');
      stage.start(old);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'store-unreachable',
    ...two,
    controllers: 2,
    async play(stage) {
      const how = stage.chance(0.5) ? 'silent' : 'refused';
      for (const host of stage.world.controllers) stage.reach(host, how);
      await stage.sleep(stage.between(0, 9_000));
      const { version } = stage.invariants.cluster ?? { version: 0 };
      const old = stage.master(0);
      stage.kill(old);
      await stage.sleep(stage.between(2_000, 9_000));
      neverFailsOver(stage);
      stage.expect(stage.invariants.cluster?.version === version, 'something was committed');
      for (const host of stage.world.controllers) stage.reach(host, 'up');
      await failsOver(stage, 25_000, 'killed while there was no store');
      stage.start(old);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'store-slow',
    ...two,
    controllers: 2,
    async play(stage) {
      stage.slowStore(stage.chance(0.5) ? 'commitsBy' : 'answersBy', stage.between(50, 1_500), 20_000);
      await stage.sleep(500);
      const old = stage.master(0);
      stage.kill(old);
      await failsOver(stage, 5_000, 'killed while the store is slow');
      await stage.failover(1);
      await stage.sleep(stage.between(500, 4_000));
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'store-write-whose-answer-is-lost',
    ...two,
    lostAnswers: 0.4,
    async play(stage) {
      for (let i = 0; i < 4; i++) {
        const paused = await stage.pause();
        await stage.sleep(300);
        // "Not taken" is said only of what was not.
        if (paused.kind === 'refused' && paused.code === 'unavailable')
          stage.expect(stage.invariants.cluster?.paused === false, 'what is said not to have happened has happened');
        await stage.resume();
        await stage.until(
          () => stage.invariants.cluster?.paused !== true || stage.world.controller !== undefined,
          5_000,
        );
        if (stage.invariants.cluster?.paused === true) await stage.resume();
      }
      await stage.failover(1);
      await stage.sleep(stage.between(500, 3_000));
      await stage.migrate(1, [{ from: 0, to: 500 }]);
      await stage.sleep(stage.between(500, 3_000));
      const old = stage.master(0);
      stage.kill(old);
      await failsOver(stage, 9_000, 'killed');
      await stage.sleep(2_000);
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'two-controllers-start-at-once',
    ...two,
    controllers: 2,
    async play(stage) {
      for (let i = 0; i < 3; i++) {
        for (const host of stage.world.controllers) stage.crashController(host);
        await stage.sleep(stage.between(0, 8_000));
        stage.startController();
        const led = await stage.until(() => stage.world.controller !== undefined, NEXT_LEADS);
        stage.expect(led !== undefined, 'none of the two leads');
        await stage.sleep(1_000);
      }
      neverFailsOver(stage);
      stage.kill(stage.master(0));
      // One that has just started has seen no replica's link: it waits.
      await failsOver(stage, 25_000, 'killed');
    },
  },
  {
    name: 'rolling-upgrade-of-controllers',
    ...two,
    controllers: 3,
    async play(stage) {
      for (const host of stage.world.controllers) {
        const led = stage.world.leader === host;
        void stage.failover(0);
        await stage.sleep(stage.between(0, 20));
        await host.stop();
        stage.world.note(`${host.name} was stopped`);
        if (led) {
          const next = await stage.until(() => stage.world.controller !== undefined, 2_000);
          stage.expect(next !== undefined, 'a leader that was stopped did not give its place away');
        }
        await stage.sleep(stage.between(200, 3_000));
        stage.startController(host);
        await stage.sleep(stage.between(1_000, 4_000));
      }
    },
  },
  {
    name: 'clock-jumps-forward-and-back',
    ...three,
    controllers: 2,
    async play(stage) {
      const parties = [...stage.world.controllers, ...stage.world.machines];
      for (let i = 0; i < 6; i++) {
        const party = stage.pick(parties);
        const hours = stage.between(-5, 5);
        if (party !== undefined) stage.jumpClock(party, Math.round(hours * 3_600_000));
        await stage.sleep(stage.between(300, 4_000));
      }
      neverFailsOver(stage);
      stage.kill(stage.master(0));
      await failsOver(stage, 1_500, 'killed');
      await stage.sleep(2_000);
    },
  },
  {
    name: 'late-commands-of-a-dead-leader',
    ...two,
    controllers: 2,
    async play(stage) {
      const { leader, machines } = stage.world;
      if (leader === undefined) return;
      const act = stage.pick([
        () => stage.failover(0),
        () => stage.migrate(1, [{ from: 0, to: 800 }]),
        () => stage.removeNode(1, stage.replica(1), true),
      ]);
      void act?.();
      for (let i = Math.floor(stage.between(0, 4)); i >= 0; i--) await stage.nextCommand();
      if (stage.chance(0.3)) await stage.sleep(stage.between(0, 4));
      // What it has just sent, and what it sends from now on, waits on the way and outlives it.
      const heal = stage.cut([leader], machines, 'one-way');
      await stage.sleep(stage.between(0, 900));
      stage.crashController(leader);
      await anotherLeads(stage, NEXT_LEADS);
      await stage.sleep(stage.between(100, 3_000));
      const again = stage.pick([() => stage.failover(0), () => stage.migrate(0, [{ from: 9_000, to: 9_400 }])]);
      await again?.();
      await stage.sleep(stage.between(0, 2_000));
      heal();
      await stage.sleep(3_000);
      stage.startController(leader);
      await stage.sleep(1_000);
    },
  },
  {
    name: 'restore-from-backup-older-than-the-nodes',
    ...three,
    spares: 1,
    async play(stage) {
      const backup = stage.world.server.backup();
      const kind = Math.floor(stage.between(0, 3));
      if (kind === 0) await stage.failover(0);
      else if (kind === 1) await stage.addNode(0, stage.world.machine('n4'));
      else {
        const old = stage.master(0);
        stage.kill(old);
        await failsOver(stage, 1_500, 'killed');
        await stage.sleep(1_500);
        stage.start(old);
      }
      await stage.sleep(5_000);
      const { master } = stage.shard(0);
      stage.crashController();
      await stage.sleep(500);
      stage.world.server.restore(backup);
      await stage.sleep(500);
      stage.startController();
      await stage.sleep(4_000);
      if (stage.shard(0).master !== master)
        await isTold(stage, 'nodes that are newer than the store', 'TOPOLOGY_NEWER');
      await stage.sleep(2_000);
    },
  },
  {
    name: 'controller-cut-off-one-way',
    ...one,
    controllers: 2,
    async play(stage) {
      const { leader, machines } = stage.world;
      if (leader === undefined) return;
      const heal = stage.chance(0.5)
        ? stage.cut([leader], machines, 'one-way')
        : stage.cut(machines, [leader], 'one-way');
      await stage.sleep(stage.between(2_000, 12_000));
      neverFailsOver(stage);
      heal();
      await stage.sleep(4_000);
      neverFailsOver(stage);
    },
  },
];
