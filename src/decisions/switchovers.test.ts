import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { type Intended, switchoverOf } from '../operations/intended.ts';
import type { Switchover } from '../operations/switchover.ts';
import { decide } from './decide.ts';
import { decideSwitchover } from './switchovers.ts';
import { wants } from './telling.ts';
import { after, carrying, entry, NOW, nodeAt, type Sketch, seeing, shardAt, VERSION, world } from './testing.ts';
import { copied, moveOf } from './testing-moves.ts';
import type { Told, Trace, World } from './world.ts';

const common = { kind: 'switchover', id: 'so', shard: 's0', from: 'a', to: 'b', by: 'ops', startedAt: 0 } as const;
const DRAINING: Switchover = { ...common, phase: 'draining', version: VERSION };
const SWAPPING: Switchover = { ...common, phase: 'swapping', version: VERSION, final: 900 };
const RESTORING: Switchover = { ...common, phase: 'restoring', version: VERSION, because: 'x' };

const drainedAt = (sequence: number, ago = 10): Told => ({
  version: VERSION,
  before: 'master',
  role: 'master',
  sequence,
  connection: 1,
  at: NOW - ago,
});

const traced = (trace: Partial<Trace>): Sketch => ({ traces: { so: { phaseAt: NOW - 20, ...trace } } });

/** `a` is drained for `b`; `c` is a sibling. */
const draining = (sketch: Sketch = traced({})) =>
  world(`a master 900 | b replica 890 at:${VERSION - 1} | c replica 880 at:${VERSION - 1}`, {
    operations: [DRAINING],
    ...sketch,
  });

const drained = (seen: World, ago = 10) => seeing(seen, 'a', { fenced: drainedAt(900, ago), fenceHolds: true });

function commit(seen: World): Intended {
  const { proposal } = decideSwitchover(seen);
  assert.ok(proposal !== undefined, 'nothing was decided');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal.next;
}

const phaseOf = (intended: Intended) => switchoverOf(intended)?.phase ?? 'over';
const because = (intended: Intended) => {
  const open = switchoverOf(intended);
  return open?.phase === 'restoring' ? open.because : '';
};

test('no switchover: nothing to do', () => {
  assert.deepEqual(decideSwitchover(world('a master 9')), { proposal: undefined, chase: undefined, wakeAt: undefined });
});

test('drained, not yet confirmed: waited for, a second at most', () => {
  const decision = decideSwitchover(draining());
  assert.equal(decision.proposal, undefined);
  assert.equal(decision.wakeAt, NOW - 20 + 1_000);
  const late = commit(draining({ traces: { so: { phaseAt: NOW - 1_000 } } }));
  assert.equal(phaseOf(late), 'restoring');
  assert.match(because(late), /did not confirm the drain within 1000 ms/);
});

test('the drain was confirmed: the replica is asked without pause until it has the last number', () => {
  const decision = decideSwitchover(drained(draining(traced({ reached: 895 }))));
  assert.equal(decision.proposal, undefined);
  assert.deepEqual([decision.chase?.node, decision.chase?.goal, decision.chase?.until], ['b', 900, NOW + 40]);
});

test('the replica has the last number: swapped, P being the drained number', () => {
  const next = commit(drained(draining(traced({ reached: 900 }))));
  assert.equal(phaseOf(next), 'swapping');
  assert.equal(next.cluster.version, VERSION + 1);
  assert.deepEqual(shardAt(next).lineage.at(-1), entry(VERSION + 1, 'b', 900, false));
  assert.equal(shardAt(next).master, 'b');
  // The old master and the sibling follow, each judged by its number in the breath.
  assert.deepEqual([nodeAt(next, 'a').attaching, nodeAt(next, 'c').attaching], ['within', 'within']);
});

