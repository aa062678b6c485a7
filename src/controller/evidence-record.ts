/**
 * What one decision about a shard was made from, as it is stored: what was seen of each node, who was refused and why,
 * what was waited for, what was done. Members are written as the API answers them; ages are milliseconds.
 */
import type { ShardReport } from '../decisions/failover.ts';
import type { Verdict } from '../decisions/liveness.ts';
import type { Judged } from '../decisions/promotion.ts';
import { type Witness, witnesses } from '../decisions/witness.ts';
import type { NodeState, NodeView, Role, World } from '../decisions/world.ts';
import { formatAddress } from '../topology/address.ts';
import type { Node, Shard } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { legible } from './legible.ts';

export interface EvidenceNode {
  readonly id: string;
  readonly addr: string;
  readonly role: 'master' | 'slave';
  readonly membership: Node['membership'];
  readonly state: NodeState;
  readonly reason: string | null;
  /** The role that it claims itself. */
  readonly says: Role | null;
  readonly sequence: number | null;
  /** A replica's link to its master, and the seconds since it heard it. */
  readonly link: NodeView['link'];
  readonly silence: number | null;
  /** Age of its last answer; null: it never gave one. */
  readonly answered_ago: number | null;
  /** Whether it testifies that its master is gone; null where that was not in question. */
  readonly witness: Witness | null;
  /** Why it may not be promoted, or may not follow; empty: it may. Null where nobody asked. */
  readonly refusals: readonly string[] | null;
  /** It may be promoted, and why another one was. */
  readonly passed_over: string | null;
}

export interface Evidence {
  /** Rises within a cluster, with gaps. */
  readonly id: number;
  /** Milliseconds since 1970 at which it was first so, and last. */
  readonly at: number;
  readonly last_at: number;
  /** How often it came to this within a short while. */
  readonly count: number;
  readonly version: number;
  /** The shard's id. */
  readonly shard: string;
  /** The event's kind where something was done; otherwise `waits`, `holds`, `answers`, `fences` or `refuses`. */
  readonly kind: string;
  /** Something was committed. */
  readonly acted: boolean;
  /** One sentence. */
  readonly outcome: string;
  readonly waiting_for: string | null;
  readonly by: string;
  readonly verdict: {
    readonly kind: Verdict['kind'];
    readonly how: string | null;
    readonly because: string | null;
  } | null;
  /** Age of the break, where there was one. */
  readonly break_age: number | null;
  /** The highest sequence that the master was known to have reached, and what a candidate must have reached. */
  readonly floor: number;
  readonly eligible_from: number;
  /** What held for the cluster at that time. */
  readonly settings: {
    readonly tolerance_ms: number;
    readonly max_lag_ms: number;
    readonly no_witness_hold_ms: number;
    readonly diverged: string;
    readonly paused: boolean;
  };
  readonly nodes: readonly EvidenceNode[];
  /** Nodes that found no room in the record. */
  readonly nodes_omitted: number;
}

/** What came of it: the part of a record that is not seen of the nodes. */
export interface Outcome {
  readonly kind: string;
  readonly acted: boolean;
  readonly sentence: string;
  readonly waitingFor: string | null;
  readonly by: string;
  readonly version: number;
  /** Whom it could be, where the report did not look for anybody. */
  readonly judged?: readonly Judged[] | null;
  /** Why these may not follow. */
  readonly refusals?: ReadonlyMap<NodeId, readonly string[]>;
}

/** Without what the log of records adds. */
export type EvidenceDraft = Omit<Evidence, 'id' | 'last_at' | 'count'>;

const LONGEST = { sentence: 1_000, refusal: 300 } as const;
const short = (text: string, longest: number): string =>
  text.length > longest ? `${text.slice(0, longest - 1)}…` : text;

const age = (now: number, at: number | null | undefined): number | null =>
  at == null || at === Number.NEGATIVE_INFINITY ? null : Math.max(0, Math.round(now - at));

