import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entry, VERSION, world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import { type Intended, nextVersion, type Operation } from '../operations/intended.ts';
import { type Copy, type Shard, withNode, withShard } from '../topology/cluster.ts';
import { ALL_SLOTS, NO_SLOTS } from '../topology/slots.ts';
import { brokenPromises } from './promises.ts';

const before: Intended = world('a master 9 | b replica 9 | c replica 9 unproven / d master 9').intended;

const changed = (change: (shard: Shard) => Shard, from: Intended = before): Intended => ({
  ...from,
  cluster: withShard(from.cluster, 's0', change),
});
const raised = (after: Intended): Intended => nextVersion(after, after.cluster);

const broken = (after: Intended, from: Intended | undefined = before) => brokenPromises(from, after).join('\n');

/** `to` is master from the next version on. */
const promote = (to: string) => (shard: Shard) => ({
  ...shard,
  master: to,
  lineage: [...shard.lineage, entry(VERSION + 1, to, 9)],
});

test('nothing changes, a first commit, a proven replica promoted by a new version: no promise is broken', () => {
  assert.equal(broken(before), '');
  assert.equal(broken(before, undefined), '');
  assert.equal(broken(raised(changed(promote('b')))), '');
});

test('a version falls', () => {
  assert.match(broken({ ...before, cluster: { ...before.cluster, version: VERSION - 1 } }), /version 6 is below 7/);
});

test('a version gets a second text: another master, a member away, a slot elsewhere', () => {
  assert.match(broken(changed(promote('b'))), /version 7 would get a second text/);
  const away = changed((shard) => withNode(shard, 'b', (node) => ({ ...node, membership: 'away' })));
  assert.match(broken(away), /second text/);
  assert.match(broken(changed((shard) => ({ ...shard, slots: NO_SLOTS }))), /second text/);
});

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

test('a drain begins or ends under the version that is committed already', () => {
  assert.match(broken({ ...before, operations: [DRAIN] }), /second text/);
  assert.match(broken(before, { ...before, operations: [DRAIN] }), /would be told it/);
});

test('what no node reads keeps the version: a proof, a floor, a phase', () => {
  assert.equal(
    broken(changed((shard) => withNode(shard, 'c', (node) => ({ ...node, proof: { entry: 1, how: 'within' } })))),
    '',
  );
  assert.equal(broken(changed((shard) => ({ ...shard, floor: 99 }))), '');
});

test('two owners of one slot', () => {
  assert.match(broken(raised(changed((shard) => ({ ...shard, slots: ALL_SLOTS })))), /has another owner already/);
});

test('coverage shrinks, though nobody ended the cluster', () => {
  const empty = raised(changed((shard) => ({ ...shard, slots: NO_SLOTS })));
  assert.match(broken(empty), /slots 0-8191 would have no owner any more/);
  const ended = raised({ ...before, ending: true, cluster: { ...before.cluster, shards: [] } });
  assert.equal(broken(ended), '');
});

test('lineage is rewritten: an entry gone, another master, a smaller P', () => {
  const old = changed((shard) => ({ ...shard, lineage: [entry(1, 'b', 5), entry(3, 'a', 7)] }));
  const cases: Shard['lineage'][] = [
    [entry(3, 'a', 7)],
    [entry(1, 'c', 5), entry(3, 'a', 7)],
    [entry(1, 'b', 4), entry(3, 'a', 7)],
  ];
  for (const lineage of cases) {
    assert.match(
      broken(
        changed((shard) => ({ ...shard, lineage }), old),
        old,
      ),
      /its lineage would be rewritten/,
    );
  }
  const exact = changed((shard) => ({ ...shard, lineage: [entry(1, 'b', 5), entry(3, 'a', 8)] }), old);
  assert.equal(broken(exact, old), '', 'the exact P may replace a smaller one');
});

test('lineage ends with another master than the shard has', () => {
  assert.match(broken(raised(changed((shard) => ({ ...shard, master: 'b' })))), /lineage ends with another master/);
});

test('an unproven node becomes master', () => {
  assert.match(broken(raised(changed(promote('c')))), /c is not proven and would be its master/);
});

test('a node proven under an earlier master becomes master', () => {
  const old = changed((shard) => ({ ...shard, lineage: [...shard.lineage, entry(3, 'a', 7)] }));
  assert.match(broken(raised(changed(promote('b'), old)), old), /b is not proven/);
});

test('a node of another shard becomes master', () => {
  const after = raised(
    changed((shard) => ({
      ...promote('z')(shard),
      nodes: shard.nodes.map((node) => (node.id === 'c' ? { ...node, id: 'z' } : node)),
    })),
  );
  assert.match(broken(after), /z was none of its nodes/);
});

