import { classifyError, type NodeError } from '../errors.ts';
import { garbled, type Question, type Read, readOk, readText, reply, transaction } from '../question.ts';
import type { Reply } from '../resp.ts';
import { type InfoReplication, parseInfoReplication } from './info-replication.ts';
import { setNodeIdArguments, setNodesArguments } from './set-nodes.ts';

export interface OneBreath {
  /** What SETNODES (and SETNODEID) answered; `replication` is there all the same. */
  readonly result: 'ok' | NodeError;
  /** Right before the change: no client's command ran between the two. */
  readonly before: InfoReplication;
  /** Right after the change. Of a node that was made a replica it may hold what its new master sent meanwhile. */
  readonly replication: InfoReplication;
}

/**
 * `MULTI; INFO replication; CLUSTERX SETNODES; INFO replication; EXEC`: tells the topology and reads the sequence at
 * that very moment: exact at a promotion (with `use-rsid-psync yes` the server writes one more entry right after it),
 * exact and final at a drain. A node that is made a replica begins to follow inside SETNODES: of a master the first
 * answer is the number that it was attached at, the second one may be beyond it. A replica goes on applying what its
 * old master sends for up to 100 ms inside SETNODES: the number that it was attached at lies between the two (2.14:
 * 4,550 and 6,893). With `id`, SETNODEID stands behind SETNODES.
 *
 * Never for the source of a finished move: inside EXEC the server cannot delete what was moved away, answers OK, and
 * the old values come back with the slots.
 *
 * An equal version answers OK without effect; then `replication` is simply of now. A late or repeated copy is as
 * harmless as that of SETNODES, and its `replication` must not be taken for that of the first.
 */
export function setNodesInOneBreath(text: string, version: number, id?: string): Question<OneBreath> {
  const info = ['INFO', 'replication'];
  const told = [setNodesArguments(text, version)];
  if (id !== undefined) told.push(setNodeIdArguments(id));
  return transaction([info, ...told, info], (replies) => {
    const before = readInfo(replies[0]);
    if (before.kind !== 'reply') return before;
    const replication = readInfo(replies.at(-1));
    if (replication.kind !== 'reply') return replication;
    let result: OneBreath['result'] = 'ok';
    for (const got of replies.slice(1, -1)) {
      const read = readOk(got);
      if (read.kind === 'garbled') return garbled('SETNODES: neither OK nor an error');
      if (read.kind === 'error' && result === 'ok') result = read.error;
    }
    return reply({ result, before: before.value, replication: replication.value });
  });
}

function readInfo(got: Reply | undefined): Read<InfoReplication> {
  if (got?.kind === 'error') return { kind: 'error', error: classifyError(got.text) };
  const text = got && readText(got);
  return text === undefined ? garbled('INFO replication: no text') : parseInfoReplication(text);
}
