/** Saved writes on the wire. */
import { type Static, Type } from 'typebox';
import type { Replay, SalvageContents, SalvageView } from '../controller/salvages.ts';

const SalvageShape = Type.Object(
  {
    id: Type.String({ description: 'the name of the file in the server’s salvage folder' }),
    bytes: Type.Integer(),
    shard: Type.String(),
    node: Type.String({ description: 'the node that alone held it' }),
    saved_at: Type.Integer({ description: 'milliseconds since 1970' }),
    parted_at: Type.Union([Type.Integer(), Type.Null()], {
      description: 'the first sequence that was not its shard’s; null where nobody could tell',
    }),
    first: Type.Integer({ description: 'the first sequence that is in it' }),
    last: Type.Integer(),
    records: Type.Integer({ description: 'sequence numbers that only this node had' }),
    commands: Type.Integer({ description: 'commands that they are told as' }),
    all: Type.Boolean({ description: 'false where some of what it alone may have held was in no log any more' }),
  },
  { title: 'Salvage' },
);

const ContentsShape = Type.Object(
  {
    salvage: SalvageShape,
    commands: Type.Array(
      Type.Object({
        sequence: Type.Integer(),
        namespace: Type.String(),
        args: Type.Array(Type.String({ description: 'any bytes, a character a byte (latin1)' })),
      }),
    ),
    next: Type.Union([Type.Integer(), Type.Null()], { description: '`after` of what follows; null: nothing does' }),
  },
  { title: 'SalvageContents' },
);

const ReplayShape = Type.Object(
  {
    dry_run: Type.Boolean(),
    replayed: Type.Integer({ description: 'keys; with `dry_run` those that would be' }),
    skipped: Type.Integer(),
    failed: Type.Integer(),
    keys: Type.Array(
      Type.Object({
        namespace: Type.String(),
        key: Type.String({ description: 'any bytes, a character a byte (latin1)' }),
        commands: Type.Integer(),
        outcome: Type.Enum(['replayed', 'would-be', 'skipped', 'failed'], { type: 'string' }),
        why: Type.Union([Type.String(), Type.Null()]),
      }),
    ),
  },
  { title: 'Replay' },
);

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
type Fits<Value extends Shape, Shape> = Value;

export const SalvageBody = Type.Unsafe<Fits<SalvageView, Frozen<Static<typeof SalvageShape>>>>(SalvageShape);
export const ContentsBody = Type.Unsafe<Fits<SalvageContents, Frozen<Static<typeof ContentsShape>>>>(ContentsShape);
export const ReplayBody = Type.Unsafe<Fits<Replay, Frozen<Static<typeof ReplayShape>>>>(ReplayShape);
