import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeMaster } from './liveness.ts';
import { NOW, type Sketch, shardAt, world } from './testing.ts';

const judge = (text: string, sketch: Sketch = {}) => {
  const seen = world(text, sketch);
  const verdict = judgeMaster(seen, shardAt(seen));
  return verdict.kind === 'dead' ? verdict.how : verdict.kind;
};
const linkLost = { b: { linkDownAt: NOW - 400 } };

test('master-restarts-empty before anybody saw what it had written: its replica knows better', () => {
  assert.equal(judge('a master 0 asked:50 | b replica 46 asked:300'), 'lost-data');
});

test('a replica that was asked after its master is ahead of what the master said, and that is no loss', () => {
  assert.equal(judge('a master 40 asked:300 | b replica 46 asked:50'), 'alive');
});

test('a replica without its link gets nothing more, however late it is asked', () => {
  assert.equal(judge('a master 0 asked:300 | b replica 46 down asked:50', { views: linkLost }), 'lost-data');
});

test('a replica that nobody has proven, or that is being copied whole, says nothing about its master', () => {
  assert.equal(judge('a master 40 asked:50 | b replica 46 unproven asked:300'), 'alive');
  assert.equal(judge('a master 40 asked:50 | b replica 46 sync asked:300'), 'alive');
});
