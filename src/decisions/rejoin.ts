/**
 * Who may come back, who must go away first, and what has been proven: everything of one moment in one commit.
 */
import { type Intended, nextVersion, switchoverOf } from '../operations/intended.ts';
import { type Attach, type Node, newestEntry, type Shard, withNode, withShard } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { compared, leads } from './comparing.ts';
import { confirmed, unfitForAttach } from './confirming.ts';
import { stepCopy } from './copy-steps.ts';
import { carries, startedSinceCopied } from './seen.ts';
import { wayBack } from './way-back.ts';
import type { Happening, NodeView, Proposal, World } from './world.ts';

export { wayBack } from './way-back.ts';

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
  const unfit = unfitForAttach(world, shard, node, view);
  if (unfit === 'beyond') return away('it was fed on by its old master, beyond what the new one has', node.proof);
  if (unfit === 'below') return away('it has lost something that it had', null);
  if (!carries(world, node) || view.myId !== node.id || view.link !== 'up') return undefined;
  // A link that was seen up before its attach was answered was the one to its old master.
  if (view.attached !== null && view.linkUpAt < view.attached.at) return undefined;
  const answer = confirmed(world, shard, node, view);
  const log = answer.kind === 'doubt' ? compared(world, shard, node, answer.common) : undefined;
  if (log?.kind === 'same') return proven(shard, node, 'log', view.sequence);
  if (answer.kind === 'doubt' && log === undefined) return undefined;
  if (answer.kind === 'doubt' && answer.wrong) return away('it was beyond its limit when it was attached', node.proof);
  if (answer.kind === 'doubt') {
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
  if (answer.kind === 'yes' && node.attaching !== null) return proven(shard, node, node.attaching, view.sequence);
  if (node.attaching === null && node.proof === null && compared(world, shard, node, null)?.kind === 'same')
    return proven(shard, node, 'log', view.sequence);
  const anew = node.proof !== null && startedSinceCopied(node.proof, view);
  const said = anew ? compared(world, shard, node, null)?.kind : undefined;
  if (said === 'same') return proven(shard, node, 'log', view.sequence);
  // No log tells: what it was proven by is all that there is.
  if (said === 'untellable' && node.proof !== null) return proven(shard, node, 'copied', view.sequence);
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

function proven(shard: Shard, node: Node, how: Attach, sequence: Sequence): Step {
  return {
    shard: withNode(shard, node.id, (old) => ({
      ...old,
      proof: { entry: newestEntry(shard).version, how },
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
      highest: back.how === 'within' ? old.highest : back.how === 'log' ? back.at : 0,
      copy: null,
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
    const led = leads(world, before);
    for (const { id } of before.nodes) {
      if (id === before.master || !led) continue;
      const shard = cluster.shards.find((one) => one.id === before.id) ?? before;
      const node = shard.nodes.find((one) => one.id === id);
      if (node === undefined) continue;
      const itself = node.membership === 'away' ? stepAway : stepMember;
      const step = stepCopy(world, shard, node) ?? itself(world, shard, node);
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
    const sequence = Math.max(entry.sequence, told.sequence);
    const lineage = [...shard.lineage.slice(0, -1), { ...entry, sequence, exact: true }];
    // Whoever is promoted next has at least what this master began with.
    const floor = Math.max(shard.floor, sequence);
    const eligibleFrom = Math.max(shard.eligibleFrom, sequence);
    cluster = withShard(cluster, shard.id, (old) => ({ ...old, lineage, floor, eligibleFrom }));
  }
  return cluster === world.intended.cluster ? undefined : { next: { ...world.intended, cluster }, events: [] };
}

const exactOf = (world: World, master: NodeId) => world.view(master)?.promoted ?? undefined;
