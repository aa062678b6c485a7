/**
 * Who may be promoted: the most advanced replica that is proven to hold a prefix of its master's history. Each other
 * is refused with every reason.
 */

import type { Instant } from '../runtime/runtime.ts';
import { type Node, newestEntry, replicasOf, type Shard } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { lostData } from './liveness.ts';
import { standingProof } from './seen.ts';
import { DETECTION, type NodeView, type World } from './world.ts';

export interface Judged {
  readonly node: NodeId;
  readonly sequence: Sequence | null;
  /** Why it may not be promoted. Empty: eligible. */
  readonly refusals: readonly string[];
  /** It is eligible, and why another one is chosen; null where it is chosen itself, refused, or nobody is chosen. */
  readonly passedOver: string | null;
  /** Nothing but a fresh answer is missing, which is on its way. */
  readonly late: boolean;
}

export type Promotion = { readonly judged: readonly Judged[] } & (
  | { readonly kind: 'promote'; readonly node: NodeId; readonly sequence: Sequence; readonly mayLose: Sequence }
  | { readonly kind: 'hold' }
);

/** What to look for: a replacement for a dead master, judged by answers to questions sent after `askedSince`. */
export interface Wanted {
  readonly askedSince: Instant;
  /** Past the lag limit too, and a replica that was cut off: on an operator's word. */
  readonly force: boolean;
  /** Its link must be up: for a planned switchover. */
  readonly linked: boolean;
  /** No replica could say how the master ended: nobody but one that has lost it, and has all that was seen of it. */
  readonly unwitnessed?: boolean;
  /** This one or nobody, on an operator's word. */
  readonly preferred?: NodeId | undefined;
  /** The number at which the dead master held slots that were just moved to it; Infinity: it held them, at an unknown one. */
  readonly handedOver?: Sequence | undefined;
}

/** What the shard's master is known to have reached, as stored and as seen. */
const reachedBy = (world: World, shard: Shard): Sequence =>
  Math.max(shard.floor, shard.dataLost ?? world.view(shard.master)?.highest ?? 0);

/** Its link was down when the master answered: the master went on without it. */
function wentOnWithout(replica: NodeView, master: NodeView | undefined): boolean {
  return replica.lostAt !== null && master !== undefined && master.answeredAt > replica.lostAt;
}

/** Why its answer is too old to promote it by. */
function stale(world: World, view: NodeView, wanted: Wanted): string | undefined {
  if (view.askedAt < Math.max(wanted.askedSince, world.trustFrom)) return 'not asked since the break';
  return view.askedAt < world.now - DETECTION.fresh && !wanted.linked ? 'its answer is too old' : undefined;
}

/** Why it is none to promote by what it has answered. */
function unfit(world: World, shard: Shard, node: Node, view: NodeView, wanted: Wanted): string[] {
  const refusals: string[] = [];
  const master = world.view(shard.master);
  const floor = reachedBy(world, shard);
  const aged = shard.dataLost === null ? (master?.aged ?? 0) : 0;
  const eligibleFrom = Math.max(shard.eligibleFrom, aged);
  if (view.says !== 'slave') refusals.push('says that it is a master');
  if (view.link === 'sync') refusals.push('in a full sync');
  const cutOff = node.cutOff || (wentOnWithout(view, master) && !lostData(world, shard));
  if (view.sequence === null) refusals.push('told no sequence');
  else {
    const lacks = floor - view.sequence;
    if (view.sequence < node.highest || view.sequence < view.highest)
      refusals.push(`below its own highest sequence ${Math.max(node.highest, view.highest)}`);
    // A linked one was asked before the first writes: at a switchover it is swapped in only once it has all of them.
    if (view.sequence === 0 && floor > 0 && !wanted.linked) refusals.push(`empty, and its master had reached ${floor}`);
    else if (!wanted.force && view.sequence < eligibleFrom)
      refusals.push(`${lacks} behind, of which ${floor - eligibleFrom} may be lost`);
    else if (wanted.unwitnessed && lacks > 0)
      refusals.push(`${lacks} behind, and no replica could say how its master ended`);
    // What it lacks is not the few records that any crash may cost.
    if (!wanted.force && cutOff && (lacks > 0 || node.cutOff || wanted.unwitnessed))
      refusals.push(`was cut off while its master still answered${lacks > 0 ? `, and lacks ${lacks} records` : ''}`);
  }
  if (wanted.handedOver === Number.POSITIVE_INFINITY)
    refusals.push('may lack slots that were moved to its master, which died before it said how much it had');
  else if (wanted.handedOver !== undefined && (view.sequence ?? 0) < wanted.handedOver)
    refusals.push(`lacks slots that were moved to its master, which it has from sequence ${wanted.handedOver} on`);
  if (wanted.linked && view.link !== 'up') refusals.push('its link to the master is down');
  if (wanted.unwitnessed && view.link === 'up') refusals.push('does not say that it has lost its master');
  return refusals;
}

