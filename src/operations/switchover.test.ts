import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Switchover, type SwitchoverEvent, type SwitchoverStep, switchoverStep } from './switchover.ts';

const phases: readonly Switchover['phase'][] = ['draining', 'swapping', 'restoring'];
const events: readonly SwitchoverEvent['kind'][] = [
  'caught-up',
  'drain-failed',
  'catch-up-failed',
  'old-master-gone',
  'controller-changed',
  'promoted',
  'promotion-failed',
  'old-master-restored',
];

const answered = (phase: Switchover['phase']): Partial<Record<SwitchoverEvent['kind'], SwitchoverStep>> =>
  Object.fromEntries(
    events.map((event) => [event, switchoverStep(phase, event)]).filter(([, step]) => step !== 'ignore'),
  );

test('every phase answers every event', () => {
  for (const phase of phases) {
    for (const event of events) assert.equal(typeof switchoverStep(phase, event), 'string', `${phase} ${event}`);
  }
});

test('a drain is swapped only when the replica has caught up, and restored whatever else happens', () => {
  assert.deepEqual(answered('draining'), {
    'caught-up': 'swap',
    'drain-failed': 'restore',
    'catch-up-failed': 'restore',
    'old-master-gone': 'restore',
    'controller-changed': 'restore',
  });
});

test('a swap goes only forward, and puts the old master back by force where the new one never answers', () => {
  assert.deepEqual(answered('swapping'), { promoted: 'finish', 'promotion-failed': 'put-back' });
});

test('a restoration ends when the old master is restored, or is gone: the replica has heard nothing either way', () => {
  assert.deepEqual(answered('restoring'), {
    'old-master-restored': 'finish-restored',
    'old-master-gone': 'finish-restored',
  });
});
