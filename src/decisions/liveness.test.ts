import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeMaster, type Verdict } from './liveness.ts';
import { entry, NOW, type Sketch, seeing, shardAt, world } from './testing.ts';
import type { NodeView } from './world.ts';

const judge = (text: string, sketch: Sketch = {}) => {
  const seen = world(text, sketch);
  return judgeMaster(seen, shardAt(seen));
};

const short = (verdict: Verdict): string =>
  verdict.kind === 'dead'
    ? `dead: ${verdict.how}`
    : verdict.kind === 'suspect'
      ? `suspect: ${verdict.waitingFor}`
      : 'alive';

test('a master that answers as master is alive', () => {
  assert.equal(short(judge('a master 900 | b replica 900')), 'alive');
});

test('a master that was never asked is not judged', () => {
  assert.equal(short(judge('a master 900 unasked | b replica 900 down')), 'alive');
});

test('refused and refused again, a replica has lost it: a crash', () => {
  const verdict = judge('a master 900 dead | b replica 900');
  assert.equal(short(verdict), 'dead: crash');
  assert.equal(verdict.kind === 'dead' && verdict.brokeAt, NOW - 700);
});

test('a replica that still hears it wins against one that does not', () => {
  assert.equal(
    short(judge('a master 900 dead | b replica 900 | c replica 900 linked')),
    'suspect: a replica still hears it',
  );
  assert.equal(short(judge('a master 900 dead | b replica 900 linked')), 'suspect: a replica still hears it');
});

test('refused without any replica that can witness it: held', () => {
  assert.equal(short(judge('a master 900 dead')), 'suspect: it has no replica');
  assert.equal(short(judge('a master 900 dead | b replica 900 gone')), 'suspect: no replica can witness it');
});

test('a replica whose link was not up within 10 s before the break is no witness', () => {
  const unlinked: Partial<NodeView> = { linkUpAt: NOW - 10_701 };
  assert.equal(
    short(judge('a master 900 dead | b replica 900', { views: { b: unlinked } })),
    'suspect: no replica can witness it',
  );
  const never: Partial<NodeView> = { linkUpAt: Number.NEGATIVE_INFINITY };
  assert.equal(
    short(judge('a master 900 dead | b replica 900', { views: { b: never } })),
    'suspect: no replica can witness it',
  );
});

test('an away replica is no witness: it may follow somebody else', () => {
  assert.equal(short(judge('a master 900 dead | b away 900')), 'suspect: it has no replica');
});

test('a replica in a full sync is hearing a master: it has not lost it', () => {
  assert.equal(short(judge('a master 900 dead | b replica 900 sync')), 'suspect: no replica can witness it');
});

test('a replica that was not asked since the break says nothing of it', () => {
  assert.equal(short(judge('a master 900 dead | b replica 900 asked:800')), 'suspect: no replica can witness it');
});

test('0.5 s after the break it may be restarting; the decision comes at 0.6 s', () => {
  const early: Partial<NodeView> = { brokeAt: NOW - 500 };
  const verdict = judge('a master 900 dead | b replica 900', {
    views: { a: early, b: { linkDownAt: NOW - 490 } },
  });
  assert.equal(short(verdict), 'suspect: it may be restarting');
  assert.equal(verdict.kind === 'suspect' && verdict.until, NOW + 100);
});

test('a replica that lost it first moves the break back', () => {
  const verdict = judge('a master 900 dead | b replica 900', {
    views: { a: { brokeAt: NOW - 500 }, b: { linkDownAt: NOW - 650 } },
  });
  assert.equal(verdict.kind === 'dead' && verdict.brokeAt, NOW - 650);
});

test('a link that was down long before has nothing to do with this break', () => {
  const verdict = judge('a master 900 dead | b replica 900 | c replica 900', {
    views: { c: { linkDownAt: NOW - 5_000, linkUpAt: NOW - 5_100 } },
  });
  assert.equal(verdict.kind === 'dead' && verdict.brokeAt, NOW - 700);
});

test('refused once and not asked again since: a fresh attempt is waited for', () => {
  const verdict = judge('a master 900 dead | b replica 900', { views: { a: { failedAskedAt: NOW - 300 } } });
  assert.equal(short(verdict), 'suspect: a fresh attempt to connect');
});

test('a master that was restarted within the 0.6 s answers as before: alive', () => {
  assert.equal(short(judge('a master 900 | b replica 900 down')), 'alive');
});

