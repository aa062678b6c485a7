import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differences } from './difference.ts';
import { linesOf } from './fingerprint.ts';

const WANTED = ['a 10.0.0.1 1 master - 0-99', 'b 10.0.0.2 1 slave a', 'c 10.0.0.3 1 master - 100-199'];
const told = (...lines: string[]) => differences(linesOf(WANTED.join('\n')), linesOf(lines.join('\n')));

test('the same lines in another order differ in nothing', () => {
  assert.deepEqual(told(...WANTED.toReversed()), []);
});

test('nodes that are missing, strange, elsewhere, or somebody else’s', () => {
  const seen = told('a 10.0.0.1 2 master - 0-99', 'b 10.0.0.2 1 slave c', 'x ::1 9 slave a', 'c 10.0.0.3 1 slave x');
  assert.deepEqual(seen, [
    'it has a at 10.0.0.1:2 instead of 10.0.0.1:1',
    'it has b as a slave of c instead of a slave of a',
    'it names x at [::1]:9, a slave of a, which the committed topology does not',
    'it has c as a slave of x instead of a master',
    'it has no owner for slots 100-199 of c',
  ]);
  assert.deepEqual(told('a 10.0.0.1 1 master - 0-99', 'c 10.0.0.3 1 master - 100-199'), [
    'it does not name b, a slave of a',
  ]);
});

test('slots that another node owns, nobody does, or that are owned beyond', () => {
  assert.deepEqual(told('a 10.0.0.1 1 master - 0-49', 'b 10.0.0.2 1 slave a', 'c 10.0.0.3 1 master - 60-199 300'), [
    'it gives slots 60-99 to c instead of a',
    'it has no owner for slots 50-59 of a',
    'it gives slots 300, which nobody owns, to c',
  ]);
});

test('a topology that differs in everything is not told to its end', () => {
  const strangers = Array.from({ length: 50 }, (_, i) => `n${i} 10.1.0.1 ${i + 1} slave a`);
  const words = told(...strangers);
  assert.equal(words.length, 13);
  assert.match(words.at(-1) ?? '', /^and \d+ more$/);
});