/** `report`: what the decision found of this shard; undefined where it did not look, as in a switchover. */
export function draft(world: World, shard: Shard, report: ShardReport | undefined, outcome: Outcome): EvidenceDraft {
  const { intended, policy, now } = world;
  const { cluster } = intended;
  const words = (text: string, longest: number = LONGEST.sentence) => short(legible(text, cluster), longest);
  const master = world.view(shard.master);
  const testimony = witnesses(world, shard);
  const verdict = report?.verdict;
  const because = verdict === undefined || verdict.kind === 'alive' ? null : words(verdict.because);
  return {
    at: world.wall,
    version: outcome.version,
    shard: shard.id,
    kind: outcome.kind,
    acted: outcome.acted,
    outcome: words(outcome.sentence),
    waiting_for: outcome.waitingFor === null ? null : words(outcome.waitingFor),
    by: outcome.by,
    verdict:
      verdict === undefined ? null : { kind: verdict.kind, how: verdict.kind === 'dead' ? verdict.how : null, because },
    break_age: age(now, verdict?.kind === 'dead' ? verdict.brokeAt : master?.brokeAt),
    floor: Math.max(shard.floor, master?.highest ?? 0),
    eligible_from: Math.max(shard.eligibleFrom, master?.aged ?? 0),
    settings: {
      tolerance_ms: policy.tolerance,
      max_lag_ms: policy.maxLag,
      no_witness_hold_ms: policy.noWitnessHold,
      diverged: policy.diverged,
      paused: intended.pause !== null,
    },
    nodes: shard.nodes.map((node): EvidenceNode => {
      const view = world.view(node.id);
      const judged = (report?.judged ?? outcome.judged)?.find((one) => one.node === node.id);
      return {
        id: node.id,
        addr: formatAddress(node.address),
        role: node.id === shard.master ? 'master' : 'slave',
        membership: node.membership,
        state: view?.state ?? 'unknown',
        reason: view?.reason == null ? null : short(view.reason, LONGEST.refusal),
        says: view?.says ?? null,
        sequence: view?.sequence ?? null,
        link: view?.link ?? null,
        silence: view?.silence ?? null,
        answered_ago: age(now, view?.answeredAt),
        witness: testimony.get(node.id) ?? null,
        refusals:
          (outcome.refusals?.get(node.id) ?? judged?.refusals)?.map((text) => words(text, LONGEST.refusal)) ?? null,
        passed_over: judged?.passedOver == null ? null : words(judged.passedOver),
      };
    }),
    nodes_omitted: 0,
  };
}

const EVIDENCE_FORMAT = 1;
/** Bytes of one record. */
export const EVIDENCE_SIZE = 8 * 1024;

const encoder = new TextEncoder();

/** As it is stored; nodes that find no room in it are counted, the last ones first. */
export function encodeEvidence(evidence: Evidence): string {
  let nodes = evidence.nodes;
  for (;;) {
    const omitted = evidence.nodes_omitted + evidence.nodes.length - nodes.length;
    const text = JSON.stringify({ format: EVIDENCE_FORMAT, ...evidence, nodes, nodes_omitted: omitted });
    const over = encoder.encode(text).length - EVIDENCE_SIZE;
    if (over <= 0 || nodes.length === 0) return text;
    const each = Math.max(1, Math.floor(encoder.encode(JSON.stringify(nodes)).length / nodes.length));
    nodes = nodes.slice(0, -Math.max(1, Math.floor(over / each)));
  }
}

function isEvidence(value: unknown): value is Evidence & { readonly format: number } {
  if (typeof value !== 'object' || value === null || !('format' in value)) return false;
  return value.format === EVIDENCE_FORMAT && 'id' in value && 'shard' in value && 'nodes' in value;
}

/** Undefined for a record that is none, or of a format that a later release has written. */
export function decodeEvidence(text: string): Evidence | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isEvidence(value)) return undefined;
    const { format: _, ...evidence } = value;
    return evidence;
  } catch {
    return undefined;
  }
}
