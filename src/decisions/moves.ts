/** What the queue of moves does next: one move at a time, the first that was asked for first. */

import {
  activeMove,
  type Intended,
  movesOf,
  nextVersion,
  switchoverOf,
  withOperation,
  withoutOperation,
} from '../operations/intended.ts';
import { MOVE_BOUNDS, type Move } from '../operations/move.ts';
import type { Instant } from '../runtime/runtime.ts';
import { type Cluster, masterOf, type Shard, shardOf, withShard } from '../topology/cluster.ts';
import { covers, formatRange, subtract, union } from '../topology/slots.ts';
import { namedReplicas } from '../topology/text.ts';
import type { Chase, Migrate } from './jobs.ts';
import { lostData } from './liveness.ts';
import { carries, playsItsRole } from './seen.ts';
import type { Happening, Proposal, World } from './world.ts';

export interface MoveDecision {
  readonly proposal: Proposal | undefined;
  readonly migrate: Migrate | undefined;
  /** Of a replica of the target: clients go back and forth until it has what the source is about to delete. */
  readonly chase?: Chase | undefined;
  /** What the first queued move waits for, in words; undefined when it waits for nothing. */
  readonly waitingFor: string | undefined;
  readonly wakeAt: Instant | undefined;
}

const NOTHING: MoveDecision = { proposal: undefined, migrate: undefined, waitingFor: undefined, wakeAt: undefined };

const record = ({ kind, id, range, source, target, slotOnly, by, startedAt, failures }: Move) => ({
  kind,
  id,
  range,
  source,
  target,
  slotOnly,
  by,
  startedAt,
  failures,
});

function give(cluster: Cluster, move: Move): Cluster {
  const given = withShard(cluster, move.source, (shard) => ({ ...shard, slots: subtract(shard.slots, [move.range]) }));
  return withShard(given, move.target, (shard) => ({ ...shard, slots: union(shard.slots, [move.range]) }));
}

const about = (move: Move, kind: string, message: string): Happening => ({
  kind,
  message: `slots ${formatRange(move.range)} from ${move.source} to ${move.target}: ${message}`,
  by: move.by,
  shard: move.source,
});

/** What stands in the way of a master's taking part in a move; undefined when nothing does. */
function masterNotReady(world: World, shard: Shard): string | undefined {
  const master = masterOf(shard);
  const view = world.view(master.id);
  if (view === undefined || view.state !== 'up') return `master ${master.id} answers`;
  if (lostData(world, shard)) return `master ${master.id} is replaced or accepted: it has lost its data`;
  if (!carries(world, master) || !playsItsRole(world, shard, master))
    return `master ${master.id} carries version ${world.intended.cluster.version}`;
  return undefined;
}

function notReady(world: World, source: Shard, target: Shard): string | undefined {
  if (switchoverOf(world.intended) !== undefined) return 'the switchover ends';
  const master = masterNotReady(world, source) ?? masterNotReady(world, target);
  if (master !== undefined) return master;
  if (world.view(source.master)?.migrating?.state === 'start') return `the job that ${source.master} runs ends`;
  if (world.view(target.master)?.importing?.state === 'start') return `the job that ${target.master} runs ends`;
  const unlinked = namedReplicas(target).find((node) => {
    const view = world.view(node.id);
    return view?.state === 'up' && view.link !== 'up';
  });
  return unlinked === undefined ? undefined : `replica ${unlinked.id} of the target is linked to its master`;
}

function begin(world: World, move: Move): MoveDecision {
  const { intended } = world;
  const source = shardOf(intended.cluster, move.source);
  const target = shardOf(intended.cluster, move.target);
  if (source === undefined || target === undefined || !covers(source.slots, move.range)) {
    if (target !== undefined && covers(target.slots, move.range)) {
      return {
        ...NOTHING,
        proposal: {
          next: withoutOperation(intended, move.id),
          events: [about(move, 'move.finished', 'the target owns them')],
        },
      };
    }
    const why =
      source === undefined || target === undefined ? 'one of the shards is gone' : 'the source does not own them';
    return { ...NOTHING, proposal: fail(world, move, why) };
  }
  const waitingFor = notReady(world, source, target);
  if (waitingFor !== undefined) return { ...NOTHING, waitingFor, wakeAt: world.now + 1_000 };
  const ends = { sourceNode: source.master, targetNode: target.master };
  if (move.slotOnly) {
    const version = intended.cluster.version + 1;
    const next = withOperation(intended, { ...record(move), ...ends, phase: 'handing-over', version, goal: null });
    const events = [about(move, 'move.handing-over', 'without their keys, which stay at the source')];
    return { ...NOTHING, proposal: { next: nextVersion(next, give(intended.cluster, move)), events } };
  }
  const next = withOperation(intended, { ...record(move), ...ends, phase: 'migrating' });
  return {
    ...NOTHING,
    proposal: { next, events: [about(move, 'move.started', `${ends.sourceNode} migrates to ${ends.targetNode}`)] },
  };
}

