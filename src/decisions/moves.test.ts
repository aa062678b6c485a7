import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { type Intended, movesOf } from '../operations/intended.ts';
import type { Move } from '../operations/move.ts';
import { covers } from '../topology/slots.ts';
import { decideMoves } from './moves.ts';
import { wants } from './telling.ts';
import { after, carrying, NOW, type Sketch, seeing, VERSION, world } from './testing.ts';
import type { Trace, World } from './world.ts';

const RANGE = { from: 100, to: 199 };
const base = {
  kind: 'move',
  id: 'mv',
  range: RANGE,
  source: 's0',
  target: 's1',
  by: 'ops',
  startedAt: 0,
  failures: 0,
} as const;
const QUEUED: Move = { ...base, slotOnly: false, phase: 'queued', lastFailure: null };
const MIGRATING: Move = { ...base, slotOnly: false, phase: 'migrating', sourceNode: 'a', targetNode: 'c' };
const SHARDS = 'a master 9 | b replica 9 / c master 20 | d replica 20 / e master 5';

const moving = (move: Move, sketch: Sketch = {}, shards = SHARDS) => world(shards, { operations: [move], ...sketch });
const traced = (trace: Partial<Trace>, ago = 100): Sketch => ({ traces: { mv: { phaseAt: NOW - ago, ...trace } } });

function commit(seen: World): Intended {
  const { proposal } = decideMoves(seen);
  assert.ok(proposal !== undefined, 'nothing was decided');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal.next;
}

const owner = (of: Intended) => of.cluster.shards.find((shard) => covers(shard.slots, RANGE))?.id;
const first = (of: Intended) => movesOf(of)[0];

test('a queued move begins: stored before MIGRATE is sent, without a new version', () => {
  const next = commit(moving(QUEUED));
  assert.deepEqual(first(next), { ...MIGRATING });
  assert.equal(next.cluster.version, VERSION);
  assert.equal(owner(next), 's0');
  assert.equal(decideMoves(moving(QUEUED)).migrate, undefined, 'nothing is sent before it is stored');
});

test('the order of the queue: one at a time, the first that was asked for first', () => {
  const later: Move = { ...QUEUED, id: 'later', range: { from: 9_000, to: 9_001 }, source: 's1', target: 's2' };
  const next = commit(world(SHARDS, { operations: [QUEUED, later] }));
  assert.deepEqual(
    movesOf(next).map((move) => move.phase),
    ['migrating', 'queued'],
  );
  assert.equal(decideMoves(world(SHARDS, { operations: [MIGRATING, later], ...traced({}) })).proposal, undefined);
});

test('a move waits, and says for what', () => {
  const cases: readonly [string, Sketch, RegExp][] = [
    [SHARDS, { pause: { until: null, by: 'ops' } }, /the cluster is resumed/],
    ['a master 9 dead | b replica 9 / c master 9', {}, /master a answers/],
    ['a master 9 / c master 9 gone', {}, /master c answers/],
    ['a master 9 at:6 / c master 9', {}, /master a carries version 7/],
    ['a master 9 / c master 9 says-slave', {}, /master c carries version 7/],
    ['a master 9 / c master 9 | d replica 9 down', {}, /replica d of the target is linked/],
    [SHARDS, { views: { a: { migrating: { range: null, state: 'start' } } } }, /the job that a runs ends/],
    [SHARDS, { views: { c: { importing: { range: null, state: 'start' } } } }, /the job that c runs ends/],
  ];
  for (const [shards, sketch, words] of cases) {
    const decision = decideMoves(moving(QUEUED, sketch, shards));
    assert.equal(decision.proposal, undefined, String(words));
    assert.match(decision.waitingFor ?? '', words);
  }
});

test('a success of an earlier job of these two is no success of this move', () => {
  const past: Sketch = {
    views: {
      a: { migrating: { range: RANGE, state: 'success' } },
      c: { importing: { range: RANGE, state: 'success' } },
    },
  };
  assert.equal(first(commit(moving(QUEUED, past)))?.phase, 'migrating');
  assert.equal(decideMoves(moving(MIGRATING, { ...past, ...traced({}) })).proposal, undefined);
});

test('slots that the target owns already are no move any more, slots that nobody of the two owns are a failed one', () => {
  const reversed: Move = { ...QUEUED, source: 's1', target: 's0' };
  assert.deepEqual(commit(moving(reversed)).operations, []);
  const elsewhere: Move = { ...QUEUED, source: 's1', target: 's2' };
  const failed = first(commit(moving(elsewhere)));
  assert.equal(failed?.phase === 'failed' && failed.why, 'the source does not own them');
  const gone: Move = { ...QUEUED, target: 'sx' };
  const without = first(commit(moving(gone)));
  assert.equal(without?.phase === 'failed' && without.why, 'one of the shards is gone');
});

test('migrating: MIGRATE goes out, each try once', () => {
  const { migrate } = decideMoves(moving({ ...MIGRATING, failures: 1 }, traced({})));
  assert.deepEqual([migrate?.source.id, migrate?.target.id, migrate?.attempt, migrate?.resume], ['a', 'c', 1, false]);
});

test('controller dies while migrating: its successor asks how it ended, and sends nothing again', () => {
  assert.equal(decideMoves(moving(MIGRATING)).migrate?.resume, true);
});

test('success: the target owns the slots in the next version, and what it had is remembered', () => {
  const next = commit(moving(MIGRATING, traced({ migration: { kind: 'success', goal: 20 } })));
  assert.equal(owner(next), 's1');
  assert.equal(next.cluster.version, VERSION + 1);
  const move = first(next);
  assert.deepEqual(move?.phase === 'handing-over' && [move.goal, move.version], [20, VERSION + 1]);
});

