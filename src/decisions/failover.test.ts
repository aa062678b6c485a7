import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { meantFor, movesOf, switchoverOf } from '../operations/intended.ts';
import type { Switchover } from '../operations/switchover.ts';
import { covers } from '../topology/slots.ts';
import { decideFailovers, forcedFailover } from './failover.ts';
import { moveToSettle } from './move-deaths.ts';
import { entry, NOW, nodeAt, type Sketch, seeing, shardAt, VERSION, world } from './testing.ts';
import { copied, failing, moveOf } from './testing-moves.ts';
import type { JobLine, NodeView, Proposal, World } from './world.ts';

const NEXT = VERSION + 1;

/** What is to be committed, held to the promises; fails if nothing is. */
function commit(seen: World): Proposal {
  const { proposal } = decideFailovers(seen);
  assert.ok(proposal !== undefined, 'nothing was decided');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal;
}

const places = (of: Proposal['next']) =>
  of.cluster.shards.map((shard) =>
    shard.nodes
      .map((node) =>
        node.id === shard.master
          ? `${node.id} master`
          : node.membership === 'away'
            ? `${node.id} away`
            : `${node.id} ${node.attaching}`,
      )
      .join(', '),
  );

test('a crash: the replica is master at P0, which is no guess on the unsafe side, and the old one is away', () => {
  const { next } = commit(world('a master 900 dead | b replica 880', { floor: 890, eligibleFrom: 850 }));
  assert.equal(next.cluster.version, NEXT);
  assert.deepEqual(places(next), ['a away, b master']);
  const shard = shardAt(next);
  assert.deepEqual(shard.lineage.at(-1), entry(NEXT, 'b', 880, false));
  assert.deepEqual([shard.floor, shard.eligibleFrom], [880, 880]);
  assert.deepEqual(nodeAt(next, 'b').proof, { entry: NEXT, how: 'master' });
});

test('the event says who, why, and what may be lost', () => {
  const { events } = commit(world('a master 900 dead | b replica 880 | c replica 870 loading'));
  assert.equal(events[0]?.kind, 'failover');
  assert.match(
    events[0]?.message ?? '',
    /^b replaces a as master: .*the replica lacks 20 records that were seen of it$/,
  );
  assert.deepEqual(events[0]?.evidence, {
    how: 'crash',
    since_break_ms: 700,
    sequence: 880,
    known_missing: 20,
    refused: ['c: loading'],
    passed_over: [],
  });
});

test('siblings that lost the master and are not beyond P0 stay, and are confirmed when they are told', () => {
  const { next } = commit(world('a master 900 dead | b replica 880 | c replica 870'));
  assert.deepEqual(places(next), ['a away, b master, c within']);
});

test('every other sibling goes away: beyond P0, still linked, in a sync, not answering, unproven, fallen back', () => {
  const others: readonly [string, string][] = [
    ['c replica 890 says-master', 'it says master'],
    ['c replica 870 linked silent:5', 'its link is up: a hang of its own kind'],
    ['c replica 870 sync', 'in a sync'],
    ['c replica 870 gone', 'not answering'],
    ['c replica 870 unproven', 'unproven'],
    ['c replica 870 highest:875', 'below its highest'],
    ['c replica 870 asked:800', 'asked before the break'],
  ];
  for (const [sibling, why] of others) {
    const { next } = commit(world(`a master 900 dead | b replica 895 | ${sibling}`));
    assert.deepEqual(places(next), ['a away, b master, c away'], why);
  }
});

test('a sibling that was asked just before its master came back empty stays: left behind it would copy the loss', () => {
  const emptied = (before: number) => {
    const seen = seeing(world('a master 0 highest:900 | b replica 880 down | c replica 870 down'), 'a', {
      fell: { from: 900, at: NOW - 100 },
    });
    return places(commit(seeing(seen, 'c', { askedAt: NOW - 100 - before })).next);
  };
  assert.deepEqual(emptied(200), ['a away, b master, c within']);
  assert.deepEqual(emptied(300), ['a away, b master, c away']);
});

