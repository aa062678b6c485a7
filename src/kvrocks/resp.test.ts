import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeCommand,
  latin1OfText,
  REPLY_LIMITS,
  type Reply,
  type ReplyLimits,
  ReplyReader,
  textOfLatin1,
} from './resp.ts';

function readAll(pieces: readonly string[], limits?: ReplyLimits): { replies: Reply[]; garbled: string | undefined } {
  const reader = new ReplyReader(limits);
  const replies: Reply[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let got = reader.next(); got !== undefined; got = reader.next()) replies.push(got);
  }
  return { replies, garbled: reader.garbled };
}

function cut(text: string, cuts: readonly number[]): string[] {
  const at = [0, ...cuts.map((c) => c % (text.length + 1)), text.length].sort((a, b) => a - b);
  return at.slice(1).map((to, i) => text.slice(at[i], to));
}

/** RESP2 for what RESP2 has; written anew here, so that reader and writer do not share a mistake. */
function write(reply: Reply): string {
  switch (reply.kind) {
    case 'simple':
      return `+${reply.text}\r\n`;
    case 'error':
      return `-${reply.text}\r\n`;
    case 'integer':
      return `:${reply.value}\r\n`;
    case 'bulk':
      return `$${reply.text.length}\r\n${reply.text}\r\n`;
    case 'nil':
      return '$-1\r\n';
    case 'array':
      return `*${reply.items.length}\r\n${reply.items.map(write).join('')}`;
  }
}

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)), maxLength: 60 });
const line = latin1.map((text) => text.replaceAll(/[\r\n]/g, '.'));
const anyReply: fc.Arbitrary<Reply> = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    line.map((text): Reply => ({ kind: 'simple', text })),
    line.map((text): Reply => ({ kind: 'error', text })),
    fc.maxSafeInteger().map((value): Reply => ({ kind: 'integer', value: value === 0 ? 0 : value % 1e14 })),
    latin1.map((text): Reply => ({ kind: 'bulk', text })),
    fc.constant<Reply>({ kind: 'nil' }),
    fc.array(tie('reply'), { maxLength: 5 }).map((items): Reply => ({ kind: 'array', items })),
  ),
})).reply;

test('replies cut anywhere are the same replies', () => {
  fc.assert(
    fc.property(fc.array(anyReply, { maxLength: 6 }), fc.array(fc.nat(4000), { maxLength: 30 }), (replies, cuts) => {
      const got = readAll(cut(replies.map(write).join(''), cuts));
      assert.equal(got.garbled, undefined);
      // Bytes of -0 and 0 are the same.
      assert.deepEqual(got.replies, replies.map(plusZero));
    }),
  );
});

function plusZero(reply: Reply): Reply {
  if (reply.kind === 'array') return { kind: 'array', items: reply.items.map(plusZero) };
  return reply.kind === 'integer' ? { kind: 'integer', value: reply.value + 0 } : reply;
}

test('replies byte by byte are the same replies', () => {
  fc.assert(
    fc.property(fc.array(anyReply, { maxLength: 3 }), (replies) => {
      const got = readAll([...replies.map(write).join('')]);
      assert.deepEqual(got.replies, replies.map(plusZero));
    }),
  );
});

