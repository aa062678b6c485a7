/**
 * What the API may be asked: each member declared once, checked by these schemas and shown by them in the OpenAPI
 * document. `description` is the sentence that a refusal gives as what is allowed. Unknown members are ignored.
 */
import { type Static, Type } from 'typebox';
import { allowedFor, SETTINGS, type SettingName } from '../controller/settings-changes.ts';
import {
  ADDRESS_TEXT,
  FLAG_TEXT,
  NAME_TEXT,
  NO_FAILOVER_TEXT,
  NODE_ID_TEXT,
  NODES_TEXT,
  PASSWORD_TEXT,
  PRIORITY_TEXT,
  REPLICAS_TEXT,
  ROLE_TEXT,
  SHARD_TEXT,
  SLOT_TEXT,
  SLOTS_TEXT,
  WAIT_TEXT,
} from './schema-text.ts';

const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$', description: NAME_TEXT });
const AddressText = Type.String({ minLength: 3, maxLength: 300, description: ADDRESS_TEXT });
const Nodes = Type.Array(AddressText, { minItems: 1, maxItems: 1000, description: NODES_TEXT });
const Password = Type.String({
  pattern: '^(?!\\*{8}$)[^\\u0000-\\u001f\\u007f]{0,512}$',
  description: PASSWORD_TEXT,
});
const Flag = Type.Union([Type.Boolean(), Type.Literal('true'), Type.Literal('false')], { description: FLAG_TEXT });
const NodeId = Type.String({ pattern: '^[A-Za-z0-9]{40}$', description: NODE_ID_TEXT });
const Shard = Type.String({ pattern: '^([0-9]{1,40}|sh-[A-Za-z0-9]{12})$', description: SHARD_TEXT });
const ShardRef = Type.Union([Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Shard], {
  description: SHARD_TEXT,
});
const Slot = Type.Union(
  [
    Type.Integer({ minimum: 0, maximum: 16383 }),
    Type.String({ pattern: '^[0-9]{1,5}(-[0-9]{1,5})?$', description: SLOT_TEXT }),
  ],
  { description: SLOT_TEXT },
);
const SlotList = Type.Array(Slot, { minItems: 1, maxItems: 16384, description: SLOTS_TEXT });
const Slots = Type.Union([Slot, SlotList], { description: SLOTS_TEXT });
const Wait = Type.Union(
  [Type.Number({ minimum: 0, maximum: 600 }), Type.String({ pattern: '^[0-9]{1,3}(\\.[0-9]{1,3})?$' })],
  {
    description: WAIT_TEXT,
  },
);

/** Members that every write takes, in its query or its body. */
export const WriteMembers = {
  force: Type.Optional(Flag),
  wait: Type.Optional(Wait),
  dry_run: Type.Optional(Flag),
};
export const WriteQuery = Type.Object(WriteMembers);

const Reset = Type.Optional(Flag);
/** Deletions, besides: whether nodes are fenced, flushed and reset. */
export const DeleteQuery = Type.Object({ ...WriteMembers, reset: Reset });

const IfMatch = Type.Optional(
  Type.String({ description: 'the version that the cluster must be at, bare or quoted, or `*`; otherwise `changed`' }),
);
const Yes = Type.Optional(Type.String({ description: '`yes` skips that check of the nodes', examples: ['yes'] }));
export const WriteHeaders = Type.Object({ 'If-Match': IfMatch });
export const CheckHeaders = Type.Object({
  'X-Dont-Check-Cluster-Mode': Yes,
  'X-Dont-Check-Kvrocks-Version': Yes,
});
export const WriteCheckHeaders = Type.Object({ ...WriteHeaders.properties, ...CheckHeaders.properties });

const namespace = Type.String({ description: 'a namespace’s name' });
const cluster = Type.String({ description: 'a cluster’s name' });
export const NamespacePath = Type.Object({ namespace });
export const ClusterPath = Type.Object({ namespace, cluster });
export const NewClusterPath = Type.Object({ namespace, cluster: Name });
export const ShardPath = Type.Object({ namespace, cluster, shard: Shard });
export const NodePath = Type.Object({ namespace, cluster, shard: Shard, node: NodeId });
export const ClusterNodePath = Type.Object({ namespace, cluster, node: NodeId });

export const RevealQuery = Type.Object({
  reveal: Type.Optional(
    Type.Literal('password', { description: '`password`: passwords in clear, for callers on loopback only' }),
  ),
});

const Natural = Type.String({ pattern: '^[0-9]{1,16}$' });
export const EventsQuery = Type.Object({
  after: Type.Optional(Type.String({ ...Natural, description: 'the id of an event: only later ones are answered' })),
  limit: Type.Optional(
    Type.String({ pattern: '^([1-9][0-9]{0,2}|1000)$', description: 'how many at most, 1 to 1000; 100 by default' }),
  ),
});

