/**
 * A whole deployment in one thread: emulated nodes with their disks, the model store, one controller at a time and its
 * clients. Everything that happens is a function of the seed.
 */
import type { ControlPlane } from '../controller/control-plane.ts';
import { Controller } from '../controller/controller.ts';
import type { Log } from '../controller/log.ts';
import { Refusal } from '../controller/refusal.ts';
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { MemoryClient } from '../store/memory/client.ts';
import { MemoryServer } from '../store/memory/server.ts';
import { EventLoop } from './event-loop.ts';
import { Machine } from './machine.ts';
import { Traffic, type TrafficOptions } from './traffic.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess } from './virtual-runtime.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly traffic: TrafficOptions;
  /** `lock`: a dead leader's successor leads at once, as with the embedded store; `lease`: after its lease. */
  readonly leadership: 'lock' | 'lease';
  readonly conf?: Readonly<Record<string, string>>;
}

export const NAMESPACE = 'sim';
export const CLUSTER = 'c';
export const NAME = { namespace: NAMESPACE, cluster: CLUSTER };
const CONTROLLER_HOST = '10.1.0.1';

export interface Note {
  readonly at: number;
  readonly text: string;
}

/** How an operator's command ended. */
export type Ended =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly code: string; readonly why: string }
  /** The controller died before it answered, or none led. */
  | { readonly kind: 'unanswered' };

interface Reigning {
  readonly process: VirtualProcess;
  readonly client: MemoryClient;
  readonly controller: Controller;
}

/** Told of all that a controller does to the outside, in order; the checks listen here. */
export interface Observer {
  /** A commit that the store has made. */
  committed(values: ReadonlyMap<string, string | null>): void;
  /** What a controller handed to the network for a node. */
  sent(machine: Machine, bytes: string): void;
}

/** Commands that change a node: each is a step after which a controller may die. */
const STEPS = ['SETNODES', 'SETNODEID', 'MIGRATE', 'RESET', 'FLUSHALL'];

export class World {
  readonly loop = new EventLoop();
  readonly random: RandomSource;
  readonly network: VirtualNetwork;
  readonly machines: readonly Machine[];
  readonly server: MemoryServer;
  readonly traffic: Traffic;
  readonly notes: Note[] = [];
  /** Faults, commands and outcomes by kind. */
  readonly counts = new Map<string, number>();
  /** Nodes that ended by themselves: a crash of theirs is a fault of whoever caused it. */
  readonly exits: string[] = [];
  observer: Observer | undefined;
  /** Commits and commands of controllers so far. */
  steps = 0;
  /** The controller dies right after this step. */
  crashAtStep: number | undefined;
  /** How often a commit's answer gets lost, 0 to 1. */
  lostAnswers = 0;
  /** When one was last lost. */
  lostAnswerAt: Instant = Number.NEGATIVE_INFINITY;
  /** Called after a crash at a step, with what it was. */
  onCrash: () => void = () => {};
  readonly #options: WorldOptions;
  readonly #names = new Map<string, string>();
  #reigning: Reigning | undefined;
  #controllers = 0;
  #crashed: (() => void)[] = [];
  #hash = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = seededRandom(options.seed).child('simulation');
    this.network = new VirtualNetwork(this.loop, this.random.child('network'));
    this.network.spy = { sent: (from, to, _end, bytes) => this.#sent(from, to, bytes) };
    this.machines = Array.from(
      { length: options.nodes },
      (_, i) =>
        new Machine({
          loop: this.loop,
          network: this.network,
          random: this.random.child(`node ${i}`),
          name: `n${i + 1}`,
          host: `10.0.0.${i + 1}`,
          conf: options.conf ?? {},
          exited: (machine, code, reason) => {
            this.note(`${machine.name} exits with ${code}: ${reason}`);
            this.exits.push(`${machine.name}: ${reason}`);
          },
        }),
    );
    const storeProcess = new VirtualProcess(this.loop, this.network, '10.3.0.1', this.random.child('store'));
    this.server = new MemoryServer({ runtime: storeProcess.runtime });
    this.server.observe((seen) => {
      const values = new Map<string, string | null>();
      for (const change of seen.changes) {
        if (change.kind === 'put') values.set(change.entry.key, change.entry.value);
        else values.set(change.key, null);
      }
      this.network.mix(seen.revision);
      this.observer?.committed(values);
      this.#step('commit');
    });
    this.traffic = new Traffic(
      this.loop,
      this.network,
      this.random.child('traffic'),
      () => this.#seeds,
      options.traffic,
    );
  }

  /** What clients are configured with. */
  #seeds: readonly { readonly host: string; readonly port: number }[] = [];

  /** The same for two runs that went the same way. */
  get hash(): string {
    return `${this.network.hash.toString(16)}-${this.#hash.toString(16)}-${this.loop.events}`;
  }

