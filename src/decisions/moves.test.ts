import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { type Intended, movesOf } from '../operations/intended.ts';
import type { Move } from '../operations/move.ts';
import { plansOf } from '../operations/plan.ts';
import { covers } from '../topology/slots.ts';
import { decideMoves } from './moves.ts';
import { findings } from './problems.ts';
import { wants } from './telling.ts';
import { after, carrying, NOW, type Sketch, seeing, VERSION, world } from './testing.ts';
import { copied, failing, moveOf, planned, RANGE } from './testing-moves.ts';
import type { Trace, World } from './world.ts';

const SHARDS = 'a master 9 | b replica 9 / c master 20 | d replica 20 / e master 5';
const WALL = 1_795_000_000_000;

const moving = (move: Move, sketch: Sketch = {}, shards = SHARDS) => world(shards, { operations: [move], ...sketch });
const traced = (trace: Partial<Trace>, ago = 100): Sketch => ({ traces: { mv: { phaseAt: NOW - ago, ...trace } } });

function commit(seen: World): Intended {
  const { proposal } = decideMoves(seen);
  assert.ok(proposal !== undefined, 'nothing was decided');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal.next;
}

const kinds = (seen: World) => decideMoves(seen).proposal?.events.map(({ kind }) => kind);
const owner = (of: Intended, range = RANGE) => of.cluster.shards.find((shard) => covers(shard.slots, range))?.id;
const first = (of: Intended) => movesOf(of)[0];
const slots = (from: number, to: number) => ({ from, to });

test('a queued move begins: stored before MIGRATE is sent, without a new version', () => {
  const queued = moveOf('queued', { range: slots(100, 150) });
  const seen = moving(queued);
  const next = commit(seen);
  assert.deepEqual(first(next), {
    ...moveOf('migrating', { range: slots(100, 150) }),
    beganAt: WALL,
    tries: 1,
    since: WALL,
  });
  assert.equal(next.cluster.version, VERSION);
  assert.equal(owner(next), 's0');
  assert.deepEqual(kinds(seen), ['move.started']);
  assert.deepEqual(decideMoves(seen).migrates, [], 'nothing is sent before it is stored');
});

test('a success of an earlier job of these two is no success of this move', () => {
  const past: Sketch = {
    views: {
      a: { migrating: { range: RANGE, state: 'success' } },
      c: { importing: { range: RANGE, state: 'success' } },
    },
  };
  assert.equal(decideMoves(moving(moveOf('migrating'), { ...past, ...traced({}) })).proposal, undefined);
  // Of the very range that it imported last, the target’s answer would say nothing: another one is taken.
  const again = first(commit(moving(moveOf('queued', { size: 100 }), past)));
  assert.ok(again?.phase === 'migrating');
  assert.deepEqual([again.piece, again.noted?.success], [slots(100, 198), false]);
  const single: Sketch = { views: { c: { importing: { range: slots(100, 100), state: 'success' } } } };
  const one = first(commit(moving(moveOf('queued', { range: slots(100, 100) }), single)));
  assert.deepEqual(one?.phase === 'migrating' && [one.piece, one.noted?.success], [slots(100, 100), true]);
});

test('slots that the target owns already are no move any more, slots that nobody of the two owns are a failed one', () => {
  assert.deepEqual(commit(moving(moveOf('queued', { source: 's1', target: 's0' }))).operations, []);
  const failed = first(commit(moving(moveOf('queued', { source: 's1', target: 's2' }))));
  assert.equal(failed?.phase === 'failed' && failed.why, 'the source does not own them');
  const without = first(commit(moving(moveOf('queued', { target: 'sx' }))));
  assert.equal(without?.phase === 'failed' && without.why, 'one of the shards is gone');
});

test('what the target owns of the beginning is passed over, and counted', () => {
  const operations = [
    planned(),
    moveOf('queued', { plan: 'pl', range: slots(5_400, 5_499), source: 's1', target: 's0' }),
  ];
  const next = commit(world('a master 9 / c master 9 / e master 9', { operations }));
  const move = first(next);
  assert.ok(move?.phase === 'migrating');
  assert.deepEqual([move.piece, move.left], [slots(5_462, 5_499), slots(5_462, 5_499)]);
  assert.equal(plansOf(next)[0]?.moved, 62);
});

