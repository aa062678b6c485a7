/**
 * Proof by the log. A number says how far a node is, not what it holds; where both servers have POLLUPDATES their logs
 * say that: equal in every entry, from where both are surely the same up to the node's end, they have one history, and
 * the first entry that differs is where they parted. Without a lineage that tells where both are surely the same, all
 * that both logs still have is compared, and what lies before that is taken on trust.
 */
import { type Copy, masterOf, type Node, newestEntry, type Shard } from '../topology/cluster.ts';
import type { Sequence } from '../topology/ids.ts';
import { type Compare, type CopyAnswers, type CopyJob, copyJobKey, type LogVerdict } from './jobs.ts';
import { lostData } from './liveness.ts';
import type { Happening, NodeView, World } from './world.ts';

/** What the job has come to, if it was asked this very thing. */
export function answerTo<K extends keyof CopyAnswers>(
  world: World,
  job: Extract<CopyJob, { kind: K }>,
  kind: K,
): CopyAnswers[K] | undefined {
  const found = world.found(job.node.id)?.answers[kind];
  return found !== undefined && found.of === copyJobKey(job) ? found.answer : undefined;
}

/** What every job about a node names: who takes part, and what ties its answer to the present. */
export function partiesOf(shard: Shard, node: Node, view: NodeView) {
  const master = masterOf(shard);
  return {
    node: { id: node.id, address: node.address },
    master: { id: master.id, address: master.address },
    entry: newestEntry(shard).version,
    run: view.says === 'master' ? (view.fenced?.connection ?? -1) : view.since,
  };
}

/** The job that compares it, if it can be asked now. */
export function compareOf(
  world: World,
  shard: Shard,
  node: Node,
  common: Sequence | null,
  back: number | null = null,
): Compare | undefined {
  const view = world.view(node.id);
  if (view?.state !== 'up' || view.says === null || !leads(world, shard)) return undefined;
  return { kind: 'compare', common, back, ...partiesOf(shard, node, view) };
}

/** What the comparison has come to; undefined: not made yet. */
export function compared(
  world: World,
  shard: Shard,
  node: Node,
  common: Sequence | null,
  back: number | null = null,
): LogVerdict | undefined {
  const job = compareOf(world, shard, node, common, back);
  return job === undefined ? undefined : answerTo(world, job, 'compare');
}

/** One that is not established yet has nobody to lead; one that lost its data would have its replicas copy the loss. */
export function leads(world: World, shard: Shard): boolean {
  const view = world.view(shard.master);
  return view?.state === 'up' && view.says === 'master' && !lostData(world, shard);
}

/** The record that begins a full copy: what was found, and nothing done yet. */
export function toBeCopied(world: World, shard: Shard, node: Node, partedAt: Sequence | null, by: string): Copy {
  return {
    marker: `${world.fresh}-${node.id}`,
    partedAt,
    under: newestEntry(shard).version,
    saved: null,
    seal: '',
    force: false,
    by,
    failures: 0,
    process: null,
  };
}

/** `last`: the number that it was read at. */
export function divergedEvent(
  shard: Shard,
  node: Node,
  partedAt: Sequence | null,
  last: Sequence,
  why: string,
): Happening {
  const records = partedAt === null ? null : Math.max(0, last - partedAt + 1);
  const what =
    records === null
      ? `nobody can tell whether its ${last} records are its shard’s: ${why}`
      : `it holds ${records} records that its shard does not have, from sequence ${partedAt} on${why === '' ? '' : ` (${why})`}`;
  return {
    kind: 'node.diverged',
    message: `${node.id} may not follow ${shard.master}: ${what}`,
    by: 'controller',
    shard: shard.id,
    node: node.id,
    evidence: { parted_at: partedAt, records, last },
  };
}
