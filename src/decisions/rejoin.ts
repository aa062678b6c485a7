/**
 * Who may come back, who must go away first, and what has been proven. A master that is not one any more is fenced
 * and then read; a replica is read; and the number that was read decides by the rule of lineage.
 */
import { type Intended, nextVersion, switchoverOf } from '../operations/intended.ts';
import { type Attach, type Node, newestEntry, type Shard, withNode, withShard } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { type MayFollow, mayFollow } from '../topology/lineage.ts';
import { lostData } from './liveness.ts';
import { carries } from './seen.ts';
import type { Happening, NodeView, Proposal, World } from './world.ts';

/** Answers older than this say too little about a node that is to be attached, in milliseconds. */
const READ_WITHIN = 2_500;

export type Return =
  | { readonly kind: 'attach'; readonly how: Attach }
  /** It says that it is a master: it must be fenced, and read behind the fence. */
  | { readonly kind: 'fence' }
  | { readonly kind: 'wait'; readonly for: string }
  | { readonly kind: 'refused'; readonly verdict: MayFollow & { may: false }; readonly sequence: Sequence };

/** Without an id it may be any node; only the number that it was last seen at speaks for it. */
function identified(view: NodeView): boolean {
  return view.myId === view.id || (view.myId === '' && (view.sequence === 0 || view.sequence === view.highest));
}

/** Both servers compare histories themselves, and copy whole what differs. */
function rsidOnBoth(world: World, shard: Shard, view: NodeView): boolean {
  return view.rsid === true && world.view(shard.master)?.rsid === true;
}

/** What an away node's way back is. */
export function wayBack(world: World, shard: Shard, node: Node): Return {
  const view = world.view(node.id);
  if (view === undefined || view.state !== 'up' || view.says === null || view.sequence === null) {
    return { kind: 'wait', for: 'its answer' };
  }
  if (view.askedAt < Math.max(world.now - READ_WITHIN, world.trustFrom)) return { kind: 'wait', for: 'a fresh answer' };
  if (view.myId === null) return { kind: 'wait', for: 'its id' };
  if (world.now < view.returnAfter) return { kind: 'wait', for: 'a pause after its last try' };
  if (view.sequence === 0) return { kind: 'attach', how: 'empty' };
  if (!identified(view)) {
    return { kind: 'refused', verdict: { may: false, why: 'unproven', by: view.sequence }, sequence: view.sequence };
  }
  if (view.says === 'master' && view.fenced === null) return { kind: 'fence' };
  const sequence = view.says === 'master' ? (view.fenced?.sequence ?? view.sequence) : view.sequence;
  const rsid = rsidOnBoth(world, shard, view);
  const verdict = mayFollow(shard, node, sequence, view.highest);
  if (!rsid && !verdict.may) return { kind: 'refused', verdict, sequence };
  // The attach must go out on the connection that the fence was answered on.
  if (view.says === 'master' && !view.fenceHolds) return { kind: 'fence' };
  return { kind: 'attach', how: rsid ? 'copied' : verdict.may ? verdict.how : 'copied' };
}

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
 * A node that carries its attach and whose answer never came, as the controller that sent it died or the connection
 * broke: after so many milliseconds nobody waits for it any more.
 */
const UNANSWERED = 2_000;

/** Whether the answer to its attach confirms it; undefined while it has not answered, `unknown` if it never will. */
function confirmed(world: World, shard: Shard, node: Node, view: NodeView): boolean | 'unknown' | undefined {
  switch (node.attaching) {
    case null:
      return undefined;
    case 'copied':
      return true;
    case 'empty':
      // The text went out only to a node that had just said 0 on the same connection.
      return true;
    case 'within': {
      const entry = newestEntry(shard);
      const limitless = node.proof?.entry === entry.version;
      if (limitless) return true;
      if (view.attached === null || view.attached.version < entry.version) {
        if (view.busySince !== null || world.now < Math.max(view.holdsSince, world.watchingSince) + UNANSWERED)
          return undefined;
        return mayFollow(shard, node, view.sequence ?? Number.POSITIVE_INFINITY, 0).may ? true : 'unknown';
      }
      return mayFollow(shard, node, view.attached.sequence, 0).may || fedByTheOldMaster(world, shard, node);
    }
  }
}

