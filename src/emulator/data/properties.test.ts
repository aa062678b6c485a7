import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDatabase } from './database.ts';
import type { Database, LogEntry } from './port.ts';

const KINDS = ['string', 'hash', 'list', 'set', 'zset', 'stream'];
const KEYS = KINDS.flatMap((kind) => [`{x}${kind}`, `${kind}2`]);
const key = fc.constantFrom(...KEYS);
/** Mostly keys that hold this kind, so that values grow; now and then any other. */
const keyOf = (kind: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(`{x}${kind}`, `${kind}2`) },
    { weight: 1, arbitrary: fc.constantFrom(...KEYS) },
  );
const string = keyOf('string');
const hash = keyOf('hash');
const list = keyOf('list');
const set = keyOf('set');
const zset = keyOf('zset');
const stream = keyOf('stream');

const text = fc.constantFrom('', '1', '2', 'f', 'g', 'h', '\xff\0\r\n', '-3');
const number = fc.constantFrom('-2', '-1', '0', '1', '2', '7', 'x');
const score = fc.constantFrom('-inf', '-1.5', '0', '0.1', '2', '1e300', 'inf', 'nan');
const id = fc.constantFrom('*', '5-1', '5-*', '7', '9-3');
const time = fc.constantFrom('1', '50', '5000', '-1', '0');

const words = (...parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<readonly string[]> =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)));

const command = fc.oneof(
  words('SET', string, text),
  words('SET', string, text, 'PX', time),
  words('SET', string, text, fc.constantFrom('NX', 'XX', 'GET', 'KEEPTTL')),
  words('GETEX', string, 'PX', time),
  words('GETDEL', string),
  words('MSET', string, text, string, text),
  words('MSETNX', string, text, string, text),
  words('APPEND', string, text),
  words('INCRBY', string, number),
  words('INCRBYFLOAT', string, score),
  words('SETRANGE', string, number, text),
  words('SETBIT', string, fc.constantFrom('0', '9', '20000'), fc.constantFrom('0', '1')),
  words('DEL', key, key),
  words(fc.constantFrom('PEXPIRE', 'PEXPIREAT', 'EXPIRE'), key, time),
  words('PERSIST', key),
  words(fc.constantFrom('RENAME', 'RENAMENX', 'COPY'), key, key),
  words('COPY', key, key, 'REPLACE'),
  words('HSET', hash, text, text, text, text),
  words('HSETNX', hash, text, text),
  words('HDEL', hash, text, text),
  words('HINCRBY', hash, text, number),
  words('HINCRBYFLOAT', hash, text, score),
  words(fc.constantFrom('LPUSH', 'RPUSH', 'LPUSHX'), list, text, text),
  words(fc.constantFrom('LPOP', 'RPOP'), list, number),
  words('SPOP', set, number),
  words(fc.constantFrom('ZPOPMIN', 'ZPOPMAX'), zset, number),
  words('LSET', list, number, text),
  words('LREM', list, number, text),
  words('LTRIM', list, number, number),
  words('LINSERT', list, fc.constantFrom('BEFORE', 'AFTER'), text, text),
  words('LMOVE', list, list, fc.constantFrom('LEFT', 'RIGHT'), fc.constantFrom('LEFT', 'RIGHT')),
  words('BLPOP', list, list, '0'),
  words('SADD', set, text, text, text),
  words('SREM', set, text, text),
  words('SMOVE', set, set, text),
  words(fc.constantFrom('SUNIONSTORE', 'SDIFFSTORE', 'SINTERSTORE'), set, set, set),
  words('ZADD', zset, score, text, score, text),
  words('ZADD', zset, fc.constantFrom('NX', 'XX', 'GT', 'LT', 'CH', 'INCR'), score, text),
  words('ZINCRBY', zset, score, text),
  words('ZREM', zset, text, text),
  words('ZREMRANGEBYRANK', zset, number, number),
  words('ZREMRANGEBYSCORE', zset, score, score),
  words('ZREMRANGEBYLEX', zset, '-', '[g'),
  words('XADD', stream, id, text, text),
  words('XADD', stream, 'MAXLEN', number, id, text, text),
  words('XDEL', stream, fc.constantFrom('5-1', '7-0')),
  words('XTRIM', stream, fc.constantFrom('MAXLEN', 'MINID'), number),
  words('FLUSHALL'),
);

