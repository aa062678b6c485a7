/** What a control plane in memory says of its clusters: all is well. */

import type { CheckView } from '../controller/check-views.ts';
import type { Evidence } from '../controller/evidence-record.ts';
import type { RebalanceView } from '../controller/rebalancing.ts';
import type { Replay, SalvageContents } from '../controller/salvages.ts';
import type { ClusterStatus } from '../controller/status.ts';
import { planRebalance } from '../decisions/rebalance.ts';
import { formatAddress } from '../topology/address.ts';
import type { Cluster, Shard } from '../topology/cluster.ts';
import { formatRange, type SlotRange, slotCount } from '../topology/slots.ts';

/** Seconds since 1970. */
export const CREATED_AT = 1_686_101_693;

export function statusOf(cluster: Cluster, paused: ClusterStatus['paused']): ClusterStatus {
  const { namespace, name, version } = cluster;
  return {
    namespace,
    cluster: name,
    version,
    state: 'ok',
    paused,
    slots_served: 16384,
    shards: cluster.shards.map((shard, index) => ({
      id: shard.id,
      index,
      slots: shard.slots.map(formatRange),
      nodes: shard.nodes.map((node) => ({
        id: node.id,
        addr: formatAddress(node.address),
        role: node.id === shard.master ? 'master' : 'slave',
        state: 'up',
        membership: node.membership,
        since: CREATED_AT * 1000,
        reason: null,
        says: node.id === shard.master ? 'master' : 'slave',
        version,
        sequence: 0,
        link: node.id === shard.master ? null : 'up',
        lag: node.id === shard.master ? null : 0,
        latency: 0.2,
        answered_ago: 400,
        in_sync: true,
        server_version: '2.14.0',
        process_id: 1,
        started_at: CREATED_AT * 1000,
        priority: node.priority,
        no_failover: node.noFailover,
      })),
    })),
    leaving: [],
    problems: [],
    operations: [],
  };
}

/** A decision about a shard in which nothing was done; `before`: how many there were. */
export function evidenceOf(cluster: Cluster, shard: Shard, before: number): Evidence {
  const at = CREATED_AT * 1_000 + before;
  return {
    id: at * 1_000,
    at,
    last_at: at,
    count: 1,
    version: cluster.version,
    shard: shard.id,
    kind: 'holds',
    acted: false,
    outcome: 'nobody is promoted',
    waiting_for: null,
    by: 'controller',
    verdict: null,
    break_age: null,
    floor: 0,
    eligible_from: 0,
    settings: {
      tolerance_ms: 3_000,
      max_lag_ms: 10_000,
      no_witness_hold_ms: 15_000,
      diverged: 'resync',
      paused: false,
    },
    nodes: shard.nodes.map((node) => ({
      id: node.id,
      addr: formatAddress(node.address),
      role: node.id === shard.master ? 'master' : 'slave',
      membership: node.membership,
      state: 'up',
      reason: null,
      says: null,
      sequence: 0,
      link: null,
      silence: null,
      answered_ago: 40,
      witness: null,
      refusals: null,
      passed_over: null,
    })),
    nodes_omitted: 0,
  };
}

/** What a node of no particular cluster alone held. */
export const SALVAGE: SalvageContents = {
  salvage: {
    id: `${'n'.repeat(40)}-8-9.jsonl`,
    bytes: 500,
    shard: 'sh-000000000000',
    node: 'n'.repeat(40),
    saved_at: CREATED_AT * 1000,
    parted_at: 8,
    first: 8,
    last: 9,
    records: 2,
    commands: 2,
    all: true,
  },
  commands: [
    { sequence: 8, namespace: 'default', args: ['SET', 'k', 'v'] },
    { sequence: 9, namespace: 'default', args: ['SET', 'l', '\u00ff'] },
  ],
  next: null,
};

export const replayOf = (dryRun: boolean): Replay => ({
  dry_run: dryRun,
  replayed: 1,
  skipped: 1,
  failed: 0,
  keys: [
    { namespace: 'default', key: 'k', commands: 1, outcome: dryRun ? 'would-be' : 'replayed', why: null },
    { namespace: 'default', key: 'l', commands: 1, outcome: 'skipped', why: 'the shard has written it since' },
  ],
});

export const foundNothing = ({ namespace, name, version, shards }: Cluster): CheckView => ({
  namespace,
  cluster: name,
  version,
  state: 'ok',
  paused: null,
  findings: [],
  looked: { nodes: shards.flatMap(({ nodes }) => nodes).length, masters: shards.length, keys: 1_200 },
});

/** A master in the wrong topology, a replica whose return costs something, and what nobody can mend from here. */
export function foundThings(cluster: Cluster): CheckView {
  const [first, second] = cluster.shards;
  const common = { slots: null, evidence: [], waiting_for: 'an operator', command: null } as const;
  const at = (shard: Shard | undefined, place: number) => {
    const node = shard?.nodes[place];
    return {
      shard: shard?.id ?? null,
      node: node?.id ?? null,
      addr: node === undefined ? '' : formatAddress(node.address),
    };
  };
  const about = (code: string, { addr, ...where }: ReturnType<typeof at>) => ({
    ...common,
    ...where,
    key: `${code}@${addr}`,
    code,
  });
  const [master, replica, holder] = [at(first, 0), at(first, 1), at(second, 0)];
  return {
    ...foundNothing(cluster),
    state: 'degraded',
    findings: [
      {
        ...about('TOPOLOGY_NEWER', master),
        severity: 'error',
        message: `${master.addr} carries version 99 of another topology`,
        evidence: [`it does not name ${replica.addr}`],
        fix: { steps: ['the committed topology is told to it'], costs: null },
        command: 'kvctl sync --force',
      },
      {
        ...about('DIVERGED', replica),
        severity: 'error',
        message: `${replica.addr} may not follow`,
        fix: { steps: [`${replica.addr} is copied whole`], costs: 'what it alone holds is gone' },
      },
      {
        ...about('KEYS_LEFT', holder),
        severity: 'warning',
        slots: ['5', '7-9'],
        message: `${holder.addr} holds 3 keys in slots of others`,
        fix: null,
        command: 'kvctl migrate slot 5,7-9 --target 1',
      },
      { ...about('KEYS_UNSEEN', holder), severity: 'note', message: 'not all was seen', waiting_for: null, fix: null },
    ],
  };
}

/** What a rebalance without weights would do. */
export function balancedOf({ version, shards }: Cluster): RebalanceView {
  const planned = planRebalance(shards.map(({ id, slots }) => ({ id, slots, weight: 1 })));
  const { moves, fills, after } = planned.kind === 'plan' ? planned : { moves: [], fills: [], after: [] };
  const words = (range: SlotRange) => ({ range: formatRange(range), slots: slotCount([range]) });
  return {
    version,
    slots: moves.reduce((sum, { range }) => sum + slotCount([range]), 0),
    moves: moves.map(({ range, source, target }) => ({
      ...words(range),
      keys: 10 * slotCount([range]),
      source,
      target,
    })),
    fills: fills.map(({ range, target }) => ({ ...words(range), target })),
    shards: shards.map(({ id, slots }) => ({
      shard: id,
      weight: 1,
      before: slotCount(slots),
      after: after.find((one) => one.id === id)?.slots ?? 0,
    })),
  };
}
