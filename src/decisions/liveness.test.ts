import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeMaster, type Verdict } from './liveness.ts';
import { entry, NOW, type Sketch, seeing, shardAt, world } from './testing.ts';
import type { NodeView, PeersView } from './world.ts';

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
  assert.equal(short(busy(1_900)), 'suspect: the end of its grace inside a SETNODES');
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

const UNLINKED: Partial<NodeView> = { linkUpAt: Number.NEGATIVE_INFINITY };

test('no witness: held for 15 s from our own first attempt, then dead', () => {
  const at = (brokeAt: number, sketch: Sketch = {}) =>
    judge('a master 900 dead | b replica 900', { ...sketch, views: { a: { brokeAt }, b: UNLINKED } });
  const held = at(NOW - 14_000);
  assert.equal(short(held), 'suspect: no replica can witness it');
  assert.equal(held.kind === 'suspect' && held.until, NOW + 1_000);
  assert.equal(short(at(NOW - 15_000)), 'dead: no-witness');
  // This controller started after the master had died.
  assert.equal(short(at(NOW - 60_000, { watchingSince: NOW - 10_000 })), 'suspect: no replica can witness it');
  assert.equal(short(at(NOW - 9_000, { policy: { noWitnessHold: 8_000 } })), 'dead: no-witness');
});

test('no witness, and our own last attempt is old, or too few have timed out: still held', () => {
  const views = (a: Partial<NodeView>) => ({ views: { a: { brokeAt: NOW - 60_000, ...a }, b: UNLINKED } });
  const late = { failedAskedAt: NOW - 300 };
  assert.equal(short(judge('a master 900 dead | b replica 900', views(late))), 'suspect: a fresh attempt to connect');
  assert.equal(
    short(judge('a master 900 hung | b replica 900 down', views({ timeouts: 1 }))),
    'suspect: a second connection to time out',
  );
  assert.equal(short(judge('a master 900 hung | b replica 900 down', views({}))), 'dead: no-witness');
});

test('no witness, but a replica that hears the master, and a master without replicas: never dead', () => {
  const long = { a: { brokeAt: NOW - 3_600_000 } };
  assert.equal(
    short(judge('a master 900 dead | b replica 900 linked | c replica 900 gone', { views: long })),
    'suspect: a replica still hears it',
  );
  assert.equal(short(judge('a master 900 dead', { views: long })), 'suspect: it has no replica');
});

test('no-witness: a replica that was cut off by a wrong masterauth says down, and that is no word about its master', () => {
  const text = 'a master 900 dead | b replica 900 cutoff';
  assert.equal(short(judge(text)), 'suspect: no replica can witness it');
  // Not stored yet: the master answered after the link had gone.
  const before = { views: { a: { askedAt: NOW - 800 }, b: { linkDownAt: NOW - 1_000 } } };
  assert.equal(short(judge('a master 900 dead | b replica 900', before)), 'suspect: no replica can witness it');
  assert.equal(short(judge('a master 900 dead | b replica 900 cutoff linked')), 'suspect: a replica still hears it');
});

test('a sibling whose attach is not confirmed: its link was the one to its former master', () => {
  const attaching = (words: string, b: Partial<NodeView> = {}) =>
    short(judge(`a master 900 dead | b replica 900 attaching:within ${words}`, { views: { b } }));
  assert.equal(attaching(''), 'suspect: no replica can witness it');
  assert.equal(attaching('linked'), 'suspect: no replica can witness it', 'it hears the one before');
  assert.equal(attaching('attached:900', { linkUpAt: NOW - 800 }), 'suspect: no replica can witness it');
  assert.equal(attaching('attached:900', { linkUpAt: NOW - 400 }), 'dead: crash');
});

test('a master that dies inside a SETNODES is not waited for: its process is gone', () => {
  const busy = { views: { a: { busySince: NOW - 750 } } };
  assert.equal(short(judge('a master 900 dead | b replica 900', busy)), 'dead: crash');
});

