/**
 * The embedded store's commit against the disk itself: as many bytes as the commit puts into SQLite's log, written and
 * fdatasync'ed, in the same run and by turns. Goal: at most 1.5 times, with synchronous=FULL.
 *
 *   node bench/store.ts [folder on the disk in question]
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeRuntime } from '../src/runtime/node-runtime.ts';
import { openEmbeddedStore } from '../src/store/embedded/embedded-store.ts';
import type { Leadership, Store, Write } from '../src/store/port.ts';

const GOAL = 1.5;
const ROUNDS = 250;
const PER_ROUND = 4;
/** So many clusters, written in turn. */
const CLUSTERS = 50;
/** The log is written from its start again after about as much; so is the file beside it. */
const LAP = 4 * 1024 * 1024;

const runtime = nodeRuntime();
const now = () => runtime.clock.now();

interface Load {
  readonly name: string;
  /** Commits under way at once. */
  readonly together: number;
  readonly writes: (commit: number) => readonly Write[];
}

function put(key: string, size: number, commit: number): Write {
  return { key: `/${key}/${commit % CLUSTERS}`, expected: undefined, value: `${commit} ${'x'.repeat(size)}` };
}

const small = (commit: number) => [put('small', 20, commit)];
const topology = (commit: number) => [
  put('cluster', 4_500, commit),
  put('operation', 700, commit),
  put('report', 1_800, commit),
];

const LOADS: readonly Load[] = [
  { name: 'one small key', together: 1, writes: small },
  { name: 'a topology of 20 nodes, an operation, a report', together: 1, writes: topology },
  { name: 'the same, 32 at once', together: 32, writes: topology },
];

/** Writes over the same stretch of a file in laps, as the log does. */
class BareDisk {
  readonly #file: number;
  #position = 0;

  constructor(path: string) {
    this.#file = fs.openSync(path, 'w');
    fs.writeSync(this.#file, Buffer.alloc(2 * LAP, 1));
    fs.fsyncSync(this.#file);
  }

  time(bytes: Buffer): number {
    const before = now();
    fs.writeSync(this.#file, bytes, 0, bytes.length, this.#position);
    fs.fdatasyncSync(this.#file);
    this.#position = (this.#position + bytes.length) % LAP;
    return now() - before;
  }

  close(): void {
    fs.closeSync(this.#file);
  }
}

function lead(store: Store): Promise<Leadership> {
  return new Promise((resolve) => {
    store.campaign('bench', (event) => {
      if (event.kind === 'leading') resolve(event.leadership);
    });
  });
}

async function measure(load: Load, folder: string): Promise<void> {
  const dir = join(folder, 'data');
  const store = await openEmbeddedStore({ dir, address: 'bench', runtime });
  const { fence } = await lead(store);
  const disk = new BareDisk(join(folder, 'bare'));
  let count = 0;
  const commit = async (writes: readonly Write[]) => {
    const done = await store.commit(writes, fence);
    if (done.kind !== 'committed') throw new Error(JSON.stringify(done));
  };
  const group = async () => {
    const before = now();
    await Promise.all(Array.from({ length: load.together }, () => commit(load.writes(count++))));
    return now() - before;
  };
  const times = async (rounds: number, each: () => number | Promise<number>) => {
    const all: number[] = [];
    for (let i = 0; i < rounds; i++) all.push(await each());
    return all;
  };

  await commit(Array.from({ length: CLUSTERS }, (_, i) => load.writes(i)).flat());
  // While the log still grows, its size tells what a group costs.
  const logged = () => fs.statSync(join(dir, 'kvctl.db-wal')).size;
  const before = logged();
  await times(3, group);
  const bytes = Buffer.alloc(Math.round((logged() - before) / 3), 1);
  // Both once around before it counts.
  await times(Math.ceil((2 * LAP) / bytes.length / 2), group);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(...(await times(PER_ROUND, group)));
    bare.push(...(await times(PER_ROUND, () => disk.time(bytes))));
  }
  disk.close();
  await store.close();
  report(load, ours, bare, bytes.length);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;
}

function report(load: Load, ours: readonly number[], bare: readonly number[], bytes: number): void {
  const times = (values: readonly number[]) =>
    `p50 ${quantile(values, 0.5).toFixed(3)} ms, p99 ${quantile(values, 0.99).toFixed(3)} ms`;
  const ratio = quantile(ours, 0.5) / quantile(bare, 0.5);
  const rate = Math.round((1_000 * load.together) / quantile(ours, 0.5));
  console.log(load.name);
  console.log(`  store  ${times(ours)}; ${rate} commits a second`);
  console.log(`  disk   ${times(bare)}; ${bytes} bytes and one fdatasync`);
  // A group is bound by the processor: what it saves is a fdatasync for each of its commits.
  const goal = load.together === 1 ? `goal: at most ${GOAL}` : `${(ratio / load.together).toFixed(2)} for each commit`;
  console.log(`  ratio  ${ratio.toFixed(2)} at the median (${goal})`);
}

for (const load of LOADS) {
  const folder = fs.mkdtempSync(join(process.argv[2] ?? tmpdir(), 'kvctl-bench-'));
  try {
    await measure(load, folder);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
