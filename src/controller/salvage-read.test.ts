import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LoggedCommand } from '../kvrocks/commands/poll-updates.ts';
import { readBatch } from '../kvrocks/write-batch.ts';
import { entryLines, headLine, type SalvageHead, tailLine } from './salvage-format.ts';
import { readKeys, type SavedKeys } from './salvage-read.ts';
import { Unreadable } from './stored-values.ts';
import { batchOf } from './testing-logs.ts';

const HEAD: SalvageHead = {
  format: 1,
  namespace: 'ns',
  cluster: 'c1',
  shard: 's0',
  node: 'node',
  master: 'master',
  parted_at: 3,
  lineage: [],
  saved_at: 0,
  encoding: 'latin1',
};
const TAIL = tailLine({ end: true, first: 3, last: 9, records: 7, commands: 7, all: true });

const command = (...args: readonly string[]): LoggedCommand => ({ namespace: 'default', args });

/** Entries, each with its keys and the commands that it is told as; `null`: told with the next. */
async function read(
  ...entries: readonly (readonly [keys: readonly string[], commands: readonly LoggedCommand[] | null, notes?: number])[]
): Promise<SavedKeys> {
  const lines = entries.map(([keys, commands, notes], i) => {
    const entry = batchOf(i + 3, keys, notes);
    return entryLines({ entry, content: readBatch(entry.bytes), commands });
  });
  return readKeys(feed([headLine(HEAD), ...lines, TAIL].join('')));
}

async function* feed(text: string): AsyncIterable<string> {
  for (const line of text.trimEnd().split('\n')) yield line;
}

const words = ({ keys }: SavedKeys) =>
  keys.map(({ key, commands, untold }) => `${key}: ${untold ?? commands.map(({ args }) => args.join(' ')).join(', ')}`);

test('the commands of a key, in their order, whatever came between them', async () => {
  const got = await read(
    [['a'], [command('SET', 'a', '1')]],
    [['b'], [command('SET', 'b', '1')]],
    [['a'], [command('SET', 'a', '2'), command('PEXPIREAT', 'a', '9')]],
  );
  assert.deepEqual(words(got), ['a: SET a 1, SET a 2, PEXPIREAT a 9', 'b: SET b 1']);
  assert.deepEqual([got.head.node, got.tail.records], ['node', 7]);
});

test('what was written of a key is not told: it is left alone, and the others are not', async () => {
  const got = await read([['a'], [command('SET', 'a', '1')]], [['a'], []], [['b'], [command('SET', 'b', '1')]]);
  assert.deepEqual(words(got), ['a: what was written at sequence 4 is not told as a command', 'b: SET b 1']);
});

test('RENAME of a list is told of its old name only: the new one is left alone', async () => {
  const got = await read([['l', 'm'], [command('DEL', 'l')]]);
  assert.deepEqual(words(got), ['l: DEL l', 'm: what was written at sequence 3 is not told as a command']);
});

test('many records of one key that cannot be told apart: it is left alone', async () => {
  const got = await read([['a'], null], [['a'], [command('SET', 'a', '1')]], [['b'], [command('SET', 'b', '1')]]);
  assert.deepEqual(words(got), ['a: its many records cannot be told apart', 'b: SET b 1']);
});

test('what is told wrongly, or about two keys, is left alone', async () => {
  const got = await read(
    [['s'], [command('XSETID', 's', '0-0')]],
    [['x', 'y'], [command('LMOVE', 'x', 'y', 'left', 'right')]],
    [['t'], [command('LTRIM', 't', '0', '1')], 2],
    [['u'], [command('LTRIM', 'u', '0', '1')], 1],
  );
  assert.deepEqual(words(got), [
    's: XSETID is not told rightly',
    'x: a command is about another key, too',
    'y: a command is about another key, too',
    't: only some of what one EXEC did to it is told',
    'u: LTRIM u 0 1',
  ]);
});

test('FLUSHALL, or bytes that say nothing: nobody knows which keys that was about, so all are left alone', async () => {
  const flush = { sequence: 4, count: 1, bytes: `${'\0'.repeat(12)}\x0e\x01\x01a\x01b` };
  const lines = [
    headLine(HEAD),
    entryLines({ entry: batchOf(3, ['a']), content: undefined, commands: [command('SET', 'a', '1')] }),
    entryLines({ entry: flush, content: undefined, commands: [] }),
    TAIL,
  ];
  assert.match(words(await readKeys(feed(lines.join(''))))[0] ?? '', /deleted without being named/);
  const strange = entryLines({ entry: { ...flush, bytes: 'what?' }, content: undefined, commands: [] });
  const unread = await readKeys(feed([lines[0], lines[1], strange, TAIL].join('')));
  assert.match(words(unread)[0] ?? '', /the entry at sequence 4 cannot be read/);
});

test('a file that is cut off, or is none of ours, is named as such', async () => {
  await assert.rejects(readKeys(feed(headLine(HEAD))), Unreadable);
  await assert.rejects(readKeys(feed(`["SET","a","1"]\n${TAIL}`)), Unreadable);
  await assert.rejects(readKeys(feed(`${headLine(HEAD)}["SET","a","1"]\n${TAIL}`)), /a command belongs to no entry/);
  await assert.rejects(readKeys(feed(`${headLine(HEAD).replace('"format":1', '"format":2')}${TAIL}`)), Unreadable);
});
