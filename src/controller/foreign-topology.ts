/**
 * What becomes of a topology that somebody else has written over ours while this controller leads: a Go controller
 * beside it, or a hand with the store's own tool. It is adopted if it is legal and was made from what is committed;
 * otherwise ours is put back. Both by a version above both, since nodes may have been told either. Pure.
 */
import { brokenPromises } from '../checks/promises.ts';
import type { Happening, Proposal } from '../decisions/world.ts';
import { activeMoves, type Intended, nextVersion, switchoverOf } from '../operations/intended.ts';
import { withPlansInOrder } from '../operations/plan.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import { type Address, formatAddress, parseAddress, sameAddress } from '../topology/address.ts';
import { type Cluster, type LeavingNode, type Node, nodeOf, nodesOf, type Shard } from '../topology/cluster.ts';
import type { NodeId, Version } from '../topology/ids.ts';
import { formatRange, subtract } from '../topology/slots.ts';
import { movesOfGo, rejoinShards, shardState, waitsIn } from './stored-shards.ts';
import { Unreadable } from './stored-values.ts';
import { type ReadTopology, readTopology } from './topology-record.ts';

export interface Foreign {
  /** The record as it lies in the store; null: it was deleted. */
  readonly record: string | null;
  /** Nodes of it that are another cluster's, by id, with that cluster's name. */
  readonly taken: ReadonlyMap<NodeId, string>;
  /** Something of ours was committed over it meanwhile: too late to adopt it. */
  readonly overwritten: boolean;
}

/** Nodes that it lists and we do not: their claims are to be looked at. None of a record that cannot be read. */
export function newNodes(ours: Cluster, record: string | null): readonly { id: NodeId; address: Address }[] {
  const read = record === null ? undefined : readOrWhy(record);
  if (read === undefined || typeof read === 'string') return [];
  return read.shards.flatMap(({ nodes }) =>
    nodes.flatMap(({ node }) => {
      const address = parseAddress(node.addr);
      return address === undefined || nodeOf(ours, node.id) !== undefined ? [] : [{ id: node.id, address }];
    }),
  );
}

