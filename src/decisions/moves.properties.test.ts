/** Moves as a whole, against nodes that do what they are asked, or fail: what holds whatever comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { brokenPromises } from '../checks/promises.ts';
import { activeMoves, type Intended, movesOf, type OperationId } from '../operations/intended.ts';
import type { Move } from '../operations/move.ts';
import { plansOf } from '../operations/plan.ts';
import { intersect, type SlotRange, slotCount, splitEvenly } from '../topology/slots.ts';
import { decideMoves } from './moves.ts';
import { carrying, NOW, world } from './testing.ts';
import { copied, failing, moveOf, planned } from './testing-moves.ts';
import type { Proposal, Trace, World } from './world.ts';

const IDS = 'acegik'.split('');
const SHARDS = 4;
const TEXT = IDS.slice(0, SHARDS)
  .map((id) => `${id} master 9`)
  .join(' / ');

interface Wanted {
  readonly source: number;
  readonly to: number;
  readonly at: number;
  readonly length: number;
  readonly priority: number;
  readonly slotOnly: boolean;
}

/** Runs that neither overlap nor reach beyond their shard. */
function movesFor(wanted: readonly Wanted[]): Move[] {
  const taken: SlotRange[] = [];
  return wanted.flatMap(({ source, to, at, length, priority, slotOnly }, i) => {
    const own = splitEvenly(SHARDS)[source]?.[0];
    const target = (source + 1 + to) % SHARDS;
    if (own === undefined || target === source) return [];
    const from = own.from + (at % 3_000);
    const range = { from, to: Math.min(own.to, from + length) };
    if (intersect(taken, [range]).length > 0) return [];
    taken.push(range);
    return [
      moveOf('queued', {
        id: `mv${i}`,
        plan: 'pl',
        range,
        source: `s${source}`,
        target: `s${target}`,
        priority,
        slotOnly,
      }),
    ];
  });
}

type Luck = 'copied' | 'slow' | 'undone' | 'failed' | 'not-sent' | 'both';

/** Nodes that carry what is committed as soon as nothing else is to be done, and jobs that end as they are dealt. */
class Model {
  intended: Intended;
  readonly #base: World;
  readonly #traces = new Map<OperationId, Trace>();
  #now = NOW;

