import { classifyError, type NodeError } from '../errors.ts';
import { garbled, type Question, readOk, readText, reply, transaction } from '../question.ts';
import { type InfoReplication, parseInfoReplication } from './info-replication.ts';
import { setNodeIdArguments, setNodesArguments } from './set-nodes.ts';

export interface OneBreath {
  /** What SETNODES (and SETNODEID) answered; `replication` is there all the same. */
  readonly result: 'ok' | NodeError;
  /** At the very moment of the change: no client's command ran between the two. */
  readonly replication: InfoReplication;
}

/**
 * `MULTI; CLUSTERX SETNODES; INFO replication; EXEC`: tells the topology and reads the sequence at that very moment:
 * exact at a promotion (with `use-rsid-psync yes` the server writes one more entry right after it), exact and final at
 * a drain. With `id`, SETNODEID stands between the two.
 *
 * Never for the source of a finished move: inside EXEC the server cannot delete what was moved away, answers OK, and
 * the old values come back with the slots.
 *
 * An equal version answers OK without effect; then `replication` is simply of now. A late or repeated copy is as
 * harmless as that of SETNODES, and its `replication` must not be taken for that of the first.
 */
export function setNodesInOneBreath(text: string, version: number, id?: string): Question<OneBreath> {
  const commands = [setNodesArguments(text, version)];
  if (id !== undefined) commands.push(setNodeIdArguments(id));
  commands.push(['INFO', 'replication']);
  return transaction(commands, (replies) => {
    const info = replies.at(-1);
    if (info?.kind === 'error') return { kind: 'error', error: classifyError(info.text) };
    const text = info && readText(info);
    if (text === undefined) return garbled('INFO replication: no text');
    const replication = parseInfoReplication(text);
    if (replication.kind !== 'reply') return replication;
    let result: OneBreath['result'] = 'ok';
    for (const got of replies.slice(0, -1)) {
      const read = readOk(got);
      if (read.kind === 'garbled') return garbled('SETNODES: neither OK nor an error');
      if (read.kind === 'error' && result === 'ok') result = read.error;
    }
    return reply({ result, replication: replication.value });
  });
}