test('nobody knows yet how it ended: the slots stay where they are, and both ends untold', () => {
  const seen = moving(MIGRATING, traced({ migration: { kind: 'unsettled', why: 'x' } }));
  assert.equal(decideMoves(seen).proposal, undefined);
  assert.deepEqual(wants(seen), []);
});

test('a fail: the target may serve the slots all the same, so both are told a higher version before the retry', () => {
  const next = commit(moving(MIGRATING, traced({ migration: { kind: 'failed', why: 'broken pipe' } })));
  assert.equal(next.cluster.version, VERSION + 1);
  const move = first(next);
  assert.deepEqual(move?.phase === 'queued' && [move.failures, move.lastFailure], [1, 'broken pipe']);
  assert.equal(owner(next), 's0');
  const waiting = decideMoves(after(moving(MIGRATING), next));
  assert.equal(waiting.proposal, undefined);
  assert.match(waiting.waitingFor ?? '', /carries version 8/);
});

test('the third fail is the last: the move is kept for people to see, with what was wrong', () => {
  const next = commit(
    moving({ ...MIGRATING, failures: 2 }, traced({ migration: { kind: 'failed', why: 'broken pipe' } })),
  );
  const move = first(next);
  assert.deepEqual(move?.phase === 'failed' && [move.failures, move.why], [3, 'broken pipe']);
  assert.equal(next.cluster.version, VERSION + 1);
});

test('twenty failed moves are kept, the oldest makes room', () => {
  const failed = Array.from(
    { length: 20 },
    (_, i): Move => ({ ...base, id: `old${i}`, slotOnly: false, phase: 'failed', why: 'x' }),
  );
  const gone: Move = { ...QUEUED, target: 'sx' };
  const next = commit(world(SHARDS, { operations: [...failed, gone] }));
  assert.equal(movesOf(next).length, 20);
  assert.deepEqual([first(next)?.id, movesOf(next).at(-1)?.id], ['old1', 'mv']);
});

test('one of the ends is no node any more: given up', () => {
  const move = first(commit(moving({ ...MIGRATING, targetNode: 'z' }, traced({}))));
  assert.equal(move?.phase === 'failed' && move.why, 'one of its masters is gone');
});

const handing = (ago: number) => {
  const begun = commit(moving(MIGRATING, traced({ migration: { kind: 'success', goal: 20 } })));
  return { ...after(moving(MIGRATING, { traces: { mv: { phaseAt: NOW - ago } } }), begun) };
};

test('handed over: the move is over once both ends know, without a new version', () => {
  assert.equal(decideMoves(handing(10)).proposal, undefined);
  assert.equal(decideMoves(carrying(handing(10), 'c')).proposal, undefined);
  const next = commit(carrying(carrying(handing(10), 'c'), 'a'));
  assert.deepEqual(next.operations, []);
  assert.equal(next.cluster.version, VERSION + 1);
});

test('handed over, and an end is gone: over after three seconds, it is told when it comes back', () => {
  const seen = (ago: number) => seeing(carrying(handing(ago), 'c'), 'a', { state: 'silent' });
  assert.equal(decideMoves(seen(2_900)).proposal, undefined);
  assert.deepEqual(commit(seen(3_000)).operations, []);
});

test('neither end knows: the move stays open, however long', () => {
  assert.equal(decideMoves(handing(60_000)).proposal, undefined);
});

test('hand-over: the linked replica that is nearest to what the target had is chased until the source knows', () => {
  const handing = { ...base, slotOnly: false, phase: 'handing-over', version: VERSION, goal: 20 } as const;
  const ends = { sourceNode: 'a', targetNode: 'c' };
  const shards = 'a master 9 at:6 / c master 20 | d replica 12 | e replica 15 | f replica 19 down';
  const chased = (move: Move, sketch: Sketch = traced({}), of = shards) => decideMoves(moving(move, sketch, of)).chase;
  const chase = chased({ ...handing, ...ends });
  assert.deepEqual([chase?.node, chase?.goal, chase?.until], ['e', 20, NOW + 900]);
  assert.equal(chased({ ...handing, ...ends, goal: null }), undefined, 'nobody knows what it must have');
  assert.equal(chased({ ...handing, ...ends }, traced({}, 1_100)), undefined, 'the source is told all the same by now');
  assert.equal(chased({ ...handing, ...ends }, traced({}), 'a master 9 at:6 / c master 20'), undefined);
});

test('slot_only: straight to the hand-over, the slots without their keys', () => {
  const next = commit(moving({ ...QUEUED, slotOnly: true }));
  assert.equal(owner(next), 's1');
  const move = first(next);
  assert.equal(move?.phase === 'handing-over' && move.goal, null);
});

test('crash in any phase: what is stored says how to go on, with nothing remembered', () => {
  const stored: readonly [Move, (seen: World) => string][] = [
    [QUEUED, (seen) => first(commit(seen))?.phase ?? ''],
    [MIGRATING, (seen) => (decideMoves(seen).migrate?.resume === true ? 'resumed' : '')],
    [
      { ...base, slotOnly: false, phase: 'handing-over', version: VERSION, sourceNode: 'a', targetNode: 'c', goal: 20 },
      (seen) => (commit(seen).operations.length === 0 ? 'over' : ''),
    ],
  ];
  // What is being handed over is the target’s already.
  const outcome = stored.map(([move, run]) =>
    run(moving(move.phase === 'handing-over' ? { ...move, range: { from: 9_000, to: 9_001 } } : move)),
  );
  assert.deepEqual(outcome, ['migrating', 'resumed', 'over']);
});

test('failed moves are not tried again', () => {
  assert.equal(decideMoves(moving({ ...base, slotOnly: false, phase: 'failed', why: 'x' })).proposal, undefined);
});
