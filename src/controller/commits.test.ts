import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideFailovers } from '../decisions/failover.ts';
import { world } from '../decisions/testing.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import type { Committed, Store, Write } from '../store/port.ts';
import { Commits } from './commits.ts';
import { EvidenceLog } from './evidence.ts';
import { History } from './history.ts';
import { EVENT_PREFIX, EVIDENCE_PREFIX, STATE_PREFIX } from './records.ts';

const NEVER = () => assert.fail('not asked for');
/** One master is dead, and another one is only missed from here. */
const TROUBLE = 'a master 900 dead | b replica 900 / c master 9 gone | d replica 9 linked';

/** A store that answers as told, and a clock whose timers are run by hand. */
function scene(answer: () => Committed = () => ({ kind: 'committed', revision: 2 })) {
  const commits: (readonly Write[])[] = [];
  const due: { call: () => void; delay: number }[] = [];
  const runtime: Runtime = {
    clock: { now: () => 0, wall: () => 1_795_000_000_000 },
    timers: {
      after: (delay, call) => {
        const timer = { call, delay };
        due.push(timer);
        return () => due.splice(due.indexOf(timer), 1);
      },
    },
    random: seededRandom(1),
    network: { connect: NEVER, resolve: NEVER },
  };
  const store: Store = {
    read: NEVER,
    watch: NEVER,
    campaign: NEVER,
    close: NEVER,
    list: () => Promise.resolve({ entries: [], revision: 1 }),
    commit: (writes) => {
      commits.push(writes);
      return Promise.resolve(answer());
    },
  };
  const history = new History(store, runtime.clock, 'ns', 'c1', 1);
  const evidence = new EvidenceLog(store, 'ns', 'c1', 1, { info: NEVER, warn: NEVER, error: NEVER });
  const written = new Commits(
    { runtime, store, fence: 'f', log: { info: NEVER, warn: NEVER, error: NEVER } },
    { topology: 1, state: 1 },
    history,
    evidence,
  );
  /** Prefixes of what the commit at this place wrote. */
  const kinds = (index: number) =>
    [EVENT_PREFIX, EVIDENCE_PREFIX, STATE_PREFIX].filter((prefix) =>
      commits[index]?.some(({ key }) => key.startsWith(prefix)),
    );
  const failOver = async () => {
    const seen = world(TROUBLE);
    const { reports, proposal } = decideFailovers(seen);
    assert.ok(proposal !== undefined);
    const events = written.stamp(proposal.events, seen.intended, proposal.next);
    return written.write(proposal.next, events, evidence.withCommit(seen, reports, proposal));
  };
  const note = () => {
    const seen = world(TROUBLE);
    if (evidence.observe(seen, decideFailovers(seen).reports)) written.storeSoon();
  };
  return { commits, due, kinds, failOver, note };
}

test('what a failover was decided from is in the failover’s own commit', async () => {
  const { commits, kinds, failOver } = scene();
  await failOver();
  assert.deepEqual([commits.length, kinds(0)], [1, [EVENT_PREFIX, EVIDENCE_PREFIX, STATE_PREFIX]]);
});

test('what stands in the way is stored within 200 ms, by itself', async () => {
  const { commits, due, kinds, note } = scene();
  note();
  note();
  assert.deepEqual(
    due.map(({ delay }) => delay),
    [200],
  );
  due.shift()?.call();
  assert.deepEqual([commits.length, kinds(0)], [1, [EVIDENCE_PREFIX]]);
});

test('what a store did not take is stored with the next commit', async () => {
  let answer: Committed = { kind: 'failed', why: 'the disk is full' };
  const { commits, due, note, failOver } = scene(() => answer);
  note();
  due.shift()?.call();
  // The answer takes a turn.
  await new Promise<void>((resolve) => {
    queueMicrotask(() => queueMicrotask(resolve));
  });
  answer = { kind: 'committed', revision: 3 };
  await failOver();
  const records = commits[1]?.filter(({ key }) => key.startsWith(EVIDENCE_PREFIX)) ?? [];
  assert.deepEqual(records.map(({ value }) => JSON.parse(value ?? '').kind).sort(), ['failover', 'waits']);
});
