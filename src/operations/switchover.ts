/**
 * A planned change of master that loses no acknowledged write. The old master alone is told a version in which it
 * owns nothing and the replica owns all of its slots: from then on no client write raises its sequence, and it goes
 * on feeding the replica. Once the replica has its last number, one commit decides: swapped or restored.
 *
 *   (checking) -> draining -> swapping  -> done
 *                          -> restoring -> restored
 *
 * A controller that finds `draining` in the store restores: whether the replica ever caught up was only known to
 * the one that died, and the replica has heard nothing. `swapping` goes only forward.
 */
import type { NodeId, Sequence, ShardId, Version } from '../topology/ids.ts';
import type { OperationId } from './intended.ts';

export type Switchover = {
  readonly kind: 'switchover';
  readonly id: OperationId;
  readonly shard: ShardId;
  /** The master that gives its slots up. */
  readonly from: NodeId;
  /** The replica that takes them. */
  readonly to: NodeId;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
} & (
  | { readonly phase: 'draining'; readonly version: Version }
  | { readonly phase: 'swapping'; readonly version: Version; readonly final: Sequence }
  | { readonly phase: 'restoring'; readonly version: Version; readonly because: string }
);

/** Bounds in milliseconds. Clients bounce between the two nodes meanwhile and give up from 30 ms on. */
export const SWITCHOVER_BOUNDS = {
  /** From the commit of the drained version to the old master's answer. */
  drain: 1_000,
  /** From that answer to the replica's having caught up. */
  catchUp: 50,
  /** From the commit of the swap to the replica's being master; past it the old master is put back by force. */
  promote: 3_000,
  /** From the commit of the restoration: an old master that does not answer by then is told when it comes back. */
  restore: 3_000,
} as const;

export type SwitchoverEvent =
  | { readonly kind: 'caught-up' }
  | {
      readonly kind: 'drain-failed' | 'catch-up-failed' | 'old-master-gone' | 'controller-changed';
      readonly why: string;
    }
  | { readonly kind: 'promoted' }
  | { readonly kind: 'promotion-failed'; readonly why: string }
  | { readonly kind: 'old-master-restored' };

export type SwitchoverStep = 'swap' | 'restore' | 'put-back' | 'finish' | 'finish-restored' | 'ignore';

/** Total on purpose: every phase answers every event. */
const steps: Record<Switchover['phase'], Record<SwitchoverEvent['kind'], SwitchoverStep>> = {
  draining: {
    'caught-up': 'swap',
    'drain-failed': 'restore',
    'catch-up-failed': 'restore',
    'old-master-gone': 'restore',
    'controller-changed': 'restore',
    promoted: 'ignore',
    'promotion-failed': 'ignore',
    'old-master-restored': 'ignore',
  },
  swapping: {
    'caught-up': 'ignore',
    'drain-failed': 'ignore',
    'catch-up-failed': 'ignore',
    'old-master-gone': 'ignore',
    'controller-changed': 'ignore',
    promoted: 'finish',
    'promotion-failed': 'put-back',
    'old-master-restored': 'ignore',
  },
  restoring: {
    'caught-up': 'ignore',
    'drain-failed': 'ignore',
    'catch-up-failed': 'ignore',
    'old-master-gone': 'finish-restored',
    'controller-changed': 'ignore',
    promoted: 'ignore',
    'promotion-failed': 'ignore',
    'old-master-restored': 'finish-restored',
  },
};

export const switchoverStep = (phase: Switchover['phase'], event: SwitchoverEvent['kind']): SwitchoverStep =>
  steps[phase][event];
