/** Shards and nodes that join a cluster, and nodes that are emptied so that they may join one again. */
import type { RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { clusterKey, nodeOf, nodesOf } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { NO_SLOTS } from '../topology/slots.ts';
import { failedChecks } from './adoption.ts';
import { type Building, buildShard, type FitnessRules, groupFailures } from './building.ts';
import * as changes from './changes.ts';
import type { Owner } from './claims.ts';
import type { ClusterName, NodeChecks, ShardRef, WriteOptions } from './control-plane.ts';
import { checkNode, failureOf } from './node-check.ts';
import { resetNode } from './node-reset.ts';
import { invalid, notFound, Refusal } from './refusal.ts';
import type { Reign } from './reign.ts';
import type { Supervisor } from './supervisor.ts';

export interface JoiningContext {
  readonly runtime: Runtime;
  readonly random: RandomSource;
}

const fitness = (checks: NodeChecks, options: WriteOptions): FitnessRules => ({
  force: options.force === true,
  skipClusterMode: checks.skipClusterMode === true,
  masterMayHoldData: false,
});

function refuseOtherPassword(supervisor: Supervisor, password: Secret): void {
  // An absent one means the cluster's own.
  if (!password.empty && !password.equals(supervisor.intended.cluster.password)) {
    throw invalid('password: differs from the cluster’s; all nodes of a cluster have one password');
  }
}

/** The first of `nodes` is its master; resolves once the shard is committed, without slots. */
export async function addShard(
  reign: Reign,
  name: ClusterName,
  nodes: readonly Address[],
  password: Secret,
  checks: NodeChecks,
  options: WriteOptions,
  building: Building,
): Promise<Supervisor> {
  const supervisor = reign.supervisor(name);
  refuseOtherPassword(supervisor, password);
  const owner = clusterKey(name.namespace, name.cluster);
  const release = await reign.adoption.reserve(owner, nodes);
  try {
    const facts = await reign.adoption.check(nodes, supervisor.intended.cluster.password);
    reign.adoption.checkIds(owner, facts);
    const failures = groupFailures(facts, fitness(checks, options), undefined);
    if (failures.length > 0) throw failedChecks(failures);
    const seen = Math.max(...facts.map((one) => one.version));
    const taken = new Set(nodesOf(supervisor.intended.cluster).map((node) => node.id));
    return await reign.change(name, options, (world) =>
      changes.addShard(
        world,
        (version) => buildShard(facts, NO_SLOTS, version, building, taken),
        seen,
        options.caller.name,
      ),
    );
  } finally {
    release();
  }
}

export interface JoiningNode {
  readonly address: Address;
  readonly role: 'master' | 'slave';
  readonly password: Secret;
}

/** Resolves once it is committed as a replica of the shard. */
export async function addNode(
  runtime: Runtime,
  reign: Reign,
  name: ClusterName,
  ref: ShardRef,
  node: JoiningNode,
  checks: NodeChecks,
  options: WriteOptions,
  building: Building,
): Promise<Supervisor> {
  const supervisor = reign.supervisor(name);
  const { shard } = changes.findShard(supervisor.intended.cluster, ref);
  refuseOtherPassword(supervisor, node.password);
  if (node.role === 'master')
    throw invalid('role: a shard has its one master already; add the node as slave and fail over to it');
  const owner = clusterKey(name.namespace, name.cluster);
  const release = await reign.adoption.reserve(owner, [node.address]);
  try {
    const { password } = supervisor.intended.cluster;
    const [facts] = await reign.adoption.check([node.address], password);
    const master = shard.nodes.find((one) => one.id === shard.master);
    const leader = master === undefined ? undefined : await checkNode(runtime, master.address, password);
    if (facts === undefined || leader === undefined) throw notFound('the shard’s master');
    if (!leader.ok) throw failedChecks([failureOf(leader)]);
    reign.adoption.checkIds(owner, [facts]);
    const failures = groupFailures([facts], fitness(checks, options), leader.facts);
    if (failures.length > 0) throw failedChecks(failures);
    const taken = new Set(nodesOf(supervisor.intended.cluster).map((one) => one.id));
    const [built] = buildShard([leader.facts, facts], NO_SLOTS, 0, building, taken).nodes.slice(1);
    if (built === undefined) throw notFound('the node');
    return await reign.change(name, options, (world) =>
      changes.addNode(world, { id: shard.id }, built, facts.version, options.caller.name),
    );
  } finally {
    release();
  }
}

const isAway = (reign: Reign, owner: Owner, id: NodeId): boolean => {
  const intended = reign.clusters.get(owner)?.intended;
  return intended !== undefined && nodeOf(intended.cluster, id)?.node.membership === 'away';
};

/** Empties a node that no cluster claims, or one that is away. */
export async function resetUnclaimed(
  context: JoiningContext,
  reign: Reign,
  address: Address,
  password: Secret,
  options: WriteOptions,
): Promise<void> {
  const owner = reign.claims.owner(await reign.claims.spellings(address));
  const [facts] = await reign.adoption.check([address], password);
  if (facts === undefined) throw notFound(formatAddress(address));
  const claimed = owner ?? (facts.id === '' ? undefined : reign.claims.owner([facts.id]));
  if (claimed !== undefined && !isAway(reign, claimed, facts.id)) {
    throw new Refusal(
      'already_exists',
      `${formatAddress(address)} is a node of cluster ${claimed}; delete it there first`,
    );
  }
  if (facts.holdsData && options.force !== true) {
    throw failedChecks([{ node: formatAddress(address), reasons: ['holds data; pass force to destroy it'] }]);
  }
  await resetNode(context.runtime, context.random, facts, password);
}
