import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lookOf } from '../operations/intended.ts';
import type { Switchover } from '../operations/switchover.ts';
import { fingerprint } from '../topology/fingerprint.ts';
import { releasingText } from '../topology/text.ts';
import { mostAtAttach } from './confirming.ts';
import { released, tellingWakesAt, wants } from './telling.ts';
import { carrying, entry, NOW, nodeAt, seeing, shardAt, VERSION, world } from './testing.ts';
import { moveOf, RANGE } from './testing-moves.ts';
import type { NodeView, World } from './world.ts';

/** `a promote, b attach`: who is told what, in the order of the list. */
const told = (seen: World): string =>
  wants(seen)
    .map((want) => `${want.node} ${want.purpose}`)
    .join(', ');

const OLD = VERSION - 1;

test('everybody carries the committed version: nobody is told anything', () => {
  assert.equal(told(world('a master 9 | b replica 9 / c master 9')), '');
});

test('a new version: masters are updated, replicas attached, all with the one text', () => {
  const seen = world(`a master 9 at:${OLD} | b replica 9 at:${OLD} / c master 9 at:${OLD}`);
  assert.equal(told(seen), 'a update, b attach, c update');
  assert.deepEqual(new Set(wants(seen).map((want) => want.text)), new Set([lookOf(seen.intended).text]));
});

test('guards and breaths: a replica says who it is first, and a master is never told inside MULTI when it only loses slots', () => {
  const [update, attach] = wants(world(`a master 9 at:${OLD} | b replica 9 at:${OLD}`));
  assert.deepEqual([update?.guard, update?.breath, update?.urgent], ['none', false, false]);
  assert.deepEqual([attach?.guard, attach?.breath, attach?.urgent], ['may-follow', true, false]);
});

test('a sibling that its old master may still feed is told only up to the promotion’s number, and once told without one', () => {
  const lineage = { lineage: [entry(1, 'a', 0), entry(VERSION, 'b', 900)], floor: 900 };
  const text = `a away 900 gone proof:1 | b master 900 | c replica 890 proof:1 attaching:within`;
  const most = (more: string) => wants(world(`${text} ${more}`, lineage)).find(({ node }) => node === 'c')?.most;
  assert.equal(most(`at:${OLD}`), 900);
  assert.equal(most(`at:${OLD} says-master fenced:950`), undefined, 'messages have raised a drained master');
  const there = world(`${text} at:${VERSION}`, lineage);
  assert.equal(mostAtAttach(there, shardAt(there), nodeAt(there, 'c')), undefined);
});

test('a new master that is a slave yet is promoted at once, its number in the breath', () => {
  const [want] = wants(world(`b master 9 says-slave at:${OLD}`));
  assert.deepEqual([want?.purpose, want?.breath, want?.urgent], ['promote', true, true]);
});

test('an old master is fenced at once, and only one that says that it is a master', () => {
  const [want] = wants(world('b master 9 | a away 9 says-master'));
  assert.deepEqual([want?.purpose, want?.guard, want?.breath, want?.urgent], ['fence', 'says-master', true, true]);
  assert.doesNotMatch(want?.text ?? '', /^a /m);
});

test('an away replica hears nothing before the version that attaches it', () => {
  assert.equal(told(world('b master 9 | a away 9')), '');
});

test('an away master that is empty needs no fence, one at the committed number none that it would ignore', () => {
  assert.equal(told(world('b master 9 | a away 0 says-master')), '');
  assert.equal(told(world(`b master 9 | a away 9 says-master at:${VERSION}`)), '');
});

test('who does not answer, is not itself, or carries more than is committed hears nothing', () => {
  for (const words of ['gone', 'loading', 'unasked', `foreign:${VERSION + 3}`, `at:${VERSION + 3}`]) {
    assert.equal(told(world(`a master 9 | b replica 9 at:${OLD} ${words}`)), '', words);
  }
  const other = seeing(world(`a master 9 | b replica 9 at:${OLD}`), 'b', { myId: 'z' });
  assert.equal(told(other), '');
});

