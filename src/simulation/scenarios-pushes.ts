/** What may befall a node while it is told something, and answers that cannot be trusted. */
import type { Scenario } from './run.ts';
import { failsOver, isTold, mistakePassword, neverFailsOver, one, three } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

const versionOf = (stage: Stage): number => stage.invariants.cluster?.version ?? 0;

/** A change that every node is told. */
const tellAll = (stage: Stage) => stage.addNode(0, stage.world.machine('n4'));

export const pushScenarios: readonly Scenario[] = [
  {
    name: 'master-hangs-during-a-push',
    ...three,
    spares: 1,
    async play(stage) {
      const master = stage.master(0);
      const adding = tellAll(stage);
      await stage.nextCommand(master);
      stage.hang(master);
      await failsOver(stage, 9_000, 'hung inside a SETNODES');
      await adding;
      await stage.sleep(stage.between(500, 3_000));
      stage.wake(master);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'promotion-told-twice',
    ...three,
    traffic: { pause: 30 },
    async play(stage) {
      // The answer to the promotion gets lost: the second one's number counts what clients have written since. The old
      // master alone has a few records, which were on their way when its machine was reset.
      const old = stage.master(0);
      for (const replica of stage.replicas(0)) {
        stage.loseAnswer(replica, 'SETNODES');
        stage.slowLink(old, replica, 60, 10_000, 40);
      }
      await stage.sleep(1_000);
      stage.vanish(old);
      await stage.sleep(stage.between(70, 200));
      stage.world.network.forget(old.host);
      stage.heal(old);
      await failsOver(stage, 5_000, 'its machine was reset');
      await stage.sleep(stage.between(1_500, 6_000));
      stage.start(old);
      await stage.sleep(5_000);
    },
  },
  {
    name: 'push-blocks-a-node-for-ten-seconds',
    ...three,
    spares: 1,
    async play(stage) {
      const replica = stage.replica(0);
      // A pause that a SETNODES sits out.
      await mistakePassword(stage, replica);
      await stage.sleep(stage.between(300, 3_000));
      await tellAll(stage);
      await stage.sleep(6_000);
      stage.expect(!stage.problems().includes('NODE_DOWN'), 'it was taken for dead');
      neverFailsOver(stage);
      await stage.command(replica, 'CONFIG', 'SET', 'masterauth', '');
      await stage.command(replica, 'CONFIG', 'REWRITE');
      await stage.sleep(12_000);
      stage.expect(
        (stage.invariants.commands.pushes.get(`${replica.name} ${versionOf(stage)}`) ?? 0) <= 1,
        'it was told twice',
      );
      neverFailsOver(stage);
    },
  },
  {
    name: 'node-killed-while-its-identity-is-set',
    ...one,
    spares: 1,
    async play(stage) {
      const spare = stage.world.machine('n3');
      stage.dieAtSave(spare, stage.chance(0.5) ? 1 : 2, stage.between(500, 4_000));
      await stage.addNode(0, spare);
      await stage.sleep(6_000);
      stage.expect(spare.state === 'running', 'it does not start again');
    },
  },
  {
    name: 'node-restarts-between-id-and-topology',
    ...three,
    async play(stage) {
      const replica = stage.replica(0);
      stage.kill(replica);
      stage.wipe(replica);
      await stage.sleep(stage.between(200, 2_000));
      stage.start(replica);
      stage.dieAtSave(replica, stage.chance(0.5) ? 1 : 2, stage.between(500, 4_000));
      await stage.sleep(6_000);
      stage.expect(replica.state === 'running', 'it does not start again');
      neverFailsOver(stage);
    },
  },
  {
    name: 'push-answered-with-an-error-but-applied',
    ...three,
    spares: 1,
    async play(stage) {
      const before = versionOf(stage);
      stage.ail(stage.chance(0.5) ? stage.replica(0) : stage.master(0), 'diskFull', 4_000);
      await tellAll(stage);
      await stage.sleep(3_000);
      stage.expect(versionOf(stage) <= before + 3, `${versionOf(stage) - before} versions for one change`);
      stage.expect(stage.unconverged().length === 0, `an error was taken for a no: ${stage.unconverged().join(', ')}`);
      await stage.sleep(2_000);
      neverFailsOver(stage);
    },
  },
  {
    name: 'push-answered-ok-but-ignored',
    ...three,
    spares: 1,
    async play(stage) {
      // It has that number already, with another content: OK, and nothing of it is in force.
      const replica = stage.replica(0);
      const other = stage.replicas(0).find((machine) => machine !== replica);
      const version = String(versionOf(stage) + 1);
      await stage.command(
        replica,
        'CLUSTERX',
        'SETNODES',
        stage.textOf(() => other?.id ?? ''),
        version,
      );
      await tellAll(stage);
      await stage.sleep(5_000);
      stage.expect(stage.problems().length === 0, `it stays so: ${stage.problems().join(' ')}`);
      neverFailsOver(stage);
    },
  },
  {
    name: 'dangerous-settings-at-adoption',
    ...three,
    spares: 1,
    conf: (index) => (index === 3 ? { 'slave-serve-stale-data': 'no' } : {}),
    async play(stage) {
      const added = await tellAll(stage);
      if (added.kind === 'done') await isTold(stage, 'slave-serve-stale-data no', 'DANGEROUS_SETTING', 5_000);
      else stage.expect(JSON.stringify(added).includes('slave-serve-stale-data'), `it was ${JSON.stringify(added)}`);
      await stage.sleep(2_000);
    },
  },
  {
    name: 'replica-told-but-not-following',
    ...three,
    async play(stage) {
      const replica = stage.replica(0);
      replica.disturb((core) => core.unfollow(() => {}));
      const told = await stage.until(() => replica.core?.isSlave === true && stage.unconverged().length === 0, 14_000);
      stage.expect(told !== undefined, `it was not told again: ${stage.unconverged().join(', ')}`);
      neverFailsOver(stage);
      await stage.sleep(1_000);
    },
  },
];
