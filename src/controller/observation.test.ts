import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Told } from '../decisions/world.ts';
import { ProbeRecord } from '../kvrocks/probe-record.ts';
import type { ConnectionEnd } from '../kvrocks/question.ts';
import { NodeWatch } from './observation.ts';

const WALL = 1_795_000_000_000;

interface Facts extends Partial<ProbeRecord> {
  readonly at?: number;
}

/** An answer at `at` to a question of 2 ms before, of a master at version 7 unless said otherwise. */
function answer(watch: NodeWatch, { at = 1_000, ...facts }: Facts = {}): boolean {
  const record = Object.assign(new ProbeRecord(), {
    kind: 'ok',
    epoch: 7,
    role: 'master',
    sequence: 900,
    askedAt: at - 2,
    answeredAt: at,
    ...facts,
  });
  return watch.answered(record, WALL);
}

const slave = { role: 'slave', link: 'up', secondsSinceIo: 0 } as const;

function fail(watch: NodeWatch, why: ConnectionEnd['kind'], at: number, wasOpen = false): void {
  const end: ConnectionEnd =
    why === 'unresolved'
      ? { kind: why, host: 'h' }
      : why === 'other'
        ? { kind: why, code: 'EHOSTUNREACH' }
        : why === 'garbled'
          ? { kind: why, why: 'x' }
          : { kind: why };
  watch.failed(end, at - 100, wasOpen, at, WALL);
}

const MAX_LAG = () => 10_000;

/** Known by its id, so that its numbers count. */
function known(highest = 0): NodeWatch {
  const watch = new NodeWatch('b', highest, 0, WALL, MAX_LAG);
  watch.learn({ myId: 'b' }, 0);
  return watch;
}

const told = (sequence: number, at: number, version = 7): Told => ({
  version,
  before: 'master',
  role: 'master',
  sequence,
  connection: 1,
  at,
});

test('never asked: unknown, and nothing is claimed of it', () => {
  const watch = new NodeWatch('b', 300, 0, WALL, MAX_LAG);
  assert.deepEqual([watch.state, watch.says, watch.highest, watch.brokeAt], ['unknown', null, 300, null]);
});

test('an answer: up, and freshness is that of the question', () => {
  const watch = known();
  assert.equal(answer(watch, { at: 1_000 }), true);
  assert.deepEqual([watch.state, watch.says, watch.sequence, watch.version], ['up', 'master', 900, 7]);
  assert.deepEqual([watch.askedAt, watch.answeredAt, watch.since], [998, 1_000, 1_000]);
});

test('whom a replica follows: worth a decision when it changes, and nothing of a master', () => {
  const watch = known();
  const first = { host: '10.0.0.1', port: 7000 };
  answer(watch, { ...slave, masterHost: first.host, masterPort: first.port });
  assert.deepEqual(watch.follows, first);
  assert.equal(answer(watch, { at: 2_000, ...slave, masterHost: first.host, masterPort: first.port }), false);
  assert.equal(answer(watch, { at: 3_000, ...slave, masterHost: first.host, masterPort: 7001 }), true);
  assert.deepEqual(watch.follows, { ...first, port: 7001 });
  answer(watch, { at: 4_000 });
  assert.equal(watch.follows, null);
});

test('a quiet node changes nothing that a decision hangs on: a sequence that only rises is no change', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  assert.equal(answer(watch, { at: 2_000 }), false);
  assert.equal(answer(watch, { at: 3_000, sequence: 950 }), false);
  assert.deepEqual([watch.sequence, watch.highest, watch.since], [950, 950, 1_000]);
});

test('what a decision hangs on is told: role, version, link, a sequence below the highest, a job', () => {
  const changes: Facts[] = [
    { role: 'slave', link: 'up', secondsSinceIo: 0 },
    { epoch: 8 },
    { kind: 'not-initialized' },
    { sequence: 800 },
    { migrating: { span: { first: 1, last: 2 }, destination: 'z', state: 'start' } },
    { importing: { span: { first: 1, last: 2 }, state: 'success' } },
  ];
  for (const facts of changes) {
    const watch = known();
    answer(watch, { at: 1_000 });
    assert.equal(answer(watch, { at: 2_000, ...facts }), true, JSON.stringify(facts));
  }
});

