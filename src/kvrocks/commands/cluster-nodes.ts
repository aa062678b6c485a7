import { parseAddress } from '../address.ts';
import { garbled, type Question, question, type Read, readText, reply } from '../question.ts';
import { parseSpan, type SlotSpan } from './slot.ts';

/** The topology that a node has in force, read back as a set: the order of lines means nothing. */
export interface ClusterNodes {
  readonly nodes: ReadonlyMap<string, NodeLine>;
  /** The id of the line marked `myself`; undefined when the topology does not name this node. */
  readonly myself: string | undefined;
}

/** Times and `connected` are left out: the server measures nothing of them. */
export interface NodeLine {
  readonly id: string;
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly role: 'master' | 'slave';
  /** Undefined for a master. It may name a node that is not in the topology. */
  readonly masterId: string | undefined;
  readonly version: number;
  readonly slots: readonly SlotSpan[];
  /** Marks of running jobs, on the own line only: `[100->-<id>]`, `[100-<-<id>]`. */
  readonly migrating: readonly SlotMark[];
  readonly importing: readonly SlotMark[];
}

export interface SlotMark {
  readonly span: SlotSpan;
  readonly nodeId: string;
}

/** `CLUSTER NODES`. Refused with `not-initialized` before any topology. A late or repeated copy changes nothing. */
export function clusterNodes(): Question<ClusterNodes> {
  return question(['CLUSTER', 'NODES'], (got) => parseClusterNodes(readText(got)));
}

export function parseClusterNodes(text: string | undefined): Read<ClusterNodes> {
  if (text === undefined) return garbled('CLUSTER NODES: no text');
  const nodes = new Map<string, NodeLine>();
  let myself: string | undefined;
  for (const line of text.split('\n')) {
    const words = line.trim().split(' ');
    if (words.length === 1 && words[0] === '') continue;
    const node = parseLine(words);
    if (node === undefined) return garbled('CLUSTER NODES: a line that is none');
    if (nodes.has(node.id)) return garbled('CLUSTER NODES: an id twice');
    nodes.set(node.id, node);
    if (words[2]?.split(',').includes('myself')) myself = node.id;
  }
  return reply({ nodes, myself });
}

function parseLine(words: readonly string[]): NodeLine | undefined {
  const [id, where, flags, master, , , epoch, , ...rest] = words;
  if (id === undefined || where === undefined || flags === undefined || master === undefined) return undefined;
  const address = parseAddress(where.split('@')[0] ?? '');
  // More flags than these may stand there: 2.16 writes `slave,fail`.
  const role = flags.split(',').find((flag) => flag === 'master' || flag === 'slave');
  if (address === undefined || role === undefined || !/^\d{1,15}$/.test(epoch ?? '')) return undefined;
  const slots: SlotSpan[] = [];
  const migrating: SlotMark[] = [];
  const importing: SlotMark[] = [];
  for (const word of rest) {
    const mark = /^\[([\d-]+)-([<>])-(.+)\]$/.exec(word);
    const span = parseSpan(mark?.[1] ?? word);
    if (span === undefined) return undefined;
    if (mark === null) slots.push(span);
    else (mark[2] === '>' ? migrating : importing).push({ span, nodeId: mark[3] ?? '' });
  }
  const masterId = role === 'slave' ? master : undefined;
  return {
    id,
    host: address.host,
    port: address.port,
    role: role === 'slave' ? 'slave' : 'master',
    masterId,
    version: Number(epoch),
    slots,
    migrating,
    importing,
  };
}
