/**
 * The promises, watched from outside on every commit and every command that a controller sends. What is broken is
 * noted once, with the instant; nothing here is asked by those who decide.
 */
import { CommandReader } from '../emulator/resp-reader.ts';
import { formatRange, type SlotRange, type SlotSet, slotCount, slotSet, subtract } from '../topology/slots.ts';
import type { ControllerHost } from './controllers.ts';
import type { Machine } from './machine.ts';
import { mastersOf, ownersOf, readRecords, type SeenCluster, type SeenShard } from './record-reading.ts';
import { CLUSTER, NAMESPACE, type Observer, type World } from './world.ts';

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
  readonly startedAt: number;
  readonly at: number;
}

interface CommittedVersion {
  readonly owners: string;
  /** Set while it is a drained one: the only node that may hear it. */
  readonly drained: string | undefined;
}

/** Commands that change a node. */
const CHANGING = new Set([
  'CLUSTERX SETNODES',
  'CLUSTERX SETNODEID',
  'CLUSTERX MIGRATE',
  'CLUSTER RESET',
  'FLUSHALL',
  'PUBLISH',
  'MPUBLISH',
  'SCRIPT LOAD',
  'CONFIG SET',
]);

const TOPOLOGY_KEY = `/kvrocks/metadata/${NAMESPACE}/cluster/${CLUSTER}`;
const STATE_KEY = `/kvrocks/kvctl/cluster/${NAMESPACE}/${CLUSTER}`;
const EVENT_PREFIX = `/kvrocks/kvctl/event/${NAMESPACE}/${CLUSTER}/`;

export class Invariants implements Observer {
  readonly broken: Broken[] = [];
  readonly promotions: Promotion[] = [];
  /** Slots whose keys an operator moved away without them. */
  readonly slotOnly = new Set<number>();
  readonly handOvers: HandOver[] = [];
  movesFinished = 0;
  cluster: SeenCluster | undefined;
  /** How often each node was told each version, by `name version`. */
  readonly pushes = new Map<string, number>();
  readonly #world: World;
  readonly #versions = new Map<number, CommittedVersion>();
  readonly #told = new Map<string, string>();
  readonly #ownersTold = new Map<number, string>();

