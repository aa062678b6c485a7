/**
 * One run of slots on its way from one shard to another, piece by piece; stored before anything is sent.
 *
 *   queued ---> migrating ---> handing-over ---> queued with the rest, or done
 *     ^             |               ^
 *     |             +---> held -----+     its source died, and its target did not say what it had taken
 *     |             |       |
 *     +-- settling <+-------+             failed: a new version goes to the target first; then queued, failed or gone
 *
 * (slot_only goes from queued straight to handing-over, all slots at once.)
 *
 * What each phase means for the nodes, and where a controller may die:
 *
 *   queued         nothing was sent. `left` is what the target does not own yet.
 *   migrating      stored before MIGRATE is sent. Both masters are held: a SETNODES that still names the source as owner
 *                  after `success` makes it refuse writes for good and hides what the target has taken. A successor does
 *                  not know whether MIGRATE was sent, nor how it ended: it asks both servers (`decisions/move-outcome.ts`).
 *                  `noted` says what of the target's answer is of the past.
 *   handing-over   a committed topology in which the target owns the piece. Told to the target, then to the source once a
 *                  replica of the target holds what the target had at `success` (the source deletes its copy when told),
 *                  then to the rest. Without data the source first, so that a slot never has two masters.
 *   settling       after a `fail` the target may own the piece all the same, if the answer to its "import success" got
 *                  lost. A version above is told to the target, then to the source; only then is the piece tried again.
 *   held           the topology gives the piece to the target, and the target is told nothing before it has said what it
 *                  has: told too early it would serve a part of the data, or none. If it has not taken it, the piece goes
 *                  back to the source's new master through `settling`. If it was restarted, nobody knows: an operator.
 *   failed         given up, kept for people to see and to try again.
 *
 * Races: success may come between asking and telling (so the ends are held, not asked); the reply of MIGRATE may be lost
 * (so both servers are asked); between the servers the answer to "import success" may be lost (so the target is told
 * first after a fail); a source that restarts after success serves the piece again beside the target (so the target is
 * asked, too, and keeps it); a success of the past looks like one of now (so `noted`).
 */
import type { ServerProcess } from '../topology/cluster.ts';
import type { NodeId, Sequence, ShardId, Version } from '../topology/ids.ts';
import { type SlotRange, slotCount } from '../topology/slots.ts';
import type { OperationId } from './intended.ts';

/** What the target said before MIGRATE was sent. */
export interface Noted {
  /** Its last import was of exactly this piece, and a success: an answer like that is of the past. */
  readonly success: boolean;
  /** The process that said so; another one has forgotten all about its imports. */
  readonly process: ServerProcess | null;
}

/** How fast the last piece was copied. */
export interface Pace {
  readonly slots: number;
  /** Milliseconds, at least 1. */
  readonly ms: number;
}

interface MoveRecord {
  readonly kind: 'move';
  readonly id: OperationId;
  /** The plan that it is a part of; null: none. */
  readonly plan: OperationId | null;
  /** Everything that was asked for. */
  readonly range: SlotRange;
  readonly source: ShardId;
  readonly target: ShardId;
  /** Keys stay where they are. */
  readonly slotOnly: boolean;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The higher goes first; among equals the older. */
  readonly priority: number;
  /** No new piece is begun. */
  readonly paused: boolean;
  /** No piece is larger; null: only by what can be copied in time. */
  readonly slotsPerMove: number | null;
  /** Slots of the next piece at most; null: as the source's last one suggests. */
  readonly size: number | null;
  /** Of the last piece; null: none was copied yet, or nobody saw how long it took. */
  readonly pace: Pace | null;
  /** Keys in all of its slots when it was asked for, as its source estimated them; null: not known. */
  readonly keys: number | null;
  /** Milliseconds since 1970 at which its first piece began; null: none has. */
  readonly beganAt: number | null;
  /** Tries of the present piece that have failed. */
  readonly failures: number;
  /** Times that MIGRATE was to be sent: the number of the present intent, which no other one has. */
  readonly tries: number;
  /** What somebody wants of the piece that runs: to end, and then be given up or tried anew. Null: nothing. */
  readonly ending: 'cancel' | 'retry' | null;
  /**
   * A piece that its source had given away and has again: the server refuses writes to it, and MIGRATE of it, until another
   * node leads its shard. Null: none.
   */
  readonly returned: SlotRange | null;
}

interface Ends {
  readonly piece: SlotRange;
  /** The masters between which it began, whoever leads their shards now. */
  readonly sourceNode: NodeId;
  readonly targetNode: NodeId;
}

export type Queued = MoveRecord & {
  readonly phase: 'queued';
  /** What the target does not own yet. */
  readonly left: SlotRange;
  readonly lastFailure: string | null;
};

