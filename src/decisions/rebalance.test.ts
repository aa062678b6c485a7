import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ALL_SLOTS,
  NO_SLOTS,
  parseRange,
  SLOT_COUNT,
  type SlotSet,
  slotCount,
  splitEvenly,
} from '../topology/slots.ts';
import { orderMoves, type Plan, type PlannedMove, planRebalance, type WeighedShard } from './rebalance.ts';
import { bounds, carriedOut, fewestMoved, mostMoves, ownersOf, owning } from './rebalance-testing.ts';

/** `0-99 200-299`. */
const slots = (text: string): SlotSet =>
  text === '' ? NO_SLOTS : text.split(' ').map((one) => parseRange(one) ?? assert.fail(one));

/** Shards a, b, c... of `slots: weight`. */
const shards = (...all: readonly (readonly [SlotSet | string, number])[]): readonly WeighedShard[] =>
  all.map(([own, weight], i) => ({
    id: String.fromCharCode(97 + i),
    slots: typeof own === 'string' ? slots(own) : own,
    weight,
  }));

const even = (count: number, weight = (_: number): number => 1): readonly WeighedShard[] =>
  splitEvenly(count).map((own, i) => ({ id: `s${i}`, slots: own, weight: weight(i) }));

const fresh = (from: number, count: number, weight = 1): readonly WeighedShard[] =>
  Array.from({ length: count }, (_, i) => ({ id: `s${from + i}`, slots: NO_SLOTS, weight }));

function planned(all: readonly WeighedShard[]): Plan {
  const plan = planRebalance(all);
  return plan.kind === 'plan' ? plan : assert.fail(JSON.stringify(plan));
}

const sorted = (list: Plan['moves'] | Plan['fills']): boolean =>
  list.every(({ range }, i) => range.from <= range.to && range.from > (list[i - 1]?.range.to ?? -1));

/** All that a plan promises; returns the shards once it is done. */
function keepsItsWord(all: readonly WeighedShard[], plan = planned(all)): readonly WeighedShard[] {
  const before = ownersOf(all);
  const done = carriedOut(all, plan);
  assert.ok(!ownersOf(done).includes(undefined), 'every slot has an owner');
  const limits = bounds(all.map(({ weight }) => weight));
  for (const [i, shard] of done.entries()) {
    const [least, most] = limits[i] ?? assert.fail();
    const owned = slotCount(shard.slots);
    assert.ok(least <= owned && owned <= most, `${shard.id} has ${owned}, not ${least} to ${most}`);
    assert.deepEqual(plan.after[i], { id: shard.id, slots: owned });
  }
  assert.equal(slotCount(plan.moves.map(({ range }) => range)), fewestMoved(all));
  assert.equal(slotCount(plan.fills.map(({ range }) => range)), before.filter((owner) => owner === undefined).length);
  assert.ok(plan.moves.length <= mostMoves(all, plan), `${plan.moves.length} moves`);
  assert.ok(sorted(plan.moves) && sorted(plan.fills));
  assert.deepEqual(planned(all), plan);
  const again = planned(done);
  assert.deepEqual([again.moves, again.fills, again.after], [[], [], plan.after]);
  return done;
}

/** `12-15 a>b`. */
const told = (moves: readonly PlannedMove[]): readonly string[] =>
  moves.map(({ range, source, target }) => `${range.from}-${range.to} ${source}>${target}`);

test('a balanced cluster: nothing to do, whoever has the odd slots', () => {
  for (const all of [even(3), even(200), even(7).toReversed()]) {
    const plan = planned(all);
    assert.deepEqual([plan.moves, plan.fills], [[], []]);
  }
});

test('three shards become four: the ends of each go to the new one, two of them side by side', () => {
  const plan = planned(shards(['0-5461', 1], ['5462-10922', 1], ['10923-16383', 1], ['', 1]));
  assert.deepEqual(told(plan.moves), ['4096-5461 a>d', '5462-6826 b>d', '15019-16383 c>d']);
  assert.deepEqual(plan.fills, []);
  assert.deepEqual(
    plan.after.map((one) => one.slots),
    [4096, 4096, 4096, 4096],
  );
});

test('one of four is drained: one move to each of the others, to its neighbours from the end that they touch', () => {
  const plan = planned(shards(['0-4095', 1], ['4096-8191', 0], ['8192-12287', 1], ['12288-16383', 1]));
  assert.deepEqual(told(plan.moves), ['4096-5461 b>a', '5462-6826 b>d', '6827-8191 b>c']);
  assert.deepEqual(
    plan.after.map((one) => one.slots),
    [5462, 0, 5461, 5461],
  );
});

