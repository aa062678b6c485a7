import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MigrationFacts, migrationEnd } from './move-outcome.ts';
import type { JobLine } from './world.ts';

const PIECE = { from: 10, to: 19 };
const PROCESS = { id: 7, startedAt: 1_000 };
const NOTED = { success: false, process: PROCESS };
const PAST = { success: true, process: PROCESS };
const job = (state: JobLine['state'], range = PIECE): JobLine => ({ range, state });
const target = (importing: JobLine | null, process = PROCESS) => ({ importing, process });

const facts = (more: Partial<MigrationFacts>): MigrationFacts => ({
  served: 'source',
  source: null,
  target: target(null),
  error: null,
  ...more,
});

const end = (more: Partial<MigrationFacts>, noted = NOTED) => migrationEnd(facts(more), PIECE, noted);

test('the source sends its clients to the target: it is in force, whatever else is said', () => {
  assert.deepEqual(end({ served: 'target', source: job('fail'), error: 'x' }), { kind: 'success', undone: null });
});

test('the job runs, or nobody says who serves the slots: asked again', () => {
  assert.deepEqual(end({ source: job('start') }), { kind: 'open', waitsFor: 'job' });
  assert.deepEqual(end({ source: job('start'), error: 'There is already a migrating job' }), {
    kind: 'open',
    waitsFor: 'job',
  });
  assert.deepEqual(end({ served: 'unknown' }), { kind: 'open', waitsFor: 'source' });
});

test('the source has failed and serves: so it stays, also where the target says success', () => {
  assert.equal(end({ source: job('fail') }).kind, 'failed');
  const both = end({ source: job('fail'), target: target(job('success')) });
  assert.equal(both.kind === 'failed' && both.beside, 'served');
  // It heard that it failed after it had taken over, and serves on.
  const heard = end({ source: job('fail'), target: { ...target(job('error')), serves: true } });
  assert.equal(heard.kind === 'failed' && heard.beside, 'served');
  const broke = end({ source: job('fail'), target: { ...target(job('error')), serves: false } });
  assert.equal(broke.kind === 'failed' && broke.beside, null);
  const said = end({ error: 'broken pipe', target: null });
  assert.deepEqual(said.kind === 'failed' && [said.why, said.beside], ['broken pipe', 'unheard']);
});

test('the source serves again after a success: undone by its restart, or by what somebody told it', () => {
  assert.deepEqual(end({ target: target(job('success')) }), { kind: 'success', undone: 'restart' });
  assert.deepEqual(end({ source: job('success', { from: 1, to: 2 }), target: target(job('success')) }), {
    kind: 'success',
    undone: 'restart',
  });
  assert.deepEqual(end({ source: job('success'), target: target(job('success')) }), {
    kind: 'success',
    undone: 'push',
  });
});

test('the source serves and the target has not said what it took: nobody is told anything before', () => {
  assert.deepEqual(end({ target: null }), { kind: 'open', waitsFor: 'target' });
});

test('a success of the past gives no slots away', () => {
  assert.equal(end({ target: target(job('success')) }, PAST).kind, 'failed');
  assert.equal(end({ source: job('success'), target: target(job('success')) }, PAST).kind, 'failed');
  // Another process has forgotten what it said before: this is of now.
  const restarted = target(job('success'), { id: 8, startedAt: 9_000 });
  assert.equal(end({ target: restarted }, PAST).kind, 'success');
});

test('source and target were restarted: it failed as far as anybody knows, and that is said', () => {
  const forgotten = end({ target: target(null, { id: 8, startedAt: 9_000 }) });
  assert.equal(forgotten.kind === 'failed' && forgotten.beside, 'forgotten');
});

const line = fc.option(
  fc.record({
    range: fc.option(fc.constantFrom(PIECE, { from: 10, to: 18 }, { from: 0, to: 5 })),
    state: fc.constantFrom('none', 'start', 'success', 'fail', 'error'),
  }),
);
const process = fc.constantFrom(PROCESS, { id: 7, startedAt: 2_000 }, { id: 8, startedAt: 90_000 });
const anyFacts: fc.Arbitrary<MigrationFacts> = fc.record({
  served: fc.constantFrom('source', 'target', 'unknown'),
  source: line,
  target: fc.option(fc.record({ importing: line, process: fc.option(process) })),
  error: fc.option(fc.constant('broken')),
});
const anyNoted = fc.option(fc.record({ success: fc.boolean(), process: fc.option(process) }));

test('slots leave their source only where it sends clients away, or the target says success of now and it has not failed', () => {
  fc.assert(
    fc.property(anyFacts, anyNoted, (seen, noted) => {
      const found = migrationEnd(seen, PIECE, noted);
      if (found.kind !== 'success' || seen.served === 'target') return;
      assert.equal(seen.served, 'source');
      assert.equal(seen.error, null);
      assert.equal(seen.target?.importing?.state, 'success');
      assert.deepEqual(seen.target?.importing?.range, PIECE);
      assert.notEqual(found.undone, null);
    }),
  );
});

test('a job that runs is never called over, and whoever does not say who serves is never overruled', () => {
  fc.assert(
    fc.property(anyFacts, anyNoted, (seen, noted) => {
      const found = migrationEnd(seen, PIECE, noted);
      const runs = seen.source?.state === 'start' && seen.source.range === PIECE;
      if (seen.served === 'target') return;
      if (runs || seen.served === 'unknown') assert.equal(found.kind, 'open');
    }),
  );
});
