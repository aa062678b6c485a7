/**
 * How long a cluster goes without a master: masters are killed and stopped in turn under a write load, then replaced on
 * purpose under both cluster clients. Each master that was broken is a replica in good order again before its shard's
 * next turn.
 *
 *   node bench/failover.ts [--kills 50] [--hangs 50] [--switchovers 30] [--shards 4]
 *
 * Emulated nodes, or real ones where KVROCKS_BIN names a server. Takes about 3 s a kill, 6 s a hang, 1 s a switchover.
 * Exits with 1 if a failover never came or a switchover lost an acknowledged write, never because of a time.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { FailoverPlan } from '../src/controller/control-plane.ts';
import { ClusterClient, Controller, isSettled, summary } from '../test/processes/harness/controller.ts';
import { type KvNode, startNodes } from '../test/processes/harness/nodes.ts';
import { real } from '../test/processes/harness/power.ts';
import { until } from '../test/processes/harness/processes.ts';
import { missing } from '../test/processes/harness/reading.ts';
import { tagIn } from '../test/processes/harness/slots.ts';
import { Writers } from '../test/processes/harness/writers.ts';
import { COLUMNS, type Goal, line, milliseconds, quantile } from './figures.ts';
import { becomesMaster, ShardLoad, slowestAnswer } from './shard-load.ts';

const SLOTS = 16_384;
/** A failover that has not come by then never came. */
const NEVER = 30_000;
/** A shard whose master was replaced is left alone until it has been healthy for so long: sooner, the next one waits. */
const HEALTHY = 6_000;

const GOALS: Readonly<Record<'kill' | 'hang', Readonly<Record<'detection' | 'firstWrite', readonly Goal[]>>>> = {
  kill: {
    detection: [{ of: 'max', atMost: 950 }],
    firstWrite: [
      { of: 'p50', atMost: 1_150 },
      { of: 'p99', atMost: 1_300 },
    ],
  },
  hang: {
    detection: [],
    firstWrite: [
      { of: 'p50', atMost: 4_000 },
      { of: 'p99', atMost: 5_500 },
    ],
  },
};

interface Break {
  readonly detection: number;
  readonly promotion: number;
  readonly firstWrite: number;
  readonly lost: number;
}

class Bench {
  readonly cluster: ClusterClient;
  readonly #nodes: readonly KvNode[];
  readonly #loads: readonly ShardLoad[];
  readonly #healing: Promise<void>[];
  /** Masters that held what their shard did not have, and were emptied by us as an operator would. */
  diverged = 0;
  neverCame = 0;

