import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { type Sketch, VERSION, world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import type { Proposal, World } from '../decisions/world.ts';
import { movesOf } from '../operations/intended.ts';
import { plansOf } from '../operations/plan.ts';
import { NO_SLOTS, slotCount } from '../topology/slots.ts';
import type { SlotSizes } from './data-estimate.ts';
import { type MoveOptions, queueMoves, startPlan, type WantedPlan } from './move-planning.ts';
import { refused } from './testing-refusals.ts';

const PAIR = 'a master 9 | b replica 9 / c master 9 | d replica 9';
const THREE = 'a master 9 / c master 9 / e master 9';
const slots = (from: number, to: number) => ({ from, to });

function ids() {
  let n = 0;
  return (kind: string) => `${kind}-${n++}`;
}

function committed(seen: World, proposal: Proposal): Proposal {
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal;
}

const queue = (seen: World, target: number, ranges: readonly [number, number][], options: MoveOptions = {}) =>
  committed(
    seen,
    queueMoves(
      seen,
      { index: target },
      ranges.map(([from, to]) => slots(from, to)),
      options,
      'ops',
      ids(),
    ),
  );
const start = (seen: World, plan: WantedPlan, options: MoveOptions = {}) =>
  committed(seen, startPlan(seen, plan, options, 'ops', ids()));

/** The shard at this place owns nothing. */
const emptied = (text: string, index: number, sketch: Sketch = {}): World => {
  const seen = world(text, sketch);
  const shards = seen.intended.cluster.shards.map((one, i) => (i === index ? { ...one, slots: NO_SLOTS } : one));
  return { ...seen, intended: { ...seen.intended, cluster: { ...seen.intended.cluster, shards } } };
};

test('one move for each run of slots that one shard owns, in order, in a plan of their own, without a new version', () => {
  const { next, events } = queue(world(THREE), 1, [
    [11_000, 11_009],
    [5, 5],
  ]);
  assert.deepEqual(
    movesOf(next).map((move) => [move.range.from, move.range.to, move.source, move.phase, move.plan]),
    [
      [5, 5, 's0', 'queued', 'pl-0'],
      [11_000, 11_009, 's2', 'queued', 'pl-0'],
    ],
  );
  const [plan] = plansOf(next);
  assert.deepEqual([plan?.id, plan?.what, plan?.slots, plan?.moved, plan?.by], ['pl-0', 'migrate', 11, 0, 'ops']);
  assert.equal(next.cluster.version, VERSION);
  assert.deepEqual(
    events.map(({ kind, message }) => [kind, message]),
    [['move.queued', 'slots 5,11000-11009 are to go to shard s1']],
  );
});

test('one range over two shards becomes two moves', () => {
  const { next } = queue(world(THREE), 2, [[5_000, 6_000]]);
  assert.deepEqual(
    movesOf(next).map((move) => [move.range, move.source]),
    [
      [slots(5_000, 5_461), 's0'],
      [slots(5_462, 6_000), 's1'],
    ],
  );
});

test('slots that are on their way, are there already, or belong to nobody are not moved', () => {
  const open = world(PAIR, { operations: [moveOf('queued', { range: slots(1, 2) })] });
  refused('operation_running', /slots 1-2 are on their way already/, () => queue(open, 1, [[2, 9]]));
  refused('owns_slots', /slots 8192-9000 belong to shard 1 already/, () => queue(world(PAIR), 1, [[100, 9_000]]));
  refused('owns_slots', /slots 1-9 belong to no shard/, () => queue(emptied(PAIR, 0), 1, [[1, 9]]));
  refused('operation_running', /was paused by ops/, () =>
    queue(world(PAIR, { pause: { until: null, by: 'ops' } }), 1, [[1, 9]]),
  );
});

test('slots of an open move that have come to their target can be moved on', () => {
  const open = moveOf('queued', { range: slots(8_000, 8_299), left: slots(8_250, 8_299), source: 's1', target: 's0' });
  const seen = world(THREE.replace('/ e master 9', ''), { operations: [open] });
  assert.equal(movesOf(queue(seen, 1, [[8_000, 8_099]]).next).length, 2);
});

test('a range that is asked for twice in one request is moved once', () => {
  const { next } = queue(world(PAIR), 1, [
    [1, 10],
    [5, 15],
  ]);
  assert.deepEqual(
    movesOf(next).map((move) => move.range),
    [slots(1, 15)],
  );
});

test('a failed move makes way for its next try, and its plan goes with it', () => {
  const failed = moveOf('failed', { range: slots(1, 2) });
  const { next } = queue(world(PAIR, { operations: [failed] }), 1, [[1, 2]]);
  assert.deepEqual(
    movesOf(next).map((move) => move.phase),
    ['queued'],
  );
});

test('what is special about the moves of a plan is stored with each, and must be within its bounds', () => {
  const { next } = queue(world(PAIR), 1, [[1, 9]], { slotOnly: true, slotsPerMove: 5, priority: -3 });
  const move = movesOf(next)[0];
  assert.deepEqual([move?.slotOnly, move?.slotsPerMove, move?.priority], [true, 5, -3]);
  for (const options of [{ slotsPerMove: 0 }, { slotsPerMove: 1.5 }, { slotsPerMove: 20_000 }, { priority: 1_001 }])
    refused('invalid', /allowed: whole numbers/, () => queue(world(PAIR), 1, [[1, 9]], options));
});

test('a rebalance: its moves as they were planned, and slots of nobody given at once', () => {
  const seen = emptied(THREE, 2);
  const free = slots(10_923, 16_383);
  const { next } = start(seen, {
    what: 'rebalance',
    moves: [{ range: slots(0, 99), source: 's0', target: 's2' }],
    fills: [{ range: free, target: 's2' }],
  });
  assert.deepEqual(next.cluster.shards[2]?.slots, [free]);
  assert.equal(next.cluster.version, VERSION + 1);
  assert.deepEqual(
    [plansOf(next)[0]?.what, plansOf(next)[0]?.slots, slotCount([slots(0, 99)])],
    ['rebalance', 100, 100],
  );
});

test('a plan that cannot be carried out is refused, with the reason', () => {
  const seen = world(PAIR);
  const plan = (range: { from: number; to: number }, source: string, target: string): WantedPlan => ({
    what: 'drain',
    moves: [{ range, source, target }],
  });
  refused('invalid', /nothing to move/, () => start(seen, { what: 'drain', moves: [] }));
  refused('not_found', /shard sx/, () => start(seen, plan(slots(1, 2), 'sx', 's1')));
  refused('owns_slots', /slots 1-2 belong to shard s0 already/, () => start(seen, plan(slots(1, 2), 's0', 's0')));
  refused('owns_slots', /slots 8000-9000 do not all belong to s0/, () =>
    start(seen, plan(slots(8_000, 9_000), 's0', 's1')),
  );
  const twice = { range: slots(1, 2), source: 's0', target: 's1' };
  refused('invalid', /slots 1-2 are to be moved twice/, () => start(seen, { what: 'drain', moves: [twice, twice] }));
  refused('owns_slots', /slots 1-2 have an owner/, () =>
    start(seen, { what: 'rebalance', moves: [], fills: [{ range: slots(1, 2), target: 's1' }] }),
  );
});

test('keys of a plan are the sum of what its sources said, and not told where one said nothing or none are moved', () => {
  const said = (perSlot: SlotSizes, options: MoveOptions = {}) => {
    const ranges = [slots(5, 14), slots(11_000, 11_009)];
    const { next } = queueMoves(world(THREE), { index: 1 }, ranges, options, 'ops', ids(), perSlot);
    return [...movesOf(next).map(({ keys }) => keys), plansOf(next)[0]?.keys];
  };
  const both = new Map([
    ['s0', { keys: 1.5, bytes: null }],
    ['s2', { keys: 20, bytes: null }],
  ]);
  assert.deepEqual(said(both), [15, 200, 215]);
  assert.deepEqual(said(new Map([['s0', { keys: 1.5, bytes: null }]])), [15, null, null]);
  assert.deepEqual(said(both, { slotOnly: true }), [null, null, null]);
});
