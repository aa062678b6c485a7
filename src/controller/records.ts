/**
 * How a cluster lies in the metadata store. The topology is in the layout of the Go controller 1.2, so that either can
 * take over from the other; what only this controller knows lies under a prefix that the Go one never lists. The two
 * records of a cluster are always committed together.
 */

import type { Intended, Operation, PastTopology, Pause } from '../operations/intended.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import { Secret } from '../runtime/secret.ts';
import { formatAddress, parseAddress } from '../topology/address.ts';
import type { Attach, Cluster, LeavingNode, LineageEntry, Node, Proof, Shard } from '../topology/cluster.ts';
import { newShardId, type Version } from '../topology/ids.ts';
import { formatRange, parseRange, type SlotRange, slotSet } from '../topology/slots.ts';

const FORMAT = 1;

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

interface NodeState {
  readonly membership: Node['membership'];
  readonly highest: number;
  readonly proof: Proof | null;
  readonly attaching: Attach | null;
}

interface ShardState {
  readonly id: string;
  readonly lineage: readonly LineageEntry[];
  readonly floor: number;
  readonly eligible_from: number;
  readonly nodes: Readonly<Record<string, NodeState>>;
}

interface StoredState {
  readonly format: number;
  readonly version: number;
  readonly password: string;
  readonly shards: readonly ShardState[];
  readonly leaving: readonly LeavingNode[];
  readonly operations: readonly Operation[];
  readonly pause: Pause | null;
  readonly past: readonly PastTopology[];
  readonly next_event: number;
  readonly ending: boolean;
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
      nodes: Object.fromEntries(
        shard.nodes.map(({ id, membership, highest, proof, attaching }) => [
          id,
          { membership, highest, proof, attaching },
        ]),
      ),
    })),
    leaving: cluster.leaving,
    operations: intended.operations,
    pause: intended.pause,
    past: intended.past,
    next_event: intended.nextEvent,
    ending: intended.ending,
  };
  return { topology: JSON.stringify(topology), state: JSON.stringify(state) };
}

export type Decoded =
  | { readonly ok: true; readonly intended: Intended }
  /** For people: which record, and what is wrong with it. The cluster is set aside, and nothing is overwritten. */
  | { readonly ok: false; readonly why: string };

/** Thrown while reading a record, and turned into `Decoded`. */
class Unreadable extends Error {}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unreadable(`${what} is no object`);
  return { ...value };
}

function list(value: unknown, what: string): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new Unreadable(`${what} is no list`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Unreadable(`${what} is no text`);
  return value;
}

function natural(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Unreadable(`${what} is no whole number`);
  return value;
}

interface ReadShard {
  readonly nodes: readonly { readonly node: StoredNode; readonly master: boolean }[];
  readonly slots: readonly SlotRange[];
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
  return { nodes, slots };
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
    nodes: Object.fromEntries(
      shard.nodes.map(({ node }) => [
        node.id,
        { membership: 'member', highest: 0, proof: proofOf(node.id), attaching: null },
      ]),
    ),
  };
}

function buildShard(shard: ReadShard, state: ShardState, where: string): Shard {
  const master = shard.nodes.find((one) => one.master)?.node.id;
  if (master === undefined) throw new Unreadable(`${where} has no master`);
  const nodes = shard.nodes.map(({ node }): Node => {
    const address = parseAddress(node.addr);
    if (address === undefined) throw new Unreadable(`${where}: ${node.addr} is no address`);
    const known = state.nodes[node.id] ?? { membership: 'member', highest: 0, proof: null, attaching: null };
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

/** Our own record, whose inside we wrote ourselves: its format and version are checked, the rest is trusted. */
function readState(record: string, version: Version): StoredState {
  const state = parse(record, 'its state');
  const format = natural(state['format'], 'the format of its state');
  if (format > FORMAT)
    throw new Unreadable(`its state has format ${format}; this release knows formats up to ${FORMAT}`);
  if (natural(state['version'], 'the version of its state') !== version) {
    throw new Unreadable(
      `its topology is of version ${version} and its state of ${String(state['version'])}: something else wrote one of them`,
    );
  }
  return state as unknown as StoredState;
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
  const state = stateRecord === undefined ? undefined : readState(stateRecord, version);
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
  return {
    cluster,
    operations: state?.operations ?? [],
    pause: state?.pause ?? null,
    past: state?.past ?? [],
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
