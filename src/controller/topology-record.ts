/**
 * The topology record of a cluster, in the layout of the Go controller 1.2: written so that the Go one can read it, and
 * read tolerantly, since either may have written it.
 */
import { activeMoves, type Intended } from '../operations/intended.ts';
import { formatAddress } from '../topology/address.ts';
import type { NodeId, Version } from '../topology/ids.ts';
import { formatRange, parseRange, type SlotRange } from '../topology/slots.ts';
import { list, natural, object, text, Unreadable } from './stored-values.ts';

interface StoredNode {
  readonly id: NodeId;
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

/** The Go controller shows one moving range a shard, so does the record. */
export function encodeTopology(intended: Intended): string {
  const { cluster } = intended;
  const password = cluster.password.reveal();
  const topology: StoredTopology = {
    version: cluster.version,
    name: cluster.name,
    shards: cluster.shards.map((shard) => {
      const move = activeMoves(intended).find((one) => one.phase === 'migrating' && one.source === shard.id);
      const target = cluster.shards.findIndex((one) => one.id === move?.target);
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
        migrating_slot: move === undefined ? null : formatRange(move.piece),
      };
    }),
  };
  return JSON.stringify(topology);
}

export interface ReadShard {
  readonly nodes: readonly { readonly node: StoredNode; readonly master: boolean }[];
  readonly slots: readonly SlotRange[];
  /** What the Go controller is moving from this shard, and to which one by its place in the list. */
  readonly moving: { readonly range: SlotRange; readonly target: number } | null;
}

/** As it lies there: nothing is put together yet, and nothing judged. */
export interface ReadTopology {
  readonly name: string;
  readonly version: Version;
  readonly shards: readonly ReadShard[];
}

/** Throws `Unreadable`. */
export function readTopology(record: string): ReadTopology {
  const topology = parseRecord(record, 'its topology');
  return {
    name: text(topology['name'], 'name'),
    version: natural(topology['version'], 'version'),
    shards: list(topology['shards'], 'shards').map((one, i) => readShard(one, `shards[${i}]`)),
  };
}

/** Throws `Unreadable`. */
export function parseRecord(record: string, what: string): Record<string, unknown> {
  try {
    return object(JSON.parse(record), what);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(`${what} is no JSON`);
  }
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
