/**
 * What may be asked of a controller about plans and moves. Reads answer from memory; writes resolve once they are durable,
 * and throw a `Refusal` where they are not to be.
 */
import type { OperationId } from '../operations/intended.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { ClusterName, ShardRef, WriteOptions } from './control-plane.ts';
import type { MoveSelection } from './move-changes.ts';
import type { MoveOptions } from './move-planning.ts';
import type { MoveProgress, PlanProgress } from './move-views.ts';
import type { RebalanceView, WantedBalance } from './rebalancing.ts';

export type MovesCommand =
  | { readonly do: 'pause' | 'resume' | 'cancel' | 'retry'; readonly which: MoveSelection }
  | { readonly do: 'prefer'; readonly which: MoveSelection; readonly priority: number }
  /** Of a piece of which nobody knows whose it is. */
  | { readonly do: 'settle'; readonly move: OperationId; readonly owner: 'source' | 'target' };

export interface MovePlane {
  /** Throws `not_found`. */
  moves(name: ClusterName): { readonly plans: readonly PlanProgress[]; readonly moves: readonly MoveProgress[] };
  /** Records one move a range, in a plan of their own; resolves once they are stored. */
  migrate(
    name: ClusterName,
    target: ShardRef,
    ranges: readonly SlotRange[],
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<void>;
  /** What a rebalance would do now. Rejects as it would. */
  rebalancePlan(name: ClusterName, wanted: WantedBalance): Promise<RebalanceView>;
  /** Computed anew at the commit, from what is committed then; `plan`: its id, null where nothing had to be copied. */
  rebalance(
    name: ClusterName,
    wanted: WantedBalance,
    how: MoveOptions,
    options: WriteOptions,
  ): Promise<RebalanceView & { readonly plan: OperationId | null }>;
  changeMoves(name: ClusterName, command: MovesCommand, options: WriteOptions): Promise<void>;
}
