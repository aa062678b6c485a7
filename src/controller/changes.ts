/**
 * What callers may do to a cluster, as pure changes of its committed state. Each throws a `Refusal` that says what
 * stands in the way.
 */

import { forcedFailover } from '../decisions/failover.ts';
import { judgeMaster } from '../decisions/liveness.ts';
import { handedOver, moveToSettle } from '../decisions/move-deaths.ts';
import { handOverToSettle } from '../decisions/move-findings.ts';
import { choosePromotion, type Judged, whyNot } from '../decisions/promotion.ts';
import { carries } from '../decisions/seen.ts';
import { drain } from '../decisions/switchovers.ts';
import type { Happening, Proposal, World } from '../decisions/world.ts';
import { activeMoves, type Intended, moveOfShard, movesOf, nextVersion, switchoverOf } from '../operations/intended.ts';
import { binds } from '../operations/move.ts';
import {
  type Cluster,
  type LeavingNode,
  masterOf,
  type Node,
  nodeOf,
  type Shard,
  withShard,
} from '../topology/cluster.ts';
import type { NodeId, Version } from '../topology/ids.ts';
import { formatRange, slotCount } from '../topology/slots.ts';
import type { ShardRef } from './control-plane.ts';
import { notFound, Refusal } from './refusal.ts';

export function findShard(cluster: Cluster, ref: ShardRef): { readonly shard: Shard; readonly index: number } {
  const index = 'index' in ref ? ref.index : cluster.shards.findIndex((shard) => shard.id === ref.id);
  const shard = cluster.shards[index];
  if (shard === undefined) throw notFound('index' in ref ? `shard ${ref.index}` : `shard ${ref.id}`);
  return { shard, index };
}

export function checkVersion(intended: Intended, ifVersion: Version | undefined): void {
  if (ifVersion !== undefined && ifVersion !== intended.cluster.version) {
    throw new Refusal(
      'changed',
      `the cluster is at version ${intended.cluster.version}, not ${ifVersion}; look at it again`,
    );
  }
}

export function refusePaused({ intended }: World): void {
  if (intended.pause !== null)
    throw new Refusal('operation_running', `the cluster was paused by ${intended.pause.by}; resume it first`);
}

const about = (by: string, kind: string, message: string, shard?: string, node?: string): Happening => ({
  kind,
  message,
  by,
  ...(shard === undefined ? {} : { shard }),
  ...(node === undefined ? {} : { node }),
});

export function addShard(world: World, shard: (version: Version) => Shard, seen: Version, by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const version = Math.max(intended.cluster.version, seen) + 1;
  const added = shard(version);
  const cluster = { ...intended.cluster, shards: [...intended.cluster.shards, added] };
  return {
    next: nextVersion(intended, cluster, seen),
    events: [about(by, 'shard.created', `shard ${added.id} joins, without slots`, added.id)],
  };
}

const leavingOf = (node: Node, version: Version, reset: boolean): LeavingNode => ({
  id: node.id,
  address: node.address,
  version,
  how: reset ? 'reset' : 'release',
});

export function removeShard(world: World, ref: ShardRef, reset: boolean, by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const { shard, index } = findShard(intended.cluster, ref);
  if (shard.slots.length > 0) {
    throw new Refusal(
      'owns_slots',
      `shard ${index} owns ${slotCount(shard.slots)} slots (${shard.slots.map(formatRange).join(',')}); move them first`,
    );
  }
  const move = movesOf(intended).find((one) => binds(one, shard.id));
  if (move !== undefined)
    throw new Refusal(
      'operation_running',
      `slots ${formatRange(move.range)} are on their way from or to shard ${index}`,
    );
  const { version } = intended.cluster;
  const cluster: Cluster = {
    ...intended.cluster,
    shards: intended.cluster.shards.filter((one) => one.id !== shard.id),
    leaving: [...intended.cluster.leaving, ...shard.nodes.map((node) => leavingOf(node, version, reset))],
  };
  return {
    next: nextVersion(intended, cluster),
    events: [about(by, 'shard.deleted', `shard ${shard.id} leaves with ${shard.nodes.length} nodes`, shard.id)],
  };
}