interface Refused {
  readonly refusals: readonly string[];
  readonly late: boolean;
}

function refused(world: World, shard: Shard, node: Node, wanted: Wanted): Refused {
  const view = world.view(node.id);
  const refusals: string[] = [];
  if (node.noFailover && wanted.preferred !== node.id) refusals.push('excluded from failover: no_failover is set');
  if (node.membership === 'away') refusals.push('away: not in the topology');
  if (node.proof === null && node.attaching !== null) refusals.push('being attached, and not proven yet');
  else if (node.proof === null) refusals.push('unproven: nobody knows whether it holds this shard’s history');
  else if (standingProof(world, node) === null)
    refusals.push('started anew since it was copied whole: whether the copy outlived that is not known yet');
  else if (node.proof.entry !== newestEntry(shard).version)
    refusals.push('not proven to follow the present master yet');
  if (view === undefined || view.state === 'unknown')
    return { refusals: [...refusals, 'not asked yet'], late: refusals.length === 0 };
  if (view.state !== 'up') {
    const words = `${view.state}${view.reason === null ? '' : `: ${view.reason}`}`;
    return { refusals: [...refusals, words], late: false };
  }
  refusals.push(...unfit(world, shard, node, view, wanted));
  const old = stale(world, view, wanted);
  return old === undefined ? { refusals, late: false } : { refusals: [...refusals, old], late: refusals.length === 0 };
}

interface Candidate {
  readonly node: Node;
  readonly sequence: Sequence;
  /** A SETNODES is under way: it answers, and a promotion may have to wait for the end of it. */
  readonly busy: boolean;
}

/** The most advanced first; among equals the higher priority, then the lower id. */
const better = (a: Candidate, b: Candidate): number =>
  b.sequence - a.sequence || b.node.priority - a.node.priority || (a.node.id < b.node.id ? -1 : 1);

function passedOver(one: Candidate, best: Candidate, preferred: NodeId | undefined): string {
  if (preferred !== undefined) return `${preferred} was asked for`;
  if (one.sequence < best.sequence) return `${best.sequence - one.sequence} behind ${best.node.id}`;
  return one.node.priority < best.node.priority
    ? `as far as ${best.node.id}, which has the higher priority`
    : `as far as ${best.node.id}, which comes first by its id`;
}

export function choosePromotion(world: World, shard: Shard, wanted: Wanted): Promotion {
  const { preferred } = wanted;
  const found = new Map<NodeId, Refused>();
  const able: Candidate[] = [];
  for (const node of replicasOf(shard)) {
    const view = world.view(node.id);
    const one = refused(world, shard, node, wanted);
    found.set(node.id, one);
    if (one.refusals.length === 0 && view?.sequence != null)
      able.push({ node, sequence: view.sequence, busy: view.busySince !== null });
  }
  const named = preferred === undefined ? able : able.filter(({ node }) => node.id === preferred);
  const free = named.filter(({ busy }) => !busy);
  const [best] = (free.length > 0 ? free : named).sort(better);
  const judged = replicasOf(shard).map(({ id }): Judged => {
    const one = able.find(({ node }) => node.id === id);
    const held = one?.busy === true && best !== undefined && !best.busy && preferred === undefined;
    const refusals = held ? ['inside a SETNODES, while another one answers'] : (found.get(id)?.refusals ?? []);
    const chosen = best === undefined || one === undefined || held || one === best;
    return {
      node: id,
      sequence: world.view(id)?.sequence ?? null,
      refusals,
      passedOver: chosen ? null : passedOver(one, best, preferred),
      late: found.get(id)?.late === true,
    };
  });
  if (best === undefined) return { kind: 'hold', judged };
  const mayLose = Math.max(0, reachedBy(world, shard) - best.sequence);
  return { kind: 'promote', node: best.node.id, sequence: best.sequence, mayLose, judged };
}

/** One line a node, for messages: who was refused and why. */
export const whyNot = (judged: readonly Judged[]): readonly string[] =>
  judged.filter((one) => one.refusals.length > 0).map((one) => `${one.node}: ${one.refusals.join('; ')}`);

/** The same for those that were eligible, and not the best. */
export const overWhom = (judged: readonly Judged[]): readonly string[] =>
  judged.flatMap(({ node, passedOver: why }) => (why === null ? [] : [`${node}: ${why}`]));
