/**
 * What a node says of itself before it is taken into a cluster: asked once, on a connection of its own, all nodes at
 * once.
 */
import { type ClusterNodes, clusterNodes } from '../kvrocks/commands/cluster-nodes.ts';
import { type NodeSettings, nodeSettings } from '../kvrocks/commands/config-get.ts';
import { type InfoReplication, infoReplication } from '../kvrocks/commands/info-replication.ts';
import { infoServer } from '../kvrocks/commands/info-server.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { version } from '../kvrocks/commands/version.ts';
import { openConnection } from '../kvrocks/connection.ts';
import { type Outcome, type Question, question, readText, reply } from '../kvrocks/question.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { dangersOf } from './dangers.ts';

export interface NodeFacts {
  readonly address: Address;
  /** '' when it has none. */
  readonly id: string;
  /** -1 when it has no topology. */
  readonly version: number;
  readonly serverVersion: string;
  readonly clusterMode: boolean;
  readonly replication: Exclude<InfoReplication, { role: 'loading' }>;
  readonly settings: NodeSettings;
  /** It holds at least one key. */
  readonly holdsData: boolean;
  readonly topology: ClusterNodes | null;
}

export type Checked =
  | { readonly ok: true; readonly facts: NodeFacts }
  | { readonly ok: false; readonly address: Address; readonly why: string; readonly help: string | null };

const CHECK_TIMEOUT = 2_000;

/** `SCAN 0 COUNT 1`: whether there is any key; DBSIZE would answer 0 until a scan was made. */
function anyKey(): Question<boolean> {
  return question(['SCAN', '0', 'COUNT', '1'], (got) => {
    const keys = got.kind === 'array' ? got.items[1] : undefined;
    return reply(keys?.kind === 'array' && keys.items.some((key) => readText(key) !== undefined));
  });
}

function words(outcome: Outcome<unknown>): string {
  switch (outcome.kind) {
    case 'reply':
      return 'answered';
    case 'error':
      return outcome.error.kind === 'denied' ? 'refuses the password' : `answers ${outcome.error.text}`;
    case 'garbled':
      return `is no Kvrocks server: ${outcome.why}`;
    case 'timeout':
      return 'does not answer in time';
    case 'ended':
      return outcome.why.kind === 'refused'
        ? 'refuses connections'
        : outcome.why.kind === 'unresolved'
          ? 'has a host name that does not resolve'
          : outcome.why.kind === 'garbled'
            ? 'is no Kvrocks server'
            : outcome.why.kind === 'no-answer' || outcome.why.kind === 'timeout'
              ? 'does not answer in time'
              : `ends the connection (${outcome.why.kind})`;
  }
}

export async function checkNode(runtime: Runtime, address: Address, password: Secret): Promise<Checked> {
  const connection = openConnection(runtime, address, { password, connectTimeout: 1_000, replyTimeout: CHECK_TIMEOUT });
  const failed = (outcome: Outcome<unknown>): Checked => ({
    ok: false,
    address,
    why: words(outcome),
    help: outcome.kind === 'error' && outcome.error.kind === 'denied' ? 'pass the password that the nodes have' : null,
  });
  try {
    const [server, replication, settings] = await Promise.all([
      connection.ask(infoServer()),
      connection.ask(infoReplication()),
      connection.ask(nodeSettings()),
    ]);
    if (server.kind !== 'reply') return failed(server);
    if (replication.kind !== 'reply') return failed(replication);
    if (settings.kind !== 'reply') return failed(settings);
    if (replication.value.role === 'loading')
      return { ok: false, address, why: 'is restoring its database', help: 'wait until it is done' };
    const common = {
      address,
      serverVersion: server.value.versionText,
      clusterMode: server.value.clusterMode,
      replication: replication.value,
      settings: settings.value,
    };
    if (!server.value.clusterMode)
      return { ok: true, facts: { ...common, id: '', version: -1, holdsData: false, topology: null } };
    const [id, carried, nodes, key] = await Promise.all([
      connection.ask(myId()),
      connection.ask(version()),
      connection.ask(clusterNodes()),
      connection.ask(anyKey()),
    ]);
    if (id.kind !== 'reply') return failed(id);
    if (carried.kind !== 'reply') return failed(carried);
    return {
      ok: true,
      facts: {
        ...common,
        id: id.value,
        version: carried.value,
        holdsData: key.kind === 'reply' && key.value,
        topology: nodes.kind === 'reply' ? nodes.value : null,
      },
    };
  } finally {
    connection.close();
  }
}

/** Why a node may not be taken in at all, whatever its part; empty when it may. */
export function unfit(
  facts: NodeFacts,
  checks: { skipClusterMode?: boolean | undefined; force?: boolean | undefined },
): string[] {
  const reasons: string[] = [];
  if (!facts.clusterMode && checks.skipClusterMode !== true)
    reasons.push('is not in cluster mode; set cluster-enabled yes and restart it');
  for (const danger of dangersOf(facts.settings)) {
    if (danger.refused && checks.force !== true) reasons.push(`${danger.what}; mend it with: ${danger.command}`);
  }
  return reasons;
}

export interface Failure {
  readonly node: string;
  readonly reasons: readonly string[];
}

/** One message that names every node that failed and why. */
export function failureMessage(failures: readonly Failure[]): string {
  return failures.map(({ node, reasons }) => `${node} ${reasons.join('; ')}`).join('. ');
}

export const failureOf = (checked: Checked & { ok: false }): Failure => ({
  node: formatAddress(checked.address),
  reasons: [checked.help === null ? checked.why : `${checked.why}; ${checked.help}`],
});
