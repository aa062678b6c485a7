import { command, group } from '../command.ts';
import { Failure, usage } from '../exit.ts';
import { CLUSTER } from '../lookup.ts';
import { MOMENT_RULE, parseMoment } from '../moments.ts';
import { moment, plain } from '../render/text.ts';
import type { Place, Session } from '../session.ts';
import { forceReset, forceSync, ifVersion, noWait, password, pauseFor, pauseUntil, yes } from '../settings.ts';
import { nodesKnow, waitFor } from '../waiting.ts';
import { setNode } from './node-set.ts';
import { readmit } from './readmit.ts';

/** Milliseconds since 1970; undefined for a pause without end. */
function pauseEnd(session: Session): number | undefined {
  const now = session.io.clock.wall();
  const span = session.get(pauseFor);
  const text = session.get(pauseUntil);
  if (text === undefined) return span === undefined ? undefined : Math.round(now + span);
  if (span !== undefined) throw usage('both --for and --until are given; allowed: one of them');
  const until = parseMoment(text, now);
  if (until === undefined) throw usage(`until: got "${text}"; allowed: ${MOMENT_RULE}`);
  if (until <= now) throw usage(`until: ${moment(until)} is past; it is ${moment(now)}`);
  return until;
}

export const pause = command({
  names: ['pause'],
  args: '[cluster]',
  about: 'Have the controller change nothing in a cluster by itself, for a while or until resumed',
  settings: [pauseFor, pauseUntil, ifVersion],
  examples: ['kvctl pause c1 -n ns --for 2h', 'kvctl pause c1 -n ns --until 2026-11-25T03:00Z'],
  run: async (session) => {
    const place = session.place(session.args[0]);
    const until = pauseEnd(session);
    const data = await session.ask(
      session.api.POST(`${CLUSTER}/pause`, {
        params: { path: place, header: session.writing.header },
        body: until === undefined ? {} : { until },
      }),
    );
    const end = until === undefined ? '' : `, until ${moment(until)}`;
    session.show(data, `pause cluster: ${place.cluster} successfully${end}.\n`);
  },
});

export const resume = command({
  names: ['resume'],
  args: '[cluster]',
  about: 'End a pause',
  settings: [ifVersion, noWait],
  run: async (session) => {
    const place = session.place(session.args[0]);
    const { query, header } = session.writing;
    const data = await session.ask(
      session.api.POST(`${CLUSTER}/resume`, { params: { path: place, query, header }, body: {} }),
    );
    session.show(data, `resume cluster: ${place.cluster} successfully.\n`);
    await waitFor(session, place, nodesKnow);
  },
});

export const sync = command({
  names: ['sync'],
  args: '[cluster]',
  about: 'Read every node of a cluster again now, and heal what differs',
  settings: [forceSync, ifVersion, noWait],
  run: async (session) => {
    const place = session.place(session.args[0]);
    const { query, header } = session.writing;
    const data = await session.ask(
      session.api.POST(`${CLUSTER}/sync`, {
        params: { path: place, query, header },
        body: session.get(forceSync) ? { force: true } : {},
      }),
    );
    session.show(data, `sync cluster: ${place.cluster} successfully.\n`);
    await waitFor(session, place, nodesKnow);
  },
});

/** The id of a node that is listed or leaving, by its id or address. */
async function knownNode(session: Session, place: Place, text: string): Promise<string> {
  const status = await session.ask(session.api.GET(`${CLUSTER}/status`, { params: { path: place } }));
  const all = [...status.leaving, ...status.shards.flatMap(({ nodes }) => nodes)];
  const node = all.find(({ id, addr }) => id === text || addr === text);
  if (node !== undefined) return node.id;
  throw new Failure('missing', `cluster ${place.cluster} has no node ${plain(text)}`);
}

const forget = command({
  names: ['forget'],
  args: '<node>',
  about: 'Give up a leaving node that cannot be told, or drop an away node without telling it',
  settings: [yes, ifVersion],
  run: async (session) => {
    const place = session.place();
    const node = await knownNode(session, place, session.arg(0));
    await session.confirm(`Node ${node} is forgotten without being told. Continue?`);
    const params = { path: { ...place, node }, header: session.writing.header };
    const data = await session.ask(session.api.POST(`${CLUSTER}/nodes/{node}/forget`, { params, body: {} }));
    session.show(data, `forget node: ${node} successfully.\n`);
  },
});

const resetNode = command({
  names: ['reset'],
  args: '<address>',
  about: 'Empty a node that no cluster claims, or an away node: fence, flush, reset',
  settings: [password, forceReset, yes],
  examples: ['kvctl node reset 127.0.0.1:7009'],
  run: async (session) => {
    const addr = session.arg(0);
    await session.confirm(`Node ${addr} LOSES ALL ITS DATA. Continue?`);
    const data = await session.ask(
      session.api.POST('/api/v1/nodes/reset', {
        body: {
          addr,
          password: session.get(password).reveal(),
          ...(session.get(forceReset) && { force: true }),
        },
      }),
    );
    session.show(data, `reset node: ${addr} successfully.\n`);
  },
});

export const node = group(
  ['node'],
  'Say what is special about a node; let back, give up or empty one that is out of its cluster',
  setNode,
  readmit,
  forget,
  resetNode,
);
