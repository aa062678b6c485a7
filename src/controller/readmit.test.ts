import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { entry, logSays, nodeAt, type Sketch, VERSION, world } from '../decisions/testing.ts';
import type { World } from '../decisions/world.ts';
import type { Intended } from '../operations/intended.ts';
import { type Copy, withNode, withShard } from '../topology/cluster.ts';
import { readmitNode } from './readmit.ts';
import { Refusal } from './refusal.ts';

const REPLACED: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)], floor: 1_000 };
const COPY: Copy = {
  marker: 'm',
  partedAt: 1_001,
  under: 5,
  saved: 1_020,
  seal: '',
  force: false,
  by: 'controller',
  failures: 3,
  process: null,
};

function kept(copy: Copy, sketch: Sketch = REPLACED): World {
  const seen = world('b master 1200 | a away 1020 unproven says-master fenced:1020', sketch);
  const cluster = withShard(seen.intended.cluster, 's0', (shard) =>
    withNode(shard, 'a', (node) => ({ ...node, copy })),
  );
  return { ...seen, intended: { ...seen.intended, cluster } };
}

function made(seen: World, force = false, id = 'a'): Intended {
  const { next } = readmitNode(seen, id, force, 'ops');
  assert.deepEqual(brokenPromises(seen.intended, next), []);
  return next;
}

const refused = (code: string, words: RegExp, act: () => unknown): void =>
  void assert.throws(
    act,
    (error: unknown) => error instanceof Refusal && error.code === code && words.test(error.message),
  );

test('a node that is kept out is let back by name: it begins again, and what is saved stays so', () => {
  const { copy } = nodeAt(made(kept(COPY)), 'a');
  assert.deepEqual([copy?.by, copy?.failures, copy?.saved, copy?.force], ['ops', 0, 1_020, false]);
  assert.equal(made(kept(COPY)).cluster.version, VERSION, 'no node is told anything by that');
});

test('nobody can tell what it alone holds: only by force, which says what that costs', () => {
  const unknown = kept({ ...COPY, partedAt: null, saved: null });
  refused('operation_running', /pass force to copy it over all the same: what it alone holds is then gone/, () =>
    made(unknown),
  );
  assert.equal(nodeAt(made(unknown, true), 'a').copy?.force, true);
});

test('a replica that nothing proves and that no log tells of: by force it leaves the topology to be copied', () => {
  const asked = world('b master 1200 | a replica 1200 unproven', REPLACED);
  refused('operation_running', /is being compared/, () => made(asked));
  const seen = logSays(asked, 'a', null, { kind: 'untellable', why: 'no log' });
  refused('operation_running', /pass force/, () => made(seen));
  const next = made(seen, true);
  assert.deepEqual([nodeAt(next, 'a').membership, next.cluster.version], ['away', VERSION + 1]);
});

test('a node without an id may be any: it is taken only by force', () => {
  const seen = world('b master 1200 | a away 700 unproven says-master noid highest:1000', REPLACED);
  refused('operation_running', /it has no id/, () => made(seen));
  assert.equal(nodeAt(made(seen, true), 'a').copy?.by, 'ops');
});

test('there is nothing to readmit, or nobody to copy it from', () => {
  refused('operation_running', /is proven: there is nothing to readmit/, () =>
    made(world('b master 1200 | a replica 1200', REPLACED)),
  );
  refused('operation_running', /comes back by itself/, () => made(world('b master 1200 | a away 0', REPLACED)));
  refused('is_master', /is the master of its shard/, () => made(kept(COPY), false, 'b'));
  refused('not_found', /does not exist/, () => made(kept(COPY), false, 'zz'));
  refused('operation_running', /paused by ops/, () =>
    made(kept(COPY, { ...REPLACED, pause: { until: null, by: 'ops' } })),
  );
});
