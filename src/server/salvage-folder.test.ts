import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Shelf, ShelfError } from '../controller/shelf.ts';
import { salvageFolder } from './salvage-folder.ts';

function folder(t: TestContext): { path: string; shelf: Shelf } {
  const path = mkdtempSync(join(tmpdir(), 'kvctl-salvage-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return { path, shelf: salvageFolder(join(path, 'salvage')) };
}

async function save(shelf: Shelf, name: string, text: string): Promise<void> {
  const file = await shelf.begin('ns', 'c1');
  await file.write(text);
  await file.finish(name);
}

async function linesOf(shelf: Shelf, name: string): Promise<string[] | undefined> {
  const lines = await shelf.read('ns', 'c1', name);
  if (lines === undefined) return undefined;
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

test('a file is there under its name once it is finished, for its owner alone', async (t) => {
  const { path, shelf } = folder(t);
  assert.deepEqual(await shelf.list('ns', 'c1'), []);
  const file = await shelf.begin('ns', 'c1');
  await file.write('{"head":1}\n');
  await file.write('["SET","k","\\u00ff"]\n{"end":true}\n');
  assert.deepEqual(await shelf.list('ns', 'c1'), [], 'half of it is nothing');
  await file.finish('n-1-2.jsonl');
  assert.deepEqual(
    (await shelf.list('ns', 'c1')).map(({ name, firstLine, lastLine }) => [name, firstLine, lastLine]),
    [['n-1-2.jsonl', '{"head":1}', '{"end":true}']],
  );
  assert.deepEqual(await linesOf(shelf, 'n-1-2.jsonl'), ['{"head":1}', '["SET","k","\\u00ff"]', '{"end":true}']);
  const place = join(path, 'salvage/ns/c1');
  assert.equal(statSync(join(place, 'n-1-2.jsonl')).mode & 0o777, 0o600);
  assert.equal(statSync(place).mode & 0o777, 0o700);
});

test('saved once more under the same name: the newer one is there, and only that', async (t) => {
  const { shelf } = folder(t);
  await save(shelf, 'n-1-2.jsonl', 'old\n');
  await save(shelf, 'n-1-2.jsonl', 'new\n');
  assert.deepEqual(await linesOf(shelf, 'n-1-2.jsonl'), ['new']);
});

test('read a while after it was opened, and not to its end: every line is there, and none is asked for in vain', async (t) => {
  const { shelf } = folder(t);
  await save(shelf, 'n-1-2.jsonl', 'first\nsecond\n');
  const lines = await shelf.read('ns', 'c1', 'n-1-2.jsonl');
  await shelf.list('ns', 'c1');
  await new Promise((resolve) => setTimeout(resolve, 50));
  for await (const line of lines ?? []) {
    assert.equal(line, 'first');
    break;
  }
  assert.deepEqual(await linesOf(shelf, 'n-1-2.jsonl'), ['first', 'second']);
});

test('given up, or left behind by a crash: nothing is listed, nothing can be read', async (t) => {
  const { path, shelf } = folder(t);
  const file = await shelf.begin('ns', 'c1');
  await file.write('half');
  const left = readdirSync(join(path, 'salvage/ns/c1'));
  assert.equal(left.length, 1);
  assert.equal(await linesOf(shelf, left[0] ?? ''), undefined);
  await file.abandon();
  await file.abandon();
  assert.deepEqual(readdirSync(join(path, 'salvage/ns/c1')), []);
});

test('names that lead elsewhere stay within the folder', async (t) => {
  const { path, shelf } = folder(t);
  writeFileSync(join(path, 'secret'), 'secret');
  for (const name of ['../../../secret', '..', '', 'a/b']) assert.equal(await linesOf(shelf, name), undefined);
  await (await shelf.begin('..', '../../x')).finish('n.jsonl');
  assert.deepEqual(readdirSync(path).sort(), ['salvage', 'secret']);
});

test('a folder that cannot be written is told in the system’s words', async (t) => {
  const { path } = folder(t);
  writeFileSync(join(path, 'taken'), '');
  const shelf = salvageFolder(join(path, 'taken'));
  await assert.rejects(
    shelf.begin('ns', 'c1'),
    (error: unknown) => error instanceof ShelfError && /ENOTDIR/.test(error.message),
  );
});
