/**
 * What an away node's way back is, by what it says and by the rule of lineage. A master that is not one any more is
 * fenced and then read; a replica is read; and the number that was read decides, or its log where the number forbids.
 */
import type { Attach, Node, Shard } from '../topology/cluster.ts';
import type { Sequence } from '../topology/ids.ts';
import { type MayFollow, mayFollow } from '../topology/lineage.ts';
import { compared } from './comparing.ts';
import type { NodeView, World } from './world.ts';

/** Answers older than this say too little about a node that is to be attached, in milliseconds. */
const READ_WITHIN = 2_500;

/** Records that a returning master's log is compared in: more than a machine loses that syncs each second. */
export const LOOKED_BACK = 10_000;

export type Return =
  | { readonly kind: 'attach'; readonly how: Exclude<Attach, 'log'> }
  /** Its log is its master's up to this number, which is where it was when it was compared. */
  | { readonly kind: 'attach'; readonly how: 'log'; readonly at: Sequence }
  /** It says that it is a master: it must be fenced, and read behind the fence. */
  | { readonly kind: 'fence' }
  | { readonly kind: 'wait'; readonly for: string }
  /** Its number lets it in, and its log is asked first: see `doubtOfNumber`. */
  | { readonly kind: 'check'; readonly sequence: Sequence; readonly back: number }
  /** It is to be copied whole, if at all: `courseOf` says how far that is. */
  | { readonly kind: 'copy'; readonly sequence: Sequence }
  | {
      readonly kind: 'refused';
      readonly verdict: MayFollow & { may: false };
      readonly sequence: Sequence;
      /** It has no id, and its number does not speak for it: it may be any node. */
      readonly nameless: boolean;
    };

/** With `use-rsid-psync yes` an empty server begins with an entry of its own, its history's id. */
export const isEmpty = ({ sequence, rsid }: NodeView): boolean => sequence === 0 || (sequence === 1 && rsid === true);

/** Somebody has said that this node is to be copied over, whatever it is. */
export const vouchedFor = (node: Node): boolean => node.copy !== null && node.copy.by !== 'controller';

/** Without an id it may be any node; only the number that it was last seen at speaks for it, or somebody's word. */
function identified(view: NodeView, node: Node): boolean {
  if (view.myId !== '') return view.myId === view.id;
  return isEmpty(view) || view.sequence === view.highest || vouchedFor(node);
}

/** Both servers compare histories themselves, and copy whole what differs. */
export function rsidOnBoth(world: World, shard: Shard, view: NodeView): boolean {
  return view.rsid === true && world.view(shard.master)?.rsid === true;
}

/**
 * With `use-rsid-psync` a server begins each start with an entry of its own. Where only one of a node and its master has
 * that setting they do not compare histories, and nobody notices that it takes the place of another record: a number that
 * both have may stand for one here and for another there (Kvrocks 2.14). Who does not tell counts as one without.
 */
export const rsidOnOne = (view: NodeView, master: NodeView | undefined): boolean =>
  (view.rsid === true) !== (master?.rsid === true);

const SETTINGS = { kind: 'wait', for: 'its settings' } as const;

export function wayBack(world: World, shard: Shard, node: Node): Return {
  const view = world.view(node.id);
  if (view === undefined || view.state !== 'up' || view.says === null || view.sequence === null) {
    return { kind: 'wait', for: 'its answer' };
  }
  if (view.askedAt < Math.max(world.now - READ_WITHIN, world.trustFrom)) return { kind: 'wait', for: 'a fresh answer' };
  if (view.myId === null) return { kind: 'wait', for: 'its id' };
  if (world.now < view.returnAfter) return { kind: 'wait', for: 'a pause after its last try' };
  if (view.sequence === 0) return { kind: 'attach', how: 'empty' };
  const settingsKnown = view.process !== null;
  if (!identified(view, node)) {
    if (!settingsKnown) return SETTINGS;
    const verdict = { may: false, why: 'unproven', by: view.sequence } as const;
    return { kind: 'refused', verdict, sequence: view.sequence, nameless: true };
  }
  if (view.says === 'master' && view.fenced === null) return { kind: 'fence' };
  // They come with its process: until then `rsid` says nothing of it. A fence waits for nothing.
  if (!settingsKnown) return SETTINGS;
  const sequence = view.says === 'master' ? (view.fenced?.sequence ?? view.sequence) : view.sequence;
  if (node.copy !== null) return { kind: 'copy', sequence };
  const rsid = rsidOnBoth(world, shard, view);
  // Both its reading and its attach must be behind one fence.
  const fenced = view.says === 'slave' || view.fenceHolds;
  if (rsid && isEmpty(view)) return fenced ? { kind: 'attach', how: 'copied' } : { kind: 'fence' };
  const verdict = mayFollow(shard, node, sequence, view.highest);
  if (verdict.may && !fenced) return { kind: 'fence' };
  const doubt = verdict.may ? doubtOfNumber(world, shard, node, view) : undefined;
  if (doubt !== undefined) {
    const log = compared(world, shard, node, null, LOOKED_BACK);
    if (log === undefined) return { kind: 'check', sequence, back: LOOKED_BACK };
    const refused = { kind: 'refused', sequence, nameless: false } as const;
    if (log.kind === 'parted')
      return { ...refused, verdict: { may: false, why: 'fell-back', by: log.last - log.at + 1 } };
    if (log.kind === 'untellable' && doubt !== 'was-master')
      return { ...refused, verdict: { may: false, why: 'unproven', by: sequence } };
  }
  const log = verdict.may ? undefined : compared(world, shard, node, commonWith(shard, node, sequence, view.highest));
  if (!verdict.may && log?.kind !== 'same') return { kind: 'refused', verdict, sequence, nameless: false };
  if (!fenced) return { kind: 'fence' };
  if (log?.kind === 'same') return { kind: 'attach', how: 'log', at: log.last };
  return { kind: 'attach', how: rsid ? 'copied' : 'within' };
}

/**
 * Why a number that lets a node in is not believed before its log was asked. `was-master`: it was replaced and returns
 * at the very number of the promotion, but it may have lost its last records with its machine's power and have written
 * its way back to that number before it was fenced; its history's id is then the same, too. `was-no-master`: a replica
 * that says it is a master has lost its topology, and may have taken writes. `wrote-by-itself`: see `rsidOnOne`; it
 * may have been started while it was away, and is then one record short of what its number says.
 */
function doubtOfNumber(
  world: World,
  shard: Shard,
  node: Node,
  view: NodeView,
): 'was-master' | 'was-no-master' | 'wrote-by-itself' | undefined {
  const at = shard.lineage.findIndex((entry) => entry.version === node.proof?.entry);
  if (rsidOnOne(view, world.view(shard.master))) return 'wrote-by-itself';
  if (shard.lineage[at]?.master === node.id) return at < shard.lineage.length - 1 ? 'was-master' : undefined;
  return view.says === 'master' ? 'was-no-master' : undefined;
}

/**
 * Up to where a node that may not follow by its number surely holds its shard's history; null where its own past is
 * in doubt. It was proven under its entry, so that is the smallest P since, if it has not fallen below.
 */
export function commonWith(shard: Shard, node: Node, sequence: Sequence, highest: Sequence): Sequence | null {
  const verdict = mayFollow(shard, node, sequence, highest);
  return !verdict.may && verdict.why === 'diverged' ? sequence - verdict.by : null;
}