  constructor(world: World) {
    this.#world = world;
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
        if (machine !== undefined) this.#world.nameId(node.id, machine);
      }
    }
    this.#world.note(`${foreign ? 'foreign write' : 'commit'} v${after.version} ${describe(after)}`);
    if (foreign) {
      this.#beginAt(after.version);
      return;
    }
    this.#slots(before, after);
    this.#version(before, after);
    if (before === undefined) return;
    for (const shard of after.shards) this.#master(before, after, shard, values);
    this.#handedOver(before, after);
    const done = (cluster: SeenCluster) => cluster.operations.filter(({ kind }) => kind === 'move').length;
    if (done(after) < done(before)) this.movesFinished += done(before) - done(after);
  }

  /** What the store has forgotten can be meant anew; what nodes were told under it, nobody knows any more. */
  #beginAt(version: number): void {
    for (const known of [...this.#versions.keys()]) {
      if (known <= version) continue;
      this.#versions.delete(known);
      this.#ownersTold.delete(known);
    }
    for (const key of [...this.#told.keys()]) if (Number(key.split(' ')[1]) > version) this.#told.delete(key);
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
      if (host !== undefined) this.handOvers.push({ host, range: move.range, startedAt, at: this.#world.loop.now });
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
    const failover = eventsOf(values).find(
      (event) => (event.kind === 'failover' || event.kind === 'switchover.failed') && event.shard === shard.id,
    );
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
    if (planned && swap === undefined)
      this.break(
        'a change of master has its reason',
        `${shard.master} for ${old.master}, neither failover nor switchover`,
      );
    const node = old.nodes.find((one) => one.id === shard.master);
    const machine = node === undefined ? undefined : this.#world.atAddress(node.address);
    if (node === undefined) this.break('only the proven are masters', `${shard.master} was no node of its shard`);
    else if (!node.proven) this.break('only the proven are masters', `${shard.master} is not proven`);
    if (machine?.core?.loading === true || machine?.core?.replication?.syncing === true)
      this.break('only the proven are masters', `${machine.name} is being copied whole or loading`);
    if (failover !== undefined) this.#mostAdvanced(old, shard, machine, failover.refused);
  }

  /** A sibling that was not refused and is further on, by what it really holds. */
  #mostAdvanced(old: SeenShard, shard: SeenShard, chosen: Machine | undefined, refused: readonly string[]): void {
    const reached = chosen?.core?.database.sequence;
    if (reached === undefined) return;
    for (const node of old.nodes) {
      if (node.id === shard.master || node.id === old.master || node.away || !node.proven) continue;
      if (refused.some((line) => line.startsWith(node.id))) continue;
      const machine = this.#world.atAddress(node.address);
      const sequence = machine?.core?.database.sequence;
      if (machine?.state !== 'running' || machine.core?.isSlave !== true || sequence === undefined) continue;
      if (sequence > reached)
        this.break('the most advanced is promoted', `${chosen?.name} at ${reached}, ${machine.name} at ${sequence}`);
    }
  }

  sent(sender: ControllerHost, machine: Machine, bytes: string): void {
    const reader = new CommandReader();
    reader.push(bytes);
    let toldHere = false;
    for (let command = reader.next(); command !== undefined; command = reader.next()) {
      if ('broken' in command) {
        this.break('commands are whole', command.broken);
        return;
      }
      const [first = '', second = ''] = command.words.map((word) => word.toUpperCase());
      if (CHANGING.has(first) || CHANGING.has(`${first} ${second}`)) this.#leads(sender, machine, `${first} ${second}`);
      if (first === 'CLUSTERX' && second === 'SETNODES') {
        toldHere = true;
        this.#push(machine, command.words);
      } else if (first === 'CLUSTERX' && second === 'SETNODEID') {
        if (!toldHere) this.break('SETNODEID follows SETNODES', machine.name);
      } else if (first === 'FLUSHALL' || (first === 'CLUSTER' && second === 'RESET')) this.#wiped(machine, first);
      else if (first === 'CLUSTERX' && second === 'MIGRATE') this.#migrated(machine, command.words);
    }
  }

  /** Promise 6: whoever tells a node something leads at that moment. */
  #leads(sender: ControllerHost, machine: Machine, what: string): void {
    const since = this.#world.deposedFor(sender);
    if (since === undefined) return;
    const words = `${sender.name} tells ${machine.name} ${what}`;
    this.break('only the leader writes', `${words} ${Math.round(since)} ms after the store gave its lease away`);
  }

  #push(machine: Machine, words: readonly string[]): void {
    const [, , text = '', versionWord = '', ...more] = words;
    const version = Number(versionWord);
    const where = `version ${version} to ${machine.name}`;
    this.#world.note(
      `push v${version} to ${machine.name}, ${stateOf(machine)}${more.length > 0 ? ` ${more.join(' ')}` : ''}`,
    );
    if (more.length > 0) this.break('never by force', where);
    const committed = this.#versions.get(version);
    if (committed === undefined) {
      this.break('committed before it is told', where);
      return;
    }
    const owners = ownersOf(mastersOf(text));
    if (committed.owners !== owners) this.break('a text says what was committed', where);
    const toldOwners = this.#ownersTold.get(version);
    if (toldOwners !== undefined && toldOwners !== owners)
      this.break('a version is spent once', `${where}: other owners`);
    this.#ownersTold.set(version, owners);
    const key = `${machine.name} ${version}`;
    this.pushes.set(key, (this.pushes.get(key) ?? 0) + 1);
    const told = this.#told.get(key);
    if (told !== undefined && told !== text) this.break('a version is spent once', `${where}: two texts`);
    this.#told.set(key, text);
    const id = this.#idOf(machine);
    if (committed.drained !== undefined && committed.drained !== id)
      this.break('a drained version is for the old master alone', where);
    const held = this.cluster?.operations.some(
      (one) => one.kind === 'move' && one.phase === 'migrating' && (one.sourceNode === id || one.targetNode === id),
    );
    if (held === true) this.break('the ends of a running move hear nothing', where);
  }

  #idOf(machine: Machine): string {
    for (const shard of this.cluster?.shards ?? [])
      for (const node of shard.nodes) if (this.#world.atAddress(node.address) === machine) return node.id;
    return machine.id;
  }

  /** It owns no slot by its own topology, so no client's write can be lost by it. */
  #wiped(machine: Machine, what: string): void {
    const topology = machine.core?.cluster.topology;
    this.#world.note(`${what} to ${machine.name}`);
    if (topology === undefined || !topology.known) return;
    for (let slot = 0; slot < 16_384; slot++) {
      if (topology.self === undefined || topology.owner(slot) !== topology.self) continue;
      this.break('only the fenced are emptied', `${what} to ${machine.name}, which serves slot ${slot}`);
      return;
    }
  }

  #migrated(machine: Machine, words: readonly string[]): void {
    this.#world.note(`MIGRATE ${words[2]} at ${machine.name}`);
    const id = this.#idOf(machine);
    const stored = this.cluster?.operations.some(
      (one) => one.kind === 'move' && one.phase === 'migrating' && one.sourceNode === id && one.targetNode === words[3],
    );
    if (stored !== true) this.break('a move is stored before it is begun', `${words[2]} at ${machine.name}`);
  }
}

/** What it really is as a command is sent to it. */
function stateOf(machine: Machine): string {
  const { core } = machine;
  if (core === undefined || machine.state !== 'running') return machine.state;
  return `${core.isSlave ? 'slave' : 'master'} at ${core.database.sequence}`;
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
