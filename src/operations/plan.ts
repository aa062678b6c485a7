/**
 * Moves that were asked for together and are paused, resumed, cancelled and tried again together. A plan says what is
 * done by itself: `moved` counts every slot that one of its moves has brought to its target, also those of moves that are
 * gone. It ends with its last move; failed ones keep it.
 */
import type { Intended, Operation, OperationId } from './intended.ts';
import type { Move } from './move.ts';

export interface Plan {
  readonly kind: 'plan';
  readonly id: OperationId;
  readonly what: 'migrate' | 'rebalance' | 'drain';
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** All that it was to move. */
  readonly slots: number;
  /** Keys in all of that when it was asked for, as the sources estimated them; null: not known of all. */
  readonly keys: number | null;
  /** Slots that have come to their target, exactly. */
  readonly moved: number;
  /** No new piece of its moves is begun. */
  readonly paused: boolean;
  /** Moves that are given up, until they are tried again or cancelled. */
  readonly failed: number;
}

export const plansOf = (intended: Intended): readonly Plan[] =>
  intended.operations.filter((operation) => operation.kind === 'plan');

export const planOf = (intended: Intended, move: Move): Plan | undefined =>
  move.plan === null ? undefined : plansOf(intended).find(({ id }) => id === move.plan);

export const movesOfPlan = (intended: Intended, plan: OperationId): readonly Move[] =>
  intended.operations.filter((operation): operation is Move => operation.kind === 'move' && operation.plan === plan);

/** So many more slots of one of its moves have come to their target. */
export function withMoved(intended: Intended, plan: OperationId | null, slots: number): Intended {
  if (plan === null) return intended;
  return {
    ...intended,
    operations: intended.operations.map((one) =>
      one.kind === 'plan' && one.id === plan ? { ...one, moved: one.moved + slots } : one,
    ),
  };
}

/** Plans as their moves have it: the failed ones are counted, and a plan without moves is over. Those that ended. */
export function withPlansInOrder(intended: Intended): { readonly next: Intended; readonly ended: readonly Plan[] } {
  const ended: Plan[] = [];
  let changed = false;
  const operations = intended.operations.flatMap((one): Operation[] => {
    if (one.kind !== 'plan') return [one];
    const moves = movesOfPlan(intended, one.id);
    if (moves.length === 0) {
      ended.push(one);
      return [];
    }
    const failed = moves.filter(({ phase }) => phase === 'failed').length;
    if (failed === one.failed) return [one];
    changed = true;
    return [{ ...one, failed }];
  });
  return ended.length === 0 && !changed ? { next: intended, ended } : { next: { ...intended, operations }, ended };
}
