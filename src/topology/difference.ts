/** In which points the topology that a node carries is not the one that it should carry, in words. */
import { formatAddress, sameAddress } from './address.ts';
import type { TopologyLine } from './fingerprint.ts';
import type { NodeId } from './ids.ts';
import { formatSlots, intersect, NO_SLOTS, subtract } from './slots.ts';

/** The most that is told of one node; a stranger's topology differs in everything. */
const MOST = 12;

const partOf = ({ master }: TopologyLine): string => (master === null ? 'a master' : `a slave of ${master}`);

function nodesApart(wanted: ReadonlyMap<NodeId, TopologyLine>, seen: ReadonlyMap<NodeId, TopologyLine>): string[] {
  const words: string[] = [];
  for (const line of seen.values()) {
    const due = wanted.get(line.id);
    if (due === undefined) {
      words.push(
        `it names ${line.id} at ${formatAddress(line)}, ${partOf(line)}, which the committed topology does not`,
      );
      continue;
    }
    if (!sameAddress(line, due))
      words.push(`it has ${line.id} at ${formatAddress(line)} instead of ${formatAddress(due)}`);
    if (line.master !== due.master) words.push(`it has ${line.id} as ${partOf(line)} instead of ${partOf(due)}`);
  }
  for (const due of wanted.values()) if (!seen.has(due.id)) words.push(`it does not name ${due.id}, ${partOf(due)}`);
  return words;
}

function slotsApart(wanted: readonly TopologyLine[], seen: readonly TopologyLine[]): string[] {
  const words: string[] = [];
  for (const due of wanted) {
    let rest = subtract(due.slots, seen.find(({ id }) => id === due.id)?.slots ?? NO_SLOTS);
    for (const line of seen) {
      const taken = line.id === due.id ? NO_SLOTS : intersect(rest, line.slots);
      if (taken.length === 0) continue;
      words.push(`it gives slots ${formatSlots(taken)} to ${line.id} instead of ${due.id}`);
      rest = subtract(rest, taken);
    }
    if (rest.length > 0) words.push(`it has no owner for slots ${formatSlots(rest)} of ${due.id}`);
  }
  const owned = wanted.flatMap(({ slots }) => slots);
  for (const line of seen) {
    const more = subtract(line.slots, owned);
    if (more.length > 0) words.push(`it gives slots ${formatSlots(more)}, which nobody owns, to ${line.id}`);
  }
  return words;
}

/** Empty where they are the same, whatever the order of their lines. */
export function differences(wanted: readonly TopologyLine[], seen: readonly TopologyLine[]): readonly string[] {
  const byId = (lines: readonly TopologyLine[]) => new Map(lines.map((line) => [line.id, line]));
  const words = [...nodesApart(byId(wanted), byId(seen)), ...slotsApart(wanted, seen)];
  return words.length <= MOST ? words : [...words.slice(0, MOST), `and ${words.length - MOST} more`];
}
