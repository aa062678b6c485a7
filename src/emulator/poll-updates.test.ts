import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, HOST, World } from './testing.ts';

const A = 7000;
const B = 7001;
const id = (port: number) => String(port % 10).repeat(40);
const master = (port: number, slots = '') => `${id(port)} ${HOST} ${port} master - ${slots}`;
const slave = (port: number, of: number) => `${id(port)} ${HOST} ${port} slave ${id(of)}`;

function tell(world: World, port: number, version: number, ...lines: readonly string[]) {
  assert.equal(world.ask(port, ['CLUSTERX', 'SETNODES', lines.join('\n'), String(version)], `v${version}`), '+OK');
}

function lone(conf: Readonly<Record<string, string>> = {}): World {
  const world = new World();
  world.add(A, conf);
  tell(world, A, 1, master(A, '0-16383'));
  return world;
}

/** A master A and its replica B. */
function pair(): World {
  const world = lone();
  world.add(B);
  for (const port of [A, B]) tell(world, port, 2, master(A, '0-16383'), slave(B, A));
  return world;
}

function sequenceOf(world: World, port: number): number {
  return Number(world.info(port).get('master_repl_offset'));
}

function level(world: World): void {
  world.runUntil('the replica is level', () => sequenceOf(world, B) === sequenceOf(world, A));
}

function updates(answer: Answer): readonly Answer[] {
  assert.ok(Array.isArray(answer), JSON.stringify(answer));
  assert.deepEqual([answer[0], answer[2], answer[4]], ['next_sequence', 'latest_sequence', 'updates']);
  const list: unknown = answer[5];
  assert.ok(Array.isArray(list));
  return list;
}

/** Where each raw entry begins and how many numbers it takes: `1/3`. */
function spans(world: World, port: number, words: string): readonly string[] {
  return updates(world.say(port, `POLLUPDATES ${words}`)).map((hex) => {
    assert.ok(typeof hex === 'string' && /^[0-9A-F]{26,}$/.test(hex));
    const bytes = Buffer.from(hex, 'hex');
    return `${bytes.readBigUInt64LE(0)}/${bytes.readUInt32LE(8)}`;
  });
}

/** Namespaces and commands that lines wrote, each line a command of words parted by blanks. */
function shown(world: World, lines: string): readonly string[] {
  const from = sequenceOf(world, A);
  for (const line of lines.split('; ')) world.say(A, line);
  const list = updates(world.say(A, `POLLUPDATES ${from} MAX 1000 FORMAT RESP`));
  const found: string[] = [];
  for (let at = 0; at < list.length; at += 2) {
    const commands = list[at + 1];
    assert.ok(Array.isArray(commands));
    for (const words of commands) found.push(`${list[at] === 'default' ? '' : `[${list[at]}] `}${words.join(' ')}`);
  }
  return found;
}

test('raw entries: where each begins and how many numbers it takes', () => {
  const world = lone();
  world.say(A, 'SET {x}a 1');
  world.say(A, 'HSET {x}h a 1 b 2 c 3');
  world.say(A, 'MPUBLISH c 1 2 3');
  world.say(A, 'SCRIPT FLUSH');
  assert.deepEqual(spans(world, A, '0'), ['1/1', '2/4', '6/1', '7/1', '8/1', '9/1', '10/1']);
  assert.deepEqual(spans(world, A, '0 MAX 3'), ['1/1', '2/4', '6/1']);
  assert.deepEqual(spans(world, A, '6 MAX 2'), ['7/1', '8/1']);
});

test('a number within an entry: the whole entry, or a mismatch if it is to be strict', () => {
  const world = lone();
  world.say(A, 'HSET {x}h a 1 b 2 c 3');
  world.say(A, 'SET {x}a 1');
  assert.deepEqual(spans(world, A, '2'), ['1/4', '5/1']);
  assert.equal(world.say(A, 'POLLUPDATES 2 STRICT'), '-ERR mismatched sequence number, expected 3 but got 1');
  assert.deepEqual(spans(world, A, '4 STRICT'), ['5/1']);
});