const KeptLimit = Type.Optional(
  Type.String({ pattern: '^([1-9][0-9]?|1[0-9]{2}|200)$', description: 'how many at most, 1 to 200; 20 by default' }),
);
export const SalvagePath = Type.Object({
  namespace,
  cluster,
  salvage: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$',
    description: 'the id of a salvage, as the list has it',
  }),
});
export const SalvageQuery = Type.Object({
  after: Type.Optional(Type.String({ ...Natural, description: 'how many of its commands are passed over' })),
  limit: Type.Optional(
    Type.String({ pattern: '^([1-9][0-9]{0,2}|1000)$', description: 'how many at most, 1 to 1000; 100 by default' }),
  ),
});
export const WhyQuery = Type.Object({ limit: KeptLimit });
export const ClusterWhyQuery = Type.Object({ shard: Type.Optional(Shard), limit: KeptLimit });

export const NewNamespace = Type.Object(
  { namespace: Name, ...WriteMembers },
  { title: 'NewNamespace', examples: [{ namespace: 'test-ns' }] },
);

export const NewClusterBody = Type.Object(
  {
    name: Name,
    nodes: Nodes,
    replicas: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, description: REPLICAS_TEXT })),
    password: Type.Optional(Password),
    ...WriteMembers,
  },
  {
    title: 'NewCluster',
    examples: [{ name: 'test-cluster', nodes: ['127.0.0.1:6666'], replicas: 1, password: '' }],
  },
);

const nodesExample = { nodes: ['127.0.0.1:6666'], password: '' };
export const ImportBody = Type.Object(
  { nodes: Nodes, password: Type.Optional(Password), ...WriteMembers },
  { title: 'ClusterImport', examples: [nodesExample] },
);
export const NewShardBody = Type.Object(
  { nodes: Nodes, password: Type.Optional(Password), ...WriteMembers },
  { title: 'NewShard', examples: [nodesExample] },
);

export const NewNodeBody = Type.Object(
  {
    addr: AddressText,
    role: Type.Optional(
      Type.Union([Type.Literal('master'), Type.Literal('slave'), Type.Literal('')], { description: ROLE_TEXT }),
    ),
    password: Type.Optional(Password),
    ...WriteMembers,
  },
  { title: 'NewNode', examples: [{ addr: '127.0.0.1:6666', role: 'slave', password: '' }] },
);

export const ResetBody = Type.Object(
  { addr: AddressText, password: Type.Optional(Password), ...WriteMembers },
  { title: 'NodeReset', examples: [{ addr: '127.0.0.1:6666', password: '', force: false }] },
);

export const FailoverBody = Type.Object(
  {
    preferred_node_id: Type.Optional(
      Type.Union([NodeId, Type.Literal('')], {
        description: `${NODE_ID_TEXT}: a node of this shard that may be promoted; absent or "" leaves the choice open`,
      }),
    ),
    ...WriteMembers,
  },
  { title: 'Failover', examples: [{ preferred_node_id: 'O0JKq1Hp9FtI3dJTU3MigWjjZJzPtduoDODX0OAY' }] },
);

const SlotsPerMove = Type.Optional(
  Type.Union([Type.Integer({ minimum: 1, maximum: 16384 }), Type.Null()], {
    description: 'slots that are copied at a time at most, 1 to 16384; absent or null: as many as can be copied in 5 s',
  }),
);
const MovePriority = Type.Integer({
  minimum: -1000,
  maximum: 1000,
  description: 'a whole number from -1000 to 1000; among moves that could begin the higher goes first',
});
const HowToMove = { slots_per_move: SlotsPerMove, priority: Type.Optional(MovePriority) };

export const MigrateBody = Type.Object(
  {
    target: ShardRef,
    slot: Slots,
    slot_only: Type.Optional(Flag),
    slotOnly: Type.Optional(Flag),
    ...HowToMove,
    ...WriteMembers,
  },
  {
    title: 'Migration',
    examples: [
      { target: 1, slot: 123, slot_only: 'false' },
      { target: 'sh-4fY2kQ81aZx0', slot: ['0-100', 200] },
    ],
  },
);

/** Members beyond these are refused: a misspelt one would balance the cluster otherwise than meant. */
export const RebalanceBody = Type.Object(
  {
    weights: Type.Optional(
      Type.Record(Shard, Type.Number({ minimum: 0 }), {
        description:
          'by shard, its index or id: a number from 0 up; a shard that is not named has 1, and each is due its share of the sum',
      }),
    ),
    drain: Type.Optional(
      Type.Array(ShardRef, {
        maxItems: 1000,
        description:
          'shards that give away all their slots; without `weights` the others keep their proportions, and nothing else moves',
      }),
    ),
    ...HowToMove,
    ...WriteMembers,
  },
  { title: 'Rebalance', examples: [{}, { weights: { '0': 2 }, dry_run: true }, { drain: [3] }] },
);

