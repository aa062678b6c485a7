/** Clusters that something is wrong with beyond what the status sees: found, named, and mended one by one. */
import assert from 'node:assert/strict';
import type { CheckFindingView, CheckView, FixResult } from '../../src/controller/check-views.ts';
import type { ClusterClient } from './harness/controller.ts';
import { idOf, replicaOf, write } from './harness/failing.ts';
import type { KvNode } from './harness/nodes.ts';
import { until } from './harness/processes.ts';
import { together } from './harness/scenario.ts';
import { slotOf, tagIn } from './harness/slots.ts';

const check = (cluster: ClusterClient, body: object = {}) => cluster.post<CheckView>('/check', body);
const fix = (cluster: ClusterClient, finding: string, body: object = {}) =>
  cluster.post<FixResult>('/fix', { finding, ...body });

const codesOf = ({ findings }: CheckView) =>
  findings.filter(({ severity }) => severity !== 'note').map(({ code }) => code);

/** Checked until it finds this, and nothing but what may stand beside it, notes apart. */
async function finds(cluster: ClusterClient, code: string, ...others: readonly string[]): Promise<CheckFindingView> {
  let last: CheckView | undefined;
  await until(
    `a check finds ${code} and nothing but ${others.join(', ')}`,
    async () => {
      last = await check(cluster);
      const codes = codesOf(last);
      if (codes.includes(code) && codes.every((one) => one === code || others.includes(one))) return true;
      throw new Error(JSON.stringify(last.findings));
    },
    30_000,
  );
  return last?.findings.find((one) => one.code === code) ?? assert.fail();
}

const findsNothing = (cluster: ClusterClient) =>
  until(
    'a check finds nothing',
    async () => {
      const view = await check(cluster);
      if (codesOf(view).length === 0) return true;
      throw new Error(JSON.stringify(view.findings));
    },
    30_000,
  );

/** The text that a node would take as the topology that it carries. */
async function textOf(node: KvNode): Promise<string[]> {
  return (await node.nodes()).map(({ id, addr, master, slots }) => {
    const [host, port] = addr.split(':');
    return [id, host, port, master === null ? 'master' : 'slave', master ?? '-', ...slots].join(' ');
  });
}

const setNodes = (node: KvNode, lines: readonly string[], version: number) =>
  node.call('CLUSTERX', 'SETNODES', lines.join('\n'), version);

const moved = async (cluster: ClusterClient, slot: number | string, target: number, more: object = {}) => {
  await cluster.post('/migrate', { target, slot, ...more });
  await cluster.idle();
  await cluster.settled();
};

