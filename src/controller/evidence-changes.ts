/**
 * What of a decision is worth a record: each change that is made because of what was seen of a shard, and where nothing
 * is done although something is missing, what stands in the way. The latter is a standing: it is recorded when it
 * becomes another one, not each time that it is found again.
 */
import { copyFinding } from '../decisions/copy-findings.ts';
import type { ShardReport } from '../decisions/failover.ts';
import { masterFinding } from '../decisions/problems.ts';
import { choosePromotion, type Judged } from '../decisions/promotion.ts';
import { wayBack } from '../decisions/rejoin.ts';
import type { Happening, Proposal, World } from '../decisions/world.ts';
import { type Node, type Shard, shardOf } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import { draft, type EvidenceDraft } from './evidence-record.ts';

export interface Standing {
  readonly shard: ShardId;
  /** The away node that may not come back; null where it is about the master. */
  readonly node: NodeId | null;
  /** Alike while nothing has changed but numbers. */
  readonly sign: string;
  /** Those of one sort are one record when they come again within a short while. */
  readonly sort: string;
  readonly draft: () => EvidenceDraft;
}

/** Numbers rise with each answer. An id is no number of its own. */
const withoutNumbers = (text: string): string => text.replaceAll(/\b\d+\b/g, '#');

/** A master that lives and serves nothing. */
function ofLiving(world: World, shard: Shard, report: ShardReport): Standing | undefined {
  const view = world.view(shard.master);
  const state = view?.state;
  if (state !== 'loading' && state !== 'denied' && state !== 'masterdown') return undefined;
  const reason = view?.reason == null ? '' : `: ${view.reason}`;
  return {
    shard: shard.id,
    node: null,
    sort: `alive | ${state}`,
    sign: `alive | ${state}`,
    draft: () =>
      draft(world, shard, report, {
        kind: 'waits',
        acted: false,
        sentence: `nothing is done: something answers at master ${shard.master}, and it is ${state}${reason}`,
        waitingFor: null,
        by: 'controller',
        version: world.intended.cluster.version,
      }),
  };
}

function ofMaster(world: World, shard: Shard, report: ShardReport): Standing | undefined {
  const { verdict, judged } = report;
  if (verdict.kind === 'alive') return ofLiving(world, shard, report);
  const finding = masterFinding(world, shard, report);
  if (finding === undefined) return undefined;
  const refusals = judged?.map((one) => `${one.node}: ${one.refusals.join('; ')}`) ?? [];
  const waits = verdict.kind === 'suspect' || (report.candidate !== null && report.held === null);
  const sort = withoutNumbers([verdict.kind, finding.code, finding.waitingFor ?? ''].join(' | '));
  return {
    shard: shard.id,
    node: null,
    sort,
    sign: withoutNumbers([sort, ...refusals].join(' | ')),
    draft: () =>
      draft(world, shard, report, {
        kind: waits ? 'waits' : 'holds',
        acted: false,
        sentence: `${waits ? 'nothing is done yet' : 'nobody is promoted'}: ${finding.message}`,
        waitingFor: finding.waitingFor,
        by: 'controller',
        version: world.intended.cluster.version,
      }),
  };
}

function ofAway(world: World, shard: Shard, node: Node, report: ShardReport | undefined): Standing | undefined {
  const back = wayBack(world, shard, node);
  const finding = copyFinding(world, shard, node);
  const common = { acted: false, by: 'controller', version: world.intended.cluster.version } as const;
  if (back.kind === 'fence') {
    const sentence = `${node.id} says that it is a master and is none: it is fenced, and then read`;
    const waitingFor = 'its answer behind the fence';
    return {
      shard: shard.id,
      node: node.id,
      sort: 'fence',
      sign: 'fence',
      draft: () => draft(world, shard, report, { ...common, kind: 'fences', sentence, waitingFor }),
    };
  }
  if (finding === undefined) return undefined;
  const sign = withoutNumbers([finding.code, finding.message, finding.waitingFor ?? ''].join(' | '));
  const { message, waitingFor } = finding;
  const refusals = new Map([[node.id, [message]]]);
  return {
    shard: shard.id,
    node: node.id,
    sort: sign,
    sign,
    draft: () => draft(world, shard, report, { ...common, kind: 'refuses', sentence: message, waitingFor, refusals }),
  };
}

/** Where nothing is done although something is missing; a shard with a switchover under way has no report. */
export function standings(world: World, reports: readonly ShardReport[]): readonly Standing[] {
  const found: Standing[] = [];
  const byShard = new Map(reports.map((report) => [report.shard, report]));
  for (const shard of world.intended.cluster.shards) {
    const report = byShard.get(shard.id);
    const master = report === undefined ? undefined : ofMaster(world, shard, report);
    if (master !== undefined) found.push(master);
    for (const node of shard.nodes) {
      const away = node.membership === 'away' ? ofAway(world, shard, node, report) : undefined;
      if (away !== undefined) found.push(away);
    }
  }
  return found;
}

/** The end of a standing: the master answers again. */
export function recovered(world: World, shard: Shard, report: ShardReport | undefined): EvidenceDraft {
  return draft(world, shard, report, {
    kind: 'answers',
    acted: false,
    sentence: `master ${shard.master} answers again: nothing is to be done`,
    waitingFor: null,
    by: 'controller',
    version: world.intended.cluster.version,
  });
}

/** Kinds of events that tell of something else than a decision about what was seen. */
const NO_DECISIONS = ['move.', 'shard.', 'settings.', 'cluster.'];
const BOOKKEEPING = ['node.created', 'node.deleted', 'node.forgotten', 'node.moved', 'node.proven'];

const isDecision = ({ kind }: Happening): boolean =>
  !BOOKKEEPING.includes(kind) && !NO_DECISIONS.some((prefix) => kind.startsWith(prefix));

/** Who could be promoted when a caller asked for it: the controller had looked for nobody then. */
function judgedFor(world: World, shard: Shard, kind: string): readonly Judged[] | null {
  const linked = kind === 'switchover.started';
  if (!linked && kind !== 'failover') return null;
  const askedSince = (linked ? null : world.view(shard.master)?.brokeAt) ?? Number.NEGATIVE_INFINITY;
  return choosePromotion(world, shard, { askedSince, force: false, linked }).judged;
}

/** One record for each shard that a change is about because of what was seen of it. */
export function acts(world: World, reports: readonly ShardReport[], proposal: Proposal): readonly EvidenceDraft[] {
  const byShard = new Map<ShardId, [Happening, ...Happening[]]>();
  for (const event of proposal.events) {
    if (event.shard === undefined || !isDecision(event)) continue;
    const before = byShard.get(event.shard);
    if (before === undefined) byShard.set(event.shard, [event]);
    else before.push(event);
  }
  return [...byShard].flatMap(([id, events]) => {
    const shard = shardOf(world.intended.cluster, id);
    if (shard === undefined) return [];
    const [{ kind, by }] = events;
    const report = reports.find((one) => one.shard === id);
    const judged = judgedFor(world, shard, kind);
    const sentence = events.map((event) => event.message).join('; ');
    const { version } = proposal.next.cluster;
    return [draft(world, shard, report, { kind, acted: true, sentence, waitingFor: null, by, version, judged })];
  });
}
