/**
 * A whole deployment in one thread: emulated nodes with their disks, the model store, one controller at a time and its
 * clients. Everything that happens is a function of the seed.
 */
import type { Peers } from '../controller/peers.ts';
import { Refusal } from '../controller/refusal.ts';
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { MemoryServer, type Seen } from '../store/memory/server.ts';
import { Console } from './console.ts';
import { ControllerHost, type CountGroup, type Plane, type StoreFaults } from './controllers.ts';
import { EventLoop } from './event-loop.ts';
import { Machine } from './machine.ts';
import { Traffic, type TrafficOptions } from './traffic.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess } from './virtual-runtime.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly controllers: number;
  readonly traffic: TrafficOptions;
  /** `lock`: a dead leader's successor leads at once, as with the embedded store; `lease`: after its lease. */
  readonly leadership: 'lock' | 'lease';
  /** Settings of the n-th node, from 0, when it starts for the n-th time, from 1. */
  conf(index: number, life: number): Readonly<Record<string, string>>;
}

export const NAMESPACE = 'sim';
export const CLUSTER = 'c';
export const NAME = { namespace: NAMESPACE, cluster: CLUSTER };

export interface Note {
  readonly at: number;
  readonly text: string;
}

/** How an operator's command ended. */
export type Ended =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly code: string; readonly why: string }
  /** The controller died or hung before it answered, or none led. */
  | { readonly kind: 'unanswered' };

/** Told of all that a controller does to the outside, in order; the checks listen here. */
export interface Observer {
  /** What the store holds since now; `foreign`: by no controller's commit. */
  committed(values: ReadonlyMap<string, string | null>, foreign: boolean): void;
  /** The store has taken a commit under this token, which does not lead. */
  fenced(token: string): void;
  /** What a controller handed to the network for a node. */
  sent(sender: ControllerHost, machine: Machine, bytes: string): void;
}

/** An operator gives up waiting for an answer. */
const PATIENCE: Duration = 30_000;

/** Commands that change a node: each is a step after which a controller may die. */
const STEPS = ['SETNODES', 'SETNODEID', 'MIGRATE', 'RESET', 'FLUSHALL', 'PUBLISH'];

