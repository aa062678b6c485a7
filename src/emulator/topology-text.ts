/** The text of CLUSTERX SETNODES, read as Kvrocks 2.14 reads it, with its error texts. */
import type { SlotRun } from './slot-runs.ts';
import { type Parsed, SLOTS } from './slot-words.ts';

export interface TextNode {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly role: 'master' | 'slave';
  /** The id of a slave's master; empty for a master. */
  readonly master: string;
}

export interface TopologyText {
  /** Of several lines with one id the last gives the address. */
  readonly nodes: ReadonlyMap<string, TextNode>;
  /** Slots with the id that owns them, no slot twice. */
  readonly slots: readonly SlotRun<string>[];
}

export const ID_LENGTH = 40;

/** One text goes to every node of a cluster, and more than once. */
const known = new Map<string, Parsed<TopologyText>>();
const MOST_KNOWN = 16;

export function parseTopologyText(text: string): Parsed<TopologyText> {
  const before = known.get(text);
  if (before !== undefined) return before;
  const parsed = parse(text);
  const [oldest] = known.size < MOST_KNOWN ? [] : known.keys();
  if (oldest !== undefined) known.delete(oldest);
  known.set(text, parsed);
  return parsed;
}

function parse(text: string): Parsed<TopologyText> {
  const nodes = new Map<string, TextNode>();
  const slots: SlotRun<string>[] = [];
  const taken = new Uint8Array(SLOTS);
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length === 0) return { refused: 'Invalid cluster nodes info' };
  for (const line of lines) {
    const [id, host, port, role, master, ...words] = line.split(' ').filter((word) => word !== '');
    if (id === undefined || host === undefined || port === undefined || role === undefined || master === undefined) {
      return { refused: 'Invalid cluster nodes info' };
    }
    if (id.length !== ID_LENGTH) return { refused: 'Invalid cluster node id' };
    if (!/^\d{1,10}$/.test(port) || Number(port) > 65535) return { refused: 'Invalid cluster node port' };
    const kind = role.toLowerCase();
    if (kind === 'slave' || kind === 'replica') {
      if (master.length !== ID_LENGTH) return { refused: 'Invalid cluster node id' };
      if (words.length > 0) return { refused: 'Invalid cluster nodes info' };
      nodes.set(id, { id, host, port: Number(port), role: 'slave', master });
      continue;
    }
    if (kind !== 'master') return { refused: 'Invalid cluster node role' };
    if (master !== '-') return { refused: 'Invalid cluster node id' };
    nodes.set(id, { id, host, port: Number(port), role: 'master', master: '' });
    const refused = readSlots(words, id, slots, taken);
    if (refused !== undefined) return { refused };
  }
  return { value: { nodes, slots } };
}

function readSlots(
  words: readonly string[],
  id: string,
  slots: SlotRun<string>[],
  taken: Uint8Array,
): string | undefined {
  for (const word of words) {
    if (/^[0-9a-fA-F]{40}$/.test(word)) return 'Invalid nodes definition: Missing newline between node entries.';
    // A minus before or behind a number goes unnoticed: `-5` and `5-` are slot 5.
    const [first, last, ...rest] = word.split('-').filter((part) => part !== '');
    const from = slotNumber(first);
    const to = last === undefined ? from : slotNumber(last);
    if (from === undefined || to === undefined || rest.length > 0) return 'Slot is out of range';
    if (last !== undefined && from >= to) return 'Slot is out of range';
    for (let slot = from; slot <= to; slot++) {
      if (taken[slot] === 1) return 'Slot distribution is overlapped';
      taken[slot] = 1;
    }
    slots.push({ first: from, last: to, node: id });
  }
  return undefined;
}

function slotNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < SLOTS ? Number(text) : undefined;
}
