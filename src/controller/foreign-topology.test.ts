import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sketch, world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import type { Intended } from '../operations/intended.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { nodeOf } from '../topology/cluster.ts';
import { ALL_SLOTS } from '../topology/slots.ts';
import { newNodes, settleForeign } from './foreign-topology.ts';
import { encodeTopology } from './topology-record.ts';

const TWO = 'a master 900 | b replica 890 / c master 500 | d replica 495';

interface ForeignShard {
  nodes: { id: string; addr: string; role: string }[];
  slot_ranges: string[];
  target_shard_index: number;
  migrating_slot: string | null;
}

interface ForeignRecord {
  name: string;
  version: number;
  shards: ForeignShard[];
}

const shardAt = (record: ForeignRecord, index: number): ForeignShard => {
  const shard = record.shards[index];
  assert.ok(shard !== undefined);
  return shard;
};

/** As a controller writes that has read ours and changes it. */
function written(ours: Intended, change: (record: ForeignRecord) => void): string {
  const record: ForeignRecord = JSON.parse(encodeTopology(ours));
  record.version++;
  change(record);
  return JSON.stringify(record);
}

function settled(
  text: string,
  change: (record: ForeignRecord) => void,
  sketch: Sketch = {},
  taken = new Map<string, string>(),
) {
  const ours = world(text, sketch).intended;
  const proposal = settleForeign(ours, { record: written(ours, change), taken, overwritten: false }, seededRandom(1));
  const event = proposal.events[0];
  assert.ok(event !== undefined);
  return { ours, next: proposal.next, kind: event.kind, message: event.message };
}

const setAside = (
  text: string,
  change: (record: ForeignRecord) => void,
  sketch: Sketch = {},
  taken = new Map<string, string>(),
) => {
  const { ours, next, kind, message } = settled(text, change, sketch, taken);
  assert.equal(kind, 'topology.set-aside');
  assert.deepEqual(next.cluster.shards, ours.cluster.shards, 'ours is put back as it is');
  return message.replace('what another controller wrote over the topology is set aside: ', '');
};

function swap(shard: ForeignShard, master: string): void {
  for (const node of shard.nodes) node.role = node.id === master ? 'master' : 'slave';
}

test('it fails over to a replica that is proven here: adopted, and everybody else comes back by the rule of lineage', () => {
  const { ours, next, kind, message } = settled(TWO, (record) => swap(shardAt(record, 0), 'b'));
  assert.equal(kind, 'topology.adopted');
  assert.match(message, /b replaces a as master/);
  const version = ours.cluster.version + 2;
  const [first, second] = next.cluster.shards;
  assert.equal(next.cluster.version, version, 'above both');
  assert.deepEqual(first?.lineage.at(-1), { version, master: 'b', sequence: 890, exact: false });
  assert.deepEqual(
    first?.nodes.map((node) => [node.id, node.membership]),
    [
      ['a', 'away'],
      ['b', 'member'],
    ],
  );
  assert.deepEqual(second, ours.cluster.shards[1]);
});

test('it fails over to a replica that nobody has proven: set aside', () => {
  const text = 'a master 900 | b replica 890 unproven';
  assert.match(
    setAside(text, (record) => swap(shardAt(record, 0), 'b')),
    /b is not proven and would be its master/,
  );
  assert.match(
    setAside('a master 900 | b away 890', (record) => swap(shardAt(record, 0), 'b')),
    /b is away and cannot be a master/,
  );
});

test('it was made from an older topology than the committed one: set aside, lest it undoes what was done since', () => {
  const { ours, next, message } = settled(TWO, (record) => {
    record.version -= 3;
  });
  assert.match(message, /it is of version 5 and so was not made from version 7/);
  assert.equal(next.cluster.version, ours.cluster.version + 1);
});

test('it is far above the committed version, and wrong: ours is put above it', () => {
  const { next } = settled(TWO, (record) => {
    record.version = 40;
    record.shards.pop();
  });
  assert.equal(next.cluster.version, 41);
});

test('slots would have no owner, or two: set aside', () => {
  assert.match(
    setAside(TWO, (record) => {
      shardAt(record, 0).slot_ranges = ['5-8191'];
    }),
    /slots 0-4 would have no owner/,
  );
  assert.match(
    setAside(TWO, (record) => {
      shardAt(record, 0).slot_ranges = ['0-9000'];
    }),
    /slot 8192 has another owner already/,
  );
});

test('it gives slots of one shard to the other, as after a move without keys: adopted', () => {
  const { next, kind, message } = settled(TWO, (record) => {
    shardAt(record, 0).slot_ranges = ['0-8000'];
    shardAt(record, 1).slot_ranges = ['8001-16383'];
  });
  assert.equal(kind, 'topology.adopted');
  assert.match(message, /slots 8001-8191 go to shard s1/);
  assert.deepEqual(next.cluster.shards[1]?.slots, [{ from: 8001, to: 16383 }]);
});

test('it begins a migration: it becomes a move of ours, whose end is found out', () => {
  const { next } = settled(TWO, (record) => {
    const shard = shardAt(record, 0);
    shard.migrating_slot = '5-9';
    shard.target_shard_index = 1;
  });
  const [move] = next.operations;
  assert.ok(move?.kind === 'move');
  assert.deepEqual([move.phase, move.range, move.source, move.target], ['migrating', { from: 5, to: 9 }, 's0', 's1']);
});

