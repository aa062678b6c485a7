/** Why a question was not answered, for people. */
import type { Outcome } from '../kvrocks/question.ts';

export function outcomeWords(outcome: Outcome<unknown>): string {
  switch (outcome.kind) {
    case 'reply':
      return 'it answered';
    case 'error':
      return `it answers ${outcome.error.text}`;
    case 'garbled':
      return outcome.why;
    case 'timeout':
      return 'it did not answer in time';
    case 'ended':
      return `the connection ended (${outcome.why.kind})`;
  }
}
