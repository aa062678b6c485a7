/** Names and numbers of the field, checked where they enter. */
import type { RandomSource } from '../runtime/runtime.ts';
import { randomText } from '../runtime/seeded-random.ts';

/** 40 letters and digits, as the node itself keeps it (`CLUSTERX MYID`). */
export type NodeId = string;
/** `sh-` and 12 letters or digits: what stays when a shard's index in the list moves. */
export type ShardId = string;
/** A cluster's topology number, `cluster_current_epoch` on the nodes. Rises, may jump, is spent once. */
export type Version = number;
/** A node's RocksDB sequence number, `master_repl_offset` or `slave_repl_offset`. */
export type Sequence = number;

const NODE_ID = /^[A-Za-z0-9]{40}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const isNodeId = (text: string): text is NodeId => NODE_ID.test(text);
/** A name that a new namespace or cluster may have. Stored older names may be anything. */
export const isName = (text: string): boolean => NAME.test(text);
export const NAME_RULE = 'a letter or digit, then up to 127 letters, digits, dots, underscores or dashes';

export const newNodeId = (random: RandomSource): NodeId => randomText(random, 40);
export const newShardId = (random: RandomSource): ShardId => `sh-${randomText(random, 12)}`;