type Step = { readonly shard: Shard; readonly event?: Happening; readonly newText: boolean };

function stepMember(world: World, shard: Shard, node: Node): Step | undefined {
  const view = world.view(node.id);
  if (view === undefined || view.state !== 'up' || view.says === null || view.sequence === null) return undefined;
  const away = (why: string, proof: Node['proof']): Step => ({
    shard: withNode(shard, node.id, (old) => ({ ...old, membership: 'away', attaching: null, proof })),
    event: {
      kind: 'node.away',
      message: `${node.id} leaves the topology: ${why}`,
      by: 'controller',
      shard: shard.id,
      node: node.id,
    },
    newText: true,
  });
  const { version } = world.intended.cluster;
  if (view.says === 'master') {
    // What it was asked before it was attached is of the past.
    if (view.attached !== null && view.askedAt <= view.attached.at) return undefined;
    if (view.sequence === 0 && (node.attaching === null || node.attaching === 'within')) {
      return {
        shard: withNode(shard, node.id, (old) => ({ ...old, proof: null, attaching: 'empty', highest: 0 })),
        event: {
          kind: 'node.emptied',
          message: `${node.id} came back empty and is to follow ${shard.master} from the beginning`,
          by: 'controller',
          shard: shard.id,
          node: node.id,
        },
        newText: false,
      };
    }
    // A fresh node says so too until it is told; one with a past must be fenced and read before it follows anybody.
    const fresh = view.sequence === 0 || view.fenceHolds;
    const followsAfterDrain = switchoverOf(world.intended)?.from === node.id;
    if (fresh || followsAfterDrain || view.version === version || view.myId === null || view.busySince !== null)
      return undefined;
    return away('it says that it is a master', node.proof);
  }
  if (!carries(world, node) || view.link !== 'up') return undefined;
  // A link that was seen up before its attach was answered was the one to its old master.
  if (view.attached !== null && view.linkUpAt < view.attached.at) return undefined;
  const entry = newestEntry(shard);
  const answer = confirmed(world, shard, node, view);
  if (answer === false) return away('it was beyond its limit when it was attached', null);
  if (answer === 'unknown') {
    return {
      shard: withNode(shard, node.id, (old) => ({ ...old, proof: null, attaching: null })),
      event: {
        kind: 'node.unproven',
        message: `${node.id} was attached, and its number at that moment never became known`,
        by: 'controller',
        shard: shard.id,
        node: node.id,
      },
      newText: false,
    };
  }
  if (answer === true && node.attaching !== null) {
    const how = node.attaching;
    const sequence = view.sequence;
    return {
      shard: withNode(shard, node.id, (old) => ({
        ...old,
        proof: { entry: entry.version, how },
        attaching: null,
        highest: sequence,
      })),
      event: {
        kind: 'node.proven',
        message: `${node.id} follows ${shard.master}, proven: ${how}`,
        by: 'controller',
        shard: shard.id,
        node: node.id,
      },
      newText: false,
    };
  }
  if (
    node.attaching === null &&
    node.proof !== null &&
    view.sequence < Math.max(view.highest, node.highest) &&
    view.askedAt >= world.trustFrom
  ) {
    return {
      shard: withNode(shard, node.id, (old) => ({ ...old, proof: null })),
      event: {
        kind: 'node.unproven',
        message: `${node.id} is at sequence ${view.sequence}, below the ${Math.max(view.highest, node.highest)} it was seen at: it has lost something`,
        by: 'controller',
        shard: shard.id,
        node: node.id,
      },
      newText: false,
    };
  }
  return undefined;
}

