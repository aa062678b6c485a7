/**
 * What a move of slots costs: a cluster of three shards grows to four by `rebalance`, once under both cluster clients at
 * their defaults and then, drained again each time, a few times alone. The median of those is compared with the servers'
 * own: the same pieces between the same nodes, one after the other, by CLUSTERX MIGRATE from this process, as often, while
 * no controller runs. A new shard takes one piece at a time, so neither can be faster by doing several at once. How long a
 * hand-over takes is measured in rounds of its own, since asking the nodes all the time takes the processor from them.
 *
 *   node bench/migration.ts [--keys 100000] [--replicas 2] [--rounds 5]
 *
 * Emulated nodes, or real ones where KVROCKS_BIN names a server. Exits with 1 if an acknowledged write is lost or a key is
 * missing, never because of a time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  covers,
  formatRange,
  parseRange,
  type SlotRange,
  type SlotSet,
  slotSet,
  subtract,
  union,
} from '../src/topology/slots.ts';
import { ClusterClient, Controller, type ShardBody } from '../test/processes/harness/controller.ts';
import { type KvNode, startNodes } from '../test/processes/harness/nodes.ts';
import { real } from '../test/processes/harness/power.ts';
import { missing } from '../test/processes/harness/reading.ts';
import { type Resp, RespError } from '../test/processes/harness/resp.ts';
import { SLOTS, slotOf } from '../test/processes/harness/slots.ts';
import { Writers } from '../test/processes/harness/writers.ts';
import { COLUMNS, line, milliseconds, quantile } from './figures.ts';

const LONG = 1_800_000;
const BATCH = 2_000;
const SHARDS = 3;

interface Rebalanced {
  readonly plan: string | null;
  readonly slots: number;
}

interface Run {
  readonly slots: number;
  readonly elapsed: number;
  /** As they were copied, in their order. */
  readonly pieces: readonly SlotRange[];
}

/** From the source's word that it has succeeded until its target, and until both, carry the topology that says so. */
interface HandOverTimes {
  readonly target: number[];
  readonly both: number[];
}

class Bench {
  readonly cluster: ClusterClient;
  readonly #nodes: readonly KvNode[];

  constructor(cluster: ClusterClient, nodes: readonly KvNode[]) {
    this.cluster = cluster;
    this.#nodes = nodes;
  }

  async masters(): Promise<readonly KvNode[]> {
    const { shards } = await this.cluster.get();
    return shards.map((shard) => {
      const addr = shard.nodes.find(({ role }) => role === 'master')?.addr;
      return this.#nodes.find((node) => node.addr === addr) ?? this.#none(addr);
    });
  }

  #none(addr: string | undefined): never {
    throw new Error(`there is no node at ${addr}`);
  }

  async load(count: number): Promise<void> {
    const masters = await this.masters();
    const connections = await Promise.all(masters.map((node) => node.connect()));
    const { shards } = await this.cluster.get();
    const owned = shards.map(slotsOf);
    const owner = Array.from({ length: SLOTS }, (_, slot) =>
      owned.findIndex((own) => covers(own, { from: slot, to: slot })),
    );
    for (let i = 0; i < count; i += BATCH) {
      const asked: Promise<unknown>[] = [];
      for (let n = i; n < Math.min(count, i + BATCH); n++) {
        const at = connections[owner[slotOf(keyOf(n))] ?? 0];
        if (at !== undefined) asked.push(at.ask(['SET', keyOf(n), `${n}`], LONG).then(orThrow));
      }
      await Promise.all(asked);
      tell(`${Math.min(count, i + BATCH)} of ${count} keys`);
    }
    for (const connection of connections) connection.close();
  }

  /** Runs a rebalance to its end. */
  async rebalance(body: object): Promise<Run> {
    const known = (await this.cluster.events()).at(-1)?.id ?? 0;
    const begun = performance.now();
    const done = await this.cluster.post<Rebalanced>('/rebalance', body);
    let seen = known;
    const pieces: SlotRange[] = [];
    for (;;) {
      for (const event of await this.cluster.events(seen)) {
        seen = event.id;
        if (event.kind === 'move.failed') throw new Error(event.message);
        const copied = event.kind === 'move.handing-over' ? /^slots (\S+) from/.exec(event.message)?.[1] : undefined;
        if (copied !== undefined) pieces.push(...[parseRange(copied) ?? []].flat());
      }
      const { plans } = await this.cluster.controller.call<{ plans: readonly { id: string; moved: number }[] }>(
        'GET',
        `${this.cluster.path}/moves`,
      );
      const plan = plans.find(({ id }) => id === done.plan);
      if (plan === undefined) break;
      tell(`${plan.moved} of ${done.slots} slots`);
      await sleep(20);
    }
    return { slots: done.slots, elapsed: performance.now() - begun, pieces };
  }

  /** As it was before the fourth shard was filled, on every node. */
  async drained(): Promise<void> {
    await this.rebalance({ drain: [(await this.cluster.get()).shards.length - 1] });
    await this.cluster.settled(LONG);
  }
}

