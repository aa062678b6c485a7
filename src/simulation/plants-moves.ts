/** Defects of moving slots. */
import type { Plant } from './planted.ts';

export const movePlants: readonly Plant[] = [
  {
    name: 'the source of a piece is told at once',
    edits: [
      {
        file: 'decisions/hand-over.ts',
        find: 'return sourceIsNext(world, move);',
        replace: 'return PLANTED ? true : sourceIsNext(world, move);',
      },
    ],
    scenario: 'move-half-the-cluster',
    promise: 'the target of a move is told first',
    seeds: 4,
  },
  {
    name: 'a source deletes what no replica of its target has yet',
    edits: [
      {
        file: 'decisions/hand-over.ts',
        find: 'return targetKnows(world, move) && isHeld(world, move);',
        replace: 'return targetKnows(world, move) && (PLANTED || isHeld(world, move));',
      },
    ],
    scenario: 'target-fails-over-after-success-its-replica-behind',
    promise: 'the scenario',
    seeds: 12,
  },
  {
    name: 'the bound of a hand-over runs while its target is dead',
    edits: [
      {
        file: 'decisions/hand-over.ts',
        find: "view?.state !== 'up' || lostData(world, target)",
        replace: 'view === undefined',
      },
      { file: 'decisions/hand-over.ts', find: 'view.askedAt >= from', replace: 'world.now >= from' },
      {
        file: 'decisions/hand-over.ts',
        find: 'diedAt - trace.phaseAt <= world.policy.maxLag',
        replace: 'false',
      },
    ],
    scenario: 'target-fails-over-after-success-its-replica-behind',
    promise: 'a copy is deleted once there is another',
    seeds: 12,
  },
  {
    name: 'a failover forgets what its master had just been given',
    edits: [
      {
        file: 'decisions/move-deaths.ts',
        find: 'lacks && mayGoBack(world, move) ? returned(intended, move, death) : untouched',
        replace: 'untouched',
      },
    ],
    scenario: 'target-fails-over-after-success-its-replica-behind',
    promise: 'no acknowledged write is lost',
    seeds: 12,
  },
  {
    name: 'what another controller may have told a source is taken for untold',
    edits: [{ file: 'decisions/hand-over.ts', find: 'trace.found === true', replace: 'false' }],
    scenario: 'target-dies-after-success-and-so-does-the-controller',
    promise: 'the scenario',
    seeds: 12,
  },
  {
    name: 'a success of the past gives slots away',
    edits: [
      {
        file: 'decisions/move-outcome.ts',
        find: "noted?.success === true && !another ? 'past' : 'taken'",
        replace: "'taken'",
      },
      { file: 'decisions/move-queue.ts', find: 'past && piece.to > piece.from', replace: 'false' },
    ],
    scenario: 'move-there-and-back-and-there-again',
    promise: 'no acknowledged write is lost',
    seeds: 12,
  },
  {
    name: 'a success that was undone is taken for a failure',
    edits: [
      {
        file: 'decisions/move-outcome.ts',
        find: "if (word === 'taken') return",
        replace: "if (!PLANTED && word === 'taken') return",
      },
    ],
    scenario: 'move-success-undone-by-a-foreign-push',
    promise: 'the scenario',
    seeds: 12,
  },
  {
    name: 'a shard takes part in several moves',
    edits: [
      {
        file: 'decisions/move-queue.ts',
        find: 'busy.get(move.source) ?? busy.get(move.target)',
        replace: 'undefined',
      },
    ],
    scenario: 'rebalance-after-adding-a-shard',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'a plan counts what it has not moved',
    edits: [
      {
        file: 'decisions/move-steps.ts',
        find: 'return withMoved(next, move.plan, slotsOf(move.piece));',
        replace: 'return withMoved(next, move.plan, slotsOf(move.piece) + (PLANTED ? 1 : 0));',
      },
    ],
    scenario: 'move-half-the-cluster',
    promise: 'a plan counts each slot once',
    seeds: 2,
  },
  {
    name: 'the target of a held piece is told',
    edits: [
      {
        file: 'operations/intended.ts',
        find: "if (move.phase === 'held') holds(move.target, move.targetNode);",
        replace: "if (!PLANTED && move.phase === 'held') holds(move.target, move.targetNode);",
      },
    ],
    scenario: 'source-dies-and-its-target-is-silent',
    promise: 'the ends of a running move hear nothing',
    seeds: 12,
  },
  {
    name: 'silence of a target means that it has taken nothing',
    edits: [
      {
        file: 'decisions/move-steps.ts',
        find: "view.process === null) return 'silent';",
        replace: "view.process === null) return PLANTED ? 'not-taken' : 'silent';",
      },
    ],
    scenario: 'source-dies-and-its-target-is-silent',
    promise: 'the scenario',
    seeds: 30,
  },
  {
    name: 'a paused plan goes on',
    edits: [{ file: 'decisions/move-queue.ts', find: 'planOf(intended, move)?.paused === true', replace: 'false' }],
    scenario: 'migration-paused-and-resumed',
    promise: 'the scenario',
    seeds: 4,
  },
  {
    name: 'a cancelled move goes on with its rest',
    edits: [
      {
        file: 'decisions/move-steps.ts',
        find: "move.left !== null && move.ending !== 'cancel'",
        replace: 'move.left !== null',
      },
    ],
    scenario: 'migration-cancelled-while-it-copies-raw',
    promise: 'the scenario',
    seeds: 8,
  },
  {
    name: 'a server gets another speed back than it had',
    edits: [
      {
        file: 'decisions/tuning.ts',
        find: '{ node, name, was: found.value, set: value, over: null }',
        replace: '{ node, name, was: value, set: value, over: null }',
      },
    ],
    scenario: 'migration-at-the-speed-of-the-cluster',
    promise: 'the scenario',
    seeds: 4,
  },
];
