import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogVerdict } from '../decisions/jobs.ts';
import { compareLogs } from './log-compare.ts';
import { JobFailed } from './log-reader.ts';
import { type Log, logOf, logSource } from './testing-logs.ts';

const compare = (node: Log, master: Log, common: number | null): Promise<LogVerdict> =>
  compareLogs(logSource(node), logSource(master), common, () => {});

/** `words` numbered from 1, or from where the log begins. */
const log = (...entries: string[]): Log => logOf(entries);
const many = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `e${from + i}`);

test('the node’s log is its master’s up to the node’s end: it is the same history', async () => {
  assert.deepEqual(await compare(log('a', 'b', 'c'), log('a', 'b', 'c', 'd'), 1), { kind: 'same', last: 3 });
  assert.deepEqual(await compare(log('a', 'b'), log('a', 'b', 'd'), 2), { kind: 'same', last: 2 }, 'nothing is left');
});

test('the first entry that differs is where they parted, and one that is equal again behind it changes nothing', async () => {
  const parted = await compare(log('a', 'b', 'x', 'd'), log('a', 'b', 'c', 'd', 'e'), 1);
  assert.deepEqual(parted, { kind: 'parted', at: 3, last: 4 });
});

test('the node goes on where its master ends: from there on it is alone', async () => {
  assert.deepEqual(await compare(log('a', 'b', 'c'), log('a', 'b'), 0), { kind: 'parted', at: 3, last: 3 });
});

test('an entry of the node reaches over the place where they were surely the same: it parted there', async () => {
  const node = log('a', 'b+3');
  assert.deepEqual(await compare(node, log('a', 'b', 'c', 'd'), 2), { kind: 'parted', at: 2, last: 4 });
  assert.deepEqual(await compare(log('a', 'b', 'c', 'd'), node, 2), { kind: 'parted', at: 2, last: 4 });
});

test('entries of several numbers are compared as what they are', async () => {
  assert.deepEqual(await compare(log('a+2', 'b', 'c+5'), log('a+2', 'b', 'c+5', 'd'), null), { kind: 'same', last: 8 });
  assert.deepEqual(await compare(log('a+2', 'b'), log('a+3'), 0), { kind: 'parted', at: 1, last: 3 });
});

test('a log that does not reach back to where they were surely the same tells nothing', async () => {
  const short = logOf(['c', 'd'], 3);
  const whole = log('a', 'b', 'c', 'd', 'e');
  assert.match(words(await compare(short, whole, 1)), /^its log begins only at sequence 3/);
  assert.match(words(await compare(log('a', 'b', 'c'), logOf(['c', 'd'], 3), 1)), /^its master’s log begins only/);
});

test('a server that does not tell its log tells nothing', async () => {
  const deaf = { ...log('a'), unsupported: true };
  assert.match(words(await compare(deaf, log('a'), 0)), /its server does not tell its log/);
  assert.match(words(await compare(log('a'), deaf, 0)), /its master’s server does not tell its log/);
  assert.match(words(await compare(deaf, log('a'), null)), /has no log that can be read/);
});

test('nothing is known to be the same: all that both logs have is compared, the rest taken on trust if it is enough', async () => {
  const shared = many(200);
  const node = logOf(shared.slice(50), 51);
  assert.deepEqual(await compare(node, logOf([...shared, 'more']), null), { kind: 'same', last: 200 });
  const parted = logOf([...shared.slice(50), 'x'], 51);
  assert.deepEqual(await compare(parted, logOf([...shared, 'y']), null), { kind: 'parted', at: 201, last: 201 });
  assert.match(words(await compare(logOf(shared.slice(150), 151), logOf(shared), null)), /only 50 records in common/);
  const early = logOf(['x', ...shared.slice(150)], 150);
  assert.match(words(await compare(early, logOf(shared), null)), /do not reach back to where they parted/);
});

test('both logs begin at the beginning: then few are enough', async () => {
  assert.deepEqual(await compare(log('a', 'b'), log('a', 'b', 'c'), null), { kind: 'same', last: 2 });
  assert.deepEqual(await compare(log('x', 'b'), log('a', 'b', 'c'), null), { kind: 'parted', at: 1, last: 2 });
});

test('the logs have no part in common', async () => {
  const later = logOf(many(5), 900);
  assert.match(words(await compare(log('a', 'b'), later, null)), /begins only at sequence 900/);
});

test('a node that falls back while it is read: given up, and asked for again', async () => {
  await assert.rejects(compare(log('a'), log('a', 'b', 'c'), 2), JobFailed);
});

const words = (verdict: LogVerdict): string => (verdict.kind === 'untellable' ? verdict.why : verdict.kind);

test('whatever was written, it is the same exactly if every entry is, in whatever pieces it is read', async () => {
  const entry = fc.constantFrom('a', 'b', 'c+2', 'd+3');
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 12 }),
      fc.array(entry, { maxLength: 4 }),
      fc.array(entry, { maxLength: 4 }),
      fc.integer({ min: 1, max: 5 }),
      async (shared, mine, theirs, piece) => {
        const node = logOf([...shared, ...mine]);
        const master = logOf([...shared, ...theirs]);
        const got = await compareLogs(logSource(node, piece), logSource(master, piece), 0, () => {});
        const prefix = mine.every((one, i) => theirs[i] === one);
        assert.equal(got.kind, prefix ? 'same' : 'parted');
        if (got.kind !== 'parted') return;
        const equal = mine.findIndex((one, i) => theirs[i] !== one);
        const before = logOf([...shared, ...mine.slice(0, equal)]);
        assert.equal(got.at, before.end + 1);
      },
    ),
  );
});
