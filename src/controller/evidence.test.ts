import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideFailovers } from '../decisions/failover.ts';
import { after, entry, NOW, type Sketch, world } from '../decisions/testing.ts';
import type { World } from '../decisions/world.ts';
import type { Entry, Store, Write } from '../store/port.ts';
import { EVIDENCE_KEPT, type EvidenceBatch, EvidenceLog } from './evidence.ts';
import { EVIDENCE_SIZE, type Evidence } from './evidence-record.ts';
import { evidenceKey } from './records.ts';

const NEVER = () => assert.fail('not asked for');

/** Only what evidence asks of a store. */
function shelf(kept = new Map<string, string>()) {
  const list: Store['list'] = (prefix) => {
    const entries = [...kept]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]): Entry => ({ key, value, revision: 1 }));
    return Promise.resolve({ revision: 1, entries });
  };
  const store: Store = { read: NEVER, watch: NEVER, campaign: NEVER, commit: NEVER, close: NEVER, list };
  const write = (writes: readonly Write[]) => {
    for (const { key, value } of writes) {
      if (value === null) kept.delete(key);
      else kept.set(key, value);
    }
  };
  return { kept, store, write };
}

function logOver(kept = new Map<string, string>()) {
  const defects: string[] = [];
  const { store, write } = shelf(kept);
  const log = new EvidenceLog(store, 'ns', 'c1', 1, { info: NEVER, warn: NEVER, error: () => defects.push('told') });
  const put = (batch: EvidenceBatch) => {
    write(batch.writes);
    batch.ended(true);
    return batch.writes.length;
  };
  return {
    kept,
    log,
    defects,
    /** One decision, and the moment after which what it noted is written. */
    see(seen: World) {
      const fresh = log.observe(seen, decideFailovers(seen).reports);
      return { fresh, written: put(log.noted()) };
    },
    note: (seen: World) => log.observe(seen, decideFailovers(seen).reports),
    flush: () => put(log.noted()),
    /** A decision that ends in a commit. */
    act(seen: World) {
      const { reports, proposal } = decideFailovers(seen);
      assert.ok(proposal !== undefined, 'nothing is proposed');
      log.observe(seen, reports);
      put(log.withCommit(seen, reports, proposal));
      return proposal;
    },
    read: (shard?: string, limit = 1_000) => log.read(shard, limit),
  };
}

/** The same world some milliseconds later. */
const later = (text: string, ms: number, sketch: Sketch = {}): World => ({
  ...world(text, { ...sketch, now: NOW + ms }),
  wall: 1_795_000_000_000 + ms,
});

const DEAD = 'a master 900 dead | b replica 900 | c replica 895 loading';

test('a failover is recorded with all that it was made from', async () => {
  const { act, read } = logOver();
  act(later(DEAD, 0, { eligibleFrom: 800, floor: 900 }));
  const [record, ...others] = await read();
  assert.ok(record !== undefined && others.length === 0);
  assert.deepEqual(
    [record.kind, record.acted, record.shard, record.version, record.by, record.count],
    ['failover', true, 's0', 8, 'controller', 1],
  );
  assert.match(record.outcome, /^b replaces a as master: it refuses connections/);
  assert.deepEqual([record.verdict?.kind, record.verdict?.how, record.break_age], ['dead', 'crash', 700]);
  assert.deepEqual([record.floor, record.eligible_from], [900, 800]);
  assert.equal(record.settings.max_lag_ms, 10_000);
  const [a, b, c] = record.nodes;
  assert.deepEqual([a?.role, a?.state, a?.witness, a?.refusals], ['master', 'refused', null, null]);
  assert.deepEqual([b?.sequence, b?.link, b?.witness, b?.answered_ago, b?.refusals], [900, 'down', 'for', 49, []]);
  assert.deepEqual([c?.state, c?.witness, c?.refusals], ['loading', 'silent', ['loading']]);
});