test('a master that was restarted empty has lost data, whoever saw what', () => {
  assert.equal(short(judge('a master 3 highest:900 | b replica 900 down')), 'dead: lost-data');
  assert.equal(
    short(judge('a master 900 | b replica 900', { views: { a: { myId: '', sequence: 0 } } })),
    'dead: lost-data',
  );
});

test('a fresh node that has no id yet and is where it was seen is not a master that lost data', () => {
  assert.equal(short(judge('a master 0 noid | b replica 0')), 'alive');
});

test('a hang: no answer for the tolerance, two connections timed out, a witness silent for 4 s', () => {
  assert.equal(short(judge('a master 900 hung | b replica 900')), 'dead: hang');
});

test('a hang shorter than the tolerance is waited out', () => {
  const answered: Partial<NodeView> = { answeredAt: NOW - 2_000 };
  const verdict = judge('a master 900 hung | b replica 900', { views: { a: answered } });
  assert.equal(short(verdict), 'suspect: the tolerance');
  assert.equal(verdict.kind === 'suspect' && verdict.until, NOW + 1_000);
});

test('a hang seen by one connection only waits for a second one', () => {
  const verdict = judge('a master 900 hung | b replica 900', { views: { a: { timeouts: 1 } } });
  assert.equal(short(verdict), 'suspect: a second connection to time out');
});

test('a hang whose replica heard the master 3 s ago is none: healthy links show that', () => {
  assert.equal(short(judge('a master 900 hung | b replica 900 silent:3')), 'suspect: a replica still hears it');
});

test('cut off from the controller alone: the replicas hear it, and nothing is done however long it lasts', () => {
  const long: Partial<NodeView> = { brokeAt: NOW - 60_000, answeredAt: NOW - 60_000, timeouts: 30 };
  assert.equal(
    short(judge('a master 900 hung | b replica 900 linked', { views: { a: long } })),
    'suspect: a replica still hears it',
  );
});

test('a master inside a SETNODES gets 2 s of grace, and counts as silent from then on', () => {
  const busy = (since: number) =>
    judge('a master 900 hung | b replica 900', { views: { a: { busySince: NOW - since } } });
  assert.equal(short(busy(1_900)), 'suspect: the end of its grace');
  assert.equal(short(busy(2_100)), 'dead: hang');
});

test('the controller stalled: what was asked before it woke is not believed', () => {
  assert.equal(
    short(judge('a master 900 dead | b replica 900', { trustFrom: NOW - 20 })),
    'suspect: no replica can witness it',
  );
  const seen = world('a master 900 dead | b replica 900', { trustFrom: NOW - 60 });
  assert.equal(short(judgeMaster(seen, shardAt(seen))), 'dead: crash');
  const attempt = seeing(seen, 'a', { failedAskedAt: NOW - 70 });
  assert.equal(short(judgeMaster(attempt, shardAt(attempt))), 'suspect: a fresh attempt to connect');
});

test('the controller stalled: a hang is counted from its waking', () => {
  const verdict = judge('a master 900 hung | b replica 900', { trustFrom: NOW - 1_000 });
  assert.equal(short(verdict), 'suspect: the tolerance');
});

test('a witness that answered more than 250 ms ago does not decide a crash', () => {
  assert.equal(short(judge('a master 900 dead | b replica 900 asked:300')), 'suspect: no replica can witness it');
});

test('a replica told that the master is beyond what it answers with: records are gone that nobody here had counted', () => {
  // Between two probes the master wrote, fed its replica and came back without what it had not kept.
  assert.equal(
    short(judge('a master 900 | b replica 905', { views: { b: { answeredAt: NOW - 60 } } })),
    'dead: lost-data',
  );
});

test('a replica that answered after the master may be ahead of the master’s older answer', () => {
  assert.equal(short(judge('a master 900 | b replica 905', { views: { b: { answeredAt: NOW - 40 } } })), 'alive');
});

test('a replica that is not proven to follow this master says nothing of what it owes', () => {
  const lineage = [entry(1, 'x', 0), entry(5, 'a', 500)];
  const older: Partial<NodeView> = { answeredAt: NOW - 60 };
  assert.equal(short(judge('a master 900 | b replica 905 proof:1', { lineage, views: { b: older } })), 'alive');
  assert.equal(short(judge('a master 900 | b replica 905 unproven', { lineage, views: { b: older } })), 'alive');
});
