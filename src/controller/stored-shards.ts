/** Shards put together from their two records: what the topology lists, and what only this controller knows of it. */
import { promoted } from '../decisions/failover.ts';
import type { Operation } from '../operations/intended.ts';
import { isActive, type Move } from '../operations/move.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import { randomText } from '../runtime/seeded-random.ts';
import { parseAddress } from '../topology/address.ts';
import { type Cluster, NEW_NODE, type Node, type Proof, type Shard, shardOf } from '../topology/cluster.ts';
import { newShardId, type Version } from '../topology/ids.ts';
import { covers, slotSet } from '../topology/slots.ts';
import type { ShardState } from './stored-state.ts';
import { Unreadable } from './stored-values.ts';
import type { ReadShard } from './topology-record.ts';

export const shardState = (shard: Shard): ShardState => ({
  id: shard.id,
  lineage: shard.lineage,
  floor: shard.floor,
  eligible_from: shard.eligibleFrom,
  damping: shard.damping,
  data_lost: shard.dataLost,
  nodes: Object.fromEntries(
    shard.nodes.map(({ id, membership, highest, proof, attaching, priority, noFailover, cutOff, copy }) => [
      id,
      { membership, highest, proof, attaching, priority, noFailover, cutOff, copy },
    ]),
  ),
});

/** A shard that has no state of ours yet: every node is what the topology says, trusted as at an import. */
export function freshState(shard: ReadShard, version: Version, random: RandomSource): ShardState {
  const master = shard.nodes.find((one) => one.master)?.node.id ?? '';
  const proofOf = (id: string): Proof => ({ entry: version, how: id === master ? 'master' : 'trust' });
  return {
    id: newShardId(random),
    lineage: [{ version, master, sequence: 0, exact: false }],
    floor: 0,
    eligible_from: 0,
    damping: null,
    data_lost: null,
    nodes: Object.fromEntries(shard.nodes.map(({ node }) => [node.id, { ...NEW_NODE, proof: proofOf(node.id) }])),
  };
}

/** `where` names it in messages. Throws `Unreadable`. */
export function joinShard(shard: ReadShard, state: ShardState, where: string): Shard {
  const [master, second] = shard.nodes.filter((one) => one.master).map((one) => one.node.id);
  if (master === undefined) throw new Unreadable(`${where} has no master`);
  if (second !== undefined) throw new Unreadable(`${where} has two masters, ${master} and ${second}`);
  const nodes = shard.nodes.map(({ node }): Node => {
    const address = parseAddress(node.addr);
    if (address === undefined) throw new Unreadable(`${where}: ${node.addr} is no address`);
    // Whoever is not known is let in by the rule of lineage.
    const newcomer = { ...NEW_NODE, membership: node.id === master ? 'member' : 'away' } as const;
    return { id: node.id, address, createdAt: node.created_at ?? 0, ...(state.nodes[node.id] ?? newcomer) };
  });
  return {
    id: state.id,
    master,
    nodes,
    slots: slotSet(shard.slots),
    lineage: state.lineage,
    floor: state.floor,
    eligibleFrom: state.eligible_from,
    damping: state.damping,
    dataLost: state.data_lost,
  };
}

/**
 * Shards that somebody else has changed since their state was stored. Each keeps the state of the one with which it
 * has the most nodes in common. A master that we did not promote gets an entry of its own: its P is what was last
 * stored of it, which it had reached before, and everybody else comes back by the rule of lineage.
 */
export function rejoinShards(
  shards: readonly ReadShard[],
  states: readonly ShardState[],
  version: Version,
  random: RandomSource,
): readonly Shard[] {
  const left = [...states];
  return shards.map((shard, i) => {
    const common = (state: ShardState) => shard.nodes.filter(({ node }) => state.nodes[node.id] !== undefined).length;
    const [best] = [...left].sort((a, b) => common(b) - common(a));
    const state = best !== undefined && common(best) > 0 ? best : undefined;
    const where = `shards[${i}]`;
    if (state === undefined) return joinShard(shard, untrusting(freshState(shard, version, random)), where);
    left.splice(left.indexOf(state), 1);
    const joined = joinShard(shard, state, where);
    if (joined.lineage.at(-1)?.master === joined.master) return joined;
    const p0 = state.nodes[joined.master]?.highest ?? 0;
    return promoted(joined, joined.master, version, p0, () => false);
  });
}

/** Only its master is believed. */
const untrusting = (state: ShardState): ShardState => ({
  ...state,
  nodes: Object.fromEntries(Object.entries(state.nodes).filter(([id]) => id === state.lineage[0]?.master)),
});

/** A move of which nothing is under way, and that still can be made: its slots are where they were. Plans, too. */
export function waitsIn(cluster: Cluster, one: Operation): boolean {
  if (one.kind === 'plan') return true;
  if (one.kind !== 'move' || isActive(one)) return false;
  const source = shardOf(cluster, one.source);
  return source !== undefined && shardOf(cluster, one.target) !== undefined && covers(source.slots, one.left);
}

/**
 * A migration that the Go controller has begun: its outcome is found out before either end is told anything, since a
 * topology that still names the source as owner hides what the target has taken over.
 */
export function movesOfGo(shards: readonly ReadShard[], cluster: Cluster, random: RandomSource): readonly Move[] {
  return shards.flatMap(({ moving }, i): Move[] => {
    const source = cluster.shards[i];
    const target = moving === null ? undefined : cluster.shards[moving.target];
    if (moving === null || source === undefined || target === undefined || source === target) return [];
    if (!covers(source.slots, moving.range)) return [];
    return [
      {
        kind: 'move',
        id: `mv-${randomText(random, 12)}`,
        plan: null,
        range: moving.range,
        left: moving.range,
        piece: moving.range,
        priority: 0,
        paused: false,
        slotsPerMove: null,
        tries: 1,
        size: null,
        pace: null,
        keys: null,
        beganAt: null,
        returned: null,
        ending: null,
        noted: null,
        resumed: true,
        since: 0,
        endedAt: null,
        source: source.id,
        target: target.id,
        slotOnly: false,
        by: 'the Go controller',
        startedAt: 0,
        failures: 0,
        phase: 'migrating',
        sourceNode: source.master,
        targetNode: target.master,
      },
    ];
  });
}
