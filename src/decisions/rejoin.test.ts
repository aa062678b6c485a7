import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import type { Intended } from '../operations/intended.ts';
import { decideDrift } from './drift.ts';
import type { LogVerdict } from './jobs.ts';
import { decideExactPromotions, decideRejoins, wayBack } from './rejoin.ts';
import {
  after,
  carrying,
  entry,
  logSays,
  NOW,
  nodeAt,
  type Sketch,
  seeing,
  shardAt,
  VERSION,
  world,
} from './testing.ts';
import { LOOKED_BACK } from './way-back.ts';
import type { Told, World } from './world.ts';

/** `a` was replaced by `b` at 1,000 in version 5. */
const REPLACED: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)], floor: 1_000 };

/** The same, and `a` was a replica of the old master. */
const REPLICA: Sketch = { lineage: [entry(1, 'x', 0), entry(5, 'b', 1_000)], floor: 1_000 };

const way = (seen: World, id: string): string => {
  const back = wayBack(seen, shardAt(seen), nodeAt(seen, id));
  switch (back.kind) {
    case 'attach':
      return `attach ${back.how}`;
    case 'wait':
      return `wait for ${back.for}`;
    case 'refused':
      return `refused: ${back.verdict.why} by ${back.verdict.by}`;
    case 'fence':
    case 'copy':
    case 'check':
      return back.kind;
  }
};

const old = (words: string, sketch: Sketch = REPLACED) => world(`b master 1200 | a away ${words}`, sketch);

/** No log can be read, so that its number is believed. */
const unread = (seen: World): World =>
  logSays(seen, 'a', null, { kind: 'untellable', why: 'no POLLUPDATES' }, LOOKED_BACK);

const toldAt = (seen: World, id: string): Told => seen.view(id)?.fenced ?? assert.fail();

/** What the rejoins come to; fails if they come to nothing or break a promise. */
function commit(seen: World): { next: Intended; kinds: string[] } {
  const proposal = decideRejoins(seen);
  assert.ok(proposal !== undefined, 'nothing was decided');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return { next: proposal.next, kinds: proposal.events.map((event) => event.kind) };
}

test('an old master comes back as master: it must be fenced before its number means anything', () => {
  assert.equal(way(old('1000 proof:1 says-master'), 'a'), 'fence');
  assert.equal(decideRejoins(old('1000 proof:1 says-master')), undefined);
});

test('fenced at exactly P: it may follow, in the next version, once its log was asked whether it wrote its way back', () => {
  const asked = old('1000 proof:1 says-master fenced:1000');
  assert.equal(way(asked, 'a'), 'check');
  assert.equal(decideRejoins(asked), undefined);
  const seen = logSays(asked, 'a', null, { kind: 'same', last: 1_000 }, LOOKED_BACK);
  assert.equal(way(seen, 'a'), 'attach within');
  assert.equal(way(unread(asked), 'a'), 'attach within');
  const parted = logSays(asked, 'a', null, { kind: 'parted', at: 997, last: 1_000 }, LOOKED_BACK);
  assert.equal(way(parted, 'a'), 'refused: fell-back by 4');
  assert.deepEqual(commit(parted).kinds, ['node.diverged']);
  const { next } = commit(seen);
  const node = nodeAt(next, 'a');
  assert.equal(next.cluster.version, VERSION + 1);
  assert.deepEqual([node.membership, node.attaching, node.proof?.entry], ['member', 'within', 1]);
});

test('the number behind the fence decides, not the one that was read before it', () => {
  assert.equal(way(old('1000 proof:1 says-master fenced:1007'), 'a'), 'refused: diverged by 7');
});

test('the connection of the fence is gone: fenced and read anew, since it may have taken commands meanwhile', () => {
  assert.equal(way(old('1000 proof:1 says-master fenced:1000 unheld'), 'a'), 'fence');
});

