/**
 * Who is to be told the committed version now, how, and under which condition. Level-triggered: asked again after
 * every input, it answers from what is committed and what was read back, so a push that got lost is wanted again.
 */

import { lookOf, meantFor, switchoverOf } from '../operations/intended.ts';
import type { Instant } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { LeavingNode, Node, Shard } from '../topology/cluster.ts';
import { fingerprint } from '../topology/fingerprint.ts';
import type { NodeId, Sequence, Version } from '../topology/ids.ts';
import { releasingText } from '../topology/text.ts';
import { mostAtAttach, seenAt, unfitForAttach } from './confirming.ts';
import { attachGuard, fencedAsSlave } from './copies.ts';
import { handOverWakesAt, itsTurn, mustHear } from './hand-over.ts';
import { untoldUntil } from './late-commit.ts';
import { lostData } from './liveness.ts';
import { carries } from './seen.ts';
import { isEmpty, vouchedFor } from './way-back.ts';
import { type NodeView, soonest, type World } from './world.ts';

export interface Want {
  readonly node: NodeId;
  readonly address: Address;
  readonly version: Version;
  readonly text: string;
  readonly purpose: 'update' | 'promote' | 'drain' | 'fence' | 'attach' | 'release';
  /**
   * Read on the same connection right before: `says-master`, since a text without its id ends a replica's
   * replication; `may-follow`: it says slave, or was fenced on this connection, or is at sequence 0, and is neither
   * below `least` nor beyond `most`; `raised`: it was fenced on this connection, and its number is above `above`.
   */
  readonly guard: 'none' | 'says-master' | 'may-follow' | 'raised';
  readonly above?: Sequence;
  readonly least?: Sequence;
  readonly most?: Sequence | undefined;
  /** Its number must come in the same breath. Never for a push that takes moved slots from their source. */
  readonly breath: boolean;
  /** Goes out at once on a connection of its own, whatever else is under way. */
  readonly urgent: boolean;
}

/**
 * A node hears nothing before it has answered as itself, and nothing while it carries something that is above us.
 * `fresh`: it may have come to any number without an id, by commands without keys, or somebody vouches for it.
 */
function canHear(world: World, view: NodeView | undefined, fresh = false): view is NodeView {
  return (
    view !== undefined &&
    view.state === 'up' &&
    view.says !== null &&
    view.version !== null &&
    view.version <= world.intended.cluster.version &&
    (view.myId === view.id || (view.myId === '' && (fresh || isEmpty(view) || view.sequence === view.highest)))
  );
}

/** While a swap or a restoration runs, its two nodes come first. */
function beforeItsTurn(world: World, node: NodeId): boolean {
  const open = switchoverOf(world.intended);
  if (open === undefined || open.phase === 'draining') return false;
  if (open.phase === 'restoring') return node !== open.from && !carries(world, { id: open.from });
  const promoted = carries(world, { id: open.to }) && world.view(open.to)?.says === 'master';
  if (node === open.to) return false;
  return (
    !promoted || (node !== open.from && !carries(world, { id: open.from }) && world.view(open.from)?.state === 'up')
  );
}

