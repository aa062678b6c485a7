/** What a check and a fix answer. */
import type { ClusterStatus } from './status.ts';

export interface FixView {
  /** What would be done, step by step. */
  readonly steps: readonly string[];
  /** What is lost by it, so that it is only done with `force`; null: nothing. */
  readonly costs: string | null;
}

export interface CheckFindingView {
  /** Names it, as `POST .../fix` takes it. */
  readonly key: string;
  /** A constant word; those of the status among them. */
  readonly code: string;
  /** A `note` asks for nothing. */
  readonly severity: 'note' | 'warning' | 'error';
  readonly shard: string | null;
  readonly node: string | null;
  /** Null where it is about none. */
  readonly slots: readonly string[] | null;
  readonly message: string;
  /** What was seen, point by point. */
  readonly evidence: readonly string[];
  readonly waiting_for: string | null;
  /** What `fix` would do about it; null: nothing that it could. */
  readonly fix: FixView | null;
  /** Another command that mends it or tells more; null: none. */
  readonly command: string | null;
}

export interface CheckView {
  readonly namespace: string;
  readonly cluster: string;
  readonly version: number;
  readonly state: ClusterStatus['state'];
  readonly paused: ClusterStatus['paused'];
  /** Errors first. */
  readonly findings: readonly CheckFindingView[];
  /** How far it went beyond what the status knows. */
  readonly looked: {
    /** Nodes whose topology was read now. */
    readonly nodes: number;
    /** Masters whose keys were all looked through. */
    readonly masters: number;
    readonly keys: number;
  };
}

export interface FixResult {
  /** Nothing was changed. */
  readonly dry_run: boolean;
  /** As it was found before. */
  readonly finding: CheckFindingView;
  /** Why it is not done, or would not be if it were asked for like this; null: it is, or would be. */
  readonly refused: string | null;
  /** It was not found any more afterwards; null with `dry_run`. */
  readonly mended: boolean | null;
  /** As it is found now; null where it is not any more, and with `dry_run`. */
  readonly left: CheckFindingView | null;
}
