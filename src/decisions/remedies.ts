/**
 * What mends a finding of a check, by the verbs that the control plane has anyway, and what that costs. Most problems
 * mend themselves, or need hands at a node: those have no remedy here.
 */
import { nodeOf, shardOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import { formatSlots } from '../topology/slots.ts';
import { courseOf } from './copies.ts';
import { type Finding, possibleFailover } from './problems.ts';
import type { Gift } from './uncovered.ts';
import type { World } from './world.ts';

export type Remedy =
  /** Every node is read again, and told what it should know. */
  | { readonly kind: 'sync' }
  /** The same, also where a node carries a topology that was never committed. */
  | { readonly kind: 'overwrite' }
  | { readonly kind: 'give-slots'; readonly gifts: readonly Gift[] }
  | { readonly kind: 'readmit'; readonly node: NodeId; readonly force: boolean }
  | { readonly kind: 'readmit-empty'; readonly node: NodeId }
  | { readonly kind: 'failover'; readonly shard: ShardId; readonly force: boolean }
  | { readonly kind: 'forget'; readonly node: NodeId };

/** What somebody can do about a problem of the status; null: it mends itself, or nothing here mends it. */
export function remedyOf(world: World, { code, shard: id, node: of, command }: Finding): Remedy | null {
  const shard = id === null ? undefined : shardOf(world.intended.cluster, id);
  switch (code) {
    case 'TOPOLOGY_NEWER':
      return { kind: 'overwrite' };
    case 'LEAVING_UNTOLD':
      return of === null ? null : { kind: 'forget', node: of };
    case 'MASTER_DOWN':
    case 'DATA_LOST': {
      // Without a command it is about to be done.
      if (shard === undefined || command === null) return null;
      const failover = possibleFailover(world, shard);
      if (failover !== undefined) return { kind: 'failover', shard: shard.id, ...failover };
      return code === 'DATA_LOST' ? { kind: 'readmit-empty', node: shard.master } : null;
    }
    case 'DIVERGED':
    case 'UNPROVEN': {
      const node = of === null ? undefined : nodeOf(world.intended.cluster, of)?.node;
      if (shard === undefined || node === undefined) return null;
      const course = courseOf(world, shard, node);
      return course.kind === 'operator' ? { kind: 'readmit', node: node.id, force: course.force } : null;
    }
    default:
      return null;
  }
}

/** Step by step, for people. */
export function stepsOf(world: World, remedy: Remedy): readonly string[] {
  const { cluster } = world.intended;
  switch (remedy.kind) {
    case 'sync':
      return ['every node is read again, and told the committed topology where it carries another one'];
    case 'overwrite':
      return [
        'the committed topology is told to every node that carries a newer or foreign one, under a version above theirs',
        'replicas among them are compared with their master, and copied whole where they parted from it',
      ];
    case 'give-slots':
      return [
        ...remedy.gifts.map(({ shard, slots }) => {
          const master = shardOf(cluster, shard)?.master;
          const index = cluster.shards.findIndex((one) => one.id === shard);
          return `slots ${formatSlots(slots)} are given to shard ${index}, ${master}, by the topology alone`;
        }),
        'every node is told, and keys that the new owner holds in them are served again',
      ];
    case 'readmit':
      return [
        remedy.force
          ? `${remedy.node} is copied whole from its master`
          : `what ${remedy.node} alone holds is saved, then it is copied whole from its master`,
        'it is let back once the copy is proven',
      ];
    case 'readmit-empty':
      return [`${remedy.node} goes on as the master of its shard with what it has now`];
    case 'failover':
      return ['the best replica of the shard is promoted', 'the old master is let back where that is proven safe'];
    case 'forget':
      return [`${remedy.node} is given up: it is not told, and its address is free for others`];
  }
}

/** What is lost by it, so that it is only done with `force`; null: nothing. */
export function costOf(remedy: Remedy): string | null {
  switch (remedy.kind) {
    case 'sync':
    case 'overwrite':
    case 'give-slots':
    case 'forget':
      return null;
    case 'readmit':
      return remedy.force ? `what ${remedy.node} alone holds cannot be saved, and is gone` : null;
    case 'readmit-empty':
      return 'what the shard held before is given up';
    case 'failover':
      return remedy.force ? 'writes that only the old master has may be lost' : null;
  }
}
