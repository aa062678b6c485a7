/** What happened to a cluster, told to people: what, when, why, by whom. */

export interface ClusterEvent {
  /** Rises within a cluster, with gaps; an SSE stream resumes behind it. */
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A constant word such as `failover`, `node.down`, `move.finished`; people filter by it. */
  readonly kind: string;
  /** One sentence. */
  readonly message: string;
  /** `controller`, or the caller who asked for it. */
  readonly by: string;
  readonly version: number;
  readonly shard?: string;
  readonly node?: string;
  /** What was observed and decided, without secrets. */
  readonly evidence?: unknown;
}
