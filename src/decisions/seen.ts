/** Plain facts about a node against what is committed. */
import { lookOf } from '../operations/intended.ts';
import type { Node, Shard } from '../topology/cluster.ts';
import type { World } from './world.ts';

/** The node carries the committed version: number, content and role were read back. */
export function carries(world: World, node: Pick<Node, 'id'>): boolean {
  const { intended } = world;
  const view = world.view(node.id);
  const { version } = intended.cluster;
  return (
    view !== undefined &&
    view.version === version &&
    view.holds?.version === version &&
    view.holds.fingerprint === lookOf(intended).fingerprint
  );
}

/** It says the role that the topology gives it. */
export function playsItsRole(world: World, shard: Shard, node: Node): boolean {
  const says = world.view(node.id)?.says;
  return says === (shard.master === node.id ? 'master' : 'slave');
}
