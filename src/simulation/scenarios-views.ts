/** Who sees what: partitions, links that come and go, and masters that are alive and yet not there. */
import type { Scenario } from './run.ts';
import { failsOver, isTold, mistakePassword, neverFailsOver, one, three, two } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

/**
 * Of failovers of a shard one after the other, the second comes `second` ms later at the soonest, which is at once after
 * a crash; each further one 60 s, unless the master was healthy for 5 s.
 */
function isDamped(stage: Stage, second: number): void {
  const at = stage.invariants.promotions.filter(({ planned }) => !planned).map((promotion) => promotion.at);
  for (const [i, instant] of at.entries()) {
    const before = at[i - 1];
    if (before === undefined) continue;
    const least = i === 1 ? second : 59_900;
    stage.expect(instant - before >= least, `replaced again after ${instant - before} ms`);
  }
}

/** Idle, and its link down for good: nobody knows better than it how its master ends, and it knows nothing. */
async function loseLink(stage: Stage, index: number): Promise<void> {
  await mistakePassword(stage, stage.replica(index));
}

export const viewScenarios: readonly Scenario[] = [
  {
    name: 'master-isolated-from-controllers-and-replicas',
    ...three,
    async play(stage) {
      const old = stage.master(0);
      stage.isolate(old);
      await failsOver(stage, 8_000, 'isolated');
      await stage.sleep(stage.between(1_000, 6_000));
      stage.heal(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'no-witness',
    ...one,
    async play(stage) {
      const master = stage.master(0);
      const replica = stage.replica(0);
      await mistakePassword(stage, replica);
      await stage.sleep(stage.between(15_000, 60_000));
      stage.cutFromController(master);
      await stage.sleep(stage.between(5_000, 40_000));
      neverFailsOver(stage);
      stage.heal(master);
      await stage.command(replica, 'CONFIG', 'SET', 'masterauth', '');
      await stage.sleep(12_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'master-cut-from-its-replicas',
    ...three,
    async play(stage) {
      const heal = stage.cut([stage.master(0)], stage.replicas(0));
      await isTold(stage, 'replicas without their master', undefined, 12_000);
      await stage.sleep(stage.between(2_000, 15_000));
      neverFailsOver(stage);
      heal();
      await stage.sleep(5_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'master-heard-one-way-only',
    ...three,
    async play(stage) {
      // It hears everybody, and nobody but its clients hears it, or the other way round.
      const master = stage.master(0);
      const others = [...stage.world.controllers, ...stage.replicas(0)];
      const heal = stage.chance(0.5) ? stage.cut([master], others, 'one-way') : stage.cut(others, [master], 'one-way');
      await failsOver(stage, 9_000, 'cut off one way');
      await stage.sleep(stage.between(500, 5_000));
      heal();
      await stage.sleep(5_000);
    },
  },
  {
    name: 'a-whole-cluster-restarts',
    shards: 3,
    perShard: 2,
    async play(stage) {
      for (const machine of stage.world.machines) stage.kill(machine);
      await stage.sleep(stage.between(100, 6_000));
      for (const machine of stage.world.machines) {
        stage.start(machine);
        await stage.sleep(stage.between(0, 1_000));
      }
      await stage.sleep(6_000);
    },
  },
  {
    name: 'rolling-restart-of-all-nodes',
    shards: 2,
    perShard: 2,
    async play(stage) {
      for (const machine of stage.world.machines) {
        stage.kill(machine);
        await stage.sleep(stage.between(50, 2_500));
        stage.start(machine);
        await stage.converged(15_000);
      }
      await stage.sleep(1_000);
    },
  },
  {
    name: 'flapping-master',
    ...three,
    async play(stage) {
      for (let i = 0; i < 6; i++) {
        const master = stage.master(0);
        stage.kill(master);
        await stage.sleep(stage.between(300, 1_500));
        stage.start(master);
        await stage.sleep(stage.between(300, 2_500));
      }
      isDamped(stage, 0);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'flapping-link',
    ...three,
    async play(stage) {
      const master = stage.master(0);
      for (let i = 0; i < 4; i++) {
        stage.isolate(master);
        await stage.sleep(3_000);
        stage.heal(master);
        await stage.sleep(3_000);
      }
      isDamped(stage, 9_900);
    },
  },
  {
    name: 'master-dies-while-no-controller-runs',
    ...one,
    async play(stage) {
      // It has all that its master had and says that it has lost it, and the controller that just started has seen
      // neither: it may be promoted, but not before the hold is over.
      const master = stage.master(0);
      await stage.world.traffic.stop();
      await stage.sleep(2_000);
      stage.crashController();
      stage.kill(master);
      await stage.sleep(stage.between(500, 3_000));
      stage.startController();
      const led = stage.now;
      await failsOver(stage, 25_000, 'gone before the controller began');
      stage.expect(stage.now - led >= 15_000, `promoted after ${Math.round(stage.now - led)} ms, without a witness`);
      await stage.sleep(2_000);
      stage.start(master);
      stage.world.traffic.start();
      await stage.sleep(4_000);
    },
  },
  {
    name: 'half-the-nodes-of-a-site-vanish',
    shards: 4,
    perShard: 2,
    controllers: 2,
    async play(stage) {
      // Five of eight nodes: both of the first shard, and one of each other, of which two are masters.
      const site = [stage.master(0), stage.replica(0), stage.master(1), stage.master(2), stage.replica(3)];
      await stage.world.traffic.stop();
      await stage.sleep(2_000);
      const how = stage.pick(['cut', 'gone', 'cut while no controller ran'] as const);
      const gone = how === 'gone';
      if (how === 'cut while no controller ran') {
        for (const host of stage.world.controllers) stage.crashController(host);
        await loseLink(stage, 1);
        stage.cut(stage.world.controllers, site);
        stage.startController();
      } else {
        await loseLink(stage, 1);
        await stage.sleep(stage.between(12_000, 20_000));
        if (gone) for (const machine of site) stage.vanish(machine);
        else stage.cut(stage.world.controllers, site);
      }
      const { master } = stage.shard(1);
      await stage.sleep(stage.between(25_000, 40_000));
      stage.expect(stage.shard(1).master === master, 'a shard without a witness was failed over');
      // A replica that lost its master says that it is not this controller alone.
      const promoted = stage.invariants.promotions.length;
      stage.expect(promoted === (gone ? 1 : 0), `${promoted} shards were failed over`);
      if (gone) for (const machine of site) stage.reappear(machine);
      stage.world.network.healAll();
      await stage.command(stage.replica(1), 'CONFIG', 'SET', 'masterauth', '');
      await stage.command(stage.replica(1), 'CONFIG', 'REWRITE');
      stage.world.traffic.start();
      await stage.sleep(12_000);
    },
  },
  {
    name: 'a-third-of-sixty-masters-at-once',
    seeds: 1,
    shards: 60,
    perShard: 2,
    traffic: { clients: 2, pause: 300 },
    async play(stage) {
      const masters = Array.from({ length: 20 }, (_, i) => stage.master(3 * i));
      for (const master of masters) stage.kill(master);
      const all = await stage.until(() => stage.invariants.promotions.length === 20, 4_000);
      stage.expect(all !== undefined, `${stage.invariants.promotions.length} of 20 shards failed over in 4 s`);
      await stage.sleep(2_000);
      for (const master of masters) stage.start(master);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'one-node-in-a-black-hole',
    ...two,
    async play(stage) {
      const heal = stage.blackHole(stage.replica(0));
      const others = [stage.master(0), stage.master(1), stage.replica(1)];
      const before = others.map(({ host }) => stage.world.questions.get(host) ?? 0);
      const seconds = Math.round(stage.between(8, 20));
      await stage.sleep(seconds * 1_000);
      others.forEach(({ host, name }, i) => {
        const asked = (stage.world.questions.get(host) ?? 0) - (before[i] ?? 0);
        stage.expect(asked >= seconds - 1, `${name} was asked ${asked} times in ${seconds} s`);
      });
      neverFailsOver(stage);
      heal();
      await stage.sleep(3_000);
    },
  },
  {
    name: 'master-answers-errors-to-everything',
    ...three,
    async play(stage) {
      const master = stage.master(0);
      stage.kill(master);
      master.faults.answersErrors = true;
      await stage.sleep(stage.between(20, 300));
      stage.start(master);
      await failsOver(stage, 9_000, 'answers errors');
      await stage.sleep(stage.between(500, 4_000));
      stage.kill(master);
      master.mend();
      await stage.sleep(300);
      stage.start(master);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'master-accepts-then-refuses-connections',
    ...three,
    async play(stage) {
      const master = stage.master(0);
      stage.kill(master);
      master.faults.closesAtOnce = true;
      await stage.sleep(stage.between(20, 300));
      stage.start(master);
      await failsOver(stage, 4_000, 'resets every connection');
      await stage.sleep(stage.between(500, 4_000));
      master.mend();
      await stage.sleep(4_000);
    },
  },
  {
    name: 'master-says-it-is-a-slave',
    ...one,
    async play(stage) {
      const master = stage.master(0);
      const replica = stage.replica(0);
      const version = (stage.invariants.cluster?.version ?? 0) + 3;
      // By somebody's push the two have changed places; the text is told to the master alone.
      await stage.command(
        master,
        'CLUSTERX',
        'SETNODES',
        stage.textOf(() => replica.id),
        String(version),
      );
      await isTold(stage, 'a master that says it is a slave', undefined, 5_000);
      await stage.sleep(stage.between(1_000, 5_000));
      stage.expect(master.core?.cluster.topology.version === BigInt(version), 'it was overwritten silently');
      neverFailsOver(stage);
      await stage.overwrite();
      await stage.sleep(4_000);
    },
  },
];
