import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitting, Screen } from './screen.ts';

const lines = ['a plan of many moves', 'first', 'second', 'third', 'fourth'];

test('what is longer than the screen is cut, since it could not be drawn over', () => {
  assert.deepEqual(fitting(lines, 11, 24), ['a plan of ', 'first', 'second', 'third', 'fourth']);
  assert.deepEqual(fitting(lines, 80, 5), ['a plan of many moves', 'first', 'second', '... and 2 more']);
  assert.deepEqual(fitting(lines, 80, 6), lines);
});

test('each picture is drawn over the one before, and only where a person watches', () => {
  let text = '';
  const io = {
    err: (more: string) => {
      text += more;
    },
    errIsTerminal: true,
    screen: () => ({ columns: 80, rows: 24 }),
  };
  const screen = new Screen(io);
  screen.draw(['one', 'two']);
  screen.draw(['three']);
  screen.draw([]);
  assert.equal(text, '\r\x1b[Jone\ntwo\n\x1b[2A\r\x1b[Jthree\n\x1b[1A\r\x1b[J');
  text = '';
  new Screen({ ...io, errIsTerminal: false }).draw(['one']);
  assert.equal(text, '');
});
