import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MOVE_BOUNDS, type Move } from '../operations/move.ts';
import { moveWaits, nextSize } from './move-queue.ts';
import { decideMoves } from './moves.ts';
import { NOW, type Sketch, world } from './testing.ts';
import { copied, moveOf, planned } from './testing-moves.ts';

const SHARDS = 'a master 9 / c master 9 / e master 9 / g master 9';
/** Four slots of each of four shards are on their way to others. */
const to = (id: string, source: number, target: number, more: Partial<Move & { phase: 'queued' }> = {}) =>
  moveOf('queued', {
    id,
    range: { from: source * 4_096, to: source * 4_096 + 99 },
    source: `s${source}`,
    target: `s${target}`,
    ...more,
  });
const running = (id: string, source: number, target: number): Move => {
  const { range, source: from, target: into } = to(id, source, target);
  return moveOf('migrating', {
    id,
    range,
    source: from,
    target: into,
    sourceNode: 'aceg'[source] ?? '',
    targetNode: 'aceg'[target] ?? '',
  });
};

const begins = (operations: readonly Move[], sketch: Sketch = {}, of = SHARDS) => {
  const seen = world(of, { operations, ...sketch });
  const next = decideMoves(seen).proposal?.next.operations ?? [];
  return next.flatMap((one) => {
    const before = operations.find(({ id }) => id === one.id);
    return one.kind === 'move' && one.phase === 'migrating' && before?.phase === 'queued' ? [one.id] : [];
  });
};
const why = (id: string, operations: Sketch['operations'], sketch: Sketch = {}, of = SHARDS) =>
  moveWaits(world(of, { operations: operations ?? [], ...sketch })).get(id) ?? '';

test('pairs without a shard in common move side by side, others one after the other', () => {
  assert.deepEqual(begins([running('one', 0, 1), to('two', 2, 3)]), ['two']);
  for (const [source, target] of [
    [1, 2],
    [0, 2],
    [2, 1],
    [2, 0],
    [1, 0],
  ] as const) {
    assert.deepEqual(begins([running('one', 0, 1), to('two', source, target)]), [], `${source} to ${target}`);
    assert.match(
      why('two', [running('one', 0, 1), to('two', source, target)]),
      /slots 0-99, from or to one of its shards/,
    );
  }
});

test('a held piece keeps its shards, and counts for nothing else', () => {
  const noted = { success: false, process: { id: 5, startedAt: 0 } };
  const held = moveOf('held', { id: 'one', range: { from: 4_096, to: 4_100 }, sourceNode: 'x', noted });
  assert.deepEqual(begins([held, to('two', 1, 2)]), []);
  assert.deepEqual(begins([held, to('two', 2, 3)], { policy: { concurrentMoves: 1 } }), ['two']);
});

test('the higher priority first, then the older, then who was asked for first', () => {
  const first = (...moves: Move[]) => begins(moves)[0];
  assert.equal(first(to('a', 0, 1), to('b', 2, 3)), 'a');
  assert.equal(first(to('a', 0, 1, { startedAt: 5 }), to('b', 2, 3, { startedAt: 4 })), 'b');
  assert.equal(first(to('a', 0, 1, { startedAt: 4 }), to('b', 2, 3, { startedAt: 5, priority: 1 })), 'b');
});

test('a move that waits for a busy shard leaves its other one to its equals, and keeps it from those below it', () => {
  const blocked = (priority: number) => [running('now', 0, 1), to('high', 1, 2, { priority }), to('low', 2, 3)];
  assert.deepEqual(begins(blocked(0)), ['low']);
  assert.deepEqual(begins(blocked(1)), []);
  assert.match(why('low', blocked(1)), /have a higher priority, have had their turn/);
});

test('no more than so many at a time, where that is set', () => {
  const moves = [running('one', 0, 1), to('two', 2, 3)];
  assert.deepEqual(begins(moves, { policy: { concurrentMoves: 1 } }), []);
  assert.match(why('two', moves, { policy: { concurrentMoves: 1 } }), /one of the 1 moves under way ends/);
  assert.deepEqual(begins(moves, { policy: { concurrentMoves: 2 } }), ['two']);
});

