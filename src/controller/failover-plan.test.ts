import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sketch, VERSION, world } from '../decisions/testing.ts';
import type { FailoverPlan } from './control-plane.ts';
import { planFailover } from './failover-plan.ts';
import { Refusal } from './refusal.ts';

const LIMITS: Sketch = { floor: 900, eligibleFrom: 800 };
const plan = (text: string, sketch: Sketch = {}, preferred?: string, force = false): FailoverPlan =>
  planFailover(world(text, sketch), { index: 0 }, preferred, force);

test('a master that answers: a switchover, which loses nothing, and why each other replica is not chosen', () => {
  const got = plan('a master 9 | b replica 9 | c replica 9 down');
  assert.deepEqual(
    [got.how, got.master, got.candidate, got.refused, got.may_lose],
    ['switchover', 'a', 'b', null, null],
  );
  assert.deepEqual(
    got.judged.map((one) => one.refusals.length),
    [0, 1],
  );
});

test('a master that answers and nobody who could follow it: force would not help', () => {
  const got = plan('a master 9 | b replica 9 down');
  assert.deepEqual([got.candidate, got.needs_force, got.with_force], [null, false, null]);
  assert.deepEqual(
    [got.refused, got.judged[0]?.refusals.at(-1)],
    ['each is refused', 'its link to the master is down'],
  );
});

test('what stands in the way of a switchover is said before it is tried', () => {
  assert.match(
    plan('a master 9 | b replica 9', { pause: { until: null, by: 'ops' } }).refused ?? '',
    /paused by ops; resume it first/,
  );
  assert.match(plan(`a master 9 | b replica 9 at:${VERSION - 1}`).refused ?? '', /does not carry version 7 yet/);
});

test('a dead master: a promotion, and what may be lost', () => {
  const got = plan('a master 900 dead | b replica 880', LIMITS);
  assert.deepEqual([got.how, got.candidate, got.needs_force], ['promotion', 'b', false]);
  assert.deepEqual(got.may_lose, { records: 20, unseen_ms: 999 });
});

test('past the lag limit it takes force, and the plan says whom and at what price', () => {
  const got = plan('a master 900 dead | b replica 300', LIMITS);
  assert.deepEqual([got.candidate, got.needs_force, got.with_force, got.may_lose?.records], [null, true, 'b', 600]);
  assert.deepEqual(got.judged[0]?.refusals, ['600 behind, of which 100 may be lost']);
  const forced = plan('a master 900 dead | b replica 300', LIMITS, undefined, true);
  assert.deepEqual([forced.candidate, forced.needs_force, forced.may_lose?.records], ['b', false, 600]);
});

test('a master that only we cannot reach takes force', () => {
  const got = plan('a master 900 dead | b replica 900 linked');
  assert.deepEqual([got.candidate, got.needs_force, got.with_force], [null, true, 'b']);
  assert.match(got.refused ?? '', /^its master cannot be reached from here, but a replica still hears it; pass force/);
});

test('a replica that nobody may promote is not promoted by force either', () => {
  const got = plan('a master 900 dead | b replica 900 unproven');
  assert.deepEqual([got.candidate, got.needs_force, got.may_lose], [null, false, null]);
});

test('a node that is none of the shard is the caller’s mistake, not a plan', () => {
  assert.throws(() => plan('a master 9 | b replica 9', {}, 'x'), Refusal);
});
