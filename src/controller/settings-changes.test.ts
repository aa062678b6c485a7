import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeAt, VERSION, world } from '../decisions/testing.ts';
import { DEFAULT_SETTINGS } from '../operations/settings.ts';
import { Refusal } from './refusal.ts';
import { changeNode, changeSettings, SETTINGS, settingsView } from './settings-changes.ts';

const seen = world('a master 9 | b replica 9');
const refused = (code: string) => (error: unknown) => error instanceof Refusal && error.code === code;

test('settings are set one by one, the version stays, and the event says what is new', () => {
  const first = changeSettings(seen, { tolerance_ms: 5_000, diverged: 'fence' }, 'ops');
  assert.deepEqual(first.next.settings, { tolerance: 5_000, diverged: 'fence' });
  assert.equal(first.next.cluster.version, VERSION);
  assert.deepEqual(first.events, [
    { kind: 'settings.changed', message: 'tolerance_ms is 5000 ms, diverged is fence', by: 'ops' },
  ]);
  const second = changeSettings({ ...seen, intended: first.next }, { tolerance_ms: null, max_lag_ms: 0 }, 'ops');
  assert.deepEqual(second.next.settings, { diverged: 'fence', maxLag: 0 });
  assert.equal(second.events[0]?.message, 'tolerance_ms is the server’s default again, max_lag_ms is 0 ms');
});

test('a setting that is so already is no event, and none at all is refused with what there is', () => {
  const { next } = changeSettings(seen, { diverged: 'fence' }, 'ops');
  assert.deepEqual(changeSettings({ ...seen, intended: next }, { diverged: 'fence' }, 'ops').events, []);
  assert.deepEqual(changeSettings(seen, { max_lag_ms: null }, 'ops').events, []);
  assert.throws(() => changeSettings(seen, {}, 'ops'), refused('invalid'));
});

test('what is shown: the cluster’s own value, or the one that the process was started with', () => {
  const view = settingsView({ maxLag: 20_000 }, { ...DEFAULT_SETTINGS, tolerance: 15_000 });
  const { about } = SETTINGS.max_lag_ms;
  assert.deepEqual(view.max_lag_ms, { value: 20_000, default: 10_000, set: true, unit: 'ms', about });
  assert.deepEqual([view.tolerance_ms.value, view.tolerance_ms.set], [15_000, false]);
  assert.deepEqual([view.diverged.value, view.diverged.unit], ['resync', null]);
});

test('a node’s priority and its exclusion change without a new version', () => {
  const ref = { index: 0 };
  const { next, events } = changeNode(seen, ref, 'b', { priority: 7, noFailover: true }, 'ops');
  assert.equal(next.cluster.version, VERSION);
  const { priority, noFailover } = nodeAt(next, 'b');
  assert.deepEqual([priority, noFailover], [7, true]);
  assert.equal(events[0]?.message, 'b: its priority is 7, it is not promoted unless an operator names it');
  const again = changeNode({ ...seen, intended: next }, ref, 'b', { noFailover: false }, 'ops');
  assert.deepEqual([nodeAt(again.next, 'b').priority, again.events.length], [7, 1]);
  assert.deepEqual(changeNode(seen, ref, 'b', { priority: 100 }, 'ops').events, []);
  assert.throws(() => changeNode(seen, ref, 'x', { priority: 1 }, 'ops'), refused('not_found'));
});
