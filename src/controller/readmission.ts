/** `kvctl node readmit --empty`: a master that came back without its data is accepted as it is. */
import { lostData, lostFrom } from '../decisions/liveness.ts';
import { handOverToSettle } from '../decisions/move-findings.ts';
import type { Proposal, World } from '../decisions/world.ts';
import { moveOfShard, nextVersion } from '../operations/intended.ts';
import { type Node, nodeOf, withShard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { formatRange } from '../topology/slots.ts';
import { refusePaused } from './changes.ts';
import { notFound, Refusal } from './refusal.ts';

/**
 * The history of its shard begins anew with what the master has: it is told, and takes writes. The promotion's number is
 * 0, since none of the records that replicas hold is known to be its own; they are away, and come back by a copy, what
 * they alone hold saved before. Throws a `Refusal` where the node is no master that has lost its data, or does not
 * answer.
 */
export function readmitEmpty(world: World, node: NodeId, by: string): Proposal {
  refusePaused(world);
  const { intended } = world;
  const shard = nodeOf(intended.cluster, node)?.shard;
  if (shard === undefined) throw notFound(`node ${node}`);
  if (shard.master !== node)
    throw new Refusal(
      'invalid',
      `${node} is no master; only a master that came back without its data is accepted empty`,
    );
  if (!lostData(world, shard))
    throw new Refusal('invalid', `${node} has all that it was seen to have: nothing was lost`);
  const view = world.view(node);
  // It may say that it is a slave: one that was to be promoted, and copied a loss before it heard.
  if (view?.state !== 'up' || view.says === null || view.sequence === null)
    throw new Refusal('node_failed', `${node} does not answer; try again when it does`);
  const move = moveOfShard(intended, shard.id);
  if (move !== undefined) {
    const settling = handOverToSettle(world, shard);
    if (settling !== undefined) throw new Refusal('operation_running', `${settling.words}: ${settling.command}`);
    const words = `slots ${formatRange(move.piece)} are on their way from or to this shard; try again when that has ended`;
    throw new Refusal('operation_running', words, move.id);
  }
  const version = intended.cluster.version + 1;
  const anew = (one: Node): Node =>
    one.id === node
      ? { ...one, highest: 0, proof: { entry: version, how: 'master' }, attaching: null }
      : { ...one, membership: 'away', attaching: null, cutOff: false };
  const cluster = withShard(intended.cluster, shard.id, (old) => ({
    ...old,
    nodes: old.nodes.map(anew),
    lineage: [...old.lineage, { version, master: node, sequence: 0, exact: true }],
    floor: 0,
    eligibleFrom: 0,
    damping: null,
    dataLost: null,
  }));
  const message = `${node} is accepted as it is, at sequence ${view.sequence}: the ${lostFrom(world, shard)} records that it had reached are given up`;
  return {
    next: nextVersion(intended, cluster),
    events: [{ kind: 'data.given-up', message, by, shard: shard.id, node }],
  };
}
