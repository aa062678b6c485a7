import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply } from './reply.ts';
import { writeReply } from './resp-writer.ts';

const cases: readonly (readonly [string, Reply, string, string])[] = [
  ['simple', { kind: 'simple', text: 'OK' }, '+OK\r\n', '+OK\r\n'],
  ['an error with a line end in it', { kind: 'error', text: 'ERR a\r\nb' }, '-ERR a b\r\n', '-ERR a b\r\n'],
  ['a big integer', { kind: 'integer', value: 2n ** 62n }, ':4611686018427387904\r\n', ':4611686018427387904\r\n'],
  ['bulk', { kind: 'bulk', text: 'a\r\nb' }, '$4\r\na\r\nb\r\n', '$4\r\na\r\nb\r\n'],
  ['verbatim', { kind: 'verbatim', text: 'ab' }, '$2\r\nab\r\n', '=6\r\ntxt:ab\r\n'],
  ['nil', { kind: 'nil' }, '$-1\r\n', '_\r\n'],
  ['nil array', { kind: 'nil-array' }, '*-1\r\n', '_\r\n'],
  ['double', { kind: 'double', text: '1.5' }, '$3\r\n1.5\r\n', ',1.5\r\n'],
  ['true', { kind: 'boolean', value: true }, ':1\r\n', '#t\r\n'],
  ['false', { kind: 'boolean', value: false }, ':0\r\n', '#f\r\n'],
  [
    'array in array',
    { kind: 'array', items: [{ kind: 'array', items: [] }, { kind: 'nil' }] },
    '*2\r\n*0\r\n$-1\r\n',
    '*2\r\n*0\r\n_\r\n',
  ],
  ['set', { kind: 'set', items: [{ kind: 'integer', value: 1 }] }, '*1\r\n:1\r\n', '~1\r\n:1\r\n'],
  [
    'map',
    {
      kind: 'map',
      items: [
        { kind: 'bulk', text: 'k' },
        { kind: 'integer', value: 1 },
      ],
    },
    '*2\r\n$1\r\nk\r\n:1\r\n',
    '%1\r\n$1\r\nk\r\n:1\r\n',
  ],
  [
    'pairs',
    {
      kind: 'pairs',
      items: [
        [
          { kind: 'bulk', text: 'm' },
          { kind: 'double', text: '1' },
        ],
      ],
    },
    '*2\r\n$1\r\nm\r\n$1\r\n1\r\n',
    '*1\r\n*2\r\n$1\r\nm\r\n,1\r\n',
  ],
  ['push', { kind: 'push', items: [{ kind: 'bulk', text: 'm' }] }, '*1\r\n$1\r\nm\r\n', '>1\r\n$1\r\nm\r\n'],
];

for (const [name, reply, two, three] of cases) {
  test(`${name} in RESP2 and RESP3`, () => {
    assert.equal(writeReply(reply, 2), two);
    assert.equal(writeReply(reply, 3), three);
  });
}