test('a link that goes down, and comes up again', () => {
  const watch = known();
  answer(watch, { at: 1_000, ...slave });
  assert.deepEqual([watch.link, watch.linkUpAt, watch.linkDownAt], ['up', 998, null]);
  assert.equal(answer(watch, { at: 2_000, ...slave, link: 'down' }), true);
  answer(watch, { at: 2_100, ...slave, link: 'down' });
  assert.deepEqual([watch.link, watch.linkUpAt, watch.linkDownAt], ['down', 998, 2_000], 'the first word that said so');
  answer(watch, { at: 3_000, ...slave });
  assert.deepEqual([watch.link, watch.linkUpAt, watch.linkDownAt], ['up', 2_998, null]);
});

test('a full sync is neither up nor down', () => {
  const watch = known();
  answer(watch, { at: 1_000, ...slave, link: 'down', syncInProgress: true });
  assert.deepEqual([watch.link, watch.linkDownAt], ['sync', null]);
});

test('silence of the master: told when it passes four seconds, and not with every second before', () => {
  const watch = known();
  answer(watch, { at: 1_000, ...slave });
  assert.equal(answer(watch, { at: 2_000, ...slave, secondsSinceIo: 2 }), false);
  assert.equal(answer(watch, { at: 3_000, ...slave, secondsSinceIo: 4 }), true);
  assert.equal(watch.silence, 4);
  answer(watch, { at: 4_000, ...slave, secondsSinceIo: -1 });
  assert.equal(watch.silence, null, 'never heard');
});

test('answers of the living that bring no numbers: loading, a wrong password, deafness', () => {
  for (const kind of ['loading', 'denied', 'masterdown'] as const) {
    const watch = known();
    answer(watch, { at: 1_000 });
    assert.equal(answer(watch, { at: 2_000, kind }), true);
    assert.deepEqual([watch.state, watch.brokeAt, watch.sequence], [kind, null, 900]);
  }
});

test('answers that make no sense are as good as none', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  answer(watch, { at: 2_000, kind: 'error' });
  answer(watch, { at: 3_000, kind: 'error' });
  assert.deepEqual([watch.state, watch.brokeAt, watch.answeredAt, watch.timeouts], ['garbled', 1_998, 1_000, 2]);
});

test('killed: the connection ends, the next attempt is refused; the break is the end of the connection', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  fail(watch, 'eof', 2_000, true);
  assert.deepEqual([watch.state, watch.brokeAt, watch.myId], ['silent', 2_000, null]);
  fail(watch, 'refused', 2_010);
  assert.deepEqual([watch.state, watch.brokeAt, watch.failedAskedAt, watch.timeouts], ['refused', 2_000, 1_910, 0]);
  assert.equal(watch.reason, 'connection refused');
});

test('what a server was started with is forgotten with its connection: the next process may have been given another', () => {
  const watch = known();
  answer(watch);
  watch.learn({ rsid: true, process: { id: 7, startedAt: 1 } }, 1_000);
  fail(watch, 'eof', 1_100, true);
  assert.deepEqual([watch.rsid, watch.process], [null, null]);
});

test('hung: each question that is not answered counts, from the first one on', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  fail(watch, 'no-answer', 3_000, true);
  fail(watch, 'timeout', 4_000);
  assert.deepEqual([watch.state, watch.brokeAt, watch.timeouts], ['silent', 3_000, 2]);
});

test('a break is over with the first good answer', () => {
  const watch = known();
  fail(watch, 'refused', 2_000);
  assert.equal(answer(watch, { at: 3_000 }), true);
  assert.deepEqual([watch.brokeAt, watch.timeouts, watch.state, watch.since], [null, 0, 'up', 3_000]);
});

test('inside a SETNODES a node that does not answer is busy, a master for 2 s and a replica for 12 s', () => {
  for (const [facts, grace] of [
    [{}, 2_000],
    [slave, 12_000],
  ] as const) {
    const watch = known();
    answer(watch, { at: 1_000, ...facts });
    watch.busySince = 1_500;
    fail(watch, 'no-answer', 1_500 + grace - 1, true);
    assert.deepEqual([watch.state, watch.brokeAt], ['busy', null]);
    fail(watch, 'no-answer', 1_500 + grace + 100, true);
    assert.deepEqual([watch.state, watch.brokeAt !== null], ['silent', true]);
  }
});

