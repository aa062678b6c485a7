/**
 * Is this master dead? Judged by observers, not by a long timer: our own connection, new attempts, what each of its
 * replicas says, and what the other controllers see.
 *
 *   what we see of it               its replicas             verdict
 *   never asked; answers; LOADING;  whatever they say        alive: what is wrong with it is told, and is no death
 *     a wrong password; says slave
 *   answers below what it had       whatever they say        lost-data, at once
 *   no answer, inside a SETNODES    whatever they say        suspect for its grace, and then as any other silence
 *   refused, closed at once, or     one still hears it       suspect, however long it lasts
 *     another node answers there    one has lost it          crash, 0.6 s after the break, by a fresh attempt
 *   silent, or answers nonsense     one still hears it       suspect, however long it lasts
 *                                   one has lost it, or has  hang, after the tolerance, by two connections
 *                                     not heard it for 4 s
 *   either                          nobody can say           no-witness, after the hold
 *                                   there is none            suspect, however long it lasts
 *
 * Every death but lost-data, which the master says itself, waits until most of the controllers that answer miss it too.
 */

import type { Instant } from '../runtime/runtime.ts';
import { newestEntry, replicasOf, type Shard } from '../topology/cluster.ts';
import type { Sequence } from '../topology/ids.ts';
import { standingProof } from './seen.ts';
import { breakOf, witnesses } from './witness.ts';
import { DETECTION, type NodeView, type World } from './world.ts';

export type Verdict =
  | { readonly kind: 'alive' }
  /** Something is missing; asked more often and told, but not acted on. */
  | {
      readonly kind: 'suspect';
      readonly because: string;
      readonly waitingFor: string;
      readonly until?: Instant;
      /** A replica says that it hears the master. */
      readonly heard: boolean;
    }
  | {
      readonly kind: 'dead';
      readonly how: 'crash' | 'hang' | 'lost-data' | 'no-witness';
      readonly because: string;
      readonly brokeAt: Instant;
    };

/**
 * What this master must have reached: its own highest number, and what a replica that is proven to follow it had told
 * before it was asked. A master may write for nearly a probe interval that nobody saw, and return empty.
 */
function owed(world: World, shard: Shard, master: NodeView): Sequence {
  // By its own id it is seen to fall as it happens; a number that came with a push may be older than one of a probe.
  let least = master.myId === master.id ? 0 : master.highest;
  for (const node of replicasOf(shard)) {
    const view = world.view(node.id);
    if (node.membership === 'away' || node.attaching !== null) continue;
    if (
      standingProof(world, node)?.entry !== newestEntry(shard).version ||
      view?.says !== 'slave' ||
      view.link === 'sync'
    )
      continue;
    // Without its link it gets nothing more: all that it has came from the master before.
    const toldAt = view.linkDownAt ?? view.answeredAt;
    if (view.sequence !== null && toldAt <= master.askedAt) least = Math.max(least, view.sequence);
  }
  return least;
}

/**
 * It answers, or did, without what it must have reached, or without the identity and the data that it had: it is no
 * longer this master, whatever it writes from now on. A fresh one that has no id yet has nothing to lose.
 */
export function lostData(world: World, shard: Shard): boolean {
  if (shard.dataLost !== null) return true;
  const master = world.view(shard.master);
  if (master?.state !== 'up' || master.sequence === null) return false;
  if (master.fell !== null) return true;
  if (master.says !== 'master') return false;
  const wroteAsMaster = Math.max(shard.floor, master.highest) > newestEntry(shard).sequence;
  return (
    master.sequence < owed(world, shard, master) ||
    (master.myId === '' && master.sequence !== master.highest && wroteAsMaster)
  );
}

/** What it had reached and does not have any more. */
export function lostFrom(world: World, shard: Shard): Sequence {
  const master = world.view(shard.master);
  if (shard.dataLost !== null || master === undefined) return shard.dataLost ?? 0;
  return master.fell?.from ?? owed(world, shard, master);
}

function dataLost(world: World, shard: Shard, master: NodeView): Verdict {
  const had = lostFrom(world, shard);
  const now =
    master.state === 'up' ? `it answers at sequence ${master.sequence}` : 'it came back once without its data';
  return {
    kind: 'dead',
    how: 'lost-data',
    because:
      shard.dataLost === null
        ? `${now}, below the ${had} that it had reached`
        : `it lost the ${had} records that it had reached`,
    brokeAt: master.fell?.at ?? master.since,
  };
}

