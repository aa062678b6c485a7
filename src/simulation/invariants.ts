/**
 * The promises, watched from outside on every commit and every command that a controller sends. What is broken is
 * noted once, with the instant; nothing here is asked by those who decide.
 */
import { formatRange, type SlotRange, type SlotSet, slotCount, slotSet, subtract } from '../topology/slots.ts';
import { CommandWatch, type Committed, type CommittedVersion } from './command-watch.ts';
import type { ControllerHost } from './controllers.ts';
import { isPrefix } from './convergence.ts';
import type { Machine } from './machine.ts';
import { ownersOf, readRecords, type SeenCluster, type SeenShard } from './record-reading.ts';
import { CLUSTER, NAMESPACE, type Observer, type World } from './world.ts';

/** Records that are compared of a node that is called proven. */
const LOOKED_BACK = 60;

export interface Broken {
  readonly at: number;
  readonly promise: string;
  readonly what: string;
}

export interface Promotion {
  readonly at: number;
  readonly shard: string;
  readonly old: string;
  readonly master: string;
  readonly version: number;
  readonly planned: boolean;
  /** What the controller said may have been lost, at most or as far as it knew. */
  readonly mayLose: number | undefined;
}

/** Slots that were handed over, and by whom. */
export interface HandOver {
  readonly host: string;
  readonly range: SlotRange;
  /** The shard that got them, and what its master had then; NaN: nobody knows. */
  readonly target: string;
  readonly goal: number;
  readonly startedAt: number;
  readonly at: number;
}

/** Events that say why a shard has another master, though nobody asked for it. */
const UNPLANNED: ReadonlySet<string> = new Set(['failover', 'failover.given-back', 'switchover.failed']);

/** An answer that a promotion is decided by may be so old, in ms, with the commit behind it. */
const ANSWERS_LAST = 400;

/** Commits of one version within a second; random runs come to nine. */
const MOST_COMMITS = 50;

const TOPOLOGY_KEY = `/kvrocks/metadata/${NAMESPACE}/cluster/${CLUSTER}`;
const STATE_KEY = `/kvrocks/kvctl/cluster/${NAMESPACE}/${CLUSTER}`;
const EVENT_PREFIX = `/kvrocks/kvctl/event/${NAMESPACE}/${CLUSTER}/`;

export class Invariants implements Observer, Committed {
  readonly broken: Broken[] = [];
  readonly promotions: Promotion[] = [];
  /** Slots whose keys an operator moved away without them. */
  readonly slotOnly = new Set<number>();
  readonly handOvers: HandOver[] = [];
  /** Every node that a shard ever had: `shard host id`. */
  readonly members = new Set<string>();
  movesFinished = 0;
  cluster: SeenCluster | undefined;
  readonly commands: CommandWatch;
  readonly #world: World;
  readonly #versions = new Map<number, CommittedVersion>();

  constructor(world: World) {
    this.#world = world;
    this.commands = new CommandWatch(world, this);
    world.observer = this;
  }

