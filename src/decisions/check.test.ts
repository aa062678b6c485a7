import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lookOf } from '../operations/intended.ts';
import { linesOf, type TopologyLine } from '../topology/fingerprint.ts';
import { slotSet } from '../topology/slots.ts';
import { type CheckFinding, checkFindings } from './check.ts';
import type { DeepLook, KeysLook, NodeLook } from './deep-look.ts';
import { decideFailovers } from './failover.ts';
import { findings } from './problems.ts';
import { costOf, stepsOf } from './remedies.ts';
import { seeing, VERSION, world } from './testing.ts';
import { moveOf } from './testing-moves.ts';
import type { World } from './world.ts';

type Read = Extract<NodeLook, { kind: 'read' }>;

const keys = (held: Readonly<Record<number, number>> = {}, more: Partial<KeysLook> = {}): KeysLook => ({
  held: new Map(Object.entries(held).map(([slot, count]) => [Number(slot), count])),
  looked: 9,
  from: null,
  why: null,
  ...more,
});

/** Everything as committed, but for what is said of some nodes. */
function looking(
  seen: World,
  apart: Readonly<Record<string, Partial<Read> | string>> = {},
  elsewhere: Readonly<Record<string, readonly number[]>> = {},
): DeepLook {
  const { cluster } = seen.intended;
  const lines = linesOf(lookOf(seen.intended).text);
  const topology = { version: cluster.version, lines };
  const nodes = new Map<string, NodeLook>();
  for (const shard of cluster.shards) {
    for (const { id } of shard.nodes) {
      const own = apart[id];
      const usual = { kind: 'read', topology, strangers: [], feeds: 0, unserved: [] } as const;
      if (typeof own === 'string') nodes.set(id, { kind: 'unread', why: own });
      else nodes.set(id, { ...usual, keys: shard.master === id ? keys() : null, ...own });
    }
  }
  const sure = Object.entries(elsewhere).map(([id, slots]): [string, Set<number>] => [id, new Set(slots)]);
  return { intended: seen.intended, nodes, elsewhere: new Map(sure) };
}

const found = (seen: World, deep: DeepLook = looking(seen)): readonly CheckFinding[] =>
  checkFindings(seen, findings(seen, decideFailovers(seen).reports), deep);

function only(list: readonly CheckFinding[]): CheckFinding {
  assert.equal(list.length, 1, list.map(({ key }) => key).join(', '));
  return list[0] ?? assert.fail();
}

/** The world in which the slots of its first shard end here. */
function upTo(seen: World, last: number): World {
  const [first, ...rest] = seen.intended.cluster.shards;
  assert.ok(first);
  const shards = [{ ...first, slots: [{ from: 0, to: last }] }, ...rest];
  return { ...seen, intended: { ...seen.intended, cluster: { ...seen.intended.cluster, shards } } };
}

const TWO = 'a master 9 | b replica 9 / c master 9 | d replica 9';
const lines = (seen: World): readonly TopologyLine[] => linesOf(lookOf(seen.intended).text);

test('a cluster that is as it should be: nothing is found', () => {
  assert.deepEqual(found(world(TWO)), []);
});

test('a problem of the status is found once, with a name, evidence and what mends it', () => {
  const seen = world(`a master 9 | b replica 9 foreign:${VERSION + 1}`);
  const strange: TopologyLine = { id: 'x', host: '10.9.9.9', port: 1, master: null, slots: [] };
  const one = only(
    found(seen, looking(seen, { b: { topology: { version: VERSION + 1, lines: [...lines(seen), strange] } } })),
  );
  assert.deepEqual([one.key, one.severity], ['TOPOLOGY_NEWER@10.0.0.98:6000', 'error']);
  assert.deepEqual(one.evidence, ['it names x at 10.9.9.9:1, a master, which the committed topology does not']);
  assert.deepEqual(one.remedy, { kind: 'overwrite' });
});

test('topologies that differ: none, older, of the same number; told again if nothing keeps the controller from it', () => {
  for (const [topology, code, words] of [
    [null, 'TOPOLOGY_NONE', /^b carries no topology$/],
    [{ version: VERSION - 1, lines: [] }, 'TOPOLOGY_OLDER', /^b carries version 6, below the committed 7$/],
    [{ version: VERSION, lines: [] }, 'TOPOLOGY_DIFFERS', /^b carries version 7 with another content$/],
  ] as const) {
    const seen = seeing(world(TWO), 'b', { holds: { version: VERSION, fingerprint: 'other' }, since: 99_999 });
    const deep = looking(seen, { b: { topology } });
    const one = only(found(seen, deep));
    assert.deepEqual([one.code, one.remedy, one.severity], [code, { kind: 'sync' }, 'error']);
    assert.match(one.message, words);
    // It has been told since: a note of what was there.
    const mended = only(found(world(TWO), deep));
    assert.deepEqual([mended.code, mended.severity, mended.remedy], [code, 'note', null]);
    assert.match(mended.message, /carried .*told the committed one meanwhile/);
  }
});

