/**
 * Writes into a store as fast as it can until it is killed, for `kill.test.ts`: several writers, each commit puts one
 * numbered record of several keys, takes the oldest one away, and moves the writer's own counter on. Prints
 * "<writer> <number>" once a commit is acknowledged.
 */
import { writeSync } from 'node:fs';
import { nodeRuntime } from '../../runtime/node-runtime.ts';
import type { Leadership, Write } from '../port.ts';
import { openEmbeddedStore } from './embedded-store.ts';
import { KEPT, PARTS, partOf, WRITERS } from './load.ts';

const store = await openEmbeddedStore({ dir: process.argv[2] ?? '', address: 'child:1', runtime: nodeRuntime() });
const { fence } = await new Promise<Leadership>((resolve) => {
  store.campaign('child', (event) => {
    if (event.kind === 'leading') resolve(event.leadership);
  });
});

async function run(writer: number): Promise<void> {
  const counter = `/counter/${writer}`;
  const [found] = await store.read([counter]);
  let revision = found?.revision ?? 0;
  for (let number = Number(found?.value ?? '0') + 1; ; number++) {
    const writes: Write[] = [{ key: counter, expected: revision, value: String(number) }];
    for (let part = 0; part < PARTS; part++) {
      writes.push({ ...partOf(writer, number, part), expected: 0 });
      if (number > KEPT)
        writes.push({ key: partOf(writer, number - KEPT, part).key, expected: undefined, value: null });
    }
    const done = await store.commit(writes, fence);
    if (done.kind !== 'committed') throw new Error(JSON.stringify(done));
    revision = done.revision;
    writeSync(1, `${writer} ${number}\n`);
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => run(writer)));