test('a fresh node without an id is told who it is, one with a past of another life is not', () => {
  assert.equal(told(world('a master 9 | b replica 0 noid at:-1 says-master')), 'b attach');
  assert.equal(told(world('a master 9 | b replica 5 highest:9 noid at:-1 says-master')), '');
  // A PUBLISH of somebody raises a fresh master's number before its first topology.
  assert.equal(told(world('a master 1 highest:0 noid at:-1 | b replica 0')), 'a update');
});

test('the committed number with another content is answered OK and ignored: it is not told again', () => {
  assert.equal(told(world(`a master 9 | b replica 9 foreign:${VERSION}`)), '');
});

test('a master that has lost data is told nothing, and nobody is sent to follow it', () => {
  assert.equal(
    told(world(`a master 3 highest:9 at:${OLD} | b replica 9 at:${OLD} / c master 9 at:${OLD}`)),
    'c update',
  );
});

test('a paused cluster tells nothing', () => {
  assert.equal(told(world(`a master 9 at:${OLD} | b replica 9 at:${OLD}`, { pause: { until: null, by: 'ops' } })), '');
});

type Phase = Switchover['phase'];

function switchover(phase: Phase): Switchover {
  const common = { kind: 'switchover', id: 'so', shard: 's0', from: 'a', to: 'b', by: 'ops', startedAt: 0 } as const;
  switch (phase) {
    case 'draining':
      return { ...common, phase, version: VERSION };
    case 'swapping':
      return { ...common, phase, version: VERSION, final: 9 };
    case 'restoring':
      return { ...common, phase, version: VERSION, because: 'x' };
  }
}

const drain = `a master 9 at:${OLD} | b replica 9 at:${OLD} | c replica 9 at:${OLD} / d master 9 at:${OLD} | e away 9 says-master`;

test('a drained version is told to the old master alone, with its number in the breath', () => {
  const seen = world(drain, { operations: [switchover('draining')] });
  const [want, ...others] = wants(seen);
  assert.deepEqual(others, []);
  assert.deepEqual([want?.node, want?.purpose, want?.breath, want?.urgent], ['a', 'drain', true, true]);
  assert.match(want?.text ?? '', /^a \S+ 6000 master -$/m);
  assert.match(want?.text ?? '', /^b \S+ 6000 master - 0-8191$/m);
});

const swap = `b master 9 says-slave at:${OLD} | a replica 9 at:${OLD} says-master | c replica 9 at:${OLD} / d master 9 at:${OLD}`;

test('swapping: the new master first, then the old one, then the rest', () => {
  let seen = world(swap, { operations: [switchover('swapping')] });
  assert.equal(told(seen), 'b promote');
  seen = carrying(seen, 'b', { says: 'master' });
  assert.equal(told(seen), 'a attach');
  seen = carrying(seen, 'a', { says: 'slave' });
  assert.equal(told(seen), 'c attach, d update');
});

test('swapping: an old master that does not answer holds nobody up', () => {
  const seen = carrying(world(swap, { operations: [switchover('swapping')] }), 'b', { says: 'master' });
  assert.equal(told(seeing(seen, 'a', { state: 'silent' })), 'c attach, d update');
});

test('restoring: the old master first, then the rest, the replica among them', () => {
  let seen = world(drain, { operations: [switchover('restoring')] });
  assert.equal(told(seen), 'a update, e fence');
  seen = carrying(seen, 'a');
  assert.equal(told(seen), 'b attach, c attach, d update, e fence');
});

test('a failover elsewhere does not wait for a switchover that is being ended: its master is promoted, the old one fenced', () => {
  for (const phase of ['swapping', 'restoring'] as const) {
    const seen = world(`${swap} | f away 9 says-master / g master 9 says-slave at:${OLD}`, {
      operations: [switchover(phase)],
    });
    const list = told(seen).split(', ');
    assert.ok(list.includes('g promote') && list.includes('f fence'), `${phase}: ${list}`);
  }
});

