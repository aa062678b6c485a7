/**
 * What the API answers with: each shape declared once, for types and for the OpenAPI document. Schemas with a
 * `title` become components there.
 */
import { type Static, type TSchema, Type } from 'typebox';
import type { ClusterEvent } from '../controller/events.ts';
import type { Evidence } from '../controller/evidence-record.ts';
import { type RefusalCode, refusals } from '../controller/refusal.ts';
import type { ClusterStatus } from '../controller/status.ts';

const codes = Object.entries(refusals);

const isCode = (text: string): text is RefusalCode => text in refusals;
export const refusalCodes: readonly RefusalCode[] = Object.keys(refusals).filter(isCode);

export const Refused = Type.Object(
  {
    error: Type.Object({
      message: Type.String({ description: 'For people. The sentences for entries that exist or do not never change.' }),
      code: Type.Enum([...refusalCodes], {
        type: 'string',
        description: codes.map(([code, { status, meaning }]) => `\`${code}\` (${status}): ${meaning}`).join('\n\n'),
      }),
      detail: Type.Optional(
        Type.Unknown({ description: 'Which entry, which node, or the reasons one by one, as far as there is more.' }),
      ),
    }),
  },
  { title: 'Refused', description: 'Every answer of 4xx and 5xx.' },
);
export type Refused = Static<typeof Refused>;

/** A successful answer around its data, with the examples that the document gives for it. */
export function data<T extends TSchema>(schema: T, description: string, ...examples: readonly unknown[]) {
  return Type.Object({ data: schema }, { description, ...(examples.length > 0 && { examples }) });
}

const EXAMPLE_MESSAGE: Partial<Record<RefusalCode, string>> = {
  already_exists: 'the entry already existed',
  not_found: 'the entry does not exist',
};

/** Refusals that any route may give. */
const ANYWHERE: readonly RefusalCode[] = ['invalid', 'forbidden', 'not_leader', 'unavailable', 'internal'];
/** Refusals of anything that changes a cluster. */
export const ON_CHANGE: readonly RefusalCode[] = ['changed', 'operation_running', 'outcome_unknown'];

/**
 * The refusals of one route, by status, beside those that every route may give. Typed as nothing: handlers throw
 * them, and never return them.
 */
export function refused(...own: readonly RefusalCode[]): Record<never, TSchema> {
  const byStatus: Record<number, TSchema> = {};
  const all = new Set<RefusalCode>([...own, ...ANYWHERE]);
  for (const status of new Set([...all].map((code) => refusals[code].status))) {
    const here = [...all].filter((code) => refusals[code].status === status);
    byStatus[status] = {
      ...Refused,
      'x-response-description': here.map((code) => `\`${code}\`: ${refusals[code].meaning}`).join('; '),
      examples: here.map((code) => ({
        error: { message: EXAMPLE_MESSAGE[code] ?? 'DETAIL ERROR STRING', code },
      })),
    };
  }
  return byStatus;
}

export const Created = Type.Literal('created', { title: 'Created' });
export const Ok = Type.Literal('ok', { title: 'Ok' });

const Masked = { description: '"" when there is none, "********" when there is one' };
const Moving = Type.Union([Type.Integer(), Type.String()], {
  description: '-1 when idle, the slot while one moves, "a-b" while a range moves',
});

export const NodeBody = Type.Object(
  {
    id: Type.String({ description: '40 letters and digits' }),
    addr: Type.String({ description: '`host:port`, IPv6 as `[::1]:6666`' }),
    role: Type.Union([Type.Literal('master'), Type.Literal('slave')]),
    password: Type.String(Masked),
    master_auth: Type.String({ description: `what this node sends its master: ${Masked.description}` }),
    created_at: Type.Integer({ description: 'Unix seconds' }),
    state: Type.Optional(
      Type.Literal('away', {
        description: 'listed, but outside the topology until it may come back; absent otherwise',
      }),
    ),
    priority: Type.Optional(Type.Integer({ description: 'among equally advanced replicas; absent: 100' })),
    no_failover: Type.Optional(
      Type.Literal(true, { description: 'never promoted unless an operator names it; absent otherwise' }),
    ),
  },
  { title: 'Node' },
);
export type NodeBody = Static<typeof NodeBody>;

export const ShardBody = Type.Object(
  {
    id: Type.String({ description: '`sh-` and 12 letters or digits: stays when the index moves' }),
    nodes: Type.Array(NodeBody),
    slot_ranges: Type.Union([Type.Array(Type.String({ description: '"a-b" or "a"' })), Type.Null()], {
      description: 'null when it owns none',
    }),
    target_shard_index: Type.Integer({ description: '-1, or the index of the shard that it moves slots to' }),
    migrating_slot: Moving,
    import_slot: Moving,
  },
  { title: 'Shard' },
);
export type ShardBody = Static<typeof ShardBody>;

