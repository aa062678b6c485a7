import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from './table.ts';
import { moment, quoted, span } from './text.ts';

test('columns stand aligned, numbers to the right, a dash where there is nothing', () => {
  const text = table<readonly [string, number | null]>(
    [
      { title: 'NAME', cell: ([name]) => name },
      { title: 'LAG', cell: ([, lag]) => lag, right: true },
      { title: 'NOTE', cell: () => '' },
    ],
    [
      ['a', 7],
      ['a longer one', 123_456],
      ['', null],
    ],
  );
  assert.equal(
    text,
    'NAME             LAG  NOTE\na                  7  -\na longer one  123456  -\n-                  -  -\n',
  );
});

test('no rows: the titles alone', () => {
  assert.equal(table([{ title: 'NAMESPACE', cell: () => 'x' }], []), 'NAMESPACE\n');
});

test('a name from elsewhere cannot end a line or turn the writing around', () => {
  const text = table([{ title: 'NAME', cell: (name: string) => name }], ['a\nb\x1b[31m\u202e']);
  assert.equal(text, 'NAME\na\\u{a}b\\u{1b}[31m\\u{202e}\n');
});

test('spans, moments and words for a shell', () => {
  assert.deepEqual([350, 4000, 119_000, 600_000, 7_200_000, 200_000_000].map(span), [
    '350 ms',
    '4 s',
    '119 s',
    '10 min',
    '2 h',
    '2 d',
  ]);
  assert.equal(moment(1_764_026_038_000), '2025-11-24 23:13:58Z');
  assert.equal(moment(Number.MAX_SAFE_INTEGER), '9007199254740991');
  assert.deepEqual(['c1', 'a b', "it's", ''].map(quoted), ['c1', "'a b'", "'it'\\''s'", "''"]);
});
