/**
 * What decisions are made from: the intended state, what was seen of each node with the age of each fact, and now.
 * Instants are the runtime's monotonic milliseconds.
 */

import type { Intended, OperationId } from '../operations/intended.ts';
import type { ClusterSettings } from '../operations/settings.ts';
import type { Duration, Instant } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { ServerProcess, Shard } from '../topology/cluster.ts';
import type { NodeId, Sequence, ShardId, Version } from '../topology/ids.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { Found } from './jobs.ts';

/** How a node answers now; the words of the status page. */
export type NodeState =
  /** Not asked yet. */
  | 'unknown'
  | 'up'
  /** Restoring its database; alive. */
  | 'loading'
  /** Wrong password; alive. */
  | 'denied'
  /** A replica without its master that answers MASTERDOWN to everything; alive. */
  | 'masterdown'
  /** Answers, with another node's id. */
  | 'wrong-id'
  /** Inside a SETNODES: within its grace, silence means nothing. */
  | 'busy'
  /** Its connection ended and new ones are refused or reset. */
  | 'refused'
  /** Accepts or does not even answer the connection, and says nothing. */
  | 'silent'
  /** Answers what cannot be read. */
  | 'garbled';

export type Role = 'master' | 'slave';

/** A job line of CLUSTER INFO: the last one only, gone after a restart. */
export interface JobLine {
  readonly range: SlotRange | null;
  readonly state: 'none' | 'start' | 'success' | 'fail' | 'error';
}

/** The answer to a push that brought the node's own numbers in the same breath. */
export interface Told {
  readonly version: Version;
  /** Its role right before the push, in the same breath: an earlier copy, or another version, may have changed it. */
  readonly before: Role;
  readonly role: Role;
  /** Right after the push; of an attach right before it, since a replica follows from within the push on. */
  readonly sequence: Sequence;
  /**
   * Set for an attach of a replica that had a link: its number right behind the push, up to where it may have applied
   * what its old master sent while it was told.
   */
  readonly upTo?: Sequence;
  /** Its number was below one that it was seen at before: it has lost something since. */
  readonly below?: true;
  /** The connection that answered; the facts of a fence or a drain hold while it is open. */
  readonly connection: number;
  readonly at: Instant;
}

export interface NodeView {
  readonly id: NodeId;
  readonly state: NodeState;
  readonly since: Instant;
  readonly reason: string | null;
  readonly firstAskedAt: Instant;
  /** When the question was sent whose answer is the newest one; -Infinity before any. */
  readonly askedAt: Instant;
  readonly answeredAt: Instant;
  /**
   * The end of our connection, or the first failure since its last good answer; null while it answers. Another node's
   * answer at its address is a failure.
   */
  readonly brokeAt: Instant | null;
  /** When the newest attempt that failed was begun; -Infinity before any. */
  readonly failedAskedAt: Instant;
  /** Connections that timed out since its last answer. */
  readonly timeouts: number;
  /** `CLUSTERX MYID`: '' when it has none, null while not read on this connection. */
  readonly myId: string | null;
  readonly says: Role | null;
  readonly sequence: Sequence | null;
  /** The highest ever seen, the stored one included. */
  readonly highest: Sequence;
  /** By its own id it answered below its highest, this number; kept until it begins anew. Null: it never did. */
  readonly fell: { readonly from: Sequence; readonly at: Instant } | null;
  /** Its sequence `maxLag` before its last answer: what a candidate must have reached. 0 if not known so far back. */
  readonly aged: Sequence;
  /** -1: it has no topology; null: not known. */
  readonly version: Version | null;
  /** Since when it has carried that, as far as was seen. */
  readonly versionSince: Instant;
  readonly link: 'up' | 'down' | 'sync' | null;
  /** The master that it says it follows; null: none, or not known. */
  readonly follows: Address | null;
  /** When a link was last seen up; -Infinity if never. */
  readonly linkUpAt: Instant;
  /** The first answer that said down since it was seen up; null while up. */
  readonly linkDownAt: Instant | null;
  /** Since its link was last seen up: the first time that it said down, or could not be reached; null while up. */
  readonly lostAt: Instant | null;
  /** Seconds since it heard its master; null: never, or no replica. */
  readonly silence: number | null;
  /** Fingerprint of its topology as read back, and the version that it was read at; null while not read. */
  readonly holds: { readonly version: Version; readonly fingerprint: string } | null;
  /** When `holds` was read. */
  readonly holdsSince: Instant;
  /** Its answer to the last fence or drain, while it carries that version or a higher one. */
  readonly fenced: Told | null;
  /** The connection that answered it is still open: what was read behind the fence holds. */
  readonly fenceHolds: boolean;
  /** Answered the text that made it a replica; its number in that breath. */
  readonly attached: Told | null;
  /** Answered its promotion. */
  readonly promoted: Told | null;
  /** It left the topology again and again: it is not let back before this. */
  readonly returnAfter: Instant;
  /** A SETNODES is under way since; null when none. */
  readonly busySince: Instant | null;
  /** `use-rsid-psync yes`: the server compares histories itself. */
  readonly rsid: boolean | null;
  /** Settings that endanger it, in words, each with the command that mends it. */
  readonly dangers: readonly { readonly what: string; readonly command: string | null }[];
  readonly serverVersion: string | null;
  /** The run of the server that answers over the present connection; null while not read. */
  readonly process: ServerProcess | null;
  /** How it copies slots; null while not read, or where it has no such setting. */
  readonly migrateType: 'redis-command' | 'raw-key-value' | null;
  /** It has no password, though the cluster has one; null while not read. */
  readonly passwordless: boolean | null;
  readonly migrating: JobLine | null;
  readonly importing: JobLine | null;
}

