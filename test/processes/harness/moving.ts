/** Slots on their way from one shard to another, and the keys that must come with them. */
import assert from 'node:assert/strict';
import type { MoveProgress, PlanProgress } from '../../../src/controller/move-views.ts';
import type { ClusterClient } from './controller.ts';
import type { KvNode } from './nodes.ts';
import type { Conf } from './power.ts';
import { until } from './processes.ts';
import type { Fault, Whom } from './proxy.ts';
import { missing } from './reading.ts';
import { Resp } from './resp.ts';
import type { Scene } from './scene.ts';
import { tagIn } from './slots.ts';

/** A move of a hundred keys takes seconds, so that something can happen meanwhile. */
export const SLOW: Conf = { 'migrate-type': 'redis-command', 'migrate-speed': '40', 'migrate-pipeline-size': '4' };

/** Tags of slots of the first of two shards, each slot another. */
export const TAGS = [0, 1, 2, 3, 4, 5].map((nth) => tagIn(0, 8_000, nth));
export const [TAG = '', OTHER = ''] = TAGS;

const filling = (tag: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({ key: `${tag}f${i}`, value: `${i}` }));

export async function fill(node: KvNode, tag: string, count: number): Promise<void> {
  const connection = await Resp.open(node.port);
  try {
    await Promise.all(filling(tag, count).map(({ key, value }) => connection.call('SET', key, value)));
  } finally {
    connection.close();
  }
}

export async function filled(node: KvNode, tag: string, count: number): Promise<void> {
  const lost = await missing(node, filling(tag, count));
  assert.deepEqual(lost.slice(0, 3), [], `${lost.length} of ${count} keys are missing`);
}

export const move = (cluster: ClusterClient, slot: unknown, target: number, more: object = {}): Promise<unknown> =>
  cluster.post('/migrate', { target, slot, ...more });

export const migrating = (cluster: ClusterClient) =>
  cluster.until('the move migrates', ({ operations }) => operations.some(({ phase }) => phase === 'migrating'));

/** From now on a move of this source is quick. */
export const quicken = (source: KvNode) => source.call('CONFIG', 'SET', 'migrate-speed', '0');

/** Waits until the source itself says this of its job about this slot: it shows the last one for ever. */
export const says = (source: KvNode, slot: number, state: 'start' | 'success' | 'fail'): Promise<void> =>
  shows(source, `migrating_slot(\\(s\\))?: ?${slot}\\r?$[^]*^migrating_state`, state);

/** Waits until the target itself says this of what it was last to take over. */
export const takes = (target: KvNode, slot: number, state: 'start' | 'success' | 'error'): Promise<void> =>
  shows(target, `importing_slot(\\(s\\))?: ?${slot}\\r?$[^]*^import_state`, state);

async function shows(node: KvNode, job: string, state: string): Promise<void> {
  const connection = await node.connect();
  const pattern = new RegExp(`^${job}: ?${state}\\r?$`, 'm');
  try {
    const look = async () => pattern.test(String(await connection.call('CLUSTER', 'INFO')));
    await until(`${node.addr} says ${state} of its job`, look, 15_000, 1);
  } finally {
    connection.close();
  }
}

export async function shardOfSlot(cluster: ClusterClient, slot: number): Promise<number> {
  return (await cluster.get()).shards.findIndex(({ slot_ranges }) =>
    (slot_ranges ?? []).some((range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return from <= slot && slot <= to;
    }),
  );
}

export async function kinds(cluster: ClusterClient): Promise<readonly string[]> {
  return (await cluster.events()).map(({ kind }) => kind).filter((kind) => kind.startsWith('move.'));
}

/** What is said of the moves that are not over, and of those that were given up. */
export async function underWay(cluster: ClusterClient): Promise<readonly MoveProgress[]> {
  const path = `${cluster.path}/moves`;
  const { plans } = await cluster.controller.call<{ plans: readonly PlanProgress[] }>('GET', path);
  return plans.flatMap(({ moves }) => moves);
}

/** Waits for an event of this kind; answers its words. */
export async function said(cluster: ClusterClient, kind: string, within = 15_000): Promise<string> {
  const look = async () => (await cluster.events()).find((event) => event.kind === kind)?.message;
  return until(`${kind} is said`, look, within);
}

/** Two shards of one node, the first of which holds `keys` keys of the slots of `tags`. */
export async function pair(scene: Scene, keys: number, ...tags: readonly string[]) {
  const cluster = await scene.create({ replicas: 1 });
  const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
  for (const tag of tags) await fill(source, tag, keys);
  return { cluster, source, target };
}

/** The connections that this node makes. */
export const from =
  (node: KvNode): Whom =>
  ({ kind, name }) =>
    kind === 'node' && name === `node-${node.port}`;

/** From when the source has told the target that this slot is all there, the fault is upon what passes between the two. */
export function afterSuccessIsTold(source: KvNode, target: KvNode, slot: number, fault: Fault): void {
  const command = ['cluster', 'import', `${slot}`, '1'].map((word) => `$${word.length}\r\n${word}\r\n`).join('');
  let seen = '';
  const over = target.proxy.impose(from(source), {
    watch: (bytes) => {
      seen = (seen + bytes.toString('latin1')).slice(-bytes.length - command.length);
      if (!seen.toLowerCase().includes(command)) return;
      over();
      target.proxy.impose(from(source), fault);
    },
  });
}