test('an old master that wrote while it was alone is refused, told by how much, and stays away', () => {
  const seen = old('1020 proof:1 says-master fenced:1020');
  assert.equal(way(seen, 'a'), 'refused: diverged by 20');
  assert.equal(decideRejoins(seen), undefined);
});

test('an old master below P may have written since: refused', () => {
  assert.equal(way(old('990 proof:1 says-master fenced:990'), 'a'), 'refused: fell-back by 10');
});

test('an old master whose P is not known exactly is held to the one that the decision read', () => {
  const guess: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 990, false)] };
  assert.equal(way(old('1000 proof:1 says-master fenced:1000', guess), 'a'), 'refused: diverged by 10');
});

test('an away replica within its limit is attached without a fence', () => {
  assert.equal(way(old('980 proof:1'), 'a'), 'refused: fell-back by 20');
  const replica = REPLICA;
  assert.equal(way(old('980 proof:1', replica), 'a'), 'attach within');
  assert.equal(way(old('1001 proof:1', replica), 'a'), 'refused: diverged by 1');
});

test('nothing is known of a node before it has answered freshly as itself', () => {
  assert.equal(way(old('1000 proof:1 gone'), 'a'), 'wait for its answer');
  assert.equal(way(old('1000 proof:1 unasked'), 'a'), 'wait for its answer');
  assert.equal(way(old('1000 proof:1 asked:3000'), 'a'), 'wait for a fresh answer');
  assert.equal(way(seeing(old('1000 proof:1'), 'a', { myId: null }), 'a'), 'wait for its id');
});

test('an empty node follows from the beginning, and is no candidate before that is proven', () => {
  const seen = old('0 highest:1000 proof:5 says-master');
  assert.equal(way(seen, 'a'), 'attach empty');
  const node = nodeAt(commit(seen).next, 'a');
  assert.deepEqual([node.attaching, node.highest, node.proof], ['empty', 0, null]);
});

test('a replica that says it is a master may have taken writes: its log is asked, and its number alone is not believed', () => {
  const asked = old('990 proof:5 says-master fenced:990');
  assert.equal(way(asked, 'a'), 'check');
  assert.equal(way(unread(asked), 'a'), 'refused: unproven by 990');
  assert.equal(way(logSays(asked, 'a', null, { kind: 'same', last: 990 }, LOOKED_BACK), 'a'), 'attach within');
});

test('a node without its id is the one it was only at the very number it was last seen at', () => {
  assert.equal(way(unread(old('1000 proof:1 says-master noid fenced:1000')), 'a'), 'attach within');
  assert.equal(way(old('700 highest:1000 proof:1 says-master noid'), 'a'), 'refused: unproven by 700');
});

test('both servers compare histories: whoever may follow is attached by that and proven by it', () => {
  const compares = (seen: World) => seeing(seeing(seen, 'a', { rsid: true }), 'b', { rsid: true });
  const asked = compares(old('1000 proof:1 says-master fenced:1000'));
  assert.equal(way(asked, 'a'), 'check', 'with its power it may have lost records under the same history’s id');
  const within = unread(asked);
  assert.equal(way(within, 'a'), 'attach copied');
  assert.equal(nodeAt(commit(within).next, 'a').proof, null);
  assert.equal(way(seeing(seeing(within, 'a', { rsid: false }), 'b', { rsid: false }), 'a'), 'attach within');
  // What it alone holds would be gone before it was saved.
  assert.equal(way(compares(old('1020 proof:1 says-master fenced:1020')), 'a'), 'refused: diverged by 20');
});

