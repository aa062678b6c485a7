/** Work on nodes beyond telling them a topology. Each is asked for again until it has answered; running twice is one. */

import type { OperationId } from '../operations/intended.ts';
import type { Noted } from '../operations/move.ts';
import type { SpeedName } from '../operations/tuning.ts';
import type { Instant } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { LineageEntry, ServerProcess } from '../topology/cluster.ts';
import type { NodeId, Sequence, ShardId, Version } from '../topology/ids.ts';
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
  /** What the target's answers of before are worth. */
  readonly noted: Noted | null;
  /** The record was found in the store: MIGRATE may have been sent already. */
  readonly resume: boolean;
}

/** CLUSTER RESET of a node that was fenced before; `flush`: emptied first, otherwise left alone if it holds data. */
export interface Reset {
  readonly node: NodeId;
  readonly address: Address;
  readonly flush: boolean;
}

/**
 * Asks a server for one of its settings and sets it; answers with the value that it has then, null where it has no such
 * setting.
 */
export interface Tune {
  readonly node: NodeId;
  readonly address: Address;
  readonly name: SpeedName;
  /** Null: it is only asked. */
  readonly to: number | null;
  /** Where it is none of these by now, it is left as it is; empty: set whatever it is. */
  readonly instead: readonly number[];
  /** The process that is meant. */
  readonly run: string;
}

export interface Party {
  readonly id: NodeId;
  readonly address: Address;
}

interface AboutNode {
  readonly node: Party;
  /** The shard's present master. */
  readonly master: Party;
  /** Of the shard's lineage: what was found under one master says nothing under the next. */
  readonly entry: Version;
  /**
   * The connection that answered the node's fence, or since when it answers: what is found holds as long as this is
   * the same.
   */
  readonly run: number;
}

/** Compares the log of a node with its master's, entry by entry, up to the node's end. */
export interface Compare extends AboutNode {
  readonly kind: 'compare';
  /** Up to here both are known to be the same; null: not known, so all is compared that both logs still have. */
  readonly common: Sequence | null;
  /** Where nothing is known: only so many records before the node's end are compared; null: all. */
  readonly back: number | null;
}

export type LogVerdict =
  /** Every entry up to `last`, the node's end, is the master's too. */
  | { readonly kind: 'same'; readonly last: Sequence }
  /** The first sequence at which they differ, or at which only the node has an entry. */
  | { readonly kind: 'parted'; readonly at: Sequence; readonly last: Sequence }
  | { readonly kind: 'untellable'; readonly why: string };

/** Saves what a node alone holds, as commands and raw entries, into a file. */
export interface Save extends AboutNode {
  readonly kind: 'save';
  readonly shard: ShardId;
  readonly lineage: readonly LineageEntry[];
  /** The first sequence that it alone may hold; null: whatever its log still has. */
  readonly from: Sequence | null;
  /** Saved before, if the entry that ends here still has the look `seal`; null: nothing is. */
  readonly after: Sequence | null;
  readonly seal: string;
  /** Behind the fence it was at this number: what comes after it has no keys. Null: all there is. */
  readonly upTo: Sequence | null;
  /** Save also what is not all. */
  readonly partly: boolean;
}

export type Saved =
  | {
      readonly kind: 'saved';
      /** The node's end when it was read. */
      readonly to: Sequence;
      readonly seal: string;
      /** Null: there was nothing to save. */
      readonly file: string | null;
      readonly first: Sequence;
      /** Numbers that only this node had, and the commands that they are told as. */
      readonly records: number;
      readonly commands: number;
      /** False: some of what it alone may hold is in no log any more. */
      readonly all: boolean;
    }
  /** `mayPass`: not for what the node holds, but for want of a place to put it. */
  | { readonly kind: 'refused'; readonly why: string; readonly mayPass?: true };

/** Loads the marker on a fenced node and raises its number far beyond its master's, over the fence's connection. */
export interface Raise extends AboutNode {
  readonly kind: 'raise';
  readonly marker: string;
  /** False: both servers compare histories themselves, so the marker alone makes it a stranger. */
  readonly raise: boolean;
  /** Each doubles the margin. */
  readonly failures: number;
}

export interface Raised {
  readonly to: Sequence;
  /** The master's number after it, and by how much the node's is beyond it. */
  readonly masterAt: Sequence;
  readonly margin: number;
  readonly process: ServerProcess;
}

/** Asks a node that was attached to be copied whole whether its marker is gone. */
export interface Check extends AboutNode {
  readonly kind: 'check';
  readonly marker: string;
  readonly process: ServerProcess | null;
}

/** `restarted`: it is another process than the one that had the marker, which may have got lost with its last writes. */
export type Checked = { readonly sequence: Sequence; readonly found: 'whole' | 'not-whole' | 'restarted' };

export type CopyJob = Compare | Save | Raise | Check;

/** What each kind of job comes to. */
export interface CopyAnswers {
  readonly compare: LogVerdict;
  readonly save: Saved;
  readonly raise: Raised;
  readonly check: Checked;
}

/** What jobs about one node have found, by the key of the job that found it; known to this process only. */
export interface Found {
  readonly answers: {
    readonly [K in keyof CopyAnswers]?: { readonly of: string; readonly answer: CopyAnswers[K]; readonly at: Instant };
  };
  /** Settings of the server, each as the last job about it has left it. */
  readonly speeds?: {
    readonly [K in SpeedName]?: { readonly of: string; readonly value: number | null; readonly at: Instant };
  };
  /** How far the job that runs now has come; for people. */
  readonly progress: { readonly kind: CopyJob['kind']; readonly done: number; readonly of: number } | null;
}

/** The same for two jobs that ask for the same. */
export const copyJobKey = (job: CopyJob): string => `${copyJobSubject(job)} ${job.run}`;

/** The same for two jobs that ask for the same, one behind a later fence than the other. */
export function copyJobSubject(job: CopyJob): string {
  const { kind, node, master, entry } = job;
  const common = [kind, node.id, master.id, entry];
  switch (kind) {
    case 'compare':
      return [...common, job.common, job.back].join(' ');
    case 'save':
      return [...common, job.from, job.after, job.seal, job.upTo, job.partly].join(' ');
    case 'raise':
      return [...common, job.marker, job.raise, job.failures].join(' ');
    case 'check':
      return [...common, job.marker, job.process?.id, job.process?.startedAt].join(' ');
  }
}

export interface Jobs {
  readonly chases: readonly Chase[];
  readonly migrates: readonly Migrate[];
  readonly resets: readonly Reset[];
  readonly tunes: readonly Tune[];
  readonly copies: readonly CopyJob[];
  /** Nodes whose connection stays open: what was read behind their fence is still needed. */
  readonly held: readonly NodeId[];
}
