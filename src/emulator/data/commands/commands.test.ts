import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { writeReply } from '../../resp-writer.ts';
import { createDatabase } from '../database.ts';
import { ask, play } from '../testing.ts';

const WRONG_TYPE = '-ERR Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value';

test('numbers as recorded from a server: one for each key-value put', () => {
  play(
    createDatabase(),
    `SET {x}a 1 => +OK => 1
     SET {x}a 2 => +OK => 1
     HSET {x}h f1 v1 f2 v2 f3 v3 => :3 => 4
     DEL {x}h => :1 => 1
     DEL nosuchkey => :0 => 0
     GET {x}a => $1 2 => 0
     EXPIRE {x}a 100 => :1 => 1
     INCR {x}n => :1 => 1
     RPUSH {x}l a b => :2 => 3
     ZADD {x}z 1 a => :1 => 3`,
  );
});

test('strings: options of SET, old values, expiry kept or dropped', () => {
  play(
    createDatabase(),
    `SET {x}a 1 EX 100 => +OK => 1
     SET {x}a 2 KEEPTTL => +OK => 1
     PTTL {x}a => :100000
     INCR {x}a => :3 => 1
     APPEND {x}a 4 => :2 => 1
     PTTL {x}a => :100000
     SET {x}a 1 NX => $-1 => 0
     SET {x}b 1 XX => $-1 => 0
     SET {x}a 1 NX GET => $2 34 => 0
     SET {x}a 5 GET EXAT 200 => $2 34 => 1
     EXPIRETIME {x}a => :200
     GETEX {x}a => $1 5 => 0
     GETEX {x}a PERSIST => $1 5 => 1
     SETEX {x}a 0 v => -ERR invalid expire time
     SETEX {x}a x v => -ERR value is not an integer or out of range
     SET {x}a 1 EX 1 PX 1 => -ERR syntax error
     SET {x}a 1 EX => -ERR no more item to parse
     SET {x}a 1 EX 1x => -ERR encounter non-integer characters
     GETRANGE {x}no 0 1 => $-1
     MSETNX {x}p 1 {x}q 2 => :1 => 2
     MSET {x}p 1 {x}q => -ERR wrong number of arguments => 0
     SETRANGE {x}r 3 ab => :5 => 1
     STRLEN {x}r => :5
     SETRANGE {x}s 3  => :0 => 0
     LPUSH {x}list a => :1
     SET {x}list v => +OK => 1`,
  );
});

test('counters: 64 bits, beyond them refused', () => {
  play(
    createDatabase(),
    `SET n 9223372036854775806 => +OK
     INCR n => :9223372036854775807 => 1
     INCR n => -ERR Invalid argument: increment or decrement would overflow => 0
     DECRBY n -9223372036854775808 => -ERR decrement would overflow
     INCRBY n 99999999999999999999 => -ERR value is not an integer or out of range
     SET f 3.0e3 => +OK
     INCRBYFLOAT f 0.1 => $18 3000.0999999999999
     GET f => $11 3000.100000
     INCRBYFLOAT f x => -ERR value is not a valid float
     INCRBYFLOAT f inf => -ERR Invalid argument: increment would produce NaN or Infinity`,
  );
});

test('bitmaps: a kind of their own, read by GET, on strings too', () => {
  play(
    createDatabase(),
    `SETBIT {x}b 1 1 => :0 => 2
     SETBIT {x}b 1 1 => :1 => 1
     TYPE {x}b => +bitmap
     GET {x}b => $1 @
     SETBIT {x}b 4294967295 1 => :0 => 2
     GETBIT {x}b 4294967295 => :1
     GETBIT {x}b 4294967294 => :0
     GETBIT {x}b 4294967296 => -ERR bit offset is not an integer or out of range
     DEL {x}b => :1 => 1
     SET {x}s abc => +OK
     SETBIT {x}s 6 0 => :0 => 1
     SETBIT {x}s 7 0 => :1 => 1
     GET {x}s => $3 \`bc
     BITCOUNT {x}s => :9
     BITCOUNT {x}s 1 -1 => :7
     BITCOUNT {x}s 0 1 BIT => :1
     SETBIT {x}s 1 2 => -ERR bit is out of range`,
  );
});

