import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Circumstances, decide, nodesKnow, PACE, paces } from './decide.ts';
import { NOW, type Sketch, seeing, VERSION, world } from './testing.ts';
import { moveOf } from './testing-moves.ts';
import type { World } from './world.ts';

const LATELY: Circumstances = { resetDone: () => undefined, overwrite: false, committedAt: NOW - 1_000 };
const kinds = (seen: World, circumstances = LATELY) =>
  decide(seen, circumstances).proposal?.events.map((event) => event.kind) ?? [];

test('a quiet cluster: nothing to commit, nothing to tell, settled', () => {
  const decision = decide(world('a master 9 | b replica 9 / c master 9'), LATELY);
  assert.deepEqual(
    [decision.proposal, decision.wants, decision.wakeAt, decision.settled],
    [undefined, [], undefined, true],
  );
});

test('the same world gives the same answer', () => {
  const seen = world('a master 900 dead | b replica 880 | c replica 870');
  assert.deepEqual(decide(seen, LATELY), decide(seen, LATELY));
});

test('a failover overtakes whatever else there is to do', () => {
  const seen = world(
    `a master 9 dead | b replica 9 / c master 9 | d away 0 says-master | e replica 9 at:${VERSION + 3}`,
  );
  assert.deepEqual(kinds(seen), ['failover']);
});

test('nothing is told before what is to be committed is committed', () => {
  const decision = decide(world('a master 9 dead | b replica 9 / c master 9 at:6'), LATELY);
  assert.notEqual(decision.proposal, undefined);
  assert.deepEqual(decision.wants, []);
});

test('a promotion is told at once, whatever else is to be committed', () => {
  const promoted = 'a replica 9 gone | b master 9 says-slave at:6';
  const other = decide(world(`${promoted} / c master 9 dead | d replica 9`), LATELY);
  assert.deepEqual(
    other.proposal?.events.map(({ kind }) => kind),
    ['failover'],
  );
  assert.deepEqual(
    other.wants.map(({ node, purpose, version }) => [node, purpose, version]),
    [['b', 'promote', VERSION]],
  );
});

test('floors are stored every 10 s while the master writes, and only then', () => {
  const writing = seeing(world('a master 9 highest:5'), 'a', { highest: 9 });
  const due: Circumstances = { ...LATELY, committedAt: NOW - 10_000 };
  assert.equal(decide(writing, LATELY).proposal, undefined);
  assert.equal(decide(writing, due).proposal?.next.cluster.version, VERSION);
  assert.equal(decide(world('a master 9', { floor: 9 }), due).proposal, undefined);
});

test('while a master is missed floors wait: the decision about it would have to wait for their commit', () => {
  const due: Circumstances = { ...LATELY, committedAt: NOW - 10_000 };
  const early = { views: { a: { brokeAt: NOW - 500 }, b: { linkDownAt: NOW - 500 } } };
  const seen = seeing(world('a master 9 dead | b replica 9 / c master 9 highest:5', early), 'c', { highest: 9 });
  assert.equal(decide(seen, due).proposal, undefined);
  assert.equal(decide(seen, due).wakeAt, NOW + 100);
});

test('not settled: somebody is away, attaching, old, silent, leaving, or in an operation', () => {
  const LEAVING = { id: 'x', address: { host: 'h', port: 1 }, version: 5, how: 'reset' } as const;
  const cases: readonly [string, Sketch][] = [
    ['a master 9 | b away 9', {}],
    ['a master 9 | b replica 9 attaching:within', {}],
    ['a master 9 | b replica 9 at:6', {}],
    ['a master 9 | b replica 9 gone', {}],
    ['a master 9', { leaving: [LEAVING] }],
  ];
  for (const [text, sketch] of cases) assert.equal(decide(world(text, sketch), LATELY).settled, false, text);
});

test('nodes know: every member carries the version and plays its role; away ones do not count', () => {
  assert.equal(nodesKnow(world('a master 9 | b replica 9 | c away 9')), true);
  assert.equal(nodesKnow(world('a master 9 | b replica 9 at:6')), false);
  assert.equal(nodesKnow(world('a master 9 | b replica 9 says-master')), false);
});

const paced = (seen: World) => Object.fromEntries(paces(seen, decide(seen, LATELY).reports));

test('a suspect and its witnesses are asked closely, others in peace', () => {
  const seen = world('a master 9 dead | b replica 9 linked / c master 9');
  assert.deepEqual(paced(seen), { a: PACE.close, b: PACE.close });
});

test('the other end of a move whose source or target is a suspect is asked closely too', () => {
  const move = moveOf('migrating');
  const seen = world('a master 9 dead | b replica 9 linked / c master 9 | d replica 9', { operations: [move] });
  assert.deepEqual(paced(seen), { a: PACE.close, b: PACE.close, c: PACE.close });
});

test('a master inside a SETNODES is asked closely: what hangs there may be replaced as soon as its grace has passed', () => {
  const seen = seeing(world('a master 9 | b replica 9'), 'a', { state: 'busy', busySince: NOW - 500 });
  assert.deepEqual(paced(seen), { a: PACE.close });
});

test('a replaced master that is gone is asked often: each write that it takes before it is fenced is lost', () => {
  const replaced: Sketch = {
    lineage: [
      { version: 1, master: 'a', sequence: 0, exact: true },
      { version: 5, master: 'b', sequence: 9, exact: true },
    ],
  };
  assert.deepEqual(paced(world('b master 9 | a away 9 gone', replaced)), { a: PACE.waiting });
  assert.deepEqual(paced(world('b master 9 | c away 9 gone', replaced)), {}, 'it was never master');
});
