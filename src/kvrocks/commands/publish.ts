import { classifyError } from '../errors.ts';
import { garbled, type Question, question, reply } from '../question.ts';
import { encodeCommand } from '../resp.ts';

/** Steps of one `raiseSequence`: 60 kB to send, and the node (2.14) is busy with it for some 50 to 100 ms. */
export const MOST_STEPS = 10_000;

/**
 * Raises the sequence of a master, a fenced one too, by `steps` (cut to 1 to 10,000), each an entry of its own in its
 * log, and touches no key: one `MPUBLISH` with as many empty messages. Answers the number of steps taken. For a node
 * that is to be copied whole; several may be sent one behind the other.
 *
 * On 2.14, 2 cores: MPUBLISH 110,000 to 190,000 steps a second, PUBLISH in a pipeline 45,000 to 95,000 with twelve
 * times as many replies and bytes, so MPUBLISH. It came in August 2023; a server without it answers `usage`.
 *
 * A replica answers a number as well, tells its own subscribers and raises nothing: look at its sequence afterwards.
 * A late or repeated copy raises it further, and subscribers of that channel hear it again. On a fenced node that is
 * harmless while a full copy is under way; on any other node it is an entry of its own, and one of another history if
 * the node is to follow. So only to a node that the same operation has fenced.
 */
export function raiseSequence(channel: string, steps: number): Question<number> {
  const count = Math.max(1, Math.min(Math.floor(steps), MOST_STEPS));
  return question(['MPUBLISH', channel, ...new Array<string>(count).fill('')], (got) =>
    got.kind === 'integer' ? reply(count) : garbled('MPUBLISH: no number'),
  );
}

/**
 * The same by `PUBLISH`, in one pipeline that brings as many replies: for servers without MPUBLISH. All else that
 * `raiseSequence` says holds here.
 */
export function raiseSequenceByPublish(channel: string, steps: number): Question<number> {
  const count = Math.max(1, Math.min(Math.floor(steps), MOST_STEPS));
  return {
    bytes: encodeCommand(['PUBLISH', channel, '']).repeat(count),
    replies: count,
    read: (replies) => {
      for (const got of replies) {
        if (got.kind === 'error') return { kind: 'error', error: classifyError(got.text) };
        if (got.kind !== 'integer') return garbled('PUBLISH: no number');
      }
      return reply(replies.length);
    },
  };
}
