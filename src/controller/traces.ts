/** What this process knows of the operations of a cluster beyond their records; a successor begins without. */
import type { Trace, World } from '../decisions/world.ts';
import type { Intended, Operation, OperationId } from '../operations/intended.ts';
import type { Instant } from '../runtime/runtime.ts';

const beganAnew = (old: Operation | undefined, operation: Operation): boolean =>
  old === undefined ||
  old.phase !== operation.phase ||
  (old.kind === 'move' && operation.kind === 'move' && old.failures !== operation.failures);

export class Traces {
  readonly #traces = new Map<OperationId, Trace>();
  /** Phases that were committed before this process watched count from here. */
  readonly #watchingSince: Instant;

  constructor(watchingSince: Instant) {
    this.#watchingSince = watchingSince;
  }

  get(operation: OperationId): Trace | undefined {
    return this.#traces.get(operation);
  }

  learn(operation: OperationId, facts: Partial<Trace>): void {
    const known = this.#traces.get(operation) ?? { phaseAt: this.#watchingSince };
    this.#traces.set(operation, { ...known, ...facts });
  }

  /** Notes when the target of a hand-over is first seen to know of it. */
  followHandOver(world: World): void {
    for (const operation of world.intended.operations) {
      if (operation.kind !== 'move' || operation.phase !== 'handing-over') continue;
      const trace = this.#traces.get(operation.id) ?? { phaseAt: world.now };
      const knows = (world.view(operation.targetNode)?.holds?.version ?? -1) >= operation.version;
      if (trace.targetKnewAt === undefined && knows)
        this.#traces.set(operation.id, { ...trace, targetKnewAt: world.now });
      else if (!this.#traces.has(operation.id)) this.#traces.set(operation.id, trace);
    }
  }

  /** A phase that was just committed begins with nothing known. */
  committed(before: Intended, after: Intended, now: Instant): void {
    for (const operation of after.operations) {
      const old = before.operations.find((one) => one.id === operation.id);
      if (beganAnew(old, operation)) this.#traces.set(operation.id, { phaseAt: now });
    }
    for (const old of before.operations) {
      if (!after.operations.some((one) => one.id === old.id)) this.#traces.delete(old.id);
    }
  }
}
