/** Servers that copy at the cluster's speed for a while, and get back what they had, whatever happens in between. */
import { allMoved, comesTo, SLOW, someSlots } from './move-steps.ts';
import type { Scenario } from './run.ts';
import { neverFailsOver, two } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

const SPEED = 'migrate-speed';
const RATE = 'migrate-batch-rate-limit-mb';

/** Each server has speeds of its own in its file. */
const own = (index: number): Readonly<Record<string, string>> => ({
  ...SLOW,
  [SPEED]: `${3 + index}`,
  [RATE]: `${20 + index}`,
});

const speeds = (stage: Stage): readonly string[] =>
  stage.world.machines.map(({ core }) =>
    core === undefined ? 'down' : `${core.settings.number(SPEED)}/${core.settings.number(RATE)}`,
  );

/** Each server has its own values again; `but` one that somebody else has set. */
async function allPutBack(stage: Stage, but?: { readonly index: number; readonly speed: number }): Promise<void> {
  const owns = stage.world.machines.map((_, i) => `${i === but?.index ? but.speed : 3 + i}/${20 + i}`);
  const back = await stage.until(() => speeds(stage).join(' ') === owns.join(' '), 15_000);
  stage.expect(back !== undefined, `speeds are ${speeds(stage).join(' ')} and were ${owns.join(' ')}`);
  const stored = await stage.until(() => stage.invariants.cluster?.tuned === 0, 5_000);
  stage.expect(stored !== undefined, 'something is still to be put back');
}

export const speedScenarios: readonly Scenario[] = [
  {
    name: 'migration-with-speed-settings-and-the-controller-dies',
    ...two,
    planned: true,
    conf: own,
    async play(stage) {
      const source = stage.master(0);
      await stage.settings({ migrate_speed: 2, migrate_rate_limit_mb: 1 });
      const range = someSlots(stage, 0, 20, 20);
      stage.crashAfterSteps(1 + Math.floor(stage.between(0, 16)), stage.between(100, 3_000));
      await stage.plan([{ range, source: 0, target: 1 }], { slotsPerMove: 15 });
      const slow = await stage.until(() => source.core?.settings.number(SPEED) === 2, 10_000);
      stage.expect(slow !== undefined, `${source.name} was never told: ${speeds(stage).join(' ')}`);
      await stage.sleep(stage.between(0, 3_000));
      await stage.world.led();
      // In the middle of a piece, too.
      await stage.settings({ migrate_speed: 0 });
      await allMoved(stage, [[range, 1]], 30_000);
      await allPutBack(stage);
      neverFailsOver(stage);
    },
  },
  {
    name: 'speed-settings-are-given-up-while-the-controller-dies',
    ...two,
    planned: true,
    conf: own,
    async play(stage) {
      await stage.settings({ migrate_speed: 1 });
      const range = someSlots(stage, 0, 20, 20);
      await stage.plan([{ range, source: 0, target: 1 }], { slotsPerMove: 15 });
      await comesTo(stage, 'migrating');
      await stage.sleep(stage.between(0, 1_000));
      stage.crashAfterSteps(1 + Math.floor(stage.between(0, 6)), stage.between(100, 3_000));
      const source = stage.master(0);
      const index = stage.world.machines.indexOf(source);
      // By hand, to what neither the file nor the cluster says: it stays.
      const byHand = stage.chance(0.3);
      if (byHand) await stage.command(source, 'CONFIG', 'SET', SPEED, '50');
      await stage.settings({ migrate_speed: null });
      if (byHand && source.core?.settings.number(SPEED) === 50) await allPutBack(stage, { index, speed: 50 });
      else await allPutBack(stage);
      await allMoved(stage, [[range, 1]], 60_000);
    },
  },
  {
    name: 'speed-settings-and-their-server-dies',
    ...two,
    conf: own,
    async play(stage) {
      await stage.settings({ migrate_speed: 2, migrate_rate_limit_mb: 1 });
      const range = someSlots(stage, 0, 20, 20);
      const source = stage.master(0);
      await stage.plan([{ range, source: 0, target: 1 }], { slotsPerMove: 15 });
      await stage.sleep(stage.between(0, 2_500));
      if (stage.chance(0.5)) {
        stage.kill(source);
        await stage.sleep(stage.between(50, 4_000));
        stage.start(source);
      } else {
        stage.hang(source);
        await stage.sleep(stage.between(500, 8_000));
        stage.wake(source);
      }
      if (stage.chance(0.5)) stage.crashAfterSteps(1 + Math.floor(stage.between(0, 6)), stage.between(100, 3_000));
      await stage.sleep(3_000);
      await stage.world.led();
      await stage.settings({ migrate_speed: 0 });
      await stage.changeMoves({ do: 'retry', which: 'all' });
      await allMoved(stage, [[range, 1]], 40_000);
      await allPutBack(stage);
    },
  },
];
