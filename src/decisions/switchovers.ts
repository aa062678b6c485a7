/** What an open switchover does next, from what its two nodes have answered. */

import { type Intended, nextVersion, switchoverOf, withOperation, withoutOperation } from '../operations/intended.ts';
import { SWITCHOVER_BOUNDS, type Switchover, type SwitchoverEvent, switchoverStep } from '../operations/switchover.ts';
import type { Instant } from '../runtime/runtime.ts';
import { type Node, type Shard, shardOf, withNode, withShard } from '../topology/cluster.ts';
import { promoted } from './failover.ts';
import type { Chase } from './jobs.ts';
import { carries, standingProof } from './seen.ts';
import type { Proposal, World } from './world.ts';

export interface SwitchoverDecision {
  readonly proposal: Proposal | undefined;
  readonly chase: Chase | undefined;
  readonly wakeAt: Instant | undefined;
}

type Seen = { readonly event: SwitchoverEvent } | { readonly chase?: Chase; readonly wakeAt: Instant };

function seenWhileDraining(world: World, open: Switchover & { phase: 'draining' }): Seen {
  const trace = world.trace(open.id);
  if (trace === undefined)
    return { event: { kind: 'controller-changed', why: 'the controller that drained it is gone' } };
  const from = world.view(open.from);
  if (from?.brokeAt != null) return { event: { kind: 'old-master-gone', why: 'the old master stopped answering' } };
  const drained = from?.fenceHolds === true && from.fenced?.version === open.version ? from.fenced : null;
  if (drained === null) {
    const until = trace.phaseAt + SWITCHOVER_BOUNDS.drain;
    return world.now >= until
      ? {
          event: {
            kind: 'drain-failed',
            why: `the old master did not confirm the drain within ${SWITCHOVER_BOUNDS.drain} ms`,
          },
        }
      : { wakeAt: until };
  }
  if (trace.reached !== undefined && trace.reached >= drained.sequence) return { event: { kind: 'caught-up' } };
  const until = drained.at + SWITCHOVER_BOUNDS.catchUp;
  if (world.now >= until) {
    const missing =
      trace.reached === undefined ? 'it did not answer' : `${drained.sequence - trace.reached} records are missing`;
    return {
      event: {
        kind: 'catch-up-failed',
        why: `the replica did not catch up within ${SWITCHOVER_BOUNDS.catchUp} ms: ${missing}`,
      },
    };
  }
  const address = shardOf(world.intended.cluster, open.shard)?.nodes.find((node) => node.id === open.to)?.address;
  if (address === undefined)
    return { event: { kind: 'catch-up-failed', why: 'the replica is no node of the shard any more' } };
  return { chase: { operation: open.id, node: open.to, address, goal: drained.sequence, until }, wakeAt: until };
}

function seenAfterwards(world: World, open: Switchover & { phase: 'swapping' | 'restoring' }): Seen {
  if (open.phase === 'restoring') {
    const back = carries(world, { id: open.from }) && world.view(open.from)?.says === 'master';
    if (back) return { event: { kind: 'old-master-restored' } };
    const since = world.trace(open.id)?.phaseAt ?? world.watchingSince;
    // Nothing else of the cluster may wait for a node that is gone: its shard is for the failover to judge.
    const gone = world.view(open.from)?.brokeAt != null && world.now >= since + SWITCHOVER_BOUNDS.restore;
    return gone
      ? { event: { kind: 'old-master-gone', why: 'the old master stopped answering' } }
      : { wakeAt: world.now + 250 };
  }
  if (carries(world, { id: open.to }) && world.view(open.to)?.says === 'master') return { event: { kind: 'promoted' } };
  const until = (world.trace(open.id)?.phaseAt ?? world.watchingSince) + SWITCHOVER_BOUNDS.promote;
  if (world.now < until) return { wakeAt: until };
  // Without an heir whoever answers first, the new master too, ends the wait.
  if (heirOf(world, open) === undefined) return { wakeAt: world.now + 250 };
  const why = `the new master did not answer within ${SWITCHOVER_BOUNDS.promote} ms`;
  return { event: { kind: 'promotion-failed', why } };
}

/**
 * Who takes the shard when the new master fell silent after the swap: the drained master, or else a sibling that it has
 * fed, if it answers and has everything up to the drain. Below that it has lost what only the new master has now.
 */
export function heirOf(world: World, open: Switchover & { phase: 'swapping' }): Node | undefined {
  const shard = shardOf(world.intended.cluster, open.shard);
  const able = (shard?.nodes ?? []).filter((node) => {
    const view = world.view(node.id);
    return (
      node.id !== open.to &&
      node.membership === 'member' &&
      standingProof(world, node) !== null &&
      view?.state === 'up' &&
      view.myId === node.id &&
      view.askedAt >= Math.max(world.now - 2_500, world.trustFrom) &&
      (view.sequence ?? 0) >= open.final
    );
  });
  const reached = (node: Node) => world.view(node.id)?.sequence ?? 0;
  return able.find((node) => node.id === open.from) ?? able.sort((a, b) => reached(b) - reached(a))[0];
}

