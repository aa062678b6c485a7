/** What is wrong with moves now: pieces that take too long, slots of which nobody knows whose they are, moves given up. */
import { movesOf, movesOfShard, type OperationId } from '../operations/intended.ts';
import { type FailedMove, type Held, type Migrating, MOVE_BOUNDS, type Move } from '../operations/move.ts';
import type { Duration } from '../runtime/runtime.ts';
import { nodeOf, type Shard, shardOf } from '../topology/cluster.ts';
import { formatRange, formatSlots, type SlotSet, slotCount, union } from '../topology/slots.ts';
import { kvctl, redisCli } from './commands.ts';
import { outOfReach, phaseAt } from './hand-over.ts';
import { heldWord } from './move-steps.ts';
import type { Finding } from './problems.ts';
import { curedBy, refusedSlots } from './refused-slots.ts';
import type { World } from './world.ts';

export function moveFindings(world: World): readonly Finding[] {
  const running = movesOf(world.intended).flatMap((move) => {
    const found =
      move.phase === 'migrating'
        ? slow(world, move)
        : move.phase === 'held'
          ? undecided(world, move)
          : refused(world, move);
    return found === undefined ? [] : [found];
  });
  return [...running, ...givenUp(world)];
}

/** One for each plan: what has stopped one of its moves has often stopped all of them. */
function givenUp(world: World): readonly Finding[] {
  const together = new Map<OperationId, FailedMove[]>();
  for (const move of movesOf(world.intended)) {
    if (move.phase !== 'failed') continue;
    const which = move.plan ?? move.id;
    together.set(which, [...(together.get(which) ?? []), move]);
  }
  return [...together].map(([which, moves]): Finding => {
    const whys = [...new Set(moves.map(({ why }) => why))];
    const others = whys.length > 1 ? `, and more reasons (${kvctl(world, 'move list')})` : '';
    const slots = formatSlots(moves.reduce<SlotSet>((all, { left }) => union(all, [left]), []));
    const leave = kvctl(world, `move cancel ${which}`);
    return {
      code: 'MOVE_FAILED',
      severity: 'warning',
      shard: moves.length === 1 ? (moves[0]?.source ?? null) : null,
      node: null,
      message: `slots ${slots} stay where they are, their move was given up: ${whys[0]}${others}. To leave it at that: ${leave}`,
      waitingFor: 'an operator',
      command: kvctl(world, `move retry ${which}`),
    };
  });
}

/** How long a piece of this size should take, by what its source has shown. */
const estimate = ({ pace, piece }: Migrating): Duration =>
  pace === null ? MOVE_BOUNDS.copyIn : (slotCount([piece]) * pace.ms) / pace.slots;

const words = ({ piece, source, target }: Migrating | Held): string =>
  `slots ${formatRange(piece)} from ${source} to ${target}`;

function slow(world: World, move: Migrating): Finding | undefined {
  const runs = world.now - phaseAt(world, move);
  if (runs < MOVE_BOUNDS.long) return undefined;
  const common = { shard: move.source, node: move.sourceNode } as const;
  const seconds = Math.floor(runs / 1_000);
  const migration = world.trace(move.id)?.migration;
  if (migration?.kind === 'unsettled' && migration.waitsFor === 'target') {
    const message = `${words(move)}: ${move.sourceNode} serves them, and ${move.targetNode}, which may have taken them over before, does not say so`;
    return { ...common, ...asks(world, move), message, waitingFor: `the answer of ${move.targetNode}` };
  }
  const message = `${words(move)}: on their way for ${seconds} s; ${serverSays(world, move)}`;
  if (runs < Math.max(MOVE_BOUNDS.stalled, MOVE_BOUNDS.stalledTimes * estimate(move)))
    return { ...common, code: 'MOVE_LONG', severity: 'warning', message, waitingFor: 'the end of it', command: null };
  return { ...common, code: 'MOVE_STALLED', severity: 'error', ...cure(world, move, message) };
}

function serverSays(world: World, move: Migrating): string {
  const source = world.view(move.sourceNode);
  if (source?.state !== 'up') return `${move.sourceNode} is ${source?.state ?? 'unknown'}`;
  const { migrating } = source;
  const job = migrating?.range == null ? 'no job' : `${migrating.state} of ${formatRange(migrating.range)}`;
  return `${move.sourceNode} says ${job}`;
}

