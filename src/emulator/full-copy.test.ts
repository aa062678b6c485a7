import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOST, World } from './testing.ts';

const A = 7000;
const B = 7001;
const id = (port: number) => String(port % 10).repeat(40);
const master = (port: number, slots = '') => `${id(port)} ${HOST} ${port} master - ${slots}`;
const slave = (port: number, of: number) => `${id(port)} ${HOST} ${port} slave ${id(of)}`;
const MARKER = '1fa00e76656cc152ad327c13fe365858fd7be306';

type Conf = Readonly<Record<string, string>>;

function tell(world: World, port: number, version: number, ...lines: readonly string[]): void {
  assert.equal(world.ask(port, ['CLUSTERX', 'SETNODES', lines.join('\n'), String(version)], `v${version}`), '+OK');
}

function sequenceOf(world: World, port: number): number {
  return Number(world.info(port).get('master_repl_offset'));
}

function write(world: World, port: number, count: number, prefix: string): void {
  for (let i = 0; i < count; i++) assert.equal(world.say(port, `SET ${prefix}${i} x`), '+OK');
}

/** A master A with 20 writes, and B, fenced, with 5 of another life and a marker. */
function apart(confA: Conf = {}, confB = confA): World {
  const world = new World();
  world.add(A, confA);
  world.add(B, confB);
  tell(world, A, 1, master(A, '0-16383'));
  tell(world, B, 1, master(B, '0-16383'));
  write(world, A, 20, 'a');
  write(world, B, 5, 'b');
  tell(world, B, 2, master(A, '0-16383'), master(B));
  assert.equal(world.ask(B, ['SCRIPT', 'LOAD', 'return 42']), MARKER);
  return world;
}

function raiseTo(world: World, sequence: number): void {
  const steps = sequence - sequenceOf(world, B);
  assert.equal(world.ask(B, ['MPUBLISH', 'c', ...new Array<string>(steps).fill('')]), 0);
  assert.equal(sequenceOf(world, B), sequence);
}

/** Makes B follow A; tells whether the marker is gone, and the master's counters of full, partial and refused syncs. */
function attach(world: World): { readonly copied: boolean; readonly counters: string } {
  tell(world, B, 3, master(A, '0-16383'), slave(B, A));
  world.runUntil('B is level', () => {
    const info = world.info(B);
    return info.get('master_link_status') === 'up' && sequenceOf(world, B) === sequenceOf(world, A);
  });
  const stats = world.info(A, 'stats');
  const [found] = [world.say(B, `SCRIPT EXISTS ${MARKER}`)].flat();
  world.say(B, 'READONLY');
  assert.equal(world.say(B, 'GET b0'), found === 0 ? null : 'x');
  return {
    copied: found === 0,
    counters: ['sync_full', 'sync_partial_ok', 'sync_partial_err'].map((name) => stats.get(name)).join(' '),
  };
}

const COPIED = { copied: true, counters: '1 1 1' };
const LIES = { copied: false, counters: '0 1 0' };

test('a node behind its new master is fed from the log and keeps what it had', () => {
  assert.deepEqual(attach(apart()), LIES);
});

test('raised to exactly the number of the master: the same', () => {
  const world = apart();
  raiseTo(world, 20);
  assert.deepEqual(attach(world), LIES);
  world.say(B, 'READONLY');
  assert.equal(world.say(B, 'GET a0'), null);
});

test('raised one beyond: copied whole', () => {
  const world = apart();
  raiseTo(world, 21);
  assert.deepEqual(attach(world), COPIED);
  assert.equal(sequenceOf(world, B), 20);
});

test('raised by 100,000 in commands of 10,000: copied whole', () => {
  const world = apart();
  for (let i = 1; i <= 10; i++) raiseTo(world, 6 + i * 10_000);
  assert.deepEqual(attach(world), COPIED);
});

test('raised one beyond, and overtaken before it asked: it lies', () => {
  const world = apart();
  raiseTo(world, 21);
  write(world, A, 1, 'late');
  assert.deepEqual(attach(world), LIES);
});