  constructor(moves: readonly Move[], limit: number | null) {
    const slots = moves.reduce((sum, { range }) => sum + slotCount([range]), 0);
    this.#base = world(TEXT, {
      operations: [planned({ slots }), ...moves],
      policy: { concurrentMoves: limit },
      watchingSince: NOW,
    });
    this.intended = this.#base.intended;
  }

  seen(): World {
    let seen: World = { ...this.#base, intended: this.intended, now: this.#now, trace: (id) => this.#traces.get(id) };
    for (const id of IDS.slice(0, SHARDS)) seen = carrying(seen, id, { askedAt: this.#now });
    for (const move of activeMoves(this.intended)) {
      if (move.phase !== 'handing-over') continue;
      seen = carrying(seen, move.sourceNode, { migrating: { range: move.piece, state: 'success' } });
    }
    return seen;
  }

  commit(proposal: Proposal): void {
    assert.deepEqual(brokenPromises(this.intended, proposal.next), []);
    for (const move of movesOf(proposal.next)) {
      const before = movesOf(this.intended).find(({ id }) => id === move.id);
      if (before?.phase !== move.phase) this.#traces.set(move.id, { phaseAt: this.#now });
    }
    this.intended = proposal.next;
  }

  end(id: OperationId, luck: Luck): void {
    const ends = {
      copied: copied(9, { took: 20 }),
      slow: copied(9, { took: 30_000 }),
      undone: copied(9, { undone: 'restart' }),
      failed: failing('x'),
      'not-sent': failing('x', { sent: false }),
      both: failing('x', { beside: 'served' }),
    };
    this.#traces.set(id, { phaseAt: this.#now, migration: ends[luck] });
  }

  pass(): void {
    this.#now += 1_000;
  }
}

const ownerOf = (intended: Intended, slot: number) =>
  intended.cluster.shards.findIndex(({ slots }) => slots.some(({ from, to }) => from <= slot && slot <= to));

const wanted = fc.record({
  source: fc.integer({ min: 0, max: SHARDS - 1 }),
  to: fc.integer({ min: 0, max: SHARDS - 2 }),
  at: fc.nat(3_000),
  length: fc.integer({ min: 0, max: 900 }),
  priority: fc.integer({ min: -1, max: 1 }),
  slotOnly: fc.boolean(),
});
const lucks = fc.array(
  fc.constantFrom<Luck>('copied', 'copied', 'copied', 'slow', 'undone', 'failed', 'not-sent', 'both'),
  {
    minLength: 20,
    maxLength: 20,
  },
);

test('whatever fails: no promise breaks, each slot is counted once, and all ends with every slot where it belongs or a failure that says so', () => {
  fc.assert(
    fc.property(
      fc.array(wanted, { minLength: 1, maxLength: 8 }),
      lucks,
      fc.option(fc.integer({ min: 1, max: 3 })),
      (all, luck, limit) => {
        const moves = movesFor(all);
        if (moves.length === 0) return;
        const model = new Model(moves, limit);
        let dealt = 0;
        let ended = 0;
        for (let i = 0; i < 2_000 && movesOf(model.intended).some(({ phase }) => phase !== 'failed'); i++) {
          const { proposal, migrates } = decideMoves(model.seen());
          const active = activeMoves(model.intended);
          assert.ok(limit === null || active.length <= limit);
          for (const { piece, range } of active) assert.equal(intersect([range], [piece]).length, 1);
          const done = moves.reduce((sum, move) => {
            const here = model.intended.cluster.shards.find(({ id }) => id === move.target)?.slots ?? [];
            return sum + slotCount(intersect(here, [move.range]));
          }, 0);
          const [plan] = plansOf(model.intended);
          if (plan !== undefined) assert.equal(plan.moved, done);
          if (proposal !== undefined) model.commit(proposal);
          else if (migrates.length === 0) model.pass();
          else for (const { operation } of migrates) model.end(operation, luck[dealt++ % luck.length] ?? 'copied');
          ended = done;
        }
        const left = movesOf(model.intended);
        assert.ok(
          left.every(({ phase }) => phase === 'failed'),
          'it comes to an end',
        );
        assert.equal(plansOf(model.intended)[0]?.failed ?? 0, left.length);
        if (left.length === 0) assert.ok(ended <= moves.reduce((sum, { range }) => sum + slotCount([range]), 0));
        for (const move of moves) {
          const failed = left.find(({ id }) => id === move.id);
          const open = failed?.left?.from ?? move.range.to + 1;
          for (const slot of [move.range.from, open - 1, open, move.range.to]) {
            if (slot < move.range.from || slot > move.range.to) continue;
            assert.equal(`s${ownerOf(model.intended, slot)}`, slot < open ? move.target : move.source);
          }
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('shards that have nothing in common with those that are busy are never idle while a move of theirs waits', () => {
  fc.assert(
    fc.property(fc.array(wanted, { minLength: 1, maxLength: 8 }), (all) => {
      const moves = movesFor(all.map((one) => ({ ...one, priority: 0, slotOnly: false })));
      const model = new Model(moves, null);
      for (;;) {
        const { proposal } = decideMoves(model.seen());
        if (proposal === undefined) break;
        model.commit(proposal);
      }
      const busy = new Set(activeMoves(model.intended).flatMap(({ source, target }) => [source, target]));
      for (const move of movesOf(model.intended))
        if (move.phase === 'queued') assert.ok(busy.has(move.source) || busy.has(move.target));
    }),
    { numRuns: 100 },
  );
});
