/**
 * What only this controller knows of a cluster, as it lies in the store beside the topology. Read strictly, unknown
 * members passed over: a state that makes no sense sets its cluster aside instead of deciding something by it.
 */
import type { Operation, Pause } from '../operations/intended.ts';
import type { Move } from '../operations/move.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Switchover } from '../operations/switchover.ts';
import type { Address } from '../topology/address.ts';
import {
  type Attach,
  type Copy,
  type LeavingNode,
  type LineageEntry,
  NEW_NODE,
  type Node,
  type Proof,
  type ServerProcess,
  type Shard,
} from '../topology/cluster.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/slots.ts';
import { boolean, each, natural, nullable, object, oneOf, text, time, Unreadable } from './stored-values.ts';

/** 2: settings, priorities, full copies, damping, lost data; what a record of format 1 lacks is as in a new cluster. */
export const FORMAT = 2;

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

function readProcess(value: unknown, what: string): ServerProcess {
  const process = object(value, what);
  return { id: natural(process['id'], `${what}.id`), startedAt: time(process['startedAt'], `${what}.startedAt`) };
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
  return { ...Object.fromEntries(numbers), ...diverged };
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

function readRange(value: unknown, what: string): SlotRange {
  const range = object(value, what);
  const from = natural(range['from'], `${what}.from`);
  const to = natural(range['to'], `${what}.to`);
  if (from > to || to >= SLOT_COUNT) throw new Unreadable(`${what} is no range of slots`);
  return { from, to };
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

function readMove(one: Record<string, unknown>, what: string): Move {
  const common = {
    kind: 'move',
    id: text(one['id'], `${what}.id`),
    range: readRange(one['range'], `${what}.range`),
    source: text(one['source'], `${what}.source`),
    target: text(one['target'], `${what}.target`),
    slotOnly: boolean(one['slotOnly'], `${what}.slotOnly`),
    by: text(one['by'], `${what}.by`),
    startedAt: time(one['startedAt'], `${what}.startedAt`),
    failures: natural(one['failures'], `${what}.failures`),
  } as const;
  const ends = () => ({
    sourceNode: text(one['sourceNode'], `${what}.sourceNode`),
    targetNode: text(one['targetNode'], `${what}.targetNode`),
  });
  const phase = oneOf(one['phase'], ['queued', 'migrating', 'handing-over', 'failed'], `${what}.phase`);
  switch (phase) {
    case 'queued':
      return { ...common, phase, lastFailure: nullable(one['lastFailure'], `${what}.lastFailure`, text) };
    case 'migrating':
      return { ...common, phase, ...ends() };
    case 'handing-over': {
      const version = natural(one['version'], `${what}.version`);
      return { ...common, phase, version, ...ends(), goal: nullable(one['goal'], `${what}.goal`, natural) };
    }
    case 'failed':
      return { ...common, phase, why: text(one['why'], `${what}.why`) };
  }
}

function readOperation(value: unknown, what: string): Operation {
  const one = object(value, what);
  return oneOf(one['kind'], ['switchover', 'move'], `${what}.kind`) === 'move'
    ? readMove(one, what)
    : readSwitchover(one, what);
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
    next_event: natural(state['next_event'], 'state.next_event'),
    ending: boolean(state['ending'], 'state.ending'),
  };
}
