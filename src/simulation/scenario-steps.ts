/** What several scenarios do alike. */
import type { Stage } from './stage.ts';

export const one = { shards: 1, perShard: 2 } as const;
export const two = { shards: 2, perShard: 2 } as const;

/** Waits for a failover of the first shard; its new master must be another node. */
export async function failsOver(stage: Stage, within: number, what: string): Promise<void> {
  const before = stage.shard(0).master;
  const took = await stage.until(() => stage.shard(0).master !== before, within);
  stage.expect(took !== undefined, `${what}: nobody was promoted within ${within} ms`);
}

export function neverFailsOver(stage: Stage): void {
  stage.expect(stage.invariants.promotions.length === 0, 'a failover, and none was due');
}

/** Steps of one act: after how many of them the controller dies is drawn, so many seeds see them all. */
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
