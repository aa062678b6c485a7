/** Growing and shrinking: each run goes on from where the cluster is, so a command that was ended is run again. */
import { line } from '../client/refusals.ts';
import { command, group, groupAround } from '../command.ts';
import { Failure, usage } from '../exit.ts';
import { clusterAt, findShard, SHARD, SHARDS } from '../lookup.ts';
import { type Balance, rebalance } from '../plans.ts';
import { counted, plain } from '../render/text.ts';
import type { Cluster, Place, Session } from '../session.ts';
import {
  forceNodes,
  ifVersion,
  nodes,
  noWait,
  password,
  planOnly,
  replica,
  reset,
  slotsPerMove,
  weights,
  yes,
} from '../settings.ts';
import { nodesKnow, nodesLeft, waitFor } from '../waiting.ts';

function balanceOf(session: Session, cluster: Cluster, drain: readonly string[] = []): Balance {
  const weighed = session
    .get(weights)
    .map(({ shard, weight }) => [findShard(cluster, shard).shard.id, weight] as const);
  const size = session.get(slotsPerMove);
  return {
    ...(weighed.length > 0 && { weights: Object.fromEntries(weighed) }),
    ...(drain.length > 0 && { drain: [...drain] }),
    ...(size !== undefined && { slots_per_move: size }),
  };
}

export const rebalancing = groupAround(
  ['rebalance'],
  'Give each shard its share of the slots',
  command({
    names: ['cluster'],
    args: '[cluster]',
    about:
      'Give each shard its share of the slots, with the fewest slots moved: the plan is shown, asked for, run and watched; slots that nobody owns are given away',
    settings: [weights, slotsPerMove, planOnly, yes, ifVersion, noWait],
    examples: ['kvctl rebalance c1 -n ns --dry-run', 'kvctl rebalance c1 -n ns --weight 0=2 --weight 3=0.5'],
    run: async (session) => {
      const place = session.place(session.args[0]);
      const balance = balanceOf(session, await clusterAt(session, place));
      await rebalance(session, place, balance, { version: session.get(ifVersion) });
    },
  }),
);

export const drain = group(
  ['drain'],
  'Move all slots away from a shard',
  command({
    names: ['shard'],
    args: '<shard>',
    about: 'Move all slots of a shard to the others, which keep their proportions; it stays, empty',
    settings: [weights, slotsPerMove, planOnly, yes, ifVersion, noWait],
    examples: ['kvctl drain shard 3 -n ns -c c1', 'kvctl drain shard sh-4fY2kQ81aZx0 -n ns -c c1 --dry-run'],
    run: async (session) => {
      const place = session.place();
      const cluster = await clusterAt(session, place);
      const { shard } = findShard(cluster, session.arg(0));
      const balance = balanceOf(session, cluster, [shard.id]);
      await rebalance(session, place, balance, { version: session.get(ifVersion) });
    },
  }),
);

/** The nodes of each new shard; the first of a group is the master. */
function groupsOf(session: Session): readonly (readonly string[])[] {
  const all = session.get(nodes);
  const each = Math.max(1, session.get(replica));
  if (all.length === 0) throw usage('the nodes are missing', 'Name them with --nodes <addresses>');
  if (all.length % each !== 0)
    throw usage(
      `${counted(all.length, 'node')} make no whole shards of ${each}`,
      'Name as many as --replica says for each shard, the master first',
    );
  return Array.from({ length: all.length / each }, (_, i) => all.slice(i * each, (i + 1) * each));
}

/** A group that is a shard already was added by an earlier run. Resolves with whether any was not. */
async function addShards(session: Session, place: Place): Promise<boolean> {
  let added = false;
  for (const group of groupsOf(session)) {
    const { shards } = await clusterAt(session, place);
    const addresses = shards.map((shard) => shard.nodes.map(({ addr }) => addr));
    if (addresses.some((known) => group.every((addr) => known.includes(addr)))) {
      session.note(plain(`${group.join(', ')}: a shard already`));
      continue;
    }
    const force = session.get(forceNodes);
    const body = { nodes: [...group], password: session.get(password).reveal(), ...(force && { force: true }) };
    const { query, header } = session.writing;
    // The version that was named is gone with the first one.
    const params = { path: place, query, ...(!added && { header }) };
    await session.ask(session.api.POST(SHARDS, { params, body }));
    added = true;
    session.note(plain(`${group.join(', ')}: a new shard`));
    await waitFor(session, place, nodesKnow);
  }
  return added;
}

