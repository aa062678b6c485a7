import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDatabase } from './database.ts';
import type { LogEntry } from './port.ts';
import { ask, play } from './testing.ts';

test('a fresh database: sequence 0, empty, a log that begins at 1', () => {
  const database = createDatabase();
  assert.equal(database.sequence, 0);
  assert.ok(database.isEmpty(0));
  assert.deepEqual(database.entriesFrom(1), []);
  assert.equal(database.entriesFrom(0), undefined);
});

test('the shape of a command: arity, flags, keys, in any case', () => {
  const database = createDatabase();
  assert.equal(database.shape('GeT')?.arity, 2);
  assert.equal(database.shape('get')?.write, false);
  assert.deepEqual(database.shape('set')?.flags, ['write']);
  assert.deepEqual(database.shape('mset')?.range, [1, -1, 2]);
  assert.deepEqual(database.shape('mset')?.keys(['mset', 'a', '1', 'b', '2']), [1, 3]);
  assert.deepEqual(database.shape('blpop')?.keys(['blpop', 'a', 'b', '0']), [1, 2]);
  assert.deepEqual(database.shape('xread')?.keys(['xread', 'count', '1', 'streams', 'a', 'b', '0', '0']), [4, 5]);
  assert.deepEqual(database.shape('keys')?.keys(['keys', '*']), []);
  assert.equal(database.shape('cluster'), undefined);
});

test('replay on another node: the same state and numbers, chosen members and expiry included', () => {
  const master = createDatabase();
  const replica = createDatabase();
  master.onAppend = (entry) => replica.apply(entry);
  for (const line of ['SADD {x}s a b c d e', 'SPOP {x}s 2', 'SET {x}a 1 EX 100', 'XADD {x}x * f v', 'DEL {x}no']) {
    ask(master, line, 1000);
  }
  assert.equal(replica.sequence, master.sequence);
  assert.deepEqual(replica.snapshot(), master.snapshot());
  assert.equal(ask(replica, 'PTTL {x}a', 1000), ':100000');
});

test('a replica that has parted from its master takes what it can and keeps the master numbers', () => {
  const replica = createDatabase();
  play(replica, 'SET {x}k text => +OK => 1');
  const entry = (sequence: number, count: number, effect: readonly string[]): LogEntry => ({
    sequence,
    count,
    effects: [effect],
    slots: [],
  });
  replica.apply(entry(101, 3, ['RPUSH', '{x}k', 'a', 'b']));
  replica.apply(entry(104, 2, ['HDEL', '{x}none', 'f']));
  replica.apply(entry(106, 2, ['LPOP', '{x}none', '1']));
  assert.equal(replica.sequence, 107);
  assert.equal(ask(replica, 'LRANGE {x}k 0 -1'), '*2 $1 a $1 b');
});

test('an expired key: gone for every command, and in the way of none', () => {
  const database = createDatabase();
  play(database, 'SET {x}a 1 PX 300 => +OK => 1\nHSET {x}h f 1 g 2 => :2 => 3\nPEXPIRE {x}h 300 => :1 => 1', 1000);
  play(database, 'GET {x}a => $1 1\nPTTL {x}a => :0', 1300);
  play(
    database,
    `GET {x}a => $-1
     EXISTS {x}a {x}h => :0
     TTL {x}a => :-2
     KEYS * => *0
     SCAN 0 => *2 $1 0 *0
     RANDOMKEY => $0 
     DEL {x}a => :0 => 0
     EXPIRE {x}a 10 => :0 => 0
     RENAME {x}a {x}b => -ERR no such key => 0`.replace('$0 ', '$0'),
    1301,
  );
  assert.ok(database.isEmpty(1301));
  assert.ok(!database.isEmpty(1300));
  // What was left of the old hash must not come back, neither here nor where the log is replayed.
  const replica = createDatabase();
  for (const entry of database.entriesFrom(1) ?? []) replica.apply(entry);
  database.onAppend = (entry) => replica.apply(entry);
  play(database, 'HSET {x}h f 5 => :1 => 2\nHLEN {x}h => :1\nTTL {x}h => :-1', 1301);
  assert.equal(ask(replica, 'HGETALL {x}h', 1000), '*2 $1 f $1 5');
  assert.equal(ask(replica, 'TTL {x}h', 1000), ':-1');
});