test('keys: renaming and copying take a number for each record', () => {
  play(
    createDatabase(),
    `HSET {x}h f 1 g 2 => :2 => 3
     COPY {x}h {x}i => :1 => 3
     COPY {x}h {x}i => :0 => 0
     COPY {x}h {x}i REPLACE DB 0 => :1 => 3
     COPY {x}h {x}i DB 1 => -ERR syntax error
     HSET {x}i f 9 => :0 => 1
     HGET {x}h f => $1 1
     RENAME {x}h {x}j => +OK => 4
     EXISTS {x}h => :0
     RENAMENX {x}j {x}i => :0 => 0
     RENAME {x}j {x}j => +OK => 0
     ZADD {x}z 1 a => :1
     RENAME {x}z {x}y => +OK => 4
     EXPIREAT {x}y 0 => :1 => 0
     PEXPIRE {x}y 50 => :1 => 1
     PEXPIREAT {x}y 50 => :1 => 0
     PERSIST {x}y => :1 => 1
     EXPIRE {x}y x => -ERR not started as an integer
     EXPIREAT {x}y x => -ERR value is not an integer or out of range`,
  );
});

test('DBSIZE answers what DBSIZE SCAN counted', () => {
  const database = createDatabase();
  play(
    database,
    `MSET {x}a 1 {x}b 2 => +OK
     SET {x}c 3 EX 10 => +OK
     SET {x}d 3 PXAT 5 => +OK
     DBSIZE => :0
     DBSIZE SCAN => +OK => 0
     DBSIZE => :3
     DBSIZE NOPE => -ERR DBSIZE command, DBSIZE [SCAN]`,
    1000,
  );
  assert.deepEqual(database.keyCounts, { keys: 3, expires: 1, averageTtl: 10, expired: 1 });
});

test('hashes: only what changes takes numbers', () => {
  play(
    createDatabase(),
    `HSET {x}h f 1 f 2 => :1 => 2
     HSET {x}h f 2 => :0 => 0
     HSET {x}h f 3 g 1 => :1 => 3
     HSET {x}h f => -ERR wrong number of arguments
     HSETNX {x}h f 9 n 1 => :1 => 2
     HGETALL {x}h => *6 $1 f $1 3 $1 g $1 1 $1 n $1 1
     HINCRBY {x}h f 5 => :8 => 1
     HINCRBYFLOAT {x}h f 0.5 => $3 8.5 => 1
     HGET {x}h f => $8 8.500000
     HINCRBY {x}h f 1 => -ERR Invalid argument: encounter non-integer characters
     HDEL {x}h f f no => :1 => 2
     HDEL {x}h f => :0 => 0
     HDEL {x}h g n => :2 => 3
     TYPE {x}h => +none
     HMGET {x}no a b => *2 $-1 $-1`,
  );
});

test('lists: numbers count the elements that the server moves', () => {
  play(
    createDatabase(),
    `RPUSH {x}l a b c d e => :5 => 6
     LINSERT {x}l BEFORE b x => :6 => 3
     LINSERT {x}l AFTER no x => :-1 => 0
     LINSERT {x}no AFTER a x => :0 => 0
     LREM {x}l 0 x => :1 => 3
     LSET {x}l -1 E => +OK => 1
     LSET {x}l -1 E => +OK => 0
     LSET {x}l 9 E => -ERR Invalid argument: index out of range
     LSET {x}no 0 E => -ERR no such key
     LTRIM {x}l 1 -2 => +OK => 3
     LRANGE {x}l 0 -1 => *3 $1 b $1 c $1 d
     LMOVE {x}l {x}l LEFT RIGHT => $1 b => 3
     LMOVE {x}l {x}l LEFT LEFT => $1 c => 0
     LMOVE {x}l {x}m RIGHT LEFT => $1 b => 4
     RPOPLPUSH {x}no {x}m => $-1 => 0
     LPOP {x}l 9 => *2 $1 c $1 d => 3
     LPOP {x}l 1 => *-1
     LPOP {x}l -1 => -ERR value is out of range, must be positive
     LTRIM {x}m 5 9 => +OK => 6
     EXISTS {x}m => :0`,
  );
});

test('lists: positions', () => {
  play(
    createDatabase(),
    `RPUSH l a b c a b c => :6
     LPOS l c => :2
     LPOS l c RANK 2 => :5
     LPOS l c RANK -1 => :5
     LPOS l a COUNT 0 => *2 $1 0 $1 3
     LPOS l a COUNT 0 RANK -1 MAXLEN 3 => *1 $1 3
     LPOS l z => $-1
     LPOS l z COUNT 1 => *0
     LPOS l a COUNT -1 => -ERR COUNT can't be negative`,
  );
});

test('a blocking command is tried once: nil or nothing means that it would wait', () => {
  play(
    createDatabase(),
    `BLPOP {x}a {x}b 0 => $-1 => 0
     BLMOVE {x}a {x}b LEFT RIGHT 0 => *-1 => 0
     BZPOPMIN {x}z 0 => *-1 => 0
     RPUSH {x}b 1 2 => :2
     BRPOP {x}a {x}b 0.5 => *2 $4 {x}b $1 2 => 2
     BLPOP {x}b x => -ERR timeout is not a float or out of range
     BLPOP {x}b -1 => -ERR timeout should not be negative
     ZADD {x}z 1 a => :1
     BZPOPMAX {x}z 0 => *3 $4 {x}z $1 a $1 1 => 3`,
  );
});

