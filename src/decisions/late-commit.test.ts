import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokenPromises } from '../checks/promises.ts';
import { decide, PACE, paces } from './decide.ts';
import { decideFailovers } from './failover.ts';
import { decideLateCommits, untoldUntil } from './late-commit.ts';
import { wants } from './telling.ts';
import { after, NOW, nodeAt, seeing, shardAt, VERSION, world } from './testing.ts';
import { moveOf } from './testing-moves.ts';
import type { NodeView, World } from './world.ts';

const SHARDS = 'a master 900 dead | b replica 880 | c replica 870 / d master 9 | e replica 9';
const CIRCUMSTANCES = { resetDone: () => undefined, overwrite: false, committedAt: NOW };

/** A failover of a that was committed `ago` ms ago, late; since then a has come to this. */
function committed(ago: number, a: Partial<NodeView>): World {
  const dying = world(SHARDS);
  const { proposal } = decideFailovers(dying);
  assert.ok(proposal !== undefined);
  assert.deepEqual(
    proposal.crashes?.map(({ shard }) => shard),
    ['s0'],
  );
  const late = { acceptedAt: NOW - ago, before: shardAt(dying) };
  const seen = { ...after(dying, proposal.next), lateCommit: (id: string) => (id === 's0' ? late : undefined) };
  return seeing(seen, 'a', a);
}

const back: Partial<NodeView> = {
  state: 'up',
  brokeAt: null,
  failedAskedAt: NOW - 400,
  askedAt: NOW - 20,
  answeredAt: NOW - 19,
  myId: 'a',
  says: 'master',
  sequence: 901,
  highest: 901,
};

const told = (seen: World) => wants(seen).map((want) => `${want.node} ${want.purpose}`);

test('late-commit: the old master came back meanwhile with all it had: given back, nobody was told', () => {
  const seen = committed(100, back);
  assert.deepEqual(told(seen), []);
  const proposal = decideLateCommits(seen) ?? assert.fail('it was not given back');
  assert.deepEqual(brokenPromises(seen.intended, proposal.next, new Set(['s0'])), []);
  assert.equal(proposal.next.cluster.version, VERSION + 2);
  assert.equal(proposal.events[0]?.kind, 'failover.given-back');
  // As if nothing had been: nobody's proof or limit comes from the promotion.
  const { nodes, lineage, master } = shardAt(proposal.next);
  const old = shardAt(world(SHARDS));
  assert.deepEqual([master, lineage], ['a', old.lineage]);
  assert.deepEqual(
    nodes.map(({ membership, proof, attaching }) => ({ membership, proof, attaching })),
    old.nodes.map(({ membership, proof, attaching }) => ({ membership, proof, attaching })),
  );
});

test('late-commit: slots that went back with it were the old master’s since then: the promotion stands', () => {
  const dying = world('a master 900 dead | b replica 880 | c replica 870 / d master 9 at:6 | e replica 9', {
    operations: [moveOf('handing-over', { source: 's1', sourceNode: 'd', target: 's0', targetNode: 'a', goal: 899 })],
    traces: { mv: { phaseAt: NOW - 900 } },
  });
  const next = decideFailovers(dying).proposal?.next ?? assert.fail('it was not replaced');
  const late = { acceptedAt: NOW - 100, before: shardAt(dying) };
  const seen = seeing({ ...after(dying, next), lateCommit: (id) => (id === 's0' ? late : undefined) }, 'a', back);
  assert.equal(decideLateCommits(seen), undefined);
  assert.ok(told(seen).includes('b promote'), told(seen).join(', '));
});

test('the promise allows it for what nobody was told, and for nothing else', () => {
  const seen = committed(100, back);
  const next = decideLateCommits(seen)?.next ?? assert.fail();
  assert.match(brokenPromises(seen.intended, next).join(), /lineage would be rewritten.*a is not proven/);
  const { cluster } = next;
  const other = {
    ...next,
    cluster: { ...cluster, shards: cluster.shards.map((one, i) => (i === 0 ? { ...one, lineage: [] } : one)) },
  };
  assert.match(brokenPromises(seen.intended, other, new Set(['s0'])).join(), /rewritten/);
});

