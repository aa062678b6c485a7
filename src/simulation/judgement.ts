/** Which acknowledged writes may be gone at the end of a run, and which may not. */
import type { SlotRange } from '../topology/slots.ts';
import type { Stage } from './stage.ts';
import type { Acknowledged } from './traffic.ts';

/** After a hand-over its source is told within this, if it can be. */
const TOLD_WITHIN = 5_000;
/** What was told before a promotion may come out a little behind it. */
const IN_FLIGHT = 500;

/** Breaks the promise for each acknowledged write that is gone and may not be; answers how many are gone and may. */
export function judge(missing: readonly Acknowledged[], stage: Stage, planned: boolean): number {
  const { world, invariants } = stage;
  let permitted = 0;
  const forbidden: Acknowledged[] = [];
  const copiedOver: Acknowledged[] = [];
  for (const write of missing) {
    if (invariants.slotOnly.has(write.slot)) continue;
    const gone = stage.disasters.some((took) => took(write));
    const lawful = mayBeLost(write, stage) || byAnOldMaster(write, stage) || byTheOverwritten(write, stage);
    const moved = diedWithItsTarget(write, stage) || outOfSight(write, stage);
    if (gone || lawful || moved || servedTwice(write, stage)) permitted++;
    else forbidden.push(write);
    if (!gone && !moved && !servedTwice(write, stage) && !isKept(write, stage)) copiedOver.push(write);
  }
  const wordsOf = (writes: readonly Acknowledged[]) => {
    const some = writes.slice(0, 5).map(({ key, value, at, host, sequence }) => {
      return `${key}=${value} acknowledged at ${Math.round(at)} by ${world.at(host)?.name} at sequence ${sequence}`;
    });
    return `${writes.length}: ${some.join('; ')}`;
  };
  if (forbidden.length > 0) invariants.break('no acknowledged write is lost', wordsOf(forbidden));
  else if (copiedOver.length > 0) invariants.break('what is copied over is saved first', wordsOf(copiedOver));
  if (planned) {
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
    if (host !== write.host || !isIn(write, range)) return false;
    const starts = stage.world.at(host)?.starts ?? [];
    return starts.some((start) => startedAt <= start && start <= write.at) && write.at <= at + TOLD_WITHIN;
  });
}

const isIn = ({ slot }: Acknowledged, range: SlotRange): boolean => range.from <= slot && slot <= range.to;

/**
 * Moved to a master that died before any of its replicas had it, though its source was rightly told, and has deleted its
 * copy: the target had answered a second after it knew. While it is not told the source keeps what it had.
 */
function diedWithItsTarget(write: Acknowledged, stage: Stage): boolean {
  const { handOvers, promotions, cluster, commands } = stage.invariants;
  return handOvers.some(({ host, range, target, goal, startedAt, at }) => {
    if (!isIn(write, range) || write.at > at + TOLD_WITHIN) return false;
    const deleted = commands.moves.deleted.find(
      (one) => one.host === host && one.target === target && one.at >= at && isIn(write, one.range),
    );
    return promotions.some((promotion) => {
      if (promotion.planned || promotion.shard !== target || promotion.at < startedAt) return false;
      if (deleted === undefined || deleted.at > promotion.at + IN_FLIGHT) return false;
      const shard = cluster?.shards.find(({ id }) => id === target);
      const entry = shard?.lineage.find(({ version }) => version === promotion.version);
      return entry !== undefined && !(entry.sequence >= goal);
    });
  });
}

/** In a piece of which nobody will ever know whose it was when its masters died. */
const outOfSight = (write: Acknowledged, stage: Stage): boolean =>
  stage.invariants.commands.moves.lostSight.some(
    ({ host, range, from, until }) =>
      host === write.host && isIn(write, range) && from <= write.at && write.at <= until,
  );

/** An unplanned failover of its shard, to a replica that had not got so far. */
function mayBeLost({ host, sequence, at }: Acknowledged, stage: Stage): boolean {
  const { invariants } = stage;
  return invariants.promotions.some(({ planned, shard: id, version, old, at: promotedAt }) => {
    if (planned) return false;
    const shard = invariants.cluster?.shards.find((one) => one.id === id);
    const entry = shard?.lineage.find((one) => one.version === version);
    if (entry === undefined || sequence <= entry.sequence) return false;
    if (invariants.members.has(`${id} ${host} ${old}`)) return true;
    return at <= promotedAt && [...invariants.members].some((member) => member.startsWith(`${id} ${host} `));
  });
}

/**
 * Taken by a master after an unplanned failover had replaced it, or after a planned one if an older disk has made it
 * master again: nothing can keep it from that before it is told.
 */
function byAnOldMaster({ host, at }: Acknowledged, stage: Stage): boolean {
  const { promotions, members } = stage.invariants;
  const is = (shard: string, id: string) => members.has(`${shard} ${host} ${id}`);
  const last = promotions.findLast(
    (promotion) => promotion.at < at && (is(promotion.shard, promotion.old) || is(promotion.shard, promotion.master)),
  );
  if (last === undefined || !is(last.shard, last.old)) return false;
  return !last.planned || stage.revivals.some((one) => one.host === host && last.at < one.at && one.at <= at);
}

/** Taken by a master that an operator's overwrite was just unseating, on the word of an older store. */
function byTheOverwritten({ at }: Acknowledged, stage: Stage): boolean {
  return stage.overwrites.some((instant) => Math.abs(at - instant) <= TOLD_WITHIN);
}

/** It is still on the node that took it, or in a file of what that node alone held, unless that node's disk was lost. */
function isKept(write: Acknowledged, stage: Stage): boolean {
  const machine = stage.world.at(write.host);
  if (machine === undefined || machine.erased) return true;
  const held = machine.core?.database.dump(write.key, stage.world.server.runtime.clock.wall()) ?? [];
  if (held.some((effect) => effect.includes(String(write.value)))) return true;
  const command = JSON.stringify(['SADD', write.key, String(write.value)]);
  return stage.world.controllers.some(({ shelf }) => [...shelf.files.values()].some((text) => text.includes(command)));
}
