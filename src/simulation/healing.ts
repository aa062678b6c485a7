/** The end of a run: every fault ends, and the cluster has to come to rest, by itself or by what its status asks for. */
import type { Duration } from '../runtime/runtime.ts';
import { isPrefix, untold } from './convergence.ts';
import type { Machine } from './machine.ts';
import type { Stage } from './stage.ts';
import { NAME, type World } from './world.ts';

/** A replica's link comes up within one retry pause of its server, which is 10 s after a refusal. */
const CONVERGES_WITHIN = 16_000;
/** From the last fault until every member carries the committed version and plays its role. */
const TOLD_AFTER_FAULTS = 5_000;

/** How long it took by itself; undefined: an operator had to help. */
export async function heal(stage: Stage): Promise<Duration | undefined> {
  const { world, invariants } = stage;
  world.note('all faults end');
  world.over = true;
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

/**
 * The nodes that a reported problem is about; where a shard's data is lost, all of that shard; and those inside a SETNODES,
 * which may sit out a retry pause of ten seconds there.
 */
function namedNodes(stage: Stage): ReadonlySet<string> {
  const { world, invariants } = stage;
  const plane = world.controller;
  const named = new Set<string>();
  if (plane === undefined) return named;
  const { problems, shards } = plane.status(NAME);
  for (const { addr, state } of shards.flatMap(({ nodes }) => nodes)) {
    const machine = state === 'busy' ? world.atAddress(addr) : undefined;
    if (machine !== undefined) named.add(machine.name);
  }
  for (const { code, node, shard } of problems) {
    for (const listed of invariants.cluster?.shards ?? []) {
      for (const { id, address } of listed.nodes) {
        if (id !== node && !(code === 'DATA_LOST' && listed.id === shard)) continue;
        const machine = world.atAddress(address);
        if (machine !== undefined) named.add(machine.name);
      }
    }
  }
  return named;
}

/** Does what the reported problems ask for; where nothing is reported though something is wrong, a promise is broken. */
async function help(stage: Stage): Promise<void> {
  const { world, invariants } = stage;
  const { problems } = world.controller?.status(NAME) ?? { problems: [] };
  for (const line of stage.unconverged()) world.note(`not in order: ${line}`);
  const { plans, moves } = world.controller?.moves(NAME) ?? { plans: [], moves: [] };
  for (const { id, phase, waiting_for } of [...plans.flatMap((plan) => plan.moves), ...moves])
    if (phase !== 'failed') world.note(`move ${id} is ${phase} and waits until ${waiting_for}`);
  for (const { code, message, command } of problems)
    world.note(`reported: ${code}: ${message}; ${command ?? 'no command'}`);
  if (problems.length === 0) invariants.break('what is wrong is told', stage.unconverged().join(', '));
  for (const { code, node, shard, command } of problems) {
    const members = invariants.cluster?.shards.find(({ id }) => id === shard)?.nodes ?? [];
    const machine = at(world, members.find(({ id }) => id === node)?.address);
    const master = at(world, members.find((one) => one.master)?.address);
    if ((code === 'DIVERGED' || code === 'UNPROVEN') && machine?.core !== undefined && master?.core !== undefined) {
      const prefix = isPrefix(machine.core.database, master.core.database);
      const words = prefix === undefined ? 'nobody can tell' : prefix ? 'a copy of its past' : 'really diverged';
      world.note(`in truth ${machine.name} is ${words}`);
      world.count('finding', `${code}, ${words}`);
    } else world.count('finding', code);
    if (command !== null) await carryOut(stage, command);
  }
}

const at = (world: World, address: string | undefined): Machine | undefined =>
  address === undefined ? undefined : world.atAddress(address);

/** A command line as a problem names it, carried out as kvctl would. */
async function carryOut(stage: Stage, command: string): Promise<void> {
  const words = command.split(' ');
  const force = words.includes('--force');
  const [, first, second, third = ''] = words;
  if (first === 'failover') await stage.failover(Number(third), undefined, force);
  else if (first === 'sync') await stage.overwrite();
  else if (first === 'move' && second === 'settle')
    await stage.changeMoves({ do: 'settle', move: third, owner: words.includes('target') ? 'target' : 'source' });
  else if (first === 'move' && second === 'retry') await stage.changeMoves({ do: 'retry', which: { move: third } });
  else if (first === 'resume') await stage.resume();
  else if (first === 'node' && second === 'readmit' && words.includes('--empty')) await stage.acceptEmpty(third);
  else if (first === 'node' && second === 'readmit') await stage.readmit(third, force);
  else stage.world.note(`nobody here can carry out ${command}`);
}
