/** What controllers tell nodes, watched as it is handed to the network, and judged by what each node really is then. */
import { CommandReader } from '../emulator/resp-reader.ts';
import type { ControllerHost } from './controllers.ts';
import { isPrefix } from './convergence.ts';
import type { Machine } from './machine.ts';
import { MoveWatch } from './move-watch.ts';
import { mastersOf, ownersOf, type SeenCluster } from './record-reading.ts';
import type { World } from './world.ts';

export interface CommittedVersion {
  readonly owners: string;
  /** Set while it is a drained one: the only node that may hear it. */
  readonly drained: string | undefined;
}

/** What the watch asks of those who follow the commits. */
export interface Committed {
  readonly cluster: SeenCluster | undefined;
  version(version: number): CommittedVersion | undefined;
  break(promise: string, what: string): void;
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

/** A number so far beyond its master's is that of a node that is to be copied whole. */
const RAISED = 1_000;

export class CommandWatch {
  /** How often each node was told each version, by `name version`. */
  readonly pushes = new Map<string, number>();
  readonly #world: World;
  readonly #committed: Committed;
  readonly #told = new Map<string, string>();
  readonly #ownersTold = new Map<number, string>();
  readonly #givenBack = new Set<number>();
  readonly moves: MoveWatch;

  constructor(world: World, committed: Committed) {
    this.#world = world;
    this.#committed = committed;
    this.moves = new MoveWatch(world, committed);
  }

  /** What was told under versions above this one is forgotten with them. */
  forgetAbove(version: number): void {
    for (const known of [...this.#ownersTold.keys()]) if (known > version) this.#ownersTold.delete(known);
    for (const key of [...this.#told.keys()]) if (Number(key.split(' ')[1]) > version) this.#told.delete(key);
  }

  /** These versions were committed, and are said to have been told to nobody. */
  givenBack(first: number, last: number): void {
    for (let version = first; version <= last; version++) {
      this.#givenBack.add(version);
      for (const key of this.#told.keys())
        if (key.endsWith(` ${version}`)) this.#committed.break('what is given back was told to nobody', key);
    }
  }

  sent(sender: ControllerHost, machine: Machine, bytes: string): void {
    const reader = new CommandReader();
    reader.push(bytes);
    let toldHere = false;
    for (let command = reader.next(); command !== undefined; command = reader.next()) {
      if ('broken' in command) {
        this.#committed.break('commands are whole', command.broken);
        return;
      }
      const [first = '', second = ''] = command.words.map((word) => word.toUpperCase());
      if (CHANGING.has(first) || CHANGING.has(`${first} ${second}`)) this.#leads(sender, machine, `${first} ${second}`);
      if (first === 'CLUSTERX' && second === 'SETNODES') {
        toldHere = true;
        this.#push(machine, command.words);
      } else if (first === 'CLUSTERX' && second === 'SETNODEID') {
        if (!toldHere) this.#committed.break('SETNODEID follows SETNODES', machine.name);
      } else if (first === 'FLUSHALL' || (first === 'CLUSTER' && second === 'RESET')) this.#wiped(machine, first);
      else if (first === 'CLUSTERX' && second === 'MIGRATE') this.#migrated(machine, command.words);
    }
  }

  /** Promise 6: whoever tells a node something leads at that moment. */
  #leads(sender: ControllerHost, machine: Machine, what: string): void {
    const since = this.#world.deposedFor(sender);
    if (since === undefined) return;
    const words = `${sender.name} tells ${machine.name} ${what}`;
    this.#committed.break(
      'only the leader writes',
      `${words} ${Math.round(since)} ms after the store gave its lease away`,
    );
  }

  #push(machine: Machine, words: readonly string[]): void {
    const [, , text = '', versionWord = '', ...more] = words;
    const version = Number(versionWord);
    const where = `version ${version} to ${machine.name}`;
    this.#world.note(
      `push v${version} to ${machine.name}, ${stateOf(machine)}${more.length > 0 ? ` ${more.join(' ')}` : ''}`,
    );
    if (more.length > 0) this.#committed.break('never by force', where);
    if (this.#givenBack.has(version)) this.#committed.break('what is given back was told to nobody', where);
    const committed = this.#committed.version(version);
    if (committed === undefined) {
      this.#committed.break('committed before it is told', where);
      return;
    }
    const owners = ownersOf(mastersOf(text));
    if (committed.owners !== owners) this.#committed.break('a text says what was committed', where);
    const toldOwners = this.#ownersTold.get(version);
    if (toldOwners !== undefined && toldOwners !== owners)
      this.#committed.break('a version is spent once', `${where}: other owners`);
    this.#ownersTold.set(version, owners);
    const key = `${machine.name} ${version}`;
    this.pushes.set(key, (this.pushes.get(key) ?? 0) + 1);
    const told = this.#told.get(key);
    if (told !== undefined && told !== text) this.#committed.break('a version is spent once', `${where}: two texts`);
    this.#told.set(key, text);
    const id = this.#idOf(machine);
    if (committed.drained !== undefined && committed.drained !== id)
      this.#committed.break('a drained version is for the old master alone', where);
    // Late, it is refused by the node's own order of versions.
    if (Number(machine.core?.cluster.topology.version ?? version) >= version) return;
    if (this.#isHeld(id)) this.#committed.break('the ends of a running move hear nothing', where);
    this.#inItsOrder(machine, id, text, version, where);
    this.moves.told(machine, id, where);
    this.#becomes(machine, id, text, where);
  }

  /** While a piece is on its way, or held; an end that was replaced is none, and a target is told to end its job. */
  #isHeld(id: string): boolean {
    const { cluster } = this.#committed;
    const leads = (shard: string) => cluster?.shards.find((one) => one.id === shard)?.master === id;
    return (cluster?.operations ?? []).some((one) => {
      if (one.kind !== 'move') return false;
      const target = one.targetNode === id && leads(one.target);
      if (one.phase === 'held') return target;
      return one.phase === 'migrating' && ((one.sourceNode === id && leads(one.source)) || (target && !one.ended));
    });
  }

  /**
   * A swap goes to the new master first, a restoration to the old one. The failover elsewhere that ended the switchover
   * waits for nobody: of the switchover's shard a restoration says nothing but what its new master knew before.
   */
  #inItsOrder(told: Machine, id: string, text: string, version: number, where: string): void {
    const { cluster } = this.#committed;
    const open = cluster?.operations.find(({ kind }) => kind === 'switchover');
    if (open === undefined || cluster?.version !== version) return;
    const first = open.phase === 'swapping' ? open.to : open.phase === 'restoring' ? open.from : undefined;
    if (first === undefined || id === first || (open.phase === 'swapping' && id !== open.from)) return;
    const machine = this.#machineOf(first);
    if (machine?.state !== 'running' || this.#world.network.troubled) return;
    const promotes = told.core?.isSlave === true && text.split('\n').some((one) => isMasterLine(one, id));
    if (open.phase === 'restoring' && promotes) return;
    const carries = Number(machine.core?.cluster.topology.version) >= version && machine.core?.isSlave === false;
    if (!carries) this.#committed.break('a switchover tells its master first', `${where}, before ${machine.name}`);
  }

  /** What the text makes of the node: a slave of somebody whose past it shares, or of nobody. */
  #becomes(machine: Machine, id: string, text: string, where: string): void {
    const { core } = machine;
    if (core === undefined || machine.state !== 'running') return;
    const line = text.split('\n').find((one) => one.startsWith(`${id} `));
    if (line === undefined) {
      const nodes = this.#committed.cluster?.shards.flatMap((shard) => shard.nodes) ?? [];
      // What a replica to be copied whole has is given up; one that is no member is none of a shard's.
      const kept = nodes.some((node) => node.id === id && !node.copied);
      if (core.isSlave && kept) this.#committed.break('only masters are fenced', where);
      return;
    }
    const [, , , role, masterId = ''] = line.split(' ');
    const master = role === 'slave' ? this.#machineOf(masterId) : undefined;
    if (master?.core === undefined || core.replication?.host === master.host) return;
    // While it is fed nobody can know where it will be once it is told: it must not be proven then, see `Invariants`.
    if (core.replication?.linkUp === true) return;
    const { database } = core;
    const rsid = core.settings.on('use-rsid-psync') && master.core.settings.on('use-rsid-psync');
    if (database.sequence === 0 || rsid || database.sequence > master.core.database.sequence + RAISED) return;
    if (isPrefix(database, master.core.database, Math.max(1, database.sequence - 60)) === false)
      this.#committed.break('who follows holds what its master was', `${where}, at ${database.sequence}`);
  }

  #machineOf(id: string): Machine | undefined {
    const nodes = this.#committed.cluster?.shards.flatMap((shard) => shard.nodes) ?? [];
    const address = nodes.find((node) => node.id === id)?.address;
    return address === undefined ? undefined : this.#world.atAddress(address);
  }