function wantMember(world: World, shard: Shard, node: Node): Want | undefined {
  // Nor is anybody sent to follow a master without its data: whoever is beyond it would copy the loss.
  if (lostData(world, shard)) return undefined;
  const { intended } = world;
  const view = world.view(node.id);
  const isMaster = shard.master === node.id;
  if (!canHear(world, view, isMaster || vouchedFor(node)) || !meantFor(intended, node.id) || carries(world, node))
    return undefined;
  // A promotion waits for nobody: a shard without a master is worse than clients that read of a move a little early.
  const promotes = isMaster && view.says === 'slave';
  if (!promotes && (!itsTurn(world, node.id) || beforeItsTurn(world, node.id))) return undefined;
  const { version } = intended.cluster;
  // An equal version would be answered OK and ignored: that is drift, and needs a new version.
  if (view.version === version && view.myId === view.id) return undefined;
  const { text } = lookOf(intended);
  const common = { node: node.id, address: node.address, version, text };
  const open = switchoverOf(intended);
  if (open?.phase === 'draining') return { ...common, purpose: 'drain', guard: 'none', breath: true, urgent: true };
  if (isMaster) {
    return promotes
      ? { ...common, purpose: 'promote', guard: 'none', breath: true, urgent: true }
      : { ...common, purpose: 'update', guard: 'none', breath: false, urgent: open !== undefined };
  }
  if (unfitForAttach(world, shard, node, view) !== undefined) return undefined;
  const attach = { ...common, purpose: 'attach', breath: true, urgent: false } as const;
  const past = node.attaching === 'within' ? { least: seenAt(node, view), most: mostAtAttach(world, shard, node) } : {};
  if (node.copy === null || view.says === 'slave') return { ...attach, guard: 'may-follow', ...past };
  // Told a moment too early it would be let in by its number, whatever it holds.
  const above = attachGuard(world, shard, node);
  return above === undefined ? undefined : { ...attach, guard: 'raised', above };
}

function wantAway(world: World, shard: Shard, node: Node): Want | undefined {
  const { intended } = world;
  const view = world.view(node.id);
  if (!canHear(world, view, vouchedFor(node)) || !meantFor(intended, node.id)) return undefined;
  const { version } = intended.cluster;
  // At the committed number nothing can fence it any more: that is drift, and needs a new version.
  if (view.sequence === 0 || view.version === version) return undefined;
  const guard = view.says === 'master' ? 'says-master' : fencedAsSlave(world, shard, node) ? 'none' : undefined;
  if (guard === undefined) return undefined;
  const { text } = lookOf(intended);
  return {
    node: node.id,
    address: node.address,
    version,
    text,
    purpose: 'fence',
    guard,
    breath: true,
    urgent: true,
  };
}

function wantLeaving(world: World, node: LeavingNode): Want | undefined {
  const { intended } = world;
  const view = world.view(node.id);
  if (!canHear(world, view) || switchoverOf(intended) !== undefined) return undefined;
  // It gets its settings back before it is let go.
  if (intended.tuned.some((tuned) => tuned.node === node.id)) return undefined;
  const { version } = intended.cluster;
  if (view.version === version) return undefined;
  const text = releasingText(intended.cluster, node);
  return {
    node: node.id,
    address: node.address,
    version,
    text,
    purpose: 'release',
    guard: 'none',
    breath: true,
    urgent: false,
  };
}

/**
 * A leaving node carries the version that released it: the committed one as it was told, or the one that it answered
 * here. Any other may be the topology of a cluster that has taken it in since, and what follows a release empties it.
 */
export function released(world: World, node: LeavingNode): boolean {
  const { cluster } = world.intended;
  const view = world.view(node.id);
  return (
    view?.state === 'up' &&
    view.holds !== null &&
    view.holds.version > node.version &&
    view.says === 'master' &&
    (view.holds.version === cluster.version
      ? view.holds.fingerprint === fingerprint(releasingText(cluster, node))
      : view.fenced?.version === view.holds.version)
  );
}

export function wants(world: World): readonly Want[] {
  if (untoldUntil(world) !== undefined) return [];
  const paused = world.intended.pause !== null;
  const list: Want[] = [];
  for (const shard of world.intended.cluster.shards) {
    for (const node of shard.nodes) {
      // Slots that are being handed over are told also in a pause: until then only marks in two nodes' memory say who serves.
      if (paused && !mustHear(world.intended, node.id)) continue;
      const want = node.membership === 'away' ? wantAway(world, shard, node) : wantMember(world, shard, node);
      if (want !== undefined) list.push(want);
    }
  }
  for (const node of paused ? [] : world.intended.cluster.leaving) {
    const want = wantLeaving(world, node);
    if (want !== undefined) list.push(want);
  }
  return list;
}

/** When a bound passes that `wants` waits for. */
export function tellingWakesAt(world: World): Instant | undefined {
  return soonest(untoldUntil(world), handOverWakesAt(world));
}
