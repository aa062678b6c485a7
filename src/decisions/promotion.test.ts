import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { choosePromotion, overWhom, type Promotion, type Wanted, whyNot } from './promotion.ts';
import { entry, NOW, type Sketch, shardAt, VERSION, world } from './testing.ts';

const DEAD: Wanted = { askedSince: NOW - 700, force: false, linked: false };
const PLANNED: Wanted = { askedSince: Number.NEGATIVE_INFINITY, force: false, linked: true };

function choose(text: string, sketch: Sketch = {}, wanted: Wanted = DEAD): Promotion {
  const seen = world(text, sketch);
  return choosePromotion(seen, shardAt(seen), wanted);
}

const chosen = (got: Promotion) => (got.kind === 'promote' ? got.node : 'nobody');

test('the most advanced replica is promoted, and what may be lost is told', () => {
  const got = choose('a master 900 dead | b replica 880 | c replica 895');
  assert.equal(chosen(got), 'c');
  assert.equal(got.kind === 'promote' && got.mayLose, 5);
});

test('equally advanced replicas: always the same one, whatever the order', () => {
  assert.equal(chosen(choose('a master 900 dead | c replica 900 | b replica 900')), 'b');
  assert.equal(chosen(choose('a master 900 dead | b replica 900 | c replica 900')), 'b');
});

test('a replica beyond the floor loses nothing', () => {
  const got = choose('a master 900 dead | b replica 950', { floor: 900 });
  assert.equal(got.kind === 'promote' && got.mayLose, 0);
});

test('each refusal has its words', () => {
  const cases: readonly [string, Sketch, string][] = [
    ['b away 900', {}, 'b: away: not in the topology'],
    ['b replica 900 unproven', {}, 'b: unproven: nobody knows whether it holds this shard’s history'],
    [
      'b replica 900 proof:1',
      { lineage: [entry(1, 'x', 0), entry(5, 'a', 9)] },
      'b: not proven to follow the present master yet',
    ],
    ['b replica 900 unasked', {}, 'b: not asked yet'],
    ['b replica 900 gone', { views: { b: { reason: 'no answer in time' } } }, 'b: silent: no answer in time'],
    ['b replica 895 loading', {}, 'b: loading'],
    ['b replica 900 says-master', {}, 'b: says that it is a master'],
    ['b replica 900 sync', {}, 'b: in a full sync'],
    ['b replica 900', { views: { b: { sequence: null } } }, 'b: told no sequence'],
    ['b replica 800 highest:900', {}, 'b: below its own highest sequence 900'],
    ['b replica 900', { views: { b: { highest: 950 } } }, 'b: below its own highest sequence 950'],
    ['b replica 300', { floor: 900, eligibleFrom: 400 }, 'b: 600 behind, of which 500 may be lost'],
    ['b replica 300', { views: { a: { highest: 900, aged: 400 } } }, 'b: 600 behind, of which 500 may be lost'],
    ['b replica 900 asked:800', {}, 'b: not asked since the break'],
    ['b replica 900 asked:300', {}, 'b: its answer is too old'],
    ['b replica 900', { trustFrom: NOW - 20 }, 'b: not asked since the break'],
    ['b replica 900 excluded', {}, 'b: excluded from failover: no_failover is set'],
    ['b replica 900 cutoff', {}, 'b: was cut off while its master still answered'],
    ['b replica 880 cutoff', {}, 'b: was cut off while its master still answered, and lacks 20 records'],
    ['b replica 0', { floor: 900 }, 'b: empty, and its master had reached 900'],
  ];
  for (const [replica, sketch, words] of cases) {
    const got = choose(`a master 900 dead | ${replica}`, sketch);
    assert.equal(got.kind, 'hold', words);
    assert.deepEqual(whyNot(got.judged), [words]);
  }
});

test('one replica loading and one too far behind: held, and each is told why', () => {
  const got = choose('a master 900 dead | b replica 300 | c replica 895 loading', { floor: 900, eligibleFrom: 800 });
  assert.equal(got.kind, 'hold');
  assert.deepEqual(whyNot(got.judged), ['b: 600 behind, of which 100 may be lost', 'c: loading']);
});

test('the most advanced is loading: the next one that is eligible is taken', () => {
  assert.equal(chosen(choose('a master 900 dead | b replica 880 | c replica 895 loading')), 'b');
});

test('a replica that was cut off while its master still answered: not promoted without what was seen since', () => {
  const lost = { views: { a: { answeredAt: NOW - 800 }, b: { lostAt: NOW - 3_000 } } };
  const got = choose('a master 900 dead | b replica 880', lost);
  assert.deepEqual(whyNot(got.judged), ['b: was cut off while its master still answered, and lacks 20 records']);
  assert.equal(chosen(choose('a master 900 dead | b replica 900', lost)), 'b');
  assert.equal(chosen(choose('a master 900 dead | b replica 880', lost, { ...DEAD, force: true })), 'b');
});

test('a replica that lost its master with the crash itself is promoted with what it has', () => {
  const lost = { views: { a: { answeredAt: NOW - 800 }, b: { lostAt: NOW - 700 } } };
  assert.equal(chosen(choose('a master 900 dead | b replica 880', lost)), 'b');
});

test('too far behind is promoted on an operator’s word, unproven never', () => {
  const limits: Sketch = { floor: 900, eligibleFrom: 800 };
  assert.equal(chosen(choose('a master 900 dead | b replica 300', limits, { ...DEAD, force: true })), 'b');
  assert.equal(
    chosen(choose('a master 900 dead | b replica 900 unproven', limits, { ...DEAD, force: true })),
    'nobody',
  );
  assert.equal(chosen(choose('a master 900 dead | b replica 900 sync', limits, { ...DEAD, force: true })), 'nobody');
});