function readOrWhy(record: string): ReadTopology | string {
  try {
    return readTopology(record);
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
}

/** The change that settles it: what is committed next is above both, whichever it is. */
export function settleForeign(ours: Intended, foreign: Foreign, random: RandomSource): Proposal {
  const { record, taken } = foreign;
  if (record === null) return setAside(ours, ours.cluster.version, 'it was deleted');
  const read = readOrWhy(record);
  if (typeof read === 'string') return setAside(ours, ours.cluster.version, read);
  const objection = objectionTo(ours, read, taken, foreign.overwritten);
  if (objection !== undefined) return setAside(ours, read.version, objection);
  try {
    const next = adopted(ours, read, random);
    const broken = strayIn(ours.cluster, next.cluster) ?? brokenPromises(ours, next)[0];
    return broken === undefined ? adopting(ours, next, read.version) : setAside(ours, read.version, broken);
  } catch (error) {
    if (error instanceof Unreadable) return setAside(ours, read.version, error.message);
    throw error;
  }
}

/** What somebody else wrote while no controller of this kind led: it was theirs to write, and a version above it is due. */
export function takeOver(ours: Intended): Proposal {
  const { version } = ours.cluster;
  const message = `version ${version}, which ${SOMEBODY} wrote while it led, is adopted`;
  return {
    next: nextVersion(ours, ours.cluster),
    events: [{ kind: 'topology.adopted', message, by: SOMEBODY, evidence: { version } }],
  };
}

/** What the promises of a commit would not object to, and is wrong all the same. */
function objectionTo(
  ours: Intended,
  read: ReadTopology,
  taken: Foreign['taken'],
  overwritten: boolean,
): string | undefined {
  const { cluster } = ours;
  if (overwritten || switchoverOf(ours) !== undefined) return 'a switchover is under way';
  if (ours.ending) return 'the cluster is being ended';
  if (activeMoves(ours).length > 0) return 'slots are being moved';
  if (read.version <= cluster.version)
    return `it is of version ${read.version} and so was not made from version ${cluster.version}`;
  if (read.name !== cluster.name) return `it is named ${read.name}`;
  for (const { nodes } of read.shards) {
    for (const { node, master } of nodes) {
      const owner = taken.get(node.id);
      if (owner !== undefined) return `${node.id} at ${node.addr} is a node of cluster ${owner} already`;
      if (cluster.leaving.some((one) => one.id === node.id)) return `${node.id} is leaving`;
      const known = nodeOf(cluster, node.id);
      if (known === undefined) continue;
      const address = parseAddress(node.addr);
      if (address !== undefined && !sameAddress(address, known.node.address))
        return `${node.id} is at ${formatAddress(known.node.address)}, and nobody has seen it at ${node.addr}`;
      if (master && known.node.membership === 'away') return `${node.id} is away and cannot be a master`;
    }
  }
  return undefined;
}

/** Data that stands where nobody has seen it: nodes that changed their shard, slots of a master that is new here. */
function strayIn(before: Cluster, after: Cluster): string | undefined {
  for (const shard of after.shards) {
    const stray = shard.nodes.find(({ id }) => (nodeOf(before, id)?.shard.id ?? shard.id) !== shard.id);
    if (stray !== undefined) return `it puts ${stray.id} into another shard`;
    if (shard.slots.length > 0 && !before.shards.some(({ id }) => id === shard.id))
      return `it gives slots to ${shard.master}, which nobody here has proven`;
  }
  return undefined;
}

/** Ours with what it changes. Throws `Unreadable` where it makes no sense. */
function adopted(ours: Intended, read: ReadTopology, random: RandomSource): Intended {
  const version = Math.max(ours.cluster.version, read.version) + 1;
  const shards = rejoinShards(read.shards, ours.cluster.shards.map(shardState), version, random);
  const kept = new Set(shards.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
  const gone = nodesOf(ours.cluster).filter(({ id }) => !kept.has(id));
  const leaving = [...ours.cluster.leaving, ...gone.map((node) => released(node, ours.cluster.version))];
  const cluster: Cluster = { ...ours.cluster, version, shards, leaving };
  const queued = ours.operations.filter((one) => waitsIn(cluster, one));
  const operations = [...queued, ...movesOfGo(read.shards, cluster, random)];
  return withPlansInOrder({ ...ours, cluster, operations }).next;
}

const released = ({ id, address }: Node, version: Version): LeavingNode => ({ id, address, version, how: 'release' });

const SOMEBODY = 'another controller';

function setAside(ours: Intended, seen: Version, why: string): Proposal {
  const message = `what ${SOMEBODY} wrote over the topology is set aside: ${why}`;
  return {
    next: nextVersion(ours, ours.cluster, seen),
    events: [{ kind: 'topology.set-aside', message, by: SOMEBODY, evidence: { version: seen, why } }],
  };
}

function adopting(ours: Intended, next: Intended, seen: Version): Proposal {
  const changes = changesOf(ours.cluster, next.cluster);
  const message = `what ${SOMEBODY} wrote is adopted: ${changes.length === 0 ? 'nothing but its version is new' : changes.join(', ')}`;
  const events: Happening[] = [
    { kind: 'topology.adopted', message, by: SOMEBODY, evidence: { version: seen, changes } },
  ];
  return { next, events };
}

/** In words, for people. */
function changesOf(before: Cluster, after: Cluster): readonly string[] {
  const words: string[] = [];
  for (const shard of after.shards) {
    const old = before.shards.find(({ id }) => id === shard.id);
    if (old === undefined) words.push(`shard ${shard.id} joins`);
    else words.push(...shardChanges(old, shard));
  }
  for (const { id } of before.shards) if (!after.shards.some((one) => one.id === id)) words.push(`shard ${id} leaves`);
  return words;
}

function shardChanges(before: Shard, after: Shard): readonly string[] {
  const words: string[] = [];
  if (before.master !== after.master) words.push(`${after.master} replaces ${before.master} as master`);
  for (const { id } of after.nodes) if (!before.nodes.some((one) => one.id === id)) words.push(`${id} joins`);
  for (const { id } of before.nodes) if (!after.nodes.some((one) => one.id === id)) words.push(`${id} leaves`);
  const got = subtract(after.slots, before.slots);
  if (got.length > 0) words.push(`slots ${got.map(formatRange).join(',')} go to shard ${after.id}`);
  return words;
}