  note(text: string): void {
    const named = text.replace(/[A-Za-z0-9]{40}/g, (id) => this.#names.get(id) ?? id);
    this.notes.push({ at: this.loop.now, text: named });
    for (let i = 0; i < text.length; i++) this.#hash = Math.imul(this.#hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }

  count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  machine(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  at(host: string): Machine | undefined {
    return this.machines.find((machine) => machine.host === host);
  }

  /** By the address that the store has for it. */
  atAddress(address: string): Machine | undefined {
    return this.at(address.slice(0, address.lastIndexOf(':')));
  }

  nameId(id: string, machine: Machine): void {
    this.#names.set(id, machine.name);
  }

  /** Starts nodes `names` and the controller. */
  start(): void {
    for (const machine of this.machines) machine.start();
    this.startController();
  }

  get controller(): ControlPlane | undefined {
    return this.#reigning?.controller;
  }

  startController(): void {
    if (this.#reigning !== undefined) return;
    const number = ++this.#controllers;
    const random = this.random.child(`controller ${number}`);
    const process = new VirtualProcess(this.loop, this.network, CONTROLLER_HOST, random);
    const client = new MemoryClient(this.server, process.runtime);
    const draw = random.child('store');
    client.faults.latency = () => 0.2 + 2 * draw.next();
    client.faults.loseAnswer = (errand) => {
      if (errand !== 'commit' || draw.next() >= this.lostAnswers) return undefined;
      const how = draw.next() < 0.5 ? 'cut' : 'silence';
      this.lostAnswerAt = this.loop.now;
      this.note(`the answer to a commit gets lost: ${how}`);
      this.count('lost-commit-answer');
      return how;
    };
    const controller = new Controller({
      runtime: process.runtime,
      store: client,
      identity: `${CONTROLLER_HOST}:9379`,
      log: this.#log(process),
    });
    this.#reigning = { process, client, controller };
    controller.start();
  }

  #log(process: VirtualProcess): Log {
    const write = (fields: object, message: string) => {
      if (process.alive) this.note(`  ${message}${'why' in fields ? `: ${String(fields.why)}` : ''}`);
    };
    return {
      info: write,
      warn: (fields, message) => {
        const more = 'node' in fields && 'purpose' in fields ? ` ${String(fields.node)} ${String(fields.purpose)}` : '';
        write(fields, `${message}${more}`);
      },
      error: (fields, message) => {
        write(fields, `${message} ${JSON.stringify(fields)}`);
        if (message.startsWith('a decision would break')) this.refusedByPromise.push(JSON.stringify(fields));
      },
    };
  }
  /** Decisions that the check at the commit refused: none should be made. */
  readonly refusedByPromise: string[] = [];

  /** As kill -9. */
  crashController(): void {
    const reigning = this.#reigning;
    if (reigning === undefined) return;
    this.#reigning = undefined;
    reigning.process.kill();
    reigning.client.kill();
    if (this.#options.leadership === 'lock') {
      // What was on its way to the store when the process died is either in it by then or never will be.
      this.loop.after(5 * this.random.next(), () => {
        const leader = this.server.leader();
        if (leader !== undefined) this.server.leave(leader.fence);
      });
    }
    for (const tell of this.#crashed.splice(0)) tell();
  }

  get controllerProcess(): VirtualProcess | undefined {
    return this.#reigning?.process;
  }

  /** Waits until a controller leads; false if none does in time. */
  async led(within: Duration = 20_000): Promise<boolean> {
    const until = this.loop.now + within;
    while (this.controller?.ready() !== true) {
      if (this.loop.now >= until) return false;
      await this.loop.sleep(20);
    }
    return true;
  }

  /** An operator's command; always resolves, also when the controller dies under it. */
  async operate(what: string, command: (plane: ControlPlane) => Promise<unknown>): Promise<Ended> {
    const plane = this.controller;
    if (plane === undefined || !plane.ready()) return { kind: 'unanswered' };
    this.note(`operator: ${what}`);
    const crash = new Promise<Ended>((resolve) => this.#crashed.push(() => resolve({ kind: 'unanswered' })));
    const answer = command(plane).then(
      (value): Ended => ({ kind: 'done', value }),
      (error: unknown): Ended => {
        if (error instanceof Refusal) return { kind: 'refused', code: error.code, why: error.message };
        throw error;
      },
    );
    const ended = await Promise.race([answer, crash]);
    this.note(`operator: ${what}: ${ended.kind === 'refused' ? `${ended.code}: ${ended.why}` : ended.kind}`);
    this.count(`${what.split(' ')[0]} ${ended.kind}`);
    return ended;
  }

  /** The first cluster, of the first `shards` * `perShard` nodes; throws if it cannot be made. */
  async createCluster(shards: number, perShard: number): Promise<void> {
    if (!(await this.led())) throw new Error('no controller leads');
    const nodes = this.machines.slice(0, shards * perShard).map((machine) => machine.address);
    this.#seeds = nodes;
    const named = await this.operate('create-namespace', (plane) =>
      plane.createNamespace(NAMESPACE, { caller: { name: 'sim' } }),
    );
    const made = await this.operate('create-cluster', (plane) =>
      plane.createCluster(
        NAMESPACE,
        { name: CLUSTER, nodes, replicas: perShard, password: NO_SECRET },
        {},
        { caller: { name: 'sim' } },
      ),
    );
    if (named.kind !== 'done' || made.kind !== 'done') throw new Error(`no cluster: ${JSON.stringify(made)}`);
  }

  #sent(from: string, to: string, bytes: string): void {
    if (from !== CONTROLLER_HOST || !STEPS.some((step) => bytes.includes(step))) return;
    const machine = this.at(to);
    if (machine === undefined) return;
    this.observer?.sent(machine, bytes);
    this.#step('command');
  }

  #step(what: string): void {
    this.steps++;
    if (this.steps !== this.crashAtStep) return;
    this.crashAtStep = undefined;
    this.note(`the controller dies after step ${this.steps}, a ${what}`);
    this.count('controller-crash-at-step');
    // Within the call that made the step: not a line of the controller's code has any effect any more.
    this.crashController();
    this.onCrash();
  }
}
