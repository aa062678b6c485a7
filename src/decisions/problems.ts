/** What is wrong with a cluster now: what was seen, what is waited for, and the command that mends it. */

import { switchoverOf } from '../operations/intended.ts';
import { SWITCHOVER_BOUNDS } from '../operations/switchover.ts';
import { type Node, nodeOf, type Shard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { kvctl, redisCli } from './commands.ts';
import { copyFinding } from './copy-findings.ts';
import { drift } from './drift.ts';
import type { ShardReport } from './failover.ts';
import { lostData } from './liveness.ts';
import { handedOver } from './move-deaths.ts';
import { handOverToSettle, moveFindings } from './move-findings.ts';
import { choosePromotion, whyNot } from './promotion.ts';
import { heirOf } from './switchovers.ts';
import { unlinked } from './unlinked.ts';
import { DETECTION, type NodeView, type World } from './world.ts';

export interface Finding {
  readonly code: string;
  readonly severity: 'warning' | 'error';
  readonly shard: string | null;
  readonly node: string | null;
  readonly message: string;
  readonly waitingFor: string | null;
  readonly command: string | null;
}

/** A link is down for a moment after each change of master, in ms. */
const LINK_GRACE = 3_000;

/** Whether a failover would work if it were asked for now, without force or only with it. */
export function possibleFailover(world: World, shard: Shard): { readonly force: boolean } | undefined {
  const askedSince = world.view(shard.master)?.brokeAt ?? Number.NEGATIVE_INFINITY;
  const wanted = { askedSince, linked: false, handedOver: handedOver(world, shard) };
  return [{ force: false }, { force: true }].find(
    (one) => choosePromotion(world, shard, { ...wanted, ...one }).kind === 'promote',
  );
}

function failoverCommand(world: World, shard: Shard): string | null {
  const possible = possibleFailover(world, shard);
  if (possible === undefined) return null;
  const command = `failover shard ${world.intended.cluster.shards.indexOf(shard)}`;
  return kvctl(world, command, ...(possible.force ? ['--force'] : []));
}

/** Why nothing was done about a master that does not answer, or is about to be; undefined while it does. */
export function masterFinding(world: World, shard: Shard, report: ShardReport | undefined): Finding | undefined {
  if (report === undefined || report.verdict.kind === 'alive') return undefined;
  const { verdict } = report;
  const paused = world.intended.pause !== null;
  const { held } = report;
  const resume = kvctl(world, 'resume');
  const common = { severity: 'error', shard: shard.id, node: shard.master } as const;
  if (verdict.kind === 'suspect') {
    return {
      ...common,
      code: 'MASTER_UNREACHABLE',
      message: `master ${shard.master}: ${verdict.because}`,
      waitingFor: verdict.waitingFor,
      command: null,
    };
  }
  const acceptLoss = verdict.how === 'lost-data' ? kvctl(world, `node readmit ${shard.master}`, '--empty') : null;
  const refused = report.judged === null ? [] : whyNot(report.judged);
  const eligible = report.judged?.some((one) => one.refusals.length === 0) === true;
  const nobody = refused.length === 0 ? 'it has no replica' : refused.join(', ');
  const so = !eligible
    ? `no replica may be promoted (${nobody})`
    : paused
      ? 'nobody takes its place while the cluster is paused'
      : held === null
        ? 'it is about to be replaced'
        : `${report.candidate} takes its place later`;
  const settling = eligible ? undefined : handOverToSettle(world, shard);
  const operator = acceptLoss !== null || settling !== undefined;
  return {
    ...common,
    code: verdict.how === 'lost-data' ? 'DATA_LOST' : 'MASTER_DOWN',
    message: `master ${shard.master}: ${verdict.because}; ${so}${settling === undefined ? '' : `. ${settling.words}`}`,
    waitingFor: held ?? (eligible ? null : `an eligible replica, or ${operator ? 'an operator' : 'the master'}`),
    command: paused
      ? resume
      : eligible && held === null
        ? null
        : (failoverCommand(world, shard) ?? settling?.command ?? acceptLoss),
  };
}

function stateFinding(world: World, shard: Shard | undefined, view: NodeView): Finding | undefined {
  const common = {
    severity: 'error',
    shard: shard?.id ?? null,
    node: view.id,
    waitingFor: null,
    command: null,
  } as const;
  const reason = view.reason === null ? '' : `: ${view.reason}`;
  switch (view.state) {
    case 'up':
    case 'unknown':
    case 'busy':
      return undefined;
    case 'loading':
      return {
        ...common,
        severity: 'warning',
        code: 'NODE_LOADING',
        message: `${view.id} restores its database`,
        waitingFor: 'the end of it',
      };
    case 'denied':
      return { ...common, code: 'WRONG_PASSWORD', message: `${view.id} refuses the cluster’s password${reason}` };
    case 'masterdown':
      return {
        ...common,
        code: 'NODE_DEAF',
        message: `${view.id} answers MASTERDOWN to everything: slave-serve-stale-data is no, so it cannot even be promoted`,
        command: onNode(world, view.id, 'CONFIG SET slave-serve-stale-data yes'),
      };
    case 'wrong-id':
      return {
        ...common,
        code: 'WRONG_NODE',
        message: `another node answers at the address of ${view.id}${reason}`,
        waitingFor: `the right node at this address, or its new one: ${kvctl(world, `node set ${view.id}`, '--addr HOST:PORT')}`,
        command: wrongNodeCommand(world, shard, view.id),
      };
    case 'refused':
    case 'silent':
    case 'garbled':
      return shard?.master === view.id
        ? undefined
        : {
            ...common,
            severity: 'warning',
            code: 'NODE_DOWN',
            message: `${view.id} is ${view.state}${reason}`,
            waitingFor: 'its answer',
          };
  }
}

/** Of a node of this cluster, which the other one at its address is none of. */
function wrongNodeCommand(world: World, shard: Shard | undefined, id: NodeId): string | null {
  if (shard?.master === id) return failoverCommand(world, shard);
  const away = shard?.nodes.find((node) => node.id === id)?.membership !== 'member';
  return kvctl(world, away ? `node forget ${id}` : `delete node ${id}`);
}

function onNode(world: World, id: NodeId, command: string): string | null {
  const address = nodeOf(world.intended.cluster, id)?.node.address;
  return address === undefined ? null : redisCli(world, address, command);
}

/** A swap whose new master fell silent and that nobody may take over: a shard without a master, said loudly. */
function stuckSwitchover(world: World): Finding | undefined {
  const open = switchoverOf(world.intended);
  if (open?.phase !== 'swapping') return undefined;
  const since = world.trace(open.id)?.phaseAt ?? world.watchingSince;
  if (world.now < since + SWITCHOVER_BOUNDS.promote || heirOf(world, open) !== undefined) return undefined;
  return {
    code: 'SWITCHOVER_STUCK',
    severity: 'error',
    shard: open.shard,
    node: open.to,
    message: `${open.to} was made master and has not answered since, and no other node that answers has all that ${open.from} had when it was drained, at sequence ${open.final}`,
    waitingFor: `${open.to}, ${open.from} or a replica that has reached ${open.final}`,
    command: null,
  };
}

/** This controller takes itself for the one that is cut off; told where a master of the cluster is missed. */
function brakeFinding(world: World, reports: readonly ShardReport[]): Finding | undefined {
  if (!world.brake || reports.every(({ verdict }) => verdict.kind === 'alive')) return undefined;
  return {
    code: 'CONTROLLER_CUT_OFF',
    severity: 'error',
    shard: null,
    node: null,
    message:
      'more than half of all nodes fell silent at once: this controller takes itself for the one that is cut off, and promotes nobody whose replicas do not say themselves that they have lost their master',
    waitingFor: 'enough nodes to be seen again',
    command: null,
  };
}

export function findings(world: World, reports: readonly ShardReport[]): readonly Finding[] {
  const { intended } = world;
  const list: Finding[] = [];
  const push = (finding: Finding | undefined) => {
    if (finding !== undefined) list.push(finding);
  };
  push(brakeFinding(world, reports));
  push(stuckSwitchover(world));
  list.push(...moveFindings(world));
  for (const shard of intended.cluster.shards) {
    push(
      masterFinding(
        world,
        shard,
        reports.find((report) => report.shard === shard.id),
      ),
    );
    for (const node of shard.nodes) {
      const view = world.view(node.id);
      if (view === undefined) continue;
      push(stateFinding(world, shard, view));
      push(copyFinding(world, shard, node));
      const found = drift(world, node.id);
      if (found.kind === 'foreign') {
        push({
          code: 'TOPOLOGY_NEWER',
          severity: 'error',
          shard: shard.id,
          node: node.id,
          message: `${node.id} carries version ${found.seen} of a topology that this controller never committed; it is neither obeyed nor overwritten`,
          waitingFor: 'an operator',
          command: kvctl(world, 'sync', '--force'),
        });
      }
      for (const { what, command } of view.dangers) {
        push({
          code: 'DANGEROUS_SETTING',
          severity: 'warning',
          shard: shard.id,
          node: node.id,
          message: `${node.id}: ${what}`,
          waitingFor: null,
          // Known as it is typed at the node itself.
          command: command === null ? null : onNode(world, node.id, command.replace(/^redis-cli /, '')),
        });
      }
      const apart = unlinked(world, shard, node);
      if (apart?.kind === 'elsewhere') {
        push({
          code: 'FOLLOWS_ANOTHER',
          severity: 'error',
          shard: shard.id,
          node: node.id,
          message: `${node.id} carries the committed topology and follows ${apart.follows}, which is not its master`,
          waitingFor: 'it does as it is told, anew each minute',
          command: null,
        });
      } else push(unlinkedFinding(world, shard, node, view));
    }
  }
  for (const node of intended.cluster.leaving) {
    const view = world.view(node.id);
    if (view === undefined || view.state === 'unknown') continue;
    const above = view.version !== null && view.version > intended.cluster.version;
    if (view.state === 'up' && !above) continue;
    push({
      code: 'LEAVING_UNTOLD',
      severity: 'warning',
      shard: null,
      node: node.id,
      message: above
        ? `${node.id} was removed and cannot be told: it carries version ${view.version} of another topology`
        : `${node.id} was removed and could not be told: it is ${view.state}`,
      waitingFor: above ? 'an operator' : 'its answer',
      command: kvctl(world, `node forget ${node.id}`),
    });
  }
  return list;
}

/** A replica that gets nothing from a master which answers: by its own word, or since it has not heard it for long. */
function unlinkedFinding(world: World, shard: Shard, node: Node, view: NodeView): Finding | undefined {
  if (node.membership === 'away' || view.state !== 'up' || view.says !== 'slave' || lostLink(world, shard))
    return undefined;
  // Being copied it has none for as long as that takes.
  if (node.copy !== null) return undefined;
  const down = view.linkDownAt !== null && world.now - view.linkDownAt > LINK_GRACE;
  const unheard = view.link === 'up' && (view.silence ?? 0) >= DETECTION.witnessSilence;
  if (!down && !unheard) return undefined;
  const what = down ? 'has no link to its master' : `has not heard its master for ${view.silence} s`;
  const so = node.cutOff ? '; until it is linked again it is not promoted' : '';
  return {
    code: 'REPLICA_UNLINKED',
    severity: 'warning',
    shard: shard.id,
    node: node.id,
    message: `${node.id} ${what}, which answers${so}`,
    waitingFor: 'the link; a wrong masterauth shows as nothing else',
    command: null,
  };
}

/** A replica of a master that does not answer either has nothing of its own to report. */
function lostLink(world: World, shard: Shard): boolean {
  const master = world.view(shard.master);
  return master === undefined || master.state !== 'up' || lostData(world, shard);
}
