/**
 * A restart of all nodes of a cluster one after the other, as a function of its status: what comes next. Shard by shard,
 * its replicas first, then its master once a restarted replica has taken over from it. Nothing is remembered but which
 * nodes are over, so whoever ends it and begins again goes on from where the cluster is.
 */
import { counted } from './render/text.ts';
import type { ClusterStatus, NodeStatus } from './session.ts';

export type ShardStatus = ClusterStatus['shards'][number];

/** Which nodes are over: whose process began after `since`, or that were seen to be another process. */
export interface Over {
  /** Milliseconds since 1970, by the controller's clock. */
  readonly since: number;
  readonly nodes: ReadonlySet<string>;
}

export interface Act {
  /** Before the last node of a shard, its master, is restarted, another one takes over from it. */
  readonly kind: 'restart' | 'switchover';
  readonly shard: ShardStatus;
  readonly node: NodeStatus;
}

export type Step =
  | Act
  | { readonly kind: 'wait'; readonly for: string }
  | { readonly kind: 'refused'; readonly why: string; readonly details: readonly string[] }
  | { readonly kind: 'done' };

/** Processes begin at a moment that is known to about a second. */
const EXACT_TO = 2_000;

const isOver = (node: NodeStatus, over: Over): boolean =>
  over.nodes.has(node.id) || (node.started_at !== null && node.started_at > over.since);

/** Later than every process began that answers now: what begins after it is new. Undefined where none is known. */
export function sinceNow(status: ClusterStatus): number | undefined {
  const known = status.shards.flatMap(({ nodes }) => nodes.flatMap(({ started_at: at }) => at ?? []));
  return known.length === 0 ? undefined : Math.ceil((Math.max(...known) + EXACT_TO) / 1_000) * 1_000;
}

/** Whether it is another process than the one that was seen before; undefined while that cannot be said. */
export function isAnother(before: NodeStatus, now: NodeStatus): boolean | undefined {
  if (now.state !== 'up' || now.process_id === null || now.started_at === null) return undefined;
  if (before.process_id !== now.process_id) return true;
  return before.started_at !== null && Math.abs(now.started_at - before.started_at) > EXACT_TO;
}

const replicasFirst = ({ nodes }: ShardStatus): readonly NodeStatus[] => [
  ...nodes.filter(({ role }) => role === 'slave'),
  ...nodes.filter(({ role }) => role === 'master'),
];

/** All that is to be done, in its order. */
export function allActs(status: ClusterStatus, over: Over): readonly Act[] {
  return status.shards.flatMap((shard) =>
    replicasFirst(shard)
      .filter((node) => !isOver(node, over))
      .flatMap((node): Act[] => {
        const restart: Act = { kind: 'restart', shard, node };
        return node.role === 'master' ? [{ kind: 'switchover', shard, node }, restart] : [restart];
      }),
  );
}

/** `begun`: what is not in order then is waited for, since a node has just been restarted; before, it is refused. */
export function nextStep(status: ClusterStatus, over: Over, begun: boolean): Step {
  const [first] = allActs(status, over);
  if (status.paused !== null)
    return {
      kind: 'refused',
      why: 'the cluster is paused: a master that does not come back would not be replaced',
      details: [],
    };
  const lonely = status.shards.filter(
    (shard) => shard.nodes.length < 2 && shard.nodes.some((node) => !isOver(node, over)),
  );
  if (lonely.length > 0) {
    const details = lonely.map(({ index, nodes }) => `shard ${index}: ${nodes.map(({ addr }) => addr).join(', ')}`);
    return {
      kind: 'refused',
      why: 'nobody could take over from a master without a replica while it is restarted',
      details,
    };
  }
  const not = notInOrder(status);
  if (not !== undefined)
    return begun
      ? { kind: 'wait', for: not.what }
      : { kind: 'refused', why: `the cluster is not in order: ${not.what}`, details: not.details };
  if (first === undefined) return { kind: 'done' };
  return first;
}

function notInOrder(status: ClusterStatus): { readonly what: string; readonly details: readonly string[] } | undefined {
  const open = status.operations.filter(({ phase }) => phase !== 'failed');
  const { problems, state, shards } = status;
  const nodes = shards.flatMap((shard) => shard.nodes);
  const unready = nodes.filter((node) => !isReady(node));
  const details = [
    ...open.map(({ kind, slots, message }) => [`a ${kind} is under way`, slots, message].filter(Boolean).join(': ')),
    ...problems.map(({ code, message }) => `${code}: ${message}`),
  ];
  if (open.length > 0) return { what: `${counted(open.length, 'operation')} under way`, details };
  if (unready.length > 0) return { what: unready.map(unreadyWords).join(', '), details };
  // A warning may be what the restart is to mend: a setting that is read at the start only.
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0 || state === 'down')
    return { what: errors.map(({ message }) => message).join('; ') || `it is ${state}`, details };
  return undefined;
}

/** It plays its role and is known as the process that it is. */
const isReady = (node: NodeStatus): boolean =>
  node.state === 'up' &&
  node.membership === 'member' &&
  node.in_sync &&
  node.process_id !== null &&
  (node.role === 'master' || node.link === 'up');

function unreadyWords(node: NodeStatus): string {
  if (node.state !== 'up') return `${node.addr} is ${node.state}`;
  if (node.membership !== 'member') return `${node.addr} is not back in the topology yet`;
  if (node.role === 'slave' && node.link !== 'up') return `${node.addr} is not linked to its master yet`;
  if (!node.in_sync) return `${node.addr} does not carry the cluster’s version yet`;
  return `${node.addr} has not said which process it is`;
}