test('a master without its data carries no topology: what becomes of it comes first', () => {
  const seen = world('a master 5 highest:900 says-master / c master 9', {
    views: { a: { version: -1, holds: null } },
  });
  const list = found(seen, looking(seen, { a: { topology: null } }));
  const none = list.find(({ code }) => code === 'TOPOLOGY_NONE');
  assert.deepEqual(
    [none?.waitingFor, none?.remedy, none?.command],
    ['an end of DATA_LOST, which comes first', null, null],
  );
});

test('in a paused cluster a topology that differs waits for the end of the pause', () => {
  const seen = seeing(world(TWO, { pause: { until: null, by: 'ops' } }), 'b', { version: 3, holds: null });
  const one = only(found(seen, looking(seen, { b: { topology: { version: 3, lines: lines(seen) } } })));
  assert.deepEqual([one.waitingFor, one.command], ['the end of the pause', 'kvctl resume -n ns -c c1']);
});

test('a node that answers its probes and nothing else is no node that is in order', () => {
  const seen = world(TWO);
  const one = only(found(seen, looking(seen, { d: 'it did not answer in time' })));
  assert.deepEqual([one.key, one.severity], ['NOT_LOOKED_AT@10.0.0.100:6001', 'warning']);
});

test('slots that nobody owns go to whoever holds keys in them, else to the neighbour', () => {
  const seen = upTo(world(TWO), 8_000);
  const one = only(found(seen, looking(seen, { c: { keys: keys({ 8100: 3 }) } })));
  assert.equal(one.key, 'SLOTS_UNCOVERED');
  assert.match(one.message, /^191 slots belong to no shard/);
  assert.deepEqual(one.evidence, ['c holds 3 keys in 1 of them']);
  assert.deepEqual(one.remedy, {
    kind: 'give-slots',
    gifts: [
      {
        shard: 's0',
        slots: slotSet([
          { from: 8_001, to: 8_099 },
          { from: 8_101, to: 8_191 },
        ]),
      },
      { shard: 's1', slots: [{ from: 8_100, to: 8_100 }] },
    ],
  });
});

test('slots that nobody owns are left alone where two hold keys in them, or nobody knows who does', () => {
  const seen = upTo(world(TWO), 8_190);
  const both = only(found(seen, looking(seen, { a: { keys: keys({ 8191: 1 }) }, c: { keys: keys({ 8191: 1 }) } })));
  assert.deepEqual([both.remedy, both.waitingFor], [null, 'an operator, where a and c hold keys in them']);
  for (const blind of [{ keys: null }, { keys: keys({}, { from: 8_191, why: 'no time' }) }, 'it did not answer']) {
    const list = found(seen, looking(seen, { c: blind }));
    const one = list.find(({ code }) => code === 'SLOTS_UNCOVERED');
    assert.deepEqual(
      [one?.remedy, one?.waitingFor],
      [null, 'an operator, where nobody knows yet whether c holds keys in them'],
    );
  }
});

test('keys left behind: they are deleted by a move there and back, if their owner serves others of its own', () => {
  const seen = world(TWO);
  const held = { a: { keys: keys({ 9000: 2, 9001: 1, 5: 7 }) }, c: { keys: keys({ 9000: 4, 9001: 1 }) } };
  const one = only(found(seen, looking(seen, held, { a: [9_000, 9_001] })));
  assert.deepEqual([one.key, one.severity, one.remedy], ['KEYS_LEFT@10.0.0.97:6000', 'warning', null]);
  assert.match(one.message, /^a holds 3 keys in slots of shard 1 \(c\), which serves them with keys of its own/);
  assert.equal(
    one.command,
    'kvctl migrate slot 9000-9001 -n ns -c c1 --target 0 && kvctl migrate slot 9000-9001 -n ns -c c1 --target 1',
  );
  assert.deepEqual(one.evidence, ['2 in slot 9000', '1 in slot 9001']);
});

test('keys of which the owner of the slot has none may be the only ones: their slots are to come back to them', () => {
  const seen = world(TWO);
  const one = only(found(seen, looking(seen, { a: { keys: keys({ 9000: 2 }) } }, { a: [9_000] })));
  assert.deepEqual([one.code, one.severity], ['KEYS_STRANDED', 'error']);
  assert.equal(one.command, 'kvctl migrate slot 9000 -n ns -c c1 --target 0 --slot-only');
});

