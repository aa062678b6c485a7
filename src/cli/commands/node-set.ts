import { command } from '../command.ts';
import { usage } from '../exit.ts';
import { clusterAt, findNode, SHARD } from '../lookup.ts';
import { failoverOff, failoverOn, ifVersion, newAddress, noWait, priority } from '../settings.ts';
import { nodesKnow, waitFor } from '../waiting.ts';

export const setNode = command({
  names: ['set'],
  args: '<node>',
  about: 'Change which replica is promoted first, or never, or where a node listens; named by its id or address',
  settings: [priority, failoverOn, failoverOff, newAddress, ifVersion, noWait],
  examples: [
    'kvctl node set 10.0.0.2:6666 --priority 200 -n ns -c c1',
    'kvctl node set 10.0.0.3:6666 --no-failover -n ns -c c1',
    'kvctl node set 10.0.0.4:6666 --addr 10.0.0.9:6666 -n ns -c c1',
  ],
  run: async (session) => {
    const place = session.place();
    const wanted = session.get(priority);
    const may = session.get(failoverOn);
    const mayNot = session.get(failoverOff);
    const addr = session.get(newAddress);
    if (wanted === undefined && !may && !mayNot && addr === undefined)
      throw usage(
        'nothing to change is named',
        'Name --priority <number>, --no-failover, --failover or --addr <address>',
      );
    const { node, shard } = findNode(await clusterAt(session, place), session.arg(0));
    const { query, header } = session.writing;
    const data = await session.ask(
      session.api.PATCH(`${SHARD}/nodes/{node}`, {
        params: { path: { ...place, shard: shard.id, node: node.id }, query, header },
        body: {
          ...(wanted !== undefined && { priority: wanted }),
          ...((may || mayNot) && { no_failover: mayNot }),
          ...(addr !== undefined && { addr }),
        },
      }),
    );
    session.show(data, `set node: ${node.id} successfully.\n`);
    if (addr !== undefined) await waitFor(session, place, nodesKnow);
  },
});
