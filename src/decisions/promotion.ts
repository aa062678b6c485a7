/**
 * Who may be promoted: the most advanced replica that is proven to hold a prefix of its master's history. Each other
 * is refused with every reason.
 */
import type { Instant } from '../runtime/runtime.ts';
import { newestEntry, replicasOf, type Shard } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { lostData } from './liveness.ts';
import { DETECTION, type World } from './world.ts';

export interface Judged {
  readonly node: NodeId;
  readonly sequence: Sequence | null;
  /** Empty: eligible. */
  readonly refusals: readonly string[];
}

export type Promotion = { readonly judged: readonly Judged[] } & (
  | { readonly kind: 'promote'; readonly node: NodeId; readonly sequence: Sequence; readonly mayLose: Sequence }
  | { readonly kind: 'hold' }
);

/** What to look for: a replacement for a dead master, judged by answers to questions sent after `askedSince`. */
export interface Wanted {
  readonly askedSince: Instant;
  /** Past the lag limit too: on an operator's word. */
  readonly force: boolean;
  /** Its link must be up: for a planned switchover. */
  readonly linked: boolean;
  readonly preferred?: NodeId | undefined;
  /** The number at which the dead master held slots that were just moved to it. */
  readonly handedOver?: Sequence | undefined;
}

function judge(world: World, shard: Shard, node: Shard['nodes'][number], wanted: Wanted): Judged {
  const view = world.view(node.id);
  const master = world.view(shard.master);
  const floor = Math.max(shard.floor, master?.highest ?? 0);
  const eligibleFrom = Math.max(shard.eligibleFrom, master?.aged ?? 0);
  const refusals: string[] = [];
  if (node.membership === 'away') refusals.push('away: not in the topology');
  if (node.proof === null && node.attaching !== null) refusals.push('being attached, and not proven yet');
  else if (node.proof === null) refusals.push('unproven: nobody knows whether it holds this shard’s history');
  else if (node.proof.entry !== newestEntry(shard).version)
    refusals.push('not proven to follow the present master yet');
  if (view === undefined || view.state === 'unknown') refusals.push('not asked yet');
  else if (view.state !== 'up') refusals.push(`${view.state}${view.reason === null ? '' : `: ${view.reason}`}`);
  else {
    if (view.says !== 'slave') refusals.push('says that it is a master');
    if (view.link === 'sync') refusals.push('in a full sync');
    if (view.sequence === null) refusals.push('told no sequence');
    else {
      if (view.sequence < node.highest || view.sequence < view.highest)
        refusals.push(`below its own highest sequence ${view.highest}`);
      if (!wanted.force && view.sequence < eligibleFrom) {
        refusals.push(`${floor - view.sequence} behind, of which ${floor - eligibleFrom} may be lost`);
      }
      // The master went on without it: what it lacks is not the few records that any crash may cost.
      const wentOn = view.lostAt !== null && (master?.answeredAt ?? view.lostAt) > view.lostAt;
      if (!wanted.force && wentOn && view.sequence < floor && !lostData(world, shard)) {
        refusals.push(`was cut off while its master still answered, and lacks ${floor - view.sequence} records`);
      }
    }
    if (wanted.handedOver !== undefined && (view.sequence ?? 0) < wanted.handedOver)
      refusals.push(`lacks slots that were moved to its master, which it has from sequence ${wanted.handedOver} on`);
    if (view.askedAt < Math.max(wanted.askedSince, world.trustFrom)) refusals.push('not asked since the break');
    else if (view.askedAt < world.now - DETECTION.fresh && !wanted.linked) refusals.push('its answer is too old');
    if (wanted.linked && view.link !== 'up') refusals.push('its link to the master is down');
  }
  return { node: node.id, sequence: view?.sequence ?? null, refusals };
}

export function choosePromotion(world: World, shard: Shard, wanted: Wanted): Promotion {
  const judged = replicasOf(shard).map((node) => judge(world, shard, node, wanted));
  let best: (Judged & { sequence: Sequence }) | undefined;
  for (const candidate of judged) {
    const { node, sequence, refusals } = candidate;
    if (refusals.length > 0 || sequence === null) continue;
    if (wanted.preferred !== undefined && wanted.preferred !== node) continue;
    if (best === undefined || sequence > best.sequence || (sequence === best.sequence && node < best.node)) {
      best = { node, sequence, refusals };
    }
  }
  if (best === undefined) return { kind: 'hold', judged };
  const master = world.view(shard.master);
  const reached = Math.max(shard.floor, master?.highest ?? 0);
  return {
    kind: 'promote',
    node: best.node,
    sequence: best.sequence,
    mayLose: Math.max(0, reached - best.sequence),
    judged,
  };
}

/** One line a node, for messages: who was refused and why. */
export const whyNot = (judged: readonly Judged[]): readonly string[] =>
  judged.filter((one) => one.refusals.length > 0).map((one) => `${one.node}: ${one.refusals.join('; ')}`);
