/**
 * Is this master dead? Judged by observers, not by a long timer: our own connection, new attempts, and what each of
 * its replicas says. A replica that still hears the master is against, and against wins.
 */
import type { Instant } from '../runtime/runtime.ts';
import type { Shard } from '../topology/cluster.ts';
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

type Witness = 'for' | 'against' | 'silent' | 'none';

/** A replica is a witness only if its link was seen up shortly before the break, and by what it was asked since. */
function witnessOf(replica: NodeView | undefined, brokeAt: Instant, trustFrom: Instant): Witness {
  if (replica === undefined || replica.linkUpAt < brokeAt - DETECTION.witnessWithin) return 'none';
  if (replica.askedAt < brokeAt || replica.askedAt < trustFrom || replica.state !== 'up') return 'silent';
  if (replica.says !== 'slave') return 'none';
  if (replica.link === 'up') {
    return replica.silence !== null && replica.silence >= DETECTION.witnessSilence ? 'for' : 'against';
  }
  return 'for';
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

/** Below its own highest number, or without the identity and data that it had: alive, and no longer this master. */
export function lostData(master: NodeView): boolean {
  return (
    master.state === 'up' &&
    master.says === 'master' &&
    master.sequence !== null &&
    (master.sequence < master.highest || (master.myId === '' && master.sequence !== master.highest))
  );
}

/** `brokenSince` remembers a break that ended in the master's coming back without its data; null otherwise. */
export function judgeMaster(world: World, shard: Shard): Verdict {
  const master = world.view(shard.master);
  if (master === undefined || master.state === 'unknown') return { kind: 'alive' };
  if (lostData(master)) {
    return {
      kind: 'dead',
      how: 'lost-data',
      because: `it answers at sequence ${master.sequence}, below the ${master.highest} it was seen at`,
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
  const witnesses = replicas.map((replica) => witnessOf(replica, brokeAt, world.trustFrom));
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