test('weights 1:2:1 over equal shards: the middle one grows at both its ends', () => {
  const plan = planned(shards(['0-5461', 1], ['5462-10922', 2], ['10923-16383', 1]));
  assert.deepEqual(told(plan.moves), ['4096-5461 a>b', '10923-12287 c>b']);
});

test('slots that nobody owns go to those who lack most, and only what is left is moved', () => {
  const all = shards(['0-9999', 1], ['12000-14999', 1], ['15000-15499', 1]);
  const plan = planned(all);
  keepsItsWord(all, plan);
  // c lacks 4961, b 2461, and 2884 have no owner.
  assert.deepEqual(
    plan.fills.map(({ range, target }) => [range.from, range.to, target]),
    [
      [10000, 11999, 'c'],
      [15500, 16383, 'c'],
    ],
  );
  assert.deepEqual(told(plan.moves), ['5462-7922 a>b', '7923-9999 a>c']);
});

test('gaps alone: filled without a move', () => {
  const all = shards(['0-4000', 1], ['8192-12287', 1], ['12288-16383', 1], ['4001-4095', 1]);
  const plan = planned(all);
  assert.deepEqual([plan.moves, slotCount(plan.fills.map(({ range }) => range))], [[], 4096]);
  keepsItsWord(all, plan);
});

test('nobody owns anything yet: one range for each shard', () => {
  const all = [...fresh(0, 5)];
  assert.equal(planned(all).fills.length, 5);
  keepsItsWord(all);
});

test('a single shard has all, and gets what it lacks', () => {
  assert.deepEqual(planned(shards([ALL_SLOTS, 0.3])).moves, []);
  const plan = planned(shards(['5-16000', 1]));
  assert.deepEqual(
    plan.fills.map(({ range }) => range),
    slots('0-4 16001-16383'),
  );
});

test('what one must give is just what another lacks: one move, though a neighbour lacks some too', () => {
  const plan = planned(shards(['0-4595', 1], ['4596-10191', 1], ['10192-13787', 1], ['13788-16383', 1]));
  assert.deepEqual(told(plan.moves), ['4096-4595 a>c', '8692-10191 b>d']);
});

test('one gives what just suits a far shard: its big neighbour does not give it that', () => {
  // a has 800 to give and d 400; b lacks 400, c 300, e 500.
  const plan = planned(
    shards(['0-3799', 3000], ['3800-6399', 3000], ['6400-10483', 4384], ['10484-13883', 3000], ['13884-16383', 3000]),
  );
  assert.deepEqual(told(plan.moves), ['3000-3299 a>c', '3300-3799 a>e', '13484-13883 d>b']);
});

test('what is left after a first move is just what a far shard lacks: it goes there, not to a neighbour', () => {
  // b has 800 to give and d 600; a lacks 500, c 400, e 200, f 300.
  const plan = planned(
    shards(
      ['0-1999', 2500],
      ['2000-5999', 3200],
      ['6000-7999', 2400],
      ['8000-11999', 3400],
      ['12000-13999', 2200],
      ['14000-16383', 2684],
    ),
  );
  assert.deepEqual(told(plan.moves), ['2000-2499 b>a', '5700-5999 b>f', '8000-8399 d>c', '11800-11999 d>e']);
});

test('two ranges are equally good: the one beside the target goes', () => {
  const plan = planned(shards(['0-99 300-399 9000-16383', 7484], ['400-4399', 4100], ['100-299 4400-8999', 4800]));
  assert.deepEqual(told(plan.moves), ['300-399 a>b']);
});

test('a longer range is cut rather than a shorter one if it lies beside the target', () => {
  const plan = planned(shards(['0-199 300-599 9000-16383', 7784], ['600-4399', 3900], ['200-299 4400-8999', 4700]));
  assert.deepEqual(told(plan.moves), ['500-599 a>b']);
});

test('the odd slot goes by the largest remainder', () => {
  const plan = planned(fresh(0, 2).map((shard, i) => ({ ...shard, weight: i + 1 })));
  // 5461.33 and 10922.67.
  assert.deepEqual(
    plan.after.map((one) => one.slots),
    [5461, 10923],
  );
});

