import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { lookOf } from '../operations/intended.ts';
import { fingerprint } from '../topology/fingerprint.ts';
import { releasingText } from '../topology/text.ts';
import { decideDrift, drift } from './drift.ts';
import { entry, NOW, nodeAt, type Sketch, seeing, VERSION, world } from './testing.ts';
import { moveOf } from './testing-moves.ts';
import type { World } from './world.ts';

const pair = (words: string, sketch: Sketch = {}) => world(`a master 9 | b replica 9 ${words}`, sketch);

function raised(seen: World, overwrite = false): number | undefined {
  const proposal = decideDrift(seen, overwrite);
  if (proposal === undefined) return undefined;
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  return proposal.next.cluster.version;
}

test('at the committed version or below it there is nothing that a push cannot mend', () => {
  for (const words of ['', 'at:3', 'foreign:3', 'unasked', 'gone']) {
    assert.deepEqual(drift(pair(words), 'b'), { kind: 'none' }, words);
    assert.equal(raised(pair(words)), undefined, words);
  }
});

test('our own topology under a higher number: healed by a version above both', () => {
  assert.equal(drift(pair(`at:${VERSION + 5}`), 'b').kind, 'ours');
  assert.equal(raised(pair(`at:${VERSION + 5}`)), VERSION + 6);
});

test('another topology above ours, whatever it once was, proves nothing', () => {
  const seen = seeing(pair(''), 'b', { version: 20, holds: { version: 20, fingerprint: 'before' } });
  assert.equal(drift(seen, 'b').kind, 'foreign');
  assert.equal(raised(seen), undefined);
});

test('a foreign topology is overwritten on an operator’s word: who was under it is unproven, as it may have been master', () => {
  const under = world(`a master 9 foreign:${VERSION + 5} | b replica 9 foreign:${VERSION + 5} | c replica 9`);
  const next = decideDrift(under, true)?.next ?? assert.fail();
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => nodeAt(next, id).proof === null),
    [false, true, false],
  );
});

test('a foreign topology above ours is neither obeyed nor overwritten, until an operator says which one holds', () => {
  const seen = pair(`foreign:${VERSION + 5}`);
  assert.deepEqual(drift(seen, 'b'), { kind: 'foreign', seen: VERSION + 5 });
  assert.equal(raised(seen), undefined);
  assert.equal(raised(seen, true), VERSION + 6);
});

test('the committed number with another content: the number is spent, the next one is told', () => {
  assert.equal(raised(pair(`foreign:${VERSION}`)), VERSION + 1);
});

test('several drifting nodes: one version above all of them, each told about', () => {
  const seen = world(`a master 9 at:${VERSION + 2} | b replica 9 at:${VERSION + 9}`);
  const proposal = decideDrift(seen, false) ?? assert.fail();
  assert.equal(proposal.next.cluster.version, VERSION + 10);
  assert.deepEqual(
    proposal.events.map((event) => event.node),
    ['a', 'b'],
  );
});

test('the version is right and the role is not, for longer than a push takes: told anew', () => {
  const wrong = pair('says-master');
  assert.equal(raised(wrong), VERSION + 1);
  assert.equal(raised(seeing(wrong, 'b', { holdsSince: NOW - 1_000 })), undefined, 'it may only be late');
  assert.equal(raised(seeing(wrong, 'b', { since: NOW - 1_000 })), undefined, 'it has just come back');
});

test('a node inside a SETNODES, or whose topology was not read at this version, is not judged', () => {
  const seen = pair(`at:${VERSION + 5}`);
  assert.equal(raised(seeing(seen, 'b', { busySince: NOW - 10 })), undefined);
  assert.equal(raised(seeing(seen, 'b', { holds: null })), undefined);
  assert.equal(raised(seeing(seen, 'b', { holds: { version: 3, fingerprint: 'x' } })), undefined);
});

const move = moveOf('migrating');

test('the ends of a running migration are left alone, whatever they carry', () => {
  const seen = world(`a master 9 at:${VERSION + 5} / c master 9 at:${VERSION + 6}`, { operations: [move] });
  assert.equal(raised(seen), undefined);
});

test('nothing is healed in a pause or during a switchover', () => {
  const open = {
    kind: 'switchover',
    id: 'so',
    shard: 's0',
    from: 'a',
    to: 'b',
    by: 'ops',
    startedAt: 0,
    version: VERSION,
    phase: 'restoring',
    because: 'x',
  } as const;
  assert.equal(raised(pair(`at:${VERSION + 5}`, { pause: { until: null, by: 'ops' } })), undefined);
  assert.equal(raised(pair(`at:${VERSION + 5}`, { operations: [open] })), undefined);
});

test('an old master that took the committed number before it could be fenced: only a higher one fences it', () => {
  const replaced: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 9)] };
  const seen = world(`b master 9 | a away 9 proof:1 says-master at:${VERSION}`, replaced);
  assert.equal(raised(seen), VERSION + 1);
  assert.equal(raised(seeing(seen, 'b', { state: 'silent' })), undefined, 'nobody leads it');
  const lost = seeing(seen, 'b', { sequence: 0, fell: { from: 9, at: NOW - 60_000 } });
  assert.equal(
    raised(lost),
    undefined,
    'it would be told a version every few seconds, for as long as nobody may follow',
  );
});

const LEAVING = { id: 'x', address: { host: '10.0.0.9', port: 7 }, version: 5, how: 'reset' } as const;

test('a leaving node that has the committed number with another content cannot be released under it', () => {
  const base = world('a master 9', { leaving: [LEAVING] });
  const at = (mark: string, version = VERSION) =>
    seeing(base, 'x', { state: 'up', myId: 'x', says: 'master', version, holds: { version, fingerprint: mark } });
  assert.equal(raised(at(lookOf(base.intended).fingerprint)), VERSION + 1);
  assert.equal(raised(at(fingerprint(releasingText(base.intended.cluster, LEAVING)))), undefined);
  assert.equal(raised(at('theirs', VERSION + 4)), undefined, 'one above is another cluster’s');
});