const slotsOf = ({ slot_ranges: ranges }: ShardBody): SlotSet =>
  slotSet((ranges ?? []).flatMap((text) => parseRange(text) ?? []));

const keyOf = (n: number): string => `k${n}`;

function orThrow(reply: unknown): void {
  if (reply instanceof RespError) throw reply;
}

function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** Asks all masters again and again how their moves stand, and which version they carry. */
class HandOvers {
  readonly #times: HandOverTimes = { target: [], both: [] };
  readonly #loop: Promise<void>;
  #over = false;

  constructor(masters: readonly KvNode[]) {
    this.#loop = this.#watch(masters);
  }

  async #watch(masters: readonly KvNode[]): Promise<void> {
    const connections = await Promise.all(masters.map((node) => node.connect()));
    const target = connections.length - 1;
    let known = '';
    let open: { readonly since: number; readonly source: number; readonly version: number; told: boolean } | undefined;
    let before: readonly Look[] = await Promise.all(connections.map(look));
    let askedBefore = performance.now();
    while (!this.#over) {
      const asked = performance.now();
      const seen = await Promise.all(connections.map(look));
      for (const [source, { migrated }] of seen.entries()) {
        const key = `${source} ${migrated}`;
        if (migrated === undefined || migrated === before[source]?.migrated || key === known) continue;
        known = key;
        // It was no success yet a look ago: the time is rather too long than too short.
        open = { since: askedBefore, source, version: before[source]?.version ?? 0, told: false };
      }
      if (open !== undefined) {
        const { source, version, since, told } = open;
        const targetKnows = (seen[target]?.version ?? 0) > version;
        if (targetKnows && !told) this.#times.target.push(performance.now() - since);
        open.told = targetKnows;
        if (targetKnows && (seen[source]?.version ?? 0) > version) {
          this.#times.both.push(performance.now() - since);
          open = undefined;
        }
      }
      before = seen;
      askedBefore = asked;
      await sleep(1);
    }
    for (const connection of connections) connection.close();
  }

  async end(): Promise<HandOverTimes> {
    this.#over = true;
    await this.#loop;
    return this.#times;
  }
}

interface Look {
  /** What it says of its last job, if that was a success. */
  readonly migrated: string | undefined;
  readonly version: number;
}

async function look(connection: Resp): Promise<Look> {
  const info = String(await connection.ask(['CLUSTER', 'INFO'], LONG));
  const migrated = /migrating_slot\(?s?\)?:\s*(\S+)[\s\S]*?migrating_state:\s*success/.exec(info)?.[1];
  const version = Number(/cluster_my_epoch:\s*(\d+)/.exec(info)?.[1] ?? 0);
  return { migrated, version };
}

/**
 * The pieces once more by the servers alone, from the new shard back to the others and from there again, so many times;
 * how long each round to the new shard has taken. Both ends are told what moved after each, since a server refuses every
 * slot between the ones that it has moved away and was not told of; that is not counted.
 */