const OperationId = Type.String({ pattern: '^(mv|pl)-[A-Za-z0-9]{12}$', description: 'the id of a move or of a plan' });
const WhichMoves = {
  plan: Type.Optional(OperationId),
  move: Type.Optional(OperationId),
};
/** Neither a plan nor a move: all of the cluster. */
export const MovesBody = Type.Object({ ...WhichMoves, ...WriteMembers }, { title: 'Moves', examples: [{}] });
export const MovesPriorityBody = Type.Object(
  { ...WhichMoves, priority: MovePriority, ...WriteMembers },
  { title: 'MovesPriority', examples: [{ move: 'mv-4fY2kQ81aZx0', priority: 10 }] },
);
export const SettleBody = Type.Object(
  {
    move: OperationId,
    owner: Type.Union([Type.Literal('source'), Type.Literal('target')], {
      description: 'source or target: whose copy of the piece holds; what the other one has of it is given up',
    }),
    ...WriteMembers,
  },
  { title: 'Settlement', examples: [{ move: 'mv-4fY2kQ81aZx0', owner: 'source' }] },
);

/** What releases before 1.0 of the Go controller took, and the Kubernetes operator still sends. */
export const OldMigrateBody = Type.Object(
  {
    source: Type.Optional(ShardRef),
    target: ShardRef,
    slot: Type.Optional(Slots),
    slots: Type.Optional(SlotList),
    ...WriteMembers,
  },
  {
    title: 'OldMigration',
    examples: [
      { source: 0, target: 1, slot: 123 },
      { source: 0, target: 1, slots: ['1', '3-4'] },
    ],
  },
);

export const PauseBody = Type.Object(
  {
    until: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'milliseconds since 1970, not in the past; neither `until` nor `for` means until resumed',
      }),
    ),
    for: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 315_360_000, description: 'seconds, above 0, at most ten years' }),
    ),
    ...WriteMembers,
  },
  { title: 'Pause', examples: [{ for: 600 }] },
);

const number = (name: Exclude<SettingName, 'diverged'>) =>
  Type.Optional(
    Type.Union([Type.Integer({ minimum: SETTINGS[name].least, maximum: SETTINGS[name].most }), Type.Null()], {
      description: allowedFor(name),
    }),
  );

/** What is absent stays as it is. Members beyond these are refused: a misspelt one would change nothing in silence. */
export const SettingsChangeBody = Type.Object(
  {
    tolerance_ms: number('tolerance_ms'),
    max_lag_ms: number('max_lag_ms'),
    no_witness_hold_ms: number('no_witness_hold_ms'),
    diverged: Type.Optional(
      Type.Union([...SETTINGS.diverged.words.map((word) => Type.Literal(word)), Type.Null()], {
        description: allowedFor('diverged'),
      }),
    ),
    concurrent_moves: number('concurrent_moves'),
    migrate_speed: number('migrate_speed'),
    migrate_rate_limit_mb: number('migrate_rate_limit_mb'),
    ...WriteMembers,
  },
  { title: 'SettingsChange', examples: [{ tolerance_ms: 5_000, max_lag_ms: null, diverged: 'fence' }] },
);

export const ReadmitBody = Type.Object(
  {
    empty: Type.Optional(
      Type.Union([...Flag.anyOf], {
        description:
          'true or false: whether it is a master that came back without its data, which is accepted as it is',
      }),
    ),
    ...WriteMembers,
  },
  { title: 'Readmission', examples: [{ force: false }, { empty: true }] },
);

export const NodeChangeBody = Type.Object(
  {
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000, description: PRIORITY_TEXT })),
    no_failover: Type.Optional(Type.Union([...Flag.anyOf], { description: NO_FAILOVER_TEXT })),
    addr: Type.Optional(AddressText),
    ...WriteMembers,
  },
  { title: 'NodeChange', examples: [{ priority: 50, no_failover: true }] },
);

const Scan = Type.Optional(
  Type.Number({
    minimum: 0,
    maximum: 3_600,
    description:
      'seconds from 0 to 3600 for looking through the keys of each master; 5 by default, 0: they are left alone',
  }),
);
export const CheckRequestBody = Type.Object({ scan: Scan }, { title: 'CheckOptions', examples: [{ scan: 5 }] });
export const FixBody = Type.Object(
  {
    finding: Type.String({
      pattern: '^[A-Z][A-Z0-9_]{0,63}(@[^\\u0000-\\u0020\\u007f]{1,300})?$',
      description: 'the key of a finding, as a check names it, such as `TOPOLOGY_NEWER@127.0.0.1:6666`',
    }),
    scan: Scan,
    force: WriteMembers.force,
    wait: WriteMembers.wait,
    dry_run: Type.Optional(
      Type.Union([...Flag.anyOf], { description: 'true or false, also as a string; true by default' }),
    ),
  },
  { title: 'Fix', examples: [{ finding: 'TOPOLOGY_NEWER@127.0.0.1:6666', dry_run: false }] },
);

/** Writes that take nothing but what every write takes. */
export const PlainBody = Type.Object(WriteMembers, { title: 'Options', examples: [{}] });

export type SlotsAsked = Static<typeof Slots>;
export type ShardAsked = Static<typeof ShardRef>;
export type FlagAsked = Static<typeof Flag>;
