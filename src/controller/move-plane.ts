/**
 * What may be asked of a controller about plans and moves, beyond what `ControlPlane` has. Reads answer from memory; writes
 * resolve once they are durable, and throw a `Refusal` where they are not to be.
 */
import type { OperationId } from '../operations/intended.ts';
import type { ClusterName, WriteOptions } from './control-plane.ts';
import type { MoveSelection } from './move-changes.ts';
import type { MoveOptions, WantedPlan } from './move-planning.ts';
import type { MoveProgress, PlanProgress } from './move-views.ts';

export type MovesCommand =
  | { readonly do: 'pause' | 'resume' | 'cancel' | 'retry'; readonly which: MoveSelection }
  | { readonly do: 'prefer'; readonly which: MoveSelection; readonly priority: number }
  /** Of a piece of which nobody knows whose it is. */
  | { readonly do: 'settle'; readonly move: OperationId; readonly owner: 'source' | 'target' };

export interface MovePlane {
  /** Throws `not_found`. */
  moves(name: ClusterName): { readonly plans: readonly PlanProgress[]; readonly moves: readonly MoveProgress[] };
  /** The plan's id; null where it was done by the topology alone. */
  startPlan(name: ClusterName, plan: WantedPlan, how: MoveOptions, options: WriteOptions): Promise<OperationId | null>;
  changeMoves(name: ClusterName, command: MovesCommand, options: WriteOptions): Promise<void>;
}
