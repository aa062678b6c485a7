import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import type { Intended } from '../operations/intended.ts';
import { type Copy, withNode, withShard } from '../topology/cluster.ts';
import { partiesOf } from './comparing.ts';
import { courseOf } from './copies.ts';
import { copyFinding } from './copy-findings.ts';
import { copyJobs } from './copy-steps.ts';
import { decideDrift } from './drift.ts';
import type { Check, Raise, Raised, Save, Saved } from './jobs.ts';
import { lostData } from './liveness.ts';
import { choosePromotion } from './promotion.ts';
import { decideRejoins } from './rejoin.ts';
import { wants } from './telling.ts';
import {
  after,
  answered,
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
import type { NodeView, World } from './world.ts';

/** `a` was replaced by `b` at 1,000 in version 5, and wrote 20 records more. */
const REPLACED: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)], floor: 1_000 };
const COPY: Copy = {
  marker: 'm',
  partedAt: 1_001,
  under: 5,
  saved: null,
  seal: '',
  force: false,
  by: 'controller',
  failures: 0,
  process: null,
};
const SAVED: Copy = { ...COPY, saved: 1_020, seal: 'looks' };

const viewOf = (seen: World, id: string): NodeView => seen.view(id) ?? assert.fail(`${id} is not seen`);

function withCopy(seen: World, id: string, copy: Copy, more: object = {}): World {
  const cluster = withShard(seen.intended.cluster, 's0', (shard) =>
    withNode(shard, id, (node) => ({ ...node, proof: null, copy, ...more })),
  );
  return after(seen, { ...seen.intended, cluster });
}

const parted = (sketch: Sketch = REPLACED) =>
  world('b master 1200 | a away 1020 proof:1 says-master fenced:1020', sketch);
const course = (seen: World, id = 'a') => courseOf(seen, shardAt(seen), nodeAt(seen, id));
const words = (seen: World, id = 'a'): string => {
  const is = course(seen, id);
  return is.kind === 'job' ? is.next : is.kind === 'operator' ? `operator${is.force ? ' by force' : ''}` : is.kind;
};

/** What is committed, or nothing; no promise is broken by it. */
function committed(seen: World): { next: Intended; kinds: string[] } {
  const proposal = decideRejoins(seen);
  assert.ok(proposal !== undefined, 'nothing was decided');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return { next: proposal.next, kinds: proposal.events.map(({ kind }) => kind) };
}

const saveOf = (seen: World, id = 'a'): Save => {
  const is = course(seen, id);
  return is.kind === 'job' && is.job.kind === 'save' ? is.job : assert.fail(`not saved but ${is.kind}`);
};
const raiseOf = (seen: World, id = 'a'): Raise => {
  const is = course(seen, id);
  return is.kind === 'job' && is.job.kind === 'raise' ? is.job : assert.fail(`not raised but ${is.kind}`);
};
const checkOf = (seen: World, id = 'a'): Check => {
  const is = course(seen, id);
  return is.kind === 'job' && is.job.kind === 'check' ? is.job : assert.fail(`not asked but ${is.kind}`);
};
const SAVING: Saved = {
  kind: 'saved',
  to: 1_020,
  seal: 'looks',
  file: 'f',
  first: 1_001,
  records: 20,
  commands: 20,
  all: true,
};
const RAISED: Raised = { to: 1_001_200, masterAt: 1_200, margin: 1_000_000, process: { id: 7, startedAt: 1 } };
const raisedTo = (seen: World, raised = RAISED, id = 'a') => answered(seen, raiseOf(seen, id), 'raise', raised);

test('an old master that wrote while it was alone: its log is asked first, and that is all that is done', () => {
  const seen = parted();
  assert.equal(words(seen), 'compare');
  const { copies, held } = copyJobs(seen);
  assert.deepEqual(
    copies.map((job) => job.kind === 'compare' && job.common),
    [1_000],
  );
  assert.deepEqual(held, ['a'], 'what was read behind the fence must hold until then');
  assert.equal(decideRejoins(seen), undefined);
});

