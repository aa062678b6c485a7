/** What scenarios of moves do alike. */
import type { SlotRange } from '../topology/slots.ts';
import type { Machine } from './machine.ts';
import type { SeenOperation } from './record-reading.ts';
import type { Stage } from './stage.ts';

/** A key takes half a second to be copied, and the job can be ended by telling its target. */
export const SLOW = { 'migrate-type': 'redis-command', 'migrate-speed': '2', 'migrate-pipeline-size': '1' } as const;

export const slowly = (): Readonly<Record<string, string>> => SLOW;

/** From now on it copies as fast as it can. */
export async function quicken(stage: Stage, source: Machine): Promise<void> {
  await stage.command(source, 'CONFIG', 'SET', 'migrate-speed', '0');
}

/** Slots around a key of a client. Throws where the shard has none. */
export function someSlots(stage: Stage, index: number, before = 5, behind = 5): SlotRange {
  const range = stage.rangeWithKeys(index, before, behind);
  if (range === undefined) throw new Error(`shard ${index} has no key of a client`);
  return range;
}

export const movesNow = (stage: Stage): readonly SeenOperation[] =>
  (stage.invariants.cluster?.operations ?? []).filter(({ kind }) => kind === 'move');

export const moveNow = (stage: Stage): SeenOperation | undefined => movesNow(stage)[0];

/** Waits until a move is in this phase; a failed expectation where none comes to it. */
export async function comesTo(stage: Stage, phase: string, within = 8_000): Promise<void> {
  const seen = await stage.until(() => movesNow(stage).some((move) => move.phase === phase), within);
  stage.expect(seen !== undefined, `no move came to ${phase} within ${within} ms`);
}

/** What its source says of its last job; asked without pause, so that the next thing can be done in the same moment. */
export async function says(
  stage: Stage,
  source: Machine,
  state: 'start' | 'success' | 'fail',
  within = 8_000,
): Promise<void> {
  const from = stage.now;
  const word = `migrating_state: ${state}`;
  while (source.core?.cluster.infoText().includes(word) !== true) {
    if (stage.now - from >= within) {
      stage.expect(false, `${source.name} never said ${state}`);
      return;
    }
    await stage.sleep(1);
  }
}

/** All moves are over, and the slots are where they should be. */
export async function allMoved(
  stage: Stage,
  ranges: readonly (readonly [SlotRange, number])[],
  within = 15_000,
): Promise<void> {
  const took = await stage.until(() => movesNow(stage).every(({ phase }) => phase === 'failed'), within);
  stage.expect(took !== undefined, `moves are still under way after ${within} ms`);
  for (const [range, target] of ranges)
    stage.expect(owns(stage, target, range), `${range.from}-${range.to} is not at shard ${target}`);
}

export const owns = (stage: Stage, index: number, range: SlotRange): boolean =>
  stage.shard(index).slots.some(({ from, to }) => from <= range.from && range.to <= to);
