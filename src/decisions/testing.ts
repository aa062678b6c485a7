/**
 * Worlds for tests, from a few words a node: `a master 900 dead | b replica 300 | c replica 895 loading`. Nodes are
 * parted by `|`, shards by `/`. The first word is the node's id, the second its place in the topology (`master`,
 * `replica`, `away`), a number its sequence; the rest is what was seen of it:
 *
 *   dead, hung, gone (a replica that does not answer), loading, unasked     how it answers; `up` if nothing is said
 *   linked, down, sync, silent:N                                            its link; N seconds without its master
 *   says-master, says-slave, noid                                           other than the topology says
 *   at:N                                                                    carries our topology as version N
 *   foreign:N                                                               carries another one as version N
 *   highest:N, asked:N (ms ago), unproven, proof:N, attaching:HOW           what is known of it
 *   fenced:N, unheld, attached:N, promoted:N                                what it said in the breath of a push
 *
 * Left alone, a node is up, was asked 50 ms ago, carries the committed version and plays its role, and the replicas of
 * a dead or hung master say what that makes them say.
 */
import { type Intended, lookOf, type Operation, type Pause } from '../operations/intended.ts';
import { type ClusterSettings, DEFAULT_SETTINGS } from '../operations/settings.ts';
import type { Tuned } from '../operations/tuning.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import {
  type Attach,
  type Cluster,
  type LeavingNode,
  type LineageEntry,
  NEW_NODE,
  type Node,
  type Shard,
} from '../topology/cluster.ts';
import { splitEvenly } from '../topology/slots.ts';
import { compareOf } from './comparing.ts';
import { type CopyAnswers, type CopyJob, copyJobKey, type Found, type LogVerdict } from './jobs.ts';
import type { LateCommit, NodeState, NodeView, PeersView, Told, Trace, World } from './world.ts';

/** The instant of every world that names no other one. */
export const NOW = 100_000;
/** The committed version of every world that names no other one. */
export const VERSION = 7;

const NO_PEERS: PeersView = { alive: 0, gone: 0, outstanding: 0 };

export interface Sketch {
  readonly now?: number;
  readonly version?: number;
  readonly watchingSince?: number;
  readonly trustFrom?: number;
  readonly lineage?: readonly LineageEntry[];
  readonly floor?: number;
  readonly eligibleFrom?: number;
  readonly damping?: Shard['damping'];
  readonly dataLost?: number;
  readonly dampedSince?: number;
  readonly brake?: boolean;
  /** Of the first shard. */
  readonly peers?: Partial<PeersView>;
  readonly lateCommit?: LateCommit;
  readonly toldAgainAt?: Readonly<Record<string, number>>;
  readonly policy?: Partial<ClusterSettings>;
  readonly operations?: readonly Operation[];
  readonly tuned?: readonly Tuned[];
  readonly pause?: Pause;
  readonly leaving?: readonly LeavingNode[];
  readonly ending?: boolean;
  readonly traces?: Readonly<Record<string, Trace>>;
  readonly found?: Readonly<Record<string, Found>>;
  readonly views?: Readonly<Record<string, Partial<NodeView>>>;
}

interface Words {
  readonly id: string;
  readonly place: string;
  readonly sequence: number;
  readonly flags: ReadonlyMap<string, string>;
}

function wordsOf(text: string): Words {
  const [id = '', place = '', ...rest] = text.trim().split(/\s+/);
  const numbers = rest.filter((word) => /^\d+$/.test(word)).map(Number);
  const flags = rest
    .filter((word) => !/^\d+$/.test(word))
    .map((word): [string, string] => {
      const [name = '', value = ''] = word.split(':');
      return [name, value];
    });
  return { id, place, sequence: numbers[0] ?? 0, flags: new Map(flags) };
}

const shardId = (index: number): string => `s${index}`;

function attachOf(word: string | undefined): Attach | null {
  return word === 'empty' || word === 'within' || word === 'log' || word === 'copied' ? word : null;
}

function nodeFor(words: Words, index: number, newest: LineageEntry): Node {
  const { flags } = words;
  const number = (name: string) => (flags.has(name) ? Number(flags.get(name)) : undefined);
  return {
    id: words.id,
    address: { host: `10.0.0.${words.id.charCodeAt(0)}`, port: 6000 + index },
    createdAt: 1,
    ...NEW_NODE,
    membership: words.place === 'away' ? 'away' : 'member',
    highest: number('highest') ?? words.sequence,
    proof: flags.has('unproven')
      ? null
      : { entry: number('proof') ?? newest.version, how: words.place === 'master' ? 'master' : 'within' },
    attaching: attachOf(flags.get('attaching')),
    priority: number('priority') ?? 100,
    noFailover: flags.has('excluded'),
    cutOff: flags.has('cutoff'),
  };
}

const told = (version: number, role: Told['role'], sequence: number, at: number): Told => ({
  version,
  before: 'slave',
  role,
  sequence,
  connection: 1,
  at,
});

