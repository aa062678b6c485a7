import { type Question, question, readOk } from '../question.ts';

/**
 * `FLUSHALL`: deletes every key, and ends a running migration out of the node. A replica refuses it as `read-only`; a
 * fenced replica is a master and takes it. The sequence stays, and may rise by one.
 *
 * A late copy deletes whatever the node holds by then. So it is sent only to a node that the same operation has
 * fenced, over a connection that is closed when it does not answer, and the node is not given slots before the
 * outcome is known.
 */
export function flushAll(): Question<'ok'> {
  return question(['FLUSHALL'], readOk);
}
