import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nodeRuntime } from '../../runtime/node-runtime.ts';
import { openEmbeddedStore } from './embedded-store.ts';

const CHILD = join(import.meta.dirname, 'disk-child.ts');
const COMMITS = 400;

/** A disk of 24 MiB for one process and its children; 77 where that is not allowed. What is on it is copied to "$4". */
const SMALL_DISK = `
  mount -t tmpfs -o size=24m tmpfs "$1" || exit 77
  "$2" "$3" "$1/data" 6000000 ${COMMITS}
  cp -r "$1/data" "$4"
`;
/** Files of at most 4 MiB, in units of 512 bytes; what goes beyond fails as an error of the disk, not for lack of room. */
const SMALL_FILES = 'ulimit -f 8192; "$1" "$2" "$3" 100000 140';

function folder(t: TestContext): string {
  const dir = fs.mkdtempSync(join(tmpdir(), 'kvctl-disk-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  return dir;
}

interface Told {
  readonly history: readonly string[];
  readonly topology: readonly string[];
  readonly found: Readonly<Record<string, string>>;
  readonly watched: readonly string[];
  readonly pruned: string;
  readonly after: string;
  readonly left: Readonly<Record<string, string>>;
}

async function listed(dir: string): Promise<Record<string, string>> {
  const store = await openEmbeddedStore({ dir, address: 'parent:1', runtime: nodeRuntime() });
  const { entries } = await store.list('/');
  await store.close();
  return Object.fromEntries(entries.map(({ key, value }) => [key, value.split(' ')[0] ?? '']));
}

test('full-disk: history is refused, topology goes on, and pruned history makes room again', async (t) => {
  const dir = folder(t);
  fs.mkdirSync(join(dir, 'disk'));
  const copy = join(dir, 'copy');
  const parameters = ['-rm', 'sh', '-c', SMALL_DISK, 'sh', join(dir, 'disk'), process.execPath, CHILD, copy];
  const run = spawnSync('unshare', parameters, { encoding: 'utf8' });
  if (run.error !== undefined || !fs.existsSync(copy)) {
    t.skip(`this system lets no test make a small disk: ${run.error?.message ?? run.stderr}`);
    return;
  }
  const told: Told = JSON.parse(run.stdout);
  assert.equal(told.history.length, COMMITS);
  assert.deepEqual(
    told.topology.filter((kind) => kind !== 'committed'),
    [],
  );
  const kept = told.history.filter((kind) => kind === 'committed').length;
  assert.ok(kept > 100 && kept < COMMITS, `${kept} of ${COMMITS}`);
  told.history.forEach((kind, i) => {
    assert.equal(kind, kind === 'committed' ? kind : 'failed');
    assert.equal(told.found[`/history/${i}`], kind === 'committed' ? String(i) : undefined);
  });
  assert.equal(told.found['/topology'], String(COMMITS - 1));
  assert.deepEqual([told.pruned, told.after, told.watched], ['committed', 'committed', []]);
  assert.deepEqual(Object.keys(told.left), ['/history/after', '/topology']);
  assert.deepEqual(await listed(copy), told.left);
});

test('disk-that-fails-in-a-commit: unknown, and what is read afterwards is what stays', async (t) => {
  const dir = join(folder(t), 'data');
  const run = spawnSync('sh', ['-c', SMALL_FILES, 'sh', process.execPath, CHILD, dir], { encoding: 'utf8' });
  assert.notEqual(run.stdout, '', run.stderr);
  const told: Told = JSON.parse(run.stdout);
  assert.ok(told.topology.includes('committed') && told.topology.includes('unknown'), JSON.stringify(told.topology));
  told.history.forEach((kind, i) => {
    if (kind === 'committed') assert.equal(told.found[`/history/${i}`], String(i));
    if (kind === 'failed') assert.equal(told.found[`/history/${i}`], undefined);
  });
  const last = told.topology.lastIndexOf('committed');
  assert.ok(Number(told.found['/topology']) >= last);
  assert.equal(told.found['/topology'], told.found['/history/last'], 'two keys of one commit');
  assert.deepEqual(told.watched, ['lost'], 'a watch cannot know what it missed');
  assert.deepEqual(await listed(dir), told.left);
});
