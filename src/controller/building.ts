/** New shards and clusters from what their nodes say: the first entry of each lineage, and how each replica attaches. */

import type { ClusterNodes, NodeLine } from '../kvrocks/commands/cluster-nodes.ts';
import type { Intended } from '../operations/intended.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { formatAddress } from '../topology/address.ts';
import { type Cluster, NEW_NODE, type Node, type Shard } from '../topology/cluster.ts';
import { isNodeId, type NodeId, newNodeId, newShardId, type Version } from '../topology/ids.ts';
import { NO_SLOTS, type SlotSet, slotSet, splitEvenly } from '../topology/slots.ts';
import { type Failure, type NodeFacts, unfit } from './node-check.ts';

export interface Building {
  readonly random: RandomSource;
  /** Seconds since 1970. */
  readonly createdAt: number;
}

/** The id that it has already, if it may keep it; a new one otherwise. */
function idFor(facts: NodeFacts, taken: ReadonlySet<NodeId>, random: RandomSource): NodeId {
  return isNodeId(facts.id) && !taken.has(facts.id) ? facts.id : newNodeId(random);
}

/** The first of a group is its master. */
export function buildShard(
  group: readonly NodeFacts[],
  slots: SlotSet,
  version: Version,
  building: Building,
  taken: Set<NodeId>,
): Shard {
  const nodes = group.map((facts, i): Node => {
    const id = idFor(facts, taken, building.random);
    taken.add(id);
    const { sequence } = facts.replication;
    return {
      id,
      address: facts.address,
      createdAt: building.createdAt,
      ...NEW_NODE,
      highest: sequence,
      proof: i === 0 ? { entry: version, how: 'master' } : null,
      attaching: i === 0 ? null : sequence === 0 ? 'empty' : 'copied',
    };
  });
  const floor = group[0]?.replication.sequence ?? 0;
  return {
    id: newShardId(building.random),
    master: nodes[0]?.id ?? '',
    nodes,
    slots,
    lineage: [{ version, master: nodes[0]?.id ?? '', sequence: floor, exact: true }],
    floor,
    eligibleFrom: 0,
    damping: null,
    dataLost: null,
  };
}

/** One above the highest that any of the nodes holds: no node has seen it yet. */
const firstVersion = (facts: readonly NodeFacts[]): Version => Math.max(0, ...facts.map((one) => one.version)) + 1;

const intendedFor = (cluster: Cluster): Intended => ({
  cluster,
  operations: [],
  pause: null,
  settings: {},
  tuned: [],
  nextEvent: 1,
  ending: false,
});

export function buildCluster(
  namespace: string,
  name: string,
  facts: readonly NodeFacts[],
  nodesPerShard: number,
  password: Secret,
  building: Building,
): Intended {
  const version = firstVersion(facts);
  const count = facts.length / nodesPerShard;
  const slots = splitEvenly(count);
  const taken = new Set<NodeId>();
  const shards = Array.from({ length: count }, (_, i) =>
    buildShard(facts.slice(i * nodesPerShard, (i + 1) * nodesPerShard), slots[i] ?? NO_SLOTS, version, building, taken),
  );
  return intendedFor({ namespace, name, version, password, shards, leaving: [] });
}

export interface FitnessRules {
  readonly force: boolean;
  readonly skipClusterMode: boolean;
  /** The only master of a new cluster may bring its data, on the caller's word. */
  readonly masterMayHoldData: boolean;
}

/** Why these nodes may not become one group of master and replicas. */
export function groupFailures(
  group: readonly NodeFacts[],
  rules: FitnessRules,
  master: NodeFacts | undefined,
): Failure[] {
  const leader = master ?? group[0];
  return group.flatMap((facts) => {
    const reasons = unfit(facts, rules);
    if (facts.version >= 0 && !rules.force) {
      reasons.push(
        `carries a topology already, version ${facts.version}; reset it with: kvctl node reset ${formatAddress(facts.address)}`,
      );
    }
    if (facts === leader) {
      if (facts.holdsData && !(rules.masterMayHoldData && rules.force)) {
        reasons.push(
          rules.masterMayHoldData
            ? 'holds data; pass force to make it the master of it all'
            : `holds data, and only the sole master of a new cluster may; empty it with: kvctl node reset ${formatAddress(facts.address)} --force`,
        );
      }
    } else if (leader !== undefined) reasons.push(...replicaFailures(facts, leader));
    return reasons.length === 0 ? [] : [{ node: formatAddress(facts.address), reasons }];
  });
}