test('it refuses still: the promotion goes out at once', () => {
  const seen = committed(5, { failedAskedAt: NOW - 3 });
  assert.equal(decideLateCommits(seen), undefined);
  assert.deepEqual(told(seen).slice(0, 2), ['b promote', 'c attach']);
});

test('its last refusal is from before the commit: it is asked closely, and everybody waits, a quarter of a second at most', () => {
  const waiting = committed(100, { failedAskedAt: NOW - 101 });
  assert.deepEqual(told(waiting), []);
  assert.equal(untoldUntil(waiting), NOW + 150);
  const decision = decide(waiting, CIRCUMSTANCES);
  assert.deepEqual([decision.proposal, decision.wakeAt], [undefined, NOW + 150]);
  assert.equal(paces(waiting, decision.reports).get('a'), PACE.close);
  const late = committed(250, { failedAskedAt: NOW - 300 });
  assert.deepEqual(told(late).slice(0, 2), ['b promote', 'c attach']);
});

test('what answers is no master any more, has lost something, or has not said who it is', () => {
  const cases: readonly [Partial<NodeView>, boolean][] = [
    [{ says: 'slave' }, true],
    [{ myId: '', sequence: 0 }, true],
    [{ fell: { from: 900, at: NOW - 20 }, sequence: 3 }, true],
    [{ sequence: 895 }, true],
    [{ myId: null }, false],
    [{ state: 'loading', says: null }, false],
    [{ askedAt: NOW - 101 }, false],
  ];
  for (const [facts, out] of cases) {
    const seen = committed(100, { ...back, highest: 900, ...facts });
    assert.equal(decideLateCommits(seen), undefined, JSON.stringify(facts));
    assert.equal(told(seen).length > 0, out, JSON.stringify(facts));
  }
});

test('a replica had more of it than it came back with: not given back', () => {
  const dying = seeing(committed(100, back), 'c', { sequence: 905, answeredAt: NOW - 60, linkDownAt: NOW - 700 });
  assert.equal(decideLateCommits(dying), undefined);
});

test('the answer came after the wait, and before anybody was told: given back all the same', () => {
  const seen = committed(2_000, back);
  assert.deepEqual(told(seen), []);
  assert.notEqual(decideLateCommits(seen), undefined);
});

test('a successor, or a process that has told somebody, does not know of it: the promotion stands', () => {
  const seen = { ...committed(100, back), lateCommit: () => undefined };
  assert.equal(decideLateCommits(seen), undefined);
  assert.deepEqual(told(seen).slice(0, 2), ['a fence', 'b promote']);
});

test('what has happened to the shard since is kept: slots that were moved on, a node that was added', () => {
  const seen = committed(100, back);
  const added = { ...nodeAt(seen, 'c'), id: 'z' };
  const { cluster } = seen.intended;
  const shards = cluster.shards.map((shard, i) =>
    i === 0 ? { ...shard, nodes: [...shard.nodes, added], slots: [{ from: 0, to: 9 }] } : shard,
  );
  const next = decideLateCommits({ ...seen, intended: { ...seen.intended, cluster: { ...cluster, shards } } })?.next;
  assert.deepEqual(next && shardAt(next).slots, [{ from: 0, to: 9 }]);
  assert.deepEqual(next && shardAt(next).nodes.map(({ id }) => id), ['a', 'b', 'c', 'z']);
});

test('in a paused cluster it is left as it is', () => {
  const seen = committed(100, back);
  const paused = { ...seen, intended: { ...seen.intended, pause: { until: null, by: 'ops' } } };
  assert.equal(decideLateCommits(paused), undefined);
});
