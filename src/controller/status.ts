/** What the controller sees of a cluster, as `GET .../status` answers it. Ages and times are milliseconds. */

import type { NodeState } from '../decisions/world.ts';

export interface NodeStatus {
  readonly id: string;
  readonly addr: string;
  readonly role: 'master' | 'slave';
  readonly state: NodeState;
  /** `member`, `away` (not in the topology until it may come back) or `leaving`. */
  readonly membership: 'member' | 'away' | 'leaving';
  /** Milliseconds since 1970 at which it entered `state`. */
  readonly since: number;
  /** Why it is in this state, for people; null when there is nothing to add. */
  readonly reason: string | null;
  /** The role that the node itself claims; null when it does not say. */
  readonly says: 'master' | 'slave' | null;
  /** The topology version it carries; null when none or unknown. */
  readonly version: number | null;
  readonly sequence: number | null;
  /** A replica's link to its master. */
  readonly link: 'up' | 'down' | 'sync' | null;
  /** Sequence numbers behind its master's last answer; null for masters and when unknown. */
  readonly lag: number | null;
  /** Round trip of the last probe. */
  readonly latency: number | null;
  /** Age of the last answer. */
  readonly answered_ago: number | null;
  /** It carries the committed topology, as it was read back. */
  readonly in_sync: boolean;
  readonly server_version: string | null;
  /** Of the process that answers now; null while that is not read. In a container it may be the same after a restart. */
  readonly process_id: number | null;
  /** Milliseconds since 1970, by the controller's clock and to about a second: when that process began. */
  readonly started_at: number | null;
  /** Among equally advanced replicas the higher one is promoted; 100 by default. */
  readonly priority: number;
  /** Never promoted unless an operator names it. */
  readonly no_failover: boolean;
}

export interface Problem {
  /** A constant word such as `MASTER_DOWN`, `TOPOLOGY_NEWER`, `DIVERGED`, `DATA_LOST`, `DANGEROUS_SETTING`. */
  readonly code: string;
  readonly severity: 'warning' | 'error';
  readonly shard: string | null;
  readonly node: string | null;
  /** One sentence: what was seen. */
  readonly message: string;
  /** What the controller waits for; null when it waits for nothing. */
  readonly waiting_for: string | null;
  /** The command that mends it; null when it mends itself. */
  readonly command: string | null;
}

export interface OperationStatus {
  readonly id: string;
  readonly kind: 'switchover' | 'move' | 'removal';
  readonly phase: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly started_at: number;
  readonly shard: string | null;
  readonly target_shard: string | null;
  readonly slots: string | null;
  readonly node: string | null;
  readonly message: string | null;
}

export interface ClusterStatus {
  readonly namespace: string;
  readonly cluster: string;
  readonly version: number;
  /** `ok`: nothing to report. `degraded`: it serves, something is wrong. `down`: slots without a serving master. */
  readonly state: 'ok' | 'degraded' | 'down';
  readonly paused: { readonly until: number | null; readonly by: string } | null;
  readonly slots_served: number;
  readonly shards: readonly {
    readonly id: string;
    readonly index: number;
    readonly slots: readonly string[];
    readonly nodes: readonly NodeStatus[];
  }[];
  readonly leaving: readonly NodeStatus[];
  readonly problems: readonly Problem[];
  readonly operations: readonly OperationStatus[];
}
