/**
 * A failover that a caller asks for: a switchover without loss where the master answers, tried again where it was
 * taken back, and a promotion on the caller's word where the master does not answer.
 */
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import { switchoverOf } from '../operations/intended.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import type { Node } from '../topology/cluster.ts';
import * as changes from './changes.ts';
import { type MayLose, type Promoted, type ShardRef, WAIT_FOR_NODES, type WriteOptions } from './control-plane.ts';
import { mayLose } from './failover-plan.ts';
import { legible } from './legible.ts';
import { Refusal } from './refusal.ts';
import type { Supervisor } from './supervisor.ts';

/** A switchover takes a second at most to end either way, and is tried again up to this often. */
const SWITCHOVER_TRIES = 3;
const SWITCHOVER_BOUND = 8_000;

/** `newId` names a new operation. */
export async function failOver(
  runtime: Runtime,
  supervisor: Supervisor,
  ref: ShardRef,
  preferred: string | undefined,
  options: WriteOptions,
  newId: () => string,
): Promise<Promoted> {
  const { shard } = changes.findShard(supervisor.intended.cluster, ref);
  const byId = { id: shard.id };
  if (!changes.masterAnswers(supervisor.world(), shard)) {
    let lost: MayLose | null = null;
    const { cluster } = await supervisor.submit((world) => {
      const before = changes.findShard(world.intended.cluster, byId).shard;
      const { caller, force } = options;
      const proposal = changes.failOverDeadMaster(world, byId, preferred, force === true, caller.name);
      lost = mayLose(world, before, changes.findShard(proposal.next.cluster, byId).shard.master);
      return proposal;
    });
    await supervisor.nodesKnow(options.wait ?? WAIT_FOR_NODES);
    return { master: changes.findShard(cluster, byId).shard.master, mayLose: lost };
  }
  // What was committed a moment ago is on its way to them.
  await supervisor.until((world) => changes.shardKnows(world, byId), options.wait ?? WAIT_FOR_NODES);
  let because = '';
  for (let attempt = 0; attempt < SWITCHOVER_TRIES; attempt++) {
    let to: Node;
    try {
      to = await readyCandidate(runtime, supervisor, byId, preferred);
    } catch (error) {
      // A node that failed during the action is not the caller's to mend first: the action was rolled back.
      throw attempt === 0 ? error : takenBack(attempt, because);
    }
    const id = newId();
    await supervisor.submit((world) => changes.beginSwitchover(world, byId, to.id, id, options.caller.name));
    let restored = false;
    const ended = await supervisor.until(({ intended }) => {
      const open = switchoverOf(intended);
      if (open?.id === id && open.phase === 'restoring') {
        because = open.because;
        restored = true;
      }
      return open?.id !== id;
    }, SWITCHOVER_BOUND);
    if (!ended)
      throw new Refusal('outcome_unknown', 'the switchover has not ended yet; its phase is in the status', {
        operation: id,
      });
    const { master } = changes.findShard(supervisor.intended.cluster, byId).shard;
    if (master === to.id) return { master, mayLose: null };
    if (!restored) throw lostOnTheWay(supervisor, master, to);
  }
  throw takenBack(SWITCHOVER_TRIES, because);
}

/** The swap was told: the new master may have taken writes before it fell silent, which nobody else has. */
function lostOnTheWay(supervisor: Supervisor, master: string, to: Node): Refusal {
  const message = `${to.id} fell silent after it was made master; ${master} is master now, and what ${to.id} took in between may be lost`;
  return new Refusal('node_failed', legible(message, supervisor.intended.cluster));
}

function takenBack(times: number, because: string): Refusal {
  const often = times === 1 ? 'once' : `${times} times`;
  return new Refusal('node_failed', `the switchover was taken back ${often}: ${because}; nothing was lost`);
}

async function readyCandidate(
  runtime: Runtime,
  supervisor: Supervisor,
  ref: ShardRef,
  preferred: string | undefined,
): Promise<Node> {
  const { from, to, index } = candidateOf(supervisor, ref, preferred);
  await refuseLag(runtime, supervisor, from.address, to.address, index);
  return to;
}

function candidateOf(supervisor: Supervisor, ref: ShardRef, preferred: string | undefined) {
  try {
    return changes.switchoverCandidate(supervisor.world(), ref, preferred);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal(error.code, legible(error.message, supervisor.intended.cluster), error.detail);
  }
}

/**
 * A drain begins only when the replica is a few milliseconds behind: clients bounce between the two meanwhile. The
 * master is asked first, so that what it writes in between counts as lag.
 */
async function refuseLag(
  runtime: Runtime,
  supervisor: Supervisor,
  master: Address,
  replica: Address,
  index: number,
): Promise<void> {
  const { password } = supervisor.intended.cluster;
  const lag = await connected(runtime, master, password, (m) =>
    connected(runtime, replica, password, async (r) => {
      const first = await m.ask(infoReplication());
      const firstAt = runtime.clock.now();
      await r.ask(infoReplication());
      for (let tries = 0; ; tries++) {
        const ahead = await m.ask(infoReplication());
        const at = runtime.clock.now();
        const behind = await r.ask(infoReplication());
        if (first.kind !== 'reply' || ahead.kind !== 'reply' || behind.kind !== 'reply') return undefined;
        if (first.value.role !== 'master' || ahead.value.role !== 'master' || behind.value.role !== 'slave')
          return undefined;
        const rate = (ahead.value.sequence - first.value.sequence) / Math.max(1, at - firstAt);
        const allowed = Math.min(1_000, Math.max(8, rate * 5));
        const missing = ahead.value.sequence - behind.value.sequence;
        if (missing <= allowed) return { missing: 0, allowed };
        if (tries >= 20) return { missing, allowed };
        await new Promise<void>((resolve) => runtime.timers.after(5, resolve));
      }
    }),
  );
  if (lag === undefined)
    throw new Refusal(
      'no_eligible_replica',
      `shard ${index}: the master or the replica did not say how far it is; try again`,
    );
  if (lag.missing > 0) {
    throw new Refusal(
      'no_eligible_replica',
      `shard ${index}: the replica is ${lag.missing} records behind, and a switchover begins at ${Math.floor(lag.allowed)} or less; nothing was stopped, try again when it has caught up`,
    );
  }
}

async function connected<T>(
  runtime: Runtime,
  address: Address,
  password: Secret,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = openConnection(runtime, address, { password, connectTimeout: 500, replyTimeout: 1_000 });
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}