test('its log says where it parted: stored and told with the numbers, without a new version', () => {
  const { next, kinds } = committed(logSays(parted(), 'a', 1_000, { kind: 'parted', at: 1_007, last: 1_020 }));
  assert.deepEqual(kinds, ['node.diverged']);
  assert.equal(next.cluster.version, VERSION);
  const { copy, proof, membership } = nodeAt(next, 'a');
  assert.deepEqual([copy?.partedAt, copy?.under, copy?.saved, proof, membership], [1_007, 5, null, null, 'away']);
  const told = decideRejoins(logSays(parted(), 'a', 1_000, { kind: 'parted', at: 1_007, last: 1_020 }))?.events[0];
  assert.deepEqual(told?.evidence, { parted_at: 1_007, records: 14, last: 1_020 });
});

test('no log can be read: its number says where it parted, if its past is known', () => {
  const untold = committed(logSays(parted(), 'a', 1_000, { kind: 'untellable', why: 'no log' }));
  assert.equal(nodeAt(untold.next, 'a').copy?.partedAt, 1_001);
  const unproven = world('b master 1200 | a away 990 unproven says-master fenced:990', REPLACED);
  const nobody = committed(logSays(unproven, 'a', null, { kind: 'untellable', why: 'no log' }));
  assert.equal(nodeAt(nobody.next, 'a').copy?.partedAt, null);
});

test('what it alone holds is saved, then stored as saved and told, before anything else', () => {
  const seen = withCopy(parted(), 'a', COPY);
  const job = saveOf(seen);
  assert.deepEqual([job.from, job.after, job.partly], [1_001, null, false]);
  const { next, kinds } = committed(answered(seen, job, 'save', SAVING));
  assert.deepEqual(kinds, ['salvage.saved']);
  assert.deepEqual([nodeAt(next, 'a').copy?.saved, nodeAt(next, 'a').copy?.seal], [1_020, 'looks']);
});

test('a replica was fed on while it was saved: beyond the number that was read of it, it is not saved again and again', () => {
  const fed = withCopy(world('b master 1200 | a away 1020 proof:1', REPLACED), 'a', COPY);
  const said = answered(fed, saveOf(fed), 'save', { ...SAVING, to: 1_060 });
  const { next } = committed(said);
  assert.equal(nodeAt(next, 'a').copy?.saved, 1_060);
  assert.equal(words(after(said, next)), 'fence');
});

test('nothing of it is data: nothing is told, and it goes on', () => {
  const seen = withCopy(parted(), 'a', COPY);
  const { next, kinds } = committed(answered(seen, saveOf(seen), 'save', { ...SAVING, file: null }));
  assert.deepEqual([kinds, nodeAt(next, 'a').copy?.saved], [[], 1_020]);
});

test('what it alone holds cannot be saved: it is kept, and an operator is told the command', () => {
  const seen = withCopy(parted(), 'a', COPY);
  const why = 'ENOSPC: no space left on device';
  const full = answered(seen, saveOf(seen), 'save', { kind: 'refused', why, mayPass: true });
  assert.equal(words(full), 'operator by force');
  const later = { ...full, now: NOW + 31_000 };
  assert.equal(words(seeing(later, 'a', { askedAt: later.now - 50 })), 'save', 'there may be room again');
  // Its fence ends with the connection: no version is spent on another one before.
  const unheld = carrying(full, 'a', { fenceHolds: false });
  assert.equal(words(unheld), 'operator by force');
  assert.equal(decideDrift(unheld, false), undefined);
  assert.equal(decideRejoins(full), undefined);
  const finding = copyFinding(full, shardAt(full), nodeAt(full, 'a'));
  assert.deepEqual(
    [finding?.code, finding?.severity, finding?.waitingFor, finding?.command],
    ['DIVERGED', 'error', 'an operator', 'kvctl node readmit a -n ns -c c1 --force'],
  );
  assert.match(finding?.message ?? '', /ENOSPC/);
});

test('on somebody’s word it is copied though not all could be saved: what can be is, the rest is given up and told', () => {
  const forced = withCopy(parted(), 'a', { ...COPY, force: true, by: 'ops' });
  assert.equal(saveOf(forced).partly, true);
  const given = committed(answered(forced, saveOf(forced), 'save', { kind: 'refused', why: 'no log' }));
  assert.deepEqual([given.kinds, nodeAt(given.next, 'a').copy?.saved], [['salvage.skipped'], 1_020]);
});