  break(promise: string, what: string): void {
    if (this.broken.some((one) => one.promise === promise && one.what === what)) return;
    this.broken.push({ at: this.#world.loop.now, promise, what });
    this.#world.note(`BROKEN ${promise}: ${what}`);
  }

  committed(values: ReadonlyMap<string, string | null>, foreign: boolean): void {
    const topology = values.get(TOPOLOGY_KEY);
    const state = values.get(STATE_KEY);
    if (topology === undefined && state === undefined) return;
    if (topology == null || state == null) {
      if (topology !== state) this.break('topology and state are one commit', 'one of them was written alone');
      this.cluster = undefined;
      return;
    }
    const before = this.cluster;
    const after = readRecords(topology, state);
    this.cluster = after;
    for (const shard of after.shards) {
      for (const node of shard.nodes) {
        const machine = this.#world.atAddress(node.address);
        if (machine === undefined) continue;
        this.#world.nameId(node.id, machine);
        this.members.add(`${shard.id} ${machine.host} ${node.id}`);
      }
    }
    this.#world.note(`${foreign ? 'foreign write' : 'commit'} v${after.version} ${describe(after)}`);
    if (foreign) {
      this.#beginAt(after.version);
      return;
    }
    this.#rests(before, after);
    this.#slots(before, after);
    this.#version(before, after);
    for (const { master, floor, eligibleFrom } of after.shards)
      if (eligibleFrom > floor)
        this.break('nobody must have what the master never had', `${eligibleFrom} of ${floor} of ${master}`);
    if (before === undefined) return;
    for (const shard of after.shards) {
      this.#master(before, after, shard, values);
      this.#newlyProven(before, shard);
    }
    this.#handedOver(before, after);
    this.commands.moves.committed(before, after);
    const done = (cluster: SeenCluster) => cluster.operations.filter(({ kind }) => kind === 'move').length;
    if (done(after) < done(before)) this.movesFinished += done(before) - done(after);
  }

  /** Whoever is called a copy of its master's past is one. */
  #newlyProven(before: SeenCluster, shard: SeenShard): void {
    const entry = shard.lineage.at(-1)?.version;
    const nodes = before.shards.flatMap((one) => one.nodes);
    const master = this.#world.atAddress(shard.nodes.find((node) => node.master)?.address ?? '')?.core;
    for (const node of shard.nodes) {
      if (node.master || node.provenAt !== entry) continue;
      if (nodes.find((one) => one.id === node.id)?.provenAt === entry) continue;
      const machine = this.#world.atAddress(node.address);
      const database = machine?.core?.database;
      if (machine?.core?.isSlave !== true || database === undefined || master === undefined) continue;
      // A master that has just come back with less is another matter.
      if (database.sequence > master.database.sequence) continue;
      if (isPrefix(database, master.database, Math.max(1, database.sequence - LOOKED_BACK)) === false)
        this.break('the proven are copies', `${machine.name} at ${database.sequence}, by version ${entry}`);
    }
  }

  /** What the store has forgotten can be meant anew; what nodes were told under it, nobody knows any more. */
  #beginAt(version: number): void {
    for (const known of [...this.#versions.keys()]) if (known > version) this.#versions.delete(known);
    this.commands.forgetAbove(version);
  }

  version(version: number): CommittedVersion | undefined {
    return this.#versions.get(version);
  }

  #commits: readonly number[] = [];

  /** What a decision commits settles it: while it is made again and again nobody is told and no command is taken. */
  #rests(before: SeenCluster | undefined, after: SeenCluster): void {
    const { now } = this.#world.loop;
    const recent = before?.version === after.version ? this.#commits.filter((at) => now - at < 1_000) : [];
    this.#commits = [...recent, now];
    if (this.#commits.length > MOST_COMMITS)
      this.break('commits come to rest', `version ${after.version}, more than ${MOST_COMMITS} times in a second`);
  }

  readonly #movesBegan = new Map<string, number>();

  #handedOver(before: SeenCluster, after: SeenCluster): void {
    for (const move of after.operations) {
      if (move.kind !== 'move' || move.range === undefined) continue;
      const key = `${move.sourceNode} ${formatRange(move.range)}`;
      if (
        move.phase === 'migrating' &&
        !before.operations.some((one) => one.id === move.id && one.phase === 'migrating')
      )
        this.#movesBegan.set(key, this.#world.loop.now);
      if (
        move.phase !== 'handing-over' ||
        before.operations.some((one) => one.id === move.id && one.phase === move.phase)
      )
        continue;
      const address = before.shards.flatMap(({ nodes }) => nodes).find(({ id }) => id === move.sourceNode)?.address;
      const host = address === undefined ? undefined : this.#world.atAddress(address)?.host;
      const startedAt = this.#movesBegan.get(key) ?? this.#world.loop.now;
      const { range, target, goal } = move;
      if (host !== undefined) this.handOvers.push({ host, range, target, goal, startedAt, at: this.#world.loop.now });
    }
  }

  #slots(before: SeenCluster | undefined, after: SeenCluster): void {
    let owned: SlotSet = [];
    let count = 0;
    for (const shard of after.shards) {
      owned = slotSet([...owned, ...shard.slots]);
      count += slotCount(shard.slots);
      if (slotCount(owned) !== count) this.break('one owner a slot', `version ${after.version}, shard ${shard.id}`);
    }
    if (before === undefined || after.ending) return;
    const gone = subtract(slotSet(before.shards.flatMap((shard) => shard.slots)), owned);
    if (gone.length > 0)
      this.break('coverage stays', `version ${after.version} lost ${gone.map(formatRange).join(' ')}`);
  }

  #version(before: SeenCluster | undefined, after: SeenCluster): void {
    if (before !== undefined && after.version < before.version)
      this.break('versions rise', `${after.version} after ${before.version}`);
    const drain = after.operations.find(({ kind, phase }) => kind === 'switchover' && phase === 'draining');
    const masters = after.shards.map((shard) => ({
      id: drain?.shard === shard.id ? drain.to : shard.master,
      slots: shard.slots,
    }));
    const committed = { owners: ownersOf(masters), drained: drain?.from };
    const known = this.#versions.get(after.version);
    if (known !== undefined && (known.owners !== committed.owners || known.drained !== committed.drained))
      this.break('a version is spent once', `version ${after.version} was committed with two meanings`);
    this.#versions.set(after.version, committed);
  }

  #master(before: SeenCluster, after: SeenCluster, shard: SeenShard, values: ReadonlyMap<string, string | null>): void {
    const old = before.shards.find((one) => one.id === shard.id);
    if (old === undefined || old.master === shard.master) return;
    const swap = before.operations.find((one) => one.kind === 'switchover' && one.shard === shard.id);
    const failover = eventsOf(values).find((event) => UNPLANNED.has(event.kind) && event.shard === shard.id);
    const planned = failover === undefined;
    this.#world.count('promotion', planned ? 'planned' : 'unplanned');
    this.promotions.push({
      at: this.#world.loop.now,
      shard: shard.id,
      old: old.master,
      master: shard.master,
      version: after.version,
      planned,
      mayLose: failover?.mayLose,
    });
    if (failover?.kind === 'failover.given-back')
      this.commands.givenBack(old.lineage.at(-1)?.version ?? before.version, before.version);
    if (planned && swap === undefined)
      this.break(
        'a change of master has its reason',
        `${shard.master} for ${old.master}, neither failover nor switchover`,
      );
    const node = old.nodes.find((one) => one.id === shard.master);
    const machine = node === undefined ? undefined : this.#world.atAddress(node.address);
    if (node === undefined) this.break('only the proven are masters', `${shard.master} was no node of its shard`);
    else if (!node.proven) this.break('only the proven are masters', `${shard.master} is not proven`);
    if (machine?.copyingSince !== undefined && this.#world.loop.now - machine.copyingSince > ANSWERS_LAST)
      this.break('only the proven are masters', `${machine.name} is being copied whole or loading`);
    if (machine?.core !== undefined && machine.core.database.sequence < machine.reached)
      this.break('no replica lies', `${machine.name} is promoted below the ${machine.reached} that it once had`);
    if (failover !== undefined) this.#mostAdvanced(old, shard, machine, failover.refused);
  }

  /** A sibling that was not refused and is further on, by what it really holds. */
  #mostAdvanced(old: SeenShard, shard: SeenShard, chosen: Machine | undefined, refused: readonly string[]): void {
    const reached = chosen?.core?.database.sequence;
    if (reached === undefined) return;
    const master = old.nodes.find(({ id }) => id === old.master);
    const isDead = master !== undefined && this.#world.atAddress(master.address)?.state === 'dead';
    for (const node of old.nodes) {
      if (node.id === shard.master || node.id === old.master || node.away || !node.proven) continue;
      if (refused.some((line) => line.startsWith(node.id))) continue;
      const machine = this.#world.atAddress(node.address);
      const sequence = machine?.core?.database.sequence;
      if (machine?.state !== 'running' || machine.core?.isSlave !== true || sequence === undefined) continue;
      // What a dead process had sent may come out of a link that heals between the answer and the commit.
      const late = isDead && machine.sequenceBefore(ANSWERS_LAST) <= reached;
      if (sequence > reached && !late)
        this.break('the most advanced is promoted', `${chosen?.name} at ${reached}, ${machine.name} at ${sequence}`);
    }
  }

