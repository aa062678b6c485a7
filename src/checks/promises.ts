/**
 * Promises about one commit, as functions of what was committed before and what is to be committed now. They share
 * nothing with the deciders: what those build is checked here before it becomes true.
 */
import { type Intended, lookOf, meantFor } from '../operations/intended.ts';
import { coverage, faultsOf, nodeOf, nodesOf, type Shard } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import { covers, formatRange, formatSlots, intersect, subtract } from '../topology/slots.ts';

const NONE: ReadonlySet<ShardId> = new Set();

/**
 * What is broken, in words; empty when the commit may be made. `untold`: shards whose newest promotion was committed by
 * this process, which has told no node of it.
 */
export function brokenPromises(
  before: Intended | undefined,
  after: Intended,
  untold: ReadonlySet<ShardId> = NONE,
): readonly string[] {
  const broken = [...faultsOf(after.cluster), ...copiesAreNoMasters(after)];
  if (before === undefined) return broken;
  broken.push(...versionSpentOnce(before, after));
  broken.push(...coverageStays(before, after));
  broken.push(...lineageOnlyGrows(before, after, untold));
  broken.push(...onlyTheProvenAreMasters(before, after, untold));
  broken.push(...finishedMovesStay(before, after));
  broken.push(...movesDoNotMeet(before, after));
  broken.push(...nothingIsCopiedOverUnsaved(after));
  broken.push(...copiesAreProven(before, after, untold));
  return broken;
}

/** Promise 1: a version stands for one text; one that changes any text, or whom it is for, rises. */
function versionSpentOnce(before: Intended, after: Intended): string[] {
  const from = before.cluster.version;
  const to = after.cluster.version;
  if (to < from) return [`version ${to} is below ${from}`];
  if (to > from) return [];
  const broken: string[] = [];
  if (lookOf(before).text !== lookOf(after).text) broken.push(`version ${from} would get a second text`);
  for (const node of nodesOf(after.cluster)) {
    const told = nodeOf(before.cluster, node.id) !== undefined && meantFor(before, node.id);
    // Held nodes may be told the version that they skipped; nobody may be told a drained one later.
    if (
      !told &&
      meantFor(after, node.id) &&
      before.operations.some((one) => one.kind === 'switchover' && one.phase === 'draining')
    ) {
      broken.push(`version ${from} is a drained one, and ${node.id} would be told it`);
    }
  }
  return broken;
}

/** Promise 2: a slot that was served goes on being served, unless the whole cluster ends. */
function coverageStays(before: Intended, after: Intended): string[] {
  if (after.ending) return [];
  const lost = subtract(coverage(before.cluster), coverage(after.cluster));
  return lost.length === 0 ? [] : [`slots ${formatSlots(lost)} would have no owner any more`];
}

function sameStart(before: Shard, after: Shard): boolean {
  return before.lineage.every((entry, i) => {
    const now = after.lineage[i];
    return (
      now !== undefined &&
      now.version === entry.version &&
      now.master === entry.master &&
      now.sequence >= entry.sequence
    );
  });
}

/** The newest promotion is taken back: nobody heard of it, and the master is the one before. */
function takenBack(before: Shard, after: Shard, untold: ReadonlySet<ShardId>): boolean {
  const rest = before.lineage.slice(0, -1);
  return (
    untold.has(before.id) &&
    after.lineage.length === rest.length &&
    sameStart({ ...before, lineage: rest }, after) &&
    after.master === rest.at(-1)?.master
  );
}

function lineageOnlyGrows(before: Intended, after: Intended, untold: ReadonlySet<ShardId>): string[] {
  return after.cluster.shards.flatMap((shard) => {
    const old = before.cluster.shards.find((one) => one.id === shard.id);
    return old === undefined || sameStart(old, shard) || takenBack(old, shard, untold)
      ? []
      : [`shard ${shard.id}: its lineage would be rewritten`];
  });
}

