import { garbled, type Question, reply, transaction } from '../question.ts';

/** Messages in one MPUBLISH of it. */
const TOGETHER = 1_000;

/** Steps of one `raiseInOne`: 12 kB to send, and half a second of the node's time at the most (2.14). */
export const MOST_IN_ONE = 100_000;

/**
 * Raises the sequence of a master, a fenced one too, by `steps` (cut to 1 to 100,000) that are one entry of its log,
 * and touches no key: MPUBLISH in MULTI. What lies behind that entry is found again by reading one entry and not as
 * many as there are steps. Answers the steps taken; `usage` on a server without MPUBLISH.
 *
 * All else is as for `raiseSequence`: never but to a node that the same operation has fenced.
 */
export function raiseInOne(channel: string, steps: number): Question<number> {
  const count = Math.max(1, Math.min(Math.floor(steps), MOST_IN_ONE));
  const commands: string[][] = [];
  for (let left = count; left > 0; left -= TOGETHER)
    commands.push(['MPUBLISH', channel, ...new Array<string>(Math.min(left, TOGETHER)).fill('')]);
  return transaction(commands, (replies) =>
    replies.every((got) => got.kind === 'integer') ? reply(count) : garbled('MPUBLISH: no number'),
  );
}
