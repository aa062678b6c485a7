/** Nodes that hold what their shard does not have: it is saved, they are copied whole, and what was saved is written again. */
import assert from 'node:assert/strict';
import type { ClusterClient } from './harness/controller.ts';
import { endsWell } from './harness/ending.ts';
import { backOrNamed, idOf, replacedBy, replicaOf, write } from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { textOf } from './harness/resp.ts';
import { type Define, together } from './harness/scenario.ts';
import type { Scene } from './harness/scene.ts';

interface Salvage {
  readonly id: string;
  readonly node: string;
  readonly records: number;
  readonly commands: number;
  readonly all: boolean;
}

interface Contents {
  readonly commands: readonly { readonly args: readonly string[] }[];
}

async function fullCopies(master: KvNode): Promise<number> {
  return Number(/^sync_full:(\d+)/m.exec(textOf(await master.call('INFO', 'stats')))?.[1] ?? Number.NaN);
}

/** The old master alone has what `alone` writes; afterwards it is dead, and its only replica is master. */
async function parted(scene: Scene, alone: (master: KvNode) => Promise<unknown>) {
  const cluster = await scene.create({ replicas: 2 });
  const [old, replica] = [await scene.masterOf(cluster), await replicaOf(scene, cluster)];
  const keys = await write(old, 'both', 50);
  await scene.replicasEqual(cluster, keys);
  await replica.kill();
  await alone(old);
  await cluster.problem('NODE_DOWN');
  await old.kill();
  await replica.start();
  await replacedBy(scene, cluster, old, replica);
  return { cluster, old, master: replica, keys: [...keys] };
}

const salvages = async (cluster: ClusterClient): Promise<readonly Salvage[]> =>
  (await cluster.controller.call<{ salvages: readonly Salvage[] }>('GET', `${cluster.path}/salvages`)).salvages;

const definedIn = (define: Define): void => {
  define(
    'unreplicated-writes-salvaged: what the old master alone held is in the file, command by command, and can be written again',
    { nodes: 2 },
    async (scene) => {
      const commands = [
        ['SET', 'alone', 'with spaces\r\nand lines'],
        ['SET', 'both1', 'changed'],
        ['HSET', 'hash', 'f', '1'],
        ['RPUSH', 'list', 'a'],
        ['SADD', 'set', 'm'],
        ['DEL', 'both2'],
      ];
      const { cluster, old, master, keys } = await parted(scene, async (node) => {
        for (const [name = '', ...rest] of commands) await node.call(name, ...rest);
      });
      // Since then the shard itself has written one of the keys.
      await master.call('SET', 'both1', 'by the shard');
      await old.start();
      assert.equal(await backOrNamed(cluster, old), 'copied');
      await endsWell(scene, cluster, { keys: [...keys, 'alone', 'hash', 'list', 'set'] });
      const [salvage, ...more] = await salvages(cluster);
      assert.ok(salvage !== undefined && more.length === 0);
      scene.note(JSON.stringify(salvage));
      assert.equal(salvage.node, await idOf(cluster, old));
      assert.ok(salvage.all);
      const path = `/salvages/${salvage.id}`;
      const { commands: saved } = await cluster.controller.call<Contents>('GET', `${cluster.path}${path}`);
      const told = saved.map(({ args }) => args.map((word, i) => (i === 0 ? word.toUpperCase() : word)));
      assert.deepEqual(told, commands);
      const replay = await cluster.post<{ replayed: number; skipped: number }>(`${path}/replay`);
      scene.note(JSON.stringify(replay));
      assert.equal(await master.call('GET', 'alone'), 'with spaces\r\nand lines');
      assert.equal(await master.call('GET', 'both1'), 'by the shard');
      assert.equal(await master.call('HGET', 'hash', 'f'), '1');
      assert.equal(await master.call('GET', 'both2'), null);
      await endsWell(scene, cluster, { keys: [...keys, 'alone'] });
    },
  );

  define(
    'full-copy-forced-and-proven: its number passes the new master’s, every key is replaced, and it may be promoted',
    { nodes: 2 },
    async (scene) => {
      let alone: readonly string[] = [];
      const { cluster, old, master, keys } = await parted(scene, async (node) => {
        alone = await write(node, 'alone', 20);
      });
      // Far beyond the old master's number: by its number alone it would be taken for one that is only behind.
      keys.push(...(await write(master, 'later', 300)));
      const copies = await fullCopies(master);
      const writers = await scene.writers();
      await old.start();
      assert.equal(await backOrNamed(cluster, old), 'copied');
      await endsWell(scene, cluster, { writers: [writers], keys: [...keys, ...alone] });
      assert.equal(await fullCopies(master), copies + 1);
      const proven = (await cluster.events()).filter(({ kind, node }) => kind === 'node.proven' && node !== undefined);
      scene.note(proven.at(-1)?.message ?? '');
      assert.equal(await cluster.failover(0, await idOf(cluster, old)), await idOf(cluster, old));
      await endsWell(scene, cluster, { keys });
    },
  );
};

together('copies', 2, definedIn);
