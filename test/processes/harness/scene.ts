/** One test's own nodes, clusters and writers, ended with the test; its controller may be shared with others. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterClient, Controller } from './controller.ts';
import { Mixture, type MixtureOptions } from './mixture.ts';
import { KvNode, type NodeOptions } from './nodes.ts';
import type { Conf } from './power.ts';
import { until } from './processes.ts';
import { differences, missing } from './reading.ts';
import { SLOTS, slotOf } from './slots.ts';
import { type WriterOptions, Writers } from './writers.ts';

export interface SceneOptions {
  readonly nodes: number;
  readonly conf?: Conf;
  /** Each node behind a proxy that its links can be broken at. */
  readonly proxied?: boolean;
  /** With a controller of its own where others share one: it is killed, or sees what would change its mind on others. */
  readonly ownController?: boolean;
}

export interface CreateOptions {
  readonly name?: string;
  readonly nodes?: readonly KvNode[];
  /** Nodes in each shard, masters included. */
  readonly replicas: number;
  readonly password?: string;
}

let scenes = 0;

export class Scene {
  readonly nodes: KvNode[];
  readonly controller: Controller;
  readonly namespace: string;
  /** Tells whoever reads the run a figure. */
  readonly note: (text: string) => void;
  readonly #shared: boolean;
  readonly #proxied: boolean;
  readonly #writers: { stop(): Promise<void> }[] = [];
  readonly #clusters: ClusterClient[] = [];
  readonly #impostors: KvNode[] = [];

  private constructor(controller: Controller, shared: boolean, options: SceneOptions, note: (text: string) => void) {
    this.controller = controller;
    this.note = note;
    this.nodes = [];
    this.namespace = shared ? `ns${++scenes}` : 'ns';
    this.#shared = shared;
    this.#proxied = options.proxied === true;
  }

  /** With a controller of its own, unless one that others use too is given. */
  static async begin(options: SceneOptions, note: (text: string) => void, shared?: Controller): Promise<Scene> {
    const controller = shared ?? (await Controller.start());
    const scene = new Scene(controller, shared !== undefined, options, note);
    try {
      const { nodes: count, conf = {}, proxied = false } = options;
      const started = Array.from({ length: count }, () => scene.#start({ conf, proxied }));
      // All of them, lest one that is still on its way outlives the scene.
      for (const one of await Promise.allSettled(started)) if (one.status === 'rejected') throw one.reason;
      await controller.call('POST', '/namespaces', { namespace: scene.namespace });
      return scene;
    } catch (error) {
      await scene.end();
      throw error;
    }
  }

  /** It belongs to the scene before it answers, so that it ends with it in any case. */
  async #start(options: NodeOptions): Promise<KvNode> {
    const node = await KvNode.at(options);
    this.nodes.push(node);
    await node.start();
    return node;
  }