export const ClusterBody = Type.Object(
  {
    name: Type.String(),
    version: Type.Integer({ description: 'rises with each change of the topology, and may jump' }),
    shards: Type.Array(ShardBody),
  },
  { title: 'Cluster' },
);
export type ClusterBody = Static<typeof ClusterBody>;

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const words = <const T extends readonly string[]>(...list: T) => Type.Enum([...list], { type: 'string' });
const Role = words('master', 'slave');

const State = words(
  ...(['unknown', 'up', 'loading', 'denied', 'masterdown', 'wrong-id', 'busy', 'refused', 'silent'] as const),
  'garbled',
);

const NodeStatusBody = Type.Object(
  {
    id: Type.String(),
    addr: Type.String(),
    role: Role,
    state: State,
    membership: words('member', 'away', 'leaving'),
    since: Type.Number({ description: 'milliseconds since 1970 at which it entered `state`' }),
    reason: nullable(Type.String()),
    says: nullable(Role),
    version: nullable(Type.Integer({ description: 'of the topology that it carries' })),
    sequence: nullable(Type.Integer()),
    link: nullable(words('up', 'down', 'sync')),
    lag: nullable(Type.Integer({ description: 'sequence numbers behind its master' })),
    latency: nullable(Type.Number({ description: 'milliseconds of the last probe' })),
    answered_ago: nullable(Type.Number({ description: 'milliseconds since its last answer' })),
    in_sync: Type.Boolean({ description: 'it carries the committed topology, as it was read back' }),
    server_version: nullable(Type.String()),
    process_id: nullable(Type.Integer({ description: 'of the process that answers now; null while that is not read' })),
    started_at: nullable(
      Type.Number({ description: 'milliseconds since 1970, to about a second: when that process began' }),
    ),
    priority: Type.Integer({ description: 'among equally advanced replicas; 100 by default' }),
    no_failover: Type.Boolean({ description: 'never promoted unless an operator names it' }),
  },
  { title: 'NodeStatus' },
);

const ProblemBody = Type.Object(
  {
    code: Type.String({ description: 'a constant word such as `MASTER_DOWN`' }),
    severity: words('warning', 'error'),
    shard: nullable(Type.String()),
    node: nullable(Type.String()),
    message: Type.String(),
    waiting_for: nullable(Type.String()),
    command: nullable(Type.String({ description: 'the command that mends it' })),
  },
  { title: 'Problem' },
);

const OperationBody = Type.Object(
  {
    id: Type.String(),
    kind: words('switchover', 'move', 'removal'),
    phase: Type.String(),
    by: Type.String(),
    started_at: Type.Number({ description: 'milliseconds since 1970' }),
    shard: nullable(Type.String()),
    target_shard: nullable(Type.String()),
    slots: nullable(Type.String()),
    node: nullable(Type.String()),
    message: nullable(Type.String()),
  },
  { title: 'Operation' },
);

const StatusShape = Type.Object(
  {
    namespace: Type.String(),
    cluster: Type.String(),
    version: Type.Integer(),
    state: words('ok', 'degraded', 'down'),
    paused: nullable(
      Type.Object({
        until: nullable(Type.Number({ description: 'milliseconds since 1970; null: until resumed' })),
        by: Type.String(),
      }),
    ),
    slots_served: Type.Integer(),
    shards: Type.Array(
      Type.Object({
        id: Type.String(),
        index: Type.Integer(),
        slots: Type.Array(Type.String()),
        nodes: Type.Array(NodeStatusBody),
      }),
    ),
    leaving: Type.Array(NodeStatusBody),
    problems: Type.Array(ProblemBody),
    operations: Type.Array(OperationBody),
  },
  { title: 'ClusterStatus' },
);

const value = Type.Union([Type.Integer(), Type.String(), Type.Null()]);
const SettingShape = Type.Object(
  {
    value,
    default: value,
    set: Type.Boolean({ description: 'it was set for this cluster; `value` is the server’s default otherwise' }),
    unit: nullable(words('ms', 'moves', 'commands/s', 'MB/s')),
    about: Type.String({ description: 'what it does' }),
  },
  { title: 'Setting' },
);

export const SettingsBody = Type.Object(
  {
    tolerance_ms: SettingShape,
    max_lag_ms: SettingShape,
    no_witness_hold_ms: SettingShape,
    diverged: SettingShape,
    concurrent_moves: SettingShape,
    migrate_speed: SettingShape,
    migrate_rate_limit_mb: SettingShape,
  },
  { title: 'Settings' },
);

