import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Sketch, VERSION, world } from '../decisions/testing.ts';
import { moveOf } from '../decisions/testing-moves.ts';
import type { Machine } from '../simulation/machine.ts';
import { NAME, type World } from '../simulation/world.ts';
import { changeAddress, changeWholeNode } from './address-change.ts';
import { Refusal } from './refusal.ts';
import { planeOf, played, until } from './testing.ts';

const THERE = { host: '10.9.0.1', port: 7000 };
const by = 'op';

function refusalOf(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  return assert.fail('it was done');
}

test('a replica has another address: a new version names it, and nothing else changes', () => {
  const seen = world('a master 9 | b replica 9');
  const { next, events } = changeAddress(seen, { index: 0 }, 'b', THERE, by);
  const [a, b] = next.cluster.shards[0]?.nodes ?? [];
  assert.deepEqual([next.cluster.version, b?.address, a?.address.host], [VERSION + 1, THERE, '10.0.0.97']);
  assert.equal(events[0]?.message, 'b is at 10.9.0.1:7000 now; it was at 10.0.0.98:6000');
});

test('an away node stands in no text: its address changes without a new version', () => {
  const { next } = changeAddress(world('a master 9 | b away 9'), { index: 0 }, 'b', THERE, by);
  assert.equal(next.cluster.version, VERSION);
});

test('it is there already: nothing happens', () => {
  const seen = world('a master 9 | b replica 9');
  const address = seen.intended.cluster.shards[0]?.nodes[1]?.address ?? THERE;
  assert.deepEqual(changeAddress(seen, { index: 0 }, 'b', address, by), { next: seen.intended, events: [] });
});

test('the address of another node of the cluster, a node that is not there, slots on their way: refused', () => {
  const seen = world('a master 9 | b replica 9');
  const taken = seen.intended.cluster.shards[0]?.nodes[0]?.address ?? THERE;
  assert.equal(refusalOf(() => changeAddress(seen, { index: 0 }, 'b', taken, by)).code, 'already_exists');
  assert.equal(refusalOf(() => changeAddress(seen, { index: 0 }, 'x', THERE, by)).code, 'not_found');
  const sketch: Sketch = {
    operations: [moveOf('migrating')],
  };
  const moving = world('a master 9 | b replica 9 / c master 9', sketch);
  assert.equal(refusalOf(() => changeAddress(moving, { index: 0 }, 'b', THERE, by)).code, 'operation_running');
});

test('address and priority in one request: one version, told as two changes', () => {
  const { next, events } = changeWholeNode(
    world('a master 9 | b replica 9'),
    { index: 0 },
    'b',
    { address: THERE, priority: 5 },
    by,
  );
  assert.deepEqual([next.cluster.version, next.cluster.shards[0]?.nodes[1]?.priority], [VERSION + 1, 5]);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['node.moved', 'settings.changed'],
  );
});

function machineAt(scene: World, index: number): Machine {
  return scene.machines[index] ?? assert.fail();
}

const change = (scene: World, node: string, at: Machine) =>
  planeOf(scene).changeNode(NAME, { index: 0 }, node, { address: at.address }, { caller: { name: by } });

test('nobody answers at the new address, or somebody else does: refused with what answered, and nothing is reserved', async () => {
  await played({ shards: 1, perShard: 2, spare: 2 }, async (scene) => {
    const node = planeOf(scene).cluster(NAME).cluster.shards[0]?.nodes[1]?.id ?? '';
    const spare = machineAt(scene, 2);
    for (let i = 0; i < 2; i++) await assert.rejects(change(scene, node, spare), /is a node without an id/);
    machineAt(scene, 3).kill();
    await assert.rejects(change(scene, node, machineAt(scene, 3)), /does not say who it is/);
    await assert.rejects(change(scene, node, machineAt(scene, 0)), /is a node of cluster sim\/c already/);
    assert.equal(planeOf(scene).cluster(NAME).cluster.version, 1);
    await planeOf(scene).createNode(
      NAME,
      { index: 0 },
      { address: spare.address, role: 'slave', password: planeOf(scene).cluster(NAME).cluster.password },
      {},
      { caller: { name: by } },
    );
  });
});

test('a node is moved to another host with its disk: every node hears of it, and it follows again', async () => {
  await played({ shards: 1, perShard: 2, spare: 1 }, async (scene) => {
    const synced = () =>
      planeOf(scene)
        .status(NAME)
        .shards[0]?.nodes.every((node) => node.in_sync && node.state === 'up');
    await until(scene, 'the replica follows', () => synced() === true);
    const node = planeOf(scene).cluster(NAME).cluster.shards[0]?.nodes[1]?.id ?? '';
    const [old, other] = [machineAt(scene, 1), machineAt(scene, 2)];
    old.kill();
    other.kill();
    other.restore(old.snapshot());
    other.start();
    await change(scene, node, other);
    await until(scene, 'all know it', () => synced() === true, 10_000);
    assert.equal(scene.controller?.status(NAME).shards[0]?.nodes[1]?.addr, `${other.host}:${other.address.port}`);
  });
});

test('a copy of its disk answers at the new address while it lives at the old one: refused, there are two of it', async () => {
  await played({ shards: 1, perShard: 2, spare: 1 }, async (scene) => {
    const node = planeOf(scene).cluster(NAME).cluster.shards[0]?.nodes[1]?.id ?? '';
    const [old, copy] = [machineAt(scene, 1), machineAt(scene, 2)];
    await until(scene, 'it has its id', () => old.id === node);
    copy.kill();
    copy.restore(old.snapshot());
    copy.start();
    await assert.rejects(change(scene, node, copy), /is another process than the one at 10\.0\.0\.2:6666/);
  });
});
