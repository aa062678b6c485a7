import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from '../decisions/testing.ts';
import { linesOf } from './fingerprint.ts';
import { slotCount } from './slots.ts';
import { releasingText, topologyText } from './text.ts';

const cluster = world('a master 9 | b replica 9 | c away 9 / d master 5 | e replica 5').intended.cluster;
const gone = { id: 'x', address: { host: '10.0.0.9', port: 7 } };

const owners = (text: string): Map<string, number> =>
  new Map(linesOf(text).map((line) => [line.id, slotCount(line.slots)]));

test('the text names each member once, masters with their slots, and no away node', () => {
  assert.equal(
    topologyText(cluster),
    [
      'a 10.0.0.97 6000 master - 0-8191',
      'b 10.0.0.98 6000 slave a',
      'd 10.0.0.100 6001 master - 8192-16383',
      'e 10.0.0.101 6001 slave d',
    ].join('\n'),
  );
});

test('a drained master stands without slots, the replica owns them all, and siblings follow it', () => {
  const three = world('a master 9 | b replica 9 | c replica 9').intended.cluster;
  assert.equal(
    topologyText(three, { shard: 's0', to: 'b' }),
    ['a 10.0.0.97 6000 master -', 'b 10.0.0.98 6000 master - 0-16383', 'c 10.0.0.99 6000 slave b'].join('\n'),
  );
});

test('a drain of one shard leaves the lines of the others alone', () => {
  const plain = topologyText(cluster).split('\n').slice(2);
  assert.deepEqual(topologyText(cluster, { shard: 's0', to: 'b' }).split('\n').slice(2), plain);
});

test('a single slot is written alone, since Kvrocks refuses 5-5', () => {
  const shards = cluster.shards.map((shard, i) => (i === 0 ? { ...shard, slots: [{ from: 5, to: 5 }] } : shard));
  assert.match(topologyText({ ...cluster, shards }), /^a 10\.0\.0\.97 6000 master - 5\n/);
});

test('IPv6 is written bare: in brackets its replication would never come up', () => {
  const shards = cluster.shards.map((shard) => ({
    ...shard,
    nodes: shard.nodes.map((node) => ({ ...node, address: { host: '::1', port: 6666 } })),
  }));
  assert.match(topologyText({ ...cluster, shards }), /^a ::1 6666 master - 0-8191\n/);
});

test('a released node reads that it is a master without slots, and of the slots what all others read', () => {
  const text = releasingText(cluster, gone);
  assert.ok(text.startsWith(`${topologyText(cluster)}\n`));
  assert.equal(owners(text).get('x'), 0);
});

test('an ending cluster releases its slots to nobody: left out, the node would keep its own', () => {
  const text = releasingText({ ...cluster, shards: [] }, gone);
  assert.deepEqual(
    owners(text),
    new Map([
      ['0'.repeat(40), 16_384],
      ['x', 0],
    ]),
  );
});