test('migrating: MIGRATE goes out, each try once', () => {
  const [migrate] = decideMoves(moving(moveOf('migrating', { tries: 1 }), traced({}))).migrates;
  assert.deepEqual(
    [migrate?.source.id, migrate?.target.id, migrate?.attempt, migrate?.range, migrate?.resume],
    ['a', 'c', 1, RANGE, false],
  );
});

test('controller dies while migrating: its successor asks how it ended, and sends nothing again', () => {
  const resumes = (sketch: Sketch, move = moveOf('migrating')) => decideMoves(moving(move, sketch)).migrates[0]?.resume;
  assert.equal(resumes({}), true);
  assert.equal(resumes(traced({ found: true, migration: { kind: 'unsettled', waitsFor: 'source' } })), true);
  assert.equal(resumes(traced({}), moveOf('migrating', { resumed: true })), true);
});

test('success: the target owns the slots in the next version, and what it had is remembered', () => {
  const next = commit(moving(moveOf('migrating'), traced({ migration: copied(20, { took: 500 }) })));
  assert.equal(owner(next), 's1');
  assert.equal(next.cluster.version, VERSION + 1);
  const move = first(next);
  assert.ok(move?.phase === 'handing-over');
  assert.deepEqual([move.goal, move.version, move.left, move.recovered], [20, VERSION + 1, null, false]);
  assert.deepEqual([move.pace, move.size], [{ slots: 100, ms: 500 }, 800]);
});

test('success of a piece: the rest is the source’s, and begins in the commit that ends the hand-over', () => {
  const seen = moving(moveOf('migrating', { piece: slots(100, 149), beganAt: 1 }), traced({ migration: copied(20) }));
  const next = commit(seen);
  assert.deepEqual([owner(next, slots(100, 149)), owner(next, slots(150, 199))], ['s1', 's0']);
  let told = after(moving(moveOf('migrating'), traced({})), next);
  told = seeing(carrying(carrying(told, 'c'), 'a'), 'd', { sequence: 20 });
  const begun = commit(told);
  const move = first(begun);
  assert.deepEqual(move?.phase === 'migrating' && [move.left, move.failures], [slots(150, 199), 0]);
  assert.equal(begun.cluster.version, VERSION + 1);
  assert.deepEqual(decideMoves(told).proposal?.events, []);
  const waits = first(commit(seeing(told, 'c', { sequence: 30_000 })));
  assert.equal(waits?.phase, 'queued', 'the replica of the target is too far behind');
});

test('a piece of another source begins in the commit that ends a hand-over, and its beginning is told behind that', () => {
  const operations = [
    moveOf('handing-over', { range: slots(9_000, 9_001), goal: 20 }),
    moveOf('queued', { id: 'mv2', source: 's2', range: slots(12_000, 12_099) }),
  ];
  const seen = world(SHARDS, { operations });
  assert.deepEqual(kinds(seen), ['move.finished', 'move.started']);
  assert.deepEqual(
    commit(seen).operations.map((one) => one.kind === 'move' && [one.id, one.phase]),
    [['mv2', 'migrating']],
  );
});

test('nobody knows yet how it ended: the slots stay where they are, and both ends untold', () => {
  const seen = moving(moveOf('migrating'), traced({ migration: { kind: 'unsettled', waitsFor: 'source' } }));
  assert.equal(decideMoves(seen).proposal, undefined);
  assert.deepEqual(wants(seen), []);
});

test('a success that a restart of the source undid: the target keeps the slots, and what the source took is reported', () => {
  const seen = moving(moveOf('migrating'), traced({ migration: copied(20, { undone: 'restart' }) }));
  const next = commit(seen);
  assert.equal(owner(next), 's1');
  const move = first(next);
  assert.equal(move?.phase === 'handing-over' && move.recovered, true);
  assert.deepEqual(kinds(seen), ['move.recovered']);
  assert.match(decideMoves(seen).proposal?.events[0]?.message ?? '', /what it has taken since .* is lost/);
  // It deletes nothing, and every write that it takes is lost: it is not kept waiting for a replica of the target.
  const told = wants(after(seen, next)).map(({ node }) => node);
  assert.deepEqual(told, ['a', 'c']);
});

