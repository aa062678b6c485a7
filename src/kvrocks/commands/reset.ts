import { type Question, question, readOk } from '../question.ts';

/**
 * `CLUSTER RESET`: version -1, no id, no slots, no replication, nodes.conf deleted. Refused on a node with keys (except
 * expired ones), and as `busy` during a move. HARD and SOFT are the same. It does not make a node fresh: its sequence
 * stays.
 *
 * A late copy forgets whatever topology the node has got meanwhile, if it holds no keys: an empty replica or a new
 * master would drop out of its cluster. So it is sent only to a node that the same operation has fenced, over a
 * connection that is closed when it does not answer.
 */
export function clusterReset(): Question<'ok'> {
  return question(['CLUSTER', 'RESET'], readOk);
}
