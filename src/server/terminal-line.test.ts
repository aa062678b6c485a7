import assert from 'node:assert/strict';
import { test } from 'node:test';
import { terminalLine } from './terminal-line.ts';

const line = (record: object) =>
  terminalLine(
    JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05.678Z', pid: 1, hostname: 'h', ...record }),
    false,
  );

test('a line of the log: time, level, sentence and fields', () => {
  assert.match(
    line({ msg: 'node not told', node: 'n1', why: 'it is busy', version: 3 }),
    /^\d\d:04:05 WARN {2}node not told node=n1 why="it is busy" version=3\n$/,
  );
});

test('an error: its stack on lines of its own', () => {
  const text = line({ msg: 'broke', err: { type: 'Error', message: 'm', stack: 'Error: m\n    at f' } });
  assert.match(text, /broke\n {6}Error: m\n {10}at f\n$/);
});

test('escape sequences and line ends in a value: shown, not obeyed', () => {
  const text = line({ msg: 'a\u001b[2Jb', url: '/x\n00:00:00 INFO  forged' });
  assert.equal(text.split('\n').length, 2);
  assert.ok(!text.includes('\u001b'));
});

test('what is no line of the log: passed on', () => {
  assert.equal(terminalLine('plain\n', false), 'plain\n');
  assert.equal(terminalLine('7\n', false), '7\n');
});