/** What our own attempts still lack to call it gone; undefined when they say so. */
function missedByUs(
  world: World,
  master: NodeView,
  brokeAt: Instant,
): { waitingFor: string; until?: Instant } | undefined {
  if (master.state === 'refused' || master.state === 'wrong-id') {
    const until = brokeAt + DETECTION.decideAfter;
    if (world.now < until) return { waitingFor: 'it may be restarting', until };
    return master.failedAskedAt < Math.max(world.now - DETECTION.fresh, world.trustFrom)
      ? { waitingFor: 'a fresh attempt to connect' }
      : undefined;
  }
  const graceEnds = (master.busySince ?? Number.NEGATIVE_INFINITY) + DETECTION.graceMaster;
  if (world.now < graceEnds) return { waitingFor: 'the end of its grace inside a SETNODES', until: graceEnds };
  const hangsAt = Math.max(master.answeredAt, world.trustFrom, world.watchingSince) + world.policy.tolerance;
  if (world.now < hangsAt) return { waitingFor: 'the tolerance', until: hangsAt };
  return master.timeouts < 2 ? { waitingFor: 'a second connection to time out' } : undefined;
}

/** What the other controllers still lack to agree; absent answers do not count. */
function missedByOthers(
  world: World,
  shard: Shard,
  master: NodeView,
  brokeAt: Instant,
): { because?: string; waitingFor: string; until?: Instant } | undefined {
  const { alive, gone, outstanding } = world.peers(shard.id);
  const until = Math.min((master.brokeAt ?? brokeAt) + DETECTION.peersWithin, brokeAt + DETECTION.decideBy);
  if (outstanding > 0 && world.now < until) return { waitingFor: 'what the other controllers see', until };
  const all = 1 + alive + gone;
  if (2 * (1 + gone) > all) return undefined;
  return { because: `${alive} of ${all} controllers still reach it`, waitingFor: 'most of them to miss it' };
}

const WORDS: Partial<Record<NodeView['state'], string>> = {
  refused: 'it refuses connections',
  'wrong-id': 'another node answers at its address',
  garbled: 'its answers make no sense',
};

/**
 * Whether the shard's master is alive, suspected or dead, from answers to questions sent after the break. A crash is
 * decided 0.6 s after it: a promotion that is sent by 0.95 s takes writes no later than one sent at once, since Kvrocks
 * itself waits for the full second.
 */
export function judgeMaster(world: World, shard: Shard): Verdict {
  const master = world.view(shard.master);
  if (master === undefined || master.state === 'unknown') return { kind: 'alive' };
  if (lostData(world, shard)) return dataLost(world, shard, master);
  const brokeAt = breakOf(world, shard);
  if (brokeAt === null) return { kind: 'alive' };
  const what = WORDS[master.state] ?? 'it does not answer';
  const suspect = (waiting: { because?: string; waitingFor: string; until?: Instant }, heard = false): Verdict => ({
    kind: 'suspect',
    because: what,
    ...waiting,
    heard,
  });
  const said = [...witnesses(world, shard).values()];
  if (said.length === 0) return suspect({ waitingFor: 'it has no replica' });
  if (said.includes('against'))
    return suspect({ because: `${what} from here`, waitingFor: 'a replica still hears it' }, true);
  const witnessed = said.includes('for');
  // From our own first attempt: a controller that has just started knows of no break before it.
  const heldUntil = Math.max(brokeAt, master.firstAskedAt, world.watchingSince) + world.policy.noWitnessHold;
  if (!witnessed && world.now < heldUntil)
    return suspect({ waitingFor: 'no replica can witness it', until: heldUntil });
  const waiting = missedByUs(world, master, brokeAt) ?? missedByOthers(world, shard, master, brokeAt);
  if (waiting !== undefined) return suspect(waiting);
  const dead = (how: 'crash' | 'hang' | 'no-witness', because: string): Verdict => ({
    kind: 'dead',
    how,
    because,
    brokeAt,
  });
  const silence = Math.round(world.now - Math.max(master.answeredAt, world.trustFrom, world.watchingSince));
  if (!witnessed) return dead('no-witness', `${what}, and no replica could say how it ended`);
  if (master.state === 'refused' || master.state === 'wrong-id')
    return dead('crash', `${what}, and its replicas have lost it`);
  return dead('hang', `no answer for ${silence} ms, nor to its replicas`);
}
