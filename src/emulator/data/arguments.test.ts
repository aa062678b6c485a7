import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { floatText, glob, parseFloat64, parseInt64, storedFloatText } from './arguments.ts';

test('doubles as C prints 17 digits of them', () => {
  for (const [value, text] of [
    [0, '0'],
    [5.5, '5.5'],
    [0.1, '0.10000000000000001'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [-1.5e300, '-1.5000000000000001e+300'],
    [0.0001, '0.0001'],
    [0.00001, '1.0000000000000001e-05'],
    [1234567.25, '1234567.25'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ] as const) {
    assert.equal(floatText(value), text);
  }
});

test('any double comes back from its text', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      assert.equal(parseFloat64(floatText(value)), value);
    }),
  );
});

test('stored doubles have six places', () => {
  assert.equal(storedFloatText(8.5), '8.500000');
  assert.equal(storedFloatText(-1e21), '-1000000000000000000000.000000');
});

test('words that are numbers, and words that are none', () => {
  assert.equal(parseInt64('9223372036854775807'), 9223372036854775807n);
  assert.equal(parseInt64(' +7'), 7n);
  for (const word of ['', '-', '1.5', '0x1', '9223372036854775808', '1 ', 'x']) {
    assert.equal(parseInt64(word), undefined, word);
  }
  assert.equal(parseFloat64('-Infinity'), Number.NEGATIVE_INFINITY);
  assert.equal(parseFloat64('.5e1'), 5);
  for (const word of ['', '.', '1e', '1e999', '1,5', 'infi']) assert.equal(parseFloat64(word), undefined, word);
});

test('patterns of keys', () => {
  const matches = (pattern: string, key: string): boolean => glob(pattern).test(key);
  assert.ok(matches('a*c', 'abbc'));
  assert.ok(matches('*', ''));
  assert.ok(matches('a?c', 'a\nc'));
  assert.ok(matches('{t}a.b*', '{t}a.b1'));
  assert.ok(!matches('a.c', 'abc'));
  assert.ok(matches('[a-c]', 'b'));
  assert.ok(matches('[c-a]', 'b'));
  assert.ok(!matches('[^a]', 'a'));
  assert.ok(matches('\\*', '*'));
  assert.ok(!matches('\\*', 'a'));
});

test('patterns that are none are refused with the reason', () => {
  assert.throws(() => glob('a]'), /Unmatched unescaped \]/);
  assert.throws(() => glob('a\\'), /Trailing unescaped backslash/);
  assert.throws(() => glob('[a'), /Unterminated \[ group/);
  assert.throws(() => glob('[a-'), /Unterminated character range/);
});
