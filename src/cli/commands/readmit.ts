import { command } from '../command.ts';
import { usage } from '../exit.ts';
import { CLUSTER, clusterAt, findNode } from '../lookup.ts';
import { emptied, forceReadmit, ifVersion, noWait, yes } from '../settings.ts';
import { nodesKnow, waitFor } from '../waiting.ts';

export const readmit = command({
  names: ['readmit'],
  args: '<node>',
  about:
    'Let back a node that is kept out: what it alone holds is saved, and it is copied whole from its master; or a master that lost its data, as it is',
  settings: [forceReadmit, emptied, yes, ifVersion, noWait],
  examples: [
    'kvctl node readmit 10.0.0.2:6666 -n ns -c c1',
    'kvctl node readmit 10.0.0.2:6666 -n ns -c c1 --force',
    'kvctl node readmit 10.0.0.1:6666 -n ns -c c1 --empty',
  ],
  run: async (session) => {
    const place = session.place();
    const force = session.get(forceReadmit);
    const empty = session.get(emptied);
    if (force && empty) throw usage('both --force and --empty are given; allowed: one of them');
    const { node } = findNode(await clusterAt(session, place), session.arg(0));
    if (force) await session.confirm(`What node ${node.addr} alone holds is LOST where it cannot be saved. Continue?`);
    if (empty)
      await session.confirm(
        `What the shard of ${node.addr} held is GIVEN UP: its master goes on without it. Continue?`,
      );
    const params = { path: { ...place, node: node.id }, ...session.writing };
    const data = await session.ask(
      session.api.POST(`${CLUSTER}/nodes/{node}/readmit`, {
        params,
        body: { ...(force && { force }), ...(empty && { empty }) },
      }),
    );
    const how = empty ? '' : '; kvctl status tells how far it is';
    session.show(data, `readmit node: ${node.id} successfully${how}.\n`);
    if (empty) await waitFor(session, place, nodesKnow);
  },
});