/** What can be done about it; a job that copies raw cannot be ended from outside. */
function cure(world: World, move: Migrating, message: string): Pick<Finding, 'message' | 'waitingFor' | 'command'> {
  const target = world.view(move.targetNode);
  const waitingFor = 'the end of the job';
  if (target?.state !== 'up') {
    const so = `${move.targetNode} is ${target?.state ?? 'unknown'}: its source gives up by itself, 135 s after it began where nothing answers at all`;
    return { message: `${message}; ${so}`, waitingFor, command: null };
  }
  if (move.endedAt !== null) return { message: `${message}; it is being ended`, waitingFor, command: null };
  const source = world.view(move.sourceNode);
  const address = nodeOf(world.intended.cluster, move.sourceNode)?.node.address;
  if (source?.migrateType !== 'redis-command' || address === undefined)
    return { message: `${message}; it cannot be ended from outside`, waitingFor, command: null };
  const speed = redisCli(world, address, 'CONFIG SET migrate-speed 0');
  const so = `copied key by key, it does not end while clients write faster than migrate-speed: lift that (${kvctl(world, 'settings set migrate_speed=0')}, or for this server ${speed}), or end it and try smaller pieces`;
  return { message: `${message}; ${so}`, waitingFor, command: kvctl(world, `move retry ${move.id}`) };
}

function asks(world: World, { id }: Migrating | Held): Pick<Finding, 'code' | 'severity' | 'command'> {
  const command = kvctl(world, `move settle ${id}`, '--owner', 'source');
  return { code: 'MOVE_UNDECIDED', severity: 'error', command };
}

function undecided(world: World, move: Held): Finding {
  const word = heldWord(world, move);
  const other = kvctl(world, `move settle ${move.id}`, '--owner', 'target');
  const so =
    word === 'silent'
      ? `${move.targetNode} has not said yet whether it had taken them over`
      : word === 'forgotten'
        ? `${move.targetNode} was restarted and does not know whether it had taken them over`
        : `${move.targetNode} says that it has taken them over, as it said before the move`;
  const message = `${words(move)}: ${move.sourceNode} died, and ${so}; nobody serves them. The source's copy lacks what the target took if it had; the target's (${other}) is not whole if it had not`;
  const waitingFor = word === 'silent' ? `the answer of ${move.targetNode}, or an operator` : 'an operator';
  return { ...asks(world, move), shard: move.target, node: move.targetNode, message, waitingFor };
}

/** A hand-over to this shard that keeps its master from being replaced, or given up, and an operator's way out of it. */
export function handOverToSettle(
  world: World,
  shard: Shard,
): { readonly words: string; readonly command: string } | undefined {
  for (const move of movesOfShard(world.intended, shard.id)) {
    const owner = move.target === shard.id ? outOfReach(world, move) : undefined;
    if (owner === undefined) continue;
    const slots = `slots ${formatRange(move.piece)} had just come from ${move.source}`;
    const words =
      owner === 'source'
        ? `${slots}, which still has what it gave away: it can have them back, without what ${shard.master} has taken since`
        : `${slots}, which has deleted them: what ${shard.master} alone has of them can be given up`;
    return { words, command: kvctl(world, `move settle ${move.id}`, `--owner ${owner}`) };
  }
  return undefined;
}

/** Clients read these slots, and none of their writes is taken. */
function refused(world: World, move: Move): Finding | undefined {
  const shard = shardOf(world.intended.cluster, move.source);
  const slots = shard === undefined ? undefined : refusedSlots(world, move, shard);
  if (shard === undefined || slots === undefined || slots.length === 0) return undefined;
  const to = curedBy(world, shard);
  return {
    code: 'WRITES_REFUSED',
    severity: 'error',
    shard: shard.id,
    node: shard.master,
    message: `${shard.master} answers writes to slots ${formatSlots(slots)} with TRYAGAIN: it had given them away and has them again, and forgets that only by a restart, or as it moves other slots`,
    waitingFor: to === undefined ? 'a replica that can take its place, or its restart' : 'a switchover',
    command: to === undefined ? null : kvctl(world, `failover shard ${world.intended.cluster.shards.indexOf(shard)}`),
  };
}
