/** The end of a run: every fault ends, and the cluster has to come to rest, by itself or by what its status asks for. */
import type { Duration } from '../runtime/runtime.ts';
import { isPrefix, untold } from './convergence.ts';
import type { Stage } from './stage.ts';
import { NAME } from './world.ts';

/** A replica's link comes up within one retry pause of its server, which is 10 s after a refusal. */
const CONVERGES_WITHIN = 16_000;
/** From the last fault until every member carries the committed version and plays its role. */
const TOLD_AFTER_FAULTS = 5_000;

/** How long it took by itself; undefined: an operator had to help. */
export async function heal(stage: Stage): Promise<Duration | undefined> {
  const { world, invariants } = stage;
  world.note('all faults end');
  world.crashAtStep = undefined;
  world.network.healAll();
  Object.assign(world.storeFaults, { slowBy: 0, commitsBy: 0, answersBy: 0, lostAnswers: 0 });
  world.server.refusing = undefined;
  for (const machine of world.machines) {
    machine.mend();
    stage.wake(machine);
    stage.start(machine);
  }
  for (const controller of world.controllers) {
    controller.reach = 'up';
    stage.wakeController(controller);
  }
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
  if (plane === undefined) return named;
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
        world.count('finding', `${code}, ${words}`);
      }
      stage.kill(machine);
      stage.wipe(machine);
      await stage.sleep(500);
      stage.start(machine);
    }
    if (code === 'TOPOLOGY_NEWER') await stage.overwrite();
    if (code === 'MASTER_DOWN' || code === 'DATA_LOST') {
      const index = invariants.cluster?.shards.findIndex(({ id }) => id === shard) ?? -1;
      if (index >= 0) await stage.failover(index, undefined, true);
    }
  }
}
