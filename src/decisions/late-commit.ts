/**
 * A failover whose commit came back so late that its promotion would not take writes any sooner than the crashed master
 * may have come back: that one is asked once more, before anybody is told. What this process knows, and what becomes
 * of it:
 *
 *   committed late, nobody told   the old master, asked since then,
 *                                 answers as master, with all it had      -> given back, by the next version
 *                                 refuses, is another node, plays another
 *                                   role, or has lost something           -> told
 *                                 has not answered within 250 ms          -> told
 *   told, or committed in time,   the promotion stands
 *     or slots went back with it
 *
 * Giving back takes the newest entry out of the lineage again: no node was ever told of it, so nobody's proof or limit
 * comes from it. Where a crash can fall:
 *
 *   before the failover's commit      nothing happened
 *   after it, before anybody is told  a successor cannot know that nobody was: for it the promotion stands
 *   while it is given back            nobody is told meanwhile; afterwards one of the two is what is committed
 */

import { movesOfShard, nextVersion } from '../operations/intended.ts';
import type { Duration, Instant } from '../runtime/runtime.ts';
import { type Node, newestEntry, type Shard, withShard } from '../topology/cluster.ts';
import { lostData } from './liveness.ts';
import { type Happening, type LateCommit, type Proposal, soonest, type World } from './world.ts';

/** Milliseconds for which the old master's answer is waited for. */
const ANSWERS_WITHIN: Duration = 250;

/** What the old master has come to since the commit; undefined: it has not said. */
function answerOf(world: World, { acceptedAt, before }: LateCommit): 'whole' | 'gone' | undefined {
  const master = world.view(before.master);
  if (master === undefined) return 'gone';
  // Of its answers and its refusals the newest one counts.
  if (master.state !== 'up') return master.failedAskedAt >= acceptedAt ? 'gone' : undefined;
  if (master.askedAt < acceptedAt || master.myId === null) return undefined;
  const itself = master.myId === before.master && master.says === 'master' && !lostData(world, before);
  return itself && (master.sequence ?? 0) >= master.highest ? 'whole' : 'gone';
}

/** It gave slots back that the old master had just been given: with them it would have to take back more than itself. */
const returnedSlots = (world: World, shard: Shard): boolean =>
  movesOfShard(world.intended, shard.id).some(
    (move) => move.phase === 'settling' && move.target === shard.id && move.version === newestEntry(shard).version,
  );

/** A late failover that is still to be told, and may be given back. */
const lateOf = (world: World, shard: Shard): LateCommit | undefined =>
  returnedSlots(world, shard) ? undefined : world.lateCommit(shard.id);

/** Until when nobody of the cluster is told anything; undefined: nothing stands in the way. */
export function untoldUntil(world: World): Instant | undefined {
  let until: Instant | undefined;
  for (const shard of world.intended.cluster.shards) {
    const late = lateOf(world, shard);
    if (late === undefined) continue;
    const answer = answerOf(world, late);
    const ends = late.acceptedAt + ANSWERS_WITHIN;
    if (answer === 'whole') until = soonest(until, Math.max(ends, world.now + ANSWERS_WITHIN));
    else if (answer === undefined && world.now < ends) until = soonest(until, ends);
  }
  return until;
}

/** As it was before, with what has happened to it since: slots that were moved on stay where they are. */
function givenBack(shard: Shard, before: Shard): Shard {
  return {
    ...shard,
    master: before.master,
    nodes: shard.nodes.map((node): Node => {
      const old = before.nodes.find(({ id }) => id === node.id);
      if (old === undefined) return node;
      const { membership, proof, attaching, cutOff } = old;
      return { ...node, membership, proof, attaching, cutOff };
    }),
    lineage: before.lineage,
    floor: before.floor,
    eligibleFrom: before.eligibleFrom,
    damping: before.damping,
    dataLost: before.dataLost,
  };
}

export function decideLateCommits(world: World): Proposal | undefined {
  const { intended } = world;
  if (intended.pause !== null) return undefined;
  let { cluster } = intended;
  const events: Happening[] = [];
  for (const shard of intended.cluster.shards) {
    const late = lateOf(world, shard);
    if (late === undefined || answerOf(world, late) !== 'whole') continue;
    cluster = withShard(cluster, shard.id, (now) => givenBack(now, late.before));
    events.push({
      kind: 'failover.given-back',
      message: `${late.before.master} is master again: it came back with all it had before anybody was told that ${shard.master} replaces it`,
      by: 'controller',
      shard: shard.id,
      node: late.before.master,
      evidence: { untold_version: newestEntry(shard).version },
    });
  }
  return events.length === 0 ? undefined : { next: nextVersion(intended, cluster), events };
}