test('a fail: the target may serve the slots all the same, so it is told a higher version, then the source, then the retry', () => {
  const next = commit(moving(moveOf('migrating'), traced({ migration: failing('broken pipe') })));
  assert.equal(next.cluster.version, VERSION + 1);
  const move = first(next);
  assert.ok(move?.phase === 'settling');
  assert.deepEqual([move.failures, move.why, move.after, move.version], [1, 'broken pipe', 'retry', VERSION + 1]);
  assert.equal(owner(next), 's0');
  let seen = after(moving(moveOf('migrating'), traced({}, 0)), next);
  assert.deepEqual(
    wants(seen).map(({ node }) => node),
    ['b', 'c', 'd', 'e'],
  );
  assert.equal(decideMoves(seen).proposal, undefined);
  seen = carrying(seen, 'c');
  assert.ok(wants(seen).some(({ node }) => node === 'a'));
  const again = first(commit(carrying(seen, 'a')));
  assert.deepEqual(again?.phase === 'queued' && [again.lastFailure, again.size], ['broken pipe', 50]);
});

test('a target that cannot be told of a fail keeps its source waiting for three seconds at most', () => {
  const settling = (ago: number) =>
    seeing(moving(moveOf('settling'), traced({}, ago), 'a master 9 at:6 / c master 9 at:6'), 'c', { state: 'silent' });
  assert.deepEqual(wants(settling(2_900)), []);
  assert.equal(decideMoves(settling(2_900)).wakeAt, NOW + 100);
  assert.deepEqual(
    wants(settling(3_000)).map(({ node }) => node),
    ['a'],
  );
  assert.equal(first(commit(settling(3_000)))?.phase, 'queued');
});

test('the reply between the servers is lost: both have served them, the source keeps them, and it is told', () => {
  const seen = moving(moveOf('migrating'), traced({ migration: failing('x', { beside: 'served' }) }));
  assert.equal(owner(commit(seen)), 's0');
  assert.deepEqual(kinds(seen), ['move.retried', 'move.both-served']);
});

test('the target did not answer as the piece failed: it is heard before the piece is tried again, and what it says is told', () => {
  const failed = moving(moveOf('migrating'), traced({ migration: failing('x', { beside: 'unheard' }) }));
  assert.deepEqual(kinds(failed), ['move.retried']);
  const { next } = decideMoves(failed).proposal ?? assert.fail();
  const settling = (views: NonNullable<Sketch['views']>, ago = 100, shards = SHARDS) =>
    moving(
      first(next) ?? assert.fail(),
      { views, ...traced({ targetKnewAt: NOW - 90, sourceKnewAt: NOW - 80 }, ago) },
      shards,
    );
  const says = (state: 'success' | 'start', more: object = {}) =>
    ({ c: { askedAt: NOW - 50, importing: { range: RANGE, state }, ...more } }) as const;
  assert.equal(decideMoves(settling(says('success', { askedAt: NOW - 101 }))).proposal, undefined, 'that was before');
  assert.deepEqual(kinds(settling(says('success'))), ['move.both-served']);
  assert.deepEqual(kinds(settling(says('start'))), []);
  const mute = settling(says('success', { state: 'silent' }), 3_000);
  assert.match(decideMoves(mute).proposal?.events[0]?.message ?? '', /c has not said whether it had taken them over/);
  const replaced = settling({}, 100, 'a master 9 | b replica 9 / d master 20 | c away 20 / e master 5');
  assert.match(decideMoves(replaced).proposal?.events[0]?.message ?? '', /c has not said/);
});

test('MIGRATE was never sent: nobody has to be told anything', () => {
  const next = commit(moving(moveOf('migrating'), traced({ migration: failing('x', { sent: false }) })));
  assert.equal(next.cluster.version, VERSION);
  const move = first(next);
  assert.deepEqual(move?.phase === 'queued' && [move.failures, move.size], [1, null]);
});

test('the third fail is the last: the move is kept for people to see, with what was wrong', () => {
  const seen = moving(moveOf('migrating', { failures: 2 }), traced({ migration: failing('broken pipe') }));
  assert.deepEqual(kinds(seen), ['move.failed']);
  const settling = after(seen, commit(seen));
  const move = first(commit(carrying(carrying(settling, 'c'), 'a')));
  assert.deepEqual(move?.phase === 'failed' && [move.failures, move.why], [3, 'broken pipe']);
});

test('two hundred failed moves are kept, the oldest makes room', () => {
  const failed = Array.from({ length: 200 }, (_, i) => moveOf('failed', { id: `old${i}` }));
  const next = commit(world(SHARDS, { operations: [...failed, moveOf('queued', { target: 'sx' })] }));
  assert.equal(movesOf(next).length, 200);
  assert.deepEqual([first(next)?.id, movesOf(next).at(-1)?.id], ['old1', 'mv']);
});

