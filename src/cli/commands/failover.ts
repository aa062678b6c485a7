import type { components } from '../client/schema.gen.ts';
import { command, group } from '../command.ts';
import { Failure } from '../exit.ts';
import { clusterAt, type FoundShard, findNode, findShard, SHARD } from '../lookup.ts';
import { table } from '../render/table.ts';
import { plain } from '../render/text.ts';
import { dryRun, forceFailover, ifVersion, noWait, preferred } from '../settings.ts';
import { nodesKnow, waitFor } from '../waiting.ts';

type Plan = components['schemas']['FailoverPlan'];

function planText(plan: Plan, { shard, index }: FoundShard): string {
  const addressOf = (id: string) => shard.nodes.find((node) => node.id === id)?.addr ?? id;
  const verdict =
    plan.candidate === null
      ? `shard ${index}: no replica may be promoted at present`
      : `shard ${index}: ${addressOf(plan.candidate)} (${plan.candidate}) would be promoted`;
  const judged = table<Plan['judged'][number]>(
    [
      { title: 'ADDRESS', cell: ({ node }) => addressOf(node) },
      { title: 'SEQUENCE', cell: ({ sequence }) => sequence, right: true },
      {
        title: 'MAY BE PROMOTED',
        cell: ({ refusals }) => (refusals.length === 0 ? 'yes' : `no: ${refusals.join('; ')}`),
      },
      { title: 'ID', cell: ({ node }) => node },
    ],
    plan.judged,
  );
  return `${plain(verdict)}\nmaster: ${plain(addressOf(plan.master))} (${plain(plan.master)})\n\n${judged}`;
}

export const failover = group(
  ['failover'],
  'Make a replica the master of its shard',
  command({
    names: ['shard'],
    args: '<shard>',
    about: 'Make a replica the master of its shard: without loss where the master answers',
    settings: [preferred, forceFailover, dryRun, ifVersion, noWait],
    examples: ['kvctl failover shard 0 -n ns -c c1 --dry-run', 'kvctl failover shard 0 -n ns -c c1'],
    run: async (session) => {
      const place = session.place();
      const cluster = await clusterAt(session, place);
      const found = findShard(cluster, session.arg(0));
      const wanted = session.get(preferred);
      const node = wanted === undefined ? undefined : findNode(cluster, wanted, session.arg(0)).node;
      const { query, header } = session.writing;
      const rehearsal = session.get(dryRun);
      const data = await session.ask(
        session.api.POST(`${SHARD}/failover`, {
          params: { path: { ...place, shard: found.shard.id }, query, header },
          body: {
            ...(node !== undefined && { preferred_node_id: node.id }),
            ...(session.get(forceFailover) && { force: true }),
            ...(rehearsal && { dry_run: true }),
          },
        }),
      );
      if ('candidate' in data) return session.show(data, planText(data, found));
      if (rehearsal) throw new Failure('failed', 'a plan was asked for, and the controller failed over');
      session.show(
        data,
        `failover shard ${session.arg(0)} successfully, new master id: ${plain(data.new_master_id)}.\n`,
      );
      await waitFor(session, place, nodesKnow);
    },
  }),
);