test('sets: combinations, stores over any kind, an empty result removes', () => {
  play(
    createDatabase(),
    `SADD {x}s a b a c => :3 => 4
     SADD {x}t b d => :2 => 3
     SINTER {x}s {x}t => *1 $1 b
     SUNION {x}s {x}t => *4 $1 a $1 b $1 c $1 d
     SDIFF {x}s {x}t {x}no => *2 $1 a $1 c
     SET {x}u text => +OK
     SUNIONSTORE {x}u {x}s {x}t => :4 => 5
     TYPE {x}u => +set
     SINTERSTORE {x}u {x}s {x}no => :0 => 1
     TYPE {x}u => +none
     SMOVE {x}s {x}t c => :1 => 4
     SMOVE {x}s {x}t z => :0 => 0
     SREM {x}s a b z => :2 => 3
     EXISTS {x}s => :0
     SMISMEMBER {x}t b z => *2 :1 :0`,
  );
});

test('sets: what is chosen depends on the given source of chance alone', () => {
  const chosen = (seed: number): string => {
    const database = createDatabase({ random: seededRandom(seed) });
    ask(database, 'SADD s a b c d e f g h');
    return ['SPOP s 3', 'SRANDMEMBER s -4', 'SRANDMEMBER s 2', 'SPOP s'].map((line) => ask(database, line)).join(' ');
  };
  assert.equal(chosen(1), chosen(1));
  assert.notEqual(chosen(1), chosen(2));
});

test('sorted sets: flags, numbers, ranges of every kind', () => {
  play(
    createDatabase(),
    `ZADD {x}z 1 a 2 b 3 c => :3 => 7
     ZADD {x}z 1 a => :0 => 0
     ZADD {x}z NX 9 a 4 d => :1 => 3
     ZADD {x}z XX CH 5 a 6 new => :1 => 3
     ZADD {x}z GT 4 a => :0 => 0
     ZADD {x}z LT CH 1 a => :1 => 3
     ZADD {x}z INCR 0.5 a => $3 1.5 => 3
     ZADD {x}z NX INCR 1 a => $-1 => 0
     ZADD {x}z NX XX 1 a => -ERR XX and NX options at the same time are not compatible
     ZADD {x}z GT LT 1 a => -ERR GT, LT, and/or NX options at the same time are not compatible
     ZADD {x}z INCR 1 a 2 b => -ERR INCR option supports a single increment-element pair
     ZADD {x}z 1 => -ERR syntax error
     ZADD {x}z nan a => -ERR score is not a valid float
     ZRANGE {x}z 0 -1 WITHSCORES => *8 $1 a $3 1.5 $1 b $1 2 $1 c $1 3 $1 d $1 4
     ZRANGE {x}z 0 1 REV => *2 $1 d $1 c
     ZRANGE {x}z (2 +inf BYSCORE => *2 $1 c $1 d
     ZRANGE {x}z +inf 2 BYSCORE REV LIMIT 1 2 => *2 $1 c $1 b
     ZRANGE {x}z [b (d BYLEX => *2 $1 b $1 c
     ZREVRANGEBYLEX {x}z + - LIMIT 0 1 => *1 $1 d
     ZREVRANGEBYSCORE {x}z (3 -inf WITHSCORES => *4 $1 b $1 2 $1 a $3 1.5
     ZRANGE {x}z 0 1 LIMIT 0 1 => -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
     ZRANGEBYSCORE {x}z x 1 => -ERR the min isn't double
     ZRANGEBYLEX {x}z a [b => -ERR the min is illegal
     ZRANK {x}z d => :3
     ZREVRANK {x}z d WITHSCORE => *2 :0 $1 4
     ZRANK {x}z no WITHSCORE => *-1
     ZMSCORE {x}z a no => *2 $3 1.5 $-1
     ZCOUNT {x}z 2 (4 => :2
     ZLEXCOUNT {x}z - + => :4
     ZPOPMAX {x}z 2 => *4 $1 d $1 4 $1 c $1 3 => 5
     ZREMRANGEBYRANK {x}z 0 0 => :1 => 3
     ZREMRANGEBYLEX {x}z - + => :1 => 3
     ZREMRANGEBYSCORE {x}z -inf +inf => :0 => 0
     ZINCRBY {x}z inf m => $3 inf => 3
     ZINCRBY {x}z -inf m => -ERR Invalid argument: resulting score is not a number (NaN)`,
  );
});

