/**
 * Works on a disk that has room for little, for `disk.test.ts`, and prints what it finds as JSON. Runs apart because the
 * limits of its disk are those of its process.
 */
import { writeSync } from 'node:fs';
import { nodeRuntime } from '../../runtime/node-runtime.ts';
import type { Leadership } from '../port.ts';
import { openEmbeddedStore } from './embedded-store.ts';

const COMMITS = Number(process.argv[4]);
const store = await openEmbeddedStore({
  dir: process.argv[2] ?? '',
  address: 'child:1',
  runtime: nodeRuntime(),
  historyPrefixes: ['/events/', '/history/'],
  reserve: Number(process.argv[3]),
});
const { fence } = await new Promise<Leadership>((resolve) => {
  store.campaign('child', (event) => {
    if (event.kind === 'leading') resolve(event.leadership);
  });
});
const watched: string[] = [];
store.watch('/history/', 0, (event) => {
  if (event.kind !== 'changes') watched.push(event.kind);
});

/** What became of each commit, in order; a topology is written with its expected revision, and history beside it. */
const history: string[] = [];
const topology: string[] = [];
let revision = 0;
const text = 'x'.repeat(60_000);
for (let i = 0; i < COMMITS; i++) {
  const kept = await store.commit([{ key: `/history/${i}`, value: `${i} ${text}`, expected: undefined }], fence);
  history.push(kept.kind);
  // Both together are topology: the report of a decision goes with it or not at all.
  const done = await store.commit(
    [
      { key: '/topology', value: `${i} ${text}`, expected: revision },
      { key: '/history/last', value: String(i), expected: undefined },
    ],
    fence,
  );
  topology.push(done.kind);
  if (done.kind === 'committed') revision = done.revision;
  else revision = (await store.read(['/topology']))[0]?.revision ?? 0;
}

/** Each key with the number at the head of its value. */
async function listed(): Promise<Record<string, string>> {
  const { entries } = await store.list('/');
  return Object.fromEntries(entries.map(({ key, value }) => [key, value.split(' ')[0] ?? '']));
}

const found = await listed();
/** Room inside the file is room for history too. */
const old = Object.keys(found).filter((key) => key.startsWith('/history/'));
const prune = old.map((key) => ({ key, expected: undefined, value: null }));
const pruned = (await store.commit(prune, fence)).kind;
const after = (await store.commit([{ key: '/history/after', value: text, expected: undefined }], fence)).kind;
writeSync(1, JSON.stringify({ history, topology, found, watched, pruned, after, left: await listed() }));
process.kill(process.pid, 'SIGKILL');
