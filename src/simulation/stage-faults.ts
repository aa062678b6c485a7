/** What may befall nodes, links, controllers and the store; each act is noted and counted. */
import type { Cancel, Duration, Instant } from '../runtime/runtime.ts';
import type { Reach } from '../store/memory/link.ts';
import type { ControllerHost } from './controllers.ts';
import type { DiskImage } from './disk.ts';
import type { Machine } from './machine.ts';
import { StageView } from './stage-view.ts';
import type { Acknowledged } from './traffic.ts';

/** Something with an address: a node or a controller. */
export interface Party {
  readonly name: string;
  readonly host: string;
}

/** How long a master that came back empty may take to be replaced, and what is in flight at the end of it. */
const EMPTY_FOR = 1_300;

/** These acknowledged writes may be gone by what befell their nodes, and no controller could help it. */
export type Disaster = (write: Acknowledged) => boolean;

/** Milliseconds for which a leader waits for the answer to a commit, and a little. */
const COMMIT_WAIT = 2_500;

/** What ends a fault is none. */
const MENDING = new Set(['start', 'wake', 'heal', 'start-controller', 'wake-controller', 'store-up']);

export class StageFaults extends StageView {
  disasters: Disaster[] = [];
  /** When a machine was given older files, by which it may take itself for what it was. */
  revivals: { readonly host: string; readonly at: Instant }[] = [];

  #did(kind: string, ...parties: readonly Party[]): void {
    this.world.note([kind, ...parties.map(({ name }) => name)].join(' '));
    if (!MENDING.has(kind)) this.world.count('fault', kind);
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
   * A loss of power, `rest` ms before it runs again. What it had written in the last `data` ms is gone from its disk only
   * where another node has taken its place meanwhile: a master that comes back short of what it acknowledged, and that
   * nobody missed, is nothing that can be told from outside. Its nodes.conf is an older one in any case.
   */
  losePower(machine: Machine, data: Duration, files: Duration, rest: Duration): void {
    if (machine.state === 'dead') return;
    this.#did('lose-power', machine);
    const diedAt = this.now;
    const wasMaster = machine.core?.isSlave === false;
    machine.kill();
    const { life } = machine;
    this.world.loop.after(rest, () => {
      if (machine.life !== life || machine.state !== 'dead') return;
      const masters = this.invariants.cluster?.shards.map((shard) => shard.nodes.find((node) => node.master)) ?? [];
      const still = masters.some((node) => node !== undefined && this.world.atAddress(node.address) === machine);
      machine.losePower(diedAt - (still ? 0 : data), diedAt - files);
      if (!still) this.disasters.push(({ host, at }) => host === machine.host && diedAt - data <= at && at <= diedAt);
      this.revivals.push({ host: machine.host, at: this.now });
      this.start(machine);
      // By its older nodes.conf it follows its old master again, and copies that as soon as both run.
      if (wasMaster && machine.core?.isSlave === true)
        this.disasters.push(({ host, at }) => host === machine.host && at <= diedAt);
    });
  }

  /** An older copy of its disk, or another machine's, is put in its place while it is dead. */
  restoreDisk(machine: Machine, image: DiskImage): void {
    this.#did('restore-disk', machine);
    machine.restore(image);
    this.revivals.push({ host: machine.host, at: this.now });
  }

