import { command } from '../command.ts';
import { usage } from '../exit.ts';
import { CLUSTER, clusterAt, findShard, SHARD } from '../lookup.ts';
import { whyText } from '../render/why.ts';
import type { Session } from '../session.ts';
import { cluster, limit } from '../settings.ts';

/** `<cluster> <shard>`; with `-c` the shard alone; without a shard all of them. */
function named(session: Session): { readonly cluster: string | undefined; readonly shard: string | undefined } {
  const [first, second] = session.args;
  if (second === undefined && session.get(cluster) !== undefined) return { cluster: undefined, shard: first };
  return { cluster: first, shard: second };
}

export const why = command({
  names: ['why'],
  args: '[cluster] [shard]',
  about:
    'Show why a shard was failed over, or why not: what was seen, who was refused, what was waited for, what was done; the newest first',
  settings: [limit],
  examples: ['kvctl why c1 0 -n ns', 'kvctl why c1 -n ns --limit 5'],
  run: async (session) => {
    const asked = named(session);
    const place = session.place(asked.cluster);
    const most = session.get(limit);
    if (most !== undefined && most > 200) throw usage(`limit: got ${most}; allowed: 1 to 200`);
    const query = { ...(most !== undefined && { limit: `${most}` }) };
    const view = await clusterAt(session, place);
    const found = asked.shard === undefined ? undefined : findShard(view, asked.shard);
    const data =
      found === undefined
        ? await session.ask(session.api.GET(`${CLUSTER}/why`, { params: { path: place, query } }))
        : await session.ask(
            session.api.GET(`${SHARD}/why`, { params: { path: { ...place, shard: found.shard.id }, query } }),
          );
    session.show(data, whyText(view, data.evidence, found?.index));
  },
});