test('node-address-reused-by-another-node: our master is gone, whoever answers in its place', () => {
  const stranger = { state: 'wrong-id', reason: 'it says that it is z', myId: 'z' } as const;
  const verdict = judge('a master 900 dead | b replica 900', { views: { a: stranger } });
  assert.equal(short(verdict), 'dead: crash');
  assert.match(verdict.kind === 'dead' ? verdict.because : '', /^another node answers at its address/);
  assert.equal(
    short(judge('a master 900 dead | b replica 900 linked', { views: { a: stranger } })),
    'suspect: a replica still hears it',
  );
});

test('master-answers-errors-to-everything: as good as silent, once its replicas have not heard it either', () => {
  const garbled = { views: { a: { state: 'garbled' } } } as const;
  assert.equal(short(judge('a master 900 hung | b replica 900', garbled)), 'dead: hang');
  assert.equal(short(judge('a master 900 hung | b replica 900 linked', garbled)), 'suspect: a replica still hears it');
});

test('answers of the living are no deaths: loading, a wrong password, deaf, and a master that says it is a slave', () => {
  for (const state of ['loading', 'denied', 'masterdown'] as const) {
    assert.equal(short(judge('a master 900 | b replica 900 down', { views: { a: { state } } })), 'alive', state);
  }
  assert.equal(short(judge('a master 900 says-slave | b replica 900 down')), 'alive');
});

test('a fresh master that took a PUBLISH before its first topology has lost nothing', () => {
  assert.equal(short(judge('a master 1 noid highest:0 | b replica 0')), 'alive');
  // One that had written under its lineage and comes back without an id has.
  assert.equal(short(judge('a master 901 noid highest:900 | b replica 900', { floor: 900 })), 'dead: lost-data');
});

test('a master that was seen below its number has lost data for good, however far it writes', () => {
  const fell = { from: 900, at: NOW - 400 };
  const verdict = judge('a master 5000 | b replica 900 down', { views: { a: { fell } } });
  assert.equal(short(verdict), 'dead: lost-data');
  assert.equal(verdict.kind === 'dead' && verdict.brokeAt, fell.at);
  assert.equal(short(judge('a master 5000', { dataLost: 900 })), 'dead: lost-data');
  assert.equal(short(judge('a master 5000 dead', { dataLost: 900 })), 'dead: lost-data');
});

test('several controllers: most of those that answered must miss it too, and those that did not answer do not count', () => {
  const seen = (peers: Partial<PeersView>) => judge('a master 900 dead | b replica 900', { peers });
  const others = seen({ alive: 2, gone: 0 });
  assert.equal(short(others), 'suspect: most of them to miss it');
  assert.equal(others.kind === 'suspect' && others.because, '2 of 3 controllers still reach it');
  assert.equal(
    short(seen({ alive: 1, gone: 0 })),
    'suspect: most of them to miss it',
    'one against one is no majority',
  );
  assert.equal(short(seen({ alive: 1, gone: 1 })), 'dead: crash');
  assert.equal(short(seen({ alive: 0, gone: 0, outstanding: 2 })), 'dead: crash', 'half a second has passed');
});

test('other controllers are waited for half a second from the first miss, and no longer than the decision may take', () => {
  const early = (brokeAt: number, linkDownAt: number) =>
    judge('a master 900 dead | b replica 900', {
      peers: { outstanding: 1 },
      views: { a: { brokeAt }, b: { linkDownAt } },
    });
  const waiting = early(NOW - 100, NOW - 700);
  assert.equal(short(waiting), 'suspect: what the other controllers see');
  assert.equal(waiting.kind === 'suspect' && waiting.until, NOW + 200);
  assert.equal(short(early(NOW - 600, NOW - 700)), 'dead: crash');
});

test('a replica that is not proven to follow this master says nothing of what it owes', () => {
  const lineage = [entry(1, 'x', 0), entry(5, 'a', 500)];
  const older: Partial<NodeView> = { answeredAt: NOW - 60 };
  assert.equal(short(judge('a master 900 | b replica 905 proof:1', { lineage, views: { b: older } })), 'alive');
  assert.equal(short(judge('a master 900 | b replica 905 unproven', { lineage, views: { b: older } })), 'alive');
});
