/** Why a shard was failed over, or why not, from what was stored with each decision. */
import type { components } from '../client/schema.gen.ts';
import type { Cluster } from '../session.ts';
import { type Column, table } from './table.ts';
import { counted, mayBe, moment, plain, span } from './text.ts';

type Evidence = components['schemas']['Evidence'];
type Node = Evidence['nodes'][number];

const away = ({ role, membership, says }: Node): string =>
  [membership === 'away' ? 'away' : role, ...(says === null || says === role ? [] : [`says ${says}`])].join(', ');

function columns(evidence: Evidence): readonly Column<Node>[] {
  const follows = evidence.kind === 'refuses';
  const all: readonly Column<Node>[] = [
    { title: 'ADDRESS', cell: ({ addr }) => addr },
    { title: 'ROLE', cell: away },
    { title: 'STATE', cell: ({ state, reason }) => (reason === null ? state : `${state}: ${reason}`) },
    { title: 'ANSWERED', cell: (node) => (node.answered_ago === null ? null : `${span(node.answered_ago)} before`) },
    { title: 'SEQUENCE', cell: ({ sequence }) => sequence, right: true },
    { title: 'LINK', cell: ({ link }) => link },
    { title: 'HEARD MASTER', cell: ({ silence }) => (silence === null ? null : `${silence} s before`) },
    { title: 'TESTIFIES', cell: ({ witness }) => witness },
    {
      title: follows ? 'MAY FOLLOW' : 'MAY BE PROMOTED',
      cell: ({ refusals, passed_over }) => (refusals === null ? null : mayBe(refusals, passed_over)),
    },
  ];
  // A column that has nothing to say only makes the others harder to read.
  return all.filter(({ cell }) => evidence.nodes.some((node) => cell(node) !== null));
}

function facts(evidence: Evidence): string {
  const { settings, break_age, floor, eligible_from } = evidence;
  return [
    ...(break_age === null ? [] : [`break ${span(break_age)} before`]),
    `master known up to ${floor}`,
    ...(eligible_from > 0 ? [`a candidate needs ${eligible_from}`] : []),
    `tolerance ${span(settings.tolerance_ms)}`,
    `max lag ${span(settings.max_lag_ms)}`,
    `no-witness hold ${span(settings.no_witness_hold_ms)}`,
    ...(settings.paused ? ['paused'] : []),
  ].join(', ');
}

function recordText(evidence: Evidence, shard: string | null): string {
  const { at, last_at, count } = evidence;
  const often = count === 1 ? '' : `, ${counted(count, 'time')} since ${moment(at)}`;
  const head = [
    `${moment(last_at)}${often}`,
    ...(shard === null ? [] : [shard]),
    evidence.kind,
    `version ${evidence.version}`,
    `by ${evidence.by}`,
  ].join('  ');
  const lines = [
    head,
    `  ${evidence.outcome}`,
    ...(evidence.waiting_for === null ? [] : [`  waits for: ${evidence.waiting_for}`]),
    `  ${facts(evidence)}`,
  ];
  const nodes = table(columns(evidence), evidence.nodes);
  const more = evidence.nodes_omitted === 0 ? '' : `    and ${counted(evidence.nodes_omitted, 'node')} more\n`;
  return `${lines.map((line) => `${plain(line)}\n`).join('')}${nodes.replaceAll(/^/gm, '    ').trimEnd()}\n${more}`;
}

/** `index`: of the one shard that was asked about. */
export function whyText(cluster: Cluster, records: readonly Evidence[], index: number | undefined): string {
  const what = index === undefined ? '' : `shard ${index} of `;
  if (records.length === 0)
    return `nothing is recorded of ${what}cluster ${plain(cluster.name)}: nothing was decided about it, and nothing stood in the way\n`;
  const shardOf = (id: string): string | null => {
    if (index !== undefined) return null;
    const at = cluster.shards.findIndex((shard) => shard.id === id);
    return at < 0 ? `shard ${id}` : `shard ${at}`;
  };
  return records.map((evidence) => recordText(evidence, shardOf(evidence.shard))).join('\n');
}