test('a sibling that has use-rsid-psync alone, or alone has not, stays only where its log was compared since it came up', () => {
  const mixed = (rsid: { b: boolean; c: boolean }) =>
    seeing(seeing(world('a master 900 dead | b replica 880 | c replica 870'), 'b', { rsid: rsid.b }), 'c', {
      rsid: rsid.c,
      since: NOW - 60_000,
    });
  const c = (seen: World) => places(commit(seen).next);
  assert.deepEqual(c(mixed({ b: true, c: true })), ['a away, b master, c within']);
  assert.deepEqual(c(mixed({ b: true, c: false })), ['a away, b master, c away']);
  const alone = mixed({ b: false, c: true });
  assert.deepEqual(c(alone), ['a away, b master, c away']);
  const compared = (ago: number): World => {
    const answer = { of: 'x', answer: { kind: 'same', last: 860 }, at: NOW - ago } as const;
    return { ...alone, found: (id) => (id === 'c' ? { answers: { compare: answer }, progress: null } : undefined) };
  };
  assert.deepEqual(c(compared(50_000)), ['a away, b master, c within']);
  assert.deepEqual(c(compared(70_000)), ['a away, b master, c away']);
});

test('a sibling ahead of the promoted one, which was excluded, goes away', () => {
  const lineage = [entry(1, 'x', 0), entry(5, 'a', 9)];
  const { next } = commit(world('a master 900 dead | b replica 880 | c replica 890 proof:1', { lineage }));
  assert.deepEqual(places(next), ['a away, b master, c away']);
});

test('a sibling that is not proven to follow the dead master does not stay by its number', () => {
  const lineage = [entry(1, 'x', 0), entry(5, 'a', 500)];
  const { next } = commit(
    world('a master 900 dead | b replica 880 | c replica 870 proof:1 attaching:within', { lineage }),
  );
  assert.deepEqual(places(next), ['a away, b master, c away']);
});

test('after a hang only the new master is named: the siblings are still linked to the old one', () => {
  const { next } = commit(world('a master 900 hung | b replica 880 | c replica 870'));
  assert.deepEqual(places(next), ['a away, b master, c away']);
});

test('a master that came back empty is replaced, and its replica keeps the data', () => {
  const { next, events } = commit(world('a master 0 highest:900 | b replica 880 down'));
  assert.deepEqual(places(next), ['a away, b master']);
  assert.match(events[0]?.message ?? '', /at sequence 0, below the 900/);
});

test('a controller that starts after the master has died promotes a replica that has all that was stored of it', () => {
  const unlinked: Partial<NodeView> = { linkUpAt: Number.NEGATIVE_INFINITY, lostAt: NOW - 15_000 };
  const started = (text: string, floor: number) =>
    world(text, {
      floor,
      watchingSince: NOW - 15_100,
      views: { a: { brokeAt: NOW - 15_000, answeredAt: -1e9 }, b: unlinked },
    });
  const { next, events } = commit(started('a master 900 dead | b replica 900', 900));
  assert.deepEqual(places(next), ['a away, b master']);
  assert.match(events[0]?.message ?? '', /no replica could say how it ended/);
  const behind = decideFailovers(started('a master 900 dead | b replica 899', 900));
  assert.equal(behind.proposal, undefined);
  assert.deepEqual(behind.reports[0]?.judged?.[0]?.refusals, [
    '1 behind, and no replica could say how its master ended',
  ]);
});

test('no eligible replica: held, and the report says who was refused', () => {
  const decision = decideFailovers(world('a master 900 dead | b replica 300', { floor: 900, eligibleFrom: 800 }));
  assert.equal(decision.proposal, undefined);
  assert.deepEqual(decision.reports[0]?.judged?.[0]?.refusals, ['600 behind, of which 100 may be lost']);
});

test('a paused cluster is judged and left alone', () => {
  const decision = decideFailovers(world('a master 900 dead | b replica 900', { pause: { until: null, by: 'ops' } }));
  assert.equal(decision.proposal, undefined);
  assert.equal(decision.reports[0]?.verdict.kind, 'dead');
});

test('every master at once: all are replaced by one version', () => {
  const { next, events } = commit(
    world('a master 9 dead | b replica 9 / c master 8 dead | d replica 8 / e master 7 dead | f replica 7'),
  );
  assert.equal(next.cluster.version, NEXT);
  assert.deepEqual(places(next), ['a away, b master', 'c away, d master', 'e away, f master']);
  assert.equal(events.length, 3);
});

