import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress, sameAddress } from './address.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.domain(),
  fc.constantFrom('localhost', 'kv-1', 'a', 'node_7.internal', '::1', 'fe80::1%eth0'),
);

test('an address that was written is read back the same, IPv6 bare inside and bracketed outside', () => {
  fc.assert(
    fc.property(host, port, (name, number) => {
      const address = { host: name, port: number };
      assert.deepEqual(parseAddress(formatAddress(address)), address);
    }),
  );
  assert.equal(formatAddress({ host: '::1', port: 6666 }), '[::1]:6666');
});

test('what is no address is refused', () => {
  const texts = [
    '',
    ':',
    ':6666',
    'host',
    'host:',
    'host:0',
    'host:65536',
    'host:06666',
    'host:+1',
    'host: 1',
    'host:1 ',
    'a b:1',
    'a/b:1',
    'a\n:1',
    '-a:1',
    'a-:1',
    'user@host:1',
    '::1:6666',
    '[::1]',
    '[localhost]:1',
    '[]:1',
    '[::1:6666',
    'ü:1',
  ];
  for (const text of texts) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

test('whatever text comes, what is read can be told to a node: no blank, no line break, a port', () => {
  const nearly = fc.tuple(fc.string({ unit: 'binary' }), fc.string()).map(([a, b]) => `${a}:${b}`);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearly), (text) => {
      const got = parseAddress(text);
      if (got === undefined) return;
      assert.match(got.host, /^[A-Za-z0-9._:%-]+$/);
      assert.ok(got.port >= 1 && got.port <= 65_535);
      const again = parseAddress(formatAddress(got));
      assert.ok(again !== undefined && sameAddress(again, got));
    }),
    { numRuns: 500 },
  );
});
