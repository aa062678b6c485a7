/**
 * The cluster's state of one node and its changes: topology, role, marks of finished migrations. Changes end a
 * replication and write nodes.conf, both of which take time, so they answer later; the node stands still meanwhile.
 */
import type { Client } from './client.ts';
import { type Core, error, Later, OK, type Outcome } from './core.ts';
import { Importer } from './importer.ts';
import { Migrator } from './migrator.ts';
import type { Reply } from './reply.ts';
import { overlaps, SLOTS, type SlotRange } from './slot-words.ts';
import { type ClusterNode, Topology } from './topology.ts';
import { ID_LENGTH, type TextNode } from './topology-text.ts';

export interface ClusterHost {
  readonly isSlave: boolean;
  /** Ends the replication, if there is one; `done` comes when its thread has ended. */
  unfollow(done: () => void): void;
  /** Starts or moves the replication; nothing if it follows this address already. */
  follow(host: string, port: number, done: () => void): void;
  /** The addresses that a line of a topology may name for this node. */
  readonly ownHosts: readonly string[];
}

type Save = (done: (reply: Reply) => void) => void;

export class Cluster {
  readonly topology = new Topology();
  readonly importer: Importer;
  readonly migrator: Migrator;
  readonly #core: Core;
  readonly #host: ClusterHost;
  /** Slots that this process moved away since the last topology, with the address that has them now. */
  #movedAway = new Map<number, string>();
  /** Slots whose import succeeded since the last topology. */
  #imported = new Set<number>();
  /** Tied to the own node object: a new topology forgets it. */
  #importing: { readonly node: ClusterNode; readonly range: SlotRange } | undefined;
  #saved: ((failed: string | undefined) => void) | undefined;

  constructor(core: Core, host: ClusterHost) {
    this.#core = core;
    this.#host = host;
    this.importer = new Importer(core, () => host.isSlave);
    this.migrator = new Migrator(core, {
      moved: (range, address) => {
        for (let slot = range.first; slot <= range.last; slot++) this.#movedAway.set(slot, address);
      },
    });
  }

