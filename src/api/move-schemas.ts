/** Plans and moves on the wire. */
import { type Static, Type } from 'typebox';
import type { MovePlane } from '../controller/move-plane.ts';
import type { RebalanceView } from '../controller/rebalancing.ts';

const nullable = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Union([schema, Type.Null()]);
const RANGE = { description: '"a-b" or "a"' };

const progress = {
  slots: Type.Integer({ description: 'slots that are to move' }),
  moved: Type.Integer({ description: 'slots that have come to their target, exactly' }),
  keys: nullable(
    Type.Integer({ description: 'keys in these slots, estimated when they were asked for; null: not known' }),
  ),
  keys_moved: nullable(Type.Integer({ description: 'of these keys the ones that have moved, by the share of slots' })),
  rate: nullable(Type.Number({ description: 'slots a second, as the last pieces were copied; null: none was yet' })),
  time_left: nullable(Type.Number({ description: 'milliseconds at that rate; null: nobody can say' })),
};

const MoveShape = Type.Object(
  {
    id: Type.String(),
    plan: nullable(Type.String()),
    phase: Type.Enum(['queued', 'migrating', 'settling', 'held', 'handing-over', 'failed'], { type: 'string' }),
    range: Type.String(RANGE),
    piece: nullable(Type.String({ description: 'what is on its way now' })),
    piece_for: nullable(Type.Number({ description: 'milliseconds that it is on its way' })),
    source: Type.String({ description: 'a shard’s id' }),
    target: Type.String({ description: 'a shard’s id' }),
    slot_only: Type.Boolean(),
    by: Type.String(),
    asked_at: Type.Number({ description: 'milliseconds since 1970' }),
    began_at: nullable(Type.Number()),
    priority: Type.Integer(),
    paused: Type.Boolean(),
    ending: Type.Union([Type.Literal('cancel'), Type.Literal('retry'), Type.Null()], {
      description: 'it ends with the piece that runs, to be given up or tried anew',
    }),
    failures: Type.Integer({ description: 'tries of the present piece that have failed' }),
    message: nullable(Type.String({ description: 'why it was given up, is tried again, or is held' })),
    waiting_for: nullable(Type.String()),
    ...progress,
  },
  { title: 'Move' },
);

const PlanShape = Type.Object(
  {
    id: Type.String(),
    what: Type.Enum(['migrate', 'rebalance', 'drain'], { type: 'string' }),
    by: Type.String(),
    started_at: Type.Number({ description: 'milliseconds since 1970' }),
    paused: Type.Boolean(),
    failed: Type.Integer({ description: 'moves of it that are given up, until they are tried again or cancelled' }),
    moves: Type.Array(MoveShape, { description: 'those that are not over' }),
    ...progress,
  },
  { title: 'Plan' },
);

const MovesShape = Type.Object(
  { plans: Type.Array(PlanShape), moves: Type.Array(MoveShape, { description: 'of no plan' }) },
  { title: 'PlansAndMoves' },
);

const RebalanceShape = Type.Object(
  {
    dry_run: Type.Boolean({ description: 'nothing was stored' }),
    plan: nullable(Type.String({ description: 'the plan that was stored; null: none, or nothing has to be copied' })),
    version: Type.Integer({ description: 'of the cluster that it was computed for, as `If-Match` takes it' }),
    slots: Type.Integer({ description: 'slots that move with their keys' }),
    moves: Type.Array(
      Type.Object({
        range: Type.String(RANGE),
        slots: Type.Integer(),
        keys: nullable(Type.Integer({ description: 'as its source estimates them; null: not known' })),
        source: Type.String(),
        target: Type.String(),
      }),
    ),
    fills: Type.Array(Type.Object({ range: Type.String(RANGE), slots: Type.Integer(), target: Type.String() }), {
      description: 'slots that nobody owned: given by the topology alone',
    }),
    shards: Type.Array(
      Type.Object({
        shard: Type.String(),
        weight: Type.Number(),
        before: Type.Integer({ description: 'slots that it owns now' }),
        after: Type.Integer({ description: 'slots that it owns in the end' }),
      }),
    ),
  },
  { title: 'RebalancePlan' },
);

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
type Fits<Value extends Shape, Shape> = Value;
export type Rebalanced = RebalanceView & { readonly plan: string | null; readonly dry_run: boolean };

export const MovesView =
  Type.Unsafe<Fits<ReturnType<MovePlane['moves']>, Frozen<Static<typeof MovesShape>>>>(MovesShape);
export const RebalanceAnswer = Type.Unsafe<Fits<Rebalanced, Frozen<Static<typeof RebalanceShape>>>>(RebalanceShape);
