import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allActs, isAnother, nextStep, type Over, sinceNow } from './rolling.ts';
import type { ClusterStatus, NodeStatus } from './session.ts';

const STARTED = 1_795_000_000_000;
const NONE: Over = { since: STARTED + 2_000, nodes: new Set() };

type Changes = Partial<NodeStatus>;

/** `[['a', 'b'], ['c', 'd']]`: two shards, the first of each is the master. */
function status(
  shards: readonly (readonly string[])[],
  nodes: Readonly<Record<string, Changes>> = {},
  more: Partial<ClusterStatus> = {},
): ClusterStatus {
  const node = (id: string, role: 'master' | 'slave'): NodeStatus => ({
    id,
    addr: `${id}:6666`,
    role,
    state: 'up',
    membership: 'member',
    since: STARTED,
    reason: null,
    says: role,
    version: 7,
    sequence: 9,
    link: role === 'slave' ? 'up' : null,
    lag: role === 'slave' ? 0 : null,
    latency: 1,
    answered_ago: 1,
    in_sync: true,
    server_version: '2.14.0',
    process_id: 1,
    started_at: STARTED,
    priority: 100,
    no_failover: false,
    ...nodes[id],
  });
  return {
    namespace: 'ns',
    cluster: 'c',
    version: 7,
    state: 'ok',
    paused: null,
    slots_served: 16_384,
    shards: shards.map((ids, index) => ({
      id: `sh-${index}`,
      index,
      slots: [],
      nodes: ids.map((id, i) => node(id, i === 0 ? 'master' : 'slave')),
    })),
    leaving: [],
    problems: [],
    operations: [],
    ...more,
  };
}

const PAIRS = [
  ['a', 'b'],
  ['c', 'd'],
];
const order = (seen: ClusterStatus, over: Over = NONE) =>
  allActs(seen, over).map(({ kind, node }) => (kind === 'restart' ? node.id : `switch from ${node.id}`));
const next = (seen: ClusterStatus, over: Over = NONE, begun = true): string => {
  const step = nextStep(seen, over, begun);
  switch (step.kind) {
    case 'restart':
    case 'switchover':
      return `${step.kind} ${step.node.id}`;
    case 'wait':
      return `wait: ${step.for}`;
    case 'refused':
      return `refused: ${step.why}`;
    case 'done':
      return 'done';
  }
};
const restarted = { started_at: STARTED + 60_000, process_id: 2 };

test('shard by shard, its replicas before its master, which is left by a switchover first', () => {
  assert.deepEqual(order(status(PAIRS)), ['b', 'switch from a', 'a', 'd', 'switch from c', 'c']);
  assert.equal(next(status(PAIRS), NONE, false), 'restart b');
});

test('a master that was switched away from is a replica like the others by then', () => {
  assert.equal(
    next(
      status(
        [
          ['b', 'a'],
          ['c', 'd'],
        ],
        { b: restarted },
      ),
    ),
    'restart a',
  );
  assert.equal(
    next(
      status(
        [
          ['b', 'a'],
          ['c', 'd'],
        ],
        { a: restarted, b: restarted },
      ),
    ),
    'restart d',
  );
});

test('once all replicas of a shard are over its master is switched away from', () => {
  assert.equal(next(status([['a', 'b', 'e']], { b: restarted })), 'restart e');
  assert.equal(next(status([['a', 'b', 'e']], { b: restarted, e: restarted })), 'switchover a');
});

test('who was seen to be another process is over, and who was started since; nothing is left: done', () => {
  const over = { ...NONE, nodes: new Set(['a', 'b', 'c']) };
  assert.deepEqual(order(status(PAIRS), over), ['d']);
  assert.equal(next(status(PAIRS, { d: restarted }), over), 'done');
});

test('since now: later than every process began, at a whole second; nobody has said so: unknown', () => {
  const seen = status(PAIRS, { c: { started_at: STARTED + 700 }, d: { started_at: null } });
  const since = sinceNow(seen) ?? 0;
  assert.ok(since > STARTED + 700 && since % 1_000 === 0);
  assert.equal(order(seen, { since, nodes: new Set() }).length, 6);
  assert.equal(sinceNow(status([['a']], { a: { started_at: null } })), undefined);
});

test('another process: by its number, or by when it began where the number is the same, as in a container', () => {
  const { nodes } = status([['a']]).shards[0] ?? assert.fail();
  const [before = assert.fail()] = nodes;
  assert.equal(isAnother(before, { ...before, started_at: STARTED + 1_000 }), false, 'it is known to about a second');
  assert.equal(isAnother(before, { ...before, started_at: STARTED + 60_000 }), true);
  assert.equal(isAnother(before, { ...before, process_id: 2 }), true);
  for (const unread of [{ state: 'refused' }, { process_id: null }, { started_at: null }] as const)
    assert.equal(isAnother(before, { ...before, ...unread }), undefined);
});

test('what is not in order: refused before anything was done, waited for behind a restart', () => {
  for (const [changes, words] of [
    [{ b: { state: 'refused' } }, 'b:6666 is refused'],
    [{ b: { membership: 'away' } }, 'b:6666 is not back in the topology yet'],
    [{ b: { link: 'down' } }, 'b:6666 is not linked to its master yet'],
    [{ b: { link: 'sync' } }, 'b:6666 is not linked to its master yet'],
    [{ a: { in_sync: false } }, 'a:6666 does not carry the cluster’s version yet'],
    [{ a: { process_id: null } }, 'a:6666 has not said which process it is'],
  ] as const) {
    const seen = status(PAIRS, changes);
    assert.equal(next(seen, NONE, true), `wait: ${words}`);
    assert.equal(next(seen, NONE, false), `refused: the cluster is not in order: ${words}`);
  }
});

test('moves under way and problems are not in order either', () => {
  const move = {
    id: 'mv',
    kind: 'move',
    phase: 'migrating',
    by: 'ops',
    started_at: 1,
    shard: 'sh-0',
    target_shard: 'sh-1',
    slots: '0-9',
    node: null,
    message: null,
  } as const;
  assert.match(next(status(PAIRS, {}, { operations: [move] }), NONE, false), /^refused: .*1 operation under way/);
  assert.equal(
    next(status(PAIRS, {}, { operations: [{ ...move, phase: 'failed' }] })),
    'restart b',
    'given up long ago',
  );
  const problem = { code: 'X', severity: 'error', shard: null, node: null, message: 'it is late' } as const;
  const problems = [{ ...problem, waiting_for: null, command: null }];
  assert.equal(next(status(PAIRS, {}, { problems, state: 'degraded' })), 'wait: it is late');
  const warnings = problems.map((one) => ({ ...one, severity: 'warning' }) as const);
  assert.equal(next(status(PAIRS, {}, { problems: warnings, state: 'degraded' })), 'restart b', 'it may be the cure');
});

test('a shard without a replica is refused, unless its only node is over; so is a paused cluster, always', () => {
  assert.match(next(status([['a'], ['c', 'd']])), /^refused: nobody could take over from a master without a replica/);
  assert.equal(next(status([['a'], ['c', 'd']], { a: restarted })), 'restart d');
  const paused = { until: null, by: 'ops' };
  assert.match(next(status(PAIRS, {}, { paused }), NONE, true), /^refused: the cluster is paused/);
});
