/** Work on nodes beyond telling them a topology. Each is asked for again until it has answered; running twice is one. */

import type { OperationId } from '../operations/intended.ts';
import type { Instant } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import type { SlotRange } from '../topology/slots.ts';

/** Asks a replica without pause until it has reached a number. */
export interface Chase {
  readonly operation: OperationId;
  readonly node: NodeId;
  readonly address: Address;
  readonly goal: Sequence;
  readonly until: Instant;
}

/** Sends MIGRATE and waits for its end, or, for a job that another process sent, finds out how it ended. */
export interface Migrate {
  readonly operation: OperationId;
  readonly attempt: number;
  readonly source: { readonly id: NodeId; readonly address: Address };
  readonly target: { readonly id: NodeId; readonly address: Address };
  readonly range: SlotRange;
  /** The record was found in the store: MIGRATE may have been sent already. */
  readonly resume: boolean;
}

/** CLUSTER RESET of a node that was fenced before; `flush`: emptied first, otherwise left alone if it holds data. */
export interface Reset {
  readonly node: NodeId;
  readonly address: Address;
  readonly flush: boolean;
}

export interface Jobs {
  readonly chase: Chase | undefined;
  readonly migrate: Migrate | undefined;
  readonly resets: readonly Reset[];
}