test('the odd slot stays with the one that then has what it is due, rather than with one that gives anyway', () => {
  const plan = planned(shards(['0-5462', 1], ['5463-10924', 1], ['10925-16383', 1]));
  assert.deepEqual(told(plan.moves), ['5461-5462 a>c']);
});

test('every second slot: what the new shard gets from both lies side by side', () => {
  const owners = Array.from({ length: SLOT_COUNT }, (_, slot) => (slot % 2 === 0 ? 'a' : 'b'));
  const all = owning(shards(['', 1], ['', 1], ['', 1]), owners);
  const done = keepsItsWord(all);
  assert.equal(done[2]?.slots.length, 2);
});

test('a whole range that is just as long goes, rather than the end of a longer one', () => {
  const plan = planned(shards(['0-8141 8200-8299 8400-8449', 1], ['8142-8199 8300-8399 8450-16383', 1]));
  assert.deepEqual(told(plan.moves), ['8200-8299 a>b']);
});

test('one end of a long range goes, rather than several short ones', () => {
  const plan = planned(shards(['0-8191 8300-8349 8400-8439', 1], ['8192-8299 8350-8399 8440-16383', 1]));
  assert.deepEqual(told(plan.moves), ['8102-8191 a>b']);
});

test('no range is long enough: the longest goes whole, and then the one that is just as long as the rest', () => {
  const plan = planned(shards(['100-199 300-369 500-549', 70], ['0-99 200-299 370-499 550-16383', 16314]));
  assert.deepEqual(told(plan.moves), ['100-199 a>b', '500-549 a>b']);
});

test('as many shards as slots, and more', () => {
  const all = [...even(2), ...fresh(2, SLOT_COUNT - 2)];
  const plan = planned(all);
  assert.equal(plan.moves.length, SLOT_COUNT - 2);
  assert.ok(plan.after.every((one) => one.slots === 1));
  assert.ok(!ownersOf(carriedOut(all, plan)).includes(undefined));
  const more = planned([...even(SLOT_COUNT), ...fresh(SLOT_COUNT, 10)]);
  assert.deepEqual([more.moves, more.fills], [[], []]);
  assert.equal(orderMoves(plan.moves).length, SLOT_COUNT / 2 - 1);
});

test('weights that name no share are refused', () => {
  assert.deepEqual(planRebalance([]), { kind: 'refused', why: 'no-weight' });
  assert.deepEqual(planRebalance(shards(['0-9', 0], ['', 0])), { kind: 'refused', why: 'no-weight' });
  for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.deepEqual(planRebalance(shards(['0-9', 1], ['', weight])), {
      kind: 'refused',
      why: 'bad-weight',
      shard: 'b',
      weight,
    });
  }
});

test('a slot of two owners is refused by name', () => {
  assert.deepEqual(planRebalance(shards(['0-9', 1], ['8-20', 1])), {
    kind: 'refused',
    why: 'owned-twice',
    slot: 8,
    shards: ['a', 'b'],
  });
});

const weight = fc.oneof(fc.constantFrom(0, 1, 1, 1), fc.integer({ min: 0, max: 100 }));

/** Ten shards, of which some own nothing, by a pattern of owned and unowned runs over and over. */
const owners = fc
  .array(
    fc.record({
      owner: fc.integer({ min: -1, max: 9 }),
      length: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4000 })),
    }),
    { minLength: 1, maxLength: 30 },
  )
  .map((pattern) => {
    const all: (string | undefined)[] = [];
    while (all.length < SLOT_COUNT) {
      for (const { owner, length } of pattern) {
        const until = Math.min(SLOT_COUNT, all.length + length);
        while (all.length < until) all.push(owner < 0 ? undefined : `s${owner}`);
      }
    }
    return all;
  });

/** So many new shards, then these weights; somebody's is above 0. */
const step = fc.record({
  added: fc.integer({ min: 0, max: 3 }),
  weights: fc.array(weight, { minLength: 30, maxLength: 30 }),
  never0: fc.nat(),
});

test('one rebalance after the other, whatever the slots and weights: balanced, no slot too many moved, stable', () => {
  fc.assert(
    fc.property(owners, fc.array(step, { minLength: 1, maxLength: 4 }), (start, steps) => {
      let all = owning(fresh(0, 10), start);
      for (const { added, weights, never0 } of steps) {
        const grown = [...all, ...fresh(all.length, added)];
        all = keepsItsWord(
          grown.map((shard, i) => ({
            ...shard,
            weight: Math.max(weights[i] ?? 1, i === never0 % grown.length ? 1 : 0),
          })),
        );
      }
    }),
    { numRuns: 40 },
  );
});

