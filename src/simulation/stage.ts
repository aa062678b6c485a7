/** What a scenario does to the world, in the field's words; each act is noted and counted. */
import type { ControlPlane } from '../controller/control-plane.ts';
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { randomInteger } from '../runtime/seeded-random.ts';
import type { SlotRange } from '../topology/slots.ts';
import { unconverged } from './convergence.ts';
import type { Invariants } from './invariants.ts';
import type { Machine } from './machine.ts';
import type { SeenShard } from './record-reading.ts';
import { type Ended, NAME, type World } from './world.ts';

const CALLER = { name: 'sim' };
/** The controller's host. */
const CONTROLLERS = '10.1.0.1';

export class Stage {
  readonly world: World;
  readonly invariants: Invariants;
  readonly random: RandomSource;
  /** Shards that lost all copies at an instant, by what befell them: nothing written before can be asked for. */
  readonly disasters: { readonly hosts: ReadonlySet<string>; readonly at: Instant }[] = [];

  constructor(world: World, invariants: Invariants, random: RandomSource) {
    this.world = world;
    this.invariants = invariants;
    this.random = random;
  }

  sleep(delay: Duration): Promise<void> {
    return this.world.loop.sleep(delay);
  }

  /** Uniform between the two. */
  between(low: number, high: number): number {
    return low + (high - low) * this.random.next();
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[randomInteger(this.random, items.length)];
  }

  shard(index: number): SeenShard {
    const found = this.invariants.cluster?.shards[index];
    if (found === undefined) throw new Error(`no shard ${index}`);
    return found;
  }

  /** The committed master of a shard. */
  master(index: number): Machine {
    return this.machineOf(this.shard(index).nodes.find((node) => node.master)?.address);
  }

  /** Its replicas that are in the topology. */
  replicas(index: number): readonly Machine[] {
    return this.shard(index)
      .nodes.filter((node) => !node.master && !node.away)
      .map((node) => this.machineOf(node.address));
  }

  replica(index: number): Machine {
    const found = this.replicas(index)[0];
    if (found === undefined) throw new Error(`shard ${index} has no replica`);
    return found;
  }

  machineOf(address: string | undefined): Machine {
    const found = address === undefined ? undefined : this.world.atAddress(address);
    if (found === undefined) throw new Error(`no node at ${address}`);
    return found;
  }