export class World {
  readonly loop = new EventLoop();
  readonly random: RandomSource;
  readonly network: VirtualNetwork;
  readonly machines: readonly Machine[];
  readonly controllers: readonly ControllerHost[];
  readonly server: MemoryServer;
  readonly traffic: Traffic;
  readonly console: Console;
  readonly notes: Note[] = [];
  /** `group/kind`: how often. */
  readonly counts = new Map<string, number>();
  /** Nodes that ended by themselves: a crash of theirs is a fault of whoever caused it. */
  readonly exits: string[] = [];
  /** Decisions that the check at the commit refused: none should be made. */
  readonly refusedByPromise: string[] = [];
  readonly storeFaults: StoreFaults = {
    lostAnswers: 0,
    lostAnswerAt: Number.NEGATIVE_INFINITY,
    slowBy: 0,
    commitsBy: 0,
    answersBy: 0,
  };
  observer: Observer | undefined;
  /** No new fault begins any more. */
  over = false;
  /** Commits and commands of controllers so far. */
  steps = 0;
  /** The controller that makes this step dies right after it. */
  crashAtStep: number | undefined;
  /** Called with every command that a controller sends and that changes a node, before it is on its way. */
  onCommand: (machine: Machine, bytes: string) => void = () => {};
  /** Questions of controllers to each host so far. */
  readonly questions = new Map<string, number>();
  /** Called with the host of each. */
  onQuestion: (host: string) => void = () => {};
  /** Called after a crash at a step, with whose it was. */
  onCrash: (host: ControllerHost) => void = () => {};
  readonly #options: WorldOptions;
  readonly #names = new Map<string, string>();
  /** When each process that ever led was seen to lead no more. */
  readonly #ledUntil = new Map<string, Instant>();
  #leader: string | undefined;
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
          conf: (life) => options.conf(i, life),
          exited: (machine, code, reason) => {
            this.note(`${machine.name} exits with ${code}: ${reason}`);
            this.exits.push(`${machine.name}: ${reason}`);
          },
        }),
    );
    const storeProcess = new VirtualProcess(this.loop, this.network, '10.3.0.1', this.random.child('store'));
    this.server = new MemoryServer({ runtime: storeProcess.runtime });
    this.server.observe((seen) => this.#seen(seen));
    this.server.onElection(() => this.#elected());
    this.console = new Console(this.loop, this.network, this.random.child('console'));
    this.controllers = Array.from(
      { length: options.controllers },
      (_, i) =>
        new ControllerHost({
          loop: this.loop,
          network: this.network,
          server: this.server,
          random: this.random.child(`controller ${i}`),
          name: `k${i + 1}`,
          host: `10.1.0.${i + 1}`,
          storeFaults: this.storeFaults,
          peers: (from) => this.#peers(from),
          note: (text) => this.note(text),
          count: (group, kind) => this.count(group, kind),
          refusedByPromise: (what) => this.refusedByPromise.push(what),
        }),
    );
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

  count(group: CountGroup, kind: string): void {
    const key = `${group}/${kind}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
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

  /** Starts all nodes and all controllers. */
  start(): void {
    for (const machine of this.machines) machine.start();
    for (const controller of this.controllers) controller.start();
  }

  /** The host whose process leads, as the store has it; it may be hung, or not know yet. */
  get leader(): ControllerHost | undefined {
    const identity = this.server.leader()?.identity;
    return identity === undefined ? undefined : this.controllers.find((one) => one.identity === identity);
  }

  /** Whichever leads and can answer. */
  get controller(): Plane | undefined {
    const { leader } = this;
    return leader?.state === 'running' && leader.plane?.ready() === true ? leader.plane : undefined;
  }

  /** As kill -9. */
  crashController(host: ControllerHost): void {
    if (host.state === 'dead') return;
    host.kill();
    if (this.#options.leadership === 'lease') return;
    // What was on its way to the store when the process died is either in it by then or never will be.
    this.loop.after(5 * this.random.next(), () => {
      const leader = this.server.leader();
      if (leader !== undefined) this.server.leave(leader.fence);
    });
  }

  /** Something stands between a controller and the store. */
  get storeTroubled(): boolean {
    const { slowBy, commitsBy, answersBy } = this.storeFaults;
    const troubled = slowBy + commitsBy + answersBy > 0 || this.server.refusing !== undefined;
    return troubled || this.controllers.some(({ reach }) => reach !== 'up');
  }

  /** Each question and each answer is a message between two hosts, and gets lost where their way is cut. */
  #peers(from: ControllerHost): Peers {
    const carry = (sender: ControllerHost, receiver: ControllerHost, run: () => void) => {
      if (this.network.isCut(sender.host, receiver.host)) return;
      this.loop.after(this.network.latency(sender.host, receiver.host), run);
    };
    return {
      known: () => this.controllers.filter((one) => one !== from).map(({ host }) => host),
      ask: (name, question, within) =>
        new Promise((resolve) => {
          const peer = this.controllers.find(({ host }) => host === name);
          this.loop.after(within, () => resolve(undefined));
          if (peer === undefined) return;
          carry(from, peer, () => {
            void peer.opinion(question).then((opinion) => carry(peer, from, () => resolve(opinion)));
          });
        }),
    };
  }

  /** Waits until a controller leads; false if none does in time. */
  async led(within: Duration = 20_000): Promise<boolean> {
    const until = this.loop.now + within;
    while (this.controller === undefined) {
      if (this.loop.now >= until) return false;
      await this.loop.sleep(20);
    }
    return true;
  }

  /** For how long the store has counted this process as leading no more; undefined while it leads. */
  deposedFor(host: ControllerHost): Duration | undefined {
    const { identity } = host;
    if (identity !== undefined && identity === this.server.leader()?.identity) return undefined;
    return this.loop.now - (this.#ledUntil.get(identity ?? '') ?? Number.NEGATIVE_INFINITY);
  }

  #elected(): void {
    const was = this.#leader;
    this.#leader = this.server.leader()?.identity;
    if (was !== undefined) this.#ledUntil.set(was, this.loop.now);
    this.note(`${this.leader?.name ?? 'nobody'} leads`);
  }

  /** An operator's command; always resolves, also when the controller dies under it. */
  async operate(what: string, command: (plane: Plane) => Promise<unknown>): Promise<Ended> {
    const { leader, controller: plane } = this;
    if (plane === undefined) return { kind: 'unanswered' };
    this.note(`operator: ${what}`);
    const crash = new Promise<Ended>((resolve) => leader?.onDeath(() => resolve({ kind: 'unanswered' })));
    const answer = command(plane).then(
      (value): Ended => ({ kind: 'done', value }),
      (error: unknown): Ended => {
        if (error instanceof Refusal) return { kind: 'refused', code: error.code, why: error.message };
        throw error;
      },
    );
    const patience = this.loop.sleep(PATIENCE).then((): Ended => ({ kind: 'unanswered' }));
    const ended = await Promise.race([answer, crash, patience]);
    this.note(`operator: ${what}: ${ended.kind === 'refused' ? `${ended.code}: ${ended.why}` : ended.kind}`);
    this.count('operator', `${what.split(' ')[0]} ${ended.kind}`);
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

  #seen(seen: Seen): void {
    const values = new Map<string, string | null>();
    for (const change of seen.changes) {
      if (change.kind === 'put') values.set(change.entry.key, change.entry.value);
      else values.set(change.key, null);
    }
    this.network.mix(seen.revision);
    this.observer?.committed(values, seen.fence === undefined);
    const leading = this.server.leader();
    if (seen.fence !== undefined && seen.fence !== leading?.fence) this.observer?.fenced(seen.fence);
    const { leader } = this;
    if (seen.fence !== undefined && leader !== undefined) this.#step('commit', leader);
  }

  #sent(from: string, to: string, bytes: string): void {
    const sender = this.controllers.find(({ host }) => host === from);
    if (sender === undefined) return;
    this.questions.set(to, (this.questions.get(to) ?? 0) + 1);
    this.onQuestion(to);
    if (!STEPS.some((step) => bytes.includes(step))) return;
    const machine = this.at(to);
    if (machine === undefined) return;
    this.observer?.sent(sender, machine, bytes);
    this.onCommand(machine, bytes);
    this.#step('command', sender);
  }

  #step(what: string, host: ControllerHost): void {
    this.steps++;
    if (this.steps !== this.crashAtStep) return;
    this.crashAtStep = undefined;
    this.note(`${host.name} dies after step ${this.steps}, a ${what}`);
    this.count('fault', 'kill-controller-at-a-step');
    // Within the call that made the step: not a line of the controller's code has any effect any more.
    this.crashController(host);
    this.onCrash(host);
  }
}