/** A replica must be at sequence 0, or both servers compare histories themselves and copy it whole. */
function replicaFailures(facts: NodeFacts, master: NodeFacts): string[] {
  const reasons: string[] = [];
  const rsid = facts.settings.rsidPsync === true && master.settings.rsidPsync === true;
  if (facts.replication.sequence !== 0 && !rsid) {
    reasons.push(
      `is at sequence ${facts.replication.sequence}: it would be taken for a replica that already has what it lacks; stop it, empty its data folder and start it again`,
    );
  }
  if (facts.settings.rsidPsync !== master.settings.rsidPsync) {
    reasons.push(
      'has another use-rsid-psync than its master, where it does nothing; set it the same on both and restart',
    );
  }
  return reasons;
}

export type ImportedTopology =
  | { readonly ok: true; readonly intended: Intended }
  | { readonly ok: false; readonly failures: readonly Failure[] };

const addressOf = (line: NodeLine) => ({ host: line.host, port: line.port });

/**
 * A running cluster as its nodes describe it. `reached`: the facts of those that answered, by id. A master that does
 * not answer stops it; a replica that does not is taken over as away.
 */
export function importCluster(
  namespace: string,
  name: string,
  topology: ClusterNodes,
  reached: ReadonlyMap<NodeId, NodeFacts>,
  password: Secret,
  building: Building,
): ImportedTopology {
  const lines = [...topology.nodes.values()];
  const failures: Failure[] = [];
  const version = firstVersion([...reached.values()]);
  const masters = lines
    .filter((line) => line.role === 'master')
    .sort((a, b) => (a.slots[0]?.first ?? 1e5) - (b.slots[0]?.first ?? 1e5));
  const shards = masters.map((master): Shard => {
    const facts = reached.get(master.id);
    if (facts === undefined)
      failures.push({ node: formatAddress(addressOf(master)), reasons: ['is a master and does not answer'] });
    else if (facts.replication.role !== 'master')
      failures.push({
        node: formatAddress(facts.address),
        reasons: ['is a master by its topology and says that it is a slave'],
      });
    const group = [master, ...lines.filter((line) => line.masterId === master.id)];
    const floor = facts?.replication.sequence ?? 0;
    return {
      id: newShardId(building.random),
      master: master.id,
      nodes: group.map((line) => importedNode(line, line === master, reached.get(line.id), version, building)),
      slots: slotSet(master.slots.map(({ first, last }) => ({ from: first, to: last }))),
      lineage: [{ version, master: master.id, sequence: floor, exact: true }],
      floor,
      eligibleFrom: 0,
      damping: null,
      dataLost: null,
    };
  });
  for (const line of lines) {
    if (line.migrating.length > 0)
      failures.push({
        node: formatAddress(addressOf(line)),
        reasons: ['is migrating slots; import the cluster when it is done'],
      });
    if (!isNodeId(line.id))
      failures.push({
        node: formatAddress(addressOf(line)),
        reasons: [`has the id ${line.id}, which is not 40 letters and digits`],
      });
  }
  if (failures.length > 0) return { ok: false, failures };
  return { ok: true, intended: intendedFor({ namespace, name, version, password, shards, leaving: [] }) };
}

function importedNode(
  line: NodeLine,
  master: boolean,
  facts: NodeFacts | undefined,
  version: Version,
  building: Building,
): Node {
  const linked = facts?.replication.role === 'slave' && facts.replication.link === 'up';
  const member = master || linked;
  return {
    id: line.id,
    address: addressOf(line),
    createdAt: building.createdAt,
    ...NEW_NODE,
    membership: member ? 'member' : 'away',
    highest: facts?.replication.sequence ?? 0,
    // A replica whose link is up is believed, and told so: nothing here can prove it.
    proof: member ? { entry: version, how: master ? 'master' : 'trust' } : null,
  };
}
