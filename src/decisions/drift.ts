/**
 * Nodes that carry a version which no push of ours can mend: one above the committed one, or the committed number with
 * another content. The committed topology is recognised by its looks and healed by a version above both; what is not
 * ours is named and left alone until an operator says which one holds.
 */
import { lookOf, meantFor, nextVersion, switchoverOf } from '../operations/intended.ts';
import { type Cluster, type LeavingNode, type Node, nodesOf, type Shard } from '../topology/cluster.ts';
import { fingerprint } from '../topology/fingerprint.ts';
import type { NodeId, Version } from '../topology/ids.ts';
import { releasingText } from '../topology/text.ts';
import { leads } from './comparing.ts';
import { courseOf } from './copies.ts';
import { wayBack } from './rejoin.ts';
import { carries, playsItsRole } from './seen.ts';
import type { NodeView, Proposal, World } from './world.ts';

export type Drift =
  | { readonly kind: 'none' }
  /** Provably the earlier truth under a number that is spent: a version above both heals it. */
  | { readonly kind: 'ours'; readonly seen: Version; readonly what: string }
  /** A topology that this controller never committed, above the committed version. */
  | { readonly kind: 'foreign'; readonly seen: Version };

/** A role that is not played right after a push may only be late. */
const ROLE_GRACE = 2_000;

function driftOf(world: World, view: NodeView | undefined, roleIsRight: boolean): Drift {
  const { intended } = world;
  const { version } = intended.cluster;
  if (view === undefined || view.state !== 'up' || view.version === null || view.busySince !== null)
    return { kind: 'none' };
  if (view.holds === null || view.holds.version !== view.version || view.version < version) return { kind: 'none' };
  const { fingerprint } = view.holds;
  if (view.version > version) {
    // An earlier topology of ours would prove nothing: it may have been put in force again after the store's backup.
    return fingerprint === lookOf(intended).fingerprint
      ? { kind: 'ours', seen: view.version, what: `it carries the committed topology as version ${view.version}` }
      : { kind: 'foreign', seen: view.version };
  }
  if (fingerprint !== lookOf(intended).fingerprint) {
    return { kind: 'ours', seen: view.version, what: `its version ${version} has another content` };
  }
  if (!roleIsRight && world.now - view.since > ROLE_GRACE && world.now - view.holdsSince > ROLE_GRACE) {
    return {
      kind: 'ours',
      seen: view.version,
      what: `it carries version ${version} and says that it is a ${view.says}`,
    };
  }
  return { kind: 'none' };
}

/**
 * A node that must be fenced, and carries the committed number: only a higher one can fence it. It serves nothing under
 * that number, so it matters only where it could be attached then.
 */
function mustBeFencedAnew(world: World, shard: Shard, node: Node): boolean {
  const view = world.view(node.id);
  return (
    leads(world, shard) &&
    view?.version === world.intended.cluster.version &&
    view.holds !== null &&
    (wayBack(world, shard, node).kind === 'fence' || courseOf(world, shard, node).kind === 'fence')
  );
}

/** What is wrong with a node's topology that a push cannot mend. */
export function drift(world: World, node: NodeId): Drift {
  const { intended } = world;
  for (const shard of intended.cluster.shards) {
    const member = shard.nodes.find((one) => one.id === node);
    if (member === undefined) continue;
    if (member.membership === 'away') {
      const found = driftOf(world, world.view(node), true);
      if (found.kind !== 'none' || !mustBeFencedAnew(world, shard, member)) return found;
      return { kind: 'ours', seen: intended.cluster.version, what: 'it must be fenced and read again' };
    }
    return driftOf(world, world.view(node), playsItsRole(world, shard, member) || !carries(world, member));
  }
  const leaving = intended.cluster.leaving.find((one) => one.id === node);
  return leaving === undefined ? { kind: 'none' } : leavingDrift(world, leaving);
}

/** A leaving node that has the committed number with another content cannot be told under it. One above is another's. */
function leavingDrift(world: World, node: LeavingNode): Drift {
  const { cluster } = world.intended;
  const view = world.view(node.id);
  const stuck =
    view?.state === 'up' &&
    view.busySince === null &&
    view.version === cluster.version &&
    view.holds?.version === cluster.version;
  if (!stuck || view.holds?.fingerprint === fingerprint(releasingText(cluster, node))) return { kind: 'none' };
  return { kind: 'ours', seen: cluster.version, what: `its version ${cluster.version} has another content` };
}

/** Raises the version above what drifting nodes carry; at most once while nothing else happens between. */
export function decideDrift(world: World, overwrite: boolean): Proposal | undefined {
  const { intended } = world;
  if (intended.pause !== null || switchoverOf(intended) !== undefined) return undefined;
  let seen: Version = -1;
  const healed: { node: NodeId; what: string; foreign: boolean }[] = [];
  for (const { id } of [...nodesOf(intended.cluster), ...intended.cluster.leaving]) {
    if (!meantFor(intended, id)) continue;
    const found = drift(world, id);
    if (found.kind === 'none' || (found.kind === 'foreign' && !overwrite)) continue;
    seen = Math.max(seen, found.seen);
    healed.push({
      node: id,
      foreign: found.kind === 'foreign',
      what: found.kind === 'ours' ? found.what : `it carries a foreign topology, version ${found.seen}`,
    });
  }
  const first = healed[0];
  if (first === undefined) return undefined;
  const ruled = new Set(healed.filter(({ foreign }) => foreign).map(({ node }) => node));
  return {
    next: nextVersion(intended, ruled.size === 0 ? intended.cluster : withoutProof(intended.cluster, ruled), seen),
    events: healed.map(({ node, what }) => ({
      kind: 'topology.healed',
      message: `${node} is told anew: ${what}`,
      by: 'controller',
      node,
    })),
  };
}

/** Under another's topology they may have followed somebody else, or been masters: only their logs tell what they hold. */
function withoutProof(cluster: Cluster, nodes: ReadonlySet<NodeId>): Cluster {
  return {
    ...cluster,
    shards: cluster.shards.map((shard) => ({
      ...shard,
      nodes: shard.nodes.map((node) =>
        node.id === shard.master || !nodes.has(node.id) ? node : { ...node, proof: null, attaching: null },
      ),
    })),
  };
}