export function addNode(world: World, ref: ShardRef, node: Node, seen: Version, by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const { shard } = findShard(intended.cluster, ref);
  const cluster = withShard(intended.cluster, shard.id, (old) => ({ ...old, nodes: [...old.nodes, node] }));
  return {
    next: nextVersion(intended, cluster, seen),
    events: [about(by, 'node.created', `${node.id} joins as a replica of ${shard.master}`, shard.id, node.id)],
  };
}

export function removeNode(world: World, ref: ShardRef, id: NodeId, reset: boolean, by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const { shard, index } = findShard(intended.cluster, ref);
  const node = shard.nodes.find((one) => one.id === id);
  if (node === undefined) throw notFound(`node ${id} of shard ${index}`);
  if (id === shard.master)
    throw new Refusal('is_master', `${id} is the master of shard ${index}; fail over first, or delete the shard`);
  const { version } = intended.cluster;
  const without = withShard(intended.cluster, shard.id, (old) => ({
    ...old,
    nodes: old.nodes.filter((one) => one.id !== id),
  }));
  const cluster = { ...without, leaving: [...without.leaving, leavingOf(node, version, reset)] };
  return { next: nextVersion(intended, cluster), events: [about(by, 'node.deleted', `${id} leaves`, shard.id, id)] };
}

/** A leaving node that cannot be told, or an away one: neither stands in any text. */
export function forgetNode(world: World, id: NodeId, by: string): Proposal {
  const { intended } = world;
  const events = [about(by, 'node.forgotten', `${id} is forgotten, told or not`, undefined, id)];
  if (intended.cluster.leaving.some((one) => one.id === id)) {
    const leaving = intended.cluster.leaving.filter((one) => one.id !== id);
    return { next: { ...intended, cluster: { ...intended.cluster, leaving } }, events };
  }
  const found = nodeOf(intended.cluster, id);
  if (found === undefined) throw notFound(`node ${id}`);
  if (found.node.membership !== 'away') {
    throw new Refusal('operation_running', `${id} is part of the topology; delete it instead`);
  }
  const cluster = withShard(intended.cluster, found.shard.id, (old) => ({
    ...old,
    nodes: old.nodes.filter((one) => one.id !== id),
  }));
  return { next: { ...intended, cluster }, events };
}

/** Every node leaves to be reset. */
export function endCluster(world: World, by: string): Proposal {
  const { intended } = world;
  refuseOperations(intended);
  const { version } = intended.cluster;
  const leaving = intended.cluster.shards.flatMap((shard) => shard.nodes.map((node) => leavingOf(node, version, true)));
  const cluster = { ...intended.cluster, shards: [], leaving: [...intended.cluster.leaving, ...leaving] };
  const next = nextVersion({ ...intended, operations: [], ending: true }, cluster);
  return { next, events: [about(by, 'cluster.ending', `all ${leaving.length} nodes are reset`)] };
}

function refuseOperations(intended: Intended): void {
  const [move] = activeMoves(intended);
  if (move !== undefined)
    throw new Refusal(
      'operation_running',
      `slots ${formatRange(move.piece)} are being moved; try again when it is done`,
      move.id,
    );
}

export function pause(world: World, until: number | null, by: string): Proposal {
  const words =
    until === null
      ? 'until it is resumed'
      : `until ${new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' }).format(until)} UTC`;
  return {
    next: { ...world.intended, pause: { until, by } },
    events: [about(by, 'cluster.paused', `nothing is changed by the controller itself ${words}`)],
  };
}

export function resume(world: World, by: string): Proposal {
  return {
    next: { ...world.intended, pause: null },
    events: [about(by, 'cluster.resumed', 'the controller acts again')],
  };
}

export function masterAnswers(world: World, shard: Shard): boolean {
  const view = world.view(shard.master);
  return view?.state === 'up' && view.says === 'master' && judgeMaster(world, shard).kind === 'alive';
}

/** Every node of the shard that answers carries the committed version. */
export function shardKnows(world: World, ref: ShardRef): boolean {
  const { shard } = findShard(world.intended.cluster, ref);
  return shard.nodes.every(
    (node) => node.membership === 'away' || world.view(node.id)?.state !== 'up' || carries(world, node),
  );
}

