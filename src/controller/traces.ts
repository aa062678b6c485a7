/** What this process knows beyond the records: of operations, and of failovers. A successor begins without. */
import { endsNow } from '../decisions/hand-over.ts';
import { carries } from '../decisions/seen.ts';
import type { LateCommit, Proposal, Trace, World } from '../decisions/world.ts';
import { activeMoves, type Intended, type Operation, type OperationId } from '../operations/intended.ts';
import type { Duration, Instant } from '../runtime/runtime.ts';
import { nodeOf, shardOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';

/** A promotion that is sent by then, from the break, takes writes before its master could have come back unnoticed. */
const TOLD_BY: Duration = 950;

function beganAnew(old: Operation | undefined, operation: Operation): boolean {
  if (old === undefined || old.kind !== operation.kind || operation.kind === 'plan' || old.kind === 'plan') return true;
  return (
    old.phase !== operation.phase ||
    (old.kind === 'move' && operation.kind === 'move' && old.failures !== operation.failures)
  );
}

export class Traces {
  readonly #traces = new Map<OperationId, Trace>();
  readonly #damped = new Map<ShardId, Instant>();
  readonly #late = new Map<ShardId, LateCommit>();
  readonly #again = new Map<NodeId, Instant>();
  /** Phases that were committed before this process watched count from here. */
  readonly #watchingSince: Instant;

  constructor(watchingSince: Instant) {
    this.#watchingSince = watchingSince;
  }

  /** When the newest failover of a shard was committed here. */
  dampedSince(shard: ShardId): Instant {
    return this.#damped.get(shard) ?? this.#watchingSince;
  }

  /** A failover of this shard whose commit came late, while nobody was told. */
  lateCommit(shard: ShardId): LateCommit | undefined {
    return this.#late.get(shard);
  }

  toldAgainAt(node: NodeId): Instant {
    return this.#again.get(node) ?? Number.NEGATIVE_INFINITY;
  }

  /** Shards whose newest promotion no node was told of. */
  untold(): ReadonlySet<ShardId> {
    return new Set(this.#late.keys());
  }

  /** A node is being told something: what is committed is out. */
  told(): void {
    this.#late.clear();
  }

  get(operation: OperationId): Trace | undefined {
    return this.#traces.get(operation);
  }

  learn(operation: OperationId, facts: Partial<Trace>): void {
    const known = this.#traces.get(operation) ?? { phaseAt: this.#watchingSince, found: true };
    this.#traces.set(operation, { ...known, ...facts });
  }

  /** Notes when the ends of a hand-over, or of a failed piece, are first seen to know of it. */
  followHandOver(world: World): void {
    for (const move of activeMoves(world.intended)) {
      if (move.phase !== 'handing-over' && move.phase !== 'settling') continue;
      const trace: Trace = this.#traces.get(move.id) ?? { phaseAt: world.now, found: true };
      const { source, target } = endsNow(world.intended, move);
      const knew = (at: Instant | undefined, node: NodeId) =>
        at ?? (carries(world, { id: node }) ? world.now : undefined);
      const targetKnewAt = knew(trace.targetKnewAt, target);
      const sourceKnewAt = knew(trace.sourceKnewAt, source);
      if (this.#traces.has(move.id) && targetKnewAt === trace.targetKnewAt && sourceKnewAt === trace.sourceKnewAt)
        continue;
      this.#traces.set(move.id, {
        ...trace,
        ...(targetKnewAt === undefined ? {} : { targetKnewAt }),
        ...(sourceKnewAt === undefined ? {} : { sourceKnewAt }),
      });
    }
  }

  /** What was proposed is committed since `now`. A phase begins with nothing known. */
  committed(
    before: Intended,
    after: Intended,
    { crashes, again }: Pick<Proposal, 'crashes' | 'again'>,
    now: Instant,
  ): void {
    // Another master of the shard, or the one before again: what was late is settled.
    for (const { id, lineage } of before.cluster.shards)
      if (shardOf(after.cluster, id)?.lineage.length !== lineage.length) this.#late.delete(id);
    for (const { shard, brokeAt } of crashes ?? []) {
      const old = shardOf(before.cluster, shard);
      if (old !== undefined && now > brokeAt + TOLD_BY) this.#late.set(shard, { acceptedAt: now, before: old });
    }
    for (const operation of after.operations) {
      const old = before.operations.find((one) => one.id === operation.id);
      if (beganAnew(old, operation)) this.#traces.set(operation.id, { phaseAt: now });
    }
    for (const node of again ?? []) this.#again.set(node, now);
    for (const node of this.#again.keys()) if (nodeOf(after.cluster, node) === undefined) this.#again.delete(node);
    for (const { id, damping } of after.cluster.shards) {
      if (damping === null) this.#damped.delete(id);
      // A failover sets another value also where the level stays.
      else if (shardOf(before.cluster, id)?.damping !== damping) this.#damped.set(id, now);
    }
    for (const old of before.operations) {
      if (!after.operations.some((one) => one.id === old.id)) this.#traces.delete(old.id);
    }
  }
}
