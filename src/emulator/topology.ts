/**
 * What a node knows of its cluster: nodes, their slots, its own place. It keeps Kvrocks 2.14's habits, which come from
 * slots pointing to node objects: a text makes new objects, and slots that it does not name keep the old ones, which
 * equal no present node, the own one included.
 */

import { nodeAt, overlaid, type SlotRuns, slotsIn } from './slot-runs.ts';
import { type Parsed, rangeText, type SlotRange } from './slot-words.ts';
import { parseTopologyText, type TextNode } from './topology-text.ts';

export interface ClusterNode extends TextNode {
  /** Ids of the slaves that name it in the same text. */
  readonly replicas: readonly string[];
}

/** How far CLUSTER NODES marks a running job behind the own slots. */
export interface JobMarks {
  readonly migrating?: { readonly range: SlotRange; readonly target: string } | undefined;
  readonly importing?: SlotRange | undefined;
}

/** The version before any topology. */
const NO_VERSION = -1n;

export class Topology {
  version = NO_VERSION;
  /** The own id, empty if unknown. */
  myId = '';
  /** The own node if the topology has the own id. */
  self: ClusterNode | undefined;
  /** Masters that had slots in the last text. */
  size = 0;
  #nodes = new Map<string, ClusterNode>();
  #runs: SlotRuns<ClusterNode> = [];
  /** An id that SETSLOT named without knowing it: the entry is there, and it points to nothing. */
  #hollow = false;

  get known(): boolean {
    return this.version !== NO_VERSION;
  }

  get hollow(): boolean {
    return this.#hollow;
  }

  node(id: string): ClusterNode | undefined {
    return this.#nodes.get(id);
  }

