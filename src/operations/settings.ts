/** How one cluster is watched and mended; each setting can be changed while everything runs. */
import type { Duration } from '../runtime/runtime.ts';

export interface ClusterSettings {
  /** Milliseconds without an answer after which a silent master counts as hung. 1,000 to 600,000. */
  readonly tolerance: Duration;
  /** How far behind its master, in milliseconds of the master's own history, a replica may be promoted. */
  readonly maxLag: Duration;
  /** Milliseconds that a master without a witness is waited for before a replica that has lost it too is promoted. */
  readonly noWitnessHold: Duration;
  /**
   * What becomes of a node that holds what its shard does not have: `resync`: it is saved as commands and the node
   * copied whole. `fence`: the node is kept as it is until an operator lets it back.
   */
  readonly diverged: 'resync' | 'fence';
  /** Pieces of slots that are on their way at a time; null: as many as there are pairs of shards without one. */
  readonly concurrentMoves: number | null;
  /** Of the sources of moves: `migrate-speed`, commands a second by redis-command, 0 for no limit; null: as they are set. */
  readonly migrateSpeed: number | null;
  /** Of the sources of moves: `migrate-batch-rate-limit-mb`, MB a second by raw-key-value; null: as they are set. */
  readonly migrateRateLimit: number | null;
}

export const DEFAULT_SETTINGS: ClusterSettings = {
  tolerance: 3_000,
  maxLag: 10_000,
  noWitnessHold: 15_000,
  diverged: 'resync',
  concurrentMoves: null,
  migrateSpeed: null,
  migrateRateLimit: null,
};