together('checks', 3, (define) => {
  define(
    'keys in slots of others: found on the master that holds them, gone once their slots went there and back',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const [holder, owner] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      const tags = [tagIn(0, 8_000), tagIn(0, 8_000, 1)];
      for (const tag of tags) await write(holder, tag, 40);
      const stay = tagIn(0, 8_000, 2);
      await write(holder, stay, 5);
      await findsNothing(cluster);
      const slots = tags.map(slotOf);
      for (const slot of slots) await moved(cluster, slot, 1, { slot_only: true });
      const [tag = ''] = tags;
      // Not even the owner has any: they may be the only ones.
      const stranded = await finds(cluster, 'KEYS_STRANDED');
      assert.match(stranded.command ?? '', /--target 0 --slot-only$/);
      for (const one of tags) await owner.call('SET', `${one}new`, 'kept');

      const found = await finds(cluster, 'KEYS_LEFT');
      assert.equal(found.key, `KEYS_LEFT@${holder.addr}`);
      assert.match(found.message, new RegExp(`^${holder.addr} holds 80 keys in slots of shard 1 \\(${owner.addr}\\)`));
      assert.deepEqual(
        [...(found.slots ?? [])].map(Number).sort((a, b) => a - b),
        [...slots].sort((a, b) => a - b),
      );
      assert.equal(found.fix, null);
      const refused = await cluster.request('POST', '/fix', { finding: found.key, dry_run: false });
      assert.deepEqual([refused.status, refused.error?.code], [409, 'operation_running']);
      assert.match(refused.error?.message ?? '', /moving the slots here and back deletes them/);

      const none = await check(cluster, { scan: 0 });
      assert.deepEqual([codesOf(none), none.looked.keys], [[], 0]);
      for (const slot of slots) for (const target of [0, 1]) await moved(cluster, slot, target);
      await findsNothing(cluster);
      assert.equal(await owner.ask('GET', `${tag}new`), 'kept');
      assert.equal(await holder.ask('GET', `${stay}4`), '4');
    },
  );

  define(
    'a foreign topology: told in which points it differs, and overwritten only by a fix that is meant',
    { nodes: 4 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const replica = await replicaOf(scene, cluster, 1);
      const id = await idOf(cluster, replica);
      const other = 'x'.repeat(40);
      await setNodes(
        replica,
        [`${id} 127.0.0.1 ${replica.port} master - 0-8191`, `${other} 127.0.0.1 1 master - 8192-16383`],
        99,
      );
      await cluster.problem('TOPOLOGY_NEWER');
      const key = `TOPOLOGY_NEWER@${replica.addr}`;
      const { findings } = await check(cluster);
      const found = findings.find((one) => one.key === key);
      assert.ok(found?.fix, JSON.stringify(findings));
      assert.ok(
        found.evidence.some((words) => words.includes(`it names ${other} at 127.0.0.1:1, a master`)),
        found.evidence.join('; '),
      );

      const plan = await fix(cluster, key);
      assert.deepEqual([plan.dry_run, plan.refused, plan.mended], [true, null, null]);
      assert.equal(await replica.version(), 99);
      const done = await fix(cluster, key, { dry_run: false });
      assert.equal(done.dry_run, false);
      await cluster.settled(60_000);
      await scene.carried(cluster);
      await findsNothing(cluster);
      const gone = await cluster.request('POST', '/fix', { finding: key });
      assert.deepEqual([gone.status, gone.error?.code], [404, 'not_found']);
    },
  );

  define(
    'slots that nobody owns: given to whoever holds keys in them, or else to the neighbour',
    { nodes: 2 },
    async (scene) => {
      const [a, b] = [scene.node(0), scene.node(1)];
      const ids = ['a', 'b'].map((letter) => letter.repeat(40));
      const lines = (first: string, second: string) => [
        `${ids[0]} 127.0.0.1 ${a.port} master - ${first}`,
        `${ids[1]} 127.0.0.1 ${b.port} master - ${second}`,
      ];
      const tag = tagIn(8_300, 8_400);
      for (const [i, node] of [a, b].entries()) {
        await setNodes(node, lines('0-8191', '8192-16383'), 1);
        await node.call('CLUSTERX', 'SETNODEID', ids[i] ?? '');
      }
      await b.call('SET', `${tag}k`, 'v');
      // Both forget who owned them: slots that are only left out of a text are not freed.
      for (const [i, node] of [a, b].entries()) {
        await node.kill();
        node.forgetTopology();
        await node.start();
        await setNodes(node, lines('0-8000', '9000-16383'), 2);
        await node.call('CLUSTERX', 'SETNODEID', ids[i] ?? '');
      }
      await scene.controller.call('POST', `${scene.clusters}/holes/import`, { nodes: [a.addr] });
      const cluster = scene.cluster('holes');

      const found = await finds(cluster, 'SLOTS_UNCOVERED');
      assert.deepEqual([found.key, found.slots], ['SLOTS_UNCOVERED', ['8001-8999']]);
      assert.match(found.message, /^999 slots belong to no shard/);
      assert.deepEqual(found.evidence, [`${b.addr} holds 1 keys in 1 of them`]);
      await cluster.post('/pause');
      const paused = await fix(cluster, found.key);
      assert.match(paused.refused ?? '', /the cluster was paused by/);
      assert.equal((await cluster.request('POST', '/fix', { finding: found.key, dry_run: false })).status, 409);
      await cluster.post('/resume');
      const done = await fix(cluster, found.key, { dry_run: false, wait: 30 });
      assert.deepEqual([done.mended, done.left], [true, null]);
      await cluster.settled();
      await scene.carried(cluster);
      assert.equal(await b.call('GET', `${tag}k`), 'v');
      const { shards } = await cluster.get();
      const slot = slotOf(tag);
      assert.deepEqual(
        shards.map((shard) => shard.slot_ranges),
        [
          [`0-${slot - 1}`, `${slot + 1}-8999`],
          [`${slot}`, '9000-16383'],
        ],
      );
      await findsNothing(cluster);
    },
  );

  define(
    'the committed number with another content, in a paused cluster: named, left alone, and healed when it is resumed',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 2 });
      const replica = await replicaOf(scene, cluster);
      const [id, text] = [await idOf(cluster, replica), await textOf(replica)];
      await cluster.post('/pause');
      const { version } = await cluster.get();
      const without = text.map((line) => line.replace('0-16383', '0-16000'));
      await replica.kill();
      replica.forgetTopology();
      await replica.start();
      await setNodes(replica, without, version);
      await replica.call('CLUSTERX', 'SETNODEID', id);
      await cluster.until(
        'its link is up again',
        ({ shards, problems }) =>
          problems.length === 0 && shards.every(({ nodes }) => nodes.every((node) => node.state === 'up')),
      );

      const found = await finds(cluster, 'TOPOLOGY_DIFFERS');
      const master = await scene.masterOf(cluster);
      assert.deepEqual(found.evidence, [`it has no owner for slots 16001-16383 of ${master.addr}`]);
      assert.equal(found.waiting_for, 'the end of the pause');
      const refused = await cluster.request('POST', '/fix', { finding: found.key, dry_run: false });
      assert.deepEqual([refused.status, refused.error?.code], [409, 'operation_running']);
      assert.equal(await replica.version(), version);
      await cluster.post('/resume');
      await cluster.settled();
      await scene.carried(cluster);
      await findsNothing(cluster);
    },
  );

  define(
    'a slot that was moved by hand: its master does not serve it, and one command makes the topology say so',
    { nodes: 2 },
    async (scene) => {
      const cluster = await scene.create({ replicas: 1 });
      const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
      const tag = tagIn(0, 8_000);
      const [keys, slot] = [await write(source, tag, 20), slotOf(tag)];
      await source.call('CLUSTERX', 'MIGRATE', slot, await idOf(cluster, target), 'sync');

      const found = await finds(cluster, 'SLOTS_NOT_SERVED', 'KEYS_ELSEWHERE');
      assert.deepEqual([found.key, found.slots], [`SLOTS_NOT_SERVED@${source.addr}`, [`${slot}`]]);
      assert.match(found.message, new RegExp(`it sends clients to ${target.addr}`));
      assert.match(found.command ?? '', new RegExp(`migrate slot ${slot} .*--target 1 --slot-only`));
      await moved(cluster, slot, 1, { slot_only: true });
      await findsNothing(cluster);
      assert.equal(await target.call('GET', keys[7] ?? ''), '7');
    },
  );

  define('a node that copies from a master unasked is named by its address', { nodes: 3 }, async (scene) => {
    const cluster = await scene.create({ nodes: scene.nodes.slice(0, 2), replicas: 2 });
    const [master, stranger] = [await scene.masterOf(cluster), scene.node(2)];
    const id = 's'.repeat(40);
    const master0 = await idOf(cluster, master);
    await setNodes(
      stranger,
      [`${master0} 127.0.0.1 ${master.port} master - 0-16383`, `${id} 127.0.0.1 ${stranger.port} slave ${master0}`],
      1,
    );
    await stranger.call('CLUSTERX', 'SETNODEID', id);
    const found = await finds(cluster, 'UNKNOWN_REPLICA');
    assert.match(found.message, new RegExp(`feeds ${stranger.addr}, which is no node of this cluster`));
    assert.equal(found.fix, null);
  });
});