test('nobody can tell what it alone holds: kept, until somebody says that it may be lost', () => {
  const seen = withCopy(parted(), 'a', { ...COPY, partedAt: null });
  assert.equal(words(seen), 'operator by force');
  const forced = withCopy(parted(), 'a', { ...COPY, partedAt: null, force: true, by: 'ops' });
  assert.deepEqual([saveOf(forced).from, saveOf(forced).partly], [null, true]);
});

test('the policy is to fence: it is saved all the same, then kept until somebody lets it back', () => {
  const fence: Sketch = { ...REPLACED, policy: { diverged: 'fence' } };
  assert.equal(words(withCopy(parted(fence), 'a', COPY)), 'save');
  const kept = withCopy(parted(fence), 'a', SAVED);
  assert.equal(words(kept), 'operator');
  const finding = copyFinding(kept, shardAt(kept), nodeAt(kept, 'a'));
  assert.equal(finding?.command, 'kvctl node readmit a -n ns -c c1');
  assert.equal(words(withCopy(parted(fence), 'a', { ...SAVED, by: 'ops' })), 'raise');
});

test('saved: it is marked and raised on the fence’s own connection, and attached by the next version', () => {
  const seen = withCopy(parted(), 'a', SAVED);
  const job = raiseOf(seen);
  assert.deepEqual([job.run, job.marker, job.raise], [viewOf(seen, 'a').fenced?.connection, 'm', true]);
  const { next, kinds } = committed(raisedTo(seen));
  assert.deepEqual(kinds, ['node.attached']);
  assert.equal(next.cluster.version, VERSION + 1);
  const node = nodeAt(next, 'a');
  assert.deepEqual([node.membership, node.attaching, node.proof, node.highest], ['member', 'copied', null, 0]);
  assert.deepEqual(node.copy?.process, { id: 7, startedAt: 1 });
});

test('raised on a connection that has ended since: fenced anew, by a version of its own', () => {
  const raised = raisedTo(withCopy(parted(), 'a', SAVED));
  const gone = seeing(raised, 'a', {
    fenceHolds: false,
    version: VERSION,
    holds: { version: VERSION, fingerprint: 'x' },
  });
  assert.equal(words(gone), 'fence');
  const unheld = carrying(gone, 'a', { fenceHolds: false });
  assert.equal(decideDrift(unheld, false)?.next.cluster.version, VERSION + 1);
});

test('the master has come too near before it was attached: raised once more', () => {
  const raised = raisedTo(withCopy(parted(), 'a', SAVED));
  assert.equal(words(raised), 'attach');
  assert.equal(words(seeing(raised, 'b', { sequence: 600_000 })), 'raise');
});

test('it woke at an older version and took writes: fenced anew, and what lies behind what was saved is saved first', () => {
  const woken = seeing(withCopy(parted(), 'a', SAVED), 'a', { fenced: null, fenceHolds: false, sequence: 1_050 });
  assert.equal(words(woken), 'fence');
  const told = { version: VERSION, before: 'master', role: 'master', sequence: 1_050, connection: 2, at: NOW } as const;
  const read = seeing(woken, 'a', { fenced: told, fenceHolds: true });
  const job = saveOf(read);
  assert.deepEqual([job.after, job.seal, job.run], [1_020, 'looks', 2]);
  // It has lost even what was saved, so nobody knows what it wrote instead: all of it, from where it parted.
  const lost = seeing(woken, 'a', { fenced: { ...told, sequence: 1_015 }, fenceHolds: true });
  assert.deepEqual([saveOf(lost).from, saveOf(lost).after], [1_001, null]);
});

test('a replica beyond its limit is read and saved as it is, and fenced only when it is its turn', () => {
  const sibling = world('b master 1200 | a away 1020 proof:1', { lineage: [entry(1, 'x', 0), entry(5, 'b', 1_000)] });
  assert.equal(words(sibling), 'compare');
  const found = withCopy(sibling, 'a', COPY);
  assert.equal(words(found), 'save');
  assert.deepEqual(wants(found), []);
  const saved = withCopy(sibling, 'a', SAVED);
  assert.equal(words(saved), 'fence');
  assert.deepEqual(
    wants(saved).map(({ node, purpose, guard }) => [node, purpose, guard]),
    [['a', 'fence', 'none']],
  );
});

