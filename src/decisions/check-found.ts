/** What a check says of one thing that is not as it should be. */
import { NO_SLOTS, type SlotSet } from '../topology/slots.ts';
import type { Finding } from './problems.ts';
import type { Remedy } from './remedies.ts';

/** As `Finding`, but a `note` asks for nothing: it only says what else was seen, or was not looked at. */
export interface Found extends Omit<Finding, 'severity'> {
  readonly severity: Finding['severity'] | 'note';
  readonly slots: SlotSet;
  /** What was seen, point by point. */
  readonly evidence: readonly string[];
  readonly remedy: Remedy | null;
}

export const NOTHING_MORE = { slots: NO_SLOTS, evidence: [], remedy: null } as const;