export type Migrating = MoveRecord &
  Ends & {
    readonly phase: 'migrating';
    /** The piece is at its beginning. */
    readonly left: SlotRange;
    /** Null: another controller began it. */
    readonly noted: Noted | null;
    /** It was begun under an earlier record: it is only asked about. */
    readonly resumed: boolean;
    /** Milliseconds since 1970. */
    readonly since: number;
    /** The version that was made to end the job: told to the target alone. Null: the job is waited for. */
    readonly endedAt: Version | null;
  };

export type Settling = MoveRecord &
  Ends & {
    readonly phase: 'settling';
    readonly left: SlotRange;
    readonly version: Version;
    readonly why: string;
    readonly after: 'retry' | 'fail' | 'drop';
    /** Its target has not said whether it had taken the piece over beside its source: that is found out, and told. */
    readonly unheard: boolean;
    readonly noted: Noted | null;
  };

export type Held = MoveRecord &
  Ends & {
    readonly phase: 'held';
    readonly left: SlotRange;
    readonly version: Version;
    readonly noted: Noted | null;
    readonly why: string;
  };

export type HandingOver = MoveRecord &
  Ends & {
    readonly phase: 'handing-over';
    /** Without the piece; null: that was the last one. */
    readonly left: SlotRange | null;
    readonly version: Version;
    /** What a replica of the target must reach before the source is told; null: not known, wait out the bound. */
    readonly goal: Sequence | null;
    /** The source has taken the piece back meanwhile, without a mark: it deletes nothing when told, and is told at once. */
    readonly recovered: boolean;
  };

export type FailedMove = MoveRecord & { readonly phase: 'failed'; readonly left: SlotRange; readonly why: string };

export type Move = Queued | Migrating | Settling | Held | HandingOver | FailedMove;
/** Nodes are busy with it. A shard has at most one of these. */
export type ActiveMove = Migrating | Settling | Held | HandingOver;

export const MOVE_BOUNDS = {
  /** Tries of a piece before its move is given up. */
  attempts: 3,
  /** Milliseconds from a failed try to the next one, for each that has failed. */
  retryAfter: 1_000,
  /** Milliseconds that the source waits, once the target knows, for a replica of the target to catch up. */
  replica: 1_000,
  /** Milliseconds after which the rest is told although an end of the move cannot be. */
  end: 3_000,
  /** Milliseconds that a source waits for its target to be told of a failed piece. */
  settle: 3_000,
  /** Failed moves kept for people to see and to try again. */
  failuresKept: 200,
  /** A piece is sized to be copied in so many milliseconds; the rest of five seconds is for what was misjudged. */
  copyIn: 4_000,
  /** Slots of the first piece from a source whose speed nobody knows. */
  firstPiece: 64,
  /** A piece has at most so many times the slots of the one before: three are enough for a shard. */
  growth: 32,
  /** One that is to be tried in smaller pieces gets pieces of a share of its slots. */
  shrink: 8,
  /** Milliseconds after which a piece that still runs is reported. */
  long: 10_000,
  /** It counts as stalled after so many times of what it should take, and not before so many milliseconds. */
  stalledTimes: 10,
  stalled: 60_000,
  /** Records that a replica of the target may lack when a piece begins: it must have all of it within `replica`. */
  near: 20_000,
} as const;

/** Without what belongs to its phase. */
export const recordOf = (move: Move): MoveRecord => ({
  kind: move.kind,
  id: move.id,
  plan: move.plan,
  range: move.range,
  source: move.source,
  target: move.target,
  slotOnly: move.slotOnly,
  by: move.by,
  startedAt: move.startedAt,
  priority: move.priority,
  paused: move.paused,
  slotsPerMove: move.slotsPerMove,
  size: move.size,
  pace: move.pace,
  keys: move.keys,
  beganAt: move.beganAt,
  failures: move.failures,
  tries: move.tries,
  ending: move.ending,
  returned: move.returned,
});

export const endsOf = ({ piece, sourceNode, targetNode }: ActiveMove): Ends => ({ piece, sourceNode, targetNode });

export const isActive = (move: Move): move is ActiveMove => move.phase !== 'queued' && move.phase !== 'failed';

export const unfinished = (move: Move): boolean => move.phase !== 'failed';

/** The shards that a move of this state binds: they cannot be deleted. */
export const binds = (move: Move, shard: ShardId): boolean => unfinished(move) && takesPart(move, shard);

export const takesPart = (move: Move, shard: ShardId): boolean => move.source === shard || move.target === shard;

/** Slots of it that its target owns by the committed topology because of it; of a held piece nobody knows yet. */
export const movedSlots = (move: Move): number =>
  slotCount([move.range]) - (move.left === null ? 0 : slotCount([move.left]));

/** What is on its way now, or would be next: what others must not touch. */
export const busyWith = (move: Move): SlotRange =>
  isActive(move) ? { from: move.piece.from, to: Math.max(move.piece.to, move.left?.to ?? 0) } : move.left;