test('a sibling that is unproven does not follow the new master by its number', () => {
  const seen = world(`a master 900 | b replica 900 | c replica 880 unproven`, {
    operations: [DRAINING],
    ...traced({ reached: 900 }),
  });
  assert.equal(nodeAt(commit(drained(seen)), 'c').membership, 'away');
});

test('the replica does not catch up within 50 ms: restored, and by how much it lacked', () => {
  const next = commit(drained(draining(traced({ reached: 893 })), 50));
  assert.equal(phaseOf(next), 'restoring');
  assert.match(because(next), /did not catch up within 50 ms: 7 records are missing/);
  assert.equal(shardAt(next).master, 'a');
  assert.match(because(commit(drained(draining(), 50))), /it did not answer/);
});

test('the connection that answered the drain is gone: what it said holds no more, so nothing is swapped', () => {
  const seen = seeing(draining({ traces: { so: { phaseAt: NOW - 1_000, reached: 900 } } }), 'a', {
    fenced: drainedAt(900),
    fenceHolds: false,
  });
  assert.equal(phaseOf(commit(seen)), 'restoring');
});

test('an answer to an earlier drain is not this one', () => {
  const seen = seeing(draining(traced({ reached: 900 })), 'a', {
    fenced: { ...drainedAt(900), version: VERSION - 3 },
    fenceHolds: true,
  });
  assert.equal(decideSwitchover(seen).proposal, undefined);
});

test('the old master stops answering while it is drained: restored, and the failover decides', () => {
  const next = commit(seeing(drained(draining(traced({ reached: 900 }))), 'a', { brokeAt: NOW - 5 }));
  assert.match(because(next), /stopped answering/);
});

test('controller dies after the drain: its successor restores, since the replica has heard nothing', () => {
  const next = commit(drained(draining({})));
  assert.equal(phaseOf(next), 'restoring');
  assert.match(because(next), /the controller that drained it is gone/);
  assert.equal(shardAt(next).master, 'a');
});

const swapping = (sketch: Sketch = traced({})) =>
  world(`b master 900 says-slave at:${VERSION - 1} | a replica 900 says-master at:${VERSION - 1}`, {
    operations: [SWAPPING],
    lineage: [entry(1, 'a', 0), entry(VERSION, 'b', 900, false)],
    ...sketch,
  });

test('swapping: done once the new master was read back as master with the version', () => {
  const seen = carrying(swapping(), 'b');
  assert.equal(decideSwitchover(seen).proposal, undefined, 'it still says that it is a slave');
  const next = commit(seeing(seen, 'b', { says: 'master' }));
  assert.equal(phaseOf(next), 'over');
  assert.equal(next.cluster.version, VERSION, 'no node’s text changes');
});

test('swapping: the new master does not answer for three seconds: the drained one is put back at its last number', () => {
  assert.equal(decideSwitchover(swapping()).wakeAt, NOW - 20 + 3_000);
  const next = commit(swapping({ traces: { so: { phaseAt: NOW - 3_000 } } }));
  assert.equal(phaseOf(next), 'over');
  assert.equal(shardAt(next).master, 'a');
  assert.deepEqual(shardAt(next).lineage.at(-1), entry(VERSION + 1, 'a', 900, false));
  assert.equal(nodeAt(next, 'b').membership, 'away');
});

test('swapping: the new master answers just when another one is chosen: it is not told any more that it is master', () => {
  const late = { traces: { so: { phaseAt: NOW - 3_000 } } };
  const told = (seen: World) =>
    decide(seen, { resetDone: () => undefined, overwrite: false, committedAt: NOW }).wants.map(({ node }) => node);
  assert.equal(shardAt(commit(swapping(late))).master, 'a');
  assert.deepEqual(told(swapping()), ['b']);
  assert.deepEqual(told(swapping(late)), []);
});

test('swapping: a drained master that came back without its data is not put back over the one that has it', () => {
  const late = swapping({ traces: { so: { phaseAt: NOW - 3_000 } } });
  assert.equal(decideSwitchover(seeing(late, 'a', { sequence: 0 })).proposal, undefined);
});

