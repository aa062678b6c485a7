import { command } from '../command.ts';
import { usage } from '../exit.ts';
import { clusterAt, findNode, SHARD } from '../lookup.ts';
import { failoverOff, failoverOn, ifVersion, priority } from '../settings.ts';

export const setNode = command({
  names: ['set'],
  args: '<node>',
  about: 'Change which replica is promoted first, or never; the node is named by its id or address',
  settings: [priority, failoverOn, failoverOff, ifVersion],
  examples: [
    'kvctl node set 10.0.0.2:6666 --priority 200 -n ns -c c1',
    'kvctl node set 10.0.0.3:6666 --no-failover -n ns -c c1',
  ],
  run: async (session) => {
    const place = session.place();
    const wanted = session.get(priority);
    const may = session.get(failoverOn);
    const mayNot = session.get(failoverOff);
    if (wanted === undefined && !may && !mayNot)
      throw usage('nothing to change is named', 'Name --priority <number>, --no-failover or --failover');
    const { node, shard } = findNode(await clusterAt(session, place), session.arg(0));
    const data = await session.ask(
      session.api.PATCH(`${SHARD}/nodes/{node}`, {
        params: { path: { ...place, shard: shard.id, node: node.id }, header: session.writing.header },
        body: {
          ...(wanted !== undefined && { priority: wanted }),
          ...((may || mayNot) && { no_failover: mayNot }),
        },
      }),
    );
    session.show(data, `set node: ${node.id} successfully.\n`);
  },
});
