import { command, group } from '../command.ts';
import { CLUSTER, clusterAt, findNode, findShard, SHARD } from '../lookup.ts';
import { counted } from '../render/text.ts';
import type { Session } from '../session.ts';
import { ifVersion, noWait, reset, shard, yes } from '../settings.ts';
import { nodesLeft, waitFor } from '../waiting.ts';

const CONTINUE = 'Continue?';

/** Query and headers of a deletion. */
function deleting(session: Session) {
  const { query, header } = session.writing;
  return { query: { ...query, ...(session.get(reset) && { reset: true }) }, header };
}

const fate = (session: Session, nodes: string): string =>
  session.get(reset) ? `${nodes} LOSE ALL THEIR DATA.` : `${nodes} keep their data.`;

const deleteNamespace = command({
  names: ['namespace', 'ns'],
  args: '<namespace>',
  about: 'Delete an empty namespace',
  settings: [yes],
  run: async (session) => {
    const namespace = session.arg(0);
    await session.confirm(`Namespace ${namespace} is deleted. ${CONTINUE}`);
    const data = await session.ask(
      session.api.DELETE('/api/v1/namespaces/{namespace}', { params: { path: { namespace } } }),
    );
    session.show(data, `delete namespace: ${namespace} successfully.\n`);
  },
});

const deleteCluster = command({
  names: ['cluster'],
  args: '<cluster>',
  about: 'Give up a cluster; its nodes keep their data unless --reset is given',
  settings: [reset, yes, ifVersion, noWait],
  run: async (session) => {
    const place = session.place(session.arg(0));
    await session.confirm(`Cluster ${place.cluster} is deleted; ${fate(session, 'its nodes')} ${CONTINUE}`);
    const data = await session.ask(session.api.DELETE(CLUSTER, { params: { path: place, ...deleting(session) } }));
    session.show(data, `delete cluster: ${place.cluster} successfully.\n`);
  },
});

const deleteShard = command({
  names: ['shard'],
  args: '<shard>',
  about: 'Delete a shard that owns no slots; its nodes keep their data unless --reset is given',
  settings: [reset, yes, ifVersion, noWait],
  run: async (session) => {
    const place = session.place();
    const { shard: found, index } = findShard(await clusterAt(session, place), session.arg(0));
    const nodes = counted(found.nodes.length, 'node');
    await session.confirm(`Shard ${index} (${found.id}) is deleted; ${fate(session, `its ${nodes}`)} ${CONTINUE}`);
    const path = { ...place, shard: found.id };
    const data = await session.ask(session.api.DELETE(SHARD, { params: { path, ...deleting(session) } }));
    session.show(data, `delete shard: ${session.arg(0)} successfully.\n`);
    await waitFor(session, place, nodesLeft(found.nodes.map(({ id }) => id)));
  },
});

const deleteNode = command({
  names: ['node'],
  args: '<node>',
  about: 'Remove a replica, named by its id or address; it keeps its data unless --reset is given',
  settings: [shard, reset, yes, ifVersion, noWait],
  run: async (session) => {
    const place = session.place();
    const found = findNode(await clusterAt(session, place), session.arg(0), session.get(shard));
    const { id, addr } = found.node;
    const data = session.get(reset) ? 'it LOSES ALL ITS DATA.' : 'it keeps its data.';
    await session.confirm(`Node ${id} (${addr}) leaves shard ${found.index}; ${data} ${CONTINUE}`);
    const path = { ...place, shard: found.shard.id, node: id };
    const answer = await session.ask(
      session.api.DELETE(`${SHARD}/nodes/{node}`, { params: { path, ...deleting(session) } }),
    );
    session.show(answer, `delete node: ${id} successfully.\n`);
    await waitFor(session, place, nodesLeft([id]));
  },
});

export const deletion = group(
  ['delete'],
  'Delete a namespace, cluster, shard or node',
  deleteNamespace,
  deleteCluster,
  deleteShard,
  deleteNode,
);
