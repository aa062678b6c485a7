/**
 * Replacing dead masters, all shards of a cluster in one commit: each promotion names the new master, and as its
 * replicas those siblings that have lost the old one too and are not beyond it. Everybody else is away until the
 * rule of lineage lets it back.
 */

import { type Intended, nextVersion, switchoverOf, withOperation, withoutOperation } from '../operations/intended.ts';
import type { Instant } from '../runtime/runtime.ts';
import { masterOf, type Node, newestEntry, type Shard, shardOf, withNode, withShard } from '../topology/cluster.ts';
import type { NodeId, Sequence, ShardId, Version } from '../topology/ids.ts';
import { dampedAgain, dampedUntil } from './damping.ts';
import { judgeMaster, type Verdict } from './liveness.ts';
import { handedOver, moveToSettle, settleMoves } from './move-deaths.ts';
import { inOrder } from './move-steps.ts';
import { choosePromotion, type Judged, overWhom, whyNot } from './promotion.ts';
import { standingProof } from './seen.ts';
import { rsidOnOne } from './way-back.ts';
import { DETECTION, type Happening, type NodeView, type Proposal, soonest, type World } from './world.ts';

/** What was found of one shard's master, kept for the report also when nothing is done. */
export interface ShardReport {
  readonly shard: ShardId;
  readonly verdict: Verdict;
  /** Set once its master is dead: whom it could be, and each other one with the reason why not. */
  readonly judged: readonly Judged[] | null;
  /** Who is, or would be, promoted; null while nobody is. */
  readonly candidate: NodeId | null;
  /** What a promotion that could be made waits for; null: nothing, or there is none to be made. */
  readonly held: string | null;
}

export interface FailoverDecision {
  readonly proposal: Proposal | undefined;
  readonly reports: readonly ShardReport[];
  readonly wakeAt: Instant | undefined;
}

/**
 * A sibling stays named only if it was proven to follow the old master, and says, since the break, that it has lost it
 * and is not beyond P0. What it has become since it said so is asked once more before it is told.
 */
function mayStay(world: World, { shard, how, brokeAt, node: to, sequence: limit }: Death, sibling: Node): boolean {
  const view = world.view(sibling.id);
  // What has come back without its data feeds nobody on, and copies its loss to whoever is left behind with it.
  const since = how === 'lost-data' ? brokeAt - DETECTION.fresh : brokeAt;
  return (
    sibling.membership === 'member' &&
    standingProof(world, sibling)?.entry === newestEntry(shard).version &&
    view?.state === 'up' &&
    view.says === 'slave' &&
    view.link === 'down' &&
    view.askedAt >= Math.max(since, world.trustFrom) &&
    view.sequence !== null &&
    view.sequence >= view.highest &&
    view.sequence <= limit &&
    (!rsidOnOne(view, world.view(to)) || wasCompared(world, sibling, view))
  );
}

/** Its log was its old master's as it was last compared, and it was not started since. */
function wasCompared(world: World, { id }: Node, { since }: NodeView): boolean {
  const compared = world.found(id)?.answers.compare;
  return compared?.answer.kind === 'same' && compared.at >= since;
}

/** The shard under its new master, P0 being the number that this decision read. */
export function promoted(
  shard: Shard,
  to: NodeId,
  version: Version,
  p0: Sequence,
  stays: (node: Node) => boolean,
): Shard {
  return {
    ...shard,
    master: to,
    nodes: shard.nodes.map((node): Node => {
      if (node.id === to) {
        return {
          ...node,
          membership: 'member',
          highest: Math.max(node.highest, p0),
          proof: { entry: version, how: 'master' },
          attaching: null,
          cutOff: false,
        };
      }
      return stays(node) ? { ...node, attaching: 'within' } : { ...node, membership: 'away', attaching: null };
    }),
    lineage: [...shard.lineage, { version, master: to, sequence: p0, exact: false }],
    floor: p0,
    eligibleFrom: p0,
    dataLost: null,
  };
}

/** A master that was seen without its data may come to any number by new writes: none proves anything. */
const withoutProof = (shard: Shard): Shard => withNode(shard, shard.master, (node) => ({ ...node, proof: null }));

interface Death {
  readonly shard: Shard;
  readonly how: (Verdict & { kind: 'dead' })['how'] | 'asked';
  readonly because: string;
  readonly brokeAt: Instant;
  /** An operator's name, or the controller itself. */
  readonly by: string;
  readonly node: NodeId;
  readonly sequence: Sequence;
  readonly mayLose: Sequence;
  readonly judged: readonly Judged[];
}

/** A switchover decides its own shard until it restores; its record bounds it. */
function leftToSwitchover(intended: Intended, shard: ShardId): boolean {
  const open = switchoverOf(intended);
  return open !== undefined && open.shard === shard && open.phase !== 'restoring';
}

/** What was written after the last probe is not known before the old master is read again. */
function missing(known: Sequence): string {
  return known === 0
    ? 'the replica has all that was last seen of it'
    : `the replica lacks ${known} records that were seen of it`;
}