test('one of the ends is no node any more: given up', () => {
  const move = first(commit(moving(moveOf('migrating', { targetNode: 'z' }), traced({}))));
  assert.equal(move?.phase === 'failed' && move.why, 'one of its masters is gone');
});

test('the target was replaced while it took them over: its heir has nothing of them, so they stay', () => {
  const shards = 'a master 9 | b replica 9 / d master 20 | c away 20';
  const seen = moving(moveOf('migrating'), traced({ migration: copied(20) }), shards);
  const next = commit(seen);
  assert.equal(owner(next), 's0');
  const move = first(next);
  assert.deepEqual(move?.phase === 'settling' && [move.after, move.returned], ['retry', RANGE]);
});

/** The source has had the piece back, and says by its job that it refuses it. */
const GIVEN_BACK = moveOf('queued', { returned: RANGE });
const refusing = { a: { migrating: { range: RANGE, state: 'success' } } } as const;

test('a source that refuses what came back to it is switched over before the piece is tried again, three times at most', () => {
  const seen = moving(GIVEN_BACK, { views: refusing });
  const next = commit(seen);
  assert.deepEqual(
    next.operations.map((one) => (one.kind === 'switchover' ? [one.from, one.to, one.phase] : one.kind)),
    ['move', ['a', 'b', 'draining']],
  );
  assert.deepEqual([first(next)?.failures, next.cluster.version], [1, VERSION + 1]);
  const known = findings(seen, []).find(({ code }) => code === 'WRITES_REFUSED');
  assert.deepEqual([known?.node, known?.command], ['a', 'kvctl failover shard 0 -n ns -c c1']);
  const tired = first(commit(moving({ ...GIVEN_BACK, failures: 3 }, { views: refusing, ...traced({}, 9_000) })));
  assert.match(
    tired?.phase === 'failed' ? tired.why : '',
    /a refuses slots 100-163.* until it is restarted or switched over/,
  );
});

test('a source that refuses what came back to it, and nobody to take its place: waited for, and told', () => {
  const alone = moving(GIVEN_BACK, { views: refusing }, 'a master 9 / c master 20 | d replica 20 / e master 5');
  assert.equal(decideMoves(alone).proposal, undefined);
  const known = findings(alone, []).find(({ code }) => code === 'WRITES_REFUSED');
  assert.deepEqual([known?.command, known?.waitingFor], [null, 'a replica that can take its place, or its restart']);
});

test('what a source has given away by hand, has forgotten, or says of before is nothing that came back to it', () => {
  const begins = (move: Move, views: NonNullable<Sketch['views']>) => {
    const next = first(commit(moving(move, { views })));
    assert.deepEqual([next?.phase, next?.returned], ['migrating', null]);
  };
  begins(moveOf('queued'), refusing);
  begins(GIVEN_BACK, {});
  begins(GIVEN_BACK, { a: { migrating: { range: { from: 5, to: 9 }, state: 'success' } } });
  const early = moving(GIVEN_BACK, { views: { a: { ...refusing.a, versionSince: NOW - 10 } } });
  assert.equal(decideMoves(early).proposal, undefined, 'it has not been asked since it was told');
});

const handing = (ago: number) => {
  const begun = commit(moving(moveOf('migrating'), traced({ migration: copied(20) })));
  const seen = after(moving(moveOf('migrating'), { traces: { mv: { phaseAt: NOW - ago } } }), begun);
  return seeing(seen, 'a', { migrating: { range: RANGE, state: 'success' } });
};

test('handed over: the move is over once both ends know, without a new version', () => {
  assert.equal(decideMoves(handing(10)).proposal, undefined);
  assert.equal(decideMoves(carrying(handing(10), 'c')).proposal, undefined);
  const next = commit(carrying(carrying(handing(10), 'c'), 'a'));
  assert.deepEqual(next.operations, []);
  assert.equal(next.cluster.version, VERSION + 1);
});

test('handed over, and another version was committed since: who knew before knows', () => {
  const knew = { phaseAt: NOW - 10, targetKnewAt: NOW - 8, sourceKnewAt: NOW - 5 };
  const seen = handing(10);
  assert.deepEqual(commit({ ...seen, trace: () => knew }).operations, []);
});

