import { classifyError } from '../errors.ts';
import { garbled, type Question, question, reply } from '../question.ts';
import { encodeCommand } from '../resp.ts';

/**
 * `PUBLISH`, `times` times in one pipeline (up to some 10,000: each brings a reply): touches no key and raises the
 * sequence of a master, a fenced one too, by one each. For a node that is to be copied whole.
 *
 * A late or repeated copy raises it further, and subscribers of that channel hear it again. On a fenced node that is
 * harmless while a full copy is under way; on any other node it is an entry of its own, and one of another history if
 * the node is to follow. So only to a node that the same operation has fenced.
 */
export function publish(channel: string, message: string, times: number): Question<number> {
  return {
    bytes: encodeCommand(['PUBLISH', channel, message]).repeat(times),
    replies: times,
    read: (replies) => {
      for (const got of replies) {
        if (got.kind === 'error') return { kind: 'error', error: classifyError(got.text) };
        if (got.kind !== 'integer') return garbled('PUBLISH: no number');
      }
      return reply(replies.length);
    },
  };
}

/**
 * `MPUBLISH`, one message `times` times in one command: raises the sequence by `times`, faster than PUBLISH. `usage` on
 * servers that do not have it. A late or repeated copy does what one of PUBLISH does.
 */
export function publishMany(channel: string, message: string, times: number): Question<number> {
  const messages = new Array<string>(times).fill(message);
  return question(['MPUBLISH', channel, ...messages], (got) =>
    got.kind === 'integer' ? reply(times) : garbled('MPUBLISH: no number'),
  );
}