function refusePreferred(shard: Shard, index: number, preferred: NodeId | undefined): void {
  if (preferred === undefined) return;
  if (preferred === shard.master)
    throw new Refusal('no_eligible_replica', `${preferred} is the master of shard ${index} already`);
  if (!shard.nodes.some((node) => node.id === preferred)) {
    throw new Refusal(
      'invalid',
      `preferred_node_id: ${preferred} is no node of shard ${index}; its replicas are ${
        shard.nodes
          .filter((node) => node.id !== shard.master)
          .map((node) => node.id)
          .join(', ') || 'none'
      }`,
    );
  }
}

function nobody(
  index: number,
  preferred: NodeId | undefined,
  judged: readonly Judged[],
  settling?: { readonly words: string; readonly command: string },
): Refusal {
  const asked = preferred === undefined ? judged : judged.filter((one) => one.node === preferred);
  const reasons = whyNot(asked);
  const words = judged.length === 0 ? 'it has no replica' : reasons.join(', ');
  const so = settling === undefined ? '' : `. ${settling.words}: ${settling.command}`;
  return new Refusal('no_eligible_replica', `shard ${index}: no replica may be promoted: ${words}${so}`, judged);
}

/** Whom a planned switchover would promote. Throws where nobody may be, or something else is under way. */
export function switchoverCandidate(
  world: World,
  ref: ShardRef,
  preferred: NodeId | undefined,
): { readonly from: Node; readonly to: Node; readonly index: number } {
  refusePaused(world);
  const { intended } = world;
  const { shard, index } = findShard(intended.cluster, ref);
  refusePreferred(shard, index, preferred);
  if (switchoverOf(intended) !== undefined)
    throw new Refusal('operation_running', 'a switchover is under way; try again');
  const move = moveOfShard(intended, shard.id);
  if (move !== undefined)
    throw new Refusal(
      'operation_running',
      `slots ${formatRange(move.piece)} are being moved from or to shard ${index}`,
      move.id,
    );
  const promotion = choosePromotion(world, shard, {
    askedSince: Number.NEGATIVE_INFINITY,
    force: false,
    linked: true,
    preferred,
  });
  if (promotion.kind === 'hold') throw nobody(index, preferred, promotion.judged);
  const to = shard.nodes.find((node) => node.id === promotion.node);
  if (to === undefined) throw nobody(index, preferred, promotion.judged);
  const from = masterOf(shard);
  for (const node of [from, to]) {
    if (!carries(world, node))
      throw new Refusal(
        'operation_running',
        `${node.id} does not carry version ${intended.cluster.version} yet; try again`,
      );
  }
  return { from, to, index };
}

/** Drained for the one that takes its place. Throws as `switchoverCandidate` does. */
export function beginSwitchover(
  world: World,
  ref: ShardRef,
  preferred: NodeId | undefined,
  id: string,
  by: string,
): Proposal {
  const { to } = switchoverCandidate(world, ref, preferred);
  const { shard } = findShard(world.intended.cluster, ref);
  return drain(world, world.intended, { shard: shard.id, to: to.id, operation: id, by, why: '' });
}

/** The master does not answer: its replica is promoted on the caller's word. */
export function failOverDeadMaster(
  world: World,
  ref: ShardRef,
  preferred: NodeId | undefined,
  force: boolean,
  by: string,
): Proposal {
  refusePaused(world);
  const { shard, index } = findShard(world.intended.cluster, ref);
  refusePreferred(shard, index, preferred);
  const verdict = judgeMaster(world, shard);
  if (verdict.kind === 'suspect' && verdict.heard && !force) {
    throw new Refusal(
      'no_eligible_replica',
      `shard ${index}: its master cannot be reached from here, but a replica still hears it; pass force to promote all the same`,
    );
  }
  const brokeAt = world.view(shard.master)?.brokeAt ?? null;
  if (moveToSettle(world, shard, brokeAt ?? world.now) !== undefined)
    throw new Refusal(
      'operation_running',
      `shard ${index}: what a move of its slots has come to is found out; try again`,
    );
  const askedSince = brokeAt ?? Number.NEGATIVE_INFINITY;
  const wanted = { askedSince, force, linked: false, preferred, handedOver: handedOver(world, shard) };
  const promotion = choosePromotion(world, shard, wanted);
  if (promotion.kind === 'hold') throw nobody(index, preferred, promotion.judged, handOverToSettle(world, shard));
  return forcedFailover(world, shard, promotion.node, promotion.sequence, promotion.mayLose, promotion.judged, by);
}