async function serversOwn(
  bench: Bench,
  pieces: readonly SlotRange[],
  before: readonly SlotSet[],
  rounds: number,
): Promise<readonly number[]> {
  const masters = await bench.masters();
  const { shards, version } = await bench.cluster.get();
  const owned = shards.map(slotsOf);
  const last = shards.length - 1;
  await bench.cluster.controller.kill();
  const connections = await Promise.all(masters.map((node) => node.connect()));
  const topology = () =>
    shards.flatMap(({ nodes }, at) => {
      const master = nodes.find(({ role }) => role === 'master')?.id;
      return nodes.map(({ id, addr, role }) => {
        const address = addr.replace(':', ' ');
        if (role !== 'master') return `${id} ${address} slave ${master}`;
        return `${id} ${address} master - ${(owned[at] ?? []).map(formatRange).join(' ')}`.trim();
      });
    });
  let told = version;
  const move = async (piece: SlotRange, from: number, to: number): Promise<number> => {
    const { id } = shards[to]?.nodes.find(({ role }) => role === 'master') ?? fail();
    const begun = performance.now();
    orThrow(await connections[from]?.ask(['CLUSTERX', 'MIGRATE', formatRange(piece), id, 'sync'], LONG));
    const took = performance.now() - begun;
    owned[from] = subtract(owned[from] ?? [], [piece]);
    owned[to] = union(owned[to] ?? [], [piece]);
    told++;
    for (const at of [to, from])
      orThrow(await connections[at]?.ask(['CLUSTERX', 'SETNODES', topology().join('\n'), `${told}`], LONG));
    return took;
  };
  const home = (piece: SlotRange) => before.findIndex((slots) => covers(slots, piece));
  const spent: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const piece of pieces) await move(piece, last, home(piece));
    let took = 0;
    for (const piece of pieces) took += await move(piece, home(piece), last);
    spent.push(took);
  }
  for (const connection of connections) connection.close();
  return spent;
}

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    replicas: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
  },
});
const [count, replicas, rounds] = [Number(values.keys), Number(values.replicas), Number(values.rounds)];
const [nodes, controller] = await Promise.all([startNodes((SHARDS + 1) * replicas), Controller.start()]);
await controller.call('POST', '/namespaces', { namespace: 'bench' });
const addresses = nodes.map(({ addr }) => addr);
await controller.call('POST', '/namespaces/bench/clusters', {
  name: 'c',
  nodes: addresses.slice(0, SHARDS * replicas),
  replicas,
});
const cluster = new ClusterClient(controller, 'bench', 'c');
const bench = new Bench(cluster, nodes);
await cluster.settled();
await bench.load(count);
await cluster.post('/shards', { nodes: addresses.slice(SHARDS * replicas) });
await cluster.settled(LONG);
tell('');
console.log(
  `${count} keys, 3 shards of ${replicas} that grow to 4, ${real ? 'real' : 'emulated'} nodes, one controller`,
);

const writers = await Writers.start({
  ports: nodes.slice(0, SHARDS * replicas).map(({ port }) => port),
  count: 16,
  libraries: ['ioredis', 'node-redis'],
  pause: 5,
});
await sleep(1_000);
const from = performance.now();
const loaded = await bench.rebalance({});
const gap = writers.longestGap(from, performance.now());
await cluster.settled(LONG);
await writers.stop();
const written = writers.acknowledged;
const lost = await missing(nodes[0] ?? (await bench.masters())[0] ?? fail(), written);
const errors = [...writers.errors].reduce((sum, [, times]) => sum + times, 0);
tell('');
console.log(
  `under ${written.length} writes of 16 clients: ${loaded.slots} slots in ${loaded.pieces.length} pieces, ${milliseconds(loaded.elapsed)}`,
);
console.log(`  longest time without any write: ${milliseconds(gap)}`);
console.log(`  acknowledged writes lost: ${lost.length} of ${written.length}, goal 0: ${met(lost.length === 0)}`);
console.log(`  errors that applications saw: ${errors}, goal 0: ${met(errors === 0)}`);
for (const [words, times] of writers.errors) console.log(`    ${times} times ${words}`);

await bench.drained();
const before = (await cluster.get()).shards.map(slotsOf);
const alone: Run[] = [];
const handOvers: HandOverTimes = { target: [], both: [] };
for (let round = 0; round < rounds; round++) {
  const watch = new HandOvers(await bench.masters());
  await bench.rebalance({});
  await cluster.settled(LONG);
  const { target, both } = await watch.end();
  handOvers.target.push(...target);
  handOvers.both.push(...both);
  await bench.drained();
  alone.push(await bench.rebalance({}));
  await cluster.settled(LONG);
  if (round + 1 < rounds) await bench.drained();
}
const sample = Array.from({ length: Math.min(count, 20_000) }, (_, i) => i).map((n) => ({
  key: keyOf(n),
  value: `${n}`,
}));
const gone = await missing(nodes[0] ?? fail(), sample);
const last = alone.at(-1) ?? fail();
const own = await serversOwn(bench, last.pieces, before, rounds);
tell('');
console.log(`alone, ${rounds} times: ${last.slots} slots in ${last.pieces.length} pieces`);
console.log(`${''.padEnd(34)}${COLUMNS.map((name) => name.padStart(10)).join('')}`);
const times = alone.map(({ elapsed }) => elapsed);
console.log(line('all of it', times));
console.log(line('the servers’ own copying', own));
console.log(line('success until the target knows', handOvers.target, [{ of: 'p99', atMost: 30 }]));
console.log(line('success until both ends know', handOvers.both));
const ratio = quantile(times, 0.5) / quantile(own, 0.5);
console.log(`  the medians’ ratio: ${ratio.toFixed(2)}, goal <= 1.15: ${met(ratio <= 1.15)}`);
console.log(`  keys missing afterwards, of ${sample.length}: ${gone.length}`);
process.exit(lost.length + gone.length > 0 ? 1 : 0);

function met(is: boolean): string {
  return is ? 'met' : 'not met';
}

function fail(): never {
  throw new Error('there are no nodes');
}
