import type { components } from '../client/schema.gen.ts';
import { command, group } from '../command.ts';
import { Failure } from '../exit.ts';
import { clusterAt, type FoundShard, findNode, findShard, SHARD } from '../lookup.ts';
import { table } from '../render/table.ts';
import { counted, mayBe, plain, span } from '../render/text.ts';
import { dryRun, forceFailover, ifVersion, noWait, preferred } from '../settings.ts';
import { nodesKnow, waitFor } from '../waiting.ts';

type Plan = components['schemas']['FailoverPlan'];

type MayLose = components['schemas']['MayLose'];

/** What goes with a master that does not answer, as far as anybody can know. */
function lossText({ records, unseen_ms }: MayLose): string {
  const seen = records === 0 ? 'nothing that was seen of it' : `${counted(records, 'record')} that were seen of it`;
  const since = unseen_ms === null ? 'what it wrote' : `what it wrote in the ${span(unseen_ms)}`;
  return records === 0
    ? `${seen} is lost, ${since} since its last answer may be`
    : `${seen} may be lost, and ${since} since its last answer`;
}

function planLines(plan: Plan, index: number, nameOf: (id: string) => string): readonly string[] {
  const master = `master: ${nameOf(plan.master)}, which ${plan.how === 'switchover' ? 'answers' : 'does not answer, or has lost its data'}`;
  if (plan.candidate !== null) {
    const loss = plan.may_lose === null ? 'nothing is lost' : lossText(plan.may_lose);
    return [`shard ${index}: ${nameOf(plan.candidate)} would be promoted; ${loss}`, master];
  }
  const refused = `shard ${index}: no replica would be promoted${plan.refused === null ? '' : `: ${plan.refused}`}`;
  if (plan.with_force === null) return [refused, master];
  const loss = plan.may_lose === null ? '' : `; ${lossText(plan.may_lose)}`;
  return [refused, `with --force ${nameOf(plan.with_force)} would be${loss}`, master];
}

function planText(plan: Plan, { shard, index }: FoundShard): string {
  const addressOf = (id: string) => shard.nodes.find((node) => node.id === id)?.addr ?? id;
  const nameOf = (id: string) => `${addressOf(id)} (${id})`;
  const judged = table<Plan['judged'][number]>(
    [
      { title: 'ADDRESS', cell: ({ node }) => addressOf(node) },
      { title: 'SEQUENCE', cell: ({ sequence }) => sequence, right: true },
      {
        title: 'MAY BE PROMOTED',
        cell: ({ refusals, passed_over }) => mayBe(refusals, passed_over),
      },
      { title: 'ID', cell: ({ node }) => node },
    ],
    plan.judged,
  );
  return `${planLines(plan, index, nameOf)
    .map((line) => `${plain(line)}\n`)
    .join('')}\n${judged}`;
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
      if (data.may_lose !== undefined) session.note(`the old master did not answer: ${lossText(data.may_lose)}`);
      await waitFor(session, place, nodesKnow);
    },
  }),
);
