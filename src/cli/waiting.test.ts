import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakePlane, TEST_CLUSTER } from '../api/testing.ts';
import { Refusal } from '../controller/refusal.ts';
import type { ClusterStatus, NodeStatus, OperationStatus } from '../controller/status.ts';
import { served } from './testing.ts';
import { nodesKnow, nodesLeft, slotsMoved } from './waiting.ts';

const IN = '-n test-ns -c test-cluster';

/** As the API answers it: `ClusterStatus` of the controller, whose lists are frozen. */
const asAnswered = (status: ClusterStatus): Parameters<typeof nodesKnow>[0] => JSON.parse(JSON.stringify(status));

const plain = async () => (await fakePlane()).status(TEST_CLUSTER);

/** With this change to the first node. */
const withFirst = (status: ClusterStatus, change: Partial<NodeStatus>): ClusterStatus => ({
  ...status,
  shards: status.shards.map((shard, i) => ({
    ...shard,
    nodes: shard.nodes.map((node, j) => (i === 0 && j === 0 ? { ...node, ...change } : node)),
  })),
});

const move = (target: string, slots: string): OperationStatus => ({
  id: 'op-1',
  kind: 'move',
  phase: 'moving',
  by: 'test',
  started_at: 0,
  shard: null,
  target_shard: target,
  slots,
  node: null,
  message: null,
});

test('a node that is up and has not the version yet is waited for', async () => {
  const status = withFirst(await plain(), { in_sync: false });
  assert.deepEqual(nodesKnow(asAnswered(status)), {
    kind: 'waiting',
    text: '1 node without version 1: 127.0.0.1:7000',
  });
});

test('a node that is gone is told of, not waited for', async () => {
  const status = withFirst(await plain(), { in_sync: false, state: 'refused' });
  assert.deepEqual(nodesKnow(asAnswered(status)), {
    kind: 'done',
    notes: ['127.0.0.1:7000 is refused: it is told when it is back'],
  });
});

test('an away node is not expected to know', async () => {
  const status = withFirst(await plain(), { in_sync: false, membership: 'away' });
  assert.deepEqual(nodesKnow(asAnswered(status)), { kind: 'done', notes: [] });
});

test('in a paused cluster nothing is waited for', async () => {
  const status = { ...withFirst(await plain(), { in_sync: false }), paused: { until: null, by: 'test' } };
  assert.deepEqual(nodesKnow(asAnswered(status)), {
    kind: 'done',
    notes: ['127.0.0.1:7000 is not told: the cluster is paused'],
  });
});

test('a removed node is waited for while it can be told; a lost one comes with the command that gives it up', async () => {
  const status = await plain();
  const node = status.shards[0]?.nodes[1];
  assert.ok(node !== undefined);
  const leaving = { ...status, leaving: [{ ...node, membership: 'leaving' as const }] };
  assert.deepEqual(nodesLeft([node.id])(asAnswered(leaving)), {
    kind: 'waiting',
    text: '127.0.0.1:7001 to be released',
  });
  assert.deepEqual(nodesLeft(['another'])(asAnswered(leaving)), { kind: 'done', notes: [] });
  const lost = { ...status, leaving: [{ ...node, membership: 'leaving' as const, state: 'silent' as const }] };
  assert.deepEqual(nodesLeft([node.id])(asAnswered(lost)), {
    kind: 'done',
    notes: [
      `127.0.0.1:7001 is silent and not released yet; to give it up: kvctl node forget ${node.id} -n test-ns -c test-cluster`,
    ],
  });
});

test('a move is done when the target owns the slots, and failed when it is gone without that', async () => {
  const status = await plain();
  const target = status.shards[1]?.id ?? '';
  const judge = slotsMoved(target, [
    { from: 8192, to: 8200 },
    { from: 5, to: 6 },
  ]);
  assert.deepEqual(judge(asAnswered({ ...status, operations: [move(target, '5-6')] })), {
    kind: 'waiting',
    text: 'slots 5-6 to move (moving)',
    watch: 'move list --watch',
  });
  assert.deepEqual(judge(asAnswered({ ...status, operations: [move(target, '7')] })), {
    kind: 'failed',
    why: `the move of slots 5-6 ended, and ${target} does not own them`,
  });
  const owned = slotsMoved(target, [{ from: 9000, to: 9001 }]);
  assert.equal(owned(asAnswered(status)).kind, 'done');
});

test('a write that is stored and not known everywhere in time: the sentence, then exit code 7', async (t) => {
  let now = 0;
  const { kvctl, plane } = await served(t, { clock: { now: () => now, wall: () => now } });
  const behind = withFirst(plane.status(TEST_CLUSTER), { in_sync: false });
  plane.status = () => {
    now += 30_000;
    return behind;
  };
  const { code, out, err } = await kvctl(`sync ${IN}`);
  assert.equal(code, 7);
  assert.equal(out, 'sync cluster: test-cluster successfully.\n');
  assert.match(
    err,
    /^error: it is stored, but not finished after 60 s: waiting for 1 node without version 1: 127\.0\.0\.1:7000\nIt goes on by itself\. Watch it: kvctl status --watch -n test-ns -c test-cluster\n$/,
  );
});

test('--no-wait returns once it is stored, and tells the controller so', async (t) => {
  const { kvctl, plane } = await served(t);
  plane.status = () => {
    throw new Refusal('internal', 'nobody should ask');
  };
  assert.equal((await kvctl(`sync ${IN} --no-wait`)).code, 0);
  assert.equal(plane.asked[0]?.options.wait, 0);
});

test('nodes that learn it meanwhile end the wait; a person sees what it waits for', async (t) => {
  const { kvctl, plane } = await served(t, { errIsTerminal: true });
  const known = plane.status(TEST_CLUSTER);
  let looks = 0;
  plane.status = () => {
    looks++;
    if (looks === 2) throw new Refusal('not_leader', 'no controller leads at present');
    return looks < 4 ? withFirst(known, { in_sync: false }) : known;
  };
  const { code, err } = await kvctl(`sync ${IN}`);
  assert.equal(code, 0);
  assert.equal(looks, 4);
  assert.match(err, /waiting for 1 node without version 1: 127\.0\.0\.1:7000 \(/);
  assert.match(err, /waiting for the controller: no controller leads at present/);
  assert.ok(err.endsWith('\r\x1b[K'));
});

test('a move that fails is exit code 5, with where to look', async (t) => {
  const { kvctl, plane } = await served(t);
  const before = plane.status(TEST_CLUSTER);
  plane.status = () => before;
  const { code, err } = await kvctl(`migrate slot 5 --target 1 ${IN}`);
  assert.equal(code, 5);
  assert.match(err, /the move of slots 5 ended, and sh-\w+ does not own them\n.*kvctl events -n test-ns/);
});
