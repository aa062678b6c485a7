import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyName } from '../kvrocks/write-batch.ts';
import { WrittenSince } from './salvage-replay.ts';
import { batchOf, type Log, logOf, logSource } from './testing-logs.ts';

const name = (key: string) => keyName({ namespace: 'default', key });
const clock = { now: () => 0 };

/** Whether each of `a`, `b` and `c` was written behind `after`, or why nobody knows. */
async function since(log: Log, after: number, piece = 1_000): Promise<string> {
  const seen = new WrittenSince(logSource(log, piece), new Set(['a', 'b', 'c'].map(name)), after, clock);
  await seen.readOn();
  return seen.unknown ?? ['a', 'b', 'c'].filter((key) => seen.written.has(name(key))).join(' ');
}

/** An entry for each list of keys, from 1 on. */
function writes(...keys: readonly (readonly string[])[]): Log {
  let next = 1;
  const entries = keys.map((each) => {
    const entry = batchOf(next, each);
    next += entry.count;
    return entry;
  });
  return { entries, end: next - 1 };
}

test('what the shard has written since is found, in whatever pieces its log comes', async () => {
  const log = writes(['a'], ['x'], ['b', 'y'], ['z']);
  for (const piece of [1, 2, 1_000]) {
    assert.equal(await since(log, 0, piece), 'a b');
    assert.equal(await since(log, 1, piece), 'b');
    assert.equal(await since(log, 4, piece), '');
  }
});

test('an entry reaches over the place where they parted: all of it counts', async () => {
  assert.equal(await since(writes(['x'], ['a', 'b', 'c']), 2), 'a b c');
});

test('the master’s log begins later, or it does not tell it: nobody knows', async () => {
  const late = { entries: [batchOf(9, ['x'])], end: 9 };
  assert.match(await since(late, 3), /log begins only at sequence 9, so nobody can tell what it wrote since 4/);
  assert.match(await since({ ...writes(['a']), unsupported: true }, 0), /does not tell its log/);
  assert.match(await since(writes(['x']), 7), /ends before the place where the node parted/);
});

test('keys that are deleted without being named may be any', async () => {
  const flush = { sequence: 2, count: 1, bytes: `${'\0'.repeat(12)}\x0e\x01\x01a\x01b` };
  const log = { entries: [batchOf(1, ['x']), flush], end: 2 };
  assert.match(await since(log, 0), /deleted keys at sequence 2 without naming them/);
});

test('bytes that say nothing: the command they are told as does, and without one nobody knows', async () => {
  const told = { ...logOf(['strange']), told: () => [{ namespace: 'default', args: ['SET', 'b', '1'] }] };
  assert.equal(await since(told, 0), 'b');
  assert.match(await since(logOf(['strange']), 0), /the master’s entry at sequence 1 cannot be read/);
});

test('asked again it goes on where it was', async () => {
  const source = logSource(writes(['a'], ['b']), 1);
  let end = 1;
  const growing = {
    ...source,
    entries: async (after: number, most?: number, lax?: boolean) =>
      after >= end
        ? ({ kind: 'updates', entries: [], nextSequence: after, latestSequence: end } as const)
        : source.entries(after, most, lax),
  };
  const seen = new WrittenSince(growing, new Set([name('a'), name('b')]), 0, clock);
  await seen.readOn();
  assert.deepEqual([...seen.written], [name('a')]);
  end = 2;
  await seen.readOn();
  assert.deepEqual([...seen.written], [name('a'), name('b')]);
});
