/**
 * What only this controller knows of a cluster, as it lies in the store beside the topology. Read strictly, unknown
 * members passed over: a state that makes no sense sets its cluster aside instead of deciding something by it.
 */
import type { Operation, Pause } from '../operations/intended.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Switchover } from '../operations/switchover.ts';
import { SPEED_NAMES, type Tuned } from '../operations/tuning.ts';
import type { Address } from '../topology/address.ts';
import {
  type Attach,
  type Copy,
  type LeavingNode,
  type LineageEntry,
  NEW_NODE,
  type Node,
  type Proof,
  type Shard,
} from '../topology/cluster.ts';
import { readMove, readPlan, readProcess } from './stored-moves.ts';
import { boolean, each, natural, nullable, object, oneOf, text, time, Unreadable } from './stored-values.ts';

/**
 * 2: settings, priorities, full copies, damping, lost data; what a record of format 1 lacks is as in a new cluster.
 * 3: moves in pieces, and plans.
 */
export const FORMAT = 3;

export interface NodeState {
  readonly membership: Node['membership'];
  readonly highest: number;
  readonly proof: Proof | null;
  readonly attaching: Attach | null;
  readonly priority: number;
  readonly noFailover: boolean;
  readonly cutOff: boolean;
  readonly copy: Copy | null;
}

export interface ShardState {
  readonly id: string;
  readonly lineage: readonly LineageEntry[];
  readonly floor: number;
  readonly eligible_from: number;
  readonly damping: Shard['damping'];
  readonly data_lost: number | null;
  readonly nodes: Readonly<Record<string, NodeState>>;
}

export interface StoredState {
  readonly format: number;
  readonly version: number;
  readonly password: string;
  readonly shards: readonly ShardState[];
  readonly leaving: readonly LeavingNode[];
  readonly operations: readonly Operation[];
  readonly pause: Pause | null;
  readonly settings: Partial<ClusterSettings>;
  /** Absent: none. */
  readonly tuned?: readonly Tuned[];
  readonly next_event: number;
  readonly ending: boolean;
}

const ATTACHES = ['empty', 'within', 'log', 'copied'] as const;
const PROOFS = ['master', 'empty', 'within', 'copied', 'log', 'trust'] as const;

function readProof(value: unknown, what: string): Proof {
  const proof = object(value, what);
  const process = proof['process'] === undefined ? {} : { process: readProcess(proof['process'], `${what}.process`) };
  return {
    entry: natural(proof['entry'], `${what}.entry`),
    how: oneOf(proof['how'], PROOFS, `${what}.how`),
    ...process,
  };
}

function readCopy(value: unknown, what: string): Copy {
  const copy = object(value, what);
  return {
    marker: text(copy['marker'], `${what}.marker`),
    partedAt: nullable(copy['partedAt'], `${what}.partedAt`, natural),
    under: natural(copy['under'], `${what}.under`),
    saved: nullable(copy['saved'], `${what}.saved`, natural),
    seal: text(copy['seal'], `${what}.seal`),
    force: boolean(copy['force'], `${what}.force`),
    by: text(copy['by'], `${what}.by`),
    failures: natural(copy['failures'], `${what}.failures`),
    process: nullable(copy['process'], `${what}.process`, readProcess),
  };
}

function readNode(value: unknown, what: string): NodeState {
  const node = object(value, what);
  return {
    membership: oneOf(node['membership'], ['member', 'away'], `${what}.membership`),
    highest: natural(node['highest'], `${what}.highest`),
    proof: nullable(node['proof'], `${what}.proof`, readProof),
    attaching: nullable(node['attaching'], `${what}.attaching`, (word, where) => oneOf(word, ATTACHES, where)),
    priority: natural(node['priority'] ?? NEW_NODE.priority, `${what}.priority`),
    noFailover: boolean(node['noFailover'] ?? false, `${what}.noFailover`),
    cutOff: boolean(node['cutOff'] ?? false, `${what}.cutOff`),
    copy: nullable(node['copy'] ?? null, `${what}.copy`, readCopy),
  };
}

function readEntry(value: unknown, what: string): LineageEntry {
  const entry = object(value, what);
  return {
    version: natural(entry['version'], `${what}.version`),
    master: text(entry['master'], `${what}.master`),
    sequence: natural(entry['sequence'], `${what}.sequence`),
    exact: boolean(entry['exact'], `${what}.exact`),
  };
}

function readDamping(value: unknown, what: string): NonNullable<Shard['damping']> {
  return { level: natural(object(value, what)['level'], `${what}.level`) };
}