test('handed over, and an end is gone: over after three seconds, it is told when it comes back', () => {
  const seen = (ago: number) => seeing(carrying(handing(ago), 'c'), 'a', { state: 'silent' });
  assert.equal(decideMoves(seen(2_900)).proposal, undefined);
  assert.deepEqual(commit(seen(3_000)).operations, []);
});

test('neither end knows: the move stays open, however long', () => {
  assert.equal(decideMoves(handing(60_000)).proposal, undefined);
});

test('hand-over: the linked replica that is nearest to what the target had is chased until the source knows', () => {
  const shards = 'a master 9 at:6 / c master 20 | d replica 12 | e replica 15 | f replica 19 down';
  const chased = (move: Move, sketch: Sketch = traced({}), of = shards) =>
    decideMoves(moving(move, sketch, of)).chases[0];
  const chase = chased(moveOf('handing-over', { goal: 20 }));
  assert.deepEqual([chase?.node, chase?.goal, chase?.until], ['e', 20, NOW + 900]);
  assert.equal(chased(moveOf('handing-over')), undefined, 'nobody knows what it must have');
  const late = traced({}, 1_100);
  assert.equal(chased(moveOf('handing-over', { goal: 20 }), late), undefined, 'the source is told all the same by now');
  assert.equal(chased(moveOf('handing-over', { goal: 20 }), traced({}), 'a master 9 at:6 / c master 20'), undefined);
});

test('hand-over: it is not over, and its guard on promotions stays, while a dead target alone may have what was moved', () => {
  const shards = 'a master 9 | b replica 9 / c master 20 | d replica 15 / e master 5';
  const waiting = moveOf('handing-over', { goal: 20 });
  const marked = { a: { migrating: { range: RANGE, state: 'success' } } } as const;
  const overdue = (of: string, views: Sketch['views'] = {}) =>
    moving(waiting, { views: { ...marked, ...views }, ...traced({ targetKnewAt: NOW - 3_400 }, 3_500) }, of);
  const ends = (seen: World) => decideMoves(seen).proposal !== undefined;
  assert.equal(ends(overdue(shards)), true, 'the target answers after the bound');
  const dead = { c: { state: 'refused', askedAt: NOW - 3_450 } } as const;
  assert.equal(ends(overdue(shards, dead)), false);
  assert.equal(ends(overdue('a master 9 / c master 20 | d replica 20 / e master 5', dead)), true, 'a replica has it');
  const untold = 'a master 9 at:6 / c master 20 | d replica 15 / e master 5';
  assert.equal(ends(overdue(untold)), false, 'the source still has a copy that the replica lacks');
  assert.equal(ends(overdue('a master 9 at:6 / c master 20 | d replica 20 / e master 5')), true);
  assert.equal(ends(overdue('a master 9 at:6 / c master 20 / e master 5')), true, 'there is nobody who could lack it');
});

test('slot_only: straight to the hand-over, all slots at once and without their keys', () => {
  const next = commit(moving(moveOf('queued', { slotOnly: true, size: 5 })));
  assert.equal(owner(next), 's1');
  const move = first(next);
  assert.deepEqual(move?.phase === 'handing-over' && [move.goal, move.left], [null, null]);
});

test('held: what the target has taken is its own, what it has not goes back to the source’s new master', () => {
  const range = slots(9_000, 9_009);
  const held = moveOf('held', { range });
  const shards = 'b master 9 | a away 9 / c master 20 / e master 5';
  const at = (facts: Parameters<typeof seeing>[2]) =>
    seeing(world(shards.replace(' / e master 5', ''), { operations: [held], ...traced({}, 200) }), 'c', facts);
  const taken = commit(at({ importing: { range, state: 'success' } }));
  assert.equal(first(taken)?.phase, 'handing-over');
  assert.equal(taken.cluster.version, VERSION, 'nobody was told another one');
  const back = commit(at({ importing: { range, state: 'error' } }));
  const move = first(back);
  assert.deepEqual(move?.phase === 'settling' && [move.version, move.after], [VERSION + 1, 'retry']);
  assert.equal(owner(back, range), 's0');
});

