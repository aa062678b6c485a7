/** Plans and moves as people see them: how much is done, how fast, how long it will take, and what is waited for. */
import { phaseAt } from '../decisions/hand-over.ts';
import { moveWaits } from '../decisions/move-queue.ts';
import type { World } from '../decisions/world.ts';
import { movesOf } from '../operations/intended.ts';
import { isActive, type Move, movedSlots, type Pace } from '../operations/move.ts';
import { movesOfPlan, type Plan, plansOf } from '../operations/plan.ts';
import type { Duration } from '../runtime/runtime.ts';
import { formatRange, slotCount } from '../topology/slots.ts';
import { legible } from './legible.ts';

export interface Progress {
  readonly slots: number;
  /** Slots that are their target's by the committed topology. */
  readonly moved: number;
  /** Keys in all of these slots, estimated when they were asked for; null: not known. */
  readonly keys: number | null;
  /** Of these the ones that have moved, by the share of the slots. */
  readonly keys_moved: number | null;
  /** Slots a second, as the last pieces were copied; null: none was yet. */
  readonly rate: number | null;
  /** Milliseconds until all is there at that rate; null: nobody can say. */
  readonly time_left: number | null;
}

export interface MoveProgress extends Progress {
  readonly id: string;
  readonly plan: string | null;
  readonly phase: Move['phase'];
  readonly range: string;
  /** What is on its way now; null: nothing. */
  readonly piece: string | null;
  /** Milliseconds that the piece is on its way. */
  readonly piece_for: number | null;
  readonly source: string;
  readonly target: string;
  readonly slot_only: boolean;
  readonly by: string;
  /** Milliseconds since 1970: when it was asked for, and when its first piece began. */
  readonly asked_at: number;
  readonly began_at: number | null;
  readonly priority: number;
  readonly paused: boolean;
  /** It ends with the piece that runs. */
  readonly ending: Move['ending'];
  readonly failures: number;
  /** Why it was given up, is tried again, or is held. */
  readonly message: string | null;
  readonly waiting_for: string | null;
}

export interface PlanProgress extends Progress {
  readonly id: string;
  readonly what: Plan['what'];
  readonly by: string;
  readonly started_at: number;
  readonly paused: boolean;
  readonly failed: number;
  readonly moves: readonly MoveProgress[];
}

const perSecond = ({ slots, ms }: Pace): number => (slots * 1_000) / ms;

const shareOf = (keys: number | null, moved: number, slots: number): number | null =>
  keys === null ? null : Math.round((keys * moved) / Math.max(1, slots));

const timeFor = (slots: number, rate: number | null): Duration | null =>
  slots === 0 ? 0 : rate === null || rate === 0 ? null : Math.round((slots * 1_000) / rate);

function moveProgress(world: World, move: Move, waitsFor: string | undefined): MoveProgress {
  const slots = slotCount([move.range]);
  const moved = movedSlots(move);
  const rate = move.pace === null ? null : perSecond(move.pace);
  const active = isActive(move) ? move : undefined;
  const since = active === undefined ? 0 : Math.max(0, Math.round(world.now - phaseAt(world, active)));
  // What is copied already of the piece that runs is not seen; the time that it took is.
  const ahead = active?.phase === 'migrating' ? Math.min(since, timeFor(slotCount([active.piece]), rate) ?? 0) : 0;
  const left = timeFor(slots - moved, rate);
  const words = (text: string | null) => (text === null ? null : legible(text, world.intended.cluster));
  const message = 'why' in move ? move.why : 'lastFailure' in move ? move.lastFailure : null;
  return {
    id: move.id,
    plan: move.plan,
    phase: move.phase,
    range: formatRange(move.range),
    piece: active === undefined ? null : formatRange(active.piece),
    piece_for: active === undefined ? null : since,
    source: move.source,
    target: move.target,
    slot_only: move.slotOnly,
    by: move.by,
    asked_at: move.startedAt,
    began_at: move.beganAt,
    priority: move.priority,
    paused: move.paused,
    ending: move.ending,
    failures: move.failures,
    message: words(message),
    waiting_for: words(waitsFor ?? null),
    slots,
    moved,
    keys: move.keys,
    keys_moved: shareOf(move.keys, moved, slots),
    rate,
    time_left: left === null ? null : left - ahead,
  };
}

/** A plan is over when the slowest of its sources is: each gives one piece at a time. */
function planProgress(plan: Plan, moves: readonly MoveProgress[]): PlanProgress {
  const bySource = new Map<string, number | null>();
  for (const { source, time_left: left } of moves) {
    const before = bySource.get(source) ?? 0;
    bySource.set(source, bySource.get(source) === null || left === null ? null : before + left);
  }
  const times = [...bySource.values()];
  const known = times.filter((time) => time !== null);
  const rates = moves.filter(({ piece, rate }) => piece !== null && rate !== null);
  return {
    id: plan.id,
    what: plan.what,
    by: plan.by,
    started_at: plan.startedAt,
    paused: plan.paused,
    failed: plan.failed,
    moves,
    slots: plan.slots,
    moved: plan.moved,
    keys: plan.keys,
    keys_moved: shareOf(plan.keys, plan.moved, plan.slots),
    rate: rates.length === 0 ? null : rates.reduce((sum, { rate }) => sum + (rate ?? 0), 0),
    time_left: known.length < times.length ? null : Math.max(0, ...known),
  };
}

/** Every plan with its moves; what is a part of none comes under `moves`. */
export function planViews(world: World): {
  readonly plans: readonly PlanProgress[];
  readonly moves: readonly MoveProgress[];
} {
  const { intended } = world;
  const waits = moveWaits(world);
  const view = (move: Move) => moveProgress(world, move, waits.get(move.id));
  return {
    plans: plansOf(intended).map((plan) => planProgress(plan, movesOfPlan(intended, plan.id).map(view))),
    moves: movesOf(intended)
      .filter(({ plan }) => plan === null)
      .map(view),
  };
}