/** Given up: kept for people to see, the oldest failures making room. */
function fail(world: World, move: Move, why: string): Proposal {
  const next = withOperation(world.intended, { ...record(move), phase: 'failed', why });
  const failed = movesOf(next).filter((one) => one.phase === 'failed');
  const surplus = failed.slice(0, Math.max(0, failed.length - MOVE_BOUNDS.failuresKept));
  return {
    next: surplus.reduce((rest: Intended, old) => withoutOperation(rest, old.id), next),
    events: [about(move, 'move.failed', why)],
  };
}

function whileMigrating(world: World, move: Move & { phase: 'migrating' }): MoveDecision {
  const { intended } = world;
  const migration = world.trace(move.id)?.migration;
  if (migration?.kind === 'success') {
    const version = intended.cluster.version + 1;
    const { sourceNode, targetNode } = move;
    const next = withOperation(intended, {
      ...record(move),
      sourceNode,
      targetNode,
      phase: 'handing-over',
      version,
      goal: migration.goal,
    });
    return {
      ...NOTHING,
      proposal: {
        next: nextVersion(next, give(intended.cluster, move)),
        events: [about(move, 'move.handing-over', 'copied')],
      },
    };
  }
  if (migration?.kind === 'failed') {
    // After a fail the target may serve the slots all the same, until it is told a higher version.
    const failures = move.failures + 1;
    const tried = { ...move, failures };
    const given = failures >= MOVE_BOUNDS.attempts;
    const proposal = given
      ? fail({ ...world, intended: withOperation(intended, tried) }, tried, migration.why)
      : {
          next: withOperation(intended, { ...record(tried), phase: 'queued', lastFailure: migration.why }),
          events: [about(move, 'move.retried', migration.why)],
        };
    return { ...NOTHING, proposal: { ...proposal, next: nextVersion(proposal.next, proposal.next.cluster) } };
  }
  const source = shardOf(intended.cluster, move.source)?.nodes.find((node) => node.id === move.sourceNode);
  const target = shardOf(intended.cluster, move.target)?.nodes.find((node) => node.id === move.targetNode);
  if (source === undefined || target === undefined)
    return { ...NOTHING, proposal: fail(world, move, 'one of its masters is gone') };
  const migrate: Migrate = {
    operation: move.id,
    attempt: move.failures,
    source,
    target,
    range: move.range,
    resume: world.trace(move.id) === undefined,
  };
  return { ...NOTHING, migrate };
}

function whileHandingOver(world: World, move: Move & { phase: 'handing-over' }): MoveDecision {
  const { intended } = world;
  const target = carries(world, { id: move.targetNode });
  const source = carries(world, { id: move.sourceNode });
  const until = (world.trace(move.id)?.phaseAt ?? world.watchingSince) + MOVE_BOUNDS.end;
  const overdue = world.now >= until;
  // An end that is gone, or has been replaced meanwhile, is told when it comes back.
  if ((target && source) || (overdue && (target || source))) {
    return {
      ...NOTHING,
      proposal: { next: withoutOperation(intended, move.id), events: [about(move, 'move.finished', 'both ends know')] },
    };
  }
  return {
    ...NOTHING,
    chase: source ? undefined : chaseReplica(world, move),
    wakeAt: until > world.now ? until : world.now + 1_000,
  };
}

/** The replica that is nearest to what the target had; a probe a second would keep clients waiting for as long. */
function chaseReplica(world: World, move: Move & { phase: 'handing-over' }): Chase | undefined {
  const shard = shardOf(world.intended.cluster, move.target);
  const until = (world.trace(move.id)?.phaseAt ?? world.watchingSince) + MOVE_BOUNDS.replica;
  if (move.slotOnly || move.goal === null || shard === undefined || world.now >= until) return undefined;
  const [nearest] = namedReplicas(shard)
    .filter((node) => world.view(node.id)?.state === 'up' && world.view(node.id)?.link === 'up')
    .sort((a, b) => (world.view(b.id)?.sequence ?? 0) - (world.view(a.id)?.sequence ?? 0));
  if (nearest === undefined) return undefined;
  return { operation: move.id, node: nearest.id, address: nearest.address, goal: move.goal, until };
}

/** A drained version is followed by its own decision and by nothing else: the end of a move waits for it. */
function behindSwitchover(world: World, decision: MoveDecision): MoveDecision {
  if (decision.proposal === undefined || switchoverOf(world.intended) === undefined) return decision;
  return { ...NOTHING, waitingFor: 'the switchover ends' };
}

export function decideMoves(world: World): MoveDecision {
  const active = activeMove(world.intended);
  if (active?.phase === 'migrating') return behindSwitchover(world, whileMigrating(world, active));
  if (active?.phase === 'handing-over') return whileHandingOver(world, active);
  const queued = movesOf(world.intended).find((move) => move.phase === 'queued');
  if (queued === undefined) return NOTHING;
  if (world.intended.pause !== null) return { ...NOTHING, waitingFor: 'the cluster is resumed' };
  return begin(world, queued);
}
