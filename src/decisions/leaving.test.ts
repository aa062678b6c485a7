import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint } from '../topology/fingerprint.ts';
import { releasingText } from '../topology/text.ts';
import { decideLeaving } from './leaving.ts';
import { after, NOW, type Sketch, seeing, VERSION, world } from './testing.ts';
import type { NodeView } from './world.ts';

const X = { id: 'x', address: { host: '10.0.0.9', port: 7 }, version: 5, how: 'reset' } as const;
const never = () => undefined;

const leaving = (facts: Partial<NodeView>, how: 'reset' | 'release' = 'reset', sketch: Sketch = {}) => {
  const seen = world('a master 9', { leaving: [{ ...X, how }], ...sketch });
  const mark = fingerprint(releasingText(seen.intended.cluster, X));
  const told = {
    state: 'up',
    myId: 'x',
    says: 'master',
    version: VERSION,
    holds: { version: VERSION, fingerprint: mark },
  } as const;
  return seeing(seen, 'x', { ...told, ...facts });
};

test('a removed node that was not told yet is neither reset nor forgotten', () => {
  const seen = leaving({ version: 5, holds: { version: 5, fingerprint: 'ours' } });
  assert.deepEqual(decideLeaving(seen, never), { proposal: undefined, resets: [], wakeAt: undefined });
});

test('released: it is reset, and emptied before only where that was asked for', () => {
  assert.deepEqual(decideLeaving(leaving({}), never).resets, [{ node: 'x', address: X.address, flush: true }]);
  assert.equal(decideLeaving(leaving({}, 'release'), never).resets[0]?.flush, false);
});

test('a master released just now sends clients on to those that have its slots, for two seconds; a replica has no such clients', () => {
  const since = (ago: number) => leaving({ versionSince: NOW - ago });
  assert.deepEqual(decideLeaving(since(1_900), never), { proposal: undefined, resets: [], wakeAt: NOW + 100 });
  assert.equal(decideLeaving(since(2_000), never).resets.length, 1);
  const told = { version: VERSION, before: 'slave', role: 'master', sequence: 9, connection: 1, at: NOW } as const;
  assert.equal(decideLeaving(leaving({ versionSince: NOW, fenced: told }), never).resets.length, 1);
  const seen = since(0);
  const cluster = { ...seen.intended.cluster, shards: [] };
  const mark = fingerprint(releasingText(cluster, X));
  const ended = seeing(after(seen, { ...seen.intended, cluster }), 'x', {
    holds: { version: VERSION, fingerprint: mark },
  });
  assert.equal(decideLeaving(ended, never).resets.length, 1);
});

test('reset, or found without a topology: it is no part of the cluster any more, without a new version', () => {
  const done = decideLeaving(leaving({}), () => 'it was emptied and reset').proposal ?? assert.fail();
  assert.deepEqual(done.next.cluster.leaving, []);
  assert.equal(done.next.cluster.version, VERSION);
  assert.match(done.events[0]?.message ?? '', /it was emptied and reset/);
  const blank = decideLeaving(leaving({ version: -1, myId: '', holds: null }), never).proposal;
  assert.deepEqual(blank?.next.cluster.leaving, []);
});

test('a node without a topology that keeps an id may be another cluster’s next one: it is told first', () => {
  assert.equal(decideLeaving(leaving({ version: -1, holds: null }), never).proposal, undefined);
});

test('nothing is reset in a pause', () => {
  assert.deepEqual(decideLeaving(leaving({}, 'reset', { pause: { until: null, by: 'ops' } }), never).resets, []);
});

test('a removed node that does not answer waits, however long', () => {
  assert.deepEqual(decideLeaving(leaving({ state: 'silent' }), never), {
    proposal: undefined,
    resets: [],
    wakeAt: undefined,
  });
});
