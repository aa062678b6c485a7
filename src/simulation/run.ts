/** One simulated run: a world made from its seed, a scenario played in it, everything healed, and every promise checked. */
import type { Duration, Instant } from '../runtime/runtime.ts';
import { behind, differences, isPrefix, untold } from './convergence.ts';
import { realMilliseconds } from './event-loop.ts';
import { type Broken, Invariants } from './invariants.ts';
import { Stage } from './stage.ts';
import type { Acknowledged, TrafficOptions } from './traffic.ts';
import { NAME, type Note, World } from './world.ts';

export interface Scenario {
  readonly name: string;
  readonly shards: number;
  readonly perShard: number;
  /** Further nodes, started empty and in no cluster. */
  readonly spares?: number;
  readonly traffic?: Partial<TrafficOptions>;
  readonly leadership?: 'lock' | 'lease';
  readonly lostAnswers?: number;
  readonly conf?: Readonly<Record<string, string>>;
  /** Nothing befalls a node: every read finds every write acknowledged before it, at any time. */
  readonly planned?: boolean;
  play(stage: Stage): Promise<void>;
}

export interface Outcome {
  readonly scenario: string;
  readonly seed: number;
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

const TRAFFIC: TrafficOptions = { clients: 4, keysPerClient: 6, pause: 150 };
/** A replica's link comes up within one retry pause of its server, which is 10 s after a refusal. */
const CONVERGES_WITHIN = 16_000;
/** From the last fault until every member carries the committed version and plays its role. */
const TOLD_AFTER_FAULTS = 5_000;
const CATCHES_UP_WITHIN = 5_000;
/** After a hand-over its source is told within this, if it can be. */
const TOLD_WITHIN = 5_000;
const LONGEST: Instant = 30 * 60_000;

/** `untilBroken`: ends the run at the first broken promise. */
export async function run(scenario: Scenario, seed: number, untilBroken = false): Promise<Outcome> {
  const world = new World({
    seed,
    nodes: scenario.shards * scenario.perShard + (scenario.spares ?? 0),
    traffic: { ...TRAFFIC, ...scenario.traffic },
    leadership: scenario.leadership ?? 'lock',
    conf: scenario.conf ?? {},
  });
  const invariants = new Invariants(world);
  const stage = new Stage(world, invariants, world.random.child('scenario'));
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
    world.lostAnswers = scenario.lostAnswers ?? 0;
    await scenario.play(stage);
    world.lostAnswers = 0;
    convergedAfter = await heal(stage);
    await world.traffic.stop();
    lost = judge(await world.traffic.missing(), stage, scenario);
    await stage.until(() => behind(world, invariants).length === 0, CATCHES_UP_WITHIN);
    for (const line of behind(world, invariants)) invariants.break('replicas catch up', line);
    for (const line of differences(world, invariants)) invariants.break('replicas are copies', line);
    for (const line of world.refusedByPromise) invariants.break('no decision breaks a promise', line);
    for (const line of world.exits) invariants.break('no node is crashed', line);
  };
  whole()
    .catch((error: unknown) => invariants.break('the run ends', stackOf(error)))
    .finally(() => {
      over = true;
    });
  try {
    const seen = () => untilBroken && invariants.broken.length > 0;
    await world.loop.run(() => over || world.loop.now > LONGEST || seen());
    if (!over && !seen()) invariants.break('the run ends', `not after ${LONGEST} ms`);
  } catch (error) {
    invariants.break('nothing throws', stackOf(error));
  }
  return {
    scenario: scenario.name,
    seed,
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

/** Every fault ends, and then the cluster has to come to rest, by itself or by what the status tells an operator. */
async function heal(stage: Stage): Promise<Duration | undefined> {
  const { world, invariants } = stage;
  world.note('all faults end');
  world.crashAtStep = undefined;
  world.network.healAll();
  for (const machine of world.machines) {
    stage.wake(machine);
    stage.start(machine);
  }
  world.controllerProcess?.wake();
  stage.startController();
  if (!(await world.led())) {
    invariants.break('convergence', 'no controller leads');
    return undefined;
  }
  if (invariants.cluster?.paused === true) await stage.resume();
  const healed = world.loop.now;
  await stage.until(() => untold(world, invariants).length === 0, TOLD_AFTER_FAULTS);
  const named = namedNodes(stage);
  for (const line of untold(world, invariants))
    if (!named.has(line.split(' ')[0] ?? '')) invariants.break('every member is told', line);
  const took = await stage.converged(CONVERGES_WITHIN - (world.loop.now - healed));
  if (took !== undefined) return world.loop.now - healed;
  for (let round = 0; round < 3; round++) {
    await help(stage);
    if ((await stage.converged(CONVERGES_WITHIN)) !== undefined) return undefined;
  }
  invariants.break('convergence', `${stage.unconverged().join(', ')}; reported: ${stage.problems().join(' ')}`);
  return undefined;
}

/** The nodes that a reported problem is about. */
function namedNodes(stage: Stage): ReadonlySet<string> {
  const { world, invariants } = stage;
  const plane = world.controller;
  const named = new Set<string>();
  if (plane === undefined || !plane.ready()) return named;
  const listed = invariants.cluster?.shards.flatMap(({ nodes }) => nodes) ?? [];
  for (const { node } of plane.status(NAME).problems) {
    const address = listed.find(({ id }) => id === node)?.address;
    const machine = address === undefined ? undefined : world.atAddress(address);
    if (machine !== undefined) named.add(machine.name);
  }
  return named;
}

/** Does what the reported problems ask for; a node that is not in order and not named by any is a broken promise. */
async function help(stage: Stage): Promise<void> {
  const { world, invariants } = stage;
  const plane = world.controller;
  if (plane === undefined) return;
  const { problems } = plane.status(NAME);
  for (const line of stage.unconverged()) world.note(`not in order: ${line}`);
  for (const { code, message } of problems) world.note(`reported: ${code}: ${message}`);
  if (problems.length === 0) invariants.break('what is wrong is told', stage.unconverged().join(', '));
  for (const { code, node, shard } of problems) {
    const listed = invariants.cluster?.shards.flatMap(({ nodes }) => nodes).find(({ id }) => id === node);
    const machine = listed === undefined ? undefined : world.atAddress(listed.address);
    if ((code === 'DIVERGED' || code === 'UNPROVEN') && machine !== undefined) {
      const owner = invariants.cluster?.shards.find((one) => one.id === shard)?.nodes.find((one) => one.master);
      const master = owner === undefined ? undefined : world.atAddress(owner.address);
      if (machine.core !== undefined && master?.core !== undefined) {
        const prefix = isPrefix(machine.core.database, master.core.database);
        const words = prefix === undefined ? 'nobody can tell' : prefix ? 'a copy of its past' : 'really diverged';
        world.note(`in truth ${machine.name} is ${words}`);
        world.count(`${code.toLowerCase()}: ${words}`);
      }
      stage.kill(machine);
      stage.wipe(machine);
      await stage.sleep(500);
      stage.start(machine);
    }
    if (code === 'MASTER_DOWN' || code === 'DATA_LOST') {
      const index = invariants.cluster?.shards.findIndex(({ id }) => id === shard) ?? -1;
      if (index >= 0) await stage.failover(index, undefined, true);
    }
  }
}

/** Breaks the promise for each acknowledged write that is gone and may not be; answers how many are gone and may. */
function judge(missing: readonly Acknowledged[], stage: Stage, scenario: Scenario): number {
  const { world, invariants } = stage;
  let permitted = 0;
  const forbidden: Acknowledged[] = [];
  for (const write of missing) {
    if (invariants.slotOnly.has(write.slot)) continue;
    const gone = stage.disasters.some(({ hosts, at }) => hosts.has(write.host) && write.at <= at);
    if (gone || mayBeLost(write, stage) || servedTwice(write, stage)) permitted++;
    else forbidden.push(write);
  }
  if (forbidden.length > 0) {
    const words = forbidden
      .slice(0, 5)
      .map(
        ({ key, value, at, host, sequence }) =>
          `${key}=${value} acknowledged at ${Math.round(at)} by ${world.at(host)?.name} at sequence ${sequence}`,
      );
    invariants.break('no acknowledged write is lost', `${forbidden.length}: ${words.join('; ')}`);
  }
  if (scenario.planned === true) {
    if (permitted > 0) invariants.break('no acknowledged write is lost', `${permitted} in a planned change`);
    const first = world.traffic.stale.find(({ write }) => !invariants.slotOnly.has(write.slot));
    if (first !== undefined) {
      const { write, at, host } = first;
      const words = `${write.key}=${write.value} of ${Math.round(write.at)} not read at ${Math.round(at)} from ${host}`;
      invariants.break('every read finds what was acknowledged', words);
    }
  }
  return permitted;
}

/**
 * A source that restarts after the success of its move and before it is told serves the slots beside the target: the
 * server keeps no mark of the move on disk, and nothing from outside can stop it sooner.
 */
function servedTwice(write: Acknowledged, stage: Stage): boolean {
  return stage.invariants.handOvers.some(({ host, range, startedAt, at }) => {
    if (host !== write.host || write.slot < range.from || range.to < write.slot) return false;
    const starts = stage.world.at(host)?.starts ?? [];
    return starts.some((start) => startedAt <= start && start <= write.at) && write.at <= at + TOLD_WITHIN;
  });
}

/** An unplanned failover of its shard, to a replica that had not got so far. */
function mayBeLost(write: Acknowledged, stage: Stage): boolean {
  const { world, invariants } = stage;
  return invariants.promotions.some((promotion) => {
    if (promotion.planned) return false;
    const shard = invariants.cluster?.shards.find(({ id }) => id === promotion.shard);
    const entry = shard?.lineage.find(({ version }) => version === promotion.version);
    if (shard === undefined || entry === undefined || write.sequence <= entry.sequence) return false;
    const node = shard.nodes.find(({ address }) => world.atAddress(address)?.host === write.host);
    return node !== undefined && (node.id === promotion.old || write.at <= promotion.at);
  });
}
