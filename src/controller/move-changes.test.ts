import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { decideMoves } from '../decisions/moves.ts';
import { NOW, type Sketch, VERSION, world } from '../decisions/testing.ts';
import { copied, failing, moveOf, planned } from '../decisions/testing-moves.ts';
import type { Proposal, World } from '../decisions/world.ts';
import { type Intended, meantFor, movesOf, type Operation } from '../operations/intended.ts';
import { plansOf } from '../operations/plan.ts';
import * as changes from './move-changes.ts';
import { refused } from './testing-refusals.ts';

const PAIR = 'a master 9 | b replica 9 / c master 9 | d replica 9';
const slots = (from: number, to: number) => ({ from, to });
const of = (...operations: Operation[]) => world(PAIR, { operations });
const byKeys: Sketch['views'] = { a: { migrateType: 'redis-command' } };

function made(seen: World, change: (seen: World) => Proposal): Proposal {
  const proposal = change(seen);
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal;
}

const MV = { move: 'mv' };
const PL = { plan: 'pl' };
const phases = (next: Intended) => movesOf(next).map(({ id, phase }) => `${id} ${phase}`);

test('a plan is paused and resumed with all its moves, a move alone', () => {
  const seen = of(planned(), moveOf('queued', { plan: 'pl' }));
  const paused = made(seen, (at) => changes.pauseMoves(at, PL, 'ops'));
  assert.equal(plansOf(paused.next)[0]?.paused, true);
  assert.deepEqual(
    paused.events.map(({ kind }) => kind),
    ['move.paused'],
  );
  const still = { ...seen, intended: paused.next };
  assert.deepEqual(made(still, (at) => changes.pauseMoves(at, PL, 'ops')).events, [], 'it is paused already');
  assert.equal(decideMoves(still).proposal, undefined);
  const resumed = made(still, (at) => changes.resumeMoves(at, PL, 'ops')).next;
  assert.notEqual(decideMoves({ ...seen, intended: resumed }).proposal, undefined);
  const alone = made(seen, (at) => changes.pauseMoves(at, MV, 'ops')).next;
  assert.deepEqual([movesOf(alone)[0]?.paused, plansOf(alone)[0]?.paused], [true, false]);
});

test('a move of a paused plan is not resumed alone, and what does not exist not at all', () => {
  const seen = of(planned({ paused: true }), moveOf('queued', { plan: 'pl', paused: true }));
  refused('operation_running', /its plan pl is paused; resume that/, () => changes.resumeMoves(seen, MV, 'ops'));
  refused('not_found', /move x/, () => changes.pauseMoves(seen, { move: 'x' }, 'ops'));
  refused('not_found', /plan x/, () => changes.cancelMoves(seen, { plan: 'x' }, 'ops'));
});

test('everything paused and resumed: plans, and moves of their own', () => {
  const seen = of(planned(), moveOf('queued', { plan: 'pl' }), moveOf('queued', { id: 'own', range: slots(1, 2) }));
  const { next } = made(seen, (at) => changes.pauseMoves(at, 'all', 'ops'));
  assert.deepEqual(
    next.operations.map((one) => one.kind !== 'switchover' && one.paused),
    [true, false, true],
    'a move of a plan is paused with it',
  );
  const again = made({ ...seen, intended: next }, (at) => changes.resumeMoves(at, 'all', 'ops')).next;
  assert.ok(again.operations.every((one) => one.kind === 'switchover' || !one.paused));
});

test('cancelled: what has not begun goes away, with a plan that has nothing else', () => {
  const seen = of(planned({ failed: 1 }), moveOf('queued', { plan: 'pl' }), moveOf('failed', { id: 'f', plan: 'pl' }));
  const { next, events } = made(seen, (at) => changes.cancelMoves(at, PL, 'ops'));
  assert.deepEqual(next.operations, []);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['move.cancelled', 'plan.finished'],
  );
  assert.match(events[0]?.message ?? '', /2 moves are given up/);
  assert.deepEqual(made(of(), (at) => changes.cancelMoves(at, 'all', 'ops')).events, []);
});

test('cancelled while it copies key by key: the target alone is told a version, which ends the job', () => {
  const seen = world(PAIR, { operations: [moveOf('migrating')], views: byKeys });
  const { next } = made(seen, (at) => changes.cancelMoves(at, MV, 'ops'));
  assert.equal(next.cluster.version, VERSION + 1);
  assert.deepEqual([meantFor(next, 'a'), meantFor(next, 'c')], [false, true]);
  const ended = (migration: ReturnType<typeof failing> | ReturnType<typeof copied>): World => ({
    ...seen,
    intended: next,
    trace: () => ({ phaseAt: NOW - 10, migration }),
  });
  const failed = decideMoves(ended(failing('x'))).proposal?.next;
  const settling = failed === undefined ? undefined : movesOf(failed)[0];
  assert.equal(settling?.phase === 'settling' && settling.after, 'drop');
  // It may have come to its end a moment before.
  const done = decideMoves(ended(copied(9))).proposal?.next;
  assert.equal(done === undefined ? '' : movesOf(done)[0]?.phase, 'handing-over');
});

