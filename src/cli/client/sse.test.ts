import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Message, sseParser } from './sse.ts';

const STREAM = [
  'retry: 1500\n\n',
  ':\n\n',
  'id: 1\ndata: {"a":1}\n\n',
  'id: 2\r\ndata: one\r\ndata: two\r\n\r\n',
  'event: other\rdata:bare\r\r',
  'id\ndata\n\n',
  'id: 9\n\n',
  'data: last\n\n',
  'data: cut off\n',
].join('');

const MESSAGES: readonly Message[] = [
  { id: '1', data: '{"a":1}' },
  { id: '2', data: 'one\ntwo' },
  { id: '2', data: 'bare' },
  { id: '', data: '' },
  { id: '9', data: 'last' },
];

test('a stream cut into any pieces gives the same messages', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: STREAM.length })), (cuts) => {
      const retries: number[] = [];
      const parser = sseParser((milliseconds) => retries.push(milliseconds));
      const ends = [...cuts, STREAM.length].sort((a, b) => a - b);
      const messages = ends.flatMap((end, i) => parser.feed(STREAM.slice(ends[i - 1] ?? 0, end)));
      assert.deepEqual(messages, MESSAGES);
      assert.deepEqual(retries, [1500]);
    }),
  );
});