/** Promise 4: a new master was a proven node of its shard. */
function onlyTheProvenAreMasters(before: Intended, after: Intended, untold: ReadonlySet<ShardId>): string[] {
  return after.cluster.shards.flatMap((shard) => {
    const old = before.cluster.shards.find((one) => one.id === shard.id);
    if (old === undefined || old.master === shard.master) return [];
    const node = old.nodes.find((one) => one.id === shard.master);
    const newest = old.lineage.at(-1)?.version;
    if (node === undefined) return [`shard ${shard.id}: ${shard.master} was none of its nodes`];
    // The heirs of a swap that failed are proven by the entry before the newest.
    const previous = old.lineage.at(-2);
    const putBack =
      previous !== undefined &&
      node.proof?.entry === previous.version &&
      before.operations.some((one) => one.kind === 'switchover' && one.phase === 'swapping' && one.shard === shard.id);
    const back = node.proof?.entry === previous?.version && takenBack(old, shard, untold);
    return node.proof?.entry === newest || putBack || back
      ? []
      : [`shard ${shard.id}: ${node.id} is not proven and would be its master`];
  });
}

/**
 * Promise 5: slots whose hand-over is under way never go back to their source by the same move, unless their target is gone
 * with what it took; its record says so then, and tells both ends anew.
 */
function finishedMovesStay(before: Intended, after: Intended): string[] {
  return before.operations.flatMap((move) => {
    if (move.kind !== 'move' || move.phase !== 'handing-over') return [];
    const anew = after.operations.find((one) => one.id === move.id);
    if (anew?.kind === 'move' && anew.phase === 'settling' && anew.returned !== null) return [];
    const source = after.cluster.shards.find((shard) => shard.id === move.source);
    const back = source !== undefined && intersect([move.piece], source.slots).length > 0;
    return back ? [`slots ${formatRange(move.piece)} were moved and would go back to ${move.source}`] : [];
  });
}

/** A move that begins, or goes on to another phase: no other one has a shard of it, and its piece is where it should be. */
function movesDoNotMeet(before: Intended, after: Intended): string[] {
  const active = after.operations.filter(
    (one) => one.kind === 'move' && one.phase !== 'queued' && one.phase !== 'failed',
  );
  return active.flatMap((move) => {
    if (before.operations.some((one) => one.kind === 'move' && one.id === move.id && one.phase === move.phase))
      return [];
    const met = active.filter(
      ({ id, source, target }) =>
        id !== move.id && [source, target].some((shard) => shard === move.source || shard === move.target),
    );
    const broken = met.map(({ id }) => `moves ${move.id} and ${id} would be under way with a shard in common`);
    const owner = move.phase === 'migrating' || move.phase === 'settling' ? move.source : move.target;
    const slots = after.cluster.shards.find(({ id }) => id === owner)?.slots ?? [];
    if (!covers(slots, move.piece))
      broken.push(`slots ${formatRange(move.piece)} are ${move.phase} and would not belong to ${owner}`);
    return broken;
  });
}

/** Promise 4: a node that is to be copied whole is nobody's master, and proves nothing of what it holds now. */
function copiesAreNoMasters(after: Intended): string[] {
  return after.cluster.shards.flatMap((shard) =>
    shard.nodes
      .filter((node) => node.copy !== null && (node.id === shard.master || node.proof !== null))
      .map((node) => `${node.id} is to be copied whole and would be master or proven`),
  );
}

/** What a node alone holds is saved, or given up on somebody's word, before it is sent to be copied over. */
function nothingIsCopiedOverUnsaved(after: Intended): string[] {
  return nodesOf(after.cluster)
    .filter(({ copy, membership }) => copy !== null && membership === 'member' && copy.saved === null)
    .map(({ id }) => `${id} would be copied over, and what it alone holds is not saved`);
}

/** Copied whole is who was attached to be, with nothing of it outstanding any more, or who was before all this. */
function copiesAreProven(before: Intended, after: Intended, untold: ReadonlySet<ShardId>): string[] {
  return after.cluster.shards.flatMap((shard) => {
    const old = before.cluster.shards.find((one) => one.id === shard.id);
    if (old !== undefined && takenBack(old, shard, untold)) return [];
    return shard.nodes.flatMap((node) => {
      const known = nodeOf(before.cluster, node.id)?.node;
      if (node.proof?.how !== 'copied' || node.proof.entry === known?.proof?.entry) return [];
      return known?.attaching === 'copied' && known.membership === 'member' && node.copy === null
        ? []
        : [`${node.id} would be proven to be copied, and was not attached for that`];
    });
  });
}
