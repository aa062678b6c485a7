/**
 * What a topology looks like to a node that is asked for it: the same for the text that was told and for the
 * CLUSTER NODES that is read back, whatever the order of the lines. Versions are not part of it.
 */
import { formatRange, parseRange, type SlotSet, slotSet } from './slots.ts';

/** One node's line, from either side. */
export interface TopologyLine {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly master: string | null;
  readonly slots: SlotSet;
}

function hash(text: string, seed: number): string {
  let h = seed >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h.toString(16).padStart(8, '0');
}

/** 64 bits over the set of lines: enough to tell topologies apart that nobody forges. */
export function fingerprintOf(lines: readonly TopologyLine[]): string {
  const canonical = lines
    .map((line) => {
      const slots = line.slots.map(formatRange).join(' ');
      return `${line.id} ${line.host} ${line.port} ${line.master ?? '-'} ${slots}`;
    })
    .sort()
    .join('\n');
  return hash(canonical, 0x811c9dc5) + hash(canonical, 0x9747b28c);
}

/** The lines of a text that `topologyText` wrote. */
export function linesOf(text: string): TopologyLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', host = '', port = '', role, master = '-', ...ranges] = line.split(' ');
      const slots = slotSet(ranges.flatMap((range) => parseRange(range) ?? []));
      return { id, host, port: Number(port), master: role === 'master' ? null : master, slots };
    });
}

export const fingerprint = (text: string): string => fingerprintOf(linesOf(text));