test('held: a target that was restarted, or says what it said before, or nothing since, is left alone', () => {
  const range = slots(9_000, 9_009);
  const shards = 'b master 9 | a away 9 / c master 20 at:6';
  const at = (facts: Parameters<typeof seeing>[2], noted = { success: false, process: { id: 99, startedAt: 1_000 } }) =>
    seeing(world(shards, { operations: [moveOf('held', { range, noted })], ...traced({}, 200) }), 'c', facts);
  const silent = [
    at({ process: { id: 99, startedAt: 9_000 } }),
    at({ process: null }),
    at({ state: 'silent' }),
    at({ askedAt: NOW - 300, importing: { range, state: 'success' } }),
    at(
      { process: { id: 99, startedAt: 1_000 }, importing: { range, state: 'success' } },
      {
        success: true,
        process: { id: 99, startedAt: 1_500 },
      },
    ),
  ];
  for (const seen of silent) {
    assert.equal(decideMoves(seen).proposal, undefined);
    assert.deepEqual(
      wants(seen).filter(({ node }) => node === 'c'),
      [],
    );
  }
});

test('held, and the failover of its source was taken back: the job is asked about again, and not sent again', () => {
  const range = slots(9_000, 9_009);
  const seen = world('a master 9 | b replica 9 / c master 20', { operations: [moveOf('held', { range })] });
  const next = commit(seen);
  assert.equal(owner(next, range), 's0');
  const move = first(next);
  assert.equal(move?.phase === 'migrating' && move.resumed, true);
});

test('what only marks in two nodes’ memory tell is committed before anything else', () => {
  const ended = moveOf('handing-over', { id: 'old', range: slots(14_000, 14_001), source: 's2', target: 's3' });
  const shards = 'a master 9 / c master 20 / e master 5 / g master 5';
  const seen = world(shards, { operations: [ended, moveOf('migrating')], ...traced({ migration: copied(20) }) });
  assert.deepEqual(kinds(seen), ['move.handing-over']);
});

test('crash in any phase: what is stored says how to go on, with nothing remembered', () => {
  const range = slots(9_000, 9_001);
  assert.equal(first(commit(moving(moveOf('queued'))))?.phase, 'migrating');
  assert.equal(decideMoves(moving(moveOf('migrating'))).migrates[0]?.resume, true);
  assert.equal(first(commit(moving(moveOf('settling'))))?.phase, 'queued');
  assert.deepEqual(commit(moving(moveOf('handing-over', { range, goal: 20 }))).operations, []);
  const died = 'b master 9 | a away 9 / c master 20';
  const held = seeing(moving(moveOf('held', { range }), {}, died), 'c', { importing: { range, state: 'success' } });
  assert.equal(first(commit(held))?.phase, 'handing-over');
});

test('failed moves are not tried again by themselves, and each plan of them is a problem until somebody decides', () => {
  assert.equal(decideMoves(moving(moveOf('failed'))).proposal, undefined);
  const operations = [
    moveOf('failed', { why: 'no route' }),
    moveOf('failed', { id: 'mv2', plan: 'pl', range: slots(300, 399), why: 'refused' }),
    moveOf('failed', { id: 'mv3', plan: 'pl', range: slots(400, 449), why: 'broken pipe' }),
  ];
  const found = findings(world(SHARDS, { operations }), []).filter(({ code }) => code === 'MOVE_FAILED');
  assert.deepEqual(
    found.map(({ command, shard }) => [command, shard]),
    [
      ['kvctl move retry mv -n ns -c c1', 's0'],
      ['kvctl move retry pl -n ns -c c1', null],
    ],
  );
  assert.match(found[0]?.message ?? '', /^slots 100-199 stay .* given up: no route\. .*kvctl move cancel mv -n/);
  assert.match(
    found[1]?.message ?? '',
    /^slots 300-449 stay .*: refused, and more reasons \(kvctl move list -n ns -c c1\)/,
  );
});

test('a plan counts each slot once, and ends with its last move', () => {
  const operations = [planned({ slots: 101 }), moveOf('migrating', { plan: 'pl', piece: slots(100, 149) })];
  const seen = world(SHARDS, { operations, ...traced({ migration: copied(20) }) });
  const next = commit(seen);
  assert.equal(plansOf(next)[0]?.moved, 50);
  const last = moveOf('handing-over', { plan: 'pl', goal: 20, range: slots(9_000, 9_099) });
  const told = world(SHARDS, { operations: [planned({ moved: 100 }), last] });
  assert.deepEqual(commit(told).operations, []);
  assert.deepEqual(kinds(told), ['move.finished', 'plan.finished']);
});
