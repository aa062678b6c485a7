import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply } from '../resp.ts';
import { scan } from './scan.ts';

const bulk = (text: string): Reply => ({ kind: 'bulk', text });
const array = (...items: Reply[]): Reply => ({ kind: 'array', items });

test('keys and the cursor behind them', () => {
  const question = scan('0', 20);
  assert.equal(question.bytes, '*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nCOUNT\r\n$2\r\n20\r\n');
  assert.deepEqual(question.read([array(bulk('9223372036854775808'), array(bulk('a'), bulk('\xff')))]), {
    kind: 'reply',
    value: { next: '9223372036854775808', keys: ['a', '\xff'] },
  });
});

test('what is no answer to a scan is none', () => {
  for (const reply of [bulk('0'), array(bulk('0')), array(array(), array()), array(bulk('0'), array(array()))])
    assert.equal(scan('0', 20).read([reply]).kind, 'garbled');
  const denied: Reply = { kind: 'error', text: 'NOAUTH Authentication required.' };
  assert.equal(scan('0', 20).read([denied]).kind, 'error');
});
