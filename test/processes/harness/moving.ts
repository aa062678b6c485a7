/** Slots on their way from one shard to another, and the keys that must come with them. */
import assert from 'node:assert/strict';
import type { ClusterClient } from './controller.ts';
import type { KvNode } from './nodes.ts';
import type { Conf } from './power.ts';
import { until } from './processes.ts';
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
export async function says(source: KvNode, slot: number, state: 'start' | 'success' | 'fail'): Promise<void> {
  const connection = await Resp.open(source.port);
  const pattern = new RegExp(`^migrating_slot(\\(s\\))?: ?${slot}\\r?$[^]*^migrating_state: ?${state}\\r?$`, 'm');
  try {
    const look = async () => pattern.test(String(await connection.call('CLUSTER', 'INFO')));
    await until(`the source says ${state} of slot ${slot}`, look, 15_000, 1);
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

/** Two shards of one node, the first of which holds `keys` keys of the slots of `tags`. */
export async function pair(scene: Scene, keys: number, ...tags: readonly string[]) {
  const cluster = await scene.create({ replicas: 1 });
  const [source, target] = [await scene.masterOf(cluster, 0), await scene.masterOf(cluster, 1)];
  for (const tag of tags) await fill(source, tag, keys);
  return { cluster, source, target };
}