  constructor(cluster: ClusterClient, nodes: readonly KvNode[], shards: number) {
    this.cluster = cluster;
    this.#nodes = nodes;
    this.#healing = Array.from({ length: shards }, () => sleep(HEALTHY));
    this.#loads = Array.from({ length: shards }, (_, shard) => {
      const [from, to] = [Math.ceil((shard * SLOTS) / shards), Math.floor(((shard + 1) * SLOTS) / shards) - 1];
      const each = nodes.length / shards;
      return new ShardLoad(nodes.slice(shard * each, (shard + 1) * each), tagIn(from, to));
    });
  }

  #at(addr: string): KvNode {
    const found = this.#nodes.find((node) => node.addr === addr);
    if (found === undefined) throw new Error(`there is no node at ${addr}`);
    return found;
  }

  async pair(shard: number): Promise<readonly [master: KvNode, replica: KvNode]> {
    const nodes = (await this.cluster.get()).shards[shard]?.nodes ?? [];
    const of = (role: string) => this.#at(nodes.find((node) => node.role === role)?.addr ?? '');
    return [of('master'), of('slave')];
  }

  /** Breaks one master after the other, the shards in turn. */
  async breaks(kind: 'kill' | 'hang', times: number): Promise<readonly Break[]> {
    const seen: Break[] = [];
    for (let i = 0; i < times; i++) {
      const shard = i % this.#loads.length;
      await this.#healing[shard];
      // Nothing of ours is in step with the probes.
      await sleep(500 + Math.random() * 1_000);
      const [old, next] = await this.pair(shard);
      try {
        seen.push(await this.#break(kind, shard, old, next));
      } catch (error) {
        this.neverCame++;
        console.log(`${kind} ${i + 1}: ${error instanceof Error ? error.message : String(error)}`);
        await this.#tell();
      }
      this.#healing[shard] = this.#heal(kind, shard, old).catch(async (error) => {
        await this.#tell();
        throw error;
      });
      if (process.stderr.isTTY) process.stderr.write(`\r${kind} ${i + 1} of ${times} `);
    }
    if (process.stderr.isTTY) process.stderr.write('\r');
    await Promise.all(this.#healing);
    return seen;
  }

  /** What a person would look at. */
  async #tell(): Promise<void> {
    console.log(summary(await this.cluster.status()));
    for (const shard of this.#loads.keys())
      console.log(
        `  shard ${shard}: ${JSON.stringify(await this.cluster.post(`/shards/${shard}/failover`, { dry_run: true }))}`,
      );
    for (const event of (await this.cluster.events()).slice(-12))
      console.log(`  ${new Date(event.at).toISOString()} version ${event.version} ${event.kind}: ${event.message}`);
  }

  async #break(kind: 'kill' | 'hang', shard: number, old: KvNode, next: KvNode): Promise<Break> {
    const load = this.#loads[shard];
    if (load === undefined) throw new Error(`there is no shard ${shard}`);
    const known = (await this.cluster.events()).at(-1)?.id ?? 0;
    load.watch();
    load.rest(old);
    const brokeAt = performance.now();
    const wall = performance.timeOrigin + brokeAt;
    if (kind === 'hang') old.hang();
    else await old.kill();
    const promotedAt = await becomesMaster(next, NEVER);
    const writtenAt = await until('the new master takes writes', () => load.firstAt(next), NEVER, 5);
    const event = await until('the failover is told', async () =>
      (await this.cluster.events(known)).find((one) => one.kind === 'failover'),
    );
    return {
      detection: event.at - wall,
      promotion: promotedAt - brokeAt,
      firstWrite: writtenAt - brokeAt,
      lost: await load.missing(next, brokeAt),
    };
  }

  /** Until the broken one is a replica that may be promoted, and has been for a while. */
  async #heal(kind: 'kill' | 'hang', shard: number, old: KvNode): Promise<void> {
    if (kind === 'hang') old.wake();
    else await old.start();
    const inOrder = async (): Promise<'in order' | 'named' | undefined> => {
      const { shards, problems } = await this.cluster.status();
      const node = shards[shard]?.nodes.find((one) => one.addr === old.addr);
      if (node === undefined) return undefined;
      const named = problems.some(
        (one) => one.node === node.id && /DIVERGED|UNPROVEN/.test(one.code) && one.command !== null,
      );
      if (named) return 'named';
      if (!(node.in_sync && node.says === 'slave' && node.link === 'up')) return undefined;
      const plan = await this.cluster.post<FailoverPlan>(`/shards/${shard}/failover`, { dry_run: true });
      return plan.candidate === node.id ? 'in order' : undefined;
    };
    // Said of one that is about to follow, too, for a moment.
    const first = await until(`${old.addr} is back`, inOrder, NEVER, 100);
    if (first === 'named') {
      this.diverged++;
      await old.kill();
      old.wipe();
      await old.start();
      await until(`${old.addr} was copied whole`, async () => (await inOrder()) === 'in order', NEVER, 100);
    }
    this.#loads[shard]?.resume(old);
    await sleep(HEALTHY);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
  }
}

interface Switchovers {
  readonly gaps: number[];
  readonly roleChanges: number[];
  readonly done: number;
  readonly refused: readonly string[];
  readonly writes: number;
  readonly rate: number;
  readonly lost: number;
  readonly errors: ReadonlyMap<string, number>;
}

/** The first shard's master changes back and forth under sixteen writers of both libraries at their defaults. */
async function switchovers(
  bench: Bench,
  nodes: readonly KvNode[],
  shards: number,
  times: number,
): Promise<Switchovers> {
  const writers = await Writers.start({
    ports: nodes.map((node) => node.port),
    count: 16,
    libraries: ['ioredis', 'node-redis'],
    tag: tagIn(0, Math.floor(SLOTS / shards) - 1),
    pause: 2,
  });
  const began = performance.now();
  const gaps: number[] = [];
  const roleChanges: number[] = [];
  const refused: string[] = [];
  for (let i = 0; i < times; i++) {
    await bench.cluster.until('all is settled', isSettled, NEVER);
    await sleep(300 + Math.random() * 300);
    const [, target] = await bench.pair(0);
    const roleChange = await slowestAnswer(target);
    const from = performance.now();
    try {
      await bench.cluster.failover(0);
      await sleep(300);
      gaps.push(writers.longestGap(from, performance.now()));
      roleChanges.push(await roleChange());
    } catch (error) {
      refused.push(error instanceof Error ? error.message : String(error));
      await roleChange();
    }
  }
  const seconds = (performance.now() - began) / 1_000;
  await bench.cluster.until('all is settled', isSettled, NEVER);
  await writers.stop();
  const [master] = await bench.pair(0);
  const lost = await missing(master, writers.acknowledged);
  const writes = writers.acknowledged.length;
  return {
    gaps,
    roleChanges,
    done: gaps.length,
    refused,
    writes,
    rate: writes / seconds,
    lost: lost.length,
    errors: writers.errors,
  };
}

