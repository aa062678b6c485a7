/**
 * Whether a node that was attached was attached rightly: its number in the attach's own breath is judged, once it
 * carries the topology and its link is up. What the number cannot confirm the log may: it says from where on.
 */
import { type Node, newestEntry, type Shard } from '../topology/cluster.ts';
import type { Sequence } from '../topology/ids.ts';
import { mayFollow } from '../topology/lineage.ts';
import type { NodeView, World } from './world.ts';

export type Confirmed =
  | { readonly kind: 'yes' }
  | { readonly kind: 'not-yet' }
  /**
   * Its number was another one (`wrong`), or never became known. `common`: up to there it surely is what its master
   * is; null: nothing is sure, as it may have lost something and written since.
   */
  | { readonly kind: 'doubt'; readonly wrong: boolean; readonly common: Sequence | null };

const YES: Confirmed = { kind: 'yes' };
const NOT_YET: Confirmed = { kind: 'not-yet' };

/**
 * A node that carries its attach and whose answer never came, as the controller that sent it died or the connection
 * broke: after so many milliseconds nobody waits for it any more.
 */
const UNANSWERED = 2_000;

/**
 * A replica of the old master that was told later than it: what it has beyond the limit came from the new master by
 * way of the old one, if that was itself within its limit when it began to follow.
 */
function fedByTheOldMaster(world: World, shard: Shard, node: Node): boolean | undefined {
  const previous = shard.lineage.at(-2);
  const old = shard.nodes.find((one) => one.id === previous?.master);
  if (previous === undefined || old === undefined || node.id === old.id || node.proof?.entry !== previous.version)
    return false;
  const view = world.view(old.id);
  // Its answer is on its way.
  if (view?.state === 'up' && view.busySince !== null) return undefined;
  const attached = view?.attached;
  return (
    attached != null &&
    attached.version >= newestEntry(shard).version &&
    mayFollow(shard, old, attached.sequence, 0).may
  );
}

/**
 * A sibling that was within its limit when its attach was committed and is not before it was told: its old master came
 * back and fed it meanwhile (`beyond`), or came back with less and was copied over it (`below`). `not-yet`: nobody
 * knows, and it cannot be told.
 */
export function unfitForAttach(
  world: World,
  shard: Shard,
  node: Node,
  view: NodeView,
): 'beyond' | 'below' | 'not-yet' | undefined {
  if (node.attaching !== 'within' || view.says !== 'slave' || view.sequence === null) return undefined;
  // Once it was told of this promotion it grows by what its new master writes.
  if (view.version === null || view.version >= newestEntry(shard).version) return undefined;
  if (view.askedAt < world.trustFrom) return 'not-yet';
  if (view.sequence < seenAt(node, view)) return 'below';
  const verdict = mayFollow(shard, node, view.sequence, 0);
  if (verdict.may || verdict.why !== 'diverged') return undefined;
  const fed = fedByTheOldMaster(world, shard, node);
  if (fed === undefined) return 'not-yet';
  return fed ? undefined : 'beyond';
}

/** The highest number that it was ever seen at. */
export const seenAt = (node: Node, view: NodeView): Sequence => Math.max(node.highest, view.highest);

function breathIsLost(world: World, view: NodeView): boolean {
  return view.busySince === null && world.now >= Math.max(view.holdsSince, world.watchingSince) + UNANSWERED;
}

/** For a node with something outstanding. One that is copied by force is asked for its marker instead. */
export function confirmed(world: World, shard: Shard, node: Node, view: NodeView): Confirmed {
  const entry = newestEntry(shard);
  const known = view.attached !== null && view.attached.version >= entry.version ? view.attached.sequence : undefined;
  switch (node.attaching) {
    case null:
      return NOT_YET;
    case 'copied':
      return node.copy === null ? YES : NOT_YET;
    case 'empty':
      // The text went out only to a node that had just said 0 on the same connection.
      return YES;
    case 'log':
      if (known === node.highest) return YES;
      if (known === undefined && !breathIsLost(world, view)) return NOT_YET;
      return {
        kind: 'doubt',
        wrong: known !== undefined,
        common: known !== undefined && known < node.highest ? null : node.highest,
      };
    case 'within': {
      if (node.proof?.entry === entry.version) return YES;
      if (known !== undefined && view.attached?.below) return { kind: 'doubt', wrong: true, common: null };
      const common = commonAt(shard, node, known);
      if (known === undefined) {
        if (!breathIsLost(world, view)) return NOT_YET;
        return mayFollow(shard, node, view.sequence ?? Number.POSITIVE_INFINITY, 0).may
          ? YES
          : { kind: 'doubt', wrong: false, common };
      }
      const within = mayFollow(shard, node, known, 0).may;
      // Its old master may have fed it on until the push was over: only the log can tell those records from others.
      const surely = within && mayFollow(shard, node, view.attached?.upTo ?? known, 0).may;
      const fed = surely || fedByTheOldMaster(world, shard, node);
      if (fed === undefined) return NOT_YET;
      if (fed) return YES;
      return within ? { kind: 'doubt', wrong: false, common: known } : { kind: 'doubt', wrong: true, common };
    }
  }
}

/** The smallest P since the entry under which it was proven: beyond it nobody shares its history. Infinity: none since. */
function limitOf(shard: Shard, node: Node): Sequence {
  const at = shard.lineage.findIndex((candidate) => candidate.version === node.proof?.entry);
  return Math.min(...shard.lineage.slice(at + 1).map((promotion) => promotion.sequence));
}

/**
 * Beyond which number a replica may not be told of its new master, since its old one may feed it on until that very
 * moment. Undefined: it was told before, or is fed by right; or it is a drained master, which messages raise: that one is
 * told, and set aside by its answer.
 */
export function mostAtAttach(world: World, shard: Shard, node: Node): Sequence | undefined {
  const view = world.view(node.id);
  if (view?.says !== 'slave') return undefined;
  if (view.version !== null && view.version >= newestEntry(shard).version) return undefined;
  return fedByTheOldMaster(world, shard, node) === false ? limitOf(shard, node) : undefined;
}

/** That limit, unless it may have been an old master below it. */
function commonAt(shard: Shard, node: Node, known: Sequence | undefined): Sequence | null {
  const at = shard.lineage.findIndex((candidate) => candidate.version === node.proof?.entry);
  const limit = limitOf(shard, node);
  const mayBeBelow = known === undefined ? shard.lineage[at]?.master === node.id : known <= limit;
  return mayBeBelow ? null : limit;
}

/** What is in doubt of a member that carries its attach, if anything is. */
export function doubtOf(
  world: World,
  shard: Shard,
  node: Node,
  view: NodeView,
): (Confirmed & { kind: 'doubt' }) | undefined {
  const found = confirmed(world, shard, node, view);
  return found.kind === 'doubt' ? found : undefined;
}