/** What every view has that is not told otherwise: a node that was never asked. */
const unseen = (id: string, highest = 0): NodeView => ({
  id,
  state: 'unknown',
  since: 0,
  reason: null,
  firstAskedAt: 0,
  askedAt: Number.NEGATIVE_INFINITY,
  answeredAt: Number.NEGATIVE_INFINITY,
  brokeAt: null,
  failedAskedAt: Number.NEGATIVE_INFINITY,
  timeouts: 0,
  myId: null,
  says: null,
  sequence: null,
  highest,
  fell: null,
  aged: 0,
  version: null,
  link: null,
  follows: null,
  linkUpAt: Number.NEGATIVE_INFINITY,
  linkDownAt: null,
  lostAt: null,
  silence: null,
  holds: null,
  versionSince: Number.NEGATIVE_INFINITY,
  holdsSince: Number.NEGATIVE_INFINITY,
  fenced: null,
  fenceHolds: false,
  attached: null,
  promoted: null,
  returnAfter: Number.NEGATIVE_INFINITY,
  busySince: null,
  rsid: null,
  dangers: [],
  serverVersion: null,
  process: null,
  migrateType: null,
  passwordless: null,
  migrating: null,
  importing: null,
});

/** Refused since 700 ms, or silent since 4 s: past the bounds of either. */
const failing = (state: NodeState, ago: number, now: number): Partial<NodeView> => ({
  state,
  since: now - ago,
  askedAt: now - ago - 300,
  answeredAt: now - ago - 299,
  brokeAt: now - ago,
  failedAskedAt: now - 50,
  timeouts: state === 'silent' ? 2 : 0,
  myId: null,
});

function stateOf(words: Words, now: number): Partial<NodeView> {
  const { flags } = words;
  if (flags.has('dead')) return failing('refused', 700, now);
  if (flags.has('hung')) return failing('silent', 4_000, now);
  if (flags.has('gone')) return failing('silent', 700, now);
  if (flags.has('loading')) return { state: 'loading', says: null };
  return {};
}

function linkOf(words: Words, master: Words | undefined, now: number): Partial<NodeView> {
  const { flags } = words;
  const linked = { link: 'up', linkUpAt: now - 50, linkDownAt: null } as const;
  const down = { link: 'down', linkUpAt: now - 1_000, linkDownAt: now - 700, silence: 1 } as const;
  if (flags.has('silent')) return { ...linked, silence: Number(flags.get('silent')) };
  if (flags.has('linked')) return { ...linked, silence: 0 };
  if (flags.has('down')) return down;
  if (flags.has('sync')) return { ...down, link: 'sync' };
  if (master?.flags.has('dead')) return down;
  return { ...linked, silence: master?.flags.has('hung') ? 4 : 0 };
}

function viewFor(words: Words, node: Node, master: Words | undefined, intended: Intended, now: number): NodeView {
  const { flags } = words;
  if (flags.has('unasked')) return unseen(node.id, node.highest);
  const isMaster = words.place === 'master';
  const says = flags.has('says-master') || (isMaster && !flags.has('says-slave')) ? 'master' : 'slave';
  const { version } = intended.cluster;
  const seen = flags.has('foreign')
    ? Number(flags.get('foreign'))
    : flags.has('at')
      ? Number(flags.get('at'))
      : node.membership === 'away'
        ? version - 1
        : version;
  const asked = now - Number(flags.get('asked') ?? 50);
  const inBreath = (name: string, role: Told['role']) =>
    flags.has(name) ? told(version, role, Number(flags.get(name)), now - 500) : null;
  return {
    ...unseen(node.id, node.highest),
    state: 'up',
    since: now - 60_000,
    askedAt: asked,
    answeredAt: asked + 1,
    myId: flags.has('noid') ? '' : node.id,
    says,
    sequence: words.sequence,
    process: { id: words.id.charCodeAt(0), startedAt: 1_000 },
    fell: words.sequence < node.highest && !flags.has('noid') ? { from: node.highest, at: now - 60_000 } : null,
    version: seen,
    holds: { version: seen, fingerprint: flags.has('foreign') ? 'foreign' : lookOf(intended).fingerprint },
    versionSince: now - 60_000,
    holdsSince: now - 60_000,
    fenced: inBreath('fenced', 'master'),
    fenceHolds: flags.has('fenced') && !flags.has('unheld'),
    attached: inBreath('attached', 'slave'),
    promoted: inBreath('promoted', 'master'),
    ...(says === 'slave' ? linkOf(words, master, now) : {}),
    ...stateOf(words, now),
  };
}

function shardFor(text: string, index: number, count: number, sketch: Sketch): { shard: Shard; words: Words[] } {
  const words = text.split('|').map(wordsOf);
  const master = words.find((one) => one.place === 'master')?.id ?? '';
  const lineage = sketch.lineage ?? [{ version: 1, master, sequence: 0, exact: true }];
  const newest = lineage.at(-1) ?? { version: 1, master, sequence: 0, exact: true };
  const shard: Shard = {
    id: shardId(index),
    master,
    nodes: words.map((one) => nodeFor(one, index, newest)),
    slots: splitEvenly(count)[index] ?? [],
    lineage: index === 0 ? lineage : [{ version: 1, master, sequence: 0, exact: true }],
    floor: sketch.floor ?? 0,
    eligibleFrom: sketch.eligibleFrom ?? 0,
    damping: sketch.damping ?? null,
    dataLost: sketch.dataLost ?? null,
  };
  return { shard, words };
}

