import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VERSION, world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import { type Intended, lookOf, meantFor, nextVersion, type Operation } from './intended.ts';
import { binds } from './move.ts';

const { intended } = world('a master 9 | b replica 9 / c master 9 | d replica 9');
const with_ = (...operations: Operation[]): Intended => ({ ...intended, operations });

const MIGRATING = moveOf('migrating');
const DRAIN: Operation = {
  kind: 'switchover',
  id: 'so',
  shard: 's0',
  from: 'a',
  to: 'b',
  by: 'ops',
  startedAt: 0,
  phase: 'draining',
  version: VERSION,
};

const meant = (of: Intended) => ['a', 'b', 'c', 'd'].filter((node) => meantFor(of, node)).join('');

test('a version is meant for everybody, a drained one for the old master alone, and for no end of a running migration', () => {
  assert.equal(meant(intended), 'abcd');
  assert.equal(meant(with_(DRAIN)), 'a');
  assert.equal(meant(with_({ ...DRAIN, phase: 'swapping', final: 9 })), 'abcd');
  assert.equal(meant(with_({ ...DRAIN, phase: 'restoring', because: 'x' })), 'abcd');
  assert.equal(meant(with_(MIGRATING)), 'bd');
  assert.equal(meant(with_({ ...MIGRATING, endedAt: VERSION })), 'bcd', 'its job is ended by telling the target');
  assert.equal(meant(with_({ ...MIGRATING, sourceNode: 'x', targetNode: 'y' })), 'abcd', 'both were replaced');
  assert.equal(meant(with_(moveOf('held'))), 'abd');
  assert.equal(meant(with_(moveOf('settling'))), 'abcd');
  assert.equal(meant(with_(moveOf('queued'))), 'abcd');
});

test('only a drain makes the text another one than the topology’s', () => {
  assert.notEqual(lookOf(with_(DRAIN)).text, lookOf(intended).text);
  assert.equal(lookOf(with_({ ...DRAIN, phase: 'restoring', because: 'x' })).text, lookOf(intended).text);
  assert.equal(lookOf(with_(MIGRATING)).text, lookOf(intended).text);
});

test('the next version is above the committed one and above whatever was seen', () => {
  assert.equal(nextVersion(intended, intended.cluster).cluster.version, VERSION + 1);
  assert.equal(nextVersion(intended, intended.cluster, 40).cluster.version, 41);
});

test('a move binds its two shards until it is over or given up', () => {
  const queued = moveOf('queued');
  const failed = moveOf('failed');
  assert.deepEqual(
    ['s0', 's1', 's2'].map((shard) => binds(queued, shard)),
    [true, true, false],
  );
  assert.equal(binds(failed, 's0'), false);
});
