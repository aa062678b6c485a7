/**
 * Is this master dead? Judged by observers, not by a long timer: our own connection, new attempts, and what each of
 * its replicas says. A replica that still hears the master is against, and against wins.
 */
import type { Instant } from '../runtime/runtime.ts';
import { newestEntry, replicasOf, type Shard } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { namedReplicas } from '../topology/text.ts';
import { DETECTION, type NodeView, type World } from './world.ts';

export type Verdict =
  | { readonly kind: 'alive' }
  /** Something is missing; asked more often and told, but not acted on. */
  | { readonly kind: 'suspect'; readonly because: string; readonly waitingFor: string; readonly until?: Instant }
  | {
      readonly kind: 'dead';
      readonly how: 'crash' | 'hang' | 'lost-data';
      readonly because: string;
      readonly brokeAt: Instant;
    };

export type Witness = 'for' | 'against' | 'silent' | 'none';

/** A replica is a witness only if its link was seen up shortly before the break, and by what it was asked since. */
function witnessOf(replica: NodeView | undefined, brokeAt: Instant, { trustFrom, now }: World): Witness {
  if (replica === undefined || replica.linkUpAt < brokeAt - DETECTION.witnessWithin) return 'none';
  if (replica.askedAt < brokeAt || replica.askedAt < trustFrom || replica.state !== 'up') return 'silent';
  // A full sync is a master's answer that has not come to its end: it says neither.
  if (replica.says !== 'slave' || replica.link === 'sync') return 'none';
  if (replica.link === 'up' && (replica.silence ?? 0) < DETECTION.witnessSilence) return 'against';
  // Against holds until it is taken back; for only while it is fresh, since the act follows at once.
  return replica.askedAt < now - DETECTION.fresh ? 'silent' : 'for';
}

/** What each named replica says of its master's end, for the record; empty while the master answers. */
export function witnesses(world: World, shard: Shard): ReadonlyMap<NodeId, Witness> {
  const master = world.view(shard.master);
  const named = namedReplicas(shard).map(({ id }) => ({ id, view: world.view(id) }));
  const views = named.map(({ view }) => view);
  const brokeAt = master === undefined ? null : breakOf(master, views);
  if (brokeAt === null) return new Map();
  return new Map(named.map(({ id, view }) => [id, witnessOf(view, brokeAt, world)]));
}

/** The earlier of the end of our connection and a replica's first word that its link is down. */
function breakOf(master: NodeView, replicas: readonly (NodeView | undefined)[]): Instant | null {
  let at = master.brokeAt;
  if (at === null) return null;
  for (const replica of replicas) {
    if (replica?.linkDownAt != null && replica.linkDownAt > at - 2_000) at = Math.min(at, replica.linkDownAt);
  }
  return at;
}

/**
 * What this master must have reached: its own highest number, and what a replica that is proven to follow it had told
 * before it was asked. A master may write for nearly a probe interval that nobody saw, and return empty.
 */
function owed(world: World, shard: Shard, master: NodeView): Sequence {
  let least = master.highest;
  for (const node of replicasOf(shard)) {
    const view = world.view(node.id);
    if (node.membership === 'away' || node.attaching !== null) continue;
    if (node.proof?.entry !== newestEntry(shard).version || view?.says !== 'slave' || view.link === 'sync') continue;
    // Without its link it gets nothing more: all that it has came from the master before.
    const toldAt = view.linkDownAt ?? view.answeredAt;
    if (view.sequence !== null && toldAt <= master.askedAt) least = Math.max(least, view.sequence);
  }
  return least;
}

/** Below what it must have reached, or without the identity and data that it had: alive, and no longer this master. */
export function lostData(world: World, shard: Shard): boolean {
  const master = world.view(shard.master);
  return (
    master?.state === 'up' &&
    master.says === 'master' &&
    master.sequence !== null &&
    (master.sequence < owed(world, shard, master) || (master.myId === '' && master.sequence !== master.highest))
  );
}

/**
 * Whether the shard's master is alive, suspected or dead, from answers to questions sent after the break. A crash is
 * decided 0.6 s after it: a promotion that is sent by 0.95 s takes writes no later than one sent at once, since Kvrocks
 * itself waits for the full second. A hang takes the tolerance.
 */
export function judgeMaster(world: World, shard: Shard): Verdict {
  const master = world.view(shard.master);
  if (master === undefined || master.state === 'unknown') return { kind: 'alive' };
  if (lostData(world, shard)) {
    return {
      kind: 'dead',
      how: 'lost-data',
      because: `it answers at sequence ${master.sequence}, below the ${owed(world, shard, master)} that it had reached`,
      brokeAt: master.since,
    };
  }
  if (master.brokeAt === null) return { kind: 'alive' };
  const replicas = namedReplicas(shard).map((node) => world.view(node.id));
  const brokeAt = breakOf(master, replicas) ?? master.brokeAt;
  if (master.busySince !== null) {
    const graceEnds = master.busySince + DETECTION.graceMaster;
    if (world.now < graceEnds) {
      return {
        kind: 'suspect',
        because: 'it is inside a SETNODES',
        waitingFor: 'the end of its grace',
        until: graceEnds,
      };
    }
  }
  const witnesses = replicas.map((replica) => witnessOf(replica, brokeAt, world));
  const against = witnesses.includes('against');
  const proved = witnesses.includes('for');
  const crashed = master.state === 'refused';
  const what = crashed ? 'it refuses connections' : 'it does not answer';
  if (against) return { kind: 'suspect', because: `${what} from here`, waitingFor: 'a replica still hears it' };
  if (!proved) {
    const why = replicas.length === 0 ? 'it has no replica' : 'no replica can witness it';
    return { kind: 'suspect', because: what, waitingFor: why };
  }
  if (crashed) {
    if (world.now < brokeAt + DETECTION.decideAfter) {
      const until = brokeAt + DETECTION.decideAfter;
      return { kind: 'suspect', because: what, waitingFor: 'it may be restarting', until };
    }
    if (master.failedAskedAt < world.now - DETECTION.fresh || master.failedAskedAt < world.trustFrom) {
      return { kind: 'suspect', because: what, waitingFor: 'a fresh attempt to connect' };
    }
    return { kind: 'dead', how: 'crash', because: `${what}, and its replicas have lost it`, brokeAt };
  }
  const silentSince = Math.max(master.answeredAt, world.trustFrom);
  const hangsAt = silentSince + world.policy.tolerance;
  if (world.now < hangsAt) return { kind: 'suspect', because: what, waitingFor: 'the tolerance', until: hangsAt };
  if (master.timeouts < 2) return { kind: 'suspect', because: what, waitingFor: 'a second connection to time out' };
  return {
    kind: 'dead',
    how: 'hang',
    because: `no answer for ${Math.round(world.now - silentSince)} ms, nor to its replicas`,
    brokeAt,
  };
}