test('a suspect is looked at again when its time comes', () => {
  const early: Partial<NodeView> = { brokeAt: NOW - 500 };
  const sketch: Sketch = { views: { a: early, b: { linkDownAt: NOW - 500 } } };
  const decision = decideFailovers(world('a master 900 dead | b replica 900', sketch));
  assert.equal(decision.proposal, undefined);
  assert.equal(decision.wakeAt, NOW + 100);
});

const switchover = (
  shard: string,
  from: string,
  to: string,
  phase: 'draining' | 'restoring' = 'draining',
): Switchover => {
  const common = { kind: 'switchover', id: 'so', shard, from, to, by: 'ops', startedAt: 0, version: VERSION } as const;
  return phase === 'draining' ? { ...common, phase } : { ...common, phase, because: 'x' };
};

test('failover elsewhere during a drain: the drain is restored with the very same version', () => {
  const operations = [switchover('s1', 'c', 'd')];
  const { next } = commit(world('a master 9 dead | b replica 9 / c master 8 | d replica 8', { operations }));
  const open = switchoverOf(next);
  assert.equal(open?.phase, 'restoring');
  assert.equal(open?.phase === 'restoring' && open.version, NEXT);
  assert.equal(next.cluster.version, NEXT);
  assert.deepEqual(places(next), ['a away, b master', 'c master, d null']);
});

test('a drained master that dies is left to its switchover, which restores first', () => {
  const operations = [switchover('s0', 'a', 'b')];
  assert.deepEqual(decideFailovers(world('a master 9 dead | b replica 9', { operations })).reports, []);
});

test('a master that dies while it is being restored is replaced, and the switchover is over', () => {
  const operations = [switchover('s0', 'a', 'b', 'restoring')];
  const { next } = commit(world('a master 9 dead | b replica 9', { operations }));
  assert.deepEqual(next.operations, []);
  assert.deepEqual(places(next), ['a away, b master']);
});

const RANGE = { from: 100, to: 199 };
const MOVE = moveOf('migrating');
const success: JobLine = { range: RANGE, state: 'success' };
const SHARDS = 'a master 9 dead | b replica 9 / c master 8 | d replica 8';

const owner = (next: Proposal['next']) => next.cluster.shards.find((shard) => covers(shard.slots, RANGE))?.id;

test('the source dies after success, which only the target tells: the target keeps the slots', () => {
  const { next, events } = commit(world(SHARDS, { operations: [MOVE], views: { c: { importing: success } } }));
  assert.equal(owner(next), 's1');
  const move = movesOf(next)[0];
  assert.deepEqual(move?.phase === 'handing-over' && [move.goal, move.version], [8, next.cluster.version]);
  assert.deepEqual(
    events.map((event) => event.kind),
    ['move.handing-over', 'failover'],
  );
});

test('the source dies right after its success was heard: nobody needs to ask the target again', () => {
  const traces = { mv: { phaseAt: NOW - 1_000, migration: copied(8) } };
  const { next } = commit(world(SHARDS, { operations: [MOVE], traces }));
  assert.equal(owner(next), 's1');
});

test('the source dies in the middle of a move: its new master keeps the slots, and the move is tried again', () => {
  for (const importing of [
    null,
    { range: RANGE, state: 'start' } as const,
    { range: RANGE, state: 'error' } as const,
  ]) {
    const { next } = commit(world(SHARDS, { operations: [MOVE], views: { c: { importing } } }));
    assert.equal(owner(next), 's0');
    const move = movesOf(next)[0];
    assert.equal(move?.phase, 'queued');
    assert.equal(move?.failures, 1);
  }
});

test('a success of another range at the target is of the past', () => {
  const other: JobLine = { range: { from: 100, to: 198 }, state: 'success' };
  assert.equal(owner(commit(world(SHARDS, { operations: [MOVE], views: { c: { importing: other } } })).next), 's0');
});

test('the source dies and the target was last asked before that: its answer is waited for, half a second at most', () => {
  const stale = (brokeAt: number): World =>
    world(SHARDS, {
      operations: [MOVE],
      views: {
        a: { state: 'up', sequence: 0, highest: 9, since: brokeAt, brokeAt: null, askedAt: NOW - 10 },
        b: { askedAt: NOW - 10 },
        c: { askedAt: brokeAt - 100, importing: { range: RANGE, state: 'start' } },
      },
    });
  const waiting = decideFailovers(stale(NOW - 100));
  assert.equal(waiting.proposal, undefined);
  assert.equal(waiting.wakeAt, NOW + 400);
  assert.notEqual(decideFailovers(stale(NOW - 600)).proposal, undefined);
});