test('what stands in the way is recorded once, and again only when more than numbers have changed', async () => {
  const { see, read } = logOver();
  const behind = (lag: number, ms: number) =>
    later(`a master 900 dead | b replica ${900 - lag} | c replica 100`, ms, { floor: 900, eligibleFrom: 890 });
  assert.deepEqual(see(behind(600, 0)), { fresh: true, written: 1 });
  assert.deepEqual(see(behind(500, 60_000)), { fresh: false, written: 0 });
  const loading = later('a master 900 dead | b replica 300 loading | c replica 100', 120_000, {
    floor: 900,
    eligibleFrom: 890,
  });
  assert.equal(see(loading).written, 1);
  const [second, first] = await read();
  assert.deepEqual([first?.kind, first?.acted, second?.kind], ['holds', false, 'holds']);
  assert.match(first?.outcome ?? '', /^nobody is promoted: .*b: 600 behind, of which 10 may be lost/);
  assert.equal(first?.waiting_for, 'an eligible replica, or the master');
  assert.deepEqual(second?.nodes[1]?.refusals, ['loading']);
});

test('a healthy cluster leaves no record, and a connection that breaks for a moment none either', async () => {
  const { see, note, flush, read } = logOver();
  see(later('a master 9 | b replica 9', 0));
  assert.equal(note(later('a master 9 gone | b replica 9 linked', 100)), true);
  note(later('a master 9 | b replica 9', 150));
  assert.equal(flush(), 0);
  assert.deepEqual(await read(), []);
});

test('a master that comes and goes is counted, not recorded each time', async () => {
  const { see, read } = logOver();
  for (let second = 0; second < 60; second += 2) {
    see(later('a master 9 gone | b replica 9 linked', second * 1_000));
    see(later('a master 9 | b replica 9', second * 1_000 + 1_000));
  }
  const [answers, waits, ...others] = await read();
  assert.deepEqual([others.length, answers?.kind, waits?.kind], [0, 'answers', 'waits']);
  assert.deepEqual([answers?.count, waits?.count], [30, 30]);
  assert.deepEqual([waits?.at, waits?.last_at], [1_795_000_000_000, 1_795_000_058_000]);
});

test('the same after a quiet while is a record of its own', async () => {
  const { see, read } = logOver();
  const gone = 'a master 9 gone | b replica 9 linked';
  see(later(gone, 0));
  see(later('a master 9 | b replica 9', 1_000));
  see(later(gone, 30_000));
  assert.deepEqual(
    (await read()).map(({ kind, count }) => `${kind} ${count}`),
    ['waits 1', 'answers 1', 'waits 1'],
  );
});

test('after a failover what stands in the way of the next one is new', async () => {
  const { see, act, read } = logOver();
  see(later('a master 900 dead | b replica 900 linked', 0));
  const { next } = act(later(DEAD, 500));
  const seen = after(later('b master 900 gone | a away 900', 1_000), next);
  see(seen);
  assert.deepEqual(
    (await read()).map(({ kind }) => kind),
    ['waits', 'failover', 'waits'],
  );
});

test('a master that lives and serves nothing is no master that answers again', async () => {
  const { see, read } = logOver();
  see(later('a master 9 gone | b replica 9 linked', 0));
  see(later('a master 9 loading | b replica 9 linked', 20_000));
  see(later('a master 9 | b replica 9', 40_000));
  const records = await read();
  assert.deepEqual(
    records.map(({ kind }) => kind),
    ['answers', 'waits', 'waits'],
  );
  assert.match(records[1]?.outcome ?? '', /^nothing is done: something answers at master a, and it is loading/);
});

