/** A cluster's status for people, from the committed state and what is seen. */

import { moveWaits } from '../decisions/move-queue.ts';
import { type Finding, findings } from '../decisions/problems.ts';
import { carries, playsItsRole } from '../decisions/seen.ts';
import type { World } from '../decisions/world.ts';
import type { Operation, OperationId } from '../operations/intended.ts';
import { isActive, type Move, movedSlots } from '../operations/move.ts';
import type { Switchover } from '../operations/switchover.ts';
import type { Address } from '../topology/address.ts';
import { formatAddress } from '../topology/address.ts';
import { NEW_NODE, type Shard } from '../topology/cluster.ts';
import { formatRange, SLOT_COUNT, slotCount } from '../topology/slots.ts';
import type { MoveView } from './control-plane.ts';
import { legible } from './legible.ts';
import type { NodeWatch } from './observation.ts';
import type { ClusterStatus, NodeStatus, OperationStatus, Problem } from './status.ts';
import type { Supervisor } from './supervisor.ts';

interface Listed {
  readonly id: string;
  readonly address: Address;
  /** Leaving nodes have neither. */
  readonly priority?: number;
  readonly noFailover?: boolean;
}

function nodeStatus(
  world: World,
  watch: NodeWatch | undefined,
  node: Listed,
  role: 'master' | 'slave',
  membership: NodeStatus['membership'],
  inSync: boolean,
  lag: number | null,
): NodeStatus {
  const answered =
    watch === undefined || watch.answeredAt === Number.NEGATIVE_INFINITY
      ? null
      : Math.round(world.now - watch.answeredAt);
  return {
    id: node.id,
    addr: formatAddress(node.address),
    role,
    state: watch?.state ?? 'unknown',
    membership,
    since: watch?.sinceWall ?? world.wall,
    reason: watch?.reason ?? null,
    says: watch?.says ?? null,
    version: watch?.version == null || watch.version < 0 ? null : watch.version,
    sequence: watch?.sequence ?? null,
    link: watch?.link ?? null,
    lag,
    latency: watch?.latency == null ? null : Math.round(watch.latency * 100) / 100,
    answered_ago: answered,
    in_sync: inSync,
    server_version: watch?.serverVersion ?? null,
    process_id: watch?.process?.id ?? null,
    started_at: watch?.startedWall ?? null,
    priority: node.priority ?? NEW_NODE.priority,
    no_failover: node.noFailover ?? false,
  };
}

function shardNodes(world: World, supervisor: Supervisor, shard: Shard): NodeStatus[] {
  const master = supervisor.watchOf(shard.master);
  return shard.nodes.map((node) => {
    const watch = supervisor.watchOf(node.id);
    const isMaster = node.id === shard.master;
    const known = !isMaster && watch?.sequence != null && master?.sequence != null && master.state === 'up';
    const lag = known ? Math.max(0, (master?.sequence ?? 0) - (watch?.sequence ?? 0)) : null;
    const inSync = node.membership === 'member' && carries(world, node) && playsItsRole(world, shard, node);
    return nodeStatus(world, watch, node, isMaster ? 'master' : 'slave', node.membership, inSync, lag);
  });
}

function operationStatus(operation: Switchover | Move, waits: ReadonlyMap<OperationId, string>): OperationStatus {
  const common = { id: operation.id, phase: operation.phase, by: operation.by, started_at: operation.startedAt };
  if (operation.kind === 'switchover') {
    const message = operation.phase === 'restoring' ? operation.because : null;
    return {
      ...common,
      kind: 'switchover',
      shard: operation.shard,
      target_shard: null,
      slots: null,
      node: operation.to,
      message,
    };
  }
  return {
    ...common,
    kind: 'move',
    shard: operation.source,
    target_shard: operation.target,
    slots: formatRange(operation.range),
    node: null,
    message: moveMessage(operation, waits.get(operation.id)),
  };
}

function moveMessage(move: Move, waitsFor: string | undefined): string | null {
  switch (move.phase) {
    case 'failed':
    case 'settling':
    case 'held':
      return move.why;
    case 'queued':
      return move.lastFailure ?? (waitsFor === undefined ? null : `waits until ${waitsFor}`);
    case 'migrating':
      return `${formatRange(move.piece)} on its way, ${movedSlots(move)} of ${slotCount([move.range])} slots there`;
    case 'handing-over':
      return `${movedSlots(move)} of ${slotCount([move.range])} slots there`;
  }
}

/** A master that answers as itself and carries the topology serves its slots. */
function serves(world: World, shard: Shard): boolean {
  const view = world.view(shard.master);
  return view?.state === 'up' && view.says === 'master' && view.version !== null && view.version >= 0;
}

/** Nothing is decided while a defect keeps it from being: that must not look like peace. */
function faultOf({ fault }: Supervisor): readonly Finding[] {
  if (fault === undefined) return [];
  const message = `a fault of the controller keeps it from deciding about this cluster: ${fault}`;
  const common = { severity: 'error', shard: null, node: null, command: null } as const;
  return [{ ...common, code: 'CONTROLLER_FAULT', message, waitingFor: 'it is tried again each second' }];
}

export function describe(supervisor: Supervisor): ClusterStatus {
  const world = supervisor.world();
  const { intended } = world;
  const { cluster } = intended;
  const found = [...findings(world, supervisor.reports), ...faultOf(supervisor)];
  const problems = found.map(
    ({ waitingFor, ...finding }): Problem => ({
      ...finding,
      message: legible(finding.message, cluster),
      waiting_for: waitingFor,
    }),
  );
  const served = cluster.shards
    .filter((shard) => serves(world, shard))
    .reduce((sum, shard) => sum + slotCount(shard.slots), 0);
  const owned = cluster.shards.reduce((sum, shard) => sum + slotCount(shard.slots), 0);
  const whole = cluster.shards.length > 0 && served === owned;
  const waits = moveWaits(world);
  const state = !whole ? 'down' : problems.length > 0 || owned < SLOT_COUNT ? 'degraded' : 'ok';
  return {
    namespace: cluster.namespace,
    cluster: cluster.name,
    version: cluster.version,
    state,
    paused: intended.pause,
    slots_served: served,
    shards: cluster.shards.map((shard, index) => ({
      id: shard.id,
      index,
      slots: shard.slots.map(formatRange),
      nodes: shardNodes(world, supervisor, shard),
    })),
    leaving: cluster.leaving.map((node) =>
      nodeStatus(world, supervisor.watchOf(node.id), node, 'slave', 'leaving', false, null),
    ),
    problems,
    operations: intended.operations.flatMap((one) => (one.kind === 'plan' ? [] : [operationStatus(one, waits)])),
  };
}

/** Moves as the API shows them beside their shards. */
export function moveViews(operations: readonly Operation[]): readonly MoveView[] {
  return operations.flatMap((operation) =>
    operation.kind === 'move' && operation.phase !== 'failed'
      ? [
          {
            source: operation.source,
            target: operation.target,
            range: isActive(operation) ? operation.piece : operation.left,
            running: isActive(operation),
          },
        ]
      : [],
  );
}