test('a replica with use-rsid-psync alone may have written an entry of its own since: only its log lets it in', () => {
  const back = seeing(world('b master 1200 | a away 990 proof:1', REPLICA), 'a', { rsid: true });
  const alone = seeing(back, 'b', { rsid: false });
  assert.equal(way(seeing(back, 'b', { rsid: true }), 'a'), 'attach copied');
  assert.deepEqual([way(alone, 'a'), way(seeing(back, 'b', { rsid: null }), 'a')], ['check', 'check']);
  const says = (verdict: LogVerdict) => way(logSays(alone, 'a', null, verdict, LOOKED_BACK), 'a');
  assert.equal(says({ kind: 'same', last: 990 }), 'attach within');
  assert.equal(says({ kind: 'parted', at: 990, last: 990 }), 'refused: fell-back by 1');
  assert.equal(says({ kind: 'untellable', why: 'no POLLUPDATES' }), 'refused: unproven by 990');
});

test('its number forbids it and its log is its master’s: attached by the log, at the number that was compared', () => {
  const seen = old('1020 proof:1 says-master fenced:1020');
  const same = logSays(seen, 'a', 1_000, { kind: 'same', last: 1_020 });
  assert.equal(way(same, 'a'), 'attach log');
  const node = nodeAt(commit(same).next, 'a');
  assert.deepEqual([node.membership, node.attaching, node.highest, node.proof], ['member', 'log', 1_020, null]);
  // Asked behind an earlier fence, or under an earlier master, it says nothing.
  const fencedAnew = seeing(same, 'a', { fenced: { ...toldAt(same, 'a'), connection: 2 } });
  assert.equal(way(fencedAnew, 'a'), 'refused: diverged by 20');
});

test('an away node below its own highest is unproven from then on, whatever number it writes itself up to', () => {
  const fallen = old('980 highest:1000 proof:1 says-master');
  const { next, kinds } = commit(fallen);
  assert.deepEqual(kinds, ['node.unproven']);
  assert.equal(next.cluster.version, VERSION);
  // A stale client writes it up to P again: the number would let it in.
  const grown = after(old('1000 proof:1 says-master fenced:1000'), next);
  assert.equal(way(grown, 'a'), 'refused: unproven by 1000');
});

test('a node that leaves again and again is put off', () => {
  const seen = seeing(old('0'), 'a', { returnAfter: NOW + 100 });
  assert.equal(way(seen, 'a'), 'wait for a pause after its last try');
});

test('nobody comes back while the shard has no master that leads', () => {
  for (const master of ['b master 1200 dead', 'b master 1200 says-slave', 'b master 5 highest:1200']) {
    assert.equal(decideRejoins(world(`${master} | a away 0`, REPLACED)), undefined);
  }
});

test('nobody comes back in a pause, nor with a new version during a switchover', () => {
  assert.equal(decideRejoins(old('0', { ...REPLACED, pause: { until: null, by: 'ops' } })), undefined);
  const open = {
    kind: 'switchover',
    id: 'so',
    shard: 's0',
    from: 'b',
    to: 'c',
    by: 'ops',
    startedAt: 0,
    version: VERSION,
    phase: 'draining',
  } as const;
  assert.equal(decideRejoins(world('b master 9 | c replica 9 | a away 0', { operations: [open] })), undefined);
});

const member = (words: string, sketch: Sketch = REPLACED) => world(`b master 1200 | a replica ${words}`, sketch);

test('attached within its limit, confirmed in the breath, its link up since: proven', () => {
  const { next, kinds } = commit(member('1100 proof:1 attaching:within attached:1000'));
  assert.deepEqual(kinds, ['node.proven']);
  assert.equal(next.cluster.version, VERSION, 'no node’s text changes');
  const node = nodeAt(next, 'a');
  assert.deepEqual([node.proof, node.attaching, node.highest], [{ entry: 5, how: 'within' }, null, 1_100]);
});

test('proven only once its link was seen up, it carries the version, and its breath has answered', () => {
  const seen = member('1100 proof:1 attaching:within attached:1000');
  assert.equal(decideRejoins(seeing(seen, 'a', { link: 'down' })), undefined);
  assert.equal(decideRejoins(seeing(seen, 'a', { link: 'sync' })), undefined);
  assert.equal(decideRejoins(seeing(seen, 'a', { version: VERSION - 1 })), undefined);
  assert.equal(decideRejoins(seeing(seen, 'a', { attached: null, holdsSince: NOW - 500 })), undefined);
});

