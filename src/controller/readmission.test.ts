import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { withFloors } from '../decisions/floor.ts';
import { lostData } from '../decisions/liveness.ts';
import { wants } from '../decisions/telling.ts';
import { after, entry, nodeAt, type Sketch, seeing, shardAt, VERSION, world } from '../decisions/testing.ts';
import { readmitEmpty } from './readmission.ts';
import { Refusal } from './refusal.ts';

const LOST: Sketch = { dataLost: 900, floor: 900, eligibleFrom: 800, damping: { level: 1 } };
const refused = (text: string, sketch: Sketch, node = 'a') => {
  try {
    readmitEmpty(world(text, sketch), node, 'ops');
  } catch (error) {
    return error instanceof Refusal ? error.code : assert.fail(String(error));
  }
  return 'nothing';
};

test('accepted empty: its history begins anew at 0, it is told, and nobody follows it by a number of before', () => {
  const seen = world(`a master 3 noid highest:900 at:-1 unproven | b replica 300 down | c away 900`, LOST);
  const { next, events } = readmitEmpty(seen, 'a', 'ops');
  const shard = shardAt(next);
  assert.deepEqual(brokenPromises(seen.intended, next), []);
  assert.deepEqual(shard.lineage.at(-1), entry(VERSION + 1, 'a', 0));
  assert.deepEqual([shard.dataLost, shard.floor, shard.eligibleFrom, shard.damping], [null, 0, 0, null]);
  assert.deepEqual(
    shard.nodes.map((node) => node.membership),
    ['member', 'away', 'away'],
  );
  assert.match(events[0]?.message ?? '', /at sequence 3: the 900 records that it had reached are given up$/);
  assert.equal(events[0]?.by, 'ops');
  // What it was seen at before is no number of this life; the supervisor forgets it with the commit.
  const stored = withFloors(seen, next);
  assert.deepEqual([shardAt(stored).floor, nodeAt(stored, 'a').highest], [0, 0]);
  const later = seeing(after(seen, stored), 'a', { highest: 0, fell: null });
  assert.equal(lostData(later, shardAt(later)), false);
  assert.deepEqual(
    wants(later).map((want) => `${want.node} ${want.purpose}`),
    ['a update'],
  );
});

test('one that was to be master, and copied the loss as a slave before it heard: it is promoted as it is', () => {
  const seen = world('a master 1 highest:521 says-slave at:6', { floor: 521 });
  const { next } = readmitEmpty(seen, 'a', 'ops');
  assert.deepEqual(brokenPromises(seen.intended, next), []);
  const later = seeing(after(seen, next), 'a', { highest: 0, fell: null });
  assert.deepEqual(
    wants(later).map((want) => `${want.node} ${want.purpose}`),
    ['a promote'],
  );
});

test('who is refused, and why', () => {
  assert.equal(refused('a master 900 | b replica 900', {}), 'invalid', 'it has all its data');
  assert.equal(refused('a master 3 | b replica 900 down', LOST, 'b'), 'invalid', 'no master');
  assert.equal(refused('a master 3', LOST, 'z'), 'not_found');
  assert.equal(refused('a master 3 dead', LOST), 'node_failed');
  assert.equal(refused('a master 3', { ...LOST, pause: { until: null, by: 'ops' } }), 'operation_running');
});