function apply(world: World, open: Switchover, event: SwitchoverEvent): Proposal | undefined {
  const { intended } = world;
  const { kind, id, from, to, by, startedAt } = open;
  const record = { kind, id, shard: open.shard, from, to, by, startedAt };
  const about = { by, shard: open.shard };
  const version = intended.cluster.version + 1;
  switch (switchoverStep(open.phase, event.kind)) {
    case 'ignore':
      return undefined;
    case 'swap': {
      const final = world.view(from)?.fenced?.sequence ?? 0;
      const stays = (node: Node) => node.membership === 'member' && standingProof(world, node) !== null;
      const cluster = withShard(intended.cluster, open.shard, (shard) => promoted(shard, to, version, final, stays));
      const next: Intended = withOperation(intended, { ...record, phase: 'swapping', version, final });
      return {
        next: nextVersion(next, cluster),
        events: [
          {
            ...about,
            kind: 'switchover.swapped',
            node: to,
            message: `${to} takes over from ${from}, which was drained at sequence ${final}`,
          },
        ],
      };
    }
    case 'restore': {
      const because = 'why' in event ? event.why : event.kind;
      const next: Intended = withOperation(intended, { ...record, phase: 'restoring', version, because });
      return {
        next: nextVersion(next, intended.cluster),
        events: [
          { ...about, kind: 'switchover.restoring', node: from, message: `${from} gets its slots back: ${because}` },
        ],
      };
    }
    case 'put-back': {
      const heir = open.phase === 'swapping' ? heirOf(world, open)?.id : undefined;
      if (open.phase !== 'swapping' || heir === undefined) return undefined;
      const reached = Math.max(open.final, world.view(heir)?.sequence ?? 0);
      const stays = (node: Node) =>
        node.id !== to && node.membership === 'member' && standingProof(world, node) !== null;
      const cluster = withShard(intended.cluster, open.shard, (shard) => {
        const back = promoted(shard, heir, version, reached, stays);
        return withNode(back, to, (node) => ({ ...node, membership: 'away', attaching: null }));
      });
      const does = heir === from ? 'is made master again' : `takes over from ${from}, which does not answer either`;
      const message = `${heir} ${does}: ${to} fell silent after the swap, and what it may have taken is not here`;
      return {
        next: nextVersion(withoutOperation(intended, id), cluster),
        events: [{ ...about, kind: 'switchover.failed', node: heir, message }],
      };
    }
    case 'finish':
      return {
        next: withoutOperation(intended, id),
        events: [{ ...about, kind: 'switchover.done', node: to, message: `${to} is master, ${from} its replica` }],
      };
    case 'finish-restored': {
      const because = open.phase === 'restoring' ? open.because : '';
      return {
        next: withoutOperation(intended, id),
        events: [
          {
            ...about,
            kind: 'switchover.restored',
            node: from,
            message: `${from} is master as before${event.kind === 'old-master-gone' ? ', and does not answer' : ''}: ${because}`,
          },
        ],
      };
    }
  }
}

export function decideSwitchover(world: World): SwitchoverDecision {
  const open = switchoverOf(world.intended);
  if (open === undefined) return { proposal: undefined, chase: undefined, wakeAt: undefined };
  const seen = open.phase === 'draining' ? seenWhileDraining(world, open) : seenAfterwards(world, open);
  if ('event' in seen) return { proposal: apply(world, open, seen.event), chase: undefined, wakeAt: undefined };
  return { proposal: undefined, chase: seen.chase, wakeAt: seen.wakeAt };
}

/** The drain: from its commit on the old master serves nothing, until the swap or the restoration. */
export function drain(
  world: World,
  intended: Intended,
  {
    shard: id,
    to,
    operation,
    by,
    why,
  }: {
    readonly shard: Shard['id'];
    readonly to: Node['id'];
    readonly operation: string;
    readonly by: string;
    /** For people, behind whom it is drained for; empty where somebody asked for it. */
    readonly why: string;
  },
): Proposal {
  const from = shardOf(intended.cluster, id)?.master ?? '';
  const open: Switchover = {
    kind: 'switchover',
    id: operation,
    shard: id,
    from,
    to,
    by,
    startedAt: world.wall,
    phase: 'draining',
    version: intended.cluster.version + 1,
  };
  const next = nextVersion({ ...intended, operations: [...intended.operations, open] }, intended.cluster);
  const message = `${from} is drained for ${to}${why === '' ? '' : `: ${why}`}`;
  return { next, events: [{ kind: 'switchover.started', message, by, shard: id, node: to }] };
}