test('paused alone, with its plan, or with the whole cluster: nothing new is begun, and what runs goes on', () => {
  const move = to('mv', 0, 1, { plan: 'pl' });
  assert.match(why('mv', [{ ...move, paused: true }]), /it is resumed/);
  assert.match(why('mv', [planned({ paused: true }), move]), /its plan is resumed/);
  assert.match(why('mv', [move], { pause: { until: null, by: 'ops' } }), /the cluster is resumed/);
  const ended = { traces: { mv: { phaseAt: NOW, migration: copied(9) } } };
  const runs = { ...running('mv', 0, 1), paused: true };
  assert.notEqual(decideMoves(world(SHARDS, { operations: [runs], ...ended })).proposal, undefined);
});

test('a move waits, and says for what', () => {
  const move = moveOf('queued');
  const cases: readonly [string, Sketch, RegExp][] = [
    ['a master 9 dead | b replica 9 / c master 9', {}, /master a answers/],
    ['a master 9 / c master 9 gone', {}, /master c answers/],
    ['a master 9 at:6 / c master 9', {}, /master a carries version 7/],
    ['a master 9 / c master 9 says-slave', {}, /master c carries version 7/],
    ['a master 9 / c master 9', { views: { c: { process: null } } }, /master c has said which process it is/],
    ['a master 9 / c master 9 | d replica 9 down', {}, /replica d of the target is linked/],
    [
      'a master 9 / c master 30000 | d replica 9',
      {},
      /replica d of the target is near its master: it lacks 29991 records/,
    ],
    [
      'a master 9 / c master 9',
      { views: { a: { migrating: { range: null, state: 'start' } } } },
      /the job that a runs/,
    ],
    [
      'a master 9 / c master 9',
      { views: { c: { importing: { range: null, state: 'start' } } } },
      /the job that c runs/,
    ],
    ['a master 9 / c master 9', { views: { c: { passwordless: true } } }, /the same requirepass: c has none/],
  ];
  for (const [shards, sketch, words] of cases) {
    assert.deepEqual(begins([move], sketch, shards), [], String(words));
    assert.match(why('mv', [move], sketch, shards), words);
  }
  const alike = { views: { a: { passwordless: true }, c: { passwordless: true } } };
  assert.equal(why('mv', [move], alike, 'a master 9 / c master 9'), '');
});

const piece = (move: Move, others: readonly Move[] = []) => {
  const next = decideMoves(world(SHARDS, { operations: [move, ...others] })).proposal?.next.operations[0];
  return next?.kind === 'move' && next.phase === 'migrating' ? next.piece : undefined;
};

test('the first piece is small, the next ones as the last one was fast, and none is larger than is asked for', () => {
  const long = { range: { from: 0, to: 4_000 } };
  assert.deepEqual(piece(to('mv', 0, 1, long)), { from: 0, to: MOVE_BOUNDS.firstPiece - 1 });
  assert.deepEqual(piece(to('mv', 0, 1, { ...long, size: 500 })), { from: 0, to: 499 });
  assert.deepEqual(piece(to('mv', 0, 1, { ...long, size: 500, slotsPerMove: 10 })), { from: 0, to: 9 });
  assert.deepEqual(piece(to('mv', 0, 1, { ...long, left: { from: 3_990, to: 4_000 }, size: 500 })), {
    from: 3_990,
    to: 4_000,
  });
});

test('what one move has found out of its source the next one begins with', () => {
  const known = to('other', 0, 2, { startedAt: 9, size: 300 });
  assert.deepEqual(piece(to('mv', 0, 1, { range: { from: 100, to: 4_000 } }), [known]), { from: 100, to: 399 });
  const ends = moveOf('handing-over', { id: 'ends', range: { from: 4_096, to: 4_100 }, size: 300, goal: 9 });
  const operations = [ends, to('next', 0, 2)];
  const { proposal } = decideMoves(world(SHARDS, { operations }));
  assert.deepEqual(
    proposal?.next.operations.map((one) => one.kind === 'move' && [one.id, one.size]),
    [['next', 300]],
  );
});

test('a piece is copied in the time that is meant for it, and has at most eight times the slots of the one before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16_384 }), fc.integer({ min: 0, max: 10_000_000 }), (slots, ms) => {
      const size = nextSize(slots, ms);
      assert.ok(Number.isInteger(size) && size >= 1 && size <= slots * MOVE_BOUNDS.growth);
      if (size > 1) assert.ok((size * ms) / slots <= MOVE_BOUNDS.copyIn + 1e-6);
    }),
  );
});
