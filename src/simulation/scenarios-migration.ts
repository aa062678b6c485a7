/** Moves of slots as operators ask for them: large and small, side by side, paused, cancelled, tried again. */
import { allMoved, comesTo, movesNow, owns, quicken, SLOW, says, slowly, someSlots } from './move-steps.ts';
import type { Scenario } from './run.ts';
import { dyingController, neverFailsOver, two } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

const four = { shards: 4, perShard: 2 } as const;

/** One from each of the first two shards to each of the last two. */
async function sideBySide(
  stage: Stage,
  slotsPerMove: number | null = null,
): Promise<readonly [ReturnType<typeof someSlots>, number][]> {
  const [a, b] = [someSlots(stage, 0, 150, 150), someSlots(stage, 1, 150, 150)];
  await stage.plan(
    [
      { range: a, source: 0, target: 2 },
      { range: b, source: 1, target: 3 },
    ],
    { slotsPerMove },
  );
  return [
    [a, 2],
    [b, 3],
  ];
}

export const migrationScenarios: readonly Scenario[] = [
  {
    name: 'move-half-the-cluster',
    ...two,
    planned: true,
    traffic: { pause: 40 },
    async play(stage) {
      const half = { from: 0, to: 8_191 };
      await stage.migrate(1, [half]);
      await allMoved(stage, [[half, 1]], 20_000);
      await stage.migrate(0, [{ from: 4_000, to: 12_191 }]);
      await allMoved(stage, [[{ from: 4_000, to: 12_191 }, 0]], 20_000);
      stage.expect(stage.problems().length === 0, `problems: ${stage.problems().join(' ')}`);
    },
  },
  {
    name: 'moves-between-disjoint-pairs-side-by-side',
    ...four,
    planned: true,
    traffic: { clients: 6, pause: 30 },
    async play(stage) {
      // Their ends come while the other's topology is told, sooner and later.
      for (const index of [0, 1]) stage.slow(stage.master(index), stage.between(0, 60), 8_000);
      const moved = await sideBySide(stage, Math.ceil(stage.between(20, 80)));
      await allMoved(stage, moved, 25_000);
      stage.expect(stage.invariants.commands.moves.most === 2, `${stage.invariants.commands.moves.most} at a time`);
      neverFailsOver(stage);
    },
  },
  {
    name: 'side-by-side-controller-dies-in-each-phase',
    ...four,
    planned: true,
    play: (stage) => dyingController(stage, 24, () => sideBySide(stage, 60)),
  },
  {
    name: 'failover-elsewhere-while-moves-run-side-by-side',
    shards: 5,
    perShard: 2,
    async play(stage) {
      for (const index of [0, 1]) stage.slow(stage.master(index), stage.between(20, 80), 6_000);
      const moved = await sideBySide(stage, 40);
      await stage.sleep(stage.between(0, 1_500));
      const dying = stage.master(4);
      stage.kill(dying);
      await stage.sleep(stage.between(1_500, 4_000));
      stage.start(dying);
      await allMoved(stage, moved, 25_000);
    },
  },
  {
    name: 'switchover-beside-moves-that-run',
    shards: 5,
    perShard: 2,
    planned: true,
    async play(stage) {
      for (const index of [0, 1]) stage.slow(stage.master(index), stage.between(5, 40), 6_000);
      const moved = await sideBySide(stage, 40);
      for (let i = 0; i < 3; i++) {
        await stage.sleep(stage.between(0, 400));
        await stage.failover(4);
      }
      await allMoved(stage, moved, 25_000);
    },
  },
  {
    name: 'migration-cancelled',
    ...two,
    planned: true,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 150);
      await stage.plan([{ range, source: 0, target: 1 }]);
      await comesTo(stage, 'migrating');
      await stage.sleep(stage.between(0, 700));
      const ended = await stage.changeMoves({ do: 'cancel', which: 'all' });
      stage.expect(ended.kind === 'done', `it was ${JSON.stringify(ended)}`);
      const gone = await stage.until(() => movesNow(stage).length === 0, 6_000);
      stage.expect(gone !== undefined, 'a cancelled move is still there');
      await stage.sleep(1_000);
      stage.expect(stage.unconverged().length === 0, `after it: ${stage.unconverged().join(', ')}`);
      // Whatever came of it can be asked for again.
      await quicken(stage, stage.master(0));
      await stage.migrate(1, [{ from: range.to, to: range.to }]);
      await allMoved(stage, [[{ from: range.to, to: range.to }, 1]]);
    },
  },
  {
    name: 'migration-cancelled-while-it-copies-raw',
    ...two,
    planned: true,
    async play(stage) {
      const range = someSlots(stage, 0, 10, 400);
      stage.slowLink(stage.master(0), stage.master(1), 60, 6_000, 20);
      await stage.plan([{ range, source: 0, target: 1 }], { slotsPerMove: 40 });
      await comesTo(stage, 'migrating');
      await stage.sleep(stage.between(0, 300));
      await stage.changeMoves({ do: 'cancel', which: 'all' });
      const gone = await stage.until(() => movesNow(stage).length === 0, 9_000);
      stage.expect(gone !== undefined, 'a cancelled move is still there');
      stage.expect(!owns(stage, 1, range), 'all of it was moved');
    },
  },
  {
    name: 'migration-paused-and-resumed',
    ...two,
    planned: true,
    async play(stage) {
      const range = someSlots(stage, 0, 300, 300);
      stage.slowLink(stage.master(0), stage.master(1), 30, 20_000, 10);
      const planned = await stage.plan([{ range, source: 0, target: 1 }], { slotsPerMove: 30 });
      const plan = planned.kind === 'done' ? String(planned.value) : '';
      await comesTo(stage, 'migrating');
      await stage.changeMoves({ do: 'pause', which: { plan } });
      await comesTo(stage, 'queued');
      await stage.sleep(500);
      const moved = () => stage.invariants.cluster?.operations.find(({ id }) => id === plan)?.moved ?? 0;
      const before = moved();
      await stage.sleep(stage.between(1_000, 3_000));
      stage.expect(before > 0 && moved() === before, `${before} slots, and ${moved()} after a pause`);
      if (stage.chance(0.5)) {
        stage.crashController();
        stage.startController();
        await stage.world.led();
      }
      await stage.changeMoves({ do: 'resume', which: { plan } });
      await allMoved(stage, [[range, 1]], 30_000);
    },
  },
  {
    name: 'migration-fails-and-is-retried',
    ...two,
    conf: slowly,
    async play(stage) {
      const range = someSlots(stage, 0, 0, 0);
      const target = stage.master(1);
      await stage.plan([{ range, source: 0, target: 1 }]);
      const tries = stage.chance(0.5) ? 1 : 3;
      for (let i = 0; i < tries; i++) {
        await comesTo(stage, 'migrating');
        await says(stage, stage.master(0), 'start');
        await stage.sleep(stage.between(0, 300));
        // It is back before anybody would take its place.
        stage.kill(target);
        await stage.sleep(stage.between(20, 250));
        stage.start(target);
        await says(stage, stage.master(0), 'fail');
      }
      if (tries === 3) {
        await comesTo(stage, 'failed');
        stage.expect(owns(stage, 0, range), 'slots of a failed move are elsewhere');
        await quicken(stage, stage.master(0));
        await stage.changeMoves({ do: 'retry', which: 'all' });
      } else await quicken(stage, stage.master(0));
      await allMoved(stage, [[range, 1]]);
    },
  },
  {
    name: 'migration-outrun-by-a-writer',
    ...two,
    planned: true,
    conf: () => ({ ...SLOW, 'migrate-speed': '1', 'migrate-sequence-gap': '1' }),
    traffic: { clients: 8, pause: 20 },
    async play(stage) {
      const range = someSlots(stage, 0, 0, 40);
      await stage.plan([{ range, source: 0, target: 1 }]);
      await comesTo(stage, 'migrating');
      const told = await stage.until(() => stage.problems().includes('MOVE_STALLED'), 70_000);
      stage.expect(told !== undefined, `it was not reported: ${stage.problems().join(' ')}`);
      const [move] = movesNow(stage);
      await quicken(stage, stage.master(0));
      const retried = await stage.changeMoves({ do: 'retry', which: { move: move?.id ?? '' } });
      stage.expect(retried.kind === 'done', `trying anew was ${JSON.stringify(retried)}`);
      await allMoved(stage, [[range, 1]]);
      neverFailsOver(stage);
    },
  },
  {
    name: 'migration-at-the-speed-of-the-cluster',
    ...two,
    conf: slowly,
    async play(stage) {
      const speeds = () => stage.world.machines.map((machine) => machine.core?.settings.get('migrate-speed') ?? 'gone');
      const range = someSlots(stage, 0, 20, 20);
      const source = stage.master(0);
      const first = stage.chance(0.5);
      if (first) await stage.settings({ migrate_speed: 500 });
      await stage.plan([{ range, source: 0, target: 1 }]);
      if (!first) {
        await comesTo(stage, 'migrating');
        await stage.settings({ migrate_speed: 500 });
      }
      // Stored, set, given up, put back, forgotten: a controller may die behind each of them.
      await dyingController(stage, 10, async () => {
        if (stage.chance(0.6)) await stage.settings({ migrate_speed: stage.chance(0.5) ? null : 700 });
      });
      if (stage.chance(0.3)) {
        stage.kill(source);
        await stage.sleep(stage.between(100, 3_000));
        stage.start(source);
      }
      const moved = await stage.until(() => movesNow(stage).length === 0, 6_000);
      if (moved !== undefined) {
        const same = await stage.until(() => speeds().every((speed) => speed === '2'), 15_000);
        stage.expect(same !== undefined, `speeds were not put back: ${speeds().join(' ')}`);
      }
      // Where it was given up, or its source was replaced, it may go on slowly.
      for (const machine of stage.world.machines) if (machine.core !== undefined) await quicken(stage, machine);
      await allMoved(stage, [[range, 1]], 30_000);
      const back = await stage.until(() => stage.invariants.cluster?.tuned === 0, 15_000);
      stage.expect(back !== undefined, `speeds were not put back: ${speeds().join(' ')}`);
      const ours = speeds().some((speed) => speed === '500' || speed === '700');
      stage.expect(!ours, `speeds of the cluster stay: ${speeds().join(' ')}`);
    },
  },
  {
    name: 'migration-with-unequal-passwords',
    ...two,
    planned: true,
    async play(stage) {
      const range = someSlots(stage, 0);
      const target = stage.master(1);
      // Whoever is connected stays so; the source logs in anew, without a password.
      await stage.command(target, 'CONFIG', 'SET', 'requirepass', 'secret');
      await stage.plan([{ range, source: 0, target: 1 }]);
      await stage.sleep(stage.between(2_000, 5_000));
      stage.expect(owns(stage, 0, range), 'slots went to a node that lets nobody in');
      stage.expect(movesNow(stage).length === 1, 'the move is gone');
      await stage.command(target, 'AUTH', 'secret');
      target.disturb((core) => core.settings.load('requirepass', ''));
      await stage.sleep(2_000);
      await stage.changeMoves({ do: 'retry', which: 'all' });
      await allMoved(stage, [[range, 1]]);
    },
  },
  {
    name: 'migration-to-a-black-hole',
    ...two,
    async play(stage) {
      const range = someSlots(stage, 0);
      const heal = stage.blackHole(stage.master(1));
      await stage.sleep(stage.chance(0.5) ? 0 : stage.between(100, 2_500));
      await stage.plan([{ range, source: 0, target: 1 }]);
      await stage.sleep(stage.between(2_000, 12_000));
      // A job would be stuck at its source for more than two minutes.
      stage.expect(stage.master(0).core?.cluster.migrator.busy === false, 'its source dials a black hole');
      heal();
      await stage.sleep(3_000);
      await stage.changeMoves({ do: 'retry', which: 'all' });
      await allMoved(stage, [[range, 1]], 20_000);
    },
  },
  {
    name: 'slot-only-while-clients-write',
    ...two,
    planned: true,
    traffic: { clients: 6, pause: 15 },
    async play(stage) {
      const range = someSlots(stage, 0, 50, 50);
      await stage.migrate(1, [range], true);
      await allMoved(stage, [[range, 1]]);
      await stage.migrate(0, [range], true);
      await allMoved(stage, [[range, 0]]);
    },
  },
  {
    name: 'move-there-and-back-and-there-again',
    ...two,
    planned: true,
    traffic: { clients: 6, pause: 20 },
    async play(stage) {
      const single = stage.chance(0.3);
      const range = single ? someSlots(stage, 0, 0, 0) : someSlots(stage, 0, 10, 10);
      for (const target of [1, 0, 1, 0, 1]) {
        // Nobody hears how it ended, so the servers are asked, whose words are those of the last time.
        if (stage.chance(0.5)) stage.loseAnswer(stage.master(1 - target), 'MIGRATE');
        if (stage.chance(0.3)) stage.crashAfterSteps(1 + Math.floor(stage.between(0, 4)), stage.between(50, 500));
        await stage.world.led();
        await stage.plan([{ range, source: 1 - target, target }]);
        await allMoved(stage, [[range, target]]);
        await stage.sleep(stage.between(0, 500));
      }
    },
  },
  {
    name: 'rebalance-after-adding-a-shard',
    ...two,
    spares: 2,
    planned: true,
    async play(stage) {
      await stage.addShard([stage.world.machine('n5'), stage.world.machine('n6')]);
      await stage.sleep(2_000);
      const planned = await stage.rebalance([1, 1, 1]);
      stage.expect(planned.kind === 'done', `it was ${JSON.stringify(planned)}`);
      const over = await stage.until(() => movesNow(stage).length === 0, 40_000);
      stage.expect(over !== undefined, `it goes on: ${movesNow(stage).length} moves are left`);
      const counts = [0, 1, 2].map((i) => stage.shard(i).slots.reduce((sum, { from, to }) => sum + to - from + 1, 0));
      stage.expect(
        counts.every((count) => count >= 5_461),
        `they have ${counts.join(', ')} slots`,
      );
    },
  },
  {
    name: 'drain-a-shard-and-delete-it',
    shards: 3,
    perShard: 2,
    planned: true,
    async play(stage) {
      const refused = await stage.deleteShard(2);
      stage.expect(refused.kind === 'refused', 'a shard with slots was deleted');
      await stage.rebalance([1, 1, 0]);
      const over = await stage.until(() => movesNow(stage).length === 0, 40_000);
      stage.expect(over !== undefined, `it goes on: ${movesNow(stage).length} moves are left`);
      const deleted = await stage.deleteShard(2);
      stage.expect(deleted.kind === 'done', `deleting was ${JSON.stringify(deleted)}`);
      await stage.sleep(3_000);
    },
  },
  {
    name: 'moved-keys-not-deleted',
    ...two,
    planned: true,
    async play(stage) {
      const range = someSlots(stage, 0, 50, 50);
      const source = stage.master(0);
      await stage.plan([{ range, source: 0, target: 1 }]);
      await says(stage, source, 'success');
      await allMoved(stage, [[range, 1]]);
      await stage.sleep(500);
      const wall = stage.world.server.runtime.clock.wall();
      for (let slot = range.from; slot <= range.to; slot++) {
        const left = source.core?.database.keysInSlot(slot, wall) ?? [];
        stage.expect(left.length === 0, `${source.name} still holds ${left.join(' ')} of slot ${slot}`);
      }
      await stage.failover(0);
      await stage.sleep(1_500);
    },
  },
];
