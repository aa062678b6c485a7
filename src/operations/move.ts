/**
 * One range of slots on its way from one shard to another, stored before anything is sent.
 *
 *   queued -> migrating -> handing-over -> done
 *      ^          |             (slot_only goes from queued straight to handing-over)
 *      '--retry---+-> failed
 *
 * While `migrating`, both masters hear nothing of new versions: a SETNODES that still names the source as owner after
 * `success` makes it refuse writes for good and hides what the target has taken. `handing-over` is a committed
 * topology in which the target owns the range, told in an order: with data the target first, then the source, as
 * soon as a replica of the target holds what the target had at `success` (the source deletes its copy when told),
 * then the rest. Without data the source first, so that a slot never has two masters.
 */
import type { NodeId, Sequence, ShardId, Version } from '../topology/ids.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { OperationId } from './intended.ts';

export type Move = {
  readonly kind: 'move';
  readonly id: OperationId;
  readonly range: SlotRange;
  readonly source: ShardId;
  readonly target: ShardId;
  /** Keys stay where they are. */
  readonly slotOnly: boolean;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** Tries that have failed. */
  readonly failures: number;
} & (
  | { readonly phase: 'queued'; readonly lastFailure: string | null }
  | { readonly phase: 'migrating'; readonly sourceNode: NodeId; readonly targetNode: NodeId }
  | {
      readonly phase: 'handing-over';
      readonly version: Version;
      readonly sourceNode: NodeId;
      readonly targetNode: NodeId;
      /** What a replica of the target must reach before the source is told; null: not known, wait out the bound. */
      readonly goal: Sequence | null;
    }
  | { readonly phase: 'failed'; readonly why: string }
);

export const MOVE_BOUNDS = {
  /** Tries before a move is given up. */
  attempts: 3,
  /** Milliseconds that the source waits, once the target knows, for a replica of the target to catch up. */
  replica: 1_000,
  /** Milliseconds after which the rest is told although an end of the move cannot be. */
  end: 3_000,
  /** Failed moves kept for people to see. */
  failuresKept: 20,
} as const;

export const unfinished = (move: Move): boolean => move.phase !== 'failed';

/** The shards that a move of this state binds: they can neither be deleted nor be switched over. */
export const binds = (move: Move, shard: ShardId): boolean =>
  unfinished(move) && (move.source === shard || move.target === shard);