test('at the end there is nothing, beyond it an error', () => {
  const world = lone();
  world.say(A, 'SET {x}a 1');
  assert.deepEqual(world.say(A, 'POLLUPDATES 1 STRICT'), ['next_sequence', 1, 'latest_sequence', 1, 'updates', []]);
  assert.equal(world.say(A, 'POLLUPDATES 2'), '-ERR next sequence is out of range');
  assert.equal(world.say(A, 'POLLUPDATES 2 STRICT'), '-ERR next sequence is out of range');
});

test('a log that was let go of: no iterator, then a mismatch', () => {
  const world = lone({ 'rocksdb.wal_ttl_seconds': '0', 'rocksdb.wal_size_limit_mb': '0' });
  world.say(A, 'SET {x}a 1');
  world.say(A, 'SET {x}a 2');
  assert.equal(world.say(A, 'FLUSHMEMTABLE'), '+OK');
  assert.equal(world.say(A, 'POLLUPDATES 0'), '-ERR iterator is not valid');
  assert.equal(world.say(A, 'POLLUPDATES 1 STRICT'), '-ERR iterator is not valid');
  world.say(A, 'SET {x}a 3');
  assert.deepEqual(spans(world, A, '0'), ['3/1']);
  assert.equal(world.say(A, 'POLLUPDATES 0 STRICT'), '-ERR mismatched sequence number, expected 1 but got 3');
  world.restart(A);
  assert.equal(world.say(A, 'POLLUPDATES 2'), '-ERR iterator is not valid');
});

test('by default the log outlives FLUSHMEMTABLE and a restart', () => {
  const world = lone();
  world.say(A, 'SET {x}a 1');
  const before = world.say(A, 'POLLUPDATES 0');
  world.say(A, 'FLUSHMEMTABLE');
  world.restart(A);
  assert.deepEqual(world.say(A, 'POLLUPDATES 0'), before);
});

test('wrong words', () => {
  const world = lone();
  for (const [words, text] of [
    ['x', 'not started as an integer'],
    ['-1', 'not started as an integer'],
    ['1.5', 'encounter non-integer characters'],
    ['18446744073709551616', 'out of range of integer type'],
    ['0 MAX', 'no more item to parse'],
    ['0 MAX 0', 'out of numeric range'],
    ['0 MAX 1001', 'out of numeric range'],
    ['0 MAX x', 'not started as an integer'],
    ['0 FORMAT', 'no more item to parse'],
    ['0 FORMAT xml', 'invalid FORMAT option, should be RAW or RESP'],
    ['0 LATEST', 'syntax error'],
  ]) {
    assert.equal(world.say(A, `POLLUPDATES ${words}`), `-ERR ${text}`, words);
  }
});

test('a replica has the same entries, after a restart and a full copy too', () => {
  const world = pair();
  for (const line of ['SET {x}a 1', 'HSET {x}h a 1 b 2', 'PUBLISH c m', 'SCRIPT LOAD 1', 'MPUBLISH c 1 2']) {
    world.say(A, line);
  }
  level(world);
  const entries = updates(world.say(A, 'POLLUPDATES 0'));
  assert.equal(entries.length, 6);
  assert.deepEqual(updates(world.say(B, 'POLLUPDATES 0')), entries);
  world.restart(B);
  assert.deepEqual(updates(world.say(B, 'POLLUPDATES 0')), entries);
  tell(world, B, 3, master(B));
  world.say(B, `MPUBLISH c ${'x '.repeat(20).trim()}`);
  tell(world, B, 4, master(A, '0-16383'), slave(B, A));
  level(world);
  assert.equal(world.info(A, 'stats').get('sync_full'), '1');
  assert.deepEqual(updates(world.say(B, 'POLLUPDATES 0')), entries);
});

test('two nodes apart: equal writes under equal numbers are equal entries, different ones are not', () => {
  const world = pair();
  world.say(A, 'SET {x}a 1');
  level(world);
  tell(world, B, 3, master(B, '0-16383'));
  for (const port of [A, B]) {
    world.say(port, 'SET {x}a same');
    world.say(port, `SET {x}a ${port}`);
    world.say(port, 'PUBLISH c same');
  }
  const [a, b] = [A, B].map((port) => updates(world.say(port, 'POLLUPDATES 1 STRICT')));
  assert.equal(a?.[0], b?.[0]);
  assert.notEqual(a?.[1], b?.[1]);
  assert.equal(a?.[2], b?.[2]);
});