/** What this process knows of an operation beyond its record; a successor begins without. */
export interface Trace {
  /** When its present phase was committed by this process. */
  readonly phaseAt: Instant;
  /** Its present phase was found in the store: what was sent in it, nobody here knows. */
  readonly found?: true;
  /** The number of the replica that is chased: since the drain was answered, or the slots were given to its shard. */
  readonly reached?: Sequence;
  /** How MIGRATE ended. */
  readonly migration?: Migration;
  /** When the target, and the source, of a hand-over or of a failed piece were first seen to carry its version. */
  readonly targetKnewAt?: Instant;
  readonly sourceKnewAt?: Instant;
}

/**
 * What the target of a failed piece did beside the source, which has it. `served`: it had taken the piece over, and what
 * it took is lost. `forgotten`: it was restarted and cannot say. `unheard`: it did not answer. Null: nothing.
 */
export type Beside = 'served' | 'forgotten' | 'unheard' | null;

export type Migration =
  | {
      readonly kind: 'success';
      /** The target's sequence, read after it; null: it did not say. */
      readonly goal: Sequence | null;
      /** From MIGRATE's being sent to its reply; null: nobody heard that. */
      readonly took: Duration | null;
      /** The source has taken the slots back since: it was restarted, or somebody else told it a topology. */
      readonly undone: 'restart' | 'push' | null;
    }
  | {
      readonly kind: 'failed';
      readonly why: string;
      /** MIGRATE was sent: the target may serve the slots until it is told a version above. */
      readonly sent: boolean;
      readonly beside: Beside;
    }
  /** The reply got lost, and nobody can tell yet: whose word is waited for. */
  | { readonly kind: 'unsettled'; readonly waitsFor: 'job' | 'source' | 'target' };

/** Defaults of detection, in milliseconds unless said. */
export const DETECTION = {
  decideAfter: 600,
  /** Facts older than this decide nothing. */
  fresh: 250,
  /** By then a decision is sent, so that the promotion takes writes after a second and not after two. */
  decideBy: 900,
  /** Other controllers are waited for so long from the first miss. */
  peersWithin: 500,
  witnessWithin: 10_000,
  /** A replica that lost its link so long before our own connection ended has seen the same end. */
  sameBreak: 2_000,
  /** Between two stored floors, while the master writes. */
  floorEvery: 10_000,
  /** Seconds of a replica's silence that count as not hearing its master: a healthy link shows up to 3. */
  witnessSilence: 4,
  graceMaster: 2_000,
  graceReplica: 12_000,
} as const;

/** What the other controllers see of a master that this one misses. */
export interface PeersView {
  /** Those whose newest answer is to a question sent since the break, and no older than a second: how many reach it. */
  readonly alive: number;
  /** And how many do not, whether they were refused or had no answer. */
  readonly gone: number;
  /** Those that are known and have not answered since the break. */
  readonly outstanding: number;
}

/** A failover whose commit took so long that its master may have come back: nobody was told of it yet. */
export interface LateCommit {
  /** When the commit was known to have happened. */
  readonly acceptedAt: Instant;
  /** The shard as it was committed before. */
  readonly before: Shard;
}

export interface World {
  readonly intended: Intended;
  readonly view: (node: NodeId) => NodeView | undefined;
  readonly trace: (operation: OperationId) => Trace | undefined;
  /** When the failover that damps this shard was committed; `watchingSince` where it was found in the store. */
  readonly dampedSince: (shard: ShardId) => Instant;
  /** So much fell silent at once that this process takes itself for the one that is cut off. */
  readonly brake: boolean;
  readonly peers: (shard: ShardId) => PeersView;
  /** When a version was last committed to tell this node anew what it has but does not do; -Infinity if never. */
  readonly toldAgainAt: (node: NodeId) => Instant;
  /** Set for as long as nobody was told; a process that did not make the commit has none. */
  readonly lateCommit: (shard: ShardId) => LateCommit | undefined;
  /** What jobs have found out about a node. */
  readonly found: (node: NodeId) => Found | undefined;
  /** A random text that no other commit has, for what a decision has to name. */
  readonly fresh: string;
  /** Since when this process has watched this cluster. */
  readonly watchingSince: Instant;
  /** Answers to questions sent before this are not believed: this process stalled until then. */
  readonly trustFrom: Instant;
  /** The cluster's settings, the process' own where it has none. */
  readonly policy: ClusterSettings;
  readonly now: Instant;
  /** Milliseconds since 1970, for records only. */
  readonly wall: number;
}

/** A decision's next word: a change to commit, with what to tell people about it. */
export interface Proposal {
  readonly next: Intended;
  readonly events: readonly Happening[];
  /** Nodes for whose sake it is a new version, though their text is the same. */
  readonly again?: readonly NodeId[];
  /** Masters that it replaces since they crashed: where the commit takes too long they are asked once more. */
  readonly crashes?: readonly { readonly shard: ShardId; readonly brokeAt: Instant }[];
}

/** An event that is not stored yet: without id, time and version. */
export interface Happening {
  readonly kind: string;
  readonly message: string;
  readonly by: string;
  readonly shard?: string;
  readonly node?: string;
  readonly evidence?: unknown;
}

/** The soonest of the instants at which a decision may turn out otherwise though nothing new was seen. */
export const soonest = (...instants: readonly (Instant | undefined)[]): Instant | undefined =>
  instants.reduce((least, at) => (at !== undefined && (least === undefined || at < least) ? at : least), undefined);