  #did(kind: string, machine: Machine): void {
    this.world.note(`${kind} ${machine.name}`);
    this.world.count(kind);
  }

  kill(machine: Machine): void {
    this.#did('kill', machine);
    machine.kill();
  }

  start(machine: Machine): void {
    if (machine.state !== 'dead') return;
    this.#did('start', machine);
    machine.start();
  }

  /** Empties its folder while it is dead. */
  wipe(machine: Machine): void {
    this.#did('wipe', machine);
    machine.wipe();
  }

  /**
   * Kills a master, empties its folder and starts it `after` ms later. One that is back within a second wipes its
   * replicas at the end of it, unless a controller promotes one before; where none could, the data is gone.
   */
  async emptyMaster(index: number, after: Duration): Promise<void> {
    const machine = this.master(index);
    const hosts = new Set([machine, ...this.replicas(index)].map(({ host }) => host));
    const { life } = machine;
    const since = this.world.loop.now;
    const lostBefore = this.world.lostAnswerAt;
    const controller = this.world.controller;
    const process = this.world.controllerProcess;
    let stood = process?.hung ?? true;
    this.kill(machine);
    this.wipe(machine);
    this.world.loop.after(after, () => {
      if (machine.life === life) this.start(machine);
    });
    await this.sleep(1_300);
    stood ||= process?.hung ?? true;
    const watched = !stood && this.world.controller === controller && controller?.ready() === true;
    if (!watched || this.world.lostAnswerAt !== lostBefore) this.disasters.push({ hosts, at: since + 1_300 });
  }

  hang(machine: Machine): void {
    this.#did('hang', machine);
    machine.hang();
  }

  wake(machine: Machine): void {
    if (machine.state !== 'hung') return;
    this.#did('wake', machine);
    machine.wake();
  }

  /** The next time that it gets `command` the answer is lost, with its connection. */
  loseAnswer(machine: Machine, command: string): void {
    this.#did(`lose-answer-${command}`, machine);
    machine.loseAnswers(command);
  }

  /** Messages to and from it take up to `by` ms longer for a while. */
  slow(machine: Machine, by: Duration, length: Duration): void {
    this.#did('slow', machine);
    this.world.network.slow(machine.host, by);
    this.world.loop.after(length, () => this.world.network.slow(machine.host, 0));
  }

  /** Only the way from one node to the other is long: a replica behind a thin link. */
  slowLink(from: Machine, to: Machine, by: Duration, length: Duration): void {
    this.#did('slow-link-to', to);
    this.world.network.slow(from.host, by, to.host);
    this.world.loop.after(length, () => this.world.network.slow(from.host, 0, to.host));
  }

  /** Cut off from the controller alone. */
  cutFromController(machine: Machine): void {
    this.#did('cut-from-controller', machine);
    this.world.network.cut(machine.host, CONTROLLERS);
    this.world.network.cut(CONTROLLERS, machine.host);
  }

  /** Cut off from the controller and from every other node; clients reach it. */
  isolate(machine: Machine): void {
    this.#did('isolate', machine);
    for (const host of [CONTROLLERS, ...this.world.machines.map((other) => other.host)]) {
      if (host === machine.host) continue;
      this.world.network.cut(machine.host, host);
      this.world.network.cut(host, machine.host);
    }
  }

  heal(machine: Machine): void {
    this.#did('heal', machine);
    for (const host of [CONTROLLERS, ...this.world.machines.map((other) => other.host)]) {
      this.world.network.heal(machine.host, host);
      this.world.network.heal(host, machine.host);
    }
  }

  crashController(): void {
    this.world.note('kill the controller');
    this.world.count('controller-crash');
    this.world.crashController();
  }

  startController(): void {
    if (this.world.controller !== undefined) return;
    this.world.note('start a controller');
    this.world.startController();
  }

  /** The controller dies `steps` commits or commands from now, and another starts `rest` ms later. */
  crashAfterSteps(steps: number, rest: Duration): void {
    this.world.crashAtStep = this.world.steps + steps;
    this.world.onCrash = () => {
      this.world.loop.after(rest, () => this.startController());
    };
  }

  operate(what: string, command: (plane: ControlPlane) => Promise<unknown>): Promise<Ended> {
    return this.world.operate(what, command);
  }

  failover(index: number, preferred?: Machine, force = false): Promise<Ended> {
    return this.operate(`failover shard ${index}`, (plane) =>
      plane.failover(NAME, { index }, preferred?.id, { caller: CALLER, force }),
    );
  }

  migrate(target: number, ranges: readonly SlotRange[], slotOnly = false): Promise<Ended> {
    const words = ranges.map(({ from, to }) => `${from}-${to}`).join(',');
    if (slotOnly) {
      for (const { from, to } of ranges) for (let slot = from; slot <= to; slot++) this.invariants.slotOnly.add(slot);
    }
    return this.operate(`migrate ${words} to shard ${target}${slotOnly ? ' slot_only' : ''}`, (plane) =>
      plane.migrate(NAME, { index: target }, ranges, slotOnly, { caller: CALLER }),
    );
  }

  addNode(index: number, machine: Machine): Promise<Ended> {
    return this.operate(`add-node ${machine.name} to shard ${index}`, (plane) =>
      plane.createNode(
        NAME,
        { index },
        { address: machine.address, role: 'slave', password: NO_SECRET },
        {},
        { caller: CALLER },
      ),
    );
  }

  removeNode(index: number, machine: Machine, reset = false): Promise<Ended> {
    const node = this.shard(index).nodes.find((one) => this.world.atAddress(one.address) === machine);
    return this.operate(`remove-node ${machine.name} of shard ${index}`, (plane) =>
      plane.deleteNode(NAME, { index }, node?.id ?? '', reset, { caller: CALLER }),
    );
  }

  addShard(machines: readonly Machine[]): Promise<Ended> {
    return this.operate(`add-shard ${machines.map((one) => one.name).join(' ')}`, (plane) =>
      plane.createShard(
        NAME,
        machines.map((one) => one.address),
        NO_SECRET,
        {},
        { caller: CALLER },
      ),
    );
  }

  pause(): Promise<Ended> {
    return this.operate('pause', (plane) => plane.pause(NAME, null, { caller: CALLER }));
  }

  resume(): Promise<Ended> {
    return this.operate('resume', (plane) => plane.resume(NAME, { caller: CALLER }));
  }

  /** What stands between the nodes and the committed topology. */
  unconverged(): readonly string[] {
    return unconverged(this.world, this.invariants);
  }

  /** Resolves with how long it took; undefined when `within` was not enough. */
  async converged(within: Duration): Promise<Duration | undefined> {
    return this.until(() => this.unconverged().length === 0, within);
  }

  async until(done: () => boolean, within: Duration): Promise<Duration | undefined> {
    const from = this.world.loop.now;
    while (!done()) {
      if (this.world.loop.now - from >= within) return undefined;
      await this.sleep(50);
    }
    return this.world.loop.now - from;
  }

  /** A check that belongs to one scenario alone. */
  expect(holds: boolean, what: string): void {
    if (!holds) this.invariants.break('the scenario', what);
  }

  /** Codes of the problems that the controller reports now. */
  problems(): readonly string[] {
    const plane = this.world.controller;
    if (plane === undefined || !plane.ready()) return [];
    return plane.status(NAME).problems.map(({ code }) => code);
  }
}
