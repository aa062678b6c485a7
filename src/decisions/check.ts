/**
 * What is wrong between what is stored, what the nodes carry and what they hold: the problems of the status, and what a
 * deep look finds beyond them. Each finding has a name by which its remedy can be asked for.
 */
import { formatAddress } from '../topology/address.ts';
import { nodeOf } from '../topology/cluster.ts';
import { NO_SLOTS, type SlotSet } from '../topology/slots.ts';
import type { Found } from './check-found.ts';
import { keyFindings } from './check-keys.ts';
import { replicaFindings, serverFindings } from './check-replicas.ts';
import { topologyEvidence, topologyFindings } from './check-topologies.ts';
import { kvctl } from './commands.ts';
import type { DeepLook } from './deep-look.ts';
import type { Finding } from './problems.ts';
import { remedyOf } from './remedies.ts';
import { shareUncovered, uncoveredSlots } from './uncovered.ts';
import type { World } from './world.ts';

export interface CheckFinding extends Found {
  /** Names it within its cluster, and is the same as long as it lasts: `TOPOLOGY_NEWER@10.0.0.1:6666`. */
  readonly key: string;
}

const RANK = { error: 0, warning: 1, note: 2 } as const;

/** `problems`: those of the status, of the same world. Errors first, otherwise in the order of the shards. */
export function checkFindings(world: World, problems: readonly Finding[], deep: DeepLook): readonly CheckFinding[] {
  const all: Found[] = [
    ...problems.map((problem) => fromStatus(world, problem, deep)),
    ...uncovered(world, deep),
    ...topologyFindings(world, problems, deep),
    ...replicaFindings(world, deep),
    ...keyFindings(world, deep),
    ...serverFindings(world),
  ];
  const taken = new Map<string, number>();
  return all
    .sort((a, b) => RANK[a.severity] - RANK[b.severity])
    .map((found) => {
      const key = keyOf(world, found);
      const count = (taken.get(key) ?? 0) + 1;
      taken.set(key, count);
      return { ...found, key: count === 1 ? key : `${key}.${count}` };
    });
}

function keyOf(world: World, { code, node, shard }: Found): string {
  const { cluster } = world.intended;
  if (node === null) return shard === null ? code : `${code}@${shard}`;
  const known = nodeOf(cluster, node)?.node ?? cluster.leaving.find(({ id }) => id === node);
  return `${code}@${known === undefined ? node : formatAddress(known.address)}`;
}

function fromStatus(world: World, problem: Finding, deep: DeepLook): Found {
  const evidence = problem.code === 'TOPOLOGY_NEWER' ? topologyEvidence(problem.node, deep) : [];
  return { ...problem, slots: NO_SLOTS, evidence, remedy: remedyOf(world, problem) };
}

function uncovered(world: World, deep: DeepLook): readonly Found[] {
  const slots = uncoveredSlots(world.intended.cluster);
  if (slots.length === 0 || world.intended.ending) return [];
  const { gifts, kept } = shareUncovered(world, deep);
  const count = slots.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  const held = holders(deep, slots);
  return [
    {
      code: 'SLOTS_UNCOVERED',
      severity: 'error',
      shard: null,
      node: null,
      message: `${count} ${count === 1 ? 'slot belongs' : 'slots belong'} to no shard: clients get errors for all keys in them`,
      waitingFor: kept.length === 0 ? null : `an operator, where ${kept.map(({ why }) => why).join('; and where ')}`,
      command: gifts.length > 0 || kept.length === 0 ? null : kvctl(world, 'status'),
      slots,
      evidence: held,
      remedy: gifts.length === 0 ? null : { kind: 'give-slots', gifts },
    },
  ];
}

function holders(deep: DeepLook, slots: SlotSet): readonly string[] {
  const words: string[] = [];
  for (const [node, look] of deep.nodes) {
    if (look.kind !== 'read' || look.keys === null) continue;
    let keys = 0;
    let full = 0;
    for (const { from, to } of slots) {
      for (let slot = from; slot <= to; slot++) {
        const here = look.keys.held.get(slot) ?? 0;
        keys += here;
        if (here > 0) full++;
      }
    }
    if (keys > 0) words.push(`${node} holds ${keys} keys in ${full} of them`);
  }
  return words;
}