test('fed on by its old master before it was told: it goes away', () => {
  const seen = seeing(member('1100 proof:1 attaching:within'), 'a', { version: 4, link: 'down' });
  assert.deepEqual(commit(seen).kinds, ['node.away']);
});

test('copied over by an old master that came back with less, before it was told: away, and proven no more', () => {
  const seen = seeing(member('900 highest:1000 proof:1 attaching:within'), 'a', { version: 4, link: 'down' });
  const { next, kinds } = commit(seen);
  assert.deepEqual(kinds, ['node.away']);
  assert.equal(nodeAt(next, 'a').proof, null);
});

test('carries its attach, and the answer never came: its log is asked, from where it surely was the shard’s', () => {
  const seen = seeing(member('1100 proof:1 attaching:within attached:1000', REPLICA), 'a', { attached: null });
  assert.equal(decideRejoins(seen), undefined);
  const { next } = commit(logSays(seen, 'a', 1_000, { kind: 'same', last: 1_100 }));
  assert.deepEqual(nodeAt(next, 'a').proof, { entry: 5, how: 'log' });
});

test('the answer never came, and the log cannot tell: unproven and told so, unless its number is within all the same', () => {
  const asked = seeing(member('1100 proof:1 attaching:within attached:1000', REPLICA), 'a', { attached: null });
  const unknown = commit(logSays(asked, 'a', 1_000, { kind: 'untellable', why: 'no log' }));
  assert.deepEqual(unknown.kinds, ['node.unproven']);
  assert.equal(unknown.next.cluster.version, VERSION, 'it goes on following');
  assert.deepEqual([nodeAt(unknown.next, 'a').proof, nodeAt(unknown.next, 'a').attaching], [null, null]);
  const quiet = seeing(member('1000 proof:1 attaching:within attached:1000'), 'a', { attached: null });
  assert.deepEqual(commit(quiet).kinds, ['node.proven']);
});

test('a link that was seen up before the attach was answered was the one to the old master', () => {
  const seen = member('1100 proof:1 attaching:within attached:1000');
  assert.equal(decideRejoins(seeing(seen, 'a', { linkUpAt: NOW - 600 })), undefined);
});

test('nobody is attached before its settings are known: a restart may have changed whether it compares histories', () => {
  const seen = unread(old('1000 proof:1 says-master fenced:1000'));
  assert.equal(way(seen, 'a'), 'attach within');
  assert.equal(way(seeing(seen, 'a', { process: null, rsid: null }), 'a'), 'wait for its settings');
  const unfenced = seeing(old('1000 proof:1 says-master'), 'a', { process: null, rsid: null });
  assert.equal(way(unfenced, 'a'), 'fence', 'which waits for nothing');
});

test('the breath says that it was beyond its limit when it was attached: the log decides, and without one it is away', () => {
  const seen = member('1100 proof:1 attaching:within attached:1003');
  assert.equal(decideRejoins(seen), undefined);
  const same = commit(logSays(seen, 'a', 1_000, { kind: 'same', last: 1_100 }));
  assert.deepEqual(nodeAt(same.next, 'a').proof, { entry: 5, how: 'log' });
  const { next, kinds } = commit(logSays(seen, 'a', 1_000, { kind: 'untellable', why: 'no log' }));
  assert.deepEqual(kinds, ['node.away']);
  assert.equal(next.cluster.version, VERSION + 1);
  const node = nodeAt(next, 'a');
  assert.deepEqual([node.membership, node.proof?.entry, node.attaching], ['away', 1, null]);
  const parted = commit(logSays(seen, 'a', 1_000, { kind: 'parted', at: 1_001, last: 1_100 }));
  assert.deepEqual(parted.kinds, ['node.diverged']);
  const lied = nodeAt(parted.next, 'a');
  assert.deepEqual([lied.membership, lied.proof, lied.copy?.partedAt], ['away', null, 1_001]);
});

