import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogEntry, LoggedCommand } from '../kvrocks/commands/poll-updates.ts';
import { keysOfCommand, type ToldEntry, tell } from './salvage-entries.ts';
import { batchOf, logSource } from './testing-logs.ts';

const set = (key: string, namespace = 'default'): LoggedCommand => ({ namespace, args: ['SET', key, 'v'] });

async function told(
  entries: readonly LogEntry[],
  commandsOf: (entry: LogEntry) => readonly LoggedCommand[],
  left = 100,
): Promise<{ all: readonly ToldEntry[]; singles: readonly number[] }> {
  const last = entries.at(-1);
  const source = logSource({ entries, end: last === undefined ? 0 : last.sequence + last.count - 1, told: commandsOf });
  return { all: await tell(source, entries, { left }), singles: source.singles };
}
const keysTold = (all: readonly ToldEntry[]) =>
  all.map(({ commands }) => commands?.map((command) => keysOfCommand(command).join(' ')) ?? null);

test('commands are dealt out to the entries by their keys, in one question', async () => {
  const entries = [batchOf(1, ['a']), batchOf(2, ['b', 'c']), batchOf(4, ['d'])];
  const { all, singles } = await told(entries, ({ sequence }) =>
    sequence === 1 ? [set('a')] : sequence === 2 ? [set('b'), set('c')] : [set('d')],
  );
  assert.deepEqual(keysTold(all), [['a'], ['b', 'c'], ['d']]);
  assert.deepEqual(singles, []);
});

test('an entry that is not told as a command has none, and its neighbours keep theirs', async () => {
  const { all } = await told([batchOf(1, ['a']), batchOf(2, ['b']), batchOf(3, ['c'])], ({ sequence }) =>
    sequence === 2 ? [] : [set(sequence === 1 ? 'a' : 'c')],
  );
  assert.deepEqual(keysTold(all), [['a'], [], ['c']]);
});

test('one key again and again, a command each: they are told apart by their number', async () => {
  const { all, singles } = await told(
    [1, 2, 3].map((at) => batchOf(at, ['n'])),
    () => [set('n')],
  );
  assert.deepEqual(keysTold(all), [['n'], ['n'], ['n']]);
  assert.deepEqual(singles, []);
});

test('one key again and again, and one of them is not told: asked one by one which it is', async () => {
  const { all, singles } = await told(
    [1, 2, 3].map((at) => batchOf(at, ['n'])),
    ({ sequence }) => (sequence === 2 ? [] : [set('n')]),
  );
  assert.deepEqual(keysTold(all), [['n'], [], ['n']]);
  assert.deepEqual(singles, [1, 2, 3]);
});

test('too many to be asked one by one: their commands stand with the last of them', async () => {
  const { all } = await told(
    [1, 2, 3].map((at) => batchOf(at, ['n'])),
    ({ sequence }) => (sequence === 2 ? [] : [set('n')]),
    0,
  );
  assert.deepEqual(keysTold(all), [null, null, ['n', 'n']]);
});

test('entries that say nothing of themselves, too many to be asked one by one: none of their commands is lost', async () => {
  const entries = [1, 2, 3].map((sequence): LogEntry => ({ sequence, count: 1, bytes: '?' }));
  const { all, singles } = await told(entries, ({ sequence }) => [set(`k${sequence}`)], 2);
  assert.deepEqual(keysTold(all), [null, null, ['k1', 'k2', 'k3']]);
  assert.deepEqual(singles, []);
});

test('a stream among them: the server tells those first, so each is asked for by itself', async () => {
  const { all } = await told([batchOf(1, ['a']), batchOf(2, ['st'])], ({ sequence }) =>
    sequence === 1 ? [set('a')] : [{ namespace: '', args: ['XADD', 'st', '1-1', 'f', 'v'] }],
  );
  assert.deepEqual(keysTold(all), [['a'], ['st']]);
});

test('bytes that say nothing: each is asked for by itself', async () => {
  const strange = { sequence: 2, count: 1, bytes: 'no batch' };
  const { all, singles } = await told([batchOf(1, ['a']), strange], ({ sequence }) => [
    set(sequence === 1 ? 'a' : 'b'),
  ]);
  assert.deepEqual(keysTold(all), [['a'], ['b']]);
  assert.deepEqual(singles, [1, 2]);
});

test('LMOVE is about two keys, SET about one', () => {
  const args = ['LMOVE', 'x', 'y', 'left', 'right'];
  assert.deepEqual(keysOfCommand({ namespace: 'default', args }), ['x', 'y']);
  assert.deepEqual(keysOfCommand(set('x')), ['x']);
});