test('weights of any size and fraction: within one slot of the share, nothing left to do', () => {
  const any = fc.oneof(
    fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: 0, max: 1 }),
    weight,
  );
  fc.assert(
    fc.property(owners, fc.array(any, { minLength: 10, maxLength: 10 }), (start, weights) => {
      fc.pre(weights.every((one) => one >= 0) && weights.some((one) => one > 0));
      const all = owning(fresh(0, 10), start).map((shard, i) => ({ ...shard, weight: weights[i] ?? 0 }));
      const plan = planned(all);
      const done = carriedOut(all, plan);
      assert.ok(!ownersOf(done).includes(undefined));
      const most = Math.max(...weights);
      const sum = weights.reduce((total, one) => total + one / most, 0);
      for (const { id, slots: own, weight: its } of done) {
        const share = (SLOT_COUNT * (its / most)) / sum;
        assert.ok(Math.abs(slotCount(own) - share) < 1 + 1e-5, `${id}: ${slotCount(own)} of ${share}`);
        if (its === 0) assert.deepEqual(own, NO_SLOTS);
      }
      const again = planned(done);
      assert.deepEqual([again.moves, again.fills], [[], []]);
    }),
    { numRuns: 60 },
  );
});

test('tenths are reckoned as people mean them', () => {
  const all = even(16, () => 0.1);
  assert.deepEqual(planned(all).moves, []);
  const plan = planned(shards([ALL_SLOTS, 0.3], ['', 0.1]));
  assert.deepEqual(
    plan.after.map((one) => one.slots),
    [12288, 4096],
  );
});

/** Moves of single slots between these shards. */
const someMoves = fc
  .array(fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 })), { minLength: 10, maxLength: 40 })
  .map((pairs) =>
    pairs.map(([source, target], i) => ({ range: { from: i, to: i }, source: `s${source}`, target: `s${target}` })),
  );

function busiest(moves: readonly PlannedMove[]): number {
  const counts = new Map<string, number>();
  for (const { source, target } of moves) {
    for (const end of [`out of ${source}`, `into ${target}`]) counts.set(end, (counts.get(end) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

test('rounds: each move once, one out and one in per shard, no more rounds than the busiest shard needs', () => {
  fc.assert(
    fc.property(someMoves, (moves) => {
      const rounds = orderMoves(moves);
      assert.equal(rounds.length, busiest(moves));
      const by = (a: PlannedMove, b: PlannedMove) => a.range.from - b.range.from;
      assert.deepEqual(rounds.flat().sort(by), moves);
      for (const round of rounds) {
        assert.equal(busiest(round), 1);
        assert.deepEqual([...round].sort(by), round);
      }
      assert.deepEqual(orderMoves(moves), rounds);
    }),
    { numRuns: 1000 },
  );
});

test('a shard passes slots on while it takes others', () => {
  const moves = [
    { range: { from: 0, to: 9 }, source: 'a', target: 'b' },
    { range: { from: 10, to: 19 }, source: 'b', target: 'c' },
    { range: { from: 20, to: 29 }, source: 'a', target: 'b' },
  ];
  assert.deepEqual(orderMoves(moves).map(told), [['0-9 a>b', '10-19 b>c'], ['20-29 a>b']]);
});

test('two of four are drained: both move at the same time, in one round', () => {
  const rounds = orderMoves(planned(even(4, (i) => (i < 2 ? 0 : 1))).moves);
  assert.deepEqual(rounds.map(told), [['0-4095 s0>s3', '4096-8191 s1>s2']]);
});

test('one new shard takes from three: one move at a time, since it can take one', () => {
  const rounds = orderMoves(planned([...even(3), ...fresh(3, 1)]).moves);
  assert.deepEqual(
    rounds.map((round) => round.length),
    [1, 1, 1],
  );
});

test('no round is free at both ends: one that is taken changes its round', () => {
  const ends = ['p>t', 's>t', 'q>u', 's>u'].map((text) => text.split('>'));
  const moves = ends.map(([source = '', target = ''], i) => ({ range: { from: i, to: i }, source, target }));
  assert.deepEqual(orderMoves(moves).map(told), [
    ['0-0 p>t', '3-3 s>u'],
    ['1-1 s>t', '2-2 q>u'],
  ]);
});

test('nothing to move: no rounds', () => {
  assert.deepEqual(orderMoves([]), []);
});