  fenced(token: string): void {
    this.break('only the leader commits', `under ${token}`);
  }

  sent(sender: ControllerHost, machine: Machine, bytes: string): void {
    this.commands.sent(sender, machine, bytes);
  }
}

function describe(cluster: SeenCluster): string {
  const shards = cluster.shards.map((shard) => {
    const others = shard.nodes.filter((node) => !node.master).map((node) => `${node.id}${node.away ? '(away)' : ''}`);
    const last = shard.lineage.at(-1);
    return `[${shard.master} P=${last?.sequence}${others.length > 0 ? ` ${others.join(' ')}` : ''}]`;
  });
  const operations = cluster.operations.map(({ kind, phase }) => `${kind}:${phase}`);
  return [
    ...shards,
    ...operations,
    ...(cluster.leaving.length > 0 ? [`leaving ${cluster.leaving.join(' ')}`] : []),
  ].join(' ');
}

interface SeenEvent {
  readonly kind: string;
  readonly shard: string;
  readonly mayLose: number | undefined;
  readonly refused: readonly string[];
}

function eventsOf(values: ReadonlyMap<string, string | null>): readonly SeenEvent[] {
  const events: SeenEvent[] = [];
  for (const [key, value] of values) {
    if (!key.startsWith(EVENT_PREFIX) || value === null) continue;
    const event: unknown = JSON.parse(value);
    if (typeof event !== 'object' || event === null) continue;
    const { kind, shard, evidence } = { kind: '', shard: '', evidence: {}, ...event };
    const { may_lose: mayLose, refused } = { may_lose: undefined, refused: [], ...Object(evidence) };
    events.push({ kind, shard, mayLose, refused: Array.isArray(refused) ? refused : [] });
  }
  return events;
}