test('keys that clients may be sent to are never said to be left behind', () => {
  const seen = world(TWO);
  const held = { a: { keys: keys({ 9000: 2 }) }, c: { keys: keys({ 9000: 2 }) } };
  assert.equal(only(found(seen, looking(seen, held))).code, 'KEYS_ELSEWHERE');
  // The owner was not looked through that far.
  const partly = { ...held, c: { keys: keys({ 8192: 1 }, { from: 8_500, why: 'no time' }) } };
  const codes = found(seen, looking(seen, partly, { a: [9_000] })).map(({ code }) => code);
  assert.deepEqual(codes, ['KEYS_ELSEWHERE', 'KEYS_UNSEEN']);
});

test('slots that are on their way are neither left behind nor unserved', () => {
  const range = { from: 9_000, to: 9_000 };
  const move = moveOf('migrating', {
    range,
    since: world(TWO).wall,
    piece: range,
    source: 's1',
    target: 's0',
    sourceNode: 'c',
    targetNode: 'a',
  });
  const seen = world(TWO, { operations: [move] });
  const moved = { host: '10.0.0.97', port: 6000 };
  const deep = looking(seen, {
    a: { keys: keys({ 9000: 2 }) },
    c: { unserved: [{ slot: 9_000, moved, why: 'it sends clients to a' }], topology: null },
  });
  // What the status says of the move itself stands beside it.
  assert.deepEqual(
    found(seen, deep).filter(({ code }) => !code.startsWith('MOVE_')),
    [],
  );
});

test('a slot that was moved by hand: the whole range of the job, and whose it is to be', () => {
  const range = { from: 10, to: 20 };
  const seen = seeing(world(TWO), 'a', { migrating: { range, state: 'success' } });
  const moved = { host: '10.0.0.99', port: 6001 };
  const one = only(
    found(seen, looking(seen, { a: { unserved: [{ slot: 10, moved, why: 'it sends clients to c' }] } })),
  );
  assert.deepEqual([one.code, one.slots], ['SLOTS_NOT_SERVED', [range]]);
  assert.equal(one.command, 'kvctl migrate slot 10-20 -n ns -c c1 --target 1 --slot-only');
});

test('what was not looked through is said, and how to see it', () => {
  const seen = world(TWO);
  const one = only(found(seen, looking(seen, { c: { keys: keys({}, { from: 12_000, why: 'there was no time' }) } })));
  assert.deepEqual([one.code, one.severity], ['KEYS_UNSEEN', 'note']);
  assert.match(one.message, /slots 0-11999, 9 keys; there was no time/);
});

test('replicas that are copied, older than their master, or nobody’s', () => {
  const seen = seeing(world('a master 9 | b replica 9 sync'), 'b', { serverVersion: '2.9.1' });
  const mixed = seeing(seen, 'a', { serverVersion: '2.14.0' });
  const strangers = [{ host: '10.9.9.9', port: 1 }];
  const deep = looking(mixed, { a: { strangers, feeds: 2 } });
  const list = found(mixed, deep);
  assert.deepEqual(
    list.map(({ code, severity }) => `${code} ${severity}`),
    ['REPLICA_COPYING warning', 'UNKNOWN_REPLICA warning', 'REPLICA_OLDER warning', 'VERSIONS_DIFFER note'],
  );
  // As many as it has: a known one behind another address.
  const behind = looking(mixed, { a: { strangers, feeds: 1 } });
  assert.ok(!found(mixed, behind).some(({ code }) => code === 'UNKNOWN_REPLICA'));
});

test('two findings of one code about one node have names of their own', () => {
  const dangers = [
    { what: 'x is y', command: null },
    { what: 'z is y', command: null },
  ];
  const seen = seeing(world(TWO), 'b', { dangers });
  assert.deepEqual(
    found(seen).map(({ key }) => key),
    ['DANGEROUS_SETTING@10.0.0.98:6000', 'DANGEROUS_SETTING@10.0.0.98:6000.2'],
  );
});

test('what costs something is said to: data that is given up, writes that may be lost', () => {
  const lost = world('a master 5 highest:900 says-master');
  const one = found(lost).find(({ code }) => code === 'DATA_LOST');
  assert.deepEqual(one?.remedy, { kind: 'readmit-empty', node: 'a' });
  assert.ok(one?.remedy);
  assert.match(costOf(one.remedy) ?? '', /given up/);
  assert.deepEqual(stepsOf(lost, one.remedy), ['a goes on as the master of its shard with what it has now']);
  assert.match(costOf({ kind: 'failover', shard: 's0', force: true }) ?? '', /may be lost/);
  assert.equal(costOf({ kind: 'failover', shard: 's0', force: false }), null);
  assert.match(costOf({ kind: 'readmit', node: 'a', force: true }) ?? '', /is gone/);
  assert.equal(costOf({ kind: 'overwrite' }), null);
});