  /** Where a command of one slot goes: undefined if it is served here. */
  refusal(slot: number, write: boolean, client: Client): Reply | undefined {
    const owner = this.topology.owner(slot);
    if (owner === undefined) return { kind: 'error', text: 'CLUSTERDOWN Hash slot not served' };
    const self = this.topology.self;
    if (self !== undefined && self === owner) {
      const address = this.#movedAway.get(slot);
      if (address !== undefined) return { kind: 'error', text: `MOVED ${slot} ${address}` };
      if (write && this.migrator.forbids(slot)) {
        return {
          kind: 'error',
          text: "TRYAGAIN Can't write to slot being migrated which is in write forbidden phase",
        };
      }
      return undefined;
    }
    if (self !== undefined) {
      const importing = this.#importing;
      if (importing?.node === self && inRange(slot, importing.range) && (client.importing || client.asking))
        return undefined;
      if (this.#imported.has(slot)) return undefined;
      if (self.role === 'slave' && !write && client.readOnly && this.topology.node(self.master) === owner) {
        return undefined;
      }
    }
    return { kind: 'error', text: `MOVED ${slot} ${owner.host}:${owner.port}` };
  }

  setNodes(text: string, version: bigint, force: boolean, inExec: boolean): Outcome {
    const { topology } = this;
    if (version < 0n) return error('Invalid cluster version');
    if (!force) {
      if (version < topology.version) return error('Invalid cluster version');
      // Not even the text is read; the file is written all the same.
      if (version === topology.version) return this.#later((done) => this.#save(done));
    }
    const taken = topology.take(text, version, topology.myId === '' || force ? (node) => this.#isMe(node) : undefined);
    if ('refused' in taken) return error(taken.refused);
    return this.#later((done) => {
      this.#settleRole(() => {
        if (!inExec) this.#deleteMovedAway();
        this.#movedAway.clear();
        this.#imported.clear();
        this.#save(done);
      });
    });
  }

  setId(id: string): Outcome {
    this.topology.setId(id);
    if (!this.topology.known) return this.#later((done) => this.#save(done));
    return this.#later((done) => this.#settleRole(() => this.#save(done)));
  }

  setSlots(ranges: readonly SlotRange[], id: string, version: bigint): Outcome {
    const { topology } = this;
    if (version <= 0n || version !== topology.version + 1n) return error('Invalid cluster version');
    if (id.length !== ID_LENGTH) return error('Invalid node id');
    const to = topology.node(id);
    if (to === undefined) {
      topology.makeHollow();
      return error('No this node in the cluster');
    }
    if (to.role !== 'master') return error("The node isn't a master");
    topology.assign(ranges, to, version, (slot, from) => {
      if (from === undefined || from !== topology.self) return;
      if (this.#movedAway.delete(slot)) this.#core.database.deleteSlots(slot, slot);
      this.#imported.delete(slot);
    });
    if (topology.hollow) {
      this.#core.crash('CLUSTERX SETSLOT: a node of the topology is null');
      return undefined;
    }
    return this.#later((done) => this.#save(done));
  }

  reset(): Outcome {
    if (this.migrator.busy) return error("Can't reset cluster while migrating slot");
    if (this.importer.running !== undefined) return error("Can't reset cluster while importing slot");
    if (!this.#core.database.isEmpty(this.#core.moment.wall)) {
      return error("Can't reset cluster while database is not empty");
    }
    this.topology.forget();
    this.#movedAway.clear();
    this.#imported.clear();
    return this.#later((done) => {
      this.#host.unfollow(() => {
        this.#core.emit({ kind: 'remove-nodes' });
        done(OK);
      });
    });
  }

  importSlots(range: SlotRange, state: number, client: Client): Reply {
    const { topology } = this;
    const self = topology.self;
    if (self === undefined || this.#isNoMaster()) return error("Slave can't import slot");
    for (let slot = range.first; slot <= range.last; slot++) {
      if (topology.owner(slot) === self) return error("Can't import slot which belongs to me");
    }
    if (state === 2) return this.importer.fail(range);
    if (state === 1) {
      const reply = this.importer.succeed(range);
      if (reply !== OK) return reply;
      for (let slot = range.first; slot <= range.last; slot++) this.#imported.add(slot);
      return reply;
    }
    const reply = this.importer.start(range, client);
    if (reply !== OK) return reply;
    this.#importing = { node: self, range };
    this.migrator.importStarts(range);
    return reply;
  }

  migrate(range: SlotRange, targetId: string, sync: { readonly timeout: number } | undefined): Outcome {
    const { topology } = this;
    const target = topology.node(targetId);
    if (target === undefined) {
      if (topology.hollow) {
        this.#core.crash('CLUSTERX MIGRATE: the destination is null');
        return undefined;
      }
      return error("Can't find the destination node id");
    }
    const moved = [...this.#movedAway.keys()];
    if (moved.length > 0) {
      const between = { first: minimum(moved), last: maximum(moved) };
      if (overlaps(range, between)) return error("Can't migrate slot which has been migrated");
    }
    const self = topology.self;
    for (let slot = range.first; slot <= range.last; slot++) {
      if (self === undefined || topology.owner(slot) !== self) {
        return error("Can't migrate slot which doesn't belong to me");
      }
    }
    if (this.#isNoMaster()) return error("Slave can't migrate slot");
    if (target.role !== 'master') return error("Can't migrate slot to a slave");
    if (target === self) return error("Can't migrate slot to myself");
    return this.migrator.start(range, target, sync);
  }

  infoText(): string {
    const jobs = this.#isNoMaster() ? '' : this.migrator.infoText + this.importer.infoText;
    return this.topology.infoText() + jobs;
  }

  nodesText(): string {
    return this.topology.nodesText(this.#core.moment.wall, {
      migrating: this.migrator.running,
      importing: this.importer.running,
    });
  }

  /** Reads what a former process left. The refusal keeps this one from starting. */
  load(text: string): string | undefined {
    const read = this.topology.readFile(text, (node) => this.#isMe(node));
    if ('refused' in read) return read.refused;
    this.#settleRole(() => {});
    return undefined;
  }

  nodesSaved(failed: string | undefined): void {
    const saved = this.#saved;
    this.#saved = undefined;
    saved?.(failed);
  }

  /** CONFIG SET persist-cluster-nodes-enabled yes writes the file at once. */
  persistNow(): void {
    if (this.topology.known) this.#save(() => {});
  }

  #isNoMaster(): boolean {
    return this.topology.self?.role !== 'master' || this.#host.isSlave;
  }

  #isMe(node: TextNode): boolean {
    return node.port === this.#core.port && this.#host.ownHosts.includes(node.host);
  }

  #settleRole(done: () => void): void {
    const { self } = this.topology;
    const wasSlave = this.#host.isSlave;
    if (self === undefined) {
      // The migrator is not told: after the end of a replication that comes about so its first job fails.
      this.#host.unfollow(done);
      return;
    }
    if (self.role === 'master') {
      this.#host.unfollow(() => {
        if (wasSlave) this.migrator.becameMaster();
        done();
      });
      return;
    }
    const master = this.topology.node(self.master);
    if (master === undefined) {
      done();
      return;
    }
    this.#host.follow(master.host, master.port, () => {
      if (!wasSlave) this.migrator.becameSlave();
      done();
    });
  }

  #deleteMovedAway(): void {
    for (const range of rangesOf([...this.#movedAway.keys()])) {
      let from: number | undefined;
      for (let slot = range.first; slot <= range.last + 1; slot++) {
        const gone = slot <= range.last && this.topology.owner(slot) !== this.topology.self;
        if (gone) from ??= slot;
        else if (from !== undefined) {
          this.#core.database.deleteSlots(from, slot - 1);
          from = undefined;
        }
      }
    }
  }

  #save(done: (reply: Reply) => void): void {
    if (!this.#core.settings.on('persist-cluster-nodes-enabled')) {
      done(OK);
      return;
    }
    this.#saved = (failed) => done(failed === undefined ? OK : error(`rename file encounter error: ${failed}`));
    this.#core.emit({ kind: 'save-nodes', text: this.topology.fileText() });
  }

  #later(work: Save): Later {
    const later = new Later(true);
    work((reply) => later.resolve(reply));
    return later;
  }
}

function inRange(slot: number, range: SlotRange): boolean {
  return range.first <= slot && slot <= range.last;
}

function minimum(slots: readonly number[]): number {
  return slots.reduce((least, slot) => Math.min(least, slot), SLOTS);
}

function maximum(slots: readonly number[]): number {
  return slots.reduce((most, slot) => Math.max(most, slot), 0);
}

function rangesOf(slots: readonly number[]): readonly SlotRange[] {
  const ranges: { first: number; last: number }[] = [];
  for (const slot of [...slots].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.last + 1 === slot) last.last = slot;
    else ranges.push({ first: slot, last: slot });
  }
  return ranges;
}
