/** One simulated run: a world made from its seed, a scenario played in it, everything healed, and every promise checked. */
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import { behind, differences, keptSpeeds } from './convergence.ts';
import { realMilliseconds } from './event-loop.ts';
import { heal } from './healing.ts';
import { type Broken, Invariants } from './invariants.ts';
import { judge } from './judgement.ts';
import { Stage } from './stage.ts';
import type { TrafficOptions } from './traffic.ts';
import { type Note, World } from './world.ts';

/** What differs from seed to seed before anything happens. */
export interface Deployment {
  /** One holds a lock that a dead process gives back; several have a lease. 1 by default. */
  readonly controllers?: number;
  /** Settings of the n-th node, from 0, when it starts for the n-th time, from 1. */
  conf?(index: number, life: number): Readonly<Record<string, string>>;
}

export interface Scenario extends Deployment {
  readonly name: string;
  readonly shards: number;
  readonly perShard: number;
  /** Further nodes, started empty and in no cluster. */
  readonly spares?: number;
  readonly traffic?: Partial<TrafficOptions>;
  readonly lostAnswers?: number;
  /** Seeds that the tests try it with, where that takes long. */
  readonly seeds?: number;
  /** Nothing befalls a node: every read finds every write acknowledged before it, at any time. */
  readonly planned?: boolean;
  /** Drawn from the seed, in the place of what stands above. */
  deploy?(draw: RandomSource): Deployment;
  play(stage: Stage): Promise<void>;
}

export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
  readonly skipped: readonly number[];
  /** Acts that were played and can be left out. */
  readonly acts: readonly number[];
  readonly broken: readonly Broken[];
  readonly notes: readonly Note[];
  /** The same for two runs that went the same way. */
  readonly hash: string;
  readonly counts: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  /** Acknowledged and gone, as an unplanned failover permits. */
  readonly lost: number;
  readonly moves: number;
  readonly simulated: Duration;
  readonly real: Duration;
  readonly events: number;
  /** From the last fault until every node carried the committed topology; undefined: an operator had to help. */
  readonly convergedAfter: Duration | undefined;
}

export interface RunOptions {
  /** Ends the run at the first broken promise. */
  readonly untilBroken?: boolean;
  /** Acts that are left out. */
  readonly skip?: readonly number[];
}

const TRAFFIC: TrafficOptions = { clients: 4, keysPerClient: 6, pause: 150 };
const CATCHES_UP_WITHIN = 5_000;
const LONGEST: Instant = 30 * 60_000;

export async function run(scenario: Scenario, seed: number, options: RunOptions = {}): Promise<Outcome> {
  const deployment = { ...scenario, ...scenario.deploy?.(seededRandom(seed).child('deployment')) };
  const controllers = deployment.controllers ?? 1;
  const world = new World({
    seed,
    nodes: scenario.shards * scenario.perShard + (scenario.spares ?? 0),
    controllers,
    traffic: { ...TRAFFIC, ...scenario.traffic },
    leadership: controllers === 1 ? 'lock' : 'lease',
    conf: (index, life) => deployment.conf?.(index, life) ?? {},
  });
  const invariants = new Invariants(world);
  const stage = new Stage(world, invariants, world.random.child('scenario'));
  stage.skipped = new Set(options.skip ?? []);
  const began = realMilliseconds();
  let over = false;
  let lost = 0;
  let convergedAfter: Duration | undefined;
  const whole = async () => {
    world.start();
    await world.createCluster(scenario.shards, scenario.perShard);
    if ((await stage.converged(15_000)) === undefined)
      invariants.break('a new cluster converges', stage.unconverged().join(', '));
    world.traffic.start();
    // Long enough that replicas are witnesses and the controller knows how far everybody has come.
    await stage.sleep(stage.between(1_500, 3_000));
    world.storeFaults.lostAnswers = scenario.lostAnswers ?? 0;
    await scenario.play(stage);
    convergedAfter = await heal(stage);
    await world.traffic.stop();
    lost = judge(await world.traffic.missing(), stage, scenario.planned === true);
    await stage.until(() => behind(world, invariants).length === 0, CATCHES_UP_WITHIN);
    for (const line of behind(world, invariants)) invariants.break('replicas catch up', line);
    for (const line of differences(world, invariants)) invariants.break('replicas are copies', line);
    for (const line of keptSpeeds(world, invariants)) invariants.break('speeds are put back', line);
    for (const line of world.refusedByPromise) invariants.break('no decision breaks a promise', line);
    for (const line of world.exits) invariants.break('no node is crashed', line);
  };
  whole()
    .catch((error: unknown) => invariants.break('the run ends', stackOf(error)))
    .finally(() => {
      over = true;
    });
  try {
    const seen = () => options.untilBroken === true && invariants.broken.length > 0;
    await world.loop.run(() => over || world.loop.now > LONGEST || seen());
    if (!over && !seen()) invariants.break('the run ends', `not after ${LONGEST} ms`);
  } catch (error) {
    invariants.break('nothing throws', stackOf(error));
  }
  return {
    scenario: scenario.name,
    seed,
    skipped: options.skip ?? [],
    acts: stage.acts,
    broken: invariants.broken,
    notes: world.notes,
    hash: world.hash,
    counts: world.counts,
    acknowledged: world.traffic.acknowledged.length,
    lost,
    moves: invariants.movesFinished,
    simulated: world.loop.now,
    real: realMilliseconds() - began,
    events: world.loop.events,
    convergedAfter,
  };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
