import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitting } from './data-estimate.ts';

const GB = 2 ** 30;

test('a few small keys: as many slots as there are', () => {
  const size = fitting({ keys: 61, bytes: 6_000 }, 'raw-key-value', 4_000) ?? 0;
  assert.ok(size > 1_365, `${size}`);
});

test('a shard of hundreds of gigabytes: few slots, by its bytes or by its keys, and one at least', () => {
  const heavy = { keys: 10, bytes: (500 * GB) / 5_461 };
  assert.equal(fitting(heavy, 'raw-key-value', 4_000), 1);
  const many = { keys: 18_000, bytes: 2_000_000 };
  assert.equal(fitting(many, 'raw-key-value', 4_000), 10);
});

test('key by key it takes longer', () => {
  const size = { keys: 100, bytes: 10_000 };
  const [raw = 0, single = 0] = (['raw-key-value', 'redis-command'] as const).map(
    (how) => fitting(size, how, 4_000) ?? 0,
  );
  assert.ok(single < raw && single > 0, `${single} of ${raw}`);
});

test('what the source has not told is not guessed', () => {
  assert.equal(fitting(undefined, 'raw-key-value', 4_000), null);
  assert.equal(fitting({ keys: 1, bytes: null }, 'raw-key-value', 4_000), null);
  assert.equal(fitting({ keys: 1, bytes: 1 }, null, 4_000), null);
});