test('cancelled while it copies raw: nothing from outside ends it, so it is waited for, and the rest goes away', () => {
  const move = moveOf('migrating', { piece: slots(100, 149) });
  const { next } = made(of(move), (at) => changes.cancelMoves(at, MV, 'ops'));
  assert.equal(next.cluster.version, VERSION);
  assert.equal(meantFor(next, 'c'), false);
  const handing = moveOf('handing-over', {
    ending: 'cancel',
    left: slots(9_000, 9_009),
    range: slots(8_990, 9_009),
    piece: slots(8_990, 8_999),
    goal: 9,
  });
  const last = decideMoves(of(handing)).proposal;
  assert.deepEqual(last?.next.operations, []);
  assert.deepEqual(
    last?.events.map(({ kind, message }) => [kind, message.split(': ')[1]]),
    [['move.cancelled', '10 slots have moved; the rest stays']],
  );
});

test('for the deletion of a cluster no job is ended', () => {
  const seen = world(PAIR, { operations: [moveOf('migrating')], views: byKeys });
  const { next } = made(seen, (at) => changes.cancelMoves(at, 'all', 'ops', false));
  assert.equal(next.cluster.version, VERSION);
  assert.deepEqual(phases(next), ['mv migrating']);
});

test('what cannot be cancelled any more says why', () => {
  const ends = moveOf('handing-over', { range: slots(9_000, 9_009), goal: 9 });
  refused('operation_running', /its last slots are the target’s already/, () =>
    changes.cancelMoves(of(ends), MV, 'ops'),
  );
  const settling = made(of(moveOf('settling')), (at) => changes.cancelMoves(at, MV, 'ops')).next;
  const move = movesOf(settling)[0];
  assert.equal(move?.phase === 'settling' && move.after, 'drop');
  refused('operation_running', /it is being ended/, () =>
    changes.cancelMoves({ ...of(), intended: settling }, MV, 'ops'),
  );
});

test('tried again: failed moves are queued as if they had never been tried', () => {
  const seen = of(planned({ failed: 1 }), moveOf('failed', { plan: 'pl', failures: 3, left: slots(150, 199) }));
  const { next } = made(seen, (at) => changes.retryMoves(at, PL, 'ops'));
  const move = movesOf(next)[0];
  assert.deepEqual(move?.phase === 'queued' && [move.left, move.failures, move.lastFailure], [slots(150, 199), 0, 'x']);
  assert.equal(plansOf(next)[0]?.failed, 0);
  refused('invalid', /plan pl: nothing has failed/, () => changes.retryMoves({ ...seen, intended: next }, PL, 'ops'));
  refused('invalid', /one that has failed, or whose piece runs, can be tried again/, () =>
    changes.retryMoves({ ...seen, intended: next }, MV, 'ops'),
  );
});

test('a piece that a writer outruns is ended and tried anew in smaller ones, where its job can be ended', () => {
  const move = moveOf('migrating');
  refused('operation_running', /such a job ends by itself alone/, () => changes.retryMoves(of(move), MV, 'ops'));
  const seen = world(PAIR, { operations: [move], views: byKeys });
  const { next } = made(seen, (at) => changes.retryMoves(at, MV, 'ops'));
  const ended = { ...seen, intended: next, trace: () => ({ phaseAt: NOW - 10, migration: failing('x') }) };
  const after = decideMoves(ended).proposal?.next;
  const settling = after === undefined ? undefined : movesOf(after)[0];
  assert.ok(settling?.phase === 'settling');
  assert.deepEqual([settling.after, settling.failures, settling.size], ['retry', 0, 12]);
});

test('priorities are bounded', () => {
  const seen = of(planned(), moveOf('queued', { plan: 'pl' }));
  assert.equal(movesOf(made(seen, (at) => changes.setPriority(at, PL, 7, 'ops')).next)[0]?.priority, 7);
  refused('invalid', /allowed: whole numbers from -1000 to 1000/, () => changes.setPriority(seen, PL, 1_001, 'ops'));
});