  #idOf(machine: Machine): string {
    for (const shard of this.#committed.cluster?.shards ?? [])
      for (const node of shard.nodes) if (this.#world.atAddress(node.address) === machine) return node.id;
    return machine.id;
  }

  /** It follows nobody and owns no slot by its own topology, so no client's write can be lost by it. */
  #wiped(machine: Machine, what: string): void {
    const topology = machine.core?.cluster.topology;
    this.#world.note(`${what} to ${machine.name}`);
    if (topology === undefined || !topology.known) return;
    if (machine.core?.isSlave === true)
      this.#committed.break('only the fenced are emptied', `${what} to ${machine.name}, which is a slave`);
    for (let slot = 0; slot < 16_384; slot++) {
      if (topology.self === undefined || topology.owner(slot) !== topology.self) continue;
      this.#committed.break('only the fenced are emptied', `${what} to ${machine.name}, which serves slot ${slot}`);
      return;
    }
  }

  #migrated(machine: Machine, words: readonly string[]): void {
    this.#world.note(`MIGRATE ${words[2]} at ${machine.name}`);
    const id = this.#idOf(machine);
    const stored = this.#committed.cluster?.operations.some(
      (one) => one.kind === 'move' && one.phase === 'migrating' && one.sourceNode === id && one.targetNode === words[3],
    );
    if (stored !== true) this.#committed.break('a move is stored before it is begun', `${words[2]} at ${machine.name}`);
    this.moves.begins(machine, this.#machineOf(words[3] ?? ''), `${words[2]} at ${machine.name}`);
  }
}

/** `id host port role ...` */
const isMasterLine = (line: string, id: string): boolean =>
  line.split(' ')[3] === 'master' && line.startsWith(`${id} `);

/** What it really is as a command is sent to it. */
function stateOf(machine: Machine): string {
  const { core } = machine;
  if (core === undefined || machine.state !== 'running') return machine.state;
  return `${core.isSlave ? 'slave' : 'master'} at ${core.database.sequence}`;
}
