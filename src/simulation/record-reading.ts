/**
 * The stored records as an outsider reads them: plain JSON, without the product's own types, so that the checks share
 * nothing with those who decide.
 */
import { type SlotRange, slotSet } from '../topology/slots.ts';

export interface SeenNode {
  readonly id: string;
  readonly address: string;
  readonly master: boolean;
  readonly away: boolean;
  readonly proven: boolean;
  /** It is to be copied whole, by force. */
  readonly copied: boolean;
  /** The version of the promotion under which it was proven; NaN without a proof. */
  readonly provenAt: number;
}

export interface SeenShard {
  readonly id: string;
  readonly master: string;
  readonly nodes: readonly SeenNode[];
  readonly slots: readonly SlotRange[];
  readonly lineage: readonly { readonly version: number; readonly master: string; readonly sequence: number }[];
  readonly floor: number;
  /** Whoever is to be promoted must have come so far. */
  readonly eligibleFrom: number;
}

export interface SeenOperation {
  readonly id: string;
  readonly kind: string;
  readonly phase: string;
  readonly shard: string;
  readonly from: string;
  readonly to: string;
  readonly sourceNode: string;
  readonly targetNode: string;
  readonly slotOnly: boolean;
  /** What is on its way now; while nothing is, what is left of it. */
  readonly range: SlotRange | undefined;
  /** Of a hand-over: what a replica of the target must reach; NaN: not known. */
  readonly goal: number;
  readonly recovered: boolean;
  readonly source: string;
  readonly target: string;
  readonly plan: string;
  /** Its job is to be ended by telling its target. */
  readonly ended: boolean;
  /** A plan's own count. */
  readonly moved: number;
}

export interface SeenCluster {
  readonly version: number;
  readonly shards: readonly SeenShard[];
  readonly operations: readonly SeenOperation[];
  readonly leaving: readonly string[];
  /** Servers' settings that are to be put back. */
  readonly tuned: number;
  readonly paused: boolean;
  readonly ending: boolean;
}

type Bag = Readonly<Record<string, unknown>>;

const bag = (value: unknown): Bag => (typeof value === 'object' && value !== null ? { ...value } : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN);

function rangeOf(word: string): SlotRange {
  const [from = '', to = from] = word.split('-');
  return { from: Number(from), to: Number(to) };
}

function operation(value: unknown): SeenOperation {
  const one = bag(value);
  const range = bag(one['piece'] ?? one['left'] ?? one['range']);
  return {
    id: text(one['id']),
    kind: text(one['kind']),
    phase: text(one['phase']),
    shard: text(one['shard']),
    from: text(one['from']),
    to: text(one['to']),
    sourceNode: text(one['sourceNode']),
    targetNode: text(one['targetNode']),
    slotOnly: one['slotOnly'] === true,
    range: 'from' in range ? { from: number(range['from']), to: number(range['to']) } : undefined,
    goal: number(one['goal']),
    recovered: one['recovered'] === true,
    source: text(one['source']),
    target: text(one['target']),
    plan: text(one['plan']),
    ended: one['endedAt'] != null,
    moved: number(one['moved']),
  };
}

export function readRecords(topologyRecord: string, stateRecord: string): SeenCluster {
  const topology = bag(JSON.parse(topologyRecord));
  const state = bag(JSON.parse(stateRecord));
  const states = list(state['shards']).map(bag);
  return {
    version: number(topology['version']),
    shards: list(topology['shards']).map((value, i): SeenShard => {
      const shard = bag(value);
      const own = states[i] ?? {};
      const nodeStates = bag(own['nodes']);
      const nodes = list(shard['nodes']).map((item): SeenNode => {
        const node = bag(item);
        const nodeState = bag(nodeStates[text(node['id'])]);
        return {
          id: text(node['id']),
          address: text(node['addr']),
          master: node['role'] === 'master',
          away: nodeState['membership'] === 'away',
          proven: nodeState['proof'] != null,
          copied: nodeState['copy'] != null,
          provenAt: number(bag(nodeState['proof'])['entry']),
        };
      });
      return {
        id: text(own['id']),
        master: nodes.find((node) => node.master)?.id ?? '',
        nodes,
        slots: slotSet(list(shard['slot_ranges']).map((word) => rangeOf(text(word)))),
        lineage: list(own['lineage']).map((item) => {
          const entry = bag(item);
          return {
            version: number(entry['version']),
            master: text(entry['master']),
            sequence: number(entry['sequence']),
          };
        }),
        floor: number(own['floor']),
        eligibleFrom: number(own['eligible_from']),
      };
    }),
    operations: list(state['operations']).map(operation),
    leaving: list(state['leaving']).map((item) => text(bag(item)['id'])),
    tuned: list(state['tuned']).length,
    paused: state['pause'] != null,
    ending: state['ending'] === true,
  };
}

/** Who owns what, as one text: equal for two topologies that agree on every slot's owner. */
export function ownersOf(masters: readonly { readonly id: string; readonly slots: readonly SlotRange[] }[]): string {
  return masters
    .filter(({ slots }) => slots.length > 0)
    .map(
      ({ id, slots }) =>
        `${id} ${slotSet(slots)
          .map(({ from, to }) => `${from}-${to}`)
          .join(' ')}`,
    )
    .sort()
    .join('\n');
}

/** The masters of a text as SETNODES takes it. */
export function mastersOf(nodesText: string): { readonly id: string; readonly slots: readonly SlotRange[] }[] {
  return nodesText.split('\n').flatMap((line) => {
    const [id = '', , , role, , ...ranges] = line.split(' ');
    return role === 'master' ? [{ id, slots: ranges.map(rangeOf) }] : [];
  });
}