test('swapping: both fell silent: a sibling that has all up to the drain takes over, and without one all is waited for', () => {
  const text = `b master 900 gone at:${VERSION - 1} | a replica 900 gone at:${VERSION - 1} | c replica 900 at:${VERSION - 1}`;
  const late = world(text, {
    operations: [SWAPPING],
    lineage: [entry(1, 'a', 0), entry(VERSION, 'b', 900, false)],
    traces: { so: { phaseAt: NOW - 3_000 } },
  });
  assert.equal(shardAt(commit(late)).master, 'c');
  const behind = seeing(late, 'c', { sequence: 899 });
  assert.equal(decideSwitchover(behind).proposal, undefined);
  assert.equal(decideSwitchover(behind).wakeAt, NOW + 250);
});

test('controller dies while swapping: its successor goes forward, with a bound of its own', () => {
  const fresh = swapping({ watchingSince: NOW - 100 });
  assert.equal(decideSwitchover(fresh).proposal, undefined);
  assert.equal(decideSwitchover(fresh).wakeAt, NOW + 2_900);
  assert.equal(phaseOf(commit(seeing(carrying(fresh, 'b'), 'b', { says: 'master' }))), 'over');
});

test('restoring: over once the old master carries the version as master; a successor does the same', () => {
  for (const sketch of [traced({}), {}]) {
    const seen = world(`a master 900 at:${VERSION - 1} | b replica 900 at:${VERSION - 1}`, {
      operations: [RESTORING],
      ...sketch,
    });
    assert.equal(decideSwitchover(seen).proposal, undefined);
    assert.equal(phaseOf(commit(carrying(seen, 'a'))), 'over');
  }
});

test('restoring: an old master that is gone does not hold up the rest of the cluster', () => {
  const text = `a master 900 dead at:${VERSION - 1} | b replica 900 at:${VERSION - 1}`;
  const early = world(text, { operations: [RESTORING], traces: { so: { phaseAt: NOW - 2_900 } } });
  assert.equal(decideSwitchover(early).proposal, undefined);
  const late = world(text, { operations: [RESTORING], traces: { so: { phaseAt: NOW - 3_000 } } });
  const next = commit(late);
  assert.equal(phaseOf(next), 'over');
  assert.equal(shardAt(next).master, 'a');
});

test('from the drain to the end nobody else hears a version: drain, swap, promotion, follower', () => {
  const told = (seen: World) => wants(seen).map((want) => `${want.node} ${want.purpose}`);
  let seen = seeing(draining(traced({})), 'a', { version: VERSION - 1, holds: null });
  assert.deepEqual(told(seen), ['a drain']);
  seen = carrying(drained(draining(traced({ reached: 900 }))), 'a');
  assert.deepEqual(told(seen), []);
  seen = after(seen, commit(seen));
  assert.deepEqual(told(seen), ['b promote']);
  seen = carrying(seen, 'b', { says: 'master', link: null });
  assert.deepEqual(told(seen), ['a attach']);
  seen = carrying(seen, 'a', { says: 'slave', link: 'up' });
  assert.deepEqual(told(seen), ['c attach']);
  assert.equal(phaseOf(commit(seen)), 'over');
});

test('a move that succeeds during a drain is committed behind the switchover', () => {
  const range = { from: 9_000, to: 9_001 };
  const move = moveOf('migrating', { range, source: 's1', target: 's2', sourceNode: 'd', targetNode: 'e' });
  const seen = world(`a master 900 | b replica 890 at:${VERSION - 1} / d master 9 / e master 9`, {
    operations: [DRAINING, move],
    traces: { so: { phaseAt: NOW - 20 }, mv: { phaseAt: NOW - 900, migration: copied(9) } },
  });
  const circumstances = { resetDone: () => undefined, overwrite: false, committedAt: NOW };
  assert.equal(decide(seen, circumstances).proposal, undefined);
});
