/** Situations in which a node has parted from its shard: what it alone holds, and how it comes back. */
import { keyInSlot } from './keys.ts';
import type { Machine } from './machine.ts';
import type { Scenario } from './run.ts';
import { dyingController, failsOver, isTold, one, three, writeByHand } from './scenario-steps.ts';
import type { Stage } from './stage.ts';
import { NAME } from './world.ts';

const CALLER = { name: 'sim' };
/** A new master is replaced without delay once it has served so long. */
const PROVES_ITSELF = 7_000;

/** Cuts the master of the first shard off until another has its place, and has it take `alone` writes by hand. */
async function partMaster(stage: Stage, alone: number): Promise<{ readonly old: Machine; readonly keys: string[] }> {
  const old = stage.master(0);
  stage.isolate(old);
  await failsOver(stage, 8_000, 'isolated');
  // Until it is told, the new master takes what the old one sends.
  await stage.sleep(stage.between(1_000, 2_000));
  const slot = stage.shard(0).slots[0]?.from ?? 0;
  const keys: string[] = [];
  for (let i = 0; i < alone; i++) {
    const key = `${keyInSlot(slot)}:alone:${i}`;
    const reply = await stage.world.console.ask(old.address, ['SET', key, `value ${i}`]);
    if (reply?.kind === 'simple') keys.push(key);
  }
  stage.expect(keys.length > 0, 'the old master took no write that is its alone');
  return { old, keys };
}

async function isBack(stage: Stage, within: number): Promise<void> {
  const back = await stage.until(() => stage.unconverged().length === 0, within);
  stage.expect(back !== undefined, `it is not back: ${stage.unconverged().join(', ')}`);
}

const filesOf = (stage: Stage): readonly string[] =>
  stage.world.controllers.flatMap(({ shelf }) => [...shelf.files.keys()].map((path) => path.split('/').at(-1) ?? ''));

const valueAt = async (stage: Stage, key: string): Promise<string | undefined> => {
  const reply = await stage.world.console.ask(stage.master(0).address, ['GET', key]);
  return reply?.kind === 'bulk' ? reply.text : undefined;
};

