import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import { subtract, union } from '../topology/slots.ts';
import { balance } from './rebalancing.ts';
import { Refusal } from './refusal.ts';

const three = () => world('a master 9 | b replica 9 / c master 9 | d replica 9 / e master 9 | f replica 9');
const refusedAs = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof Refusal && error.code === code && message.test(error.message);

test('a shard that is drained gives all it has, and the plan says so', () => {
  const seen = three();
  const { plan, view } = balance(seen, { weights: [], drain: [{ index: 2 }] });
  const [first, second, third] = view.shards;
  assert.equal(plan.what, 'drain');
  assert.deepEqual([third?.after, third?.weight], [0, 0]);
  assert.equal((first?.after ?? 0) + (second?.after ?? 0), 16_384);
  assert.equal(view.slots, third?.before);
  assert.deepEqual(new Set(view.moves.map(({ source }) => source)), new Set(['s2']));
  assert.equal(view.version, seen.intended.cluster.version);
});

test('what is balanced already is left alone', () => {
  const { plan, view } = balance(three(), { weights: [], drain: [] });
  assert.deepEqual([plan.what, view.moves, view.fills], ['rebalance', [], []]);
});

test('a shard that is not there, two weights for one, none at all, or one that is no number: refused', () => {
  const seen = three();
  const all = [0, 1, 2].map((index) => ({ shard: { index }, weight: 0 }));
  assert.throws(() => balance(seen, { weights: [], drain: [{ index: 3 }] }), refusedAs('not_found', /./));
  const twice = [
    { shard: { index: 0 }, weight: 1 },
    { shard: { id: 's0' }, weight: 2 },
  ];
  assert.throws(
    () => balance(seen, { weights: twice, drain: [] }),
    refusedAs('invalid', /shard 0 is given two weights/),
  );
  assert.throws(() => balance(seen, { weights: all, drain: [] }), refusedAs('invalid', /at least one above 0/));
  const weights = [{ shard: { index: 1 }, weight: Number.NaN }];
  assert.throws(() => balance(seen, { weights, drain: [] }), refusedAs('invalid', /numbers from 0 up/));
});

test('while slots are on their way nothing else is planned', () => {
  const seen = three();
  const intended = { ...seen.intended, operations: [moveOf('queued', {})] };
  assert.throws(
    () => balance({ ...seen, intended }, { weights: [], drain: [] }),
    refusedAs('operation_running', /on their way/),
  );
});

test('a drain moves nothing between the others, however unequal they are by intention; with weights it does', () => {
  const seen = three();
  const [a, b, c] = seen.intended.cluster.shards;
  const shares = [
    union(a?.slots ?? [], [{ from: 5_462, to: 8_000 }]),
    subtract(b?.slots ?? [], [{ from: 5_462, to: 8_000 }]),
  ];
  const shards = [a, b, c].map((shard, i) => ({ ...(shard ?? assert.fail()), slots: shares[i] ?? shard?.slots ?? [] }));
  const uneven = { ...seen, intended: { ...seen.intended, cluster: { ...seen.intended.cluster, shards } } };
  const sources = (wanted: Parameters<typeof balance>[1]) =>
    new Set(balance(uneven, wanted).view.moves.map(({ source }) => source));
  assert.deepEqual(sources({ weights: [], drain: [{ index: 2 }] }), new Set(['s2']));
  assert.deepEqual(
    sources({ weights: [{ shard: { index: 0 }, weight: 1 }], drain: [{ index: 2 }] }),
    new Set(['s2']),
    'equal weights are reached from what is drained',
  );
  assert.deepEqual(
    sources({ weights: [{ shard: { index: 1 }, weight: 9 }], drain: [{ index: 2 }] }),
    new Set(['s0', 's2']),
  );
});

test('keys are told where the source has estimated them, and nothing is made up where it has not', () => {
  const { view } = balance(
    three(),
    { weights: [], drain: [{ index: 2 }] },
    new Map([['s2', { keys: 2.5, bytes: null }]]),
  );
  for (const { slots, keys } of view.moves) assert.equal(keys, Math.round(slots * 2.5));
  const unknown = balance(three(), { weights: [], drain: [{ index: 2 }] });
  assert.deepEqual(new Set(unknown.view.moves.map(({ keys }) => keys)), new Set([null]));
});