test('a node that dies inside a SETNODES is not busy: its connection has ended', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  watch.busySince = 1_500;
  fail(watch, 'eof', 1_600, true);
  assert.notEqual(watch.state, 'busy');
  assert.equal(watch.brokeAt, 1_600);
});

test('another node answers at its address: its numbers are not this node’s', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  watch.learn({ myId: 'z' }, 2_000);
  assert.deepEqual([watch.state, watch.reason, watch.holds], ['wrong-id', 'it says that it is z', null]);
  answer(watch, { at: 3_000, sequence: 5_000, epoch: 99 });
  assert.deepEqual([watch.state, watch.highest, watch.version], ['wrong-id', 900, 7]);
  watch.learn({ myId: 'b' }, 4_000);
  assert.equal(watch.state, 'unknown');
});

test('node-address-reused-by-another-node: its answers are no answers of ours, which broke off when its connection did', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  fail(watch, 'eof', 2_000, true);
  // It answers before it has said who it is.
  answer(watch, { at: 2_050, sequence: 3 });
  assert.deepEqual([watch.state, watch.brokeAt], ['up', null]);
  watch.learn({ myId: 'z' }, 2_060);
  assert.deepEqual([watch.state, watch.brokeAt, watch.askedAt, watch.answeredAt], ['wrong-id', 2_000, 998, 1_000]);
  assert.equal(answer(watch, { at: 3_000 }), false);
  assert.deepEqual([watch.state, watch.brokeAt, watch.failedAskedAt], ['wrong-id', 2_000, 2_998]);
});

test('accepts-then-refuses-connections: a new connection that ends before any answer is as good as refused', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  fail(watch, 'eof', 2_000, true);
  assert.equal(watch.state, 'silent');
  fail(watch, 'eof', 2_010, true);
  assert.deepEqual([watch.state, watch.brokeAt, watch.timeouts], ['refused', 2_000, 0]);
  fail(watch, 'reset', 2_110, true);
  assert.equal(watch.state, 'refused');
});

test('below its own highest by its own id: remembered, however far it comes again, until it begins anew', () => {
  const watch = known(900);
  answer(watch, { at: 1_000, sequence: 300 });
  answer(watch, { at: 1_100, sequence: 2_000 });
  assert.deepEqual([watch.fell, watch.highest], [{ from: 900, at: 1_000 }, 900], 'its new writes are no history');
  watch.restart(1_500, 1_200);
  // Asked before it began anew.
  answer(watch, { at: 1_201, sequence: 1_400 });
  assert.equal(watch.fell, null);
  answer(watch, { at: 1_300, sequence: 1_600 });
  assert.deepEqual([watch.fell, watch.highest], [null, 1_600]);
});

test('a number below the highest counts once it is known whose it is', () => {
  const watch = new NodeWatch('b', 900, 0, WALL, MAX_LAG);
  answer(watch, { at: 1_000, sequence: 300 });
  assert.equal(watch.fell, null);
  watch.learn({ myId: 'b' }, 1_010);
  assert.deepEqual(watch.fell, { from: 900, at: 1_010 });
});

test('before its id was read a number may be another node’s: it raises nothing until the id is known', () => {
  const watch = new NodeWatch('b', 300, 0, WALL, MAX_LAG);
  answer(watch, { at: 1_000, sequence: 900 });
  assert.equal(watch.highest, 300);
  watch.learn({ myId: 'b' }, 1_010);
  assert.equal(watch.highest, 900);
});

test('the highest never falls with an answer', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  answer(watch, { at: 2_000, sequence: 10 });
  assert.deepEqual([watch.sequence, watch.highest], [10, 900]);
});

test('copied whole or attached anew: what it was seen at before counts no more', () => {
  const watch = known(900);
  watch.restart(0, 500);
  answer(watch, { at: 1_000, sequence: 10 });
  assert.equal(watch.highest, 10);
});

test('what it had ten seconds ago is known from ten seconds on', () => {
  const watch = known();
  for (let second = 1; second <= 9; second++) answer(watch, { at: second * 1_000, sequence: second * 100 });
  assert.equal(watch.aged, 0);
  for (let second = 10; second <= 30; second++) answer(watch, { at: second * 1_000, sequence: second * 100 });
  assert.equal(watch.aged, 2_000);
});

