/**
 * How a cluster lies in the metadata store. The topology is in the layout of the Go controller 1.2, so that either can
 * take over from the other; what only this controller knows lies under a prefix that the Go one never lists. The two
 * records of a cluster are always committed together.
 */

import type { Intended } from '../operations/intended.ts';
import type { Move } from '../operations/move.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import { Secret } from '../runtime/secret.ts';
import { randomText } from '../runtime/seeded-random.ts';
import { formatAddress, parseAddress } from '../topology/address.ts';
import { type Cluster, faultsOf, NEW_NODE, type Node, type Proof, type Shard } from '../topology/cluster.ts';
import { newShardId, type Version } from '../topology/ids.ts';
import { covers, formatRange, parseRange, type SlotRange, slotSet } from '../topology/slots.ts';
import { FORMAT, readState, type ShardState, type StoredState } from './stored-state.ts';
import { list, natural, object, text, Unreadable } from './stored-values.ts';

const METADATA = '/kvrocks/metadata/';
const OURS = '/kvrocks/kvctl/';

export const METADATA_PREFIX = METADATA;
export const STATE_PREFIX = `${OURS}cluster/`;
export const namespaceKey = (namespace: string): string => `${METADATA}${namespace}`;
export const topologyKey = (namespace: string, name: string): string => `${METADATA}${namespace}/cluster/${name}`;
export const stateKey = (namespace: string, name: string): string =>
  `${STATE_PREFIX}${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
/** Under which all events lie: what a full disk costs first. */
export const EVENT_PREFIX = `${OURS}event/`;
export const eventPrefix = (namespace: string, name: string): string =>
  `${EVENT_PREFIX}${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/`;
/** Padded, so that keys sort as ids do. */
export const eventKey = (namespace: string, name: string, id: number): string =>
  `${eventPrefix(namespace, name)}${String(id).padStart(16, '0')}`;

/** Under which what decisions were made from lies: as dear as events to a full disk. */
export const EVIDENCE_PREFIX = `${OURS}evidence/`;
export const evidencePrefix = (namespace: string, name: string): string =>
  `${EVIDENCE_PREFIX}${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/`;
export const evidenceKey = (namespace: string, name: string, id: number): string =>
  `${evidencePrefix(namespace, name)}${String(id).padStart(16, '0')}`;

/** What a key under `METADATA_PREFIX` is about; undefined for keys of older releases that mean nothing any more. */
export function parseKey(key: string): { namespace: string; cluster?: string } | undefined {
  const rest = key.startsWith(METADATA) ? key.slice(METADATA.length) : '';
  const [namespace, kind, cluster, ...more] = rest.split('/');
  if (namespace === undefined || namespace === '') return undefined;
  if (kind === undefined) return { namespace };
  return kind === 'cluster' && cluster !== undefined && cluster !== '' && more.length === 0
    ? { namespace, cluster }
    : undefined;
}

interface StoredNode {
  readonly id: string;
  readonly addr: string;
  readonly role: string;
  readonly password?: string;
  readonly created_at?: number;
}

interface StoredTopology {
  readonly name: string;
  readonly version: number;
  readonly shards: readonly {
    readonly nodes: readonly StoredNode[];
    readonly slot_ranges: readonly string[] | null;
    readonly target_shard_index: number;
    readonly migrating_slot: string | null;
  }[];
}

export interface StoredCluster {
  readonly topology: string;
  readonly state: string;
}

/** Both records of a cluster. The Go controller shows one moving range a shard, so does the stored topology. */
export function encode(intended: Intended): StoredCluster {
  const { cluster } = intended;
  const password = cluster.password.reveal();
  const topology: StoredTopology = {
    version: cluster.version,
    name: cluster.name,
    shards: cluster.shards.map((shard) => {
      const move = intended.operations.find(
        (one) => one.kind === 'move' && one.phase === 'migrating' && one.source === shard.id,
      );
      const target = move?.kind === 'move' ? cluster.shards.findIndex((one) => one.id === move.target) : -1;
      return {
        nodes: shard.nodes.map((node) => ({
          id: node.id,
          addr: formatAddress(node.address),
          role: node.id === shard.master ? 'master' : 'slave',
          password,
          created_at: node.createdAt,
        })),
        slot_ranges: shard.slots.map(formatRange),
        target_shard_index: target,
        migrating_slot: move?.kind === 'move' ? formatRange(move.range) : null,
      };
    }),
  };
  const state: StoredState = {
    format: FORMAT,
    version: cluster.version,
    password,
    shards: cluster.shards.map((shard) => ({
      id: shard.id,
      lineage: shard.lineage,
      floor: shard.floor,
      eligible_from: shard.eligibleFrom,
      damping: shard.damping,
      data_lost: shard.dataLost,
      nodes: Object.fromEntries(
        shard.nodes.map(({ id, membership, highest, proof, attaching, priority, noFailover, cutOff, copy }) => [
          id,
          { membership, highest, proof, attaching, priority, noFailover, cutOff, copy },
        ]),
      ),
    })),
    leaving: cluster.leaving,
    operations: intended.operations,
    pause: intended.pause,
    settings: intended.settings,
    next_event: intended.nextEvent,
    ending: intended.ending,
  };
  return { topology: JSON.stringify(topology), state: JSON.stringify(state) };
}

export type Decoded =
  | { readonly ok: true; readonly intended: Intended }
  /** For people: which record, and what is wrong with it. The cluster is set aside, and nothing is overwritten. */
  | { readonly ok: false; readonly why: string };

interface ReadShard {
  readonly nodes: readonly { readonly node: StoredNode; readonly master: boolean }[];
  readonly slots: readonly SlotRange[];
  /** What the Go controller is moving from this shard, and to which one by its place in the list. */
  readonly moving: { readonly range: SlotRange; readonly target: number } | null;
}

/** Null or -1 when idle; `5` or `5-9` as text, in data of older releases a number. */
function readMoving(shard: Record<string, unknown>, where: string): ReadShard['moving'] {
  const slot = shard['migrating_slot'];
  const target = shard['target_shard_index'];
  if (slot === null || slot === undefined || slot === -1 || slot === '' || slot === '-1') return null;
  const range = parseRange(String(slot));
  if (range === undefined) throw new Unreadable(`${where}.migrating_slot is no range of slots`);
  return { range, target: natural(target, `${where}.target_shard_index`) };
}

function readShard(value: unknown, where: string): ReadShard {
  const shard = object(value, where);
  const nodes = list(shard['nodes'], `${where}.nodes`).map((one, i) => {
    const node = object(one, `${where}.nodes[${i}]`);
    // Development versions write `slave,fail`.
    const role = text(node['role'], `${where}.nodes[${i}].role`).split(',')[0];
    return {
      node: {
        id: text(node['id'], `${where}.nodes[${i}].id`),
        addr: text(node['addr'], `${where}.nodes[${i}].addr`),
        role: role ?? '',
        password: typeof node['password'] === 'string' ? node['password'] : '',
        created_at: typeof node['created_at'] === 'number' ? node['created_at'] : 0,
      },
      master: role === 'master',
    };
  });
  const slots = list(shard['slot_ranges'], `${where}.slot_ranges`).map((one, i) => {
    const range = parseRange(text(one, `${where}.slot_ranges[${i}]`));
    if (range === undefined) throw new Unreadable(`${where}.slot_ranges[${i}] is no range of slots`);
    return range;
  });
  return { nodes, slots, moving: readMoving(shard, where) };
}

/**
 * A migration that the Go controller has begun: its outcome is found out before either end is told anything, since a
 * topology that still names the source as owner hides what the target has taken over.
 */
function movesOfGo(shards: readonly ReadShard[], cluster: Cluster, random: RandomSource): readonly Move[] {
  return shards.flatMap(({ moving }, i): Move[] => {
    const source = cluster.shards[i];
    const target = moving === null ? undefined : cluster.shards[moving.target];
    if (moving === null || source === undefined || target === undefined || source === target) return [];
    if (!covers(source.slots, moving.range)) return [];
    return [
      {
        kind: 'move',
        id: `mv-${randomText(random, 12)}`,
        range: moving.range,
        source: source.id,
        target: target.id,
        slotOnly: false,
        by: 'the Go controller',
        startedAt: 0,
        failures: 0,
        phase: 'migrating',
        sourceNode: source.master,
        targetNode: target.master,
      },
    ];
  });
}

/** A cluster that has no state of ours yet: every node is what the stored topology says, trusted as at an import. */
function freshState(shard: ReadShard, version: Version, random: RandomSource): ShardState {
  const master = shard.nodes.find((one) => one.master)?.node.id ?? '';
  const proofOf = (id: string): Proof => ({ entry: version, how: id === master ? 'master' : 'trust' });
  return {
    id: newShardId(random),
    lineage: [{ version, master, sequence: 0, exact: false }],
    floor: 0,
    eligible_from: 0,
    damping: null,
    data_lost: null,
    nodes: Object.fromEntries(shard.nodes.map(({ node }) => [node.id, { ...NEW_NODE, proof: proofOf(node.id) }])),
  };
}

function buildShard(shard: ReadShard, state: ShardState, where: string): Shard {
  const [master, second] = shard.nodes.filter((one) => one.master).map((one) => one.node.id);
  if (master === undefined) throw new Unreadable(`${where} has no master`);
  if (second !== undefined) throw new Unreadable(`${where} has two masters, ${master} and ${second}`);
  const nodes = shard.nodes.map(({ node }): Node => {
    const address = parseAddress(node.addr);
    if (address === undefined) throw new Unreadable(`${where}: ${node.addr} is no address`);
    const known = state.nodes[node.id] ?? NEW_NODE;
    return { id: node.id, address, createdAt: node.created_at ?? 0, ...known };
  });
  return {
    id: state.id,
    master,
    nodes,
    slots: slotSet(shard.slots),
    lineage: state.lineage,
    floor: state.floor,
    eligibleFrom: state.eligible_from,
    damping: state.damping,
    dataLost: state.data_lost,
  };
}

function parse(record: string, what: string): Record<string, unknown> {
  try {
    return object(JSON.parse(record), what);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(`${what} is no JSON`);
  }
}

function decodeOrThrow(
  namespace: string,
  topologyRecord: string,
  stateRecord: string | undefined,
  random: RandomSource,
): Intended {
  const topology = parse(topologyRecord, 'its topology');
  const version = natural(topology['version'], 'version');
  const shards = list(topology['shards'], 'shards').map((one, i) => readShard(one, `shards[${i}]`));
  const state =
    stateRecord === undefined ? undefined : readState(parse(stateRecord, 'its state'), version, shards.length);
  const password = state?.password ?? shards[0]?.nodes[0]?.node.password ?? '';
  const cluster: Cluster = {
    namespace,
    name: text(topology['name'], 'name'),
    version,
    password: new Secret(password),
    shards: shards.map((shard, i) =>
      buildShard(shard, state?.shards[i] ?? freshState(shard, version, random), `shards[${i}]`),
    ),
    leaving: state?.leaving ?? [],
  };
  const [fault] = faultsOf(cluster);
  if (fault !== undefined) throw new Unreadable(fault);
  return {
    cluster,
    operations: state?.operations ?? movesOfGo(shards, cluster, random),
    pause: state?.pause ?? null,
    settings: state?.settings ?? {},
    nextEvent: state?.next_event ?? 1,
    ending: state?.ending ?? false,
  };
}

export function decode(namespace: string, topology: string, state: string | undefined, random: RandomSource): Decoded {
  try {
    return { ok: true, intended: decodeOrThrow(namespace, topology, state, random) };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, why: error.message };
    throw error;
  }
}
