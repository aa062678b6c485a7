/** Emptying a node that no cluster needs: fenced, flushed, reset, over one connection. */
import { flushAll } from '../kvrocks/commands/flush-all.ts';
import { clusterReset } from '../kvrocks/commands/reset.ts';
import { setNodes } from '../kvrocks/commands/set-nodes.ts';
import { openConnection } from '../kvrocks/connection.ts';
import type { RandomSource, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { newNodeId } from '../topology/ids.ts';
import type { NodeFacts } from './node-check.ts';
import { Refusal } from './refusal.ts';

function notReset(address: Address, why = 'it stopped answering'): Refusal {
  return new Refusal('node_failed', `${formatAddress(address)} was not reset: ${why}; try again`);
}

/** Destroys what the node holds. `facts`: what it said a moment ago. Throws a `Refusal` where it stops half-way. */
export async function resetNode(
  runtime: Runtime,
  random: RandomSource,
  facts: NodeFacts,
  password: Secret,
): Promise<void> {
  const { address } = facts;
  const connection = openConnection(runtime, address, { password, connectTimeout: 500, replyTimeout: 1_000 });
  try {
    // Fenced first: a text that names another node as the only one. It serves nothing from then on.
    if (facts.version >= 0) {
      const stranger = `${newNodeId(random)} 127.0.0.1 1 master - 0-16383`;
      const fenced = await connection.ask(setNodes(stranger, facts.version + 1), 15_000);
      if (fenced.kind !== 'reply') throw notReset(address);
    }
    if (facts.holdsData || facts.replication.sequence > 0) {
      const flushed = await connection.ask(flushAll(), 60_000);
      if (flushed.kind !== 'reply') throw notReset(address);
    }
    const done = await connection.ask(clusterReset(), 15_000);
    if (done.kind !== 'reply') throw notReset(address, done.kind === 'error' ? done.error.text : undefined);
  } finally {
    connection.close();
  }
}