/** All deaths in one version. A drain elsewhere is restored with it: no other version may be told meanwhile. */
function commitDeaths(world: World, deaths: readonly Death[]): Proposal {
  const version = world.intended.cluster.version + 1;
  let next = world.intended;
  const events: Happening[] = [];
  for (const death of deaths) {
    const settled = settleMoves(world, next, death);
    next = settled.next;
    events.push(...settled.events);
    const shard = shardOf(next.cluster, death.shard.id) ?? death.shard;
    const stays = (node: Node) => node.id !== shard.master && mayStay(world, { ...death, shard }, node);
    next = {
      ...next,
      cluster: withShard(next.cluster, shard.id, (old) => ({
        ...promoted(death.how === 'lost-data' ? withoutProof(old) : old, death.node, version, death.sequence, stays),
        damping: death.how === 'asked' ? null : dampedAgain(old),
      })),
    };
    const open = switchoverOf(next);
    if (open?.shard === shard.id) next = withoutOperation(next, open.id);
    events.push({
      kind: 'failover',
      message: `${death.node} replaces ${shard.master} as master: ${death.because}, and ${missing(death.mayLose)}`,
      by: death.by,
      shard: shard.id,
      node: death.node,
      evidence: {
        how: death.how,
        since_break_ms: Math.round(world.now - death.brokeAt),
        sequence: death.sequence,
        known_missing: death.mayLose,
        refused: whyNot(death.judged),
        passed_over: overWhom(death.judged),
      },
    });
  }
  const open = switchoverOf(next);
  if (open?.phase === 'draining') {
    const because = 'a master died elsewhere in the cluster';
    next = withOperation(next, { ...open, phase: 'restoring', version, because });
  }
  const crashes = deaths
    .filter(({ how }) => how === 'crash')
    .map(({ shard, brokeAt }) => ({ shard: shard.id, brokeAt }));
  return inOrder({ next: nextVersion(next, next.cluster), events, crashes });
}

interface Held {
  readonly waitingFor: string;
  /** Null: nobody knows when. */
  readonly until: Instant | null;
}

/** What a promotion that could be made waits for. */
function heldBy(world: World, shard: Shard, verdict: Verdict & { kind: 'dead' }): Held | undefined {
  if (world.intended.pause !== null) return { waitingFor: 'the cluster is resumed', until: null };
  if (world.brake && verdict.how === 'no-witness') {
    const why = 'so much fell silent at once that this controller may be the one that is cut off';
    return { waitingFor: `more nodes to be seen again: ${why}`, until: null };
  }
  const damped = dampedUntil(world, shard, verdict.how);
  if (damped !== undefined) {
    const seconds = Math.ceil((damped - world.now) / 1_000);
    return {
      waitingFor: `another ${seconds} s: it was replaced before, and has not been healthy since`,
      until: damped,
    };
  }
  const until = moveToSettle(world, shard, verdict.brokeAt);
  return until === undefined ? undefined : { waitingFor: 'what a move of its slots has come to', until };
}

export function decideFailovers(world: World): FailoverDecision {
  const { intended } = world;
  const reports: ShardReport[] = [];
  const deaths: Death[] = [];
  let wakeAt: Instant | undefined;
  for (const shard of intended.cluster.shards) {
    if (leftToSwitchover(intended, shard.id)) continue;
    const verdict = judgeMaster(world, shard);
    if (verdict.kind !== 'dead') {
      if (verdict.kind === 'suspect') wakeAt = soonest(wakeAt, verdict.until ?? world.now + DETECTION.fresh);
      reports.push({ shard: shard.id, verdict, judged: null, candidate: null, held: null });
      continue;
    }
    const promotion = choosePromotion(world, shard, {
      askedSince: verdict.brokeAt,
      force: false,
      linked: false,
      unwitnessed: verdict.how === 'no-witness',
      handedOver: handedOver(world, shard),
    });
    const candidate = promotion.kind === 'promote' ? promotion.node : null;
    const held = candidate === null ? undefined : heldBy(world, shard, verdict);
    reports.push({ shard: shard.id, verdict, judged: promotion.judged, candidate, held: held?.waitingFor ?? null });
    if (held !== undefined) wakeAt = soonest(wakeAt, held.until ?? undefined);
    else if (promotion.kind === 'promote') deaths.push({ shard, ...verdict, ...promotion, by: 'controller' });
  }
  return { proposal: deaths.length === 0 ? undefined : commitDeaths(world, deaths), reports, wakeAt };
}

/** For an operator's own failover of a dead master: the same promotion, on their word. */
export function forcedFailover(
  world: World,
  shard: Shard,
  node: NodeId,
  sequence: Sequence,
  mayLose: Sequence,
  judged: readonly Judged[],
  by: string,
): Proposal {
  const master = masterOf(shard);
  const because = `${by} asked for it while ${master.id} does not answer`;
  const brokeAt = world.view(master.id)?.brokeAt ?? world.now;
  return commitDeaths(world, [{ shard, how: 'asked', because, brokeAt, by, node, sequence, mayLose, judged }]);
}