function readSettings(value: unknown, what: string): Partial<ClusterSettings> {
  const stored = object(value, what);
  const numbers = (['tolerance', 'maxLag', 'noWitnessHold'] as const).flatMap((name) =>
    stored[name] === undefined ? [] : [[name, natural(stored[name], `${what}.${name}`)]],
  );
  const diverged =
    stored['diverged'] === undefined
      ? {}
      : { diverged: oneOf(stored['diverged'], ['resync', 'fence'], `${what}.diverged`) };
  const limits = (['concurrentMoves', 'migrateSpeed', 'migrateRateLimit'] as const).flatMap((name) =>
    stored[name] === undefined ? [] : [[name, nullable(stored[name], `${what}.${name}`, natural)]],
  );
  return { ...Object.fromEntries([...numbers, ...limits]), ...diverged };
}

function readTuned(value: unknown, what: string): Tuned {
  const tuned = object(value, what);
  return {
    node: text(tuned['node'], `${what}.node`),
    name: oneOf(tuned['name'], SPEED_NAMES, `${what}.name`),
    was: natural(tuned['was'], `${what}.was`),
    set: natural(tuned['set'], `${what}.set`),
    over: nullable(tuned['over'] ?? null, `${what}.over`, natural),
  };
}

function readShard(value: unknown, what: string): ShardState {
  const shard = object(value, what);
  const nodes = Object.entries(object(shard['nodes'], `${what}.nodes`));
  return {
    id: text(shard['id'], `${what}.id`),
    lineage: each(shard['lineage'], `${what}.lineage`, readEntry),
    floor: natural(shard['floor'], `${what}.floor`),
    eligible_from: natural(shard['eligible_from'], `${what}.eligible_from`),
    damping: nullable(shard['damping'] ?? null, `${what}.damping`, readDamping),
    data_lost: nullable(shard['data_lost'] ?? null, `${what}.data_lost`, natural),
    nodes: Object.fromEntries(nodes.map(([id, node]) => [id, readNode(node, `${what}.nodes.${id}`)])),
  };
}

function readAddress(value: unknown, what: string): Address {
  const address = object(value, what);
  return { host: text(address['host'], `${what}.host`), port: natural(address['port'], `${what}.port`) };
}

function readLeaving(value: unknown, what: string): LeavingNode {
  const node = object(value, what);
  return {
    id: text(node['id'], `${what}.id`),
    address: readAddress(node['address'], `${what}.address`),
    version: natural(node['version'], `${what}.version`),
    how: oneOf(node['how'], ['reset', 'release'], `${what}.how`),
  };
}

function readSwitchover(one: Record<string, unknown>, what: string): Switchover {
  const common = {
    kind: 'switchover',
    id: text(one['id'], `${what}.id`),
    shard: text(one['shard'], `${what}.shard`),
    from: text(one['from'], `${what}.from`),
    to: text(one['to'], `${what}.to`),
    by: text(one['by'], `${what}.by`),
    startedAt: time(one['startedAt'], `${what}.startedAt`),
    version: natural(one['version'], `${what}.version`),
  } as const;
  const phase = oneOf(one['phase'], ['draining', 'swapping', 'restoring'], `${what}.phase`);
  switch (phase) {
    case 'draining':
      return { ...common, phase };
    case 'swapping':
      return { ...common, phase, final: natural(one['final'], `${what}.final`) };
    case 'restoring':
      return { ...common, phase, because: text(one['because'], `${what}.because`) };
  }
}

function readOperation(value: unknown, what: string): Operation {
  const one = object(value, what);
  switch (oneOf(one['kind'], ['switchover', 'move', 'plan'], `${what}.kind`)) {
    case 'switchover':
      return readSwitchover(one, what);
    case 'move':
      return readMove(one, what);
    case 'plan':
      return readPlan(one, what);
  }
}

function readPause(value: unknown, what: string): Pause {
  const pause = object(value, what);
  return { until: nullable(pause['until'], `${what}.until`, time), by: text(pause['by'], `${what}.by`) };
}

/** `state` was parsed; whether it belongs to the topology beside it is for the reader of both to say. */
export function readState(state: Record<string, unknown>): StoredState {
  const format = natural(state['format'], 'the format of its state');
  if (format > FORMAT)
    throw new Unreadable(`its state has format ${format}; this release knows formats up to ${FORMAT}`);
  return {
    format,
    version: natural(state['version'], 'the version of its state'),
    password: text(state['password'], 'the password of its state'),
    shards: each(state['shards'], 'state.shards', readShard),
    leaving: each(state['leaving'], 'state.leaving', readLeaving),
    operations: each(state['operations'], 'state.operations', readOperation),
    pause: nullable(state['pause'], 'state.pause', readPause),
    settings: readSettings(state['settings'] ?? {}, 'state.settings'),
    tuned: each(state['tuned'] ?? [], 'state.tuned', readTuned),
    next_event: natural(state['next_event'], 'state.next_event'),
    ending: boolean(state['ending'], 'state.ending'),
  };
}