test('a next number within a batch: copied whole', () => {
  const world = apart();
  world.say(A, 'HSET h a 1 b 2 c 3');
  write(world, A, 3, 'more');
  raiseTo(world, 22);
  assert.deepEqual(attach(world), COPIED);
});

test('a next number between the messages of one MPUBLISH: fed with the rest of them', () => {
  const world = apart();
  world.say(A, 'MPUBLISH c 1 2 3 4');
  write(world, A, 3, 'more');
  raiseTo(world, 22);
  assert.deepEqual(attach(world), LIES);
  const rest = world.say(A, 'POLLUPDATES 22 STRICT');
  assert.ok(Array.isArray(rest) && Array.isArray(rest[5]));
  assert.equal(rest[5].length, 5);
  assert.deepEqual(world.say(B, 'POLLUPDATES 22 STRICT'), rest);
});

const NO_LOG = { 'rocksdb.wal_ttl_seconds': '0', 'rocksdb.wal_size_limit_mb': '0' };

test('a log that begins beyond the next number: copied whole', () => {
  const world = apart(NO_LOG);
  world.say(A, 'FLUSHMEMTABLE');
  write(world, A, 3, 'later');
  assert.deepEqual(attach(world), COPIED);
});

test('no log at all and the number of the master: it lies, with use-rsid-psync too', () => {
  for (const conf of [NO_LOG, { ...NO_LOG, 'use-rsid-psync': 'yes' }]) {
    const world = apart(conf);
    raiseTo(world, sequenceOf(world, A));
    world.say(A, 'FLUSHMEMTABLE');
    assert.deepEqual(attach(world), LIES);
  }
});

const RSID = { 'use-rsid-psync': 'yes' };

test('use-rsid-psync on both sides: another history is copied whole at whatever number', () => {
  assert.deepEqual(attach(apart(RSID)), COPIED);
  const level = apart(RSID);
  raiseTo(level, sequenceOf(level, A));
  assert.deepEqual(attach(level), COPIED);
});

test('use-rsid-psync on one side: it lies', () => {
  assert.deepEqual(attach(apart(RSID, {})), LIES);
  assert.deepEqual(attach(apart({}, RSID)), LIES);
});

test('use-rsid-psync on both sides: a restarted replica began a history of its own and is copied whole', () => {
  const world = apart(RSID);
  attach(world);
  const before = world.info(A, 'stats').get('sync_full');
  world.kill(B);
  write(world, A, 5, 'later');
  world.start(B);
  world.runUntil('B is level', () => sequenceOf(world, B) === sequenceOf(world, A));
  assert.deepEqual([before, world.info(A, 'stats').get('sync_full')], ['1', '2']);
});

test('use-rsid-psync on both sides: a restarted master feeds its replica on', () => {
  const world = apart(RSID);
  attach(world);
  world.restart(A);
  world.runUntil('B is level', () => sequenceOf(world, B) === sequenceOf(world, A));
  assert.equal(world.info(A, 'stats').get('sync_full'), '0');
});

test('with use-rsid-psync equal writes of two histories are different entries', () => {
  for (const [conf, equal] of [
    [RSID, false],
    [{}, true],
  ] as const) {
    const world = apart(conf);
    for (const port of [A, B]) tell(world, port, 4, master(port, '0-16383'));
    raiseTo(world, sequenceOf(world, A));
    for (const port of [A, B]) world.say(port, 'SET same x');
    const from = sequenceOf(world, A) - 1;
    const [a, b] = [A, B].map((port) => String(world.say(port, `POLLUPDATES ${from} STRICT`)));
    assert.equal(a === b, equal);
  }
});

test('some of the messages of one MPUBLISH', () => {
  const world = apart();
  raiseTo(world, 10_006);
  const answer = world.say(B, 'POLLUPDATES 5000 MAX 3 STRICT');
  assert.ok(Array.isArray(answer) && Array.isArray(answer[5]));
  assert.equal(answer[1], 5003);
  assert.equal(answer[5].length, 3);
});
