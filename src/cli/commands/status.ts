import { command } from '../command.ts';
import { Failure } from '../exit.ts';
import { CLUSTER } from '../lookup.ts';
import { overviewText, statusText } from '../render/status.ts';
import type { ClusterStatus, Place, Session } from '../session.ts';
import { cluster, namespace, watch } from '../settings.ts';
import { showOrWatch, type View } from '../watching.ts';

const statusAt = (session: Session, place: Place): Promise<ClusterStatus> =>
  session.ask(session.api.GET(`${CLUSTER}/status`, { params: { path: place } }));

async function one(session: Session, place: Place): Promise<View> {
  const data = await statusAt(session, place);
  return { data, text: statusText(data, session.io.clock.wall()) };
}

/** Every cluster of the namespace, or of all; one after the other, since a thousand at once would be a burden. */
async function overview(session: Session, only: string | undefined): Promise<View> {
  const { api } = session;
  const namespaces =
    only === undefined ? (await session.ask(api.GET('/api/v1/namespaces'))).namespaces : [session.namespace()];
  const data: ClusterStatus[] = [];
  for (const name of namespaces) {
    const params = { path: { namespace: name } };
    const { clusters } = await session.ask(api.GET('/api/v1/namespaces/{namespace}/clusters', { params }));
    for (const each of clusters) {
      const status = await unlessGone(statusAt(session, { namespace: name, cluster: each }));
      if (status !== undefined) data.push(status);
    }
  }
  return { data, text: data.length === 0 ? 'There are no clusters.\n' : overviewText(data) };
}

/** Undefined for a cluster that was deleted since it was listed. */
async function unlessGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Failure && error.exit === 'missing') return undefined;
    throw error;
  }
}

export const status = command({
  names: ['status'],
  args: '[cluster]',
  about:
    'Show what the controller sees: nodes, problems and what mends them, operations; without a cluster, all of them',
  settings: [watch],
  examples: ['kvctl status', 'kvctl status c1 -n ns', 'kvctl status c1 -n ns --watch'],
  run: async (session) => {
    const named = session.args[0] ?? session.get(cluster);
    const place = named === undefined ? undefined : session.place(session.args[0]);
    await showOrWatch(session, () =>
      place === undefined ? overview(session, session.get(namespace)) : one(session, place),
    );
  },
});