interface Step {
  readonly words: readonly string[];
  readonly pause: number;
}
const steps = fc.array(fc.record({ words: command, pause: fc.constantFrom(0, 0, 0, 20) }), {
  maxLength: 120,
  size: 'max',
});

/** The end of the run, in milliseconds since 1970. */
function run(database: Database, script: readonly Step[]): number {
  let now = 4;
  for (const step of script) {
    now += step.pause;
    database.execute(step.words, now);
  }
  return now;
}

/** What a snapshot says of the keys that have not expired. */
function liveKeys(database: Database, now: number): readonly unknown[] {
  const { keys }: { keys: readonly (readonly [string, number, string, unknown])[] } = JSON.parse(
    JSON.stringify(database.snapshot()),
  );
  return keys.filter(([, expireAt]) => expireAt === 0 || expireAt >= now);
}

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('any commands: batches follow each other without a gap, and the sequence is the sum of their counts', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const database = createDatabase();
      const fed: LogEntry[] = [];
      database.onAppend = (entry) => fed.push(entry);
      run(database, script);
      let next = 1;
      for (const entry of fed) {
        assert.equal(entry.sequence, next);
        assert.ok(entry.count > 0);
        next += entry.count;
      }
      assert.equal(database.sequence, next - 1);
      assert.deepEqual(database.entriesFrom(1), fed);
    }),
  );
});

test('any commands: replaying the log on an empty node gives the same snapshot', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const master = createDatabase();
      run(master, script);
      const replica = createDatabase();
      for (const entry of master.entriesFrom(1) ?? []) replica.apply(entry);
      assert.deepEqual(json(replica.snapshot()), json(master.snapshot()));
    }),
  );
});

test('any commands: dumps recreate every live key elsewhere', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const source = createDatabase();
      const now = run(source, script);
      const target = createDatabase();
      for (const name of KEYS) target.restoreEffects(source.dump(name, now));
      assert.deepEqual(liveKeys(target, now), liveKeys(source, now));
      assert.equal(target.isEmpty(now), source.isEmpty(now));
    }),
  );
});

test('any commands: a snapshot comes back from JSON as it was, log included', () => {
  fc.assert(
    fc.property(steps, steps, (script, more) => {
      const first = createDatabase();
      const now = run(first, script);
      const second = createDatabase();
      second.restore(json(first.snapshot()));
      assert.deepEqual(json(second.snapshot()), json(first.snapshot()));
      assert.deepEqual(second.entriesFrom(1), first.entriesFrom(1));
      // Both go on alike, where no choice is made.
      for (const step of more.filter(({ words: [name] }) => name !== 'SPOP')) {
        assert.deepEqual(second.execute(step.words, now), first.execute(step.words, now));
      }
      assert.equal(second.sequence, first.sequence);
    }),
  );
});

test('any commands: a scan page by page finds every live key once', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 3 }), (script, page) => {
      const database = createDatabase();
      const now = run(database, script);
      const found: string[] = [];
      let cursor = '0';
      do {
        const reply = database.execute(['SCAN', cursor, 'COUNT', String(page)], now);
        assert.ok(reply.kind === 'array');
        const [next, keys] = reply.items;
        assert.ok(next?.kind === 'bulk' && keys?.kind === 'array');
        cursor = next.text;
        for (const item of keys.items) found.push(item.kind === 'bulk' ? item.text : '');
      } while (cursor !== '0');
      const all = database.execute(['KEYS', '*'], now);
      assert.ok(all.kind === 'array');
      assert.deepEqual(
        found,
        all.items.map((item) => (item.kind === 'bulk' ? item.text : '')),
      );
    }),
  );
});
