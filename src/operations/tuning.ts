/** Settings of servers that a cluster's moves have changed, and what each had before: stored before anything is sent. */
import type { NodeId } from '../topology/ids.ts';
import type { ClusterSettings } from './settings.ts';

/** By their names in CONFIG. */
export const SPEEDS = {
  'migrate-speed': 'migrateSpeed',
  'migrate-batch-rate-limit-mb': 'migrateRateLimit',
} as const satisfies Readonly<Record<string, keyof ClusterSettings>>;

export type SpeedName = keyof typeof SPEEDS;
const isSpeedName = (name: string): name is SpeedName => Object.hasOwn(SPEEDS, name);
export const SPEED_NAMES: readonly SpeedName[] = Object.keys(SPEEDS).filter(isSpeedName);

export interface Tuned {
  readonly node: NodeId;
  readonly name: SpeedName;
  /** What it gets back. */
  readonly was: number;
  readonly set: number;
  /** What was set before that, and may still be: it is not known yet whether the server has heard; null: nothing. */
  readonly over: number | null;
}