export const copyScenarios: readonly Scenario[] = [
  {
    name: 'unreplicated-writes-salvaged',
    ...one,
    async play(stage) {
      const { old, keys } = await partMaster(stage, 3 + Math.floor(stage.between(0, 30)));
      // One of them the shard writes, too: what was saved of it is of the past.
      const [taken = ''] = keys;
      await stage.command(stage.master(0), 'SET', taken, 'newer');
      stage.heal(old);
      await isBack(stage, 16_000);
      const [file = ''] = filesOf(stage);
      stage.expect(file !== '', 'nothing was saved');
      const replay = (dryRun: boolean) =>
        stage.operate(`replay ${dryRun ? 'dry' : 'wet'}`, (plane) =>
          plane.replaySalvage(NAME, file, dryRun, { caller: CALLER }),
        );
      const dry = await replay(true);
      stage.expect(dry.kind === 'done', `a rehearsal was ${JSON.stringify(dry)}`);
      stage.expect((await valueAt(stage, keys[1] ?? '')) === undefined, 'a rehearsal wrote something');
      const wet = await replay(false);
      stage.expect(wet.kind === 'done', `the replay was ${JSON.stringify(wet)}`);
      for (const [i, key] of keys.entries()) {
        const expected = key === taken ? 'newer' : `value ${i}`;
        const got = await valueAt(stage, key);
        stage.expect(got === expected, `${key} is ${got} and not ${expected}: ${JSON.stringify(wet)}`);
      }
      // A second time there is nothing left that was not written since.
      const again = await replay(false);
      const untouched = again.kind === 'done' && JSON.stringify(again.value).includes('"replayed":0');
      stage.expect(untouched, `replayed again it was ${JSON.stringify(again)}`);
    },
  },
  {
    name: 'old-master-comes-back-with-the-replica-that-it-went-on-feeding',
    ...three,
    async play(stage) {
      const old = stage.master(0);
      const [fed = stage.replica(0), heir = stage.replica(0)] = stage.replicas(0);
      const heal = stage.cut([old, fed], [heir, ...stage.world.controllers]);
      await failsOver(stage, 8_000, 'cut off with one of its replicas');
      // Until it is told, the new master takes what the old one sends.
      await stage.sleep(stage.between(1_000, 2_000));
      await writeByHand(stage, old, 0, 3 + Math.floor(stage.between(0, 30)));
      heal();
      await isBack(stage, 25_000);
      stage.expect(filesOf(stage).length > 0, 'nothing was saved');
    },
  },
  {
    name: 'diverged-node-is-kept-until-somebody-lets-it-back',
    ...one,
    async play(stage) {
      await stage.settings({ diverged: 'fence' });
      const { old } = await partMaster(stage, 10);
      stage.heal(old);
      await isTold(stage, 'a node that parted', 'DIVERGED', 8_000);
      await stage.sleep(stage.between(3_000, 9_000));
      stage.expect(filesOf(stage).length > 0, 'it is kept, and what it alone holds is not saved');
      stage.expect(stage.unconverged().length > 0, 'it was let back by itself');
      const version = stage.invariants.cluster?.version;
      await stage.sleep(6_000);
      stage.expect(stage.invariants.cluster?.version === version, 'versions are spent on a node that is kept');
      const back = await stage.readmit(old.id, false);
      stage.expect(back.kind === 'done', `readmission was ${JSON.stringify(back)}`);
      await isBack(stage, 16_000);
    },
  },
  {
    name: 'no-room-for-what-a-node-alone-holds',
    ...one,
    async play(stage) {
      const { old } = await partMaster(stage, 10);
      for (const { shelf } of stage.world.controllers) shelf.failsWith = 'ENOSPC: no space left on device';
      stage.heal(old);
      await isTold(stage, 'a node that parted', 'DIVERGED', 8_000);
      await stage.sleep(stage.between(2_000, 20_000));
      stage.expect(filesOf(stage).length === 0, 'a full disk took a file');
      stage.expect(stage.unconverged().length > 0, 'it was copied over, and what it alone held is gone');
      for (const { shelf } of stage.world.controllers) shelf.failsWith = undefined;
      await isBack(stage, 60_000);
      stage.expect(filesOf(stage).length > 0, 'it is back, and nothing was saved');
    },
  },
  {
    name: 'full-copy-controller-dies-at-each-step',
    ...one,
    async play(stage) {
      const { old } = await partMaster(stage, 10);
      // Fence, saved, marked and raised, attach, told, proven: a commit or a command each, or several.
      await dyingController(stage, 12, async () => stage.heal(old));
      await isBack(stage, 25_000);
      stage.expect(filesOf(stage).length > 0, 'nothing was saved');
    },
  },
  {
    name: 'master-dies-while-its-replica-is-copied',
    ...three,
    async play(stage) {
      const { old } = await partMaster(stage, 10);
      await stage.sleep(PROVES_ITSELF);
      stage.heal(old);
      await stage.until(() => old.core?.isSlave === true, 12_000);
      await stage.sleep(stage.between(0, 300));
      const second = stage.master(0);
      stage.kill(second);
      await failsOver(stage, 3_000, 'killed while it was copied from');
      await stage.sleep(stage.between(500, 4_000));
      stage.start(second);
      await isBack(stage, 25_000);
    },
  },
  {
    name: 'node-that-was-copied-whole-becomes-master-and-dies',
    ...one,
    async play(stage) {
      const { old } = await partMaster(stage, 10);
      stage.heal(old);
      // So that it is asked while its number is raised.
      stage.slowLink(stage.master(0), old, 300, 1_500);
      await isBack(stage, 25_000);
      let switched = await stage.failover(0);
      for (let tries = 0; tries < 10 && switched.kind !== 'done'; tries++) {
        await stage.sleep(500);
        switched = await stage.failover(0);
      }
      stage.expect(switched.kind === 'done', `the switchover was ${JSON.stringify(switched)}`);
      // By what it was seen at while its number was raised nobody could ever be promoted.
      await stage.sleep(stage.between(7_000, 14_000));
      await stage.settings({ max_lag_ms: 9_000 });
      await stage.sleep(stage.between(100, 1_000));
      stage.expect(stage.master(0) === old, 'it is not master any more');
      stage.kill(old);
      await failsOver(stage, 2_000, 'killed, after it had been copied whole');
    },
  },
  {
    name: 'node-loses-power-while-it-is-copied',
    ...one,
    async play(stage) {
      const { old } = await partMaster(stage, 10);
      stage.heal(old);
      stage.slowLink(stage.master(0), old, 300, 10_000);
      await stage.until(() => old.core?.isSlave === true, 12_000);
      await stage.sleep(stage.between(0, 1_500));
      // It may lose the marker and its raised number with its last writes, and keep what it was told.
      stage.losePower(old, stage.between(0, 4_000), stage.between(0, 500), stage.between(20, 2_000));
      await stage.sleep(2_500);
      await isBack(stage, 25_000);
    },
  },
  {
    name: 'two-of-a-shard-are-copied-one-after-the-other',
    shards: 1,
    perShard: 4,
    async play(stage) {
      const first = await partMaster(stage, 10);
      await stage.sleep(PROVES_ITSELF);
      const second = await partMaster(stage, 10);
      let most = 0;
      let over = false;
      const count = () => {
        const syncing = [first.old, second.old].filter((machine) => machine.core?.replication?.syncing === true);
        most = Math.max(most, syncing.length);
        if (!over) stage.world.loop.after(1, count);
      };
      count();
      for (const { old } of [first, second]) {
        stage.slowLink(stage.master(0), old, 100, 10_000);
        stage.heal(old);
      }
      await isBack(stage, 25_000);
      over = true;
      stage.expect(most === 1, `${most} were copied at once`);
      stage.expect(filesOf(stage).length >= 2, 'what one of them alone held was not saved');
    },
  },
];
