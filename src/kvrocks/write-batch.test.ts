import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isKeyless, readBatch } from './write-batch.ts';

/** As POLLUPDATES of a 2.14 tells it. */
const raw = (hex: string): string => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex').toString('latin1');

const keysOf = (hex: string) => readBatch(raw(hex))?.keys.map(({ namespace, key }) => `${namespace} ${key}`);

test('SET and DEL name their key', () => {
  const set =
    '0100000000000000010000000301310501120B5F5F6E616D65737061636523E56B6579310F81000000000000000056414C554531';
  assert.deepEqual(keysOf(set), ['__namespace key1']);
  assert.deepEqual(keysOf('0200000000000000010000000301300401120B5F5F6E616D65737061636523E56B657931'), [
    '__namespace key1',
  ]);
});

test('a hash names its key once, though its field and itself are written', () => {
  const hset = `03000000000000000200000003013201250B5F5F6E616D657370616365113E000000056861736831330881B3CA6A05D6
    6669656C64310656414C5545310501130B5F5F6E616D657370616365113E686173683119820000000000000000330881B3CA6A05D6
    0000000000000001`;
  assert.deepEqual(keysOf(hset), ['__namespace hash1']);
});

test('a sorted set is written in three places, a stream in a place of its own', () => {
  const zadd = `1D0000000000000003000000030135011E0B5F5F6E616D6573706163651E29000000037A7A31330881B3CB7F95DF6D08BF
    F00000000000000502260B5F5F6E616D6573706163651E29000000037A7A31330881B3CB7F95DFBFF00000000000006D000501110B5F5F6E
    616D6573706163651E297A7A3119850000000000000000330881B3CB7F95DF0000000000000001`;
  assert.deepEqual(keysOf(zadd), ['__namespace zz1']);
  const xgroup = `09000000000000000200000003013805052F0B5F5F6E616D65737061636523B700000003737431330881B3CA9995D8FFFFFF
    FFFFFFFFFF01000000000000000167300000000000000000000000000000000000000000000000010000000000000001FFFF
    FFFFFFFFFFFF00000000000000000501110B5F5F6E616D65737061636523B773743179880000000000000000330881B3CA99
    95D8000000000000000100000000000000010000000000000001000000000000000100000000000000010000000000000000
    0000000000000000000000000000000100000000000000010000000000000001000000000000000100000000000000010000
    000000000001`;
  assert.deepEqual(keysOf(xgroup), ['__namespace st1']);
});

test('PUBLISH, SCRIPT LOAD and SCRIPT FLUSH touch no key', () => {
  for (const hex of [
    '1300000000000000010000000503046368616E074D455353414745',
    `14000000000000000100000005042E6C75615F665F3933303236396633313339336430626536383135383862366162303864
     63636565376436626236370972657475726E283129`,
    '1500000000000000010000000E04066C75615F665F066C75615F6660',
  ]) {
    const content = readBatch(raw(hex));
    assert.ok(content !== undefined && isKeyless(content), hex);
  }
});

test('FLUSHALL and FLUSHDB delete keys without naming them', () => {
  for (const hex of [
    '1A00000000000000010000000E01120B5F5F6E616D6573706163650EF47B737D75110B5F5F6E616D6573706163652554746432',
    '2300000000000000010000000E010C0B5F5F6E616D6573706163650C0B5F5F6E616D657370616366',
  ]) {
    const content = readBatch(raw(hex));
    assert.ok(content?.unnamed === true && !isKeyless(content), hex);
  }
});

test('one EXEC of two commands is one entry with two notes', () => {
  const exec = `2400000000000000020000000301310501120B5F5F6E616D6573706163653D0B7B6D7D610A81000000000000000031
    0301300401120B5F5F6E616D65737061636523E56B657931`;
  assert.equal(readBatch(raw(exec))?.notes, 2);
  assert.deepEqual(keysOf(exec), ['__namespace {m}a', '__namespace key1']);
});

test('whatever the bytes, it ends and does not throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const content = readBatch(Buffer.from(bytes).toString('latin1'));
      assert.ok(content === undefined || content.keys.every(({ key }) => typeof key === 'string'));
    }),
  );
});

test('a batch that is cut off is no batch', () => {
  const set = raw(
    '0100000000000000010000000301310501120B5F5F6E616D65737061636523E56B6579310F81000000000000000056414C554531',
  );
  for (let length = 16; length < set.length; length++) assert.equal(readBatch(set.slice(0, length)), undefined);
});