test('a master is put back, which only the end of a switchover may do', () => {
  const swapped = changed((shard) => ({ ...shard, master: 'b', lineage: [...shard.lineage, entry(VERSION, 'b', 9)] }));
  const back = raised(
    changed((shard) => ({ ...shard, master: 'a', lineage: [...shard.lineage, entry(VERSION + 1, 'a', 9)] }), swapped),
  );
  assert.match(broken(back, swapped), /a is not proven/);
  const { kind, id, shard, from, to, by, startedAt } = DRAIN.kind === 'switchover' ? DRAIN : assert.fail();
  const open: Operation = { kind, id, shard, from, to, by, startedAt, phase: 'swapping', version: VERSION, final: 9 };
  assert.equal(broken(back, { ...swapped, operations: [open] }), '');
});

test('a promotion is taken back: only what nobody was told of, to the master before, by a new version', () => {
  const promoted = raised(changed(promote('b')));
  const back = raised(changed((shard) => ({ ...shard, master: 'a', lineage: shard.lineage.slice(0, -1) }), promoted));
  const untold = new Set(['s0']);
  assert.deepEqual(brokenPromises(promoted, back, untold), []);
  assert.match(broken(back, promoted), /its lineage would be rewritten.*\n.*a is not proven/);
  const copied = (one: Intended) =>
    changed(
      (shard) => withNode(shard, 'b', (node) => ({ ...node, proof: { entry: VERSION - 1, how: 'copied' } })),
      one,
    );
  assert.deepEqual(brokenPromises(promoted, copied(back), untold), [], 'it is what it was before');
  assert.match(brokenPromises(promoted, back, new Set(['s1'])).join(), /rewritten/);
  const kept = { ...back, cluster: { ...back.cluster, version: promoted.cluster.version } };
  assert.match(brokenPromises(promoted, kept, untold).join(), /second text/);
  const other = raised(changed((shard) => ({ ...shard, master: 'c', lineage: shard.lineage.slice(0, -1) }), promoted));
  assert.match(brokenPromises(promoted, other, untold).join(), /rewritten/);
});

test('slots that are being handed over go back to their source', () => {
  const range = { from: 9_000, to: 9_001 };
  const handing = moveOf('handing-over', { range, targetNode: 'd', goal: 9 });
  const open = { ...before, operations: [handing] };
  assert.equal(broken(open, open), '');
  const back = raised({
    ...open,
    cluster: {
      ...open.cluster,
      shards: open.cluster.shards.map((shard, i) => ({
        ...shard,
        slots: i === 0 ? [{ from: 0, to: 9_001 }] : [{ from: 9_002, to: 16_383 }],
      })),
    },
  });
  assert.match(broken(back, open), /slots 9000-9001 were moved and would go back to s0/);
  const anew = moveOf('settling', { range, targetNode: 'd', version: back.cluster.version, returned: range });
  assert.equal(broken({ ...back, operations: [anew] }, open), '', 'their target is gone, and the move says so');
});

test('a part of what is being handed over goes back to its source', () => {
  const handing = moveOf('handing-over', { range: { from: 8_192, to: 8_199 }, targetNode: 'd', goal: 9 });
  const open = { ...before, operations: [handing] };
  const slots = [[{ from: 0, to: 8_192 }], [{ from: 8_193, to: 16_383 }]];
  const shards = open.cluster.shards.map((shard, i) => ({ ...shard, slots: slots[i] ?? [] }));
  assert.match(broken(raised({ ...open, cluster: { ...open.cluster, shards } }), open), /would go back to s0/);
});

const COPY: Copy = {
  marker: 'm',
  partedAt: 8,
  under: 1,
  saved: 9,
  seal: '',
  force: false,
  by: 'controller',
  failures: 0,
  process: null,
};

test('a node that is to be copied whole is master, or proven', () => {
  const toCopy = (id: string) => changed((shard) => withNode(shard, id, (node) => ({ ...node, copy: COPY })));
  assert.match(broken(toCopy('a')), /a is to be copied whole and would be master/);
  assert.match(broken(toCopy('b')), /b is to be copied whole and would be master or proven/);
  assert.equal(broken(toCopy('c')), '');
});

test('a node is sent to be copied over before what it alone holds is saved', () => {
  const sent = (copy: Copy) =>
    changed((shard) => withNode(shard, 'c', (node) => ({ ...node, copy, attaching: 'copied' })));
  assert.match(broken(sent({ ...COPY, saved: null })), /what it alone holds is not saved/);
  assert.equal(broken(sent(COPY)), '');
});

test('copied whole is who was attached to be, and nobody else', () => {
  const proof = { entry: VERSION, how: 'copied' } as const;
  const proven = (from: Intended) =>
    changed((shard) => withNode(shard, 'c', (node) => ({ ...node, proof, attaching: null, copy: null })), from);
  assert.match(broken(proven(before)), /was not attached for that/);
  const attached = changed((shard) => withNode(shard, 'c', (node) => ({ ...node, attaching: 'copied', copy: COPY })));
  assert.equal(broken(proven(attached), attached), '');
});
