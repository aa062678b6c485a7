import { garbled, type Question, question, readText, reply } from '../question.ts';

/**
 * `SCRIPT LOAD`: answers the script's SHA-1. A script with a fresh random text is the marker for a full copy: it is
 * gone when the whole database was replaced, and stays over everything else: feeding from the log, restarts, FLUSHALL.
 * A replica refuses it as `read-only`. It raises the node's sequence by one each time, so never on a node that is to be
 * fed from its master's log (sequence 0).
 *
 * A late or repeated copy raises the sequence again and, after the copy, puts the marker back: the copy then looks as if
 * it had not been whole. That errs on the safe side; take a new marker.
 */
export function scriptLoad(text: string): Question<string> {
  return question(['SCRIPT', 'LOAD', text], (got) => {
    const sha = readText(got);
    return sha !== undefined && /^[0-9a-f]{40}$/i.test(sha) ? reply(sha) : garbled('SCRIPT LOAD: no SHA-1');
  });
}

/** `SCRIPT EXISTS`, for one script; also answered by replicas. A late or repeated copy changes nothing. */
export function scriptExists(sha: string): Question<boolean> {
  return question(['SCRIPT', 'EXISTS', sha], (got) => {
    const first = got.kind === 'array' && got.items.length === 1 ? got.items[0] : undefined;
    if (first?.kind !== 'integer' || (first.value !== 0 && first.value !== 1))
      return garbled('SCRIPT EXISTS: no answer');
    return reply(first.value === 1);
  });
}
