/**
 * All decisions about one cluster, in the order in which they may overtake each other. At most one change at a time:
 * what else there is to do is found again from the state that the change leaves. Pure; the same world gives the same
 * answer.
 */

import { activeMoves, moveOfShard, movesOf, switchoverOf } from '../operations/intended.ts';
import { unfinished } from '../operations/move.ts';
import type { Duration, Instant } from '../runtime/runtime.ts';
import type { Node, Shard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { namedReplicas } from '../topology/text.ts';
import { copyJobs, NO_COPY_JOBS } from './copy-steps.ts';
import { decideCutOff } from './cut-off.ts';
import { decideDamping } from './damping.ts';
import { decideDataLost } from './data-lost.ts';
import { decideDrift } from './drift.ts';
import { decideFailovers, type ShardReport } from './failover.ts';
import { withFloors } from './floor.ts';
import { answerIsDue } from './hand-over.ts';
import type { Jobs } from './jobs.ts';
import { decideLateCommits } from './late-commit.ts';
import { decideLeaving } from './leaving.ts';
import { decideMoves } from './moves.ts';
import { decideExactPromotions, decideRejoins } from './rejoin.ts';
import { carries, playsItsRole } from './seen.ts';
import { decideSwitchover } from './switchovers.ts';
import { tellingWakesAt, type Want, wants } from './telling.ts';
import { decideTuning } from './tuning.ts';
import { decideUnlinked, followsItsMaster } from './unlinked.ts';
import { DETECTION, type Proposal, soonest, type World } from './world.ts';

/** What the decision needs beyond the world: results of jobs, an operator's word, the age of the stored floors. */
export interface Circumstances {
  readonly resetDone: (node: NodeId) => string | undefined;
  /** An operator said that the committed topology holds against foreign ones. */
  readonly overwrite: boolean;
  readonly committedAt: Instant;
}

export interface Decision {
  /** To be committed before anything else is done. */
  readonly proposal: Proposal | undefined;
  /** Of the version that is committed now. */
  readonly wants: readonly Want[];
  readonly jobs: Jobs;
  readonly reports: readonly ShardReport[];
  /** Decide again then, though nothing new was seen. */
  readonly wakeAt: Instant | undefined;
  /** Everything is as it should be: answers that change nothing need no decision. */
  readonly settled: boolean;
}

function settled(world: World): boolean {
  const { intended } = world;
  if (switchoverOf(intended) !== undefined || movesOf(intended).some(unfinished)) return false;
  if (intended.cluster.leaving.length > 0 || intended.tuned.length > 0) return false;
  return intended.cluster.shards.every((shard) =>
    shard.nodes.every(
      (node) =>
        node.membership === 'member' &&
        node.attaching === null &&
        world.view(node.id)?.state === 'up' &&
        carries(world, node) &&
        playsItsRole(world, shard, node) &&
        followsItsMaster(world, shard, node.id) &&
        world.view(node.id)?.link !== 'down',
    ),
  );
}

/** Not while a master is missed: the decision about it would have to wait for the commit. */
function floorIsDue(world: World, reports: readonly ShardReport[], committedAt: Instant): Proposal | undefined {
  if (reports.some(({ verdict }) => verdict.kind === 'suspect')) return undefined;
  if (world.now - committedAt < DETECTION.floorEvery) return undefined;
  return withFloors(world, world.intended) === world.intended ? undefined : { next: world.intended, events: [] };
}

/** A shard without a master does not wait until nothing else is to be committed, unless that gives it another one. */
function promotions(world: World, { next }: Proposal): readonly Want[] {
  const stays = ({ node }: Want) => next.cluster.shards.some(({ master }) => master === node);
  return wants(world).filter((want) => want.purpose === 'promote' && stays(want));
}

export function decide(world: World, circumstances: Circumstances): Decision {
  const failovers = decideFailovers(world);
  const damping = decideDamping(world);
  const switchover = decideSwitchover(world);
  const moves = decideMoves(world);
  const leaving = decideLeaving(world, circumstances.resetDone);
  const unlinked = decideUnlinked(world);
  const tuning = decideTuning(world);
  const proposal =
    failovers.proposal ??
    decideLateCommits(world) ??
    decideExactPromotions(world) ??
    switchover.proposal ??
    moves.proposal ??
    decideDataLost(world, failovers.reports) ??
    decideCutOff(world) ??
    decideRejoins(world) ??
    leaving.proposal ??
    decideDrift(world, circumstances.overwrite) ??
    unlinked.proposal ??
    tuning.proposal ??
    damping.proposal ??
    floorIsDue(world, failovers.reports, circumstances.committedAt);
  return {
    proposal,
    wants: proposal === undefined ? wants(world) : promotions(world, proposal),
    jobs: {
      chases: switchover.chase === undefined ? moves.chases : [switchover.chase, ...moves.chases],
      migrates: moves.migrates,
      resets: leaving.resets,
      tunes: tuning.tunes,
      ...(proposal === undefined ? copyJobs(world) : NO_COPY_JOBS),
    },
    reports: failovers.reports,
    wakeAt: soonest(
      failovers.wakeAt,
      damping.wakeAt,
      switchover.wakeAt,
      moves.wakeAt,
      leaving.wakeAt,
      unlinked.wakeAt,
      tellingWakesAt(world),
    ),
    settled: settled(world),
  };
}

/** Every node that answers carries the committed version and plays its role, and nothing is under way. */
export function nodesKnow(world: World): boolean {
  const { intended } = world;
  if (switchoverOf(intended) !== undefined) return false;
  if (activeMoves(intended).some(({ phase }) => phase === 'handing-over' || phase === 'settling')) return false;
  return intended.cluster.shards.every((shard) =>
    shard.nodes.every(
      (node) => node.membership === 'away' || (carries(world, node) && playsItsRole(world, shard, node)),
    ),
  );
}

/** Milliseconds between two questions to a node. */
export const PACE = {
  quiet: 1_000,
  /** Of a suspect and its witnesses while it is being decided, of a switchover, of a replica that comes in. */
  close: 100,
  /**
   * Of those that answer in a shard whose master has been gone for long: their facts stay fresh enough to decide by; and
   * of a replaced master that may come back.
   */
  waiting: 200,
} as const;

/** After this, in ms, what could be found out at once has been found out. */
const CLOSE_FOR = 10_000;

/** A replica has lost its master, which answers: what came back at that address may be empty. */
function hasOrphan(world: World, shard: Shard): boolean {
  return namedReplicas(shard).some(({ id }) => {
    const view = world.view(id);
    return view?.state === 'up' && view.linkDownAt !== null && world.now - view.linkDownAt <= CLOSE_FOR;
  });
}

/** A replaced master that is gone: back from its nodes.conf it takes writes, and each is lost, until it is fenced. */
function mayServe(world: World, shard: Shard, node: Node): boolean {
  const view = world.view(node.id);
  if (node.membership !== 'away' || view?.state === 'up' || (view?.fenced ?? null) !== null) return false;
  return shard.lineage.some(({ master }) => master === node.id);
}

/** Nodes that are asked more often than the quiet pace, and how often. */
export function paces(world: World, reports: readonly ShardReport[]): ReadonlyMap<NodeId, Duration> {
  const open = switchoverOf(world.intended);
  const nodes = new Map<NodeId, Duration>();
  for (const shard of world.intended.cluster.shards) {
    const verdict = reports.find((report) => report.shard === shard.id)?.verdict ?? { kind: 'alive' };
    const suspect = verdict.kind !== 'alive';
    const brokeAt = verdict.kind === 'dead' ? verdict.brokeAt : (world.view(shard.master)?.brokeAt ?? world.now);
    const orphaned = !suspect && hasOrphan(world, shard);
    const late = suspect && world.now - brokeAt > CLOSE_FOR;
    for (const node of shard.nodes) {
      const up = world.view(node.id)?.state === 'up';
      if (open?.shard === shard.id || orphaned || (suspect && !late) || (node.attaching !== null && up))
        nodes.set(node.id, PACE.close);
      else if ((late && up) || mayServe(world, shard, node)) nodes.set(node.id, PACE.waiting);
    }
    // What hangs while it is told something is in its grace: as soon as that has passed its silence counts.
    if (world.view(shard.master)?.state === 'busy') nodes.set(shard.master, PACE.close);
    // What it took over decides whose the slots are that were on their way from a dead master.
    const replaced = world.lateCommit(shard.id)?.before.master;
    if (replaced !== undefined) nodes.set(replaced, PACE.close);
    const move = moveOfShard(world.intended, shard.id);
    if (suspect && (move?.phase === 'migrating' || move?.phase === 'handing-over'))
      nodes.set(move.source === shard.id ? move.targetNode : move.sourceNode, late ? PACE.waiting : PACE.close);
    // Nobody serves what is held until it has answered.
    if (move?.phase === 'held' && move.target === shard.id) nodes.set(move.targetNode, PACE.waiting);
    // Nor is the source of a hand-over told before its target has answered after the bound.
    const due = move?.target === shard.id ? answerIsDue(world, move) : undefined;
    if (due !== undefined) nodes.set(due, PACE.close);
  }
  return nodes;
}