test('the target dies after its success was heard: the hand-over is committed before it is replaced', () => {
  const traces = { mv: { phaseAt: NOW - 1_000, migration: copied(8) } };
  const seen = world('a master 9 | b replica 9 / c master 8 dead | d replica 8', { operations: [MOVE], traces });
  assert.equal(decideFailovers(seen).proposal, undefined);
});

test('the target dies, and the source says success, which nobody has settled yet: it is found out first', () => {
  const shards = 'a master 9 | b replica 9 / c master 8 dead | d replica 8';
  const says = { views: { a: { migrating: success } } };
  assert.equal(decideFailovers(world(shards, { operations: [MOVE], ...says })).proposal, undefined);
  // A success of the past, as the job itself has failed.
  const traces = { mv: { phaseAt: NOW - 1_000, migration: failing('x') } };
  const { next } = commit(world(shards, { operations: [MOVE], traces, ...says }));
  assert.equal(movesOf(next)[0]?.phase, 'migrating', 'its job is at an end before anything else begins');
  assert.equal(owner(next), 's0');
});

const HANDING = moveOf('handing-over', { range: { from: 9_000, to: 9_099 }, goal: 8 });

test('the target dies in the hand-over: a replica that lacks the moved slots is not promoted, its source has them yet', () => {
  const behind = world('a master 9 at:6 / c master 8 dead | d replica 7', { operations: [HANDING] });
  const decision = decideFailovers(behind);
  assert.equal(decision.proposal, undefined);
  assert.match(decision.reports[1]?.judged?.[0]?.refusals.join() ?? '', /moved/);
  const level = world('a master 9 at:6 / c master 8 dead | d replica 8', { operations: [HANDING] });
  assert.deepEqual(places(commit(level).next)[1], 'c away, d master');
});

test('the target dies before a replica has what it took over, and its source was not told: it goes back with the failover', () => {
  const ours = { mv: { phaseAt: NOW - 2_000 } };
  const dies = (text: string, sketch: Sketch = {}) => world(text, { operations: [HANDING], traces: ours, ...sketch });
  const has = (of: Proposal['next']) => of.cluster.shards.find((one) => covers(one.slots, HANDING.piece))?.id;
  const behind = 'a master 9 at:6 / c master 8 dead | d replica 7';
  const { next, events } = commit(dies(behind));
  assert.deepEqual(places(next)[1], 'c away, d master');
  assert.deepEqual([has(next), next.cluster.version], ['s0', VERSION + 1]);
  const [move] = movesOf(next);
  assert.deepEqual(move?.phase === 'settling' && [move.after, move.version], ['retry', VERSION + 1]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['move.retried', 'failover'],
  );
  // Its heir has them: they stay.
  const level = commit(dies('a master 9 at:6 / c master 8 dead | d replica 8')).next;
  assert.deepEqual([has(level), movesOf(level)[0]?.phase], ['s1', 'handing-over']);
  // Of one that said nothing at success no replica is known to have them all.
  const unknown = commit(dies(behind, { operations: [{ ...HANDING, goal: null }] })).next;
  assert.deepEqual([has(unknown), movesOf(unknown)[0]?.phase], ['s0', 'settling']);
  // It came back without its data: the replica is promoted before it copies the loss.
  const empty = commit(dies('a master 9 at:6 / c master 0 highest:8 | d replica 7 down')).next;
  assert.deepEqual([has(empty), movesOf(empty)[0]?.phase], ['s0', 'settling']);
});

test('what was handed over goes back only while nobody can have told its source, and no more than max_lag is given up', () => {
  const behind = 'a master 9 at:6 / c master 8 dead | d replica 7';
  const ours = { mv: { phaseAt: NOW - 2_000 } };
  const holds = (text: string, sketch: Sketch) =>
    assert.equal(decideFailovers(world(text, { operations: [HANDING], traces: ours, ...sketch })).proposal, undefined);
  holds(behind, { traces: { mv: { phaseAt: NOW - 2_000, found: true } } });
  holds(behind, { traces: {} });
  holds(behind, { traces: { mv: { phaseAt: NOW - 30_000 } } });
  holds(behind, { views: { a: { busySince: NOW - 10 } } });
  holds(behind, { views: { a: { state: 'silent' } } });
  holds(behind, { operations: [{ ...HANDING, recovered: true }] });
  holds('a master 9 / c master 8 dead | d replica 7', {});
  holds('b master 9 at:6 | a away 9 at:6 / c master 8 dead | d replica 7', {});
});

