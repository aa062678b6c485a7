/** What a check finds and what a fix does, on the wire. */
import { type Static, Type } from 'typebox';
import type { CheckView, FixResult } from '../controller/check-views.ts';

const nullable = <T extends Parameters<typeof Type.Array>[0]>(schema: T) => Type.Union([schema, Type.Null()]);

const FindingShape = Type.Object(
  {
    key: Type.String({ description: 'names it, as `fix` takes it; the same as long as it lasts' }),
    code: Type.String({ description: 'a constant word; those of the status’s problems among them' }),
    severity: Type.Enum(['note', 'warning', 'error'], { type: 'string', description: 'a `note` asks for nothing' }),
    shard: nullable(Type.String()),
    node: nullable(Type.String()),
    slots: nullable(Type.Array(Type.String({ description: '"a-b" or "a"' }))),
    message: Type.String(),
    evidence: Type.Array(Type.String(), { description: 'what was seen, point by point' }),
    waiting_for: nullable(Type.String()),
    fix: Type.Union(
      [
        Type.Object({
          steps: Type.Array(Type.String()),
          costs: nullable(Type.String({ description: 'what is lost by it, so that it is only done with `force`' })),
        }),
        Type.Null(),
      ],
      { description: 'what `fix` would do about it; null: nothing that it could' },
    ),
    command: nullable(Type.String({ description: 'a command that mends it, or tells more' })),
  },
  { title: 'CheckFinding' },
);

const CheckShape = Type.Object(
  {
    namespace: Type.String(),
    cluster: Type.String(),
    version: Type.Integer(),
    state: Type.Enum(['ok', 'degraded', 'down'], { type: 'string' }),
    paused: Type.Union([Type.Object({ until: nullable(Type.Number()), by: Type.String() }), Type.Null()]),
    findings: Type.Array(FindingShape, { description: 'errors first' }),
    looked: Type.Object({
      nodes: Type.Integer({ description: 'nodes whose topology was read now' }),
      masters: Type.Integer({ description: 'masters whose keys were all looked through' }),
      keys: Type.Integer({ description: 'keys that were looked at' }),
    }),
  },
  { title: 'Check' },
);

const FixShape = Type.Object(
  {
    dry_run: Type.Boolean({ description: 'nothing was changed' }),
    finding: FindingShape,
    refused: nullable(Type.String({ description: 'with `dry_run`: why it would be refused if it were asked for' })),
    mended: nullable(Type.Boolean({ description: 'it was not found any more afterwards; null with `dry_run`' })),
    left: Type.Union([FindingShape, Type.Null()], { description: 'as it is found afterwards, where it still is' }),
  },
  { title: 'FixResult' },
);

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
type Fits<Value extends Shape, Shape> = Value;

export const CheckBody = Type.Unsafe<Fits<CheckView, Frozen<Static<typeof CheckShape>>>>(CheckShape);
export const FixResultBody = Type.Unsafe<Fits<FixResult, Frozen<Static<typeof FixShape>>>>(FixShape);
