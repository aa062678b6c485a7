import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tuned } from '../operations/tuning.ts';
import type { Tune } from './jobs.ts';
import { NOW, type Sketch, world } from './testing.ts';
import { moveOf } from './testing-moves.ts';
import { decideTuning, tuneKey } from './tuning.ts';

/** `a` leads the source of the move, `c` its target; `e` has no part in it. */
const THREE = 'a master 9 | b replica 9 / c master 9 / e master 9';
const SLOW: Sketch = { policy: { migrateSpeed: 100 }, operations: [moveOf('queued')] };
const RECORD: Tuned = { node: 'a', name: 'migrate-speed', was: 4_096, set: 100, over: null };

/** What comes of it: the one job, or the records that are committed and what is told. */
function next(sketch: Sketch, text = THREE) {
  const { proposal, tunes } = decideTuning(world(text, sketch));
  const told = proposal?.events.map(({ message }) => message);
  return { tuned: proposal?.next.tuned, told, jobs: tunes.map(({ node, to, instead }) => [node, to, ...instead]) };
}

const only = (sketch: Sketch): Tune => decideTuning(world(THREE, sketch)).tunes[0] ?? assert.fail('no job');

/** The same world once this job has left the setting at `value`. */
function answered(sketch: Sketch, tune: Tune, value: number | null, ago = 0): Sketch {
  const speeds = { [tune.name]: { of: tuneKey(tune), value, at: NOW - ago } };
  return { ...sketch, found: { [tune.node]: { answers: {}, progress: null, speeds } } };
}

const NOTHING = { tuned: undefined, told: undefined, jobs: [] };

test('no setting of the cluster, or no move: nobody is asked for anything', () => {
  assert.deepEqual(next({ operations: [moveOf('queued')] }), NOTHING);
  assert.deepEqual(next({ policy: { migrateSpeed: 100 } }), NOTHING);
  assert.deepEqual(next({ ...SLOW, operations: [moveOf('failed')] }), NOTHING);
  assert.deepEqual(next({ ...SLOW, operations: [moveOf('queued', { slotOnly: true })] }), NOTHING, 'no keys move');
});

test('the source of a move is asked first, and no other node', () => {
  for (const phase of ['queued', 'migrating', 'handing-over', 'settling', 'held'] as const)
    assert.deepEqual(next({ ...SLOW, operations: [moveOf(phase)] }).jobs, [['a', null]], phase);
});

test('what it had is stored before anything is set, by an answer of now', () => {
  const ask = only(SLOW);
  const { tuned, told, jobs } = next(answered(SLOW, ask, 4_096));
  assert.deepEqual([tuned, jobs], [[RECORD], []]);
  assert.match(told?.[0] ?? '', /its migrate-speed is to be 100 while slots move from it; it gets its 4096 back/);
  assert.deepEqual(next(answered(SLOW, ask, 4_096, 2_500)).jobs, [['a', null]], 'asked again');
});

test('it has that value already, or no such setting: nothing is stored, nothing set', () => {
  const ask = only(SLOW);
  assert.deepEqual(next(answered(SLOW, ask, 100)), NOTHING);
  assert.deepEqual(next(answered(SLOW, ask, null)), NOTHING);
});

test('set once for each process of the server: one that was restarted has its file’s value again', () => {
  const stored: Sketch = { ...SLOW, tuned: [RECORD] };
  const set = only(stored);
  assert.deepEqual([set.to, set.instead], [100, []]);
  const done = answered(stored, set, 100);
  assert.deepEqual(next(done), NOTHING);
  const restarted = { ...done, views: { a: { process: { id: 9, startedAt: 5_000 } } } };
  assert.deepEqual(next(restarted).jobs, [['a', 100]]);
});