test('a replica that was fed while it was told: within its limit before and beyond it behind, so its log is asked', () => {
  const seen = member('1100 proof:1 attaching:within attached:990', REPLICA);
  const breath = seen.view('a')?.attached;
  assert.ok(breath != null);
  const attached = { ...breath, upTo: 1_004 };
  const fed = seeing(seen, 'a', { attached });
  assert.equal(decideRejoins(fed), undefined);
  const { next } = commit(logSays(fed, 'a', 990, { kind: 'same', last: 1_100 }));
  assert.deepEqual(nodeAt(next, 'a').proof, { entry: 5, how: 'log' });
  const parted = commit(logSays(fed, 'a', 990, { kind: 'parted', at: 995, last: 1_100 }));
  assert.equal(nodeAt(parted.next, 'a').proof, null);
  const quiet = seeing(seen, 'a', { attached: { ...attached, upTo: 1_000 } });
  assert.deepEqual(commit(quiet).kinds, ['node.proven']);
});

test('attached by its log at the very number that was compared: proven; at another one the log is asked from there', () => {
  const seen = member('1100 unproven attaching:log highest:1020 attached:1020');
  assert.deepEqual(nodeAt(commit(seen).next, 'a').proof, { entry: 5, how: 'log' });
  const moved = member('1100 unproven attaching:log highest:1020 attached:1025');
  assert.equal(decideRejoins(moved), undefined);
  const same = commit(logSays(moved, 'a', 1_020, { kind: 'same', last: 1_100 }));
  assert.deepEqual(nodeAt(same.next, 'a').proof, { entry: 5, how: 'log' });
});

test('a replica that follows and that nothing proves: its log proves it, or it has lied', () => {
  const seen = member('1100 unproven');
  assert.equal(decideRejoins(seen), undefined);
  const same = commit(logSays(seen, 'a', null, { kind: 'same', last: 1_100 }));
  assert.deepEqual(nodeAt(same.next, 'a').proof, { entry: 5, how: 'log' });
  const parted = commit(logSays(seen, 'a', null, { kind: 'parted', at: 400, last: 1_100 }));
  assert.deepEqual(parted.kinds, ['node.diverged']);
  assert.equal(nodeAt(parted.next, 'a').membership, 'away');
  // It may be good, and nothing could be saved first: it stays, and an operator decides.
  assert.equal(decideRejoins(logSays(seen, 'a', null, { kind: 'untellable', why: 'no log' })), undefined);
});

test('a breath of an earlier promotion confirms nothing of this one', () => {
  const seen = member('1100 proof:1 attaching:within attached:1000');
  const early = seen.view('a')?.attached ?? assert.fail();
  assert.equal(
    decideRejoins(seeing(seen, 'a', { attached: { ...early, version: 4 }, holdsSince: NOW - 500 })),
    undefined,
  );
});

test('attached empty, its link seen up: proven', () => {
  const { next } = commit(member('300 unproven attaching:empty attached:0'));
  assert.deepEqual(nodeAt(next, 'a').proof, { entry: 5, how: 'empty' });
});

test('a replica below its own highest has lost something: it goes on following, and is never a candidate', () => {
  const { next, kinds } = commit(member('1100 highest:1150'));
  assert.deepEqual(kinds, ['node.unproven']);
  assert.equal(next.cluster.version, VERSION);
  assert.equal(nodeAt(next, 'a').proof, null);
  // Said once.
  assert.equal(decideRejoins(after(member('1100 highest:1150'), next)), undefined);
});

test('a member that says it is a master goes away to be fenced and read', () => {
  const { next, kinds } = commit(member('1100 says-master at:6'));
  assert.deepEqual(kinds, ['node.away']);
  assert.deepEqual(nodeAt(next, 'a').proof, { entry: 5, how: 'within' }, 'what it holds is judged by its number');
});