test('garbage never throws, and says the same however it is cut', () => {
  const crumbs = fc.constantFrom(
    '*',
    '$',
    '%',
    '=',
    '+',
    '-',
    ':',
    '_',
    '#',
    ',',
    '\r\n',
    '\r',
    '\n',
    '1',
    '2',
    '-1',
    'a',
    '99999999999999999999',
  );
  const garbage = fc.oneof(
    latin1,
    fc.array(crumbs, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(garbage, fc.array(fc.nat(200), { maxLength: 20 }), (bytes, cuts) => {
      assert.deepEqual(readAll(cut(bytes, cuts)), readAll([bytes]));
    }),
    { numRuns: 500 },
  );
});

test('RESP3 kinds are folded into those of RESP2', () => {
  const bytes =
    '=15\r\ntxt:Some string\r\n_\r\n%2\r\n+a\r\n:1\r\n+b\r\n,1.5\r\n~1\r\n#t\r\n(123456789012345678901234567890\r\n!5\r\nERR x\r\n>1\r\n+p\r\n';
  assert.deepEqual(readAll([bytes]).replies, [
    { kind: 'bulk', text: 'Some string' },
    { kind: 'nil' },
    {
      kind: 'array',
      items: [
        { kind: 'simple', text: 'a' },
        { kind: 'integer', value: 1 },
        { kind: 'simple', text: 'b' },
        { kind: 'bulk', text: '1.5' },
      ],
    },
    { kind: 'array', items: [{ kind: 'integer', value: 1 }] },
    { kind: 'bulk', text: '123456789012345678901234567890' },
    { kind: 'error', text: 'ERR x' },
    { kind: 'array', items: [{ kind: 'simple', text: 'p' }] },
  ]);
});

test('nil arrays, empty arrays and empty bulks', () => {
  assert.deepEqual(readAll(['*-1\r\n*0\r\n$0\r\n\r\n']).replies, [
    { kind: 'nil' },
    { kind: 'array', items: [] },
    { kind: 'bulk', text: '' },
  ]);
});

const SMALL: ReplyLimits = { bytes: 1000, items: 20, depth: 3, line: 50 };

test('above a limit: refused before the bytes have come', () => {
  for (const bytes of [
    '$1001\r\n',
    '*21\r\n',
    '%11\r\n',
    `*2\r\n$600\r\n${'x'.repeat(600)}\r\n$600\r\n`,
    '*2\r\n*10\r\n+a\r\n+a\r\n*10\r\n*9\r\n',
    '*1\r\n*1\r\n*1\r\n*1\r\n',
    `+${'x'.repeat(51)}`,
    `+${'x'.repeat(51)}\r\n`,
  ]) {
    assert.notEqual(readAll([bytes], SMALL).garbled, undefined, JSON.stringify(bytes));
  }
});

test('at a limit: read', () => {
  const got = readAll(
    [`$900\r\n${'x'.repeat(900)}\r\n*20\r\n${'+a\r\n'.repeat(20)}*1\r\n*1\r\n*1\r\n:1\r\n+${'x'.repeat(49)}\r\n`],
    SMALL,
  );
  assert.equal(got.garbled, undefined);
  assert.equal(got.replies.length, 4);
});

test('many replies, each below the limit, are no large reply', () => {
  const got = readAll(new Array(50).fill(`$900\r\n${'x'.repeat(900)}\r\n`), SMALL);
  assert.equal(got.replies.length, 50);
  assert.equal(got.garbled, undefined);
});

test('endless data: given up within the limit, whatever it is', () => {
  for (const piece of ['x', '+x', '*1\r\n', '+a\r\n', '\r\n', '$', '1', '*9\r\n$1\r\na\r\n']) {
    const reader = new ReplyReader(SMALL);
    reader.push('*20\r\n');
    let pushed = 0;
    while (reader.garbled === undefined && reader.next() === undefined && pushed < 5000) {
      reader.push(piece);
      pushed += piece.length;
    }
    assert.ok(pushed < 5000, JSON.stringify(piece));
  }
});

test('after garbage nothing is read any more', () => {
  const reader = new ReplyReader();
  reader.push('HTTP/1.1 400 Bad Request\r\n');
  assert.equal(reader.next(), undefined);
  assert.notEqual(reader.garbled, undefined);
  reader.push('+OK\r\n');
  assert.equal(reader.next(), undefined);
});

test('a large reply in small pieces is not searched again for each piece', () => {
  const size = 4 * 1024 * 1024;
  const reader = new ReplyReader(REPLY_LIMITS);
  reader.push(`$${size}\r\n`);
  const piece = 'x'.repeat(512);
  for (let sent = 0; sent < size; sent += piece.length) {
    reader.push(piece);
    assert.equal(reader.next(), undefined);
  }
  reader.push('\r\n');
  const got = reader.next();
  assert.equal(got?.kind === 'bulk' && got.text.length, size);
  assert.ok(reader.idle);
});

test('commands: lengths count UTF-8 bytes', () => {
  assert.equal(encodeCommand(['GET', 'k']), '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n');
  assert.equal(encodeCommand(['AUTH', 'ü€']), '*2\r\n$4\r\nAUTH\r\n$5\r\n\u00c3\u00bc\u00e2\u0082\u00ac\r\n');
});

test('texts survive the way to bytes and back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => assert.equal(textOfLatin1(latin1OfText(text)), text)),
  );
});

test('what is sent reads back as the same words', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (args) => {
      const [got] = readAll([encodeCommand(args)]).replies;
      const words =
        got?.kind === 'array' && got.items.map((item) => (item.kind === 'bulk' ? textOfLatin1(item.text) : ''));
      assert.deepEqual(words, args);
    }),
  );
});
