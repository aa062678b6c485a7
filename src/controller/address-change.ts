/**
 * A node that listens somewhere else now, with the data and the identity that it had: proven by its id at the new
 * address, which must be free, and by its silence at the old one, since a copy of its disk has the same id. What it
 * holds is judged afterwards as ever, by its number.
 *
 * A crash before the commit changes nothing; after it every node is told by level.
 */
import type { Happening, Proposal, World } from '../decisions/world.ts';
import { type InfoServer, infoServer } from '../kvrocks/commands/info-server.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { openConnection } from '../kvrocks/connection.ts';
import { moveOfShard, nextVersion } from '../operations/intended.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type Address, formatAddress, sameAddress } from '../topology/address.ts';
import { clusterKey, nodesOf, withNode, withShard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { formatRange } from '../topology/slots.ts';
import { failedChecks } from './adoption.ts';
import { findShard } from './changes.ts';
import type { ClusterName, ShardRef } from './control-plane.ts';
import { notFound, Refusal } from './refusal.ts';
import type { Reign } from './reign.ts';
import { changeNode, type NodeChange } from './settings-changes.ts';

/** Also while the cluster is paused: it corrects what is known, and nobody is told before it is resumed. */
export function changeAddress(world: World, ref: ShardRef, id: NodeId, address: Address, by: string): Proposal {
  const { intended } = world;
  const { shard, index } = findShard(intended.cluster, ref);
  const node = shard.nodes.find((one) => one.id === id);
  if (node === undefined) throw notFound(`node ${id} of shard ${index}`);
  if (sameAddress(node.address, address)) return { next: intended, events: [] };
  const other = nodesOf(intended.cluster).find((one) => one.id !== id && sameAddress(one.address, address));
  if (other !== undefined) throw takenBy(address, other.id);
  const move = moveOfShard(intended, shard.id);
  if (move !== undefined)
    throw new Refusal(
      'operation_running',
      `slots ${formatRange(move.piece)} are on their way from or to shard ${index}; try again when they are there`,
      move.id,
    );
  const cluster = withShard(intended.cluster, shard.id, (old) => withNode(old, id, (one) => ({ ...one, address })));
  const event: Happening = {
    kind: 'node.moved',
    message: `${id} is at ${formatAddress(address)} now; it was at ${formatAddress(node.address)}`,
    by,
    shard: shard.id,
    node: id,
  };
  // An away node stands in no text.
  const next = node.membership === 'away' ? { ...intended, cluster } : nextVersion(intended, cluster);
  return { next, events: [event] };
}

/** Everything that a caller changes of a node, in one version. */
export function changeWholeNode(world: World, ref: ShardRef, id: NodeId, change: NodeChange, by: string): Proposal {
  if (change.address === undefined) return changeNode(world, ref, id, change, by);
  const moved = changeAddress(world, ref, id, change.address, by);
  const rest = changeNode({ ...world, intended: moved.next }, ref, id, change, by);
  return { next: rest.next, events: [...moved.events, ...rest.events] };
}

const takenBy = (address: Address, owner: string): Refusal =>
  new Refusal('already_exists', `${formatAddress(address)} is the address of ${owner} already`);

/**
 * Proves that `id` is at `address` now, and holds the address for it until the result is called. Throws a `Refusal` that
 * says what answers there.
 */
export async function proveAddress(
  runtime: Runtime,
  reign: Reign,
  name: ClusterName,
  ref: ShardRef,
  id: NodeId,
  address: Address,
): Promise<() => void> {
  const { intended } = reign.supervisor(name);
  const { shard, index } = findShard(intended.cluster, ref);
  const node = shard.nodes.find((one) => one.id === id);
  if (node === undefined) throw notFound(`node ${id} of shard ${index}`);
  const owner = clusterKey(name.namespace, name.cluster);
  const release = await reign.adoption.reserveInstead(owner, node.address, address);
  try {
    const { password } = intended.cluster;
    const [there, before] = await Promise.all([
      whoAnswers(runtime, address, password),
      sameAddress(address, node.address) ? undefined : whoAnswers(runtime, node.address, password),
    ]);
    const refuse = (reason: string) => failedChecks([{ node: formatAddress(address), reasons: [reason] }]);
    if (there === undefined) throw refuse('does not say who it is; start the node there first');
    if (there.id !== id)
      throw refuse(there.id === '' ? 'is a node without an id' : `is node ${there.id}, and not ${id}`);
    if (before?.id === id && !sameProcess(before.process, there.process))
      throw refuse(
        `is another process than the one at ${formatAddress(node.address)}, which has this id, too; stop it`,
      );
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

const TIMEOUT = 1_000;

interface Answering {
  readonly id: string;
  readonly process: Pick<InfoServer, 'processId' | 'startedAt'>;
}

/** One process may have two addresses. Its start is told exact to a second. */
const sameProcess = (a: Answering['process'], b: Answering['process']): boolean =>
  a.processId === b.processId && Math.abs((a.startedAt ?? 0) - (b.startedAt ?? 0)) <= 2_000;

/** Undefined: nobody who says who it is. */
async function whoAnswers(runtime: Runtime, address: Address, password: Secret): Promise<Answering | undefined> {
  const connection = openConnection(runtime, address, { password, connectTimeout: TIMEOUT, replyTimeout: TIMEOUT });
  try {
    const [id, server] = await Promise.all([connection.ask(myId()), connection.ask(infoServer())]);
    if (id.kind !== 'reply' || server.kind !== 'reply') return undefined;
    return { id: id.value, process: server.value };
  } finally {
    connection.close();
  }
}
