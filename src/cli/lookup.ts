/** From what people write to what the API addresses by. */
import { Failure, usage } from './exit.ts';
import { counted } from './render/text.ts';
import type { Cluster, Node, Place, Session, Shard } from './session.ts';
import { isShard, SHARD_RULE } from './settings.ts';

export const CLUSTER = '/api/v1/namespaces/{namespace}/clusters/{cluster}';
export const SHARDS = `${CLUSTER}/shards` as const;
export const SHARD = `${SHARDS}/{shard}` as const;

export async function clusterAt(session: Session, place: Place): Promise<Cluster> {
  return (await session.ask(session.api.GET(CLUSTER, { params: { path: place } }))).cluster;
}

export interface FoundShard {
  readonly shard: Shard;
  readonly index: number;
}

/**
 * The shard at an index or of an id. Writes go on with its id: an index may name another shard by the time that the
 * request arrives.
 */
export function findShard(cluster: Cluster, text: string): FoundShard {
  if (!isShard(text)) throw usage(`shard: got "${text}"; allowed: ${SHARD_RULE}`);
  const index = text.startsWith('sh-') ? cluster.shards.findIndex(({ id }) => id === text) : Number(text);
  const shard = cluster.shards[index];
  if (shard !== undefined) return { shard, index };
  const count = cluster.shards.length;
  const there = count === 0 ? 'it has none' : `it has ${counted(count, 'shard')}, 0 to ${count - 1}`;
  throw new Failure('missing', `cluster ${cluster.name} has no shard ${text}; ${there}`);
}

export interface FoundNode extends FoundShard {
  readonly node: Node;
}

/** The node of an id or an address, in one shard where that is named. */
export function findNode(cluster: Cluster, text: string, inShard?: string): FoundNode {
  const shards = inShard === undefined ? [...cluster.shards.entries()] : [only(findShard(cluster, inShard))];
  for (const [index, shard] of shards) {
    const node = shard.nodes.find(({ id, addr }) => id === text || addr === text);
    if (node !== undefined) return { shard, index, node };
  }
  const place = inShard === undefined ? `cluster ${cluster.name}` : `shard ${inShard} of cluster ${cluster.name}`;
  throw new Failure('missing', `${place} has no node ${text}`);
}

const only = ({ index, shard }: FoundShard): [number, Shard] => [index, shard];
