/**
 * Asks every node of a cluster that answers what it carries, feeds, serves and holds: over connections of its own, few
 * nodes at a time, and never longer than it was given.
 */
import { slotsToTry } from '../decisions/check-keys.ts';
import type { DeepLook, NodeLook, SlotAnswer } from '../decisions/deep-look.ts';
import type { World } from '../decisions/world.ts';
import { clusterNodes } from '../kvrocks/commands/cluster-nodes.ts';
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { readKeyOfSlot, type SlotServer } from '../kvrocks/commands/read-key.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import type { Duration, Runtime } from '../runtime/runtime.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { type Cluster, type Node, nodeOf, nodesOf, type Shard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { intersect, type SlotRange, slotSet } from '../topology/slots.ts';
import { scanKeys } from './key-scan.ts';
import { outcomeWords } from './outcome-words.ts';

const CONNECT_TIMEOUT: Duration = 1_000;
const REPLY_TIMEOUT: Duration = 5_000;
const AT_ONCE = 8;
/** Questions that are under way to one node at once. */
const BATCH = 64;
/** Slots of one owner in which one other master holds keys: beyond these nothing is said to be certain. */
const MOST_DISPUTED = 2_048;

/** `scanFor`: ms for looking through the keys of each master; 0: they are left alone. Never rejects. */
export async function deepLook(runtime: Runtime, world: World, scanFor: Duration): Promise<DeepLook> {
  const { intended } = world;
  const known = await spellingsOf(runtime, intended.cluster);
  const waiting = nodesOf(intended.cluster).filter(({ id }) => world.view(id)?.state === 'up');
  const nodes = new Map<NodeId, NodeLook>();
  const turns = Array.from({ length: AT_ONCE }, async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift())
      nodes.set(node.id, await lookAt(runtime, world, node, known, scanFor));
  });
  await Promise.all(turns);
  // In the order of the topology, whoever answered first.
  const order = nodesOf(intended.cluster).flatMap(({ id }): [NodeId, NodeLook][] => {
    const look = nodes.get(id);
    return look === undefined ? [] : [[id, look]];
  });
  return withWhoServes(runtime, world, { intended, nodes: new Map(order), elsewhere: new Map() });
}

/** Every `host:port` that leads to a node of the cluster, as far as its name resolves. */
async function spellingsOf(runtime: Runtime, cluster: Cluster): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  const all = [...nodesOf(cluster), ...cluster.leaving];
  await Promise.all(
    all.map(async ({ address: { host, port } }) => {
      for (const one of [host, ...(await runtime.network.resolve(host))]) known.add(formatAddress({ host: one, port }));
    }),
  );
  return known;
}

async function lookAt(
  runtime: Runtime,
  world: World,
  node: Node,
  known: ReadonlySet<string>,
  scanFor: Duration,
): Promise<NodeLook> {
  const connection = dial(runtime, world, node);
  try {
    const id = await connection.ask(myId());
    if (id.kind !== 'reply') return { kind: 'unread', why: outcomeWords(id) };
    // One without an id has no topology either.
    if (id.value !== node.id && id.value !== '')
      return { kind: 'unread', why: `${id.value}, another node, answers at its address` };
    const [nodes, replication] = await Promise.all([connection.ask(clusterNodes()), connection.ask(infoReplication())]);
    const none = nodes.kind === 'error' && nodes.error.kind === 'not-initialized';
    if (nodes.kind !== 'reply' && !none) return { kind: 'unread', why: outcomeWords(nodes) };
    if (replication.kind !== 'reply') return { kind: 'unread', why: outcomeWords(replication) };
    const lines = nodes.kind === 'reply' ? [...nodes.value.nodes.values()] : [];
    const topology = {
      version: lines[0]?.version ?? 0,
      lines: lines.map(({ id: name, host, port, masterId, slots }) => ({
        id: name,
        host,
        port,
        master: masterId ?? null,
        slots: slotSet(slots.map(({ first, last }) => ({ from: first, to: last }))),
      })),
    };
    const fed: readonly Address[] = replication.value.role === 'master' ? replication.value.replicas : [];
    const shard = nodeOf(world.intended.cluster, node.id)?.shard;
    const master = shard?.master === node.id && replication.value.role === 'master' ? shard : undefined;
    return {
      kind: 'read',
      topology: none ? null : topology,
      strangers: fed.map(({ host, port }) => ({ host, port })).filter((one) => !known.has(formatAddress(one))),
      feeds: fed.length,
      unserved: master === undefined || none ? [] : await unserved(connection, world, master),
      keys: master === undefined || scanFor === 0 ? null : await scanKeys(runtime, connection, scanFor),
    };
  } finally {
    connection.close();
  }
}

