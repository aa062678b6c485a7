import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAME, NAMESPACE, type World } from '../simulation/world.ts';
import { namespaceKey, stateKey, topologyKey } from './records.ts';
import { planeOf, played, until } from './testing.ts';

const KEY = topologyKey(NAME.namespace, NAME.cluster);

interface Stored {
  version: number;
  shards: { nodes: { id: string; addr: string; role: string }[]; slot_ranges: string[] }[];
}

function stored(world: World): Stored {
  const entry = world.server.read(KEY);
  assert.ok(entry !== undefined);
  return JSON.parse(entry.value);
}

/** As a Go controller does: read, changed, and put without a look at what is there by then. */
function write(world: World, change: (record: Stored) => void): void {
  const record = stored(world);
  record.version++;
  change(record);
  world.server.plant([{ key: KEY, value: JSON.stringify(record) }]);
}

async function kinds(world: World): Promise<readonly string[]> {
  return (await planeOf(world).events(NAME, 0, 100)).map(({ kind }) => kind);
}

const carried = (world: World) => () => {
  const status = world.controller?.status(NAME);
  return status?.shards.every(({ nodes }) => nodes.every((node) => node.in_sync && node.state === 'up')) === true;
};

test('another controller fails a shard over under our lead: seen at once, adopted, and the old master comes back', async () => {
  await played({ shards: 2, perShard: 2 }, async (world) => {
    await until(world, 'replicas are proven', carried(world));
    await world.loop.sleep(2_000);
    const before = stored(world);
    const replica = before.shards[0]?.nodes[1]?.id;
    write(world, ({ shards }) => {
      for (const node of shards[0]?.nodes ?? []) node.role = node.id === replica ? 'master' : 'slave';
    });
    await until(world, 'it is adopted', () => planeOf(world).cluster(NAME).cluster.shards[0]?.master === replica, 500);
    await until(world, 'all know it', () => stored(world).version > before.version + 1 && carried(world)());
    assert.ok((await kinds(world)).includes('topology.adopted'));
    assert.equal(world.controller !== undefined, true, 'it goes on leading');
  });
});

test('another controller writes what would lose slots: set aside, and what is committed goes above it', async () => {
  await played({ shards: 2, perShard: 1 }, async (world, leader) => {
    const before = stored(world);
    write(world, (record) => {
      record.version += 10;
      record.shards.pop();
    });
    await until(world, 'ours is put back', () => stored(world).version === before.version + 12, 500);
    assert.deepEqual(stored(world).shards, before.shards);
    await until(world, 'all know it', carried(world));
    assert.ok((await kinds(world)).includes('topology.set-aside'));
    assert.equal(world.leader, leader);
  });
});

test('the record is deleted under our lead: put back', async () => {
  await played({ shards: 1, perShard: 2 }, async (world) => {
    const before = stored(world);
    world.server.plant([{ key: KEY, value: null }]);
    await until(world, 'it is there again', () => world.server.read(KEY) !== undefined, 500);
    assert.deepEqual(stored(world).shards, before.shards);
  });
});

test('somebody else writes while ours is being committed: one of the two is above the other, and both are heard of', async () => {
  for (const wait of [0, 1, 2, 3, 5, 8]) {
    await played({ shards: 2, perShard: 2 }, async (world) => {
      await until(world, 'replicas are proven', carried(world));
      const moving = planeOf(world).migrate(
        NAME,
        { index: 1 },
        [{ from: 0, to: 9 }],
        { slotOnly: true },
        { caller: { name: 'op' } },
      );
      const ended = moving.then(
        () => 'done',
        (error: unknown) => String(error),
      );
      await world.loop.sleep(wait);
      write(world, () => {});
      assert.match(await ended, /done|somebody else changed the cluster meanwhile/);
      await until(world, 'all know what is committed', () => {
        const { version } = planeOf(world).cluster(NAME).cluster;
        return version === stored(world).version && carried(world)();
      });
      assert.ok((await kinds(world)).some((kind) => kind === 'topology.set-aside' || kind === 'topology.adopted'));
    });
  }
});

test('somebody else creates a cluster, and deletes one that was only theirs: taken up, and forgotten', async () => {
  await played({ shards: 1, perShard: 1, spare: 1 }, async (world) => {
    const [, spare] = world.machines;
    assert.ok(spare !== undefined);
    const addr = `${spare.address.host}:${spare.address.port}`;
    const node = { id: 'x'.repeat(40), addr, role: 'master', password: '', created_at: 1 };
    const shards = [{ nodes: [node], slot_ranges: ['0-16383'], target_shard_index: -1, migrating_slot: null }];
    const other = topologyKey('else', 'where');
    world.server.plant([
      { key: namespaceKey('else'), value: 'else' },
      { key: other, value: JSON.stringify({ version: 3, name: 'where', shards }) },
    ]);
    const name = { namespace: 'else', cluster: 'where' };
    await until(world, 'it is taken up', () => planeOf(world).namespaces().includes('else'), 500);
    await until(world, 'its node hears of it', () => planeOf(world).status(name).shards[0]?.nodes[0]?.in_sync === true);
    world.server.plant([
      { key: other, value: null },
      { key: stateKey('else', 'where'), value: null },
    ]);
    await until(world, 'it is forgotten', () => world.controller?.clusters('else').length === 0, 2_000);
  });
});

test('somebody else stores a cluster with a node of ours: set aside, and ours is left alone', async () => {
  await played({ shards: 1, perShard: 1 }, async (world) => {
    const node = stored(world).shards[0]?.nodes[0];
    const shards = [{ nodes: [node], slot_ranges: ['0-16383'], target_shard_index: -1, migrating_slot: null }];
    world.server.plant([
      { key: topologyKey(NAMESPACE, 'thief'), value: JSON.stringify({ version: 3, name: 'thief', shards }) },
    ]);
    const thief = { namespace: NAMESPACE, cluster: 'thief' };
    await until(world, 'it is listed', () => planeOf(world).clusters(NAMESPACE).includes('thief'), 500);
    assert.throws(() => planeOf(world).status(thief), /is a node of cluster sim\/c already/);
  });
});

test('the watch of the store ends, and what was written meanwhile is seen all the same', async () => {
  await played({ shards: 2, perShard: 1 }, async (world, leader) => {
    const before = stored(world);
    leader.reach = 'refused';
    write(world, (record) => {
      record.shards.pop();
    });
    await world.loop.sleep(500);
    leader.reach = 'up';
    await until(world, 'ours is put back', () => stored(world).shards.length === 2, 10_000);
    assert.deepEqual(stored(world).shards, before.shards);
  });
});

test('a Go controller led while ours was away, and failed a shard over: taken over by a version above, all nodes know it', async () => {
  await played({ shards: 2, perShard: 2 }, async (world, leader) => {
    await until(world, 'replicas are proven', carried(world));
    await leader.stop();
    const before = stored(world);
    const replica = before.shards[0]?.nodes[1]?.id;
    write(world, ({ shards }) => {
      for (const node of shards[0]?.nodes ?? []) node.role = node.id === replica ? 'master' : 'slave';
    });
    leader.start();
    await until(world, 'it leads', () => world.controller !== undefined, 10_000);
    await until(world, 'all know it', () => stored(world).version > before.version + 1 && carried(world)(), 10_000);
    assert.equal(planeOf(world).cluster(NAME).cluster.shards[0]?.master, replica);
    assert.ok((await kinds(world)).includes('topology.adopted'));
  });
});
