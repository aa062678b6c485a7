/** Nodes that come back: masters of the past, with what they alone hold, and nodes that are not what they seem. */
import type { Scenario } from './run.ts';
import {
  failsOver,
  followsAgain,
  isTold,
  neverFailsOver,
  one,
  replaceMaster,
  three,
  writeByHand,
} from './scenario-steps.ts';

export const returnScenarios: readonly Scenario[] = [
  {
    name: 'old-master-had-nothing-unreplicated',
    ...one,
    async play(stage) {
      await stage.world.traffic.stop();
      await stage.sleep(500);
      const old = await replaceMaster(stage, stage.between(1_200, 4_000));
      stage.start(old);
      const back = await stage.converged(6_000);
      stage.expect(back !== undefined, `it is not back: ${stage.unconverged().join(', ')}`);
      stage.expect(stage.master(0).core?.counters.syncFull === 0, 'it was copied whole');
      stage.world.traffic.start();
      await stage.sleep(2_000);
    },
  },
  {
    name: 'old-master-wrote-while-isolated-with-rsid',
    ...one,
    conf: () => ({ 'use-rsid-psync': 'yes' }),
    traffic: { pause: 60 },
    async play(stage) {
      const old = stage.master(0);
      stage.isolate(old);
      await failsOver(stage, 8_000, 'isolated');
      await stage.sleep(stage.between(500, 1_500));
      stage.heal(old);
      await stage.sleep(8_000);
    },
  },
  {
    // Its first entry is its own then, and its number no proof of what it holds: see `rsidOnOne`.
    name: 'replica-restarted-with-rsid-while-its-master-was-replaced',
    ...three,
    conf: (_, life) => (life > 1 ? { 'use-rsid-psync': 'yes' } : {}),
    async play(stage) {
      const victim = stage.replica(0);
      stage.kill(victim);
      await stage.sleep(stage.between(300, 1_500));
      await replaceMaster(stage, stage.between(0, 2_000));
      stage.start(victim);
      await followsAgain(stage, victim);
    },
  },
  {
    name: 'replica-restarted-with-rsid-as-its-master-dies',
    ...three,
    conf: (_, life) => (life > 1 ? { 'use-rsid-psync': 'yes' } : {}),
    async play(stage) {
      const victim = stage.replica(0);
      stage.kill(victim);
      await stage.sleep(stage.between(1_000, 3_000));
      const old = stage.master(0);
      stage.kill(old);
      await stage.sleep(stage.between(50, 400));
      stage.start(victim);
      await failsOver(stage, 1_500, 'killed');
      await followsAgain(stage, victim);
    },
  },
  {
    name: 'full-copy-forced-and-proven',
    ...one,
    traffic: { pause: 60 },
    async play(stage) {
      const old = stage.master(0);
      stage.isolate(old);
      await failsOver(stage, 8_000, 'isolated');
      await stage.sleep(stage.between(500, 6_000));
      stage.heal(old);
      const copied = await stage.until(() => stage.unconverged().length === 0, 16_000);
      stage.expect(copied !== undefined, `it is not back: ${stage.unconverged().join(', ')}`);
      await stage.sleep(1_000);
    },
  },
  {
    name: 'full-copy-outrun-by-its-master',
    ...one,
    async play(stage) {
      const old = stage.master(0);
      stage.isolate(old);
      await failsOver(stage, 8_000, 'isolated');
      const master = stage.master(0);
      await stage.sleep(stage.between(500, 3_000));
      stage.heal(old);
      // It is attached, and cannot ask before its master has passed the number that it was raised to.
      const heal = stage.cut([old], [master]);
      const attached = await stage.until(() => old.core?.isSlave === true, 12_000);
      stage.expect(attached !== undefined, 'it was never attached');
      const beyond = (old.core?.database.sequence ?? 0) + 2_000;
      for (let i = 0; (master.core?.database.sequence ?? beyond) < beyond && i < 100; i++)
        await stage.command(master, 'MPUBLISH', 'channel', ...Array.from({ length: 2_000 }, () => 'x'));
      heal();
      const copied = await stage.until(() => stage.unconverged().length === 0, 60_000);
      stage.expect(copied !== undefined, `it is not back: ${stage.unconverged().join(', ')}`);
      await stage.sleep(1_000);
    },
  },
  {
    name: 'old-master-diverged-two-promotions-ago',
    ...three,
    traffic: { pause: 60 },
    async play(stage) {
      const first = stage.master(0);
      stage.isolate(first);
      await failsOver(stage, 8_000, 'isolated');
      await writeByHand(stage, first, 0, 5 + Math.floor(stage.between(0, 20)));
      stage.kill(first);
      stage.heal(first);
      // The next promotion is beyond what it holds.
      const reached = first.snapshot().data.length;
      await stage.sleep(stage.between(7_000, 10_000) + reached);
      const second = await replaceMaster(stage, stage.between(1_000, 3_000));
      stage.start(first);
      await stage.sleep(stage.between(1_000, 5_000));
      stage.start(second);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'old-master-written-to-by-a-stale-client-while-it-is-being-read',
    ...one,
    async play(stage) {
      await stage.world.traffic.stop();
      await stage.sleep(500);
      const old = await replaceMaster(stage, 1_500);
      stage.start(old);
      // From its start on, or just after the first question that it answers.
      if (stage.chance(0.7)) await stage.nextQuestion(old);
      await writeByHand(stage, old, 0, 5_000);
      stage.world.traffic.start();
      await stage.sleep(4_000);
      stage.expect(
        old.core?.isSlave !== false || stage.problems().length > 0,
        'it is left a master, and nobody says so',
      );
    },
  },
  {
    name: 'old-master-returns-emptied-or-rolled-back',
    ...one,
    traffic: { pause: 60 },
    async play(stage) {
      const image = stage.master(0).snapshot();
      await stage.sleep(stage.between(500, 3_000));
      const old = await replaceMaster(stage, stage.between(500, 4_000));
      if (stage.chance(0.3)) stage.wipe(old);
      else stage.restoreDisk(old, image);
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'old-master-rolled-back-and-written-to-up-to-its-number',
    ...one,
    async play(stage) {
      const { traffic } = stage.world;
      const old = stage.master(0);
      await traffic.stop();
      await stage.sleep(1_500);
      const image = old.snapshot();
      stage.disasters.push(() => true);
      await writeByHand(stage, old, 0, 3, 'before');
      await stage.sleep(100);
      await replaceMaster(stage, stage.between(1_500, 3_000));
      stage.restoreDisk(old, image);
      stage.start(old);
      await writeByHand(stage, old, 0, 3, 'after');
      traffic.start();
      await stage.sleep(5_000);
    },
  },
  {
    name: 'fenced-master-loses-power-before-the-attach',
    ...one,
    traffic: { pause: 60 },
    async play(stage) {
      const old = await replaceMaster(stage, stage.between(1_200, 3_000));
      stage.start(old);
      // Its topology is on its way to the disk, and never gets there.
      await stage.nextCommand(old);
      await stage.sleep(stage.between(0.3, 3));
      stage.losePower(old, 0, 5_000, stage.chance(0.5) ? stage.between(20, 300) : stage.between(1_200, 3_000));
      for (let i = 0; old.state !== 'running' && i < 1_500; i++) await stage.sleep(2);
      if (stage.chance(0.8)) await writeByHand(stage, old, 0, 1_000);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'old-master-returns-with-newer-topology',
    ...one,
    async play(stage) {
      const old = await replaceMaster(stage, 1_500);
      const heal = stage.cut([old], stage.world.controllers);
      stage.start(old);
      await stage.sleep(200);
      const version = (stage.invariants.cluster?.version ?? 0) + 5;
      // What is committed, under a number of somebody's own.
      await stage.command(old, 'CLUSTERX', 'SETNODES', stage.textOf(), String(version));
      heal();
      await stage.sleep(stage.between(3_000, 5_000));
      stage.expect((stage.invariants.cluster?.version ?? 0) > version, 'no version above it was committed');
    },
  },
  {
    name: 'old-master-returns-with-foreign-topology',
    ...one,
    async play(stage) {
      const old = await replaceMaster(stage, 1_500);
      const heal = stage.cut([old], stage.world.controllers);
      stage.start(old);
      await stage.sleep(200);
      const master = stage.master(0);
      const version = (stage.invariants.cluster?.version ?? 0) + 5;
      await stage.command(
        old,
        'CLUSTERX',
        'SETNODES',
        stage.textOf(() => old.id),
        String(version),
      );
      heal();
      await isTold(stage, 'a foreign topology above the committed one', 'TOPOLOGY_NEWER');
      stage.expect(stage.master(0) === master, 'it was obeyed');
      stage.expect(old.core?.cluster.topology.version === BigInt(version), 'it was overwritten');
      await stage.overwrite();
      await stage.sleep(4_000);
      stage.expect(old.core?.cluster.topology.version !== BigInt(version), 'the cure that is named does not help');
    },
  },
  {
    name: 'replica-that-lies',
    ...three,
    async play(stage) {
      // A past of its own: removed with its data, written to, flushed and reset, and offered again.
      const liar = stage.replica(0);
      await stage.removeNode(0, liar, stage.chance(0.5));
      await stage.sleep(3_000);
      await stage.command(liar, 'FLUSHALL');
      await stage.command(liar, 'CLUSTER', 'RESET', 'HARD');
      const added = await stage.addNode(0, liar);
      stage.expect(added.kind === 'refused', `a node with another past was taken in: ${JSON.stringify(added)}`);
      stage.kill(liar);
      stage.wipe(liar);
      stage.start(liar);
      await stage.sleep(500);
      const again = await stage.addNode(0, liar);
      stage.expect(again.kind === 'done', `emptied, it was ${JSON.stringify(again)}`);
      await stage.sleep(3_000);
      // An older copy of its own disk is a copy of its master's past, and no candidate before it has caught up.
      const replica = stage.replicas(0).find((one) => one !== liar);
      if (replica === undefined) return;
      const image = replica.snapshot();
      await stage.sleep(1_500);
      stage.kill(replica);
      stage.restoreDisk(replica, image);
      await stage.sleep(stage.between(100, 1_500));
      stage.start(replica);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'node-address-reused-by-another-node',
    ...three,
    async play(stage) {
      const machine = stage.replica(0);
      const own = machine.snapshot();
      stage.kill(machine);
      stage.wipe(machine);
      stage.cutFromController(machine);
      machine.start();
      const stranger = 'strangerstrangerstrangerstrangerstranger';
      // It takes writes of clients that believe it, and those are lost to the cluster.
      stage.disasters.push(({ host }) => host === machine.host);
      const text = `${stranger} ${machine.host} ${machine.port} master - 0-16383`;
      await stage.command(machine, 'CLUSTERX', 'SETNODES', text, '3');
      await stage.command(machine, 'CLUSTERX', 'SETNODEID', stranger);
      await writeByHand(stage, machine, 0, 20);
      stage.heal(machine);
      await isTold(stage, 'a stranger at the address', undefined, 5_000);
      await stage.sleep(stage.between(2_000, 6_000));
      stage.expect(machine.core?.cluster.topology.version === 3n, 'the stranger was told something');
      neverFailsOver(stage);
      stage.kill(machine);
      stage.restoreDisk(machine, own);
      stage.start(machine);
      await stage.sleep(4_000);
    },
  },
];
