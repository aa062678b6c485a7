/** Plain facts about a node against what is committed. */
import { lookOf } from '../operations/intended.ts';
import { type Node, type Proof, type Shard, sameProcess } from '../topology/cluster.ts';
import type { NodeView, World } from './world.ts';

/** Copied by force, and not in the process that was: it may have lost the copy with its power, and hold what it replaced. */
export const startedSinceCopied = (proof: Proof, view: NodeView): boolean =>
  proof.process !== undefined && view.process !== null && !sameProcess(proof.process, view.process);

/** Its proof as far as it goes for what answers now: a forced copy proves the process that was copied, and no other. */
export function standingProof(world: World, node: Node): Proof | null {
  const { proof } = node;
  const process = world.view(node.id)?.process ?? null;
  if (proof?.process === undefined) return proof;
  return process !== null && sameProcess(proof.process, process) ? proof : null;
}

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