test('a bounded log: old batches are forgotten, and asking for them says so', () => {
  const database = createDatabase({ logLimit: 3 });
  for (let i = 0; i < 10; i++) ask(database, `MSET {x}a ${i} {x}b ${i}`);
  assert.equal(database.sequence, 20);
  assert.equal(database.entriesFrom(14), undefined);
  assert.deepEqual(
    database.entriesFrom(15)?.map(({ sequence, count }) => [sequence, count]),
    [
      [15, 2],
      [17, 2],
      [19, 2],
    ],
  );
  assert.deepEqual(
    database.entriesFrom(18)?.map(({ sequence }) => sequence),
    [17, 19],
  );
  assert.deepEqual(database.entriesFrom(21), []);
});

test('a purged log keeps the batch that holds the asked number', () => {
  const database = createDatabase();
  for (let i = 0; i < 5; i++) ask(database, `MSET {x}a ${i} {x}b ${i}`);
  database.purgeLog(6);
  assert.equal(database.entriesFrom(4), undefined);
  assert.equal(database.entriesFrom(5)?.length, 3);
  database.purgeLog(100);
  assert.equal(database.entriesFrom(10), undefined);
  assert.deepEqual(database.entriesFrom(100), []);
});

test('entries without keys take numbers and are fed like any other', () => {
  const database = createDatabase();
  const fed: LogEntry[] = [];
  database.onAppend = (entry) => fed.push(entry);
  database.appendKeyless(3, [['SCRIPT', 'LOAD', 'return 1']]);
  const entry: LogEntry = { sequence: 1, count: 3, effects: [['SCRIPT', 'LOAD', 'return 1']], slots: [] };
  assert.equal(database.sequence, 3);
  assert.deepEqual(fed, [entry]);
  const replica = createDatabase();
  replica.apply(entry);
  assert.equal(replica.sequence, 3);
  assert.ok(replica.isEmpty(0));
});

test('slots of a batch: those of its keys, none for FLUSHALL', () => {
  const database = createDatabase();
  play(database, 'SET foo 1 => +OK\nMSET foo 1 bar 2 => +OK\nFLUSHALL => +OK => 1\nFLUSHALL => +OK => 0');
  assert.deepEqual(
    database.entriesFrom(1)?.map(({ slots }) => slots),
    [[12182], [12182, 5061], []],
  );
});

test('deleting slots: only their keys, one number, none if there is nothing', () => {
  const database = createDatabase();
  play(database, 'MSET foo 1 bar 2 {foo}2 3 => +OK => 3');
  assert.deepEqual(database.keysInSlot(12182, 0), ['foo', '{foo}2']);
  database.deleteSlots(12000, 12500);
  assert.equal(database.sequence, 4);
  play(database, 'KEYS * => *1 $3 bar');
  database.deleteSlots(12000, 12500);
  assert.equal(database.sequence, 4);
  assert.deepEqual(database.entriesFrom(4)?.[0]?.slots, [12182]);
});

test('a dump recreates a key over whatever the target holds', () => {
  const source = createDatabase();
  const target = createDatabase();
  ask(source, 'RPUSH {x}k a b');
  ask(source, 'PEXPIREAT {x}k 5000');
  ask(target, 'RPUSH {x}k old');
  target.restoreEffects(source.dump('{x}k', 0));
  play(target, 'LRANGE {x}k 0 -1 => *2 $1 a $1 b\nPEXPIRETIME {x}k => :5000');
  assert.deepEqual(source.dump('{x}k', 5001), []);
  assert.deepEqual(source.dump('{x}none', 0), []);
});

test('a snapshot that is none is refused', () => {
  const database = createDatabase();
  for (const bad of [null, 1, {}, [], { format: 'emulated-data-1' }, { format: 'other', keys: [] }]) {
    assert.throws(() => database.restore(bad));
  }
});

test('cleared: as fresh', () => {
  const database = createDatabase();
  ask(database, 'SET a 1');
  ask(database, 'DBSIZE SCAN');
  database.clear();
  assert.deepEqual(database.snapshot(), createDatabase().snapshot());
  assert.equal(database.keyCounts.keys, 0);
});
