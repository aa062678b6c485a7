/** How far each shard's master, and each node, is known to have come: stored with every commit. */

import type { Intended } from '../operations/intended.ts';
import { masterOf, type Node, nodeOf, type Shard, shardOf } from '../topology/cluster.ts';
import { standingProof } from './seen.ts';
import type { World } from './world.ts';

function shardFloor(world: World, shard: Shard): Shard {
  const before = shardOf(world.intended.cluster, shard.id);
  // The same master under a new proof begins a new history.
  const anew = before?.master === shard.master && proofOf(before) !== proofOf(shard);
  const nodes = shard.nodes.map((node): Node => {
    if (anew && node.id === shard.master) return node;
    const highest = world.view(node.id)?.highest ?? 0;
    if (highest <= node.highest || standingProof(world, node) === null || isProvenAnew(world, node)) return node;
    return { ...node, highest };
  });
  const master = world.view(shard.master);
  // What a master without its data writes is no history that a candidate must have.
  const noWord = anew || shard.dataLost !== null || master === undefined || master.says !== 'master';
  if (noWord || master.highest <= shard.floor) {
    return nodes.some((node, i) => node !== shard.nodes[i]) ? { ...shard, nodes } : shard;
  }
  return { ...shard, nodes, floor: master.highest, eligibleFrom: Math.max(shard.eligibleFrom, master.aged) };
}

const proofOf = (shard: Shard) => masterOf(shard).proof;

/** What it was seen at before it was copied, or attached anew, is another history's number. */
function isProvenAnew(world: World, node: Node): boolean {
  const { proof } = nodeOf(world.intended.cluster, node.id)?.node ?? node;
  return proof !== node.proof && node.proof?.how !== 'master';
}

/** The same value when nothing has risen. Changes no node's text. */
export function withFloors(world: World, intended: Intended): Intended {
  const shards = intended.cluster.shards.map((shard) => shardFloor(world, shard));
  if (shards.every((shard, i) => shard === intended.cluster.shards[i])) return intended;
  return { ...intended, cluster: { ...intended.cluster, shards } };
}