test('a preferred replica is taken although another one is further, and nobody in its place', () => {
  const preferred: Wanted = { ...PLANNED, preferred: 'b' };
  assert.equal(chosen(choose('a master 900 | b replica 880 | c replica 895', {}, preferred)), 'b');
  assert.equal(chosen(choose('a master 900 | b replica 880 down | c replica 895', {}, preferred)), 'nobody');
});

test('a planned switchover asks for a link that is up, and takes answers of the quiet pace', () => {
  assert.equal(chosen(choose('a master 900 | b replica 900 asked:900', {}, PLANNED)), 'b');
  assert.deepEqual(whyNot(choose('a master 900 | b replica 900 down', {}, PLANNED).judged), [
    'b: its link to the master is down',
  ]);
});

test('of equally advanced replicas the one with the higher priority, then the first id; further on beats both', () => {
  const text =
    'a master 900 dead | b replica 900 priority:10 | c replica 900 priority:200 | d replica 900 priority:200';
  const got = choose(text);
  assert.equal(chosen(got), 'c');
  assert.deepEqual(overWhom(got.judged), [
    'b: as far as c, which has the higher priority',
    'd: as far as c, which comes first by its id',
  ]);
  const further = choose('a master 900 dead | b replica 895 priority:10 | c replica 880 priority:1000');
  assert.equal(chosen(further), 'b');
  assert.deepEqual(overWhom(further.judged), ['c: 15 behind b']);
});

test('replica-excluded: promoted by nobody but an operator who names it', () => {
  const text = 'a master 900 dead | b replica 900 excluded | c replica 880';
  assert.equal(chosen(choose(text)), 'c');
  const named = choose(text, {}, { ...DEAD, preferred: 'b' });
  assert.equal(chosen(named), 'b');
  assert.deepEqual(overWhom(named.judged), ['c: b was asked for']);
  assert.equal(chosen(choose('a master 900 | b replica 900 excluded', {}, PLANNED)), 'nobody');
});

test('a replica inside a SETNODES is passed over while another one answers, and taken by its own fresh answer', () => {
  const busy = { views: { c: { busySince: NOW - 400 } } };
  const got = choose('a master 900 dead | b replica 880 | c replica 895', busy);
  assert.equal(chosen(got), 'b');
  assert.deepEqual(whyNot(got.judged), ['c: inside a SETNODES, while another one answers']);
  assert.equal(chosen(choose('a master 900 dead | b replica 880 loading | c replica 895', busy)), 'c');
  const past = { views: { c: { busySince: NOW - 20_000 } } };
  assert.equal(chosen(choose('a master 900 dead | c replica 895', past)), 'c');
  assert.equal(chosen(choose('a master 900 dead | c replica 895 gone', past)), 'nobody');
  assert.equal(chosen(choose('a master 900 dead | c replica 895 asked:400', past)), 'nobody');
});

test('a cut-off replica is promoted on an operator’s word, with what it lacks named; an empty one on nobody’s', () => {
  const forced: Wanted = { ...DEAD, force: true };
  const got = choose('a master 900 dead | b replica 300 cutoff', {}, forced);
  assert.equal(got.kind === 'promote' && got.mayLose, 600);
  assert.equal(chosen(choose('a master 900 dead | b replica 0', {}, forced)), 'nobody');
  assert.equal(chosen(choose('a master 0 dead | b replica 0')), 'b');
});

test('nobody could say how the master ended: only one that has lost it and all that was seen of it', () => {
  const alone: Wanted = { ...DEAD, unwitnessed: true };
  assert.equal(chosen(choose('a master 900 dead | b replica 900', {}, alone)), 'b');
  const refused = (text: string, sketch: Sketch = {}) => whyNot(choose(text, sketch, alone).judged);
  assert.deepEqual(refused('a master 900 dead | b replica 899'), [
    'b: 1 behind, and no replica could say how its master ended',
  ]);
  assert.deepEqual(refused('a master 900 dead | b replica 900', { floor: 905 }), [
    'b: 5 behind, and no replica could say how its master ended',
  ]);
  assert.deepEqual(refused('a master 900 dead | b replica 900 linked'), [
    'b: does not say that it has lost its master',
  ]);
  const lost = { views: { a: { answeredAt: NOW - 800 }, b: { lostAt: NOW - 3_000 } } };
  assert.deepEqual(refused('a master 900 dead | b replica 900', lost), [
    'b: was cut off while its master still answered',
  ]);
});

test('no replica: nobody is judged', () => {
  assert.deepEqual(choose('a master 900 dead'), { kind: 'hold', judged: [] });
});

test('whatever the replicas are like, the one promoted is eligible and nobody eligible is further', () => {
  const replica = fc.record({
    sequence: fc.integer({ min: 1, max: 20 }),
    flag: fc.constantFrom('', '', '', 'loading', 'sync', 'unproven', 'gone', 'says-master', 'asked:400', 'highest:30'),
  });
  fc.assert(
    fc.property(fc.array(replica, { minLength: 1, maxLength: 5 }), fc.nat(15), (replicas, eligibleFrom) => {
      const names = replicas.map((one, i) => `r${i} replica ${one.sequence} ${one.flag}`);
      const got = choose(['a master 20 dead', ...names].join(' | '), { floor: 20, eligibleFrom, version: VERSION });
      const eligible = replicas.filter((one) => one.flag === '' && one.sequence >= eligibleFrom);
      if (got.kind === 'hold') assert.deepEqual(eligible, []);
      else assert.equal(got.sequence, Math.max(...eligible.map((one) => one.sequence)));
    }),
  );
});
