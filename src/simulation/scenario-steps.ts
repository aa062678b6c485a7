/** What several scenarios do alike. */
import { keyInSlot } from './keys.ts';
import type { Machine } from './machine.ts';
import type { Stage } from './stage.ts';

export const one = { shards: 1, perShard: 2 } as const;
export const two = { shards: 2, perShard: 2 } as const;
export const three = { shards: 1, perShard: 3 } as const;

/** Waits for a failover of a shard, the first by default; its new master must be another node. */
export async function failsOver(stage: Stage, within: number, what: string, index = 0): Promise<void> {
  const before = stage.shard(index).master;
  const took = await stage.until(() => stage.shard(index).master !== before, within);
  stage.expect(took !== undefined, `${what}: nobody was promoted within ${within} ms`);
}

export function neverFailsOver(stage: Stage): void {
  stage.expect(stage.invariants.promotions.length === 0, 'a failover, and none was due');
}

/** From its next start on its master refuses its password: its link stays down, and it waits 10 s after each refusal. */
export async function mistakePassword(stage: Stage, replica: Machine): Promise<void> {
  await stage.command(replica, 'CONFIG', 'SET', 'masterauth', 'wrong');
  await stage.command(replica, 'CONFIG', 'REWRITE');
  stage.kill(replica);
  await stage.sleep(200);
  stage.start(replica);
}

/** A problem that the status names; it may take a moment to be seen. */
export async function isTold(stage: Stage, what: string, code?: string, within = 3_000): Promise<void> {
  const told = () => (code === undefined ? stage.problems().length > 0 : stage.problems().includes(code));
  const took = await stage.until(told, within);
  stage.expect(took !== undefined, `${what} was not reported: ${stage.problems().join(' ') || 'nothing was'}`);
}

/** Kills the master of a shard, waits for its successor and, with `rest`, a while longer; answers who it was. */
export async function replaceMaster(stage: Stage, rest: number, index = 0): Promise<Machine> {
  const old = stage.master(index);
  stage.kill(old);
  await failsOver(stage, 1_500, 'killed', index);
  await stage.sleep(rest);
  return old;
}

/** It is linked to its shard's master within the retry pause of its server, and stays for a while. */
export async function followsAgain(stage: Stage, machine: Machine): Promise<void> {
  const back = await stage.until(() => machine.core?.replication?.linkUp === true, 16_000);
  stage.expect(back !== undefined, `${machine.name} is not back: ${stage.unconverged().join(', ')}`);
  await stage.sleep(2_000);
}

/** Steps of one act: after how many of them a controller dies is drawn, so many seeds see them all. */
export async function dyingController(stage: Stage, steps: number, act: () => Promise<unknown>): Promise<void> {
  stage.crashAfterSteps(1 + Math.floor(stage.between(0, steps)), stage.between(100, 3_000));
  await act();
  await stage.sleep(stage.between(4_000, 8_000));
}

/** A move of the first shard whose success the controller does not hear before its source is done. */
export async function afterSuccess(stage: Stage, source: ReturnType<Stage['master']>): Promise<void> {
  stage.loseAnswer(source, 'MIGRATE');
  await stage.migrate(1, [{ from: 0, to: 2_000 }]);
  const ended = await stage.until(
    () => source.core?.cluster.infoText().includes('migrating_state: success') === true,
    8_000,
  );
  stage.expect(ended !== undefined, 'the move never ended at its source');
}

/** Writes to one node by hand, at this pace, whatever the topology says, until it takes none any more; how many it took. */
export async function writeByHand(
  stage: Stage,
  machine: Machine,
  index: number,
  most: number,
  what = 'by hand',
): Promise<number> {
  const slot = stage.shard(index).slots[0]?.from ?? 0;
  let taken = 0;
  for (let i = 0; i < most; i++) {
    const reply = await stage.world.console.ask(machine.address, ['SADD', keyInSlot(slot), `${what} ${i}`]);
    if (reply?.kind !== 'integer') break;
    taken++;
  }
  stage.world.note(`${machine.name} took ${taken} writes by hand`);
  return taken;
}