const out = command({
  names: ['out'],
  args: '[cluster]',
  about: 'Add shards of these nodes and give each shard its share of the slots; run again, it goes on where it was',
  settings: [nodes, replica, weights, slotsPerMove, password, forceNodes, planOnly, yes, noWait, ifVersion],
  examples: ['kvctl scale out c1 -n ns --nodes 10.0.0.7:6666,10.0.0.8:6666 --replica 2'],
  run: async (session) => {
    const place = session.place(session.args[0]);
    const groups = groupsOf(session);
    const cluster = await clusterAt(session, place);
    if (session.get(planOnly)) {
      const known = cluster.shards.flatMap((shard) => shard.nodes.map(({ addr }) => addr));
      const fresh = groups.filter((group) => !group.every((addr) => known.includes(addr)));
      const count = cluster.shards.length + fresh.length;
      const text = [
        ...fresh.map((group) => `a new shard: ${group.join(', ')}`),
        `each of ${counted(count, 'shard')} gets its share, about ${Math.round(16_384 / count)} slots`,
      ];
      session.show({ shards: fresh, count }, text.map((one) => `${plain(one)}\n`).join(''));
      return;
    }
    await session.confirm(`${counted(groups.length, 'shard')} added to ${place.cluster}. Continue?`);
    const version = (await addShards(session, place)) ? undefined : session.get(ifVersion);
    await rebalance(session, place, balanceOf(session, await clusterAt(session, place)), { version });
  },
});

const into = command({
  names: ['in'],
  args: '<shard>',
  about:
    'Move all slots of a shard to the others and delete it; its nodes keep their data unless --reset is given. Run again, it goes on where it was',
  settings: [reset, weights, slotsPerMove, planOnly, yes, noWait, ifVersion],
  examples: ['kvctl scale in sh-4fY2kQ81aZx0 -n ns -c c1', 'kvctl scale in 3 -n ns -c c1 --dry-run'],
  run: async (session) => {
    const place = session.place();
    const cluster = await clusterAt(session, place);
    const { shard, index } = findShard(cluster, session.arg(0));
    if (cluster.shards.length < 2)
      throw new Failure('refused', `shard ${index} is the only one of ${place.cluster}; its slots have nowhere to go`);
    // By its id: once it is deleted its place is another one's.
    const again = line(`scale in ${shard.id}${session.get(reset) ? ' --reset' : ''}`, place);
    const balance = balanceOf(session, cluster, [shard.id]);
    const nodesOf = counted(shard.nodes.length, 'node');
    const fate = session.get(reset) ? 'LOSE ALL THEIR DATA' : 'keep their data';
    // Asked once, before what takes long.
    const question = `Move them, then delete shard ${shard.id}? Its ${nodesOf} ${fate}.`;
    const asked = await rebalance(session, place, balance, { version: session.get(ifVersion), again, question });
    if (session.get(planOnly)) return;
    const now = findShard(await clusterAt(session, place), shard.id).shard;
    if (session.get(noWait) && now.slot_ranges !== null)
      throw new Failure('unknown', `shard ${shard.id} is not deleted before its slots have moved`, {
        next: `Run this once they have: ${again}`,
      });
    if (!asked) await session.confirm(`Shard ${shard.id} is deleted; its ${nodesOf} ${fate}. Continue?`);
    const path = { ...place, shard: shard.id };
    const query = session.get(reset) ? { reset: true } : {};
    const data = await session.ask(session.api.DELETE(SHARD, { params: { path, query } }));
    session.show(data, `delete shard: ${shard.id} successfully.\n`);
    await waitFor(session, place, nodesLeft(shard.nodes.map(({ id }) => id)));
  },
});

export const scale = group(['scale'], 'Add shards to a cluster, or take them away', out, into);