const EventShape = Type.Object(
  {
    id: Type.Integer({ description: 'rises by one within a cluster' }),
    at: Type.Number({ description: 'milliseconds since 1970' }),
    kind: Type.String({ description: 'a constant word such as `failover`' }),
    message: Type.String(),
    by: Type.String(),
    version: Type.Integer(),
    shard: Type.Optional(Type.String()),
    node: Type.Optional(Type.String()),
    evidence: Type.Optional(Type.Unknown()),
  },
  { title: 'Event' },
);

const EvidenceNodeBody = Type.Object({
  id: Type.String(),
  addr: Type.String(),
  role: Role,
  membership: words('member', 'away'),
  state: State,
  reason: nullable(Type.String()),
  says: nullable(Role),
  sequence: nullable(Type.Integer()),
  link: nullable(words('up', 'down', 'sync')),
  silence: nullable(Type.Number({ description: 'seconds since it heard its master' })),
  answered_ago: nullable(Type.Number({ description: 'milliseconds since its last answer' })),
  witness: nullable(words('for', 'against', 'silent', 'none')),
  refusals: nullable(
    Type.Array(Type.String(), {
      description: 'why it may not be promoted, or may not follow; empty: it may; null: nobody asked',
    }),
  ),
  passed_over: nullable(Type.String({ description: 'it may be promoted, and why another one was' })),
});

const EvidenceShape = Type.Object(
  {
    id: Type.Integer(),
    at: Type.Number({ description: 'milliseconds since 1970: when it was first so' }),
    last_at: Type.Number({ description: 'milliseconds since 1970: when it was last so' }),
    count: Type.Integer({ description: 'how often it came to this within a short while' }),
    version: Type.Integer(),
    shard: Type.String(),
    kind: Type.String({
      description:
        'the kind of the event where something was done, such as `failover`; otherwise `waits`, `holds`, `answers`, `fences` or `refuses`',
    }),
    acted: Type.Boolean({ description: 'something was committed' }),
    outcome: Type.String({ description: 'one sentence' }),
    waiting_for: nullable(Type.String()),
    by: Type.String(),
    verdict: nullable(
      Type.Object({
        kind: words('alive', 'suspect', 'dead'),
        how: nullable(Type.String()),
        because: nullable(Type.String()),
      }),
    ),
    break_age: nullable(Type.Number({ description: 'milliseconds since the break' })),
    floor: Type.Integer({ description: 'the highest sequence that the master was known to have reached' }),
    eligible_from: Type.Integer({ description: 'what a candidate must have reached' }),
    settings: Type.Object({
      tolerance_ms: Type.Integer(),
      max_lag_ms: Type.Integer(),
      no_witness_hold_ms: Type.Integer(),
      diverged: Type.String(),
      paused: Type.Boolean(),
    }),
    nodes: Type.Array(EvidenceNodeBody),
    nodes_omitted: Type.Integer({ description: 'nodes that found no room in the record' }),
  },
  { title: 'Evidence' },
);

export const MayLoseBody = Type.Object(
  {
    records: Type.Integer({
      description: 'sequence numbers that were seen of the old master and that the new one lacks',
    }),
    unseen_ms: nullable(
      Type.Number({ description: 'milliseconds since its last answer: what it wrote in them nobody knows' }),
    ),
  },
  { title: 'MayLose' },
);

const JudgedBody = Type.Object({
  node: Type.String(),
  sequence: nullable(Type.Integer()),
  refusals: Type.Array(Type.String(), { description: 'empty when it may be promoted' }),
  passed_over: nullable(Type.String({ description: 'it may be promoted, and why another one would be' })),
});

export const PlanBody = Type.Object(
  {
    shard: Type.String(),
    master: Type.String(),
    how: words('switchover', 'promotion'),
    candidate: nullable(Type.String({ description: 'the node that would be promoted' })),
    refused: nullable(Type.String({ description: 'why none would be' })),
    needs_force: Type.Boolean({ description: 'none would be, and with `force` one would' }),
    with_force: nullable(Type.String({ description: 'the node that would be promoted with `force`' })),
    may_lose: nullable(MayLoseBody),
    judged: Type.Array(JudgedBody),
  },
  { title: 'FailoverPlan' },
);

/** What the controller's own values look like on the wire; they are handed on as they are. */
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
type Fits<Value extends Shape, Shape> = Value;

export const StatusBody = Type.Unsafe<Fits<ClusterStatus, Frozen<Static<typeof StatusShape>>>>(StatusShape);
export const EvidenceBody = Type.Unsafe<Fits<Evidence, Frozen<Static<typeof EvidenceShape>>>>(EvidenceShape);
export const EventBody = Type.Unsafe<Fits<ClusterEvent, Frozen<Static<typeof EventShape>>>>(EventShape);
