import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slotOf } from './slots.ts';

test('a key without a hash tag: all of it counts', () => {
  assert.equal(slotOf('foo'), 12182);
  assert.equal(slotOf('123456789'), 0x31c3);
  assert.equal(slotOf(''), 0);
});

test('a hash tag: only the text between the first brace and the next closing one', () => {
  assert.equal(slotOf('{foo}1'), 12182);
  assert.equal(slotOf('a{foo}b{bar}'), 12182);
  assert.equal(slotOf('{{foo}'), slotOf('{foo'));
});

test('an empty or open hash tag is no tag', () => {
  assert.notEqual(slotOf('{}foo'), slotOf(''));
  assert.notEqual(slotOf('{foo'), slotOf('foo'));
});

test('bytes above 127', () => {
  assert.equal(slotOf('\xff\x00\x80'), slotOf('x{\xff\x00\x80}'));
});
