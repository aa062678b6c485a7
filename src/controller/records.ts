/**
 * How a cluster lies in the metadata store. The topology is in the layout of the Go controller 1.2, so that either can
 * take over from the other; what only this controller knows lies under a prefix that the Go one never lists. The two
 * records of a cluster are always committed together.
 */

import type { Intended } from '../operations/intended.ts';
import { withPlansInOrder } from '../operations/plan.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import { Secret } from '../runtime/secret.ts';
import { type Cluster, faultsOf } from '../topology/cluster.ts';
import { freshState, joinShard, movesOfGo, rejoinShards, shardState, waitsIn } from './stored-shards.ts';
import { FORMAT, readState, type StoredState } from './stored-state.ts';
import { Unreadable } from './stored-values.ts';
import { encodeTopology, parseRecord, readTopology } from './topology-record.ts';

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

export interface StoredCluster {
  readonly topology: string;
  readonly state: string;
}

/** Both records of a cluster. */
export function encode(intended: Intended): StoredCluster {
  const { cluster } = intended;
  const state: StoredState = {
    format: FORMAT,
    version: cluster.version,
    password: cluster.password.reveal(),
    shards: cluster.shards.map(shardState),
    leaving: cluster.leaving,
    operations: intended.operations,
    pause: intended.pause,
    settings: intended.settings,
    ...(intended.tuned.length > 0 && { tuned: intended.tuned }),
    next_event: intended.nextEvent,
    ending: intended.ending,
  };
  return { topology: encodeTopology(intended), state: JSON.stringify(state) };
}

export type Decoded =
  | {
      readonly ok: true;
      readonly intended: Intended;
      /** Somebody else has written the topology since our state was stored: it holds, and a version above it is due. */
      readonly overtaken: boolean;
    }
  /** For people: which record, and what is wrong with it. The cluster is set aside, and nothing is overwritten. */
  | { readonly ok: false; readonly why: string };

function decodeOrThrow(
  namespace: string,
  topologyRecord: string,
  stateRecord: string | undefined,
  random: RandomSource,
): { readonly intended: Intended; readonly overtaken: boolean } {
  const { name, version, shards } = readTopology(topologyRecord);
  const state = stateRecord === undefined ? undefined : readState(parseRecord(stateRecord, 'its state'));
  if (state !== undefined && state.version > version)
    throw new Unreadable(
      `its topology is of version ${version} and its state of ${state.version}: something else wrote one of them`,
    );
  const overtaken = state !== undefined && state.version < version;
  if (state !== undefined && !overtaken && state.shards.length !== shards.length)
    throw new Unreadable('its topology and its state have different numbers of shards');
  const password = state?.password ?? shards[0]?.nodes[0]?.node.password ?? '';
  const listed = new Set(overtaken ? shards.flatMap(({ nodes }) => nodes.map(({ node }) => node.id)) : []);
  const cluster: Cluster = {
    namespace,
    name,
    version,
    password: new Secret(password),
    shards: overtaken
      ? rejoinShards(shards, state.shards, version, random)
      : shards.map((shard, i) =>
          joinShard(shard, state?.shards[i] ?? freshState(shard, version, random), `shards[${i}]`),
        ),
    leaving: (state?.leaving ?? []).filter(({ id }) => !listed.has(id)),
  };
  const [fault] = faultsOf(cluster);
  if (fault !== undefined) throw new Unreadable(fault);
  // What was under way is over, one way or the other: it stands in the topology, or nodes will say so.
  const operations = (state?.operations ?? []).filter((one) => !overtaken || waitsIn(cluster, one));
  const moves = state === undefined || overtaken ? movesOfGo(shards, cluster, random) : [];
  const { next: intended } = withPlansInOrder({
    cluster,
    operations: [...operations, ...moves],
    pause: state?.pause ?? null,
    settings: state?.settings ?? {},
    tuned: state?.tuned ?? [],
    nextEvent: state?.next_event ?? 1,
    ending: state?.ending ?? false,
  });
  return { intended, overtaken };
}

export function decode(namespace: string, topology: string, state: string | undefined, random: RandomSource): Decoded {
  try {
    return { ok: true, ...decodeOrThrow(namespace, topology, state, random) };
  } catch (error) {
    if (error instanceof Unreadable) return { ok: false, why: error.message };
    throw error;
  }
}
