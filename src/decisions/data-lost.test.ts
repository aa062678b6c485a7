import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { decideDataLost } from './data-lost.ts';
import { decideFailovers } from './failover.ts';
import { judgeMaster } from './liveness.ts';
import { after, NOW, nodeAt, type Sketch, seeing, shardAt, VERSION, world } from './testing.ts';

const stored = (text: string, sketch: Sketch = {}) => {
  const seen = world(text, sketch);
  const proposal = decideDataLost(seen, decideFailovers(seen).reports);
  if (proposal === undefined) return undefined;
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  assert.equal(proposal.next.cluster.version, VERSION);
  return proposal.next;
};

test('a master came back empty, and its replicas cannot take its place: stored, with what it had', () => {
  for (const others of ['', ' | b replica 900 gone', ' | b replica 0 highest:900 down', ' | b replica 900 unproven']) {
    const next = stored(`a master 0 highest:900${others}`);
    assert.equal(next && shardAt(next).dataLost, 900, others);
  }
});

test('while somebody can take its place nothing keeps the promotion waiting', () => {
  assert.equal(stored('a master 0 highest:900 | b replica 900 down'), undefined);
  for (const answer of ['asked:800', 'asked:300', 'unasked'])
    assert.equal(stored(`a master 0 highest:900 | b replica 900 ${answer} down`), undefined, answer);
});

test('in a paused cluster it is stored too: nobody takes its place meanwhile', () => {
  const next = stored('a master 0 highest:900 | b replica 900 down', { pause: { until: null, by: 'ops' } });
  assert.equal(next && shardAt(next).dataLost, 900);
});

test('a dead master is none that has lost its data', () => {
  assert.equal(stored('a master 900 dead | b replica 900 loading'), undefined);
});

test('what it writes from then on makes it no master again, and a replica that comes back takes its place', () => {
  const seen = world('a master 0 highest:900 | b replica 900 gone');
  const next = stored('a master 0 highest:900 | b replica 900 gone') ?? assert.fail();
  const later = seeing(after(seen, next), 'a', { sequence: 5_000, highest: 5_000, aged: 4_000 });
  const verdict = judgeMaster(later, shardAt(later));
  assert.equal(verdict.kind === 'dead' && verdict.how, 'lost-data');
  const back = seeing(later, 'b', {
    state: 'up',
    link: 'down',
    linkDownAt: NOW - 60,
    askedAt: NOW - 50,
    sequence: 900,
  });
  const { proposal } = decideFailovers(back);
  assert.equal(proposal && shardAt(proposal.next).master, 'b');
  assert.equal(proposal && shardAt(proposal.next).dataLost, null);
  // Whatever number it comes to, it is let back by none.
  assert.equal(proposal && nodeAt(proposal.next, 'a').proof, null);
});