test('an away node that may not come back: why, once', async () => {
  const { see, read } = logOver();
  const replaced: Sketch = { lineage: [entry(1, 'a', 0), entry(5, 'b', 1_000)] };
  see(later('b master 1200 | a away 1020 proof:1 says-master', 0, replaced));
  see(later('b master 1200 | a away 1020 proof:1 says-master fenced:1020', 500, replaced));
  see(later('b master 1300 | a away 1020 proof:1 says-master fenced:1020', 20_000, replaced));
  const [refuses, fences, ...others] = await read();
  assert.deepEqual([others.length, fences?.kind, refuses?.kind], [0, 'fences', 'refuses']);
  assert.match(refuses?.outcome ?? '', /a may not follow b: it holds 20 records/);
  assert.deepEqual(refuses?.nodes.find(({ id }) => id === 'a')?.refusals, [refuses?.outcome]);
});

test('records of one shard, the newest ones, also by a successor', async () => {
  const first = logOver();
  const dead = 'a master 9 dead | b replica 9 linked / c master 9 dead | d replica 9 linked';
  first.see(later(dead, 0));
  first.see(later('a master 9 | b replica 9 / c master 9 | d replica 9', 20_000));
  const { read } = logOver(first.kept);
  assert.equal((await read()).length, 4);
  const ofOne = await read('s1');
  assert.deepEqual(
    ofOne.map(({ shard, kind }) => `${shard} ${kind}`),
    ['s1 answers', 's1 waits'],
  );
  assert.deepEqual(await read('s1', 1), ofOne.slice(0, 1));
});

test('the oldest records go, those of an earlier process too', async () => {
  const kept = new Map<string, string>();
  for (let id = 1; id <= EVIDENCE_KEPT; id++) {
    const old = { format: 1, id, shard: 's9', nodes: [], at: id, last_at: id };
    kept.set(evidenceKey('ns', 'c1', id), JSON.stringify(old));
  }
  const { note, flush, read } = logOver(kept);
  note(later('a master 9 gone | b replica 9 linked', 0));
  await Promise.resolve();
  flush();
  const records = await read();
  assert.equal(records.length, EVIDENCE_KEPT);
  assert.deepEqual([records[0]?.kind, records.at(-1)?.id], ['waits', 2]);
});

test('a record never outgrows its bound: nodes that find no room are counted', async () => {
  const { act, kept, read } = logOver();
  const ids = Array.from({ length: 60 }, (_, i) => `n${i}`);
  act(later(`a master 900 dead | b replica 900 | ${ids.map((id) => `${id} replica 5 loading`).join(' | ')}`, 0));
  for (const text of kept.values()) assert.ok(new TextEncoder().encode(text).length <= EVIDENCE_SIZE);
  const [record] = await read();
  assert.ok(record !== undefined && record.nodes.length > 10);
  assert.equal(record.nodes.length + record.nodes_omitted, 62);
});

test('what the store did not take goes with a later write', async () => {
  const { log, note, flush, read } = logOver();
  note(later('a master 9 gone | b replica 9 linked', 0));
  log.noted().ended(false);
  assert.equal(flush(), 1);
  assert.deepEqual(
    (await read()).map(({ kind }: Evidence) => kind),
    ['waits'],
  );
});

test('a defect in recording costs the record, is told once, and never the decision', () => {
  const { log, defects } = logOver();
  const broken: World = {
    ...later(DEAD, 0),
    view: () => {
      throw new Error('a defect');
    },
  };
  const { reports, proposal } = decideFailovers(later(DEAD, 0));
  assert.equal(log.observe(broken, reports), false);
  assert.equal(log.observe(broken, reports), false);
  assert.ok(proposal !== undefined);
  assert.deepEqual([log.withCommit(later(DEAD, 0), reports, proposal).writes.length, defects], [1, ['told']]);
});

test('a record of a later format, or that is none, is passed over', async () => {
  const kept = new Map([
    [evidenceKey('ns', 'c1', 1), '{"format":2,"id":1}'],
    [evidenceKey('ns', 'c1', 2), '{'],
  ]);
  assert.deepEqual(await logOver(kept).read(), []);
});
