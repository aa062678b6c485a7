/**
 * Planning a rebalance of 16,384 slots over 200 shards: `node bench/plan.ts [runs]`. Each run plans over other weights,
 * gaps or owners where the case has any. Exits with 1 if a plan moves a slot too many or leaves one without its one
 * owner, never because of a time.
 */
import { orderMoves, type Plan, planRebalance, type WeighedShard } from '../src/decisions/rebalance.ts';
import { carriedOut, fewestMoved, ownersOf, owning } from '../src/decisions/rebalance-testing.ts';
import type { RandomSource } from '../src/runtime/runtime.ts';
import { randomInteger, seededRandom } from '../src/runtime/seeded-random.ts';
import { NO_SLOTS, SLOT_COUNT, slotCount, splitEvenly } from '../src/topology/slots.ts';
import { quantile } from './figures.ts';

/** Milliseconds. */
const GOAL = 50;
const SHARDS = 200;

const even: readonly WeighedShard[] = splitEvenly(SHARDS).map((slots, i) => ({ id: `s${i}`, slots, weight: 1 }));
const fresh: WeighedShard = { id: 'new', slots: NO_SLOTS, weight: 1 };

const weighed = (shards: readonly WeighedShard[], random: RandomSource): readonly WeighedShard[] =>
  shards.map((shard) => ({ ...shard, weight: 1 + randomInteger(random, 100) }));

/** Every slot's owner is chosen for itself. */
const owned = (by: (slot: number) => number): readonly WeighedShard[] =>
  owning(
    even,
    Array.from({ length: SLOT_COUNT }, (_, slot) => even[by(slot)]?.id),
  );

const CASES: Readonly<Record<string, (random: RandomSource) => readonly WeighedShard[]>> = {
  balanced: () => even,
  '200 become 201': () => [...even, fresh],
  'one is drained': (random) => {
    const drained = randomInteger(random, SHARDS);
    return even.map((shard, i) => (i === drained ? { ...shard, weight: 0 } : shard));
  },
  'random weights': (random) => weighed(even, random),
  'random weights and gaps': (random) => {
    const owners = ownersOf(even).map((owner) => (random.next() < 0.1 ? undefined : owner));
    return weighed(owning(even, owners), random);
  },
  'slots in turn, 200 become 201': () => [...owned((slot) => slot % SHARDS), fresh],
  'slots in turn, random weights': (random) =>
    weighed(
      owned((slot) => slot % SHARDS),
      random,
    ),
  'random owners, random weights': (random) =>
    weighed(
      owned(() => randomInteger(random, SHARDS)),
      random,
    ),
  'two with every second slot, 198 new': () => owned((slot) => slot % 2),
};

/** What the plan breaks; the shards' weights are integers. */
function faults(shards: readonly WeighedShard[], plan: Plan): readonly string[] {
  const moved = slotCount(plan.moves.map(({ range }) => range));
  const fewest = fewestMoved(shards);
  const found = moved === fewest ? [] : [`moves ${moved} slots where ${fewest} do`];
  try {
    if (ownersOf(carriedOut(shards, plan)).includes(undefined)) found.push('leaves a slot without an owner');
  } catch (error) {
    found.push(error instanceof Error ? error.message : String(error));
  }
  return found;
}

const runs = Number(process.argv[2] ?? 50);
let slowest = 0;
let broken = false;
const row = (...cells: readonly string[]) =>
  console.log(
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(38) : cell.padStart(12)))
      .join('')
      .trimEnd(),
  );
const ms = (value: number) => `${value.toFixed(1)} ms`;

row(`16,384 slots, 200 shards, ${runs} runs`, 'plan p50', 'max', 'rounds p50', 'slots', 'fewest', 'moves', 'rounds');
for (const [name, make] of Object.entries(CASES)) {
  const random = seededRandom(1).child(name);
  const planning: number[] = [];
  const ordering: number[] = [];
  let last: readonly string[] = [];
  for (let run = 0; run < runs; run++) {
    const shards = make(random);
    const began = performance.now();
    const plan = planRebalance(shards);
    const done = performance.now();
    if (plan.kind === 'refused') throw new Error(`${name}: ${JSON.stringify(plan)}`);
    planning.push(done - began);
    const rounds = orderMoves(plan.moves);
    ordering.push(performance.now() - done);
    for (const fault of faults(shards, plan)) {
      broken = true;
      console.log(`${name}, run ${run + 1}: ${fault}`);
    }
    const moved = slotCount(plan.moves.map(({ range }) => range));
    last = [moved, fewestMoved(shards), plan.moves.length, rounds.length].map(String);
  }
  slowest = Math.max(slowest, quantile(planning, 0.5));
  row(name, ms(quantile(planning, 0.5)), ms(quantile(planning, 1)), ms(quantile(ordering, 0.5)), ...last);
}
const said = slowest <= GOAL ? 'met' : 'not met';
console.log(`goal plan p50 <= ${GOAL} ms in every case: ${said}, the slowest has ${ms(slowest)}`);
console.log(broken ? 'BROKEN: see above' : 'every plan moved the fewest slots, and each slot had one owner');
process.exitCode = broken ? 1 : 0;