function printBreaks(kind: 'kill' | 'hang', seen: readonly Break[], bench: Bench): void {
  const what = kind === 'kill' ? 'masters killed (kill -9)' : 'masters stopped (SIGSTOP)';
  console.log(`${`${seen.length} ${what}`.padEnd(34)}${COLUMNS.map((name) => name.padStart(10)).join('')}`);
  const of = (part: keyof Break) => seen.map((one) => one[part]);
  console.log(line('detection: commit', of('detection'), GOALS[kind].detection));
  console.log(line('promotion: says master', of('promotion')));
  console.log(line('first accepted write', of('firstWrite'), GOALS[kind].firstWrite));
  const lossy = seen.filter(({ lost }) => lost > 0);
  const lost = lossy.reduce((sum, one) => sum + one.lost, 0);
  console.log(`  acknowledged and not replicated: ${lost} writes, in ${lossy.length} of ${seen.length}`);
  console.log(`  old masters that diverged and were emptied: ${bench.diverged}`);
  bench.diverged = 0;
}

function printSwitchovers(seen: Switchovers): void {
  const { gaps, roleChanges, lost, writes, rate } = seen;
  console.log(
    `${`${seen.done} switchovers, ${Math.round(rate)} writes/s`.padEnd(34)}${COLUMNS.map((name) => name.padStart(10)).join('')}`,
  );
  const allowed = 1.2 * quantile(roleChanges, 0.5);
  console.log(line('the server’s own role change', roleChanges));
  console.log(
    line('time without writes', gaps, [
      { of: 'p50', atMost: allowed },
      { of: 'p99', atMost: 200 },
    ]),
  );
  console.log(
    `  times the role change: ${(quantile(gaps, 0.5) / quantile(roleChanges, 0.5)).toFixed(2)} (goal <= 1.2)`,
  );
  console.log(`  acknowledged writes lost: ${lost} of ${writes}, goal 0: ${lost === 0 ? 'met' : 'not met'}`);
  const errors = [...seen.errors].reduce((sum, [, count]) => sum + count, 0);
  console.log(`  errors that applications saw: ${errors}, goal 0: ${errors === 0 ? 'met' : 'not met'}`);
  for (const [words, count] of seen.errors) console.log(`    ${count} times ${words}`);
  for (const words of seen.refused) console.log(`  not done: ${words}`);
}

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    hangs: { type: 'string', default: '50' },
    switchovers: { type: 'string', default: '30' },
    shards: { type: 'string', default: '4' },
  },
});
const shards = Number(values.shards);
const [nodes, controller] = await Promise.all([startNodes(shards * 2), Controller.start()]);
await controller.call('POST', '/namespaces', { namespace: 'bench' });
await controller.call('POST', '/namespaces/bench/clusters', {
  name: 'c',
  nodes: nodes.map((node) => node.addr),
  replicas: 2,
});
const cluster = new ClusterClient(controller, 'bench', 'c');
await cluster.settled();
console.log(`${shards} shards of a master and a replica, ${real ? 'real' : 'emulated'} nodes, one controller`);

const busy = monitorEventLoopDelay({ resolution: 10 });
busy.enable();
const bench = new Bench(cluster, nodes, shards);
for (const kind of ['kill', 'hang'] as const) {
  const times = Number(kind === 'kill' ? values.kills : values.hangs);
  if (times > 0) printBreaks(kind, await bench.breaks(kind, times), bench);
}
await bench.stop();
let lost = 0;
if (Number(values.switchovers) > 0) {
  const seen = await switchovers(bench, nodes, shards, Number(values.switchovers));
  printSwitchovers(seen);
  lost = seen.lost;
}
console.log(
  `own delays while measuring: p99 ${milliseconds(busy.percentile(99) / 1e6)}, most ${milliseconds(busy.max / 1e6)}`,
);
if (bench.neverCame > 0) console.log(`failovers that never came: ${bench.neverCame}`);
process.exit(bench.neverCame > 0 || lost > 0 ? 1 : 0);