test('the target dies before it says what it had after the move: no replica is known to have the slots', () => {
  const shards = 'a master 9 at:6 / c master 8 dead | d replica 8';
  const decision = decideFailovers(world(shards, { operations: [{ ...HANDING, goal: null }] }));
  assert.equal(decision.proposal, undefined);
  assert.match(decision.reports[1]?.judged?.[0]?.refusals.join() ?? '', /may lack slots that were moved/);
  // Without data nothing can be lacking.
  const slotOnly = world(shards, { operations: [{ ...HANDING, goal: null, slotOnly: true }] });
  assert.deepEqual(places(commit(slotOnly).next)[1], 'c away, d master');
});

const SILENT = 'a master 9 dead | b replica 9 / c master 8 gone | d replica 8 linked';

test('the source dies and the target is silent: the slots are held, given to it and told to it by nobody', () => {
  const { next, events } = commit(world(SILENT, { operations: [MOVE] }));
  assert.deepEqual(places(next)[0], 'a away, b master');
  assert.equal(owner(next), 's1');
  const move = movesOf(next)[0];
  assert.deepEqual(move?.phase === 'held' && [move.version, move.sourceNode, move.targetNode], [VERSION + 1, 'a', 'c']);
  assert.equal(meantFor(next, 'c'), false);
  assert.ok(events.some(({ kind }) => kind === 'move.held'));
});

test('the source dies and the target was restarted meanwhile: nobody knows, so the slots are held', () => {
  const restarted = { c: { process: { id: 5, startedAt: 1_000 } } };
  const { next } = commit(world(SHARDS, { operations: [MOVE], views: restarted }));
  assert.equal(movesOf(next)[0]?.phase, 'held');
});

test('both ends die: the slots stay with the source, and what the target may have taken is said to be lost', () => {
  const both = 'a master 9 dead | b replica 9 / c master 8 dead | d replica 8';
  const { next, events } = commit(world(both, { operations: [MOVE] }));
  assert.equal(owner(next), 's0');
  const move = movesOf(next)[0];
  assert.match(move?.phase === 'failed' ? move.why : '', /both its masters died/);
  assert.ok(events.some(({ kind }) => kind === 'move.failed'));
});

test('the target of a held piece dies: the piece goes to the source’s new master', () => {
  const range = { from: 9_000, to: 9_099 };
  const held = moveOf('held', { range });
  const { next } = commit(world('b master 9 | a away 9 / c master 8 dead | d replica 8', { operations: [held] }));
  assert.equal(movesOf(next)[0]?.phase, 'failed');
  assert.deepEqual(places(next)[1], 'c away, d master');
  assert.equal(next.cluster.shards.find(({ slots }) => covers(slots, range))?.id, 's0');
});

test('the target dies, and its source was last asked before that: its answer is waited for, half a second at most', () => {
  const brokeAt = NOW - 400;
  const seen = world('a master 9 | b replica 9 / c master 8 dead | d replica 8', {
    operations: [MOVE],
    views: { a: { askedAt: brokeAt - 10 } },
  });
  assert.equal(moveToSettle(seen, shardAt(seen, 1), brokeAt), brokeAt + 500);
  assert.equal(moveToSettle(seeing(seen, 'a', { askedAt: NOW }), shardAt(seen, 1), brokeAt), undefined);
  assert.equal(moveToSettle(seen, shardAt(seen, 1), NOW - 500), undefined);
});

test('an operator’s word replaces a master that nobody may replace', () => {
  const seen = world('a master 900 dead | b replica 300', { floor: 900, eligibleFrom: 800 });
  const { next, events } = forcedFailover(seen, shardAt(seen), 'b', 300, 600, [], 'ops');
  assert.deepEqual(brokenPromises(seen.intended, next), []);
  assert.deepEqual(places(next), ['a away, b master']);
  assert.match(events[0]?.message ?? '', /ops asked for it/);
  // The floor that forbade it does not forbid the next one.
  assert.deepEqual([shardAt(next).floor, shardAt(next).eligibleFrom], [300, 300]);
});