test('it removes a replica: told that it serves nothing, its data left', () => {
  const { next } = settled(TWO, (record) => {
    shardAt(record, 0).nodes.pop();
  });
  assert.deepEqual(
    next.cluster.leaving.map(({ id, how }) => [id, how]),
    [['b', 'release']],
  );
});

test('it adds a replica that nobody has: listed as away, since nothing is known of what it holds', () => {
  const join = (record: ForeignRecord) =>
    void shardAt(record, 1).nodes.push({ id: 'n', addr: '10.0.0.9:7000', role: 'slave' });
  const { next, kind } = settled(TWO, join);
  assert.equal(kind, 'topology.adopted');
  const added = nodeOf(next.cluster, 'n')?.node;
  assert.deepEqual([added?.membership, added?.proof], ['away', null]);
  const ours = world(TWO).intended;
  assert.deepEqual(newNodes(ours.cluster, written(ours, join)), [
    { id: 'n', address: { host: '10.0.0.9', port: 7000 } },
  ]);
});

test('it adds a node of another cluster: set aside', () => {
  const words = setAside(
    TWO,
    (record) => void shardAt(record, 1).nodes.push({ id: 'n', addr: '10.0.0.9:7000', role: 'slave' }),
    {},
    new Map([['n', 'ns/other']]),
  );
  assert.equal(words, 'n at 10.0.0.9:7000 is a node of cluster ns/other already');
});

test('it adds a shard without slots: adopted, its master believed and nobody else', () => {
  const { next, kind } = settled(TWO, (record) => {
    record.shards.push({
      nodes: [
        { id: 'n', addr: '10.0.0.9:7000', role: 'master' },
        { id: 'o', addr: '10.0.0.9:7001', role: 'slave' },
      ],
      slot_ranges: [],
      target_shard_index: -1,
      migrating_slot: null,
    });
  });
  assert.equal(kind, 'topology.adopted');
  const shard = next.cluster.shards[2];
  assert.deepEqual(
    shard?.nodes.map((node) => [node.membership, node.proof?.how]),
    [
      ['member', 'master'],
      ['away', undefined],
    ],
  );
});

test('it gives slots to a shard that nobody knows: set aside', () => {
  const words = setAside(TWO, (record) => {
    shardAt(record, 1).slot_ranges = ['8192-16000'];
    record.shards.push({
      nodes: [{ id: 'n', addr: '10.0.0.9:7000', role: 'master' }],
      slot_ranges: ['16001-16383'],
      target_shard_index: -1,
      migrating_slot: null,
    });
  });
  assert.equal(words, 'it gives slots to n, which nobody here has proven');
});

test('it splits a shard, or puts its replica into another: set aside', () => {
  assert.match(
    setAside(TWO, (record) => {
      const moved = shardAt(record, 0).nodes.splice(1);
      shardAt(record, 1).nodes.push(...moved);
    }),
    /it puts b into another shard/,
  );
  assert.match(
    setAside(TWO, (record) => {
      const [b] = shardAt(record, 0).nodes.splice(1);
      assert.ok(b !== undefined);
      const nodes = [{ ...b, role: 'master' }];
      record.shards.push({ nodes, slot_ranges: [], target_shard_index: -1, migrating_slot: null });
    }),
    /it puts b into another shard/,
  );
});

test('it moves a node to another address, which nobody has seen: set aside', () => {
  assert.match(
    setAside(TWO, (record) => {
      const node = shardAt(record, 0).nodes[1];
      assert.ok(node !== undefined);
      node.addr = '10.9.9.9:7000';
    }),
    /b is at 10\.0\.0\.98:6000, and nobody has seen it at 10\.9\.9\.9:7000/,
  );
});

test('it was deleted, cannot be read, or makes no sense: ours is put back', () => {
  const ours = world(TWO).intended;
  const records = [null, '{', '{"version": 8, "name": "c", "shards": [{"nodes": []}]}'];
  for (const record of records) {
    const proposal = settleForeign(ours, { record, taken: new Map(), overwritten: false }, seededRandom(1));
    assert.equal(proposal.events[0]?.kind, 'topology.set-aside');
    assert.deepEqual(proposal.next.cluster.shards, ours.cluster.shards);
    assert.ok(proposal.next.cluster.version > ours.cluster.version);
  }
});

test('a move of ours is under way: set aside, whatever it is', () => {
  const words = setAside(TWO, (record) => swap(shardAt(record, 0), 'b'), {
    operations: [moveOf('migrating')],
  });
  assert.equal(words, 'slots are being moved');
});

test('a move that waits keeps waiting, unless its slots are gone', () => {
  const queued = (id: string, from: number) => moveOf('queued', { id, range: { from, to: from + 5 } });
  const { next } = settled(
    TWO,
    (record) => {
      shardAt(record, 0).slot_ranges = ['0-8000'];
      shardAt(record, 1).slot_ranges = ['8001-16383'];
    },
    { operations: [queued('stays', 0), queued('goes', 8100)] },
  );
  assert.deepEqual(
    next.operations.map(({ id }) => id),
    ['stays'],
  );
  assert.deepEqual(next.cluster.shards.flatMap(({ slots }) => slots).length, ALL_SLOTS.length + 1);
});