/** Below its own highest number, with an id that says that it is the same node, and not empty. */
const fellBehindItself = (view: NodeView, node: Node): boolean =>
  view.state === 'up' &&
  view.myId === view.id &&
  view.sequence !== null &&
  view.sequence > 0 &&
  view.sequence < Math.max(view.highest, node.highest);

function stepAway(world: World, shard: Shard, node: Node): Step | undefined {
  const view = world.view(node.id);
  if (node.proof !== null && view !== undefined && fellBehindItself(view, node)) {
    // Stored: what it writes from now on may bring it back to a number that would let it in.
    return {
      shard: withNode(shard, node.id, (old) => ({ ...old, proof: null })),
      event: {
        kind: 'node.unproven',
        message: `${node.id} is at sequence ${view.sequence}, below the ${Math.max(view.highest, node.highest)} it was seen at: it has lost something`,
        by: 'controller',
        shard: shard.id,
        node: node.id,
      },
      newText: false,
    };
  }
  const back = wayBack(world, shard, node);
  if (back.kind !== 'attach') return undefined;
  return {
    shard: withNode(shard, node.id, (old) => ({
      ...old,
      membership: 'member',
      attaching: back.how,
      // What it begins anew, or is copied over, proves nothing until that is done.
      proof: back.how === 'within' ? old.proof : null,
      highest: back.how === 'within' ? old.highest : 0,
    })),
    event: {
      kind: 'node.attached',
      message: `${node.id} may follow ${shard.master}: ${back.how}`,
      by: 'controller',
      shard: shard.id,
      node: node.id,
    },
    newText: true,
  };
}

/** All that may be said of replicas now, in one commit; a version of its own only if some text changes. */
export function decideRejoins(world: World): Proposal | undefined {
  const { intended } = world;
  if (intended.pause !== null) return undefined;
  const quiet = switchoverOf(intended) === undefined;
  let cluster = intended.cluster;
  let newText = false;
  const events: Happening[] = [];
  for (const before of intended.cluster.shards) {
    const masterView = world.view(before.master);
    // One that is not established yet has nobody to lead; one that lost its data would have its replicas copy the loss.
    const led = masterView?.state === 'up' && masterView.says === 'master' && !lostData(world, before);
    for (const { id } of before.nodes) {
      if (id === before.master || !led) continue;
      const shard = cluster.shards.find((one) => one.id === before.id) ?? before;
      const node = shard.nodes.find((one) => one.id === id);
      if (node === undefined) continue;
      const step = node.membership === 'away' ? stepAway(world, shard, node) : stepMember(world, shard, node);
      if (step === undefined || (step.newText && !quiet)) continue;
      cluster = withShard(cluster, shard.id, () => step.shard);
      newText ||= step.newText;
      if (step.event !== undefined) events.push(step.event);
    }
  }
  if (cluster === intended.cluster) return undefined;
  const next: Intended = newText ? nextVersion(intended, cluster) : { ...intended, cluster };
  return { next, events };
}

/** The exact P, once the new master has told its number in the breath of its promotion. */
export function decideExactPromotions(world: World): Proposal | undefined {
  let cluster = world.intended.cluster;
  for (const shard of world.intended.cluster.shards) {
    const entry = newestEntry(shard);
    const told = exactOf(world, shard.master);
    if (entry.exact || told === undefined || told.version < entry.version) continue;
    const lineage = [
      ...shard.lineage.slice(0, -1),
      { ...entry, sequence: Math.max(entry.sequence, told.sequence), exact: true },
    ];
    cluster = withShard(cluster, shard.id, (old) => ({ ...old, lineage }));
  }
  return cluster === world.intended.cluster ? undefined : { next: { ...world.intended, cluster }, events: [] };
}

const exactOf = (world: World, master: NodeId) => world.view(master)?.promoted ?? undefined;