  /**
   * Kills a master, gives it an empty folder or an older one, and starts it `after` ms later. Within about a second of
   * its start its replicas copy the loss, unless one of them was promoted before; where no controller could, the data
   * is gone.
   */
  async emptyMaster(index: number, after: Duration, image?: DiskImage): Promise<void> {
    const machine = this.master(index);
    const { slots, id } = this.shard(index);
    const { life } = machine;
    const since = this.now;
    const { leader, storeFaults } = this.world;
    const lostBefore = storeFaults.lostAnswerAt;
    let watched = this.watched(leader);
    const had = new Map(this.replicas(index).map((replica) => [replica, replica.core?.database.sequence ?? 0]));
    this.kill(machine);
    if (image === undefined) this.wipe(machine);
    else {
      this.restoreDisk(machine, image);
      // It knows its old topology and takes writes until it is replaced: nothing from outside can stop it sooner.
      this.disasters.push(({ host, at }) => host === machine.host && since < at && at <= since + after + EMPTY_FOR);
    }
    this.world.loop.after(after, () => {
      if (machine.life === life) this.start(machine);
    });
    const heir = () => {
      const master = this.invariants.cluster?.shards.find((shard) => shard.id === id)?.nodes.find((one) => one.master);
      return master === undefined ? undefined : this.world.atAddress(master.address);
    };
    for (let up = 0; up < EMPTY_FOR; ) {
      await this.sleep(100);
      watched &&= this.watched(leader);
      const next = heir();
      if (next !== machine && next?.core?.isSlave === false) {
        if (next.core.database.sequence >= (had.get(next) ?? 0)) return;
        // It had copied the loss before it was told.
        break;
      }
      if (machine.life !== life) up += 100;
    }
    // A commit whose answer got lost is waited for, and nothing else is committed until then.
    if (watched && storeFaults.lostAnswerAt === lostBefore && since - lostBefore > COMMIT_WAIT) return;
    const until = this.now;
    this.disasters.push(({ slot, at }) => at <= until && slots.some(({ from, to }) => from <= slot && slot <= to));
  }