  /** Ended first are the writers, whose clients would try for ever to reach what is ended next. */
  async end(): Promise<void> {
    await Promise.all(this.#writers.map((writers) => writers.stop()));
    // Nobody is to look for nodes that are gone.
    if (this.#shared) await Promise.all(this.#clusters.map((cluster) => cluster.request('DELETE', '').catch(() => {})));
    try {
      await Promise.all([...this.nodes, ...this.#impostors].map((node) => node.kill()));
    } finally {
      if (!this.#shared) await this.controller.kill();
    }
  }

  node(index: number): KvNode {
    const found = this.nodes[index];
    if (found === undefined) throw new Error(`there is no node ${index}`);
    return found;
  }

  at(addr: string): KvNode {
    const found = this.nodes.find((node) => node.addr === addr);
    if (found === undefined) throw new Error(`there is no node at ${addr}`);
    return found;
  }

  async add(conf: Conf = {}): Promise<KvNode> {
    return this.#start({ conf, proxied: this.#proxied });
  }

  /** At the address of a node that is dead: another one, that was somewhere else before and is not dead any more. */
  async impostor(dead: KvNode, other: KvNode): Promise<KvNode> {
    await other.kill();
    const node = await KvNode.start({ port: dead.port, disk: other.dir });
    this.#impostors.push(node);
    return node;
  }

  /** Where its clusters are made and listed. */
  get clusters(): string {
    return `/namespaces/${this.namespace}/clusters`;
  }

  /** A cluster that is there by other means than `create`. */
  cluster(name: string): ClusterClient {
    const cluster = new ClusterClient(this.controller, this.namespace, name);
    this.#clusters.push(cluster);
    return cluster;
  }

  async create({ name = 'c', nodes = this.nodes, replicas, password = '' }: CreateOptions): Promise<ClusterClient> {
    await this.controller.call('POST', this.clusters, {
      name,
      nodes: nodes.map((node) => node.addr),
      replicas,
      password,
    });
    const cluster = this.cluster(name);
    await cluster.settled();
    return cluster;
  }

  async masterOf(cluster: ClusterClient, shard = 0): Promise<KvNode> {
    return this.at((await cluster.master(shard)).addr);
  }

  async replicasOf(cluster: ClusterClient, shard = 0): Promise<readonly KvNode[]> {
    const nodes = (await cluster.get()).shards[shard]?.nodes ?? [];
    return nodes.filter((node) => node.role === 'slave').map((node) => this.at(node.addr));
  }

  async writers(options: Partial<WriterOptions> = {}): Promise<Writers> {
    const writers = await Writers.start({
      ports: this.nodes.map((node) => node.port),
      count: 4,
      libraries: ['ioredis', 'node-redis'],
      pause: 2,
      ...options,
    });
    this.#writers.push(writers);
    // What follows begins while they are at work.
    await until('the writers write', () => writers.acknowledged.length >= (options.count ?? 4) * 5);
    return writers;
  }

  /** Done again and again until the scene ends, also what fails. */
  repeatedly(pause: number, act: () => Promise<unknown>): void {
    let over = false;
    const loop = (async () => {
      while (!over) {
        await act().catch(() => {});
        await sleep(pause);
      }
    })();
    const stop = () => {
      over = true;
      return loop;
    };
    this.#writers.push({ stop });
  }

  /** Writers of keys of every type. */
  async mixture(options: Partial<MixtureOptions> = {}): Promise<Mixture> {
    const mixture = await Mixture.start({
      ports: this.nodes.map((node) => node.port),
      libraries: ['ioredis', 'node-redis'],
      tags: [''],
      pause: 2,
      ...options,
    });
    this.#writers.push(mixture);
    await until('the writers write', () => mixture.acknowledged >= 50);
    return mixture;
  }

  /** Stops the mixture; all of its keys must be on their master, and on each replica, exactly as they were written. */
  async mixtureHeld(cluster: ClusterClient, mixture: Mixture): Promise<void> {
    await mixture.stop();
    const { shards } = await cluster.get();
    for (const [index, shard] of shards.entries()) {
      const slots = new Set((shard.slot_ranges ?? []).flatMap(slotsOf));
      const own = [...mixture.keys].filter((key) => slots.has(slotOf(key)));
      for (const { addr, role, state } of shard.nodes) {
        if (state === 'away') continue;
        const differing = () => mixture.differences(this.at(addr).port, own, role === 'slave');
        if (role === 'slave') await until(`${addr} has it all`, async () => (await differing()).length === 0);
        const wrong = await differing();
        const message = `${wrong.length} of ${own.length} keys of shard ${index} are wrong at ${addr}`;
        assert.deepEqual(wrong.slice(0, 3), [], message);
      }
    }
  }

  /** Each reachable node carries exactly the committed topology; each slot of it has one owner. */
  async carried(cluster: ClusterClient, within = 10_000): Promise<void> {
    await until('the nodes carry the committed topology', () => this.#carried(cluster), within);
  }

  async #carried(cluster: ClusterClient): Promise<boolean> {
    const { version, shards } = await cluster.get();
    const wanted = shards
      .flatMap(({ nodes, slot_ranges }) => {
        const members = nodes.filter((node) => node.state !== 'away');
        const master = members.find((node) => node.role === 'master')?.id;
        return members.map((node) =>
          [
            node.id,
            node.addr,
            node.id === master ? '-' : master,
            ...(node.id === master ? (slot_ranges ?? []) : []),
          ].join(' '),
        );
      })
      .sort();
    for (const { nodes } of shards) {
      for (const { id, addr, role, state } of nodes) {
        if (state === 'away') continue;
        const node = this.at(addr);
        const lines = await node.nodes();
        const seen = lines.map((line) => [line.id, line.addr, line.master ?? '-', ...line.slots].join(' ')).sort();
        assert.deepEqual(seen, wanted, `the topology of ${addr}`);
        assert.equal(lines.find((line) => line.myself)?.id, id, `the id of ${addr}`);
        assert.equal(await node.version(), version, `the version of ${addr}`);
        assert.equal((await node.replication()).role, role, `the role of ${addr}`);
      }
    }
    const owned = shards.flatMap((shard) => (shard.slot_ranges ?? []).flatMap(slotsOf));
    assert.equal(new Set(owned).size, owned.length, 'a slot has two owners');
    assert.equal(owned.length, SLOTS, 'every slot has an owner');
    return true;
  }

  /** Stops these writers and counts the acknowledged writes that are missing. */
  async lost(cluster: ClusterClient, ...teams: readonly Writers[]): Promise<number> {
    await Promise.all(teams.map((writers) => writers.stop()));
    return (
      await missing(
        await this.masterOf(cluster),
        teams.flatMap((writers) => writers.acknowledged),
      )
    ).length;
  }

  /** Stops these writers; none of their acknowledged writes may be missing, here or on any replica. */
  async nothingLost(cluster: ClusterClient, ...teams: readonly Writers[]): Promise<void> {
    await Promise.all(teams.map((writers) => writers.stop()));
    const written = teams.flatMap((writers) => writers.acknowledged);
    const lost = await missing(await this.masterOf(cluster), written);
    assert.deepEqual(lost.slice(0, 5), [], `${lost.length} of ${written.length} acknowledged writes are missing`);
    await this.replicasEqual(
      cluster,
      written.map((one) => one.key),
    );
  }

  /** Key by key, what each replica holds is what its master holds; nobody may be writing meanwhile. */
  async replicasEqual(cluster: ClusterClient, keys: readonly string[]): Promise<void> {
    const { shards } = await cluster.get();
    for (const [index, shard] of shards.entries()) {
      const master = await this.masterOf(cluster, index);
      const slots = new Set((shard.slot_ranges ?? []).flatMap(slotsOf));
      const own = keys.filter((key) => slots.has(slotOf(key)));
      for (const { addr, role, state } of shard.nodes) {
        if (role === 'master' || state === 'away') continue;
        const replica = this.at(addr);
        await until(`${addr} has caught up`, async () => {
          const [here, there] = await Promise.all([master.replication(), replica.replication()]);
          return there.link === 'up' && there.sequence >= here.sequence;
        });
        const differing = await differences(master, replica, own);
        assert.deepEqual(differing.slice(0, 5), [], `${differing.length} keys differ between ${addr} and its master`);
      }
    }
  }
}

function slotsOf(range: string): number[] {
  const [from = 0, to = from] = range.split('-').map(Number);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
