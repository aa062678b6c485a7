import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { decideCutOff } from './cut-off.ts';
import { decideFailovers } from './failover.ts';
import { after, NOW, nodeAt, type Sketch, seeing, VERSION, world } from './testing.ts';
import type { NodeView, World } from './world.ts';

/** Whether it is cut off after what was decided; undefined when nothing was. */
function marked(seen: World): boolean | undefined {
  const proposal = decideCutOff(seen);
  if (proposal === undefined) return undefined;
  assert.deepEqual(brokenPromises(seen.intended, proposal.next), []);
  assert.equal(proposal.next.cluster.version, VERSION);
  return nodeAt(proposal.next, 'b').cutOff;
}

const down = (ago: number): Sketch => ({ views: { b: { linkDownAt: NOW - ago } } });

test('its link is down and its master has answered ever since: cut off, stored without a new version', () => {
  assert.equal(marked(world('a master 900 | b replica 880 down', down(1_600))), true);
});

test('a master that was restarted a moment ago: its replica tries again only after a second', () => {
  assert.equal(marked(world('a master 900 | b replica 880 down', down(1_400))), undefined);
});

test('a master that does not answer, or answers without its data, cuts nobody off', () => {
  for (const master of ['900 dead', '900 hung', '900 loading', '900 says-slave', '3 highest:900'])
    assert.equal(marked(world(`a master ${master} | b replica 880 down`, down(5_000))), undefined, master);
  // Its last answer is from before the link went down.
  const before = { views: { a: { askedAt: NOW - 5_000 }, b: { linkDownAt: NOW - 4_900 } } };
  assert.equal(marked(world('a master 900 | b replica 880 down', before)), undefined);
});

test('answers from before a stall of our own cut nobody off', () => {
  assert.equal(marked(world('a master 900 | b replica 880 down', { ...down(5_000), trustFrom: NOW - 20 })), undefined);
});

test('a replica that is copied whole, comes in, or is unproven is none that was cut off', () => {
  for (const words of ['sync', 'down attaching:within', 'down unproven', 'linked'])
    assert.equal(marked(world(`a master 900 | b replica 880 ${words}`, down(5_000))), undefined, words);
});

test('cut off until its link is seen up at a master that answers', () => {
  assert.equal(marked(world('a master 900 | b replica 900 cutoff linked')), false);
  assert.equal(marked(world('a master 900 | b replica 880 cutoff down', down(60_000))), undefined);
  assert.equal(marked(world('a master 900 hung | b replica 900 cutoff linked')), undefined);
  assert.equal(marked(world(`a master 900 | b replica 900 cutoff linked at:${VERSION - 1}`)), undefined);
});

test('no-witness: a replica with a wrong masterauth says down for an hour while the path to a living master breaks', () => {
  const hour: Partial<NodeView> = { linkUpAt: NOW - 3_600_000, linkDownAt: NOW - 3_599_000, lostAt: NOW - 3_599_000 };
  const watched = seeing(world('a master 900 | b replica 900 down'), 'b', hour);
  const stored = decideCutOff(watched)?.next ?? assert.fail('it was not marked');
  const broken = seeing(after(watched, stored), 'a', {
    state: 'silent',
    brokeAt: NOW - 60_000,
    failedAskedAt: NOW - 50,
    timeouts: 60,
  });
  assert.equal(decideFailovers(broken).proposal, undefined);
  // Nor by a controller that has just started and saw nothing of all that.
  const fresh: Partial<NodeView> = {
    linkUpAt: Number.NEGATIVE_INFINITY,
    linkDownAt: NOW - 30_000,
    lostAt: NOW - 30_000,
  };
  const successor = seeing({ ...broken, watchingSince: NOW - 30_000 }, 'b', fresh);
  const { proposal, reports } = decideFailovers(seeing(successor, 'a', { answeredAt: Number.NEGATIVE_INFINITY }));
  assert.equal(proposal, undefined);
  assert.deepEqual(reports[0]?.judged?.[0]?.refusals, ['was cut off while its master still answered']);
});
