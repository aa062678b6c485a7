import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeRuntime } from '../../runtime/node-runtime.ts';
import { openEmbeddedStore } from './embedded-store.ts';
import { KEPT, PARTS, partOf, WRITERS } from './load.ts';

const ROUNDS = 10;
const runtime = nodeRuntime();

function start(dir: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'load-child.ts'), dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Kills the child at a random moment of its writing; what each writer had acknowledged by then. */
async function writeAndKill(dir: string): Promise<readonly number[]> {
  const child = start(dir);
  let told = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    // The first word shows that it writes; from there on every moment is as good as another.
    if (told === '') runtime.timers.after(runtime.random.next() * 150, () => child.kill('SIGKILL'));
    told += text;
  });
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', 'the child ended by itself');
  const acknowledged = Array.from({ length: WRITERS }, () => 0);
  // A last line without its end was never told wholly.
  for (const line of told.split('\n').slice(0, -1)) {
    const [writer, number] = line.split(' ').map(Number);
    if (writer !== undefined && number !== undefined) acknowledged[writer] = number;
  }
  return acknowledged;
}

test('kill-9-under-write-load: each time all that was acknowledged is there, and nothing in part', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kvctl-kill-'));
  try {
    let before = Array.from({ length: WRITERS }, () => 0);
    let revisionBefore = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const acknowledged = await writeAndKill(dir);
      assert.ok(existsSync(join(dir, 'holder.json')), 'the dead process is still named');
      const store = await openEmbeddedStore({ dir, address: 'parent:1', runtime });
      assert.match(readFileSync(join(dir, 'holder.json'), 'utf8'), /parent:1/);
      const { entries, revision } = await store.list('');
      await store.close();

      const found = new Map(entries.map((entry) => [entry.key, entry]));
      const last = before.map((_, writer) => Number(found.get(`/counter/${writer}`)?.value ?? '0'));
      let expected = last.filter((reached) => reached > 0).length;
      for (const [writer, reached] of last.entries()) {
        const lower = Math.max(before[writer] ?? 0, acknowledged[writer] ?? 0);
        // One commit of each writer was under way: it may be there, but then wholly.
        assert.ok(
          reached === lower || reached === lower + 1,
          `round ${round}: writer ${writer} had ${lower}, found ${reached}`,
        );
        for (let number = Math.max(1, reached - KEPT + 1); number <= reached; number++) {
          const revisions = new Set<number | undefined>();
          for (let part = 0; part < PARTS; part++) {
            const { key, value } = partOf(writer, number, part);
            assert.equal(found.get(key)?.value, value, `round ${round}: ${key}`);
            revisions.add(found.get(key)?.revision);
            expected++;
          }
          if (number === reached) revisions.add(found.get(`/counter/${writer}`)?.revision);
          assert.equal(revisions.size, 1, `round ${round}: one commit, one revision`);
        }
      }
      // Nothing else: what later commits took away has not come back.
      assert.equal(entries.length, expected);
      assert.ok(entries.every((entry) => entry.revision <= revision));
      assert.ok(revision > revisionBefore);
      before = last;
      revisionBefore = revision;
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
