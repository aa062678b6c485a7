import { garbled, type Question, question, readOk, reply } from '../question.ts';
import { formatSpan, type SlotSpan } from './slot.ts';

/**
 * `CLUSTERX MIGRATE <range> <target id>` to the source's master. OK means accepted, nothing more: the outcome is in
 * CLUSTER INFO, which says `start` from the OK on.
 *
 * A late copy starts a second job: after the first has failed it is simply a retry; while one runs it is refused as
 * `busy`; after the slots were given away it is refused, since they belong to another. But after they have come back
 * it would move them again, deleting at the target what it holds of that range. So it is sent once for each stored
 * intent, over a connection that is closed when it does not answer.
 */
export function migrate(span: SlotSpan, targetId: string): Question<'accepted'> {
  return question(['CLUSTERX', 'MIGRATE', formatSpan(span), targetId], (got) => {
    const read = readOk(got);
    return read.kind === 'reply' ? reply('accepted') : read;
  });
}

/**
 * The same with `sync`: answered within a millisecond of the end, with the reason of a failure as an error. It blocks
 * this connection only, which must be one of its own, asked with a timeout that fits the job. `running`: the server's own
 * timeout (whole seconds, 0 for none) ran out. The job goes on then, and also when the connection closes.
 *
 * A late or repeated copy does what one of `migrate` does. After `success` INFO may say `start` for a moment, in which
 * the next job is refused as `busy`.
 */
export function migrateAndWait(span: SlotSpan, targetId: string, seconds = 0): Question<'success' | 'running'> {
  const timeout = seconds > 0 ? [`${Math.ceil(seconds)}`] : [];
  return question(['CLUSTERX', 'MIGRATE', formatSpan(span), targetId, 'sync', ...timeout], (got) => {
    if (got.kind === 'nil') return reply('running');
    return readOk(got).kind === 'reply' ? reply('success') : garbled('MIGRATE: neither OK nor nil');
  });
}