test('before 2.11 a fence does not end a replica’s replication: an operator is asked, and no version is spent on it', () => {
  const sibling = world('b master 1200 | a away 1020 proof:1', { lineage: [entry(1, 'x', 0), entry(5, 'b', 1_000)] });
  const deaf = carrying(withCopy(sibling, 'a', SAVED), 'a');
  assert.equal(words(deaf), 'operator');
  assert.equal(decideDrift(deaf, false), undefined);
});

test('both servers compare histories: saved first, then marked, and not raised', () => {
  const compares = (seen: World) => seeing(seeing(seen, 'a', { rsid: true }), 'b', { rsid: true });
  assert.equal(words(compares(withCopy(parted(), 'a', COPY))), 'save');
  assert.equal(raiseOf(compares(withCopy(parted(), 'a', SAVED))).raise, false);
});

const two = () =>
  world(
    'b master 1200 | a away 1020 unproven says-master fenced:1020 | c away 1020 unproven says-master fenced:1020',
    REPLACED,
  );

test('one copy at a time in a shard: the others wait and say for whom', () => {
  const both = withCopy(withCopy(two(), 'a', SAVED), 'c', SAVED);
  assert.deepEqual([words(both, 'a'), words(both, 'c')], ['raise', 'turn']);
  assert.match(
    copyFinding(both, shardAt(both), nodeAt(both, 'c'))?.waitingFor ?? '',
    /its turn: a is copied before it/,
  );
  // Saving costs the master nothing: that is done at once.
  assert.equal(words(withCopy(withCopy(two(), 'a', SAVED), 'c', COPY), 'c'), 'save');
  const copied = withCopy(
    both,
    'a',
    { ...SAVED, process: { id: 7, startedAt: 1 } },
    { membership: 'member', attaching: 'copied' },
  );
  assert.equal(words(copied, 'c'), 'turn');
  assert.equal(words(seeing(copied, 'a', { state: 'silent' }), 'c'), 'raise');
  // One that waits for an operator holds nobody up.
  const kept = withCopy(withCopy(two(), 'a', { ...SAVED, failures: 3 }), 'c', SAVED);
  assert.deepEqual([words(kept, 'a'), words(kept, 'c')], ['operator', 'raise']);
});

const ATTACHED: Copy = { ...SAVED, process: { id: 7, startedAt: 1 } };
/** Attached by the committed version, and it carries it. */
const attached = (state: string, copy = ATTACHED) =>
  withCopy(world(`b master 1300 | a replica 1300 unproven attaching:copied highest:0 ${state}`, REPLACED), 'a', copy);

test('told only on the fence’s connection, and only while its number is far beyond its master’s', () => {
  const seen = raisedTo(withCopy(parted(), 'a', SAVED));
  const told = after(seen, committed(seen).next);
  const [want] = wants(told).filter(({ node }) => node === 'a');
  assert.deepEqual([want?.purpose, want?.guard, want?.above], ['attach', 'raised', 501_200]);
  const near = wants(seeing(told, 'b', { sequence: 600_000 })).filter(({ node }) => node === 'a');
  assert.deepEqual(near, []);
  assert.deepEqual(committed(seeing(told, 'b', { sequence: 600_000 })).kinds, ['node.away']);
  assert.deepEqual(
    wants(seeing(told, 'a', { fenceHolds: false })).filter(({ node }) => node === 'a'),
    [],
  );
});

test('its link is up: it is asked for its marker, and not before', () => {
  assert.equal(words(attached('sync')), 'copying');
  assert.equal(words(attached('down')), 'copying');
  assert.equal(checkOf(attached('linked')).marker, 'm');
  assert.equal(decideRejoins(attached('linked')), undefined, 'neither its link nor its number proves it');
});

test('the marker is gone: it was copied whole, and is proven under the present master', () => {
  const seen = attached('linked');
  const { next, kinds } = committed(answered(seen, checkOf(seen), 'check', { sequence: 1_290, found: 'whole' }));
  assert.deepEqual(kinds, ['node.proven']);
  const { proof, copy, attaching, highest } = nodeAt(next, 'a');
  const expected = { entry: 5, how: 'copied', process: ATTACHED.process };
  assert.deepEqual([proof, copy, attaching, highest], [expected, null, null, 1_290]);
  assert.equal(next.cluster.version, VERSION);
});