test('another value is wanted while it moves: the record, once the server has the one before; both may be put back', () => {
  const stored: Sketch = { ...SLOW, tuned: [RECORD], policy: { migrateSpeed: 7 } };
  assert.deepEqual(next(stored).jobs, [['a', 100]], 'nobody knows yet whether it has that');
  const next7 = { ...RECORD, set: 7, over: 100 };
  assert.deepEqual(next(answered(stored, only(stored), 100)).tuned, [next7]);
  assert.deepEqual(next({ ...stored, tuned: [next7] }).jobs, [['a', 7]]);
  // Its controller died before it was set, and it is not wanted any more.
  assert.deepEqual(next({ ...SLOW, operations: [], tuned: [next7] }).jobs, [['a', 4_096, 7, 100]]);
});

test('a server that takes no other value is left as it is, and that is told', () => {
  const stored: Sketch = { ...SLOW, operations: [], tuned: [RECORD] };
  const { tuned, told } = next(answered(stored, only(stored), 100));
  assert.deepEqual(tuned, []);
  assert.match(told?.[0] ?? '', /left at 100, since it takes no other; it had 4096/);
});

test('its moves are over, or the setting is given up: put back, then forgotten', () => {
  for (const over of [
    { ...SLOW, operations: [] },
    { ...SLOW, policy: {} },
  ]) {
    const stored: Sketch = { ...over, tuned: [RECORD] };
    const back = only(stored);
    assert.deepEqual([back.to, back.instead], [4_096, [100]]);
    const { tuned, told } = next(answered(stored, back, 4_096));
    assert.deepEqual([tuned, told], [[], ['a: its migrate-speed is 4096 again']]);
  }
});

test('somebody else has set it meanwhile: left as it is, and told', () => {
  const stored: Sketch = { ...SLOW, operations: [], tuned: [RECORD] };
  const { tuned, told } = next(answered(stored, only(stored), 55));
  assert.deepEqual(tuned, []);
  assert.match(told?.[0] ?? '', /left at 55, since somebody else has set that; it had 4096/);
});

test('a node that does not answer as itself is not asked, and keeps nothing up', () => {
  for (const views of [{ a: { state: 'refused' } }, { a: { myId: null } }, { a: { process: null } }] as const) {
    assert.deepEqual(next({ ...SLOW, views }), NOTHING);
    assert.deepEqual(next({ ...SLOW, operations: [], tuned: [RECORD], views }), NOTHING);
  }
});

test('its master was replaced: the new one gets its own record, the old one its value back', () => {
  const replaced = 'b master 9 | a replica 9 / c master 9 / e master 9';
  const { jobs } = next({ ...SLOW, tuned: [RECORD] }, replaced);
  assert.deepEqual(jobs, [
    ['b', null],
    ['a', 4_096, 100],
  ]);
});

test('a leaving node gets its value back, and one that is gone is given up', () => {
  const record: Tuned = { ...RECORD, node: 'x' };
  const leaving = [{ id: 'x', address: { host: 'x', port: 1 }, version: 3, how: 'release' }] as const;
  const seen: Sketch = {
    tuned: [record],
    leaving,
    views: { x: { state: 'up', myId: 'x', process: { id: 1, startedAt: 1 } } },
  };
  assert.deepEqual(next(seen).jobs, [['x', 4_096, 100]]);
  const gone = next({ tuned: [record] });
  assert.deepEqual(gone.tuned, []);
  assert.match(gone.told?.[0] ?? '', /it is gone with migrate-speed 100; it had 4096/);
});

test('in a pause, and while a switchover is under way, nothing is asked, stored or set', () => {
  const paused = { until: null, by: 'ops' };
  assert.deepEqual(next({ ...SLOW, pause: paused }), NOTHING);
  assert.deepEqual(next({ ...SLOW, tuned: [RECORD], operations: [], pause: paused }), NOTHING);
});

test('both speeds are set, each on its own', () => {
  const both: Sketch = { ...SLOW, policy: { migrateSpeed: 100, migrateRateLimit: 3 } };
  const { tunes } = decideTuning(world(THREE, both));
  assert.deepEqual(
    tunes.map(({ name }) => name),
    ['migrate-speed', 'migrate-batch-rate-limit-mb'],
  );
});
