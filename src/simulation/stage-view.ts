/** The simulated world as a scenario sees it: who is who in the committed topology, time, chance and waiting. */
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { randomInteger } from '../runtime/seeded-random.ts';
import { unconverged } from './convergence.ts';
import type { Invariants } from './invariants.ts';
import type { Machine } from './machine.ts';
import type { SeenShard } from './record-reading.ts';
import { NAME, type World } from './world.ts';

export class StageView {
  readonly world: World;
  readonly invariants: Invariants;
  readonly random: RandomSource;

  constructor(world: World, invariants: Invariants, random: RandomSource) {
    this.world = world;
    this.invariants = invariants;
    this.random = random;
  }

  get now(): Instant {
    return this.world.loop.now;
  }

  sleep(delay: Duration): Promise<void> {
    return this.world.loop.sleep(delay);
  }

  /** Uniform between the two. */
  between(low: number, high: number): number {
    return low + (high - low) * this.random.next();
  }

  chance(share: number): boolean {
    return this.random.next() < share;
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

  /** What stands between the nodes and the committed topology. */
  unconverged(): readonly string[] {
    return unconverged(this.world, this.invariants);
  }

  /** Resolves with how long it took; undefined when `within` was not enough. */
  async converged(within: Duration): Promise<Duration | undefined> {
    return this.until(() => this.unconverged().length === 0, within);
  }

  async until(done: () => boolean, within: Duration): Promise<Duration | undefined> {
    const from = this.now;
    while (!done()) {
      if (this.now - from >= within) return undefined;
      await this.sleep(50);
    }
    return this.now - from;
  }

  /** A check that belongs to one scenario alone. */
  expect(holds: boolean, what: string): void {
    if (!holds) this.invariants.break('the scenario', what);
  }

  /** Codes of the problems that the controller reports now. */
  problems(): readonly string[] {
    return this.world.controller?.status(NAME).problems.map(({ code }) => code) ?? [];
  }
}