  owner(slot: number): ClusterNode | undefined {
    return nodeAt(this.#runs, slot);
  }

  /** Takes a text as the new topology; on an error nothing has changed. `isMe` finds the own line if the id is unknown. */
  take(text: string, version: bigint, isMe: ((node: TextNode) => boolean) | undefined): Parsed<undefined> {
    const parsed = parseTopologyText(text);
    if ('refused' in parsed) return parsed;
    const { nodes, slots } = parsed.value;
    const replicas = new Map<string, string[]>();
    for (const node of nodes.values()) {
      if (node.role === 'slave' && nodes.has(node.master)) {
        const list = replicas.get(node.master);
        if (list === undefined) replicas.set(node.master, [node.id]);
        else list.push(node.id);
      }
    }
    this.version = version;
    this.#hollow = false;
    this.#nodes = new Map([...nodes].map(([id, node]) => [id, { ...node, replicas: replicas.get(id) ?? [] }]));
    const fresh = slots.flatMap(({ first, last, node: id }) => {
      const node = this.#nodes.get(id);
      return node === undefined ? [] : [{ first, last, node }];
    });
    this.#runs = overlaid(this.#runs, fresh);
    const withSlots = new Set(fresh.map(({ node }) => node.id));
    this.size = [...withSlots].filter((id) => nodes.get(id)?.role === 'master').length;
    if (isMe !== undefined) {
      const own = [...nodes.values()].find(isMe);
      if (own !== undefined) this.myId = own.id;
    }
    this.self = this.#nodes.get(this.myId);
    return { value: undefined };
  }

  setId(id: string): void {
    this.myId = id;
    this.self = this.#nodes.get(id);
  }

  /** Gives slots to a known master. Tells for each slot who had it. */
  assign(
    ranges: readonly SlotRange[],
    to: ClusterNode,
    version: bigint,
    moved: (slot: number, from: ClusterNode | undefined) => void,
  ): void {
    this.version = version;
    for (const range of ranges) {
      const before = this.#runs;
      this.#runs = overlaid(before, [{ first: range.first, last: range.last, node: to }]);
      for (let slot = range.first; slot <= range.last; slot++) {
        const from = nodeAt(before, slot);
        if (from !== to) moved(slot, from);
      }
    }
  }

  makeHollow(): void {
    this.#hollow = true;
  }

  forget(): void {
    this.version = NO_VERSION;
    this.myId = '';
    this.self = undefined;
    this.size = 0;
    this.#hollow = false;
    this.#nodes = new Map();
    this.#runs = [];
  }

  /** CLUSTER NODES. `wall` is shown as the time of the last ping and pong: nothing is measured. */
  nodesText(wall: number, marks: JobMarks): string {
    const slots = this.#slotTexts();
    let text = '';
    for (const node of this.#nodes.values()) {
      const own = node === this.self ? 'myself,' : '';
      const owned = slots.get(node.id);
      text += `${this.#lineHead(node, own, wall)}${owned === undefined ? '' : ` ${owned}`}`;
      if (own !== '' && marks.migrating !== undefined) {
        text += ` [${rangeText(marks.migrating.range)}->-${marks.migrating.target}]`;
      }
      if (own !== '' && marks.importing !== undefined) {
        text += ` [${rangeText(marks.importing)}-<-${this.owner(marks.importing.first)?.id ?? ''}]`;
      }
      text += '\n';
    }
    return text;
  }

  /** CLUSTER REPLICAS of a master. */
  replicasText(master: ClusterNode, wall: number): string {
    let text = '';
    for (const id of master.replicas) {
      const node = this.#nodes.get(id);
      if (node !== undefined) text += `${this.#lineHead(node, node === this.self ? 'myself,' : '', wall)}\n`;
    }
    return text;
  }

  /** The lines of CLUSTER INFO that the topology tells. */
  infoText(): string {
    const assigned = slotsIn(this.#runs);
    return [
      'cluster_state:ok',
      `cluster_slots_assigned:${assigned}`,
      `cluster_slots_ok:${assigned}`,
      'cluster_slots_pfail:0',
      'cluster_slots_fail:0',
      `cluster_known_nodes:${this.#nodes.size + (this.#hollow ? 1 : 0)}`,
      `cluster_size:${this.size}`,
      `cluster_current_epoch:${this.version}`,
      `cluster_my_epoch:${this.version}`,
      '',
    ].join('\r\n');
  }

  /** The rows of CLUSTER SLOTS: owners with their slaves, master first. */
  rows(): readonly (SlotRange & { readonly nodes: readonly ClusterNode[] })[] {
    return this.#runs.map(({ first, last, node }) => ({
      first,
      last,
      nodes: [node, ...node.replicas.flatMap((id) => this.#nodes.get(id) ?? [])],
    }));
  }

  /** The text of nodes.conf. */
  fileText(): string {
    const slots = this.#slotTexts();
    let text = `version ${this.version}\nid ${this.myId}\n`;
    for (const node of this.#nodes.values()) {
      const owned = slots.get(node.id);
      const tail = node.role === 'master' ? `- ${owned === undefined ? '' : ` ${owned}`}` : node.master;
      text += `node ${node.id} ${node.host} ${node.port} ${node.role} ${tail}\n`;
    }
    return text;
  }

  /** Reads nodes.conf. A refusal keeps the process from starting. */
  readFile(text: string, isMe: (node: TextNode) => boolean): Parsed<undefined> {
    let version = NO_VERSION;
    let nodes = '';
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const blank = line.indexOf(' ');
      const word = blank < 0 ? line : line.slice(0, blank);
      const rest = blank < 0 ? '' : line.slice(blank + 1);
      if (word === 'version') {
        version = /^-?\d{1,19}$/.test(rest) ? BigInt(rest) : NO_VERSION;
      } else if (word === 'id') {
        if (rest.length !== 40 && rest.length !== 0) return { refused: 'Invalid cluster node id' };
        this.myId = rest;
      } else if (word === 'node') {
        nodes += `${rest}\n`;
      } else {
        return { refused: `unknown key: ${word}` };
      }
    }
    if (version < 0n) return { refused: 'Invalid cluster version' };
    return this.take(nodes, version, this.myId === '' ? isMe : undefined);
  }

  #lineHead(node: ClusterNode, own: string, wall: number): string {
    const address = `${node.host}:${node.port}@${node.port + 10000}`;
    const role = node.role === 'master' ? 'master -' : `slave ${node.master}`;
    return `${node.id} ${address} ${own}${role} ${wall - 1} ${wall} ${this.version} connected`;
  }

  #slotTexts(): ReadonlyMap<string, string> {
    const texts = new Map<string, string>();
    for (const run of this.#runs) {
      const before = texts.get(run.node.id);
      texts.set(run.node.id, before === undefined ? rangeText(run) : `${before} ${rangeText(run)}`);
    }
    return texts;
  }
}
