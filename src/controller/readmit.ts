/** A node that is kept out for an operator is let back on their word: it is copied whole. */
import { toBeCopied } from '../decisions/comparing.ts';
import { courseOf } from '../decisions/copies.ts';
import type { Happening, Proposal, World } from '../decisions/world.ts';
import { type Intended, nextVersion } from '../operations/intended.ts';
import { type Copy, type Node, nodeOf, type Shard, withNode, withShard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { notFound, Refusal } from './refusal.ts';

/**
 * `force`: also where what it alone holds cannot be saved. Throws a `Refusal` that says what stands in the way; nothing
 * is lost by asking.
 */
export function readmitNode(world: World, id: NodeId, force: boolean, by: string): Proposal {
  const { intended } = world;
  if (intended.pause !== null)
    throw new Refusal('operation_running', `the cluster was paused by ${intended.pause.by}; resume it first`);
  const found = nodeOf(intended.cluster, id);
  if (found === undefined) throw notFound(`node ${id}`);
  const { shard, node } = found;
  if (shard.master === id)
    throw new Refusal('is_master', `${id} is the master of its shard: there is nobody to copy it from`);
  const course = courseOf(world, shard, node);
  if (node.copy === null && course.kind !== 'operator') throw nothingToDo(node, course.kind === 'job');
  if (course.kind === 'operator' && course.force && !force && node.copy?.force !== true)
    throw new Refusal(
      'operation_running',
      `${id}: ${course.why}; pass force to copy it over all the same: what it alone holds is then gone`,
    );
  const copy: Copy = { ...(node.copy ?? toBeCopied(world, shard, node, null, by)), by, failures: 0 };
  return commit(intended, shard, node, { ...copy, force: copy.force || force });
}

function nothingToDo({ id, membership, proof }: Node, asked: boolean): Refusal {
  if (asked)
    return new Refusal(
      'operation_running',
      `the log of ${id} is being compared with its master’s; try again in a moment`,
    );
  if (membership === 'member' && proof !== null)
    return new Refusal('operation_running', `${id} follows its master and is proven: there is nothing to readmit`);
  return new Refusal('operation_running', `${id} comes back by itself once it can; its status says what it waits for`);
}

function commit(intended: Intended, shard: Shard, node: Node, copy: Copy): Proposal {
  const event: Happening = {
    kind: 'node.readmitted',
    message: `${node.id} is let back: it is copied whole${copy.force ? ', also if what it alone holds cannot be saved' : ''}`,
    by: copy.by,
    shard: shard.id,
    node: node.id,
  };
  const cluster = withShard(intended.cluster, shard.id, (old) =>
    withNode(old, node.id, (one) => {
      const copied: Node = { ...one, copy, proof: null };
      // Already on its way it stays there.
      return node.copy === null ? { ...copied, membership: 'away', attaching: null } : copied;
    }),
  );
  const leaves = node.copy === null && node.membership === 'member';
  return { next: leaves ? nextVersion(intended, cluster) : { ...intended, cluster }, events: [event] };
}