/** Proven by its copy in the process of `ATTACHED`, and seen in the one that began then. */
function startedAt(startedAt: number): World {
  const seen = world('b master 1300 | a replica 1300 linked', REPLACED);
  const proof = { entry: 5, how: 'copied', process: { id: 7, startedAt: 1 } } as const;
  const cluster = withShard(seen.intended.cluster, 's0', (shard) =>
    withNode(shard, 'a', (node) => ({ ...node, proof })),
  );
  return seeing(after(seen, { ...seen.intended, cluster }), 'a', { process: { id: 7, startedAt } });
}

test('the process that was copied whole is proven by that; a later one may have lost the copy, and its log is asked', () => {
  assert.equal(words(startedAt(1)), 'fine');
  assert.equal(words(startedAt(60_000)), 'compare');
});

test('of a replica and its master one alone has use-rsid-psync, and wrote an entry of its own when it started: the log is compared', () => {
  const proven = (rsids: { a: boolean; b: boolean }) =>
    seeing(seeing(world('b master 1300 | a replica 1300 linked', REPLACED), 'a', { rsid: rsids.a }), 'b', {
      rsid: rsids.b,
    });
  const alone = proven({ a: true, b: false });
  assert.deepEqual(
    [words(alone), words(proven({ a: true, b: true })), words(proven({ a: false, b: false }))],
    ['compare', 'fine', 'fine'],
  );
  assert.equal(words(proven({ a: false, b: true })), 'compare');
  assert.equal(words(seeing(alone, 'b', { process: null, rsid: null })), 'fine', 'its settings are being read');
  assert.equal(words(logSays(alone, 'a', null, { kind: 'same', last: 1_300 }, LOOKED_BACK)), 'fine');
  assert.equal(words(logSays(alone, 'a', null, { kind: 'untellable', why: 'no log' }, LOOKED_BACK)), 'fine');
  const parted = logSays(alone, 'a', null, { kind: 'parted', at: 1_290, last: 1_300 }, LOOKED_BACK);
  assert.deepEqual(nodeAt(committed(parted).next, 'a').membership, 'away');
});

test('copied whole and perhaps started anew: no candidate, and no measure of its master, until its log was compared', () => {
  const dead = (since: number) => seeing(startedAt(since), 'b', { state: 'refused', brokeAt: NOW - 5_000 });
  const refusals = (seen: World) =>
    choosePromotion(seen, shardAt(seen), { askedSince: NOW - 5_000, force: true, linked: false }).judged[0]?.refusals;
  assert.deepEqual(refusals(dead(1)), []);
  assert.match(refusals(dead(60_000))?.join() ?? '', /started anew since it was copied whole/);
  assert.match(refusals(seeing(dead(1), 'a', { process: null }))?.join() ?? '', /started anew/);
  const beyond = (since: number) =>
    lostData(seeing(startedAt(since), 'a', { sequence: 1_350, answeredAt: NOW - 1_000 }), shardAt(startedAt(since)));
  assert.deepEqual([beyond(1), beyond(60_000)], [true, false]);
});

test('copied whole and started anew: its log proves it for good, or takes it away again', () => {
  const seen = startedAt(60_000);
  const same = committed(logSays(seen, 'a', null, { kind: 'same', last: 1_300 })).next;
  assert.deepEqual(nodeAt(same, 'a').proof, { entry: 5, how: 'log' });
  const other = committed(logSays(seen, 'a', null, { kind: 'parted', at: 1_001, last: 1_020 })).next;
  assert.deepEqual([nodeAt(other, 'a').membership, nodeAt(other, 'a').proof], ['away', null]);
  const untold = logSays(seen, 'a', null, { kind: 'untellable', why: 'no log' });
  assert.equal(words(untold), 'fine');
});

test('the marker is still there: it lied; away, with another marker and twice the margin', () => {
  const seen = attached('linked');
  const { next, kinds } = committed(answered(seen, checkOf(seen), 'check', { sequence: 1_290, found: 'not-whole' }));
  assert.deepEqual(kinds, ['node.away']);
  const { membership, copy } = nodeAt(next, 'a');
  assert.deepEqual([membership, copy?.failures, copy?.process], ['away', 1, null]);
  assert.notEqual(copy?.marker, 'm');
});