const dial = (runtime: Runtime, world: World, { address }: Node): Connection =>
  openConnection(runtime, address, {
    password: world.intended.cluster.password,
    connectTimeout: CONNECT_TIMEOUT,
    replyTimeout: REPLY_TIMEOUT,
  });

async function unserved(connection: Connection, world: World, shard: Shard): Promise<readonly SlotAnswer[]> {
  const answers = await whoServes(connection, slotsToTry(world, shard));
  return [...answers].flatMap(([slot, answer]) => notServed(slot, answer));
}

/** Undefined where it was not answered. */
async function whoServes(
  connection: Connection,
  slots: readonly number[],
): Promise<ReadonlyMap<number, SlotServer | undefined>> {
  const answers = new Map<number, SlotServer | undefined>();
  for (let at = 0; at < slots.length; at += BATCH) {
    const batch = slots.slice(at, at + BATCH);
    const got = await Promise.all(batch.map((slot) => connection.ask(readKeyOfSlot(slot))));
    for (const [i, answer] of got.entries())
      answers.set(batch[i] ?? -1, answer.kind === 'reply' ? answer.value : undefined);
  }
  return answers;
}

function notServed(slot: number, answer: SlotServer | undefined): readonly SlotAnswer[] {
  if (answer === undefined || answer.kind === 'served') return [];
  if (answer.kind === 'refused') {
    // Alive and busy with a move, or not let in: nothing of who owns the slot.
    const { kind, text } = answer.error;
    return kind === 'clusterdown' ? [{ slot, moved: null, why: `it answers ${text}` }] : [];
  }
  const moved = { host: answer.host, port: answer.port };
  return [{ slot, moved, why: `it sends clients to ${formatAddress(moved)}` }];
}

/** Of the slots in which somebody else than their owner holds keys: who serves them, by the word of both. */
async function withWhoServes(runtime: Runtime, world: World, deep: DeepLook): Promise<DeepLook> {
  const { shards } = world.intended.cluster;
  const disputed: { readonly holder: NodeId; readonly owner: NodeId; readonly slot: number }[] = [];
  for (const shard of shards) {
    const look = deep.nodes.get(shard.master);
    if (look?.kind !== 'read' || look.keys === null) continue;
    const held = slotSet([...look.keys.held.keys()].map((slot) => ({ from: slot, to: slot })));
    for (const owner of shards) {
      if (owner === shard) continue;
      const slots = intersect(held, owner.slots).flatMap(slotsOf).slice(0, MOST_DISPUTED);
      for (const slot of slots) disputed.push({ holder: shard.master, owner: owner.master, slot });
    }
  }
  const asked = new Map<NodeId, Set<number>>();
  for (const { holder, owner, slot } of disputed)
    for (const node of [holder, owner]) asked.set(node, (asked.get(node) ?? new Set()).add(slot));
  const answers = new Map<NodeId, ReadonlyMap<number, SlotServer | undefined>>();
  for (const [id, slots] of asked) {
    const node = nodeOf(world.intended.cluster, id)?.node;
    if (node === undefined) continue;
    const connection = dial(runtime, world, node);
    try {
      const who = await connection.ask(myId());
      if (who.kind === 'reply' && who.value === id) answers.set(id, await whoServes(connection, [...slots]));
    } finally {
      connection.close();
    }
  }
  const elsewhere = new Map<NodeId, Set<number>>();
  const nodes = new Map(deep.nodes);
  for (const { holder, owner, slot } of disputed) {
    const says = (node: NodeId) => answers.get(node)?.get(slot);
    if (says(owner)?.kind === 'served' && says(holder)?.kind === 'moved')
      elsewhere.set(holder, (elsewhere.get(holder) ?? new Set()).add(slot));
    const look = nodes.get(owner);
    const more = notServed(slot, says(owner));
    if (look?.kind === 'read' && more.length > 0 && !look.unserved.some((one) => one.slot === slot))
      nodes.set(owner, { ...look, unserved: [...look.unserved, ...more] });
  }
  return { ...deep, nodes, elsewhere };
}

const slotsOf = ({ from, to }: SlotRange): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