test('EXEC is one entry, and INFO within does not know of it yet', () => {
  const world = lone();
  world.say(A, 'SET {x}a 1');
  for (const line of ['MULTI', 'SET {x}a 2', 'INFO replication', 'GET {x}a', 'PUBLISH c 1', 'RPUSH {x}l 1 2']) {
    world.say(A, line);
  }
  const replies = world.say(A, 'EXEC');
  assert.ok(Array.isArray(replies));
  assert.match(String(replies[1]), /master_repl_offset:1\r/);
  assert.deepEqual([replies[0], ...replies.slice(2)], ['+OK', '2', 0, 2]);
  assert.deepEqual(spans(world, A, '0'), ['1/1', '2/5']);
});

test('EXEC without a write, or with writes that were all refused, is no entry', () => {
  const world = lone();
  world.say(A, 'SET {x}a 1');
  for (const line of ['MULTI', 'LPUSH {x}a 1', 'FLUSHALL', 'SCRIPT FLUSH']) world.say(A, line);
  const ranges = '-ERR Not implemented: DeleteRange unsupported in WriteBatchWithIndex';
  assert.deepEqual(world.say(A, 'EXEC'), [
    '-ERR Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value',
    ranges,
    ranges,
  ]);
  assert.equal(world.say(A, 'GET {x}a'), '1');
  assert.deepEqual(spans(world, A, '0'), ['1/1']);
});

for (const [lines, commands] of [
  ['SET {x}a 1 PXAT 2000000000000', ['SET {x}a 1', 'PEXPIREAT {x}a 2000000000000']],
  ['SET {x}a 1; PEXPIREAT {x}a 2000000000000', ['SET {x}a 1', 'SET {x}a 1', 'PEXPIREAT {x}a 2000000000000']],
  ['HSET {x}h a 1 b 2 a 3; HSET {x}h a 3', ['HSET {x}h a 3', 'HSET {x}h b 2']],
  ['HSET {x}h a 1; PEXPIREAT {x}h 2000000000000; PERSIST {x}h', ['HSET {x}h a 1', 'PEXPIREAT {x}h 2000000000000']],
  ['RPUSH {x}l a b; LPOP {x}l 5', ['RPUSH {x}l a', 'RPUSH {x}l b', 'LPOP {x}l', 'LPOP {x}l', 'DEL {x}l']],
  ['RPUSH {x}l a b; LTRIM {x}l 0 -1; LTRIM {x}l 0 0', ['RPUSH {x}l a', 'RPUSH {x}l b', 'LTRIM {x}l 0 0']],
  ['RPUSH {x}l a; RENAME {x}l {x}m', ['RPUSH {x}l a', 'DEL {x}l']],
  ['SADD {x}s b a; SREM {x}s a b', ['SADD {x}s b', 'SADD {x}s a', 'SREM {x}s a', 'SREM {x}s b', 'DEL {x}s']],
  ['ZADD {x}z 1e-9 a 2.5 b', ['ZADD {x}z 2.500000 b', 'ZADD {x}z 0.000000 a']],
  ['SET {x}a 1; XADD {x}x 1-1 f v; DEL {x}x', ['[] XADD {x}x 1-1 f v', 'SET {x}a 1', 'DEL {x}x']],
  ['SETBIT {x}b 7 1; RENAME {x}b {x}c', ['SETBIT {x}b 7 1', 'DEL {x}b']],
  [
    'HSET {x}h b 1 a 2; RENAME {x}h {x}i',
    ['HSET {x}h a 2', 'HSET {x}h b 1', 'DEL {x}h', 'HSET {x}i a 2', 'HSET {x}i b 1'],
  ],
  ['SET {x}a 1; FLUSHALL; PUBLISH c m; MPUBLISH c 1 2; SCRIPT LOAD x', ['SET {x}a 1']],
] as const) {
  test(`as commands: ${lines}`, () => {
    assert.deepEqual(shown(lone(), lines), commands);
  });
}

test('as commands: of several in one EXEC that rebuild a list only the first', () => {
  const world = lone();
  world.say(A, 'RPUSH {x}l a b c');
  const lines = 'MULTI; LINSERT {x}l BEFORE b 1; LREM {x}l 1 c; RPUSH {x}l d; SET {x}a 1; EXEC';
  assert.deepEqual(shown(world, lines), ['LINSERT {x}l before b 1', 'RPUSH {x}l d', 'SET {x}a 1']);
});