test('nobody knows whose the slots are: an operator’s word settles it, either way', () => {
  const range = slots(9_000, 9_009);
  const held = moveOf('held', { range, noted: { success: false, process: { id: 5, startedAt: 0 } } });
  const owner = (next: Intended) =>
    next.cluster.shards.find((shard) => shard.slots.some(({ from, to }) => from <= 9_000 && 9_000 <= to))?.id;
  const source = made(of(held), (at) => changes.settleByHand(at, 'mv', 'source', 'ops')).next;
  assert.deepEqual([owner(source), phases(source), source.cluster.version], ['s0', ['mv settling'], VERSION + 1]);
  const target = made(of(held), (at) => changes.settleByHand(at, 'mv', 'target', 'ops')).next;
  assert.deepEqual([owner(target), phases(target)], ['s1', ['mv handing-over']]);

  const open = world(PAIR, {
    operations: [moveOf('migrating')],
    traces: { mv: { phaseAt: NOW, migration: { kind: 'unsettled', waitsFor: 'target' } } },
  });
  assert.deepEqual(phases(made(open, (at) => changes.settleByHand(at, 'mv', 'source', 'ops')).next), ['mv settling']);
  assert.deepEqual(phases(made(open, (at) => changes.settleByHand(at, 'mv', 'target', 'ops')).next), [
    'mv handing-over',
  ]);
  refused('invalid', /there is nothing to settle/, () =>
    changes.settleByHand(of(moveOf('migrating')), 'mv', 'source', 'ops'),
  );
});

const HANDED = moveOf('handing-over', { range: slots(9_000, 9_009), plan: 'pl', goal: 9 });
/** The second shard's master is gone with what it was given, and its replica is behind. */
const ORPHANED = 'a master 9 at:6 | b replica 9 / c master 9 dead | d replica 5';
const marked = { a: { migrating: { range: slots(9_000, 9_009), state: 'success' } } } as const;
const gone = (text = ORPHANED, sketch: Sketch = {}) =>
  world(text, {
    operations: [planned({ slots: 10, moved: 10 }), HANDED],
    traces: { mv: { phaseAt: NOW - 5_000 } },
    views: marked,
    ...sketch,
  });
const settled = (seen: World, who: 'source' | 'target') => changes.settleByHand(seen, 'mv', who, 'ops');

test('handed over to a target that died with it: the source gets it back, and the piece is tried anew', () => {
  const { next, events } = made(gone(), (at) => settled(at, 'source'));
  const [move] = movesOf(next);
  assert.ok(move?.phase === 'settling');
  assert.deepEqual([move.after, move.left, move.version], ['retry', slots(9_000, 9_009), VERSION + 1]);
  assert.deepEqual(move.returned, slots(9_000, 9_009));
  assert.deepEqual([next.cluster.version, plansOf(next)[0]?.moved], [VERSION + 1, 0]);
  assert.equal(next.cluster.shards[0]?.slots.at(-1)?.to, 9_009);
  assert.match(
    events[0]?.message ?? '',
    /what c has taken of them is given up; their source answers writes with TRYAGAIN/,
  );
  const cancelled = gone(ORPHANED, {
    operations: [{ ...HANDED, plan: null, ending: 'cancel', left: slots(9_010, 9_019) }],
  });
  // Given up, and kept: otherwise nobody would know of the slots that are refused.
  const [dropped] = movesOf(made(cancelled, (at) => settled(at, 'source')).next);
  assert.deepEqual(dropped?.phase === 'settling' && [dropped.after, dropped.left], ['fail', slots(9_000, 9_019)]);
  const empty = gone('a master 9 at:6 | b replica 9 / c master 0 highest:9 | d replica 5');
  assert.deepEqual(phases(settled(empty, 'source').next), ['mv settling'], 'the target came back without it');
});

test('handed over: nothing is settled by hand that the nodes can settle, and no copy is given up that can be had', () => {
  refused('invalid', /has their keys; allowed: source/, () => settled(gone(), 'target'));
  const alive = 'a master 9 at:6 | b replica 9 / c master 9 | d replica 5';
  refused('invalid', /the target’s, which answers, so there is nothing to settle/, () =>
    settled(gone(alive), 'source'),
  );
  const held = 'a master 9 at:6 | b replica 9 / c master 9 dead | d replica 9';
  refused('invalid', /there is nothing to settle/, () => settled(gone(held), 'source'));
  const told = gone(ORPHANED, { views: { a: { ...marked.a, busySince: NOW - 10 } } });
  refused('operation_running', /its source is being told something; try again/, () => settled(told, 'source'));
});

test('handed over, and the source has deleted it: what the dead target alone has can be given up', () => {
  const deleted = gone(ORPHANED.replace(' at:6', ''));
  refused('invalid', /a was told that its slots are the target’s and has deleted them; allowed: target/, () =>
    settled(deleted, 'source'),
  );
  const { next, events } = made(deleted, (at) => settled(at, 'target'));
  assert.deepEqual(next.operations, []);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['move.settled', 'move.finished', 'plan.finished'],
  );
});

test('the last slots of all that is under way cannot be cancelled any more, and that is said', () => {
  const words = /its last slots are the target’s already/;
  refused('operation_running', words, () => changes.cancelMoves(gone(), PL, 'ops'));
  refused('operation_running', words, () => changes.cancelMoves(gone(), 'all', 'ops'));
});
