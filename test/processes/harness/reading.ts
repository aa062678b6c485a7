/** Reads many keys straight from the nodes that have them. */
import type { KvNode } from './nodes.ts';
import { type Reply, type Resp, RespError, textOf } from './resp.ts';
import { slotOf } from './slots.ts';

const BATCH = 500;

/** Whom a node names as master of each slot. */
async function owners(node: KvNode): Promise<(slot: number) => number> {
  const ranges: { from: number; to: number; port: number }[] = [];
  for (const line of await node.nodes()) {
    for (const range of line.slots) {
      const [from = 0, to = from] = range.split('-').map(Number);
      ranges.push({ from, to, port: Number(line.addr.split(':').at(-1)) });
    }
  }
  return (slot) => ranges.find((range) => range.from <= slot && slot <= range.to)?.port ?? 0;
}

async function getAll(connection: Resp, keys: readonly string[], readonly: boolean): Promise<readonly Reply[]> {
  try {
    if (readonly) await connection.call('READONLY');
    const replies: Reply[] = [];
    for (let i = 0; i < keys.length; i += BATCH) {
      const batch = keys.slice(i, i + BATCH).map((key) => connection.ask(['GET', key], 10_000));
      replies.push(...(await Promise.all(batch)));
    }
    return replies;
  } finally {
    connection.close();
  }
}

export interface Missing {
  readonly key: string;
  readonly got: string;
}

/** The writes that do not read back with their value. `guide` is asked who owns what. */
export async function missing(
  guide: KvNode,
  written: readonly { readonly key: string; readonly value: string }[],
): Promise<readonly Missing[]> {
  const ownerOf = await owners(guide);
  const byPort = new Map<number, { key: string; value: string }[]>();
  for (const one of written) {
    const port = ownerOf(slotOf(one.key));
    const group = byPort.get(port);
    if (group === undefined) byPort.set(port, [one]);
    else group.push(one);
  }
  const found: Missing[] = [];
  for (const [port, group] of byPort) {
    const replies = await getAll(
      await guide.connect(port),
      group.map((one) => one.key),
      false,
    );
    for (const [i, { key, value }] of group.entries()) {
      const reply = replies[i] ?? null;
      if (reply !== value) found.push({ key, got: reply instanceof RespError ? reply.message : textOf(reply) });
    }
  }
  return found;
}

/** Keys that a replica answers otherwise than its master; both are asked directly. */
export async function differences(
  master: KvNode,
  replica: KvNode,
  keys: readonly string[],
): Promise<readonly string[]> {
  const [here, there] = await Promise.all([
    getAll(await master.connect(), keys, false),
    getAll(await replica.connect(), keys, true),
  ]);
  return keys.filter((_, i) => textOf(said(here[i])) !== textOf(said(there[i])));
}

const said = (reply: Reply | undefined): Reply => (reply instanceof RespError ? reply.message : (reply ?? null));