  /** A controller leads, sees and can write: this one. */
  watched(leader: ControllerHost | undefined = this.world.leader): boolean {
    const { world } = this;
    const paused = this.invariants.cluster?.paused === true;
    const deaf = world.machines.some(({ faults }) => faults.closesAtOnce || faults.answersErrors);
    const troubled = world.storeTroubled || world.network.troubled || paused || deaf;
    const sees = world.controller !== undefined && !troubled;
    return sees && leader !== undefined && world.leader === leader;
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

  /** For a while it takes connections and resets them, answers everything with errors, or cannot write nodes.conf. */
  ail(machine: Machine, kind: 'closesAtOnce' | 'answersErrors' | 'diskFull', length: Duration): void {
    this.#did(kind, machine);
    machine.faults[kind] = true;
    this.#during(length, () => {
      machine.faults[kind] = false;
    });
  }

  /** It dies as soon as it has written its topology so many times more, and runs again `rest` ms from now. */
  dieAtSave(machine: Machine, times: number, rest: Duration): void {
    this.#did('die-at-save', machine);
    machine.faults.diesAtSave = times;
    this.#during(rest, () => {
      machine.faults.diesAtSave = 0;
      this.start(machine);
    });
  }

  #during(length: Duration, end: Cancel): void {
    this.world.loop.after(length, end);
  }

  /** Messages to and from it take up to `by` ms longer for a while. */
  slow(machine: Party, by: Duration, length: Duration): void {
    this.#did('slow', machine);
    this.#during(length, this.world.network.slow(machine.host, '*', 0, by));
    this.#during(length, this.world.network.slow('*', machine.host, 0, by));
  }

  /** Only the way from one to the other is long: a replica behind a thin link, a controller far away. */
  slowLink(from: Party, to: Party, by: Duration, length: Duration, least: Duration = 0): void {
    this.#did('slow-link', from, to);
    this.#during(length, this.world.network.slow(from.host, to.host, least, by));
  }

  /** `share` of all packets to and from it are lost and sent again. */
  losePackets(party: Party, share: number, length: Duration): void {
    this.#did('lose-packets', party);
    this.#during(length, this.world.network.lose(party.host, '*', share));
    this.#during(length, this.world.network.lose('*', party.host, share));
  }

  /** Nothing passes between the two groups; `one-way`: only what the second sends to the first does. */
  cut(ones: readonly Party[], others: readonly Party[], way: 'both' | 'one-way' = 'both'): Cancel {
    this.#did(way === 'both' ? 'cut' : 'cut-one-way', ...ones, ...others);
    const { network } = this.world;
    const heals: Cancel[] = [];
    for (const one of ones) {
      for (const other of others) {
        if (one.host === other.host) continue;
        heals.push(network.cut(one.host, other.host));
        if (way === 'both') heals.push(network.cut(other.host, one.host));
      }
    }
    return () => {
      for (const heal of heals) heal();
    };
  }

  /** Cut off from every controller alone. */
  cutFromController(machine: Machine): void {
    this.cut([machine], this.world.controllers);
  }

  /** Cut off from the controllers and from every other node; clients reach it. */
  isolate(machine: Machine): void {
    this.#did('isolate', machine);
    this.cut([machine], [...this.world.controllers, ...this.world.machines]);
  }

  /** Nobody reaches it and nobody is told so: connections are not even refused. */
  blackHole(party: Party): Cancel {
    this.#did('black-hole', party);
    const heals = [this.world.network.cut('*', party.host), this.world.network.cut(party.host, '*')];
    return () => {
      for (const heal of heals) heal();
    };
  }

  /** Nobody reaches it for `period` ms, then everybody does, and so on. */
  flap(party: Party, period: Duration, times: number): void {
    for (let i = 0; i < times; i++) {
      this.#during(2 * i * period, () => {
        if (!this.world.over) this.#during(period, this.blackHole(party));
      });
    }
  }

  /** The whole machine goes, without a word: no connection ends, and what it had sent last never arrives. */
  vanish(machine: Machine): void {
    this.#did('vanish', machine);
    this.world.network.cut('*', machine.host);
    this.world.network.cut(machine.host, '*');
    machine.kill();
  }

  /** A machine that vanished is there again, and its process starts. */
  reappear(machine: Machine): void {
    this.world.network.forget(machine.host);
    this.heal(machine);
    this.start(machine);
  }

  heal(machine: Party): void {
    this.#did('heal', machine);
    this.world.network.healHost(machine.host);
  }

  /** The controller that leads, else any that lives. */
  someController(): ControllerHost | undefined {
    return this.world.leader ?? this.world.controllers.find(({ state }) => state !== 'dead');
  }

  crashController(host: ControllerHost | undefined = this.someController()): void {
    if (host === undefined) return;
    this.#did('kill-controller', host);
    this.world.crashController(host);
  }

  /** That one, or else every one that is dead. */
  startController(host?: ControllerHost): void {
    for (const one of host === undefined ? this.world.controllers : [host]) {
      if (one.state !== 'dead') continue;
      this.#did('start-controller', one);
      one.start();
    }
  }

  hangController(host: ControllerHost | undefined = this.someController()): ControllerHost | undefined {
    if (host?.state !== 'running') return undefined;
    this.#did('hang-controller', host);
    host.hang();
    return host;
  }

  wakeController(host: ControllerHost): void {
    if (host.state !== 'hung') return;
    this.#did('wake-controller', host);
    host.wake();
  }

  /** One controller's way to the store. */
  reach(host: ControllerHost, reach: Reach): void {
    this.#did(`store-${reach}`, host);
    host.reach = reach;
  }

  /** Every message to the store, or its commits alone, or their answers, take longer for a while. */
  slowStore(kind: 'slowBy' | 'commitsBy' | 'answersBy', by: Duration, length: Duration): void {
    const faults = this.world.storeFaults;
    this.world.note(`the store is slow: ${kind} ${Math.round(by)} ms`);
    this.world.count('fault', 'store-slow');
    faults[kind] += by;
    this.#during(length, () => {
      faults[kind] = Math.max(0, faults[kind] - by);
    });
  }

  /** Wall clocks of a controller or a node jump; what is monotonic goes on. */
  jumpClock(party: ControllerHost | Machine, by: Duration): void {
    this.#did(by > 0 ? 'clock-forward' : 'clock-back', party);
    if ('jump' in party) party.jump(by);
    else party.faults.wallOffset += by;
  }

  /** A controller dies `steps` commits or commands from now, whichever makes that step, and starts again `rest` ms later. */
  crashAfterSteps(steps: number, rest: Duration): void {
    this.world.crashAtStep = this.world.steps + steps;
    this.world.onCrash = (host) => {
      this.world.loop.after(rest, () => this.startController(host));
    };
  }
}
