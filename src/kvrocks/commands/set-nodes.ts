import { type Question, question, readOk, transaction } from '../question.ts';

/**
 * `CLUSTERX SETNODES`: the whole topology, `text` with a node a line, `version` from 0. Plain, never in a transaction:
 * this is the form for a node that has moved slots away, since inside EXEC the server cannot delete what was moved.
 *
 * An OK proves nothing: of an equal version the text is not even parsed. Nor does an error: if nodes.conf cannot be
 * written the topology is applied all the same. Read back what is in force. It stops the whole node while it ends a
 * replication, for seconds at worst: give it a long timeout.
 *
 * A late or repeated copy is harmless: once the node has this or a higher version it is ignored or refused. So a
 * version must stand for one text only. `force` is not offered: it would undo that.
 */
export function setNodes(text: string, version: number): Question<'ok'> {
  return question(setNodesArguments(text, version), readOk);
}

/**
 * The same with the node's id, for a node that has none or the wrong one: `SETNODES`, then `SETNODEID`, in one
 * transaction. In the other order a kill in between leaves a node that does not start again.
 *
 * A late or repeated copy: SETNODES does nothing, as above, but SETNODEID renames the node each time. So only for a
 * node that is to have this id for good.
 */
export function setNodesAndId(text: string, version: number, id: string): Question<'ok'> {
  return transaction([setNodesArguments(text, version), setNodeIdArguments(id)], (replies) => {
    for (const got of replies) {
      const read = readOk(got);
      if (read.kind !== 'reply') return read;
    }
    return { kind: 'reply', value: 'ok' };
  });
}

export function setNodesArguments(text: string, version: number): readonly string[] {
  return ['CLUSTERX', 'SETNODES', text, `${version}`];
}

/** 40 bytes of anything; any other length is answered with the usage text. */
export function setNodeIdArguments(id: string): readonly string[] {
  return ['CLUSTERX', 'SETNODEID', id];
}
