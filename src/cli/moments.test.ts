import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMoment } from './moments.ts';

const NOW = Date.parse('2026-11-25T02:30:00Z');
const at = (text: string) => {
  const moment = parseMoment(text, NOW);
  return moment === undefined ? undefined : new Date(moment).toISOString();
};

test('a moment with its zone, in UTC without one, and a time of day as the next one', () => {
  assert.equal(at('2026-11-25T03:00Z'), '2026-11-25T03:00:00.000Z');
  assert.equal(at('2026-11-25 03:00:15'), '2026-11-25T03:00:15.000Z');
  assert.equal(at('2026-11-25T03:00+01:00'), '2026-11-25T02:00:00.000Z');
  assert.equal(at('03:00'), '2026-11-25T03:00:00.000Z');
  assert.equal(at('02:30Z'), '2026-11-26T02:30:00.000Z');
  assert.equal(at('00:05'), '2026-11-26T00:05:00.000Z');
});

test('what is no moment is none', () => {
  for (const text of ['', 'soon', '24:00', '3:00', '2026-13-01T00:00Z', '2026-11-25', '1764026038000', '03:00 CET'])
    assert.equal(at(text), undefined, text);
});