const migrating = moveOf('migrating');
const handing = (slotOnly: boolean, goal: number | null = 20) => moveOf('handing-over', { slotOnly, goal });
/** What the source of a finished move says until it is told. */
const marked = { views: { a: { migrating: { range: RANGE, state: 'success' } } } } as const;
const five = `a master 9 at:${OLD} | b replica 9 at:${OLD} / c master 20 at:${OLD} | d replica 15 at:${OLD} / e master 9 at:${OLD}`;

test('both ends of a running migration hear nothing, and everybody else does', () => {
  assert.equal(told(world(five, { operations: [migrating] })), 'b attach, d attach, e update');
});

test('hand-over: target first; then the source and the other masters, once a replica of the target has what it took over; then the rest', () => {
  let seen = world(five, { ...marked, operations: [handing(false)], watchingSince: NOW });
  assert.equal(told(seen), 'c update');
  seen = carrying(seen, 'c');
  assert.equal(told(seen), '', 'the source would delete its copy, which no replica of the target has yet');
  seen = seeing(seen, 'd', { sequence: 20 });
  assert.equal(told(seen), 'a update, e update');
  seen = carrying(seen, 'a');
  assert.equal(told(seen), 'b attach, d attach, e update');
});

test('hand-over: the source is told as soon as the replica that is chased has it, before its next probe', () => {
  const chased = (reached: number) =>
    carrying(
      world(five, {
        ...marked,
        operations: [handing(false)],
        traces: { mv: { phaseAt: NOW - 5, reached } },
        watchingSince: NOW,
      }),
      'c',
    );
  assert.equal(told(chased(19)), '');
  assert.equal(told(chased(20)), 'a update, e update');
});

test('hand-over: the source is told plainly, since inside MULTI it would not delete what was moved', () => {
  const seen = seeing(
    carrying(world(five, { ...marked, operations: [handing(false)], watchingSince: NOW }), 'c'),
    'd',
    {
      sequence: 20,
    },
  );
  assert.deepEqual(
    wants(seen).map((want) => [want.node, want.breath]),
    [
      ['a', false],
      ['e', false],
    ],
  );
});

test('hand-over: a replica that is at the number but not linked does not count', () => {
  const seen = seeing(
    carrying(world(five, { ...marked, operations: [handing(false)], watchingSince: NOW }), 'c'),
    'd',
    {
      sequence: 20,
      link: 'down',
    },
  );
  assert.equal(told(seen), '');
});

test('hand-over: the replicas of the target do not catch up: the source is told after a second', () => {
  const waited = (ms: number) =>
    carrying(
      world(five, {
        ...marked,
        operations: [handing(false)],
        traces: { mv: { phaseAt: NOW - ms - 10, targetKnewAt: NOW - ms } },
      }),
      'c',
    );
  const asked = (ms: number, facts: Partial<NodeView>) =>
    told(seeing(waited(ms), 'c', { askedAt: NOW - 50, ...facts }));
  assert.equal(told(waited(900)), '');
  assert.equal(tellingWakesAt(waited(900)), NOW + 100);
  assert.equal(asked(1_040, {}), '', 'it was asked too early to show that it lives');
  assert.equal(asked(1_050, {}), 'a update, e update');
  assert.equal(asked(1_050, { state: 'refused' }), '', 'the only copy that can be reached is with the source');
  assert.equal(asked(1_050, { fell: { from: 20, at: NOW - 60 } }), '', 'it has lost what it took');
  assert.equal(asked(2_500, { since: NOW - 1_000 }), '', 'back from a restart it gives its replicas the time anew');
});

test('hand-over: a target without replicas has nobody to wait for', () => {
  const seen = carrying(
    world(`a master 9 at:${OLD} / c master 20`, { ...marked, operations: [handing(false)], watchingSince: NOW }),
    'c',
  );
  assert.equal(told(seen), 'a update');
});

test('hand-over: an end that cannot be told holds the rest up for three seconds', () => {
  const since = (ms: number) =>
    seeing(world(five, { ...marked, operations: [handing(false)], traces: { mv: { phaseAt: NOW - ms } } }), 'c', {
      state: 'silent',
    });
  assert.equal(told(since(2_900)), '');
  assert.equal(told(since(3_000)), 'b attach, d attach, e update');
});