test('three copies were not whole: no more by itself', () => {
  const seen = withCopy(parted(), 'a', { ...SAVED, failures: 3 });
  assert.equal(words(seen), 'operator');
  assert.match(copyFinding(seen, shardAt(seen), nodeAt(seen, 'a'))?.message ?? '', /3 times/);
});

test('another process than the one that had the marker: its absence proves nothing, and it begins anew', () => {
  const seen = attached('linked');
  const { next, kinds } = committed(answered(seen, checkOf(seen), 'check', { sequence: 1_290, found: 'restarted' }));
  assert.deepEqual([kinds, nodeAt(next, 'a').copy?.failures], [['node.away'], 0]);
});

test('the attach was committed and never told: away by itself, to be fenced and read', () => {
  const seen = withCopy(
    world('b master 1300 | a replica 2000 unproven attaching:copied says-master at:6', REPLACED),
    'a',
    ATTACHED,
  );
  assert.deepEqual(committed(seen).kinds, ['node.away']);
  assert.notEqual(nodeAt(committed(seen).next, 'a').copy, null);
});

test('it came back empty while it was to be copied: it follows from the beginning, and nothing is copied over', () => {
  const wiped = world('b master 1300 | a away 0 unproven says-master', REPLACED);
  const { next } = committed(withCopy(wiped, 'a', SAVED));
  assert.deepEqual([nodeAt(next, 'a').attaching, nodeAt(next, 'a').copy], ['empty', null]);
  const member = withCopy(
    world('b master 1300 | a replica 0 unproven attaching:copied says-master', REPLACED),
    'a',
    ATTACHED,
  );
  assert.equal(nodeAt(committed(member).next, 'a').membership, 'away');
});

test('a promotion since cut the shard’s history below where it parted: it parted there, and is saved anew', () => {
  const cut: Sketch = { lineage: [entry(1, 'x', 0), entry(5, 'y', 1_500), entry(6, 'b', 900)] };
  const seen = withCopy(world('b master 1200 | a away 1020 unproven says-master fenced:1020', cut), 'a', SAVED);
  const { next } = committed(seen);
  const { copy } = nodeAt(next, 'a');
  assert.deepEqual([copy?.partedAt, copy?.under, copy?.saved], [901, 6, null]);
});

test('nothing is done while the shard has no master that leads, during a switchover, or in a pause', () => {
  const seen = withCopy(parted(), 'a', SAVED);
  assert.equal(words(seeing(seen, 'b', { state: 'silent' })), 'waits');
  const paused = after(seen, { ...seen.intended, pause: { until: null, by: 'ops' } });
  assert.deepEqual(copyJobs(paused), { copies: [], held: [] });
  assert.deepEqual(wants(paused), []);
});

test('what a job found under one master, or behind one fence, says nothing under the next', () => {
  const raised = raisedTo(withCopy(parted(), 'a', SAVED));
  const shard = shardAt(raised);
  const other = { ...shard, lineage: [...shard.lineage, entry(6, 'b', 2_000)] };
  assert.notDeepEqual(
    partiesOf(other, nodeAt(raised, 'a'), viewOf(raised, 'a')),
    partiesOf(shard, nodeAt(raised, 'a'), viewOf(raised, 'a')),
  );
  const anew = { ...(viewOf(raised, 'a').fenced ?? assert.fail()), connection: 9 };
  assert.equal(words(seeing(raised, 'a', { fenced: anew })), 'raise');
});

test('an empty server that compares histories begins at 1: it is fenced, given its id, and copied', () => {
  const fresh = world('b master 1300 | a away 1 unproven says-master noid highest:900', REPLACED);
  const both = seeing(seeing(fresh, 'a', { rsid: true, version: -1, holds: null }), 'b', { rsid: true });
  assert.deepEqual(
    wants(both).map(({ node, purpose }) => [node, purpose]),
    [['a', 'fence']],
  );
  const told = { version: VERSION, before: 'master', role: 'master', sequence: 1, connection: 2, at: NOW } as const;
  const fenced = seeing(both, 'a', { fenced: told, fenceHolds: true, myId: 'a' });
  assert.equal(nodeAt(committed(fenced).next, 'a').attaching, 'copied');
});