test('a fresh node says that it is a master until it is told: it stays', () => {
  assert.equal(decideRejoins(member('0 unproven attaching:empty says-master at:6')), undefined);
});

test('a member that came back empty follows from the beginning, and is no candidate meanwhile', () => {
  const { next, kinds } = commit(member('0 highest:1100 says-master at:6'));
  assert.deepEqual(kinds, ['node.emptied']);
  const node = nodeAt(next, 'a');
  assert.deepEqual([node.membership, node.attaching, node.proof, node.highest], ['member', 'empty', null, 0]);
  assert.equal(decideRejoins(after(member('0 says-master at:6'), next)), undefined, 'said once');
});

test('no endless loop: fence, attach, confirm, and then nothing is left to do', () => {
  // It says that it is a master, at an old version: fenced by the version that is committed.
  let seen: World = old('1000 proof:1 says-master');
  assert.equal(decideRejoins(seen), undefined);
  const fence: Told = {
    version: VERSION,
    before: 'master',
    role: 'master',
    sequence: 1_000,
    connection: 3,
    at: NOW,
  };
  seen = carrying(seen, 'a', { fenced: fence, fenceHolds: true });
  // Fenced, and its log asked: named by the next version.
  assert.equal(decideRejoins(seen), undefined);
  seen = after(seen, commit(unread(seen)).next);
  assert.equal(decideRejoins(seen), undefined, 'not told yet');
  // Told in the breath, and its link comes up.
  seen = carrying(seen, 'b');
  seen = carrying(seen, 'a', {
    says: 'slave',
    link: 'up',
    linkUpAt: NOW + 10,
    fenced: null,
    fenceHolds: false,
    attached: { ...fence, version: VERSION + 1, role: 'slave' },
  });
  seen = after(seen, commit(seen).next);
  assert.equal(seen.intended.cluster.version, VERSION + 1);
  assert.equal(decideRejoins(seen), undefined);
  assert.equal(decideDrift(seen, false), undefined);
});

const promotedAt = (sequence: number, version = 5): Told => ({
  version,
  before: 'slave',
  role: 'master',
  sequence,
  connection: 2,
  at: NOW,
});
const P0: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 990, false)] };

test('the exact P replaces the one that the decision read, without a new version', () => {
  const seen = seeing(world('b master 1200 | a away 1000', P0), 'b', { promoted: promotedAt(1_000) });
  const next = decideExactPromotions(seen)?.next ?? assert.fail();
  assert.deepEqual(shardAt(next).lineage.at(-1), entry(5, 'b', 1_000));
  assert.equal(next.cluster.version, VERSION);
  assert.equal(decideExactPromotions(after(seen, next)), undefined, 'once');
});

test('the breath of an earlier promotion of the same node is not this P', () => {
  const seen = seeing(world('b master 1200 | a away 1000', P0), 'b', { promoted: promotedAt(1_000, 4) });
  assert.equal(decideExactPromotions(seen), undefined);
});

test('the breath never comes: P0 stays', () => {
  assert.equal(decideExactPromotions(world('b master 1200 | a away 1000', P0)), undefined);
});

test('a sibling that was fed by the drained master before it was told is beyond P rightly', () => {
  const swapped: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)] };
  const told = world(
    'b master 1200 | a replica 1010 proof:1 attached:1000 | c replica 1010 proof:1 attaching:within attached:1010',
    swapped,
  );
  assert.deepEqual(nodeAt(commit(told).next, 'c').proof, { entry: 5, how: 'within' });
  // The old master was itself beyond P: nobody knows what it fed.
  const beyond = world(
    'b master 1200 | a replica 1010 proof:1 attached:1005 | c replica 1010 proof:1 attaching:within attached:1010',
    swapped,
  );
  assert.equal(decideRejoins(beyond), undefined);
  const untold = logSays(beyond, 'c', 1_000, { kind: 'untellable', why: 'no log' });
  assert.equal(nodeAt(commit(untold).next, 'c').membership, 'away');
});
