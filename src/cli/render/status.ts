/** What the controller sees of a cluster, for people. */

import { SLOT_COUNT } from '../../topology/slots.ts';
import { line } from '../client/refusals.ts';
import type { components } from '../client/schema.gen.ts';
import type { ClusterStatus, NodeStatus } from '../session.ts';
import { type Column, table } from './table.ts';
import { counted, moment, plain, quoted, span, traits } from './text.ts';

type Problem = components['schemas']['Problem'];
type Operation = components['schemas']['Operation'];

interface Row {
  /** Null for a node that is leaving. */
  readonly shard: number | null;
  readonly slots: string | null;
  readonly node: NodeStatus;
  /** The version that it should carry. */
  readonly version: number;
}

/** `up`, or why it is not, or where it stands apart. */
function stateOf({ state, membership }: NodeStatus): string {
  return membership === 'member' ? state : `${state}, ${membership}`;
}

/** With the node's own word where it differs, and what sets it apart. */
function roleOf(node: NodeStatus): string {
  const { role, says } = node;
  return [role, ...(says === null || says === role ? [] : [`says ${says}`]), ...traits(node)].join(', ');
}

function versionOf({ node, version }: Row): string | null {
  if (node.version === null) return null;
  return node.in_sync || node.version !== version ? `${node.version}` : `${node.version}, differs`;
}

const columns: readonly Column<Row>[] = [
  { title: 'SHARD', cell: ({ shard }) => shard, right: true },
  { title: 'SLOTS', cell: ({ slots }) => slots },
  { title: 'ADDRESS', cell: ({ node }) => node.addr },
  { title: 'ROLE', cell: ({ node }) => roleOf(node) },
  { title: 'STATE', cell: ({ node }) => stateOf(node) },
  { title: 'VERSION', cell: versionOf, right: true },
  { title: 'SEQUENCE', cell: ({ node }) => node.sequence, right: true },
  { title: 'LAG', cell: ({ node }) => node.lag, right: true },
  { title: 'LINK', cell: ({ node }) => node.link },
  { title: 'ID', cell: ({ node }) => node.id },
];

const rowsOf = (status: ClusterStatus): readonly Row[] => [
  ...status.shards.flatMap(({ index, slots, nodes }) =>
    nodes.map((node) => ({
      shard: index,
      slots: node.role === 'master' ? slots.join(' ') : null,
      node,
      version: status.version,
    })),
  ),
  ...status.leaving.map((node) => ({ shard: null, slots: null, node, version: status.version })),
];

/** Names of shards and nodes as the tables show them. */
function namesIn(status: ClusterStatus) {
  const nodes = new Map(rowsOf(status).map(({ node }) => [node.id, node.addr]));
  const shards = new Map(status.shards.map(({ id, index }) => [id, `${index}`]));
  return {
    node: (id: string | null) => (id === null ? null : (nodes.get(id) ?? id)),
    shard: (id: string | null) => (id === null ? null : (shards.get(id) ?? id)),
  };
}

function problemText(problem: Problem, names: ReturnType<typeof namesIn>): string {
  const shard = names.shard(problem.shard);
  const place = [shard === null ? null : `shard ${shard}`, names.node(problem.node)].filter((part) => part !== null);
  const head = [problem.severity, problem.code, ...place].join('  ');
  const lines = [
    `  ${head}`,
    `    ${problem.message}`,
    ...(problem.waiting_for === null ? [] : [`    waits for: ${problem.waiting_for}`]),
    ...(problem.command === null ? [] : [`    mend it with: ${problem.command}`]),
  ];
  return lines.map((line) => `${plain(line)}\n`).join('');
}

/** Where to read what the controller made of it. */
function whyLines({ namespace, cluster, problems, shards }: ClusterStatus): string {
  const about = new Set(problems.filter(({ code }) => DECIDED.test(code)).map(({ shard }) => shard));
  return shards
    .filter(({ id }) => about.has(id))
    .map(({ index }) => `  what it was decided from: ${line(`why ${quoted(cluster)} ${index}`, { namespace })}\n`)
    .join('');
}
/** Problems of a master: somebody was promoted, or nobody, and for a reason. */
const DECIDED = /^(MASTER_|DATA_LOST)/;

function operationTable(status: ClusterStatus, now: number): string {
  const names = namesIn(status);
  const operations: readonly Column<Operation>[] = [
    { title: 'OPERATION', cell: ({ kind }) => kind },
    { title: 'PHASE', cell: ({ phase }) => phase },
    { title: 'SHARD', cell: ({ shard }) => names.shard(shard) },
    { title: 'TO', cell: (operation) => names.shard(operation.target_shard) },
    { title: 'SLOTS', cell: ({ slots }) => slots },
    { title: 'NODE', cell: ({ node }) => names.node(node) },
    { title: 'SINCE', cell: (operation) => span(now - operation.started_at), right: true },
    { title: 'BY', cell: ({ by }) => by },
    { title: 'MESSAGE', cell: ({ message }) => message },
    { title: 'ID', cell: ({ id }) => id },
  ];
  return table(operations, status.operations);
}

/** `now`: milliseconds since 1970. */
export function statusText(status: ClusterStatus, now: number): string {
  const names = namesIn(status);
  const head = `cluster ${plain(status.cluster)} of namespace ${plain(status.namespace)}: ${status.state}, version ${status.version}, ${status.slots_served} of ${SLOT_COUNT} slots served`;
  const paused =
    status.paused === null
      ? ''
      : `paused ${status.paused.until === null ? 'until resumed' : `until ${moment(status.paused.until)}`}, by ${plain(status.paused.by)}\n`;
  const reasons = rowsOf(status)
    .filter(({ node }) => node.reason !== null)
    .map(({ node }) => `  ${plain(`${node.addr}: ${node.reason}`)} (since ${moment(node.since)})\n`);
  return [
    `${head}\n${paused}`,
    table(columns, rowsOf(status)),
    ...(reasons.length === 0 ? [] : [reasons.join('')]),
    ...(status.problems.length === 0
      ? []
      : [
          `${counted(status.problems.length, 'problem')}:\n${status.problems.map((each) => problemText(each, names)).join('')}${whyLines(status)}`,
        ]),
    ...(status.operations.length === 0 ? [] : [operationTable(status, now)]),
  ].join('\n');
}

const overviewColumns: readonly Column<ClusterStatus>[] = [
  { title: 'NAMESPACE', cell: ({ namespace }) => namespace },
  { title: 'CLUSTER', cell: ({ cluster }) => cluster },
  { title: 'STATE', cell: ({ state, paused }) => (paused === null ? state : `${state}, paused`) },
  { title: 'VERSION', cell: ({ version }) => version, right: true },
  { title: 'SHARDS', cell: ({ shards }) => shards.length, right: true },
  { title: 'NODES UP', cell: nodesUp, right: true },
  { title: 'PROBLEMS', cell: ({ problems }) => problems.length, right: true },
  { title: 'OPERATIONS', cell: ({ operations }) => operations.length, right: true },
];

function nodesUp({ shards }: ClusterStatus): string {
  const nodes = shards.flatMap((shard) => shard.nodes);
  return `${nodes.filter(({ state }) => state === 'up').length}/${nodes.length}`;
}

export const overviewText = (all: readonly ClusterStatus[]): string => table(overviewColumns, all);