test('sorted sets in RESP3: scores in pairs from ranges, flat from pops', () => {
  const database = createDatabase();
  ask(database, 'ZADD z 1 a');
  const three = (...words: string[]): string => writeReply(database.execute(words, 0), 3);
  assert.equal(three('ZRANGE', 'z', '0', '-1', 'WITHSCORES'), '*1\r\n*2\r\n$1\r\na\r\n,1\r\n');
  assert.equal(three('ZPOPMIN', 'z'), '*2\r\n$1\r\na\r\n,1\r\n');
});

test('streams: ids, trims, ranges', () => {
  play(
    createDatabase(),
    `XADD s * f 1 => $6 1000-0 => 2
     XADD s * f 2 => $6 1000-1 => 2
     XADD s 1000-* f 3 => $6 1000-2 => 2
     XADD s 5-1 f 4 => -ERR Invalid argument: The ID specified in XADD is equal or smaller than the target stream top item
     XADD s 0-0 f 4 => -ERR Invalid argument: The ID specified in XADD must be greater than 0-0
     XADD s x f 4 => -ERR Invalid stream ID specified as stream command argument
     XADD s * f => -ERR wrong number of arguments
     XADD s MAXLEN ~ 5 * f 4 => -ERR value is not an integer or out of range
     XADD no NOMKSTREAM * f 4 => $-1 => 0
     XLEN s => :3
     XRANGE s (1000-0 + COUNT 1 => *1 *2 $6 1000-1 *2 $1 f $1 2
     XREVRANGE s + 1000-2 => *1 *2 $6 1000-2 *2 $1 f $1 3
     XADD s MAXLEN = 2 2000 f 4 => $6 2000-0 => 4
     XRANGE s - 1000 => *1 *2 $6 1000-2 *2 $1 f $1 3
     XDEL s 1000-2 1-1 => :1 => 2
     XREAD COUNT 5 STREAMS s no 0 0 => *1 *2 $1 s *1 *2 $6 2000-0 *2 $1 f $1 4
     XREAD BLOCK 0 STREAMS s $ => *-1
     XREAD STREAMS s => -ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.
     XTRIM s MINID 3000 => :1 => 2
     XTRIM s MAXLEN 0 => :0 => 0
     TYPE s => +stream
     XADD s 1999 f 5 => -ERR Invalid argument: The ID specified in XADD is equal or smaller than the target stream top item`,
    1000,
  );
});

test('a key of another kind is refused before anything changes', () => {
  const database = createDatabase();
  ask(database, 'RPUSH {x}l a');
  ask(database, 'SET {x}s a');
  const before = database.sequence;
  for (const line of [
    'GET {x}l',
    'INCR {x}l',
    'GETSET {x}l v',
    'SET {x}l v GET',
    'HSET {x}l f v',
    'LPUSH {x}s a',
    'LMOVE {x}l {x}s LEFT LEFT',
    'SADD {x}l a',
    'SMOVE {x}s {x}l a',
    'ZADD {x}l 1 a',
    'XADD {x}l * f v',
    'SETBIT {x}l 0 1',
    'HSCAN {x}l 0',
  ]) {
    assert.equal(ask(database, line), WRONG_TYPE, line);
  }
  assert.equal(database.sequence, before);
});

test('scans: pages, patterns, kinds', () => {
  const database = createDatabase();
  for (let i = 0; i < 25; i++) ask(database, `SET {x}k${String(i).padStart(2, '0')} 1`);
  ask(database, 'HSET {x}h a 1 b 2 c 3');
  const first = database.execute(['SCAN', '0', 'COUNT', '10'], 0);
  assert.ok(first.kind === 'array');
  const [cursor] = first.items;
  assert.ok(cursor?.kind === 'bulk');
  assert.match(cursor.text, /^[1-9]\d+$/);
  play(
    database,
    `SCAN ${cursor.text} COUNT 100 MATCH *k2? => *2 $1 0 *5 $6 {x}k20 $6 {x}k21 $6 {x}k22 $6 {x}k23 $6 {x}k24
     SCAN 0 TYPE hash => *2 $1 0 *1 $4 {x}h
     SCAN 0 TYPE nope => -ERR Invalid type
     SCAN 0 COUNT 0 => -ERR limit should be a positive integer
     SCAN 0 MATCH [a => -ERR Invalid glob pattern: Unterminated [ group
     HSCAN {x}h 0 MATCH [bc] => *2 $1 0 *4 $1 b $1 2 $1 c $1 3
     HSCAN {x}h 0 TYPE hash => -ERR syntax error
     KEYS {x}[^k]* => *1 $4 {x}h`,
  );
});
