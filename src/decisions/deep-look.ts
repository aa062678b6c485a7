/**
 * What a deep look at a cluster brings beyond what is watched all the time: it costs its nodes something, so it is only
 * taken when somebody asks. Facts, and nothing of what they mean.
 */
import type { Intended } from '../operations/intended.ts';
import type { Address } from '../topology/address.ts';
import type { TopologyLine } from '../topology/fingerprint.ts';
import type { NodeId, Version } from '../topology/ids.ts';

/** The keys of a master, looked through in the order of their slots. */
export interface KeysLook {
  /** How many keys it holds in each slot, whoever owns it, as far as it was looked through; slots without keys are absent. */
  readonly held: ReadonlyMap<number, number>;
  /** How many keys were looked at. */
  readonly looked: number;
  /** The first slot that was not, or not wholly, looked at; null: all were. */
  readonly from: number | null;
  /** Why it was not gone on; null where all was looked at. */
  readonly why: string | null;
}

/** What a master answers when it is asked for a key of a slot that its shard owns. */
export interface SlotAnswer {
  readonly slot: number;
  /** To whom it sends clients; null: it refuses, for `why`. */
  readonly moved: Address | null;
  readonly why: string;
}

export type NodeLook =
  | { readonly kind: 'unread'; readonly why: string }
  | {
      readonly kind: 'read';
      /** Null: it has none. */
      readonly topology: { readonly version: Version; readonly lines: readonly TopologyLine[] } | null;
      /** Replicas that it feeds and that stand at no address of the cluster, as it says itself. */
      readonly strangers: readonly Address[];
      /** How many it feeds, strangers included. */
      readonly feeds: number;
      /** Slots of its own that it does not serve, of those that were tried. */
      readonly unserved: readonly SlotAnswer[];
      /** Null: nobody looked. */
      readonly keys: KeysLook | null;
    };

export interface DeepLook {
  /** As committed when it was taken. */
  readonly intended: Intended;
  /** Those that answered their probes when it was taken. */
  readonly nodes: ReadonlyMap<NodeId, NodeLook>;
  /**
   * Of each master the slots of others in which it holds keys and of which it is certain who serves them: their owner
   * does, and this master sends clients away. What is held of any other slot may be the only copy that clients have.
   */
  readonly elsewhere: ReadonlyMap<NodeId, ReadonlySet<number>>;
}
