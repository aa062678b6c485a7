import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Silences } from './silences.ts';

/** Two clusters of two shards of two nodes. */
function watching(): { readonly silences: Silences; readonly nodes: readonly string[] } {
  const silences = new Silences();
  const nodes = ['c/s0/a', 'c/s0/b', 'c/s1/a', 'c/s1/b', 'd/s0/a', 'd/s0/b', 'd/s1/a', 'd/s1/b'];
  for (const node of nodes) silences.watched(node, node.slice(0, 4));
  return { silences, nodes };
}

test('half-the-nodes-of-a-site-vanish and one more: the brake holds until enough of them are seen again', () => {
  const { silences, nodes } = watching();
  for (const [i, node] of nodes.slice(0, 4).entries()) silences.fell(node, 1_000 + i);
  assert.equal(silences.brake, false);
  silences.fell('d/s0/a', 2_000);
  assert.equal(silences.brake, true);
  silences.seen('c/s0/a');
  assert.equal(silences.brake, false);
});

test('a node that is still silent fell when it was first missed', () => {
  const { silences, nodes } = watching();
  for (const [i, node] of nodes.slice(0, 5).entries()) silences.fell(node, 1_000 * i);
  assert.equal(silences.brake, false);
  for (const node of nodes.slice(0, 5)) silences.fell(node, 10_000);
  assert.equal(silences.brake, false);
});

test('nodes that are watched no more count neither as silent nor as nodes', () => {
  const { silences, nodes } = watching();
  for (const node of nodes.slice(0, 4)) silences.fell(node, 1_000);
  silences.unwatched('d/s1/b');
  assert.equal(silences.brake, true, 'four of seven');
  silences.unwatched('c/s0/a');
  assert.equal(silences.brake, false, 'three of six');
  silences.fell('z', 1_000);
  assert.equal(silences.brake, false, 'nobody watches it');
});
