/** Failovers while slots are on their way, and changes that meet an open operation. */
import type { Machine } from './machine.ts';
import type { Scenario } from './run.ts';
import { failsOver, two } from './scenario-steps.ts';
import type { Stage } from './stage.ts';

/** A move that takes a while, and a death of one of its ends within it. */
async function diesWhileMigrating(stage: Stage, dying: Machine, index: number): Promise<void> {
  stage.slowLink(stage.master(0), stage.master(1), 300, 4_000, 20);
  await stage.migrate(1, [{ from: 0, to: 2_000 }]);
  await stage.sleep(stage.between(0, 1_200));
  stage.kill(dying);
  await failsOver(stage, 9_000, 'killed in a move', index);
  await stage.sleep(stage.between(500, 6_000));
  stage.start(dying);
  await stage.sleep(8_000);
}

export const moveScenarios: readonly Scenario[] = [
  {
    name: 'failover-while-migrating-from',
    ...two,
    play: (stage) => diesWhileMigrating(stage, stage.master(0), 0),
  },
  {
    name: 'failover-while-migrating-to',
    ...two,
    play: (stage) => diesWhileMigrating(stage, stage.master(1), 1),
  },
  {
    name: 'target-dies-before-its-replica-has-the-slots',
    ...two,
    traffic: { pause: 60 },
    async play(stage) {
      const target = stage.master(1);
      stage.slowLink(target, stage.replica(1), 1_500, 20_000, 600);
      await stage.sleep(2_500);
      await stage.migrate(1, [{ from: 0, to: 4_000 }]);
      const handing = await stage.until(() => stage.invariants.handOvers.length > 0, 9_000);
      stage.expect(handing !== undefined, 'the move never came so far');
      await stage.sleep(stage.between(0, 300));
      stage.kill(target);
      await stage.sleep(stage.between(2_000, 9_000));
      stage.start(target);
      await stage.sleep(6_000);
    },
  },
  {
    name: 'failover-elsewhere-during-a-drain',
    ...two,
    async play(stage) {
      const { leader } = stage.world;
      const drained = stage.master(0);
      const dying = stage.master(1);
      stage.kill(dying);
      await stage.sleep(stage.between(300, 590));
      void stage.failover(0);
      // The answer to the drain is long on its way, so that the death elsewhere is decided meanwhile.
      await stage.nextCommand(drained);
      if (leader !== undefined) stage.slowLink(drained, leader, 900, 3_000, 700);
      await failsOver(stage, 2_500, 'killed during a drain elsewhere', 1);
      await stage.sleep(5_000);
      stage.start(dying);
      await stage.sleep(4_000);
    },
  },
  {
    name: 'cluster-or-shard-deleted-during-a-switchover-or-a-move',
    ...two,
    spares: 2,
    async play(stage) {
      const spares = [stage.world.machine('n5'), stage.world.machine('n6')];
      const added = await stage.addShard(spares);
      stage.expect(added.kind === 'done', `adding was ${JSON.stringify(added)}`);
      await stage.sleep(2_000);
      const moves = stage.chance(0.5);
      const open = moves ? stage.migrate(2, [{ from: 0, to: 300 }]) : stage.failover(2);
      await stage.sleep(stage.between(0.5, 12));
      const deleted = await stage.deleteShard(2);
      const slots = stage.invariants.cluster?.shards[2]?.slots.length ?? 0;
      stage.expect(deleted.kind === 'refused' || slots === 0, 'a shard with slots was deleted');
      await open;
      await stage.sleep(5_000);
      stage.expect((stage.invariants.cluster?.operations.length ?? 0) === 0, 'an operation is left without its shard');
    },
  },
];