/** Shards `s0`, `s1`...; slots split evenly. `sketch.lineage` is of the first shard. */
export function world(text: string, sketch: Sketch = {}): World {
  const now = sketch.now ?? NOW;
  const parts = text.split('/');
  const built = parts.map((part, i) => shardFor(part, i, parts.length, sketch));
  const cluster: Cluster = {
    namespace: 'ns',
    name: 'c1',
    version: sketch.version ?? VERSION,
    password: NO_SECRET,
    shards: built.map(({ shard }) => shard),
    leaving: sketch.leaving ?? [],
  };
  const intended: Intended = {
    cluster,
    operations: sketch.operations ?? [],
    pause: sketch.pause ?? null,
    settings: {},
    tuned: sketch.tuned ?? [],
    nextEvent: 1,
    ending: sketch.ending ?? false,
  };
  const views = new Map<string, NodeView>();
  for (const { shard, words } of built) {
    const master = words.find((one) => one.place === 'master');
    for (const one of words) {
      const node = shard.nodes.find((candidate) => candidate.id === one.id);
      if (node !== undefined) views.set(one.id, viewFor(one, node, master, intended, now));
    }
  }
  for (const [id, facts] of Object.entries(sketch.views ?? {})) {
    views.set(id, { ...(views.get(id) ?? unseen(id)), ...facts });
  }
  return {
    intended,
    view: (node) => views.get(node),
    trace: (operation) => sketch.traces?.[operation],
    dampedSince: () => sketch.dampedSince ?? sketch.watchingSince ?? 0,
    brake: sketch.brake ?? false,
    toldAgainAt: (node) => sketch.toldAgainAt?.[node] ?? Number.NEGATIVE_INFINITY,
    peers: (shard) => ({ ...NO_PEERS, ...(shard === shardId(0) ? sketch.peers : {}) }),
    lateCommit: (shard) => (shard === shardId(0) ? sketch.lateCommit : undefined),
    found: (node) => sketch.found?.[node],
    fresh: 'fresh',
    watchingSince: sketch.watchingSince ?? 0,
    trustFrom: sketch.trustFrom ?? Number.NEGATIVE_INFINITY,
    policy: { ...DEFAULT_SETTINGS, ...sketch.policy },
    now,
    wall: 1_795_000_000_000,
  };
}

/** The same world with other facts about one node. */
export function seeing(before: World, id: string, facts: Partial<NodeView>): World {
  const view = { ...(before.view(id) ?? unseen(id)), ...facts };
  return { ...before, view: (node) => (node === id ? view : before.view(node)) };
}

/** The same world in which a job has come to this. */
export function answered<K extends keyof CopyAnswers>(
  before: World,
  job: Extract<CopyJob, { kind: K }>,
  kind: K,
  answer: CopyAnswers[K],
): World {
  const known = before.found(job.node.id);
  const answers = { ...known?.answers, [kind]: { of: copyJobKey(job), answer, at: before.now } };
  const found: Found = { answers, progress: null };
  return { ...before, found: (node) => (node === job.node.id ? found : before.found(node)) };
}

/** The same world in which the log of a node of the first shard was compared with its master's. */
export function logSays(
  before: World,
  id: string,
  common: number | null,
  verdict: LogVerdict,
  back: number | null = null,
): World {
  const job = compareOf(before, shardAt(before), nodeAt(before, id), common, back);
  if (job === undefined) throw new Error(`the log of ${id} cannot be compared`);
  return answered(before, job, 'compare', verdict);
}

/** The world after a commit: everybody is as before, so nobody carries what is new. */
export const after = (before: World, intended: Intended): World => ({ ...before, intended });

/** The node carries the committed version, as read back. */
export function carrying(before: World, id: string, facts: Partial<NodeView> = {}): World {
  const { version } = before.intended.cluster;
  const holds = { version, fingerprint: lookOf(before.intended).fingerprint };
  return seeing(before, id, { version, holds, myId: id, ...facts });
}

/** The shard at this place, for a test that knows that it is there. */
export function shardAt(of: World | Intended, index = 0): Shard {
  const shard = ('cluster' in of ? of : of.intended).cluster.shards[index];
  if (shard === undefined) throw new Error(`no shard ${index}`);
  return shard;
}

export function nodeAt(of: World | Intended, id: string): Node {
  const { cluster } = 'cluster' in of ? of : of.intended;
  const node = cluster.shards.flatMap((shard) => shard.nodes).find((one) => one.id === id);
  if (node === undefined) throw new Error(`no node ${id}`);
  return node;
}

export const entry = (version: number, master: string, sequence: number, exact = true): LineageEntry => ({
  version,
  master,
  sequence,
  exact,
});