test('hand-over: a promotion that a death made necessary waits for nobody', () => {
  const died = `b master 9 says-slave at:${OLD} | a away 9 gone / c master 20 at:${OLD} | d replica 15 at:${OLD}`;
  assert.equal(
    told(world(died, { ...marked, operations: [handing(false)], watchingSince: NOW })),
    'b promote, c update',
  );
});

test('hand-over without keys: the source first, so that no slot ever has two masters', () => {
  let seen = world(five, { operations: [handing(true)], watchingSince: NOW });
  assert.equal(told(seen), 'a update');
  seen = carrying(seen, 'a');
  assert.equal(told(seen), 'c update');
  seen = carrying(seen, 'c');
  assert.equal(told(seen), 'b attach, d attach, e update');
});

test('a hand-over goes on in a pause, since only marks in two nodes’ memory say who serves', () => {
  const pause = { until: null, by: 'ops' };
  assert.equal(told(world(five, { operations: [handing(false)], pause, watchingSince: NOW })), 'c update');
  assert.equal(told(world(five, { operations: [migrating], pause })), '');
});

const LEAVING = { id: 'x', address: { host: '10.0.0.9', port: 7 }, version: 5, how: 'reset' } as const;
const leaving = (facts: Parameters<typeof seeing>[2]) =>
  seeing(world('a master 9', { leaving: [LEAVING] }), 'x', {
    state: 'up',
    myId: 'x',
    says: 'slave',
    sequence: 9,
    highest: 9,
    version: 5,
    holds: { version: 5, fingerprint: 'ours' },
    ...facts,
  });

test('a removed node is released: told that it is a master without slots', () => {
  const seen = leaving({});
  assert.equal(told(seen), 'x release');
  assert.equal(wants(seen)[0]?.text, releasingText(seen.intended.cluster, LEAVING));
  assert.equal(released(seen, LEAVING), false);
});

test('a removed node waits for the end of a switchover', () => {
  const seen = world('a master 9 | b replica 9', { leaving: [LEAVING], operations: [switchover('draining')] });
  assert.equal(told(seeing(seen, 'x', { state: 'up', myId: 'x', says: 'slave', sequence: 9, version: 5 })), '');
});

test('a removed node gets its settings back before it is released', () => {
  const tuned = [{ node: 'x', name: 'migrate-speed', was: 4_096, set: 9, over: null }] as const;
  const seen = world('a master 9 | b replica 9', { leaving: [LEAVING], tuned });
  assert.equal(told(seeing(seen, 'x', { state: 'up', myId: 'x', says: 'slave', sequence: 9, version: 5 })), '');
});

test('released is who carries the text that released it', () => {
  const seen = leaving({});
  const mark = fingerprint(releasingText(seen.intended.cluster, LEAVING));
  const holds = { version: VERSION, fingerprint: mark };
  assert.equal(released(leaving({ says: 'master', version: VERSION, holds }), LEAVING), true);
  assert.equal(released(leaving({ says: 'slave', version: VERSION, holds }), LEAVING), false);
  assert.equal(
    released(leaving({ says: 'master', version: VERSION, holds: { ...holds, fingerprint: 'other' } }), LEAVING),
    false,
  );
});

test('a removed node that another cluster has taken in is not released: it would be emptied', () => {
  for (const version of [VERSION - 1, VERSION + 13]) {
    const taken = leaving({ says: 'master', version, holds: { version, fingerprint: 'theirs' } });
    assert.equal(released(taken, LEAVING), false);
  }
});

test('released by an earlier version of this cluster, and it answered so here', () => {
  const fenced = { version: 6, before: 'master', role: 'master', sequence: 9, connection: 1, at: NOW } as const;
  const seen = leaving({ says: 'master', version: 6, holds: { version: 6, fingerprint: 'ours' }, fenced });
  assert.equal(released(seen, LEAVING), true);
});
