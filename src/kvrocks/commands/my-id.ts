import { garbled, type Question, question, readText, reply } from '../question.ts';

/**
 * `CLUSTERX MYID`: 40 characters of anything, or empty on a node that has none yet. It tells whether the node at an
 * address is still the one that was there. A late or repeated copy changes nothing.
 */
export function myId(): Question<string> {
  return question(['CLUSTERX', 'MYID'], (got) => {
    const id = readText(got);
    return id !== undefined && (id.length === 40 || id.length === 0) ? reply(id) : garbled('MYID: no node id');
  });
}