test('numbers that came before its id was read are remembered as little as they are ranked', () => {
  const watch = new NodeWatch('b', 0, 0, WALL, MAX_LAG);
  for (let second = 1; second <= 30; second++) answer(watch, { at: second * 1_000, sequence: second * 100 });
  assert.deepEqual([watch.highest, watch.aged], [0, 0]);
  watch.learn({ myId: 'b' }, 30_500);
  for (let second = 31; second <= 45; second++) answer(watch, { at: second * 1_000, sequence: second * 100 });
  assert.deepEqual([watch.highest, watch.aged], [4_500, 3_500]);
});

test('copied whole: what it was raised to is nothing that it had ten seconds ago', () => {
  const watch = known();
  for (let second = 1; second <= 5; second++) answer(watch, { at: second * 1_000, sequence: 1_000_000 });
  watch.restart(50, 5_500);
  answer(watch, { at: 5_501, sequence: 1_000_000 });
  for (let second = 6; second <= 40; second++) {
    answer(watch, { at: second * 1_000, sequence: second * 10 });
    assert.ok(watch.aged <= second * 10, `${watch.aged} at ${second} s`);
  }
});

test('a master has no link that is down: as a replica again it has lost it anew', () => {
  const watch = known();
  answer(watch, { at: 1_000, ...slave, link: 'down' });
  answer(watch, { at: 2_000 });
  assert.equal(watch.linkDownAt, null);
  answer(watch, { at: 40_000, ...slave, link: 'down' });
  assert.equal(watch.linkDownAt, 40_000);
});

test('asked ten times a second, it still remembers ten seconds', () => {
  const watch = known();
  for (let tenth = 10; tenth <= 300; tenth++) answer(watch, { at: tenth * 100, sequence: tenth * 10 });
  assert.ok(watch.aged >= 1_800 && watch.aged <= 2_000, `${watch.aged}`);
});

test('a fence holds until the node is seen below it', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  watch.fence(told(900, 2_000, 8));
  // Asked before the fence was answered: says nothing of it.
  answer(watch, { at: 2_001, epoch: 7 });
  assert.equal(watch.fenceHolds, true);
  answer(watch, { at: 3_000, epoch: 8 });
  assert.equal(watch.fenceHolds, true);
  // It woke from an old nodes.conf.
  answer(watch, { at: 4_000, epoch: 7 });
  assert.deepEqual([watch.fenced, watch.fenceHolds], [null, false]);
});

test('a probe that was on its way takes nothing back that a push has answered', () => {
  const watch = known();
  answer(watch, { at: 1_000 });
  watch.heard(told(950, 2_000));
  answer(watch, { at: 2_001, sequence: 940, role: 'slave', epoch: 6 });
  assert.deepEqual([watch.sequence, watch.says, watch.version, watch.highest], [950, 'master', 7, 950]);
  answer(watch, { at: 2_100, sequence: 960 });
  assert.equal(watch.sequence, 960);
});

test('a topology that was read back: its version is known with it, and none is -1', () => {
  const watch = known();
  watch.learn({ holds: { version: 9, fingerprint: 'x' } }, 1_000);
  assert.deepEqual([watch.version, watch.holds?.fingerprint, watch.holdsSince], [9, 'x', 1_000]);
  watch.learn({ holds: null }, 2_000);
  assert.deepEqual([watch.version, watch.holds], [-1, null]);
});

test('the first return is free, each further one is put off longer, a minute at most', () => {
  const watch = known();
  const waits = Array.from({ length: 12 }, () => {
    watch.left(10_000);
    return watch.returnAfter - 10_000;
  });
  assert.deepEqual(waits.slice(0, 4), [0, 1_000, 2_000, 4_000]);
  assert.equal(waits.at(-1), 60_000);
  watch.restart(0, 10_000);
  watch.left(10_000);
  assert.equal(watch.returnAfter, 10_000);
});

test('every end of a connection has words, and none of them is fatal', () => {
  for (const why of [
    'refused',
    'reset',
    'eof',
    'timeout',
    'unresolved',
    'other',
    'no-answer',
    'garbled',
    'closed',
  ] as const) {
    const watch = known();
    fail(watch, why, 1_000);
    assert.ok(['refused', 'silent', 'garbled'].includes(watch.state), why);
    assert.ok((watch.reason ?? '').length > 5, why);
  }
});
