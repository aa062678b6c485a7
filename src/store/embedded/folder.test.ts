import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, type TestContext, test } from 'node:test';
import { nodeRuntime } from '../../runtime/node-runtime.ts';
import type { Leadership, Store, WatchEvent } from '../port.ts';
import { openEmbeddedStore } from './embedded-store.ts';
import { StoreOpenError } from './open-error.ts';

const runtime = nodeRuntime();

function folder(t: TestContext): string {
  const dir = fs.mkdtempSync(join(tmpdir(), 'kvctl-folder-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  return join(dir, 'data');
}

const opened: Store[] = [];
// So that a test that fails does not keep the threads of the rest.
after(() => Promise.all(opened.map((store) => store.close())));

async function open(dir: string, address = '127.0.0.1:9379'): Promise<Store> {
  const store = await openEmbeddedStore({ dir, address, runtime, reserve: 4_096 });
  opened.push(store);
  return store;
}

async function refusal(dir: string): Promise<StoreOpenError> {
  const error: unknown = await open(dir).then(
    () => assert.fail('it opened'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreOpenError, String(error));
  return error;
}

function lead(store: Store): Promise<Leadership> {
  return new Promise((resolve) => {
    store.campaign('me', (event) => {
      if (event.kind === 'leading') resolve(event.leadership);
    });
  });
}

/** A store with some pages of content, closed cleanly. */
async function filled(dir: string): Promise<void> {
  const store = await open(dir);
  const { fence } = await lead(store);
  for (let i = 0; i < 50; i++) {
    const done = await store.commit([{ key: `/k/${i}`, value: `${i} `.repeat(2_000), expected: 0 }], fence);
    assert.equal(done.kind, 'committed');
  }
  await store.close();
}

/** The bytes of the database and of its log. */
function bytes(dir: string): readonly (Buffer | undefined)[] {
  return ['kvctl.db', 'kvctl.db-wal'].map((name) => {
    const path = join(dir, name);
    // A log without a byte is no log.
    const content = fs.existsSync(path) ? fs.readFileSync(path) : undefined;
    return content?.length === 0 ? undefined : content;
  });
}

test('folder-closed-and-opened-again: values and revisions stay, and go on rising', async (t) => {
  const dir = folder(t);
  const first = await open(dir);
  const { fence } = await lead(first);
  await first.commit([{ key: '/a', value: '1', expected: 0 }], fence);
  await first.commit([{ key: '/b', value: '1', expected: 0 }], fence);
  await first.commit([{ key: '/b', value: null, expected: undefined }], fence);
  const before = await first.list('');
  await first.close();
  assert.deepEqual(fs.readdirSync(dir).sort(), ['kvctl.db', 'lock.db', 'reserve']);

  const second = await open(dir);
  assert.deepEqual(await second.list(''), before);
  const events: WatchEvent[] = [];
  await new Promise<void>((resolve) => {
    second.watch('/', before.revision - 1, (event) => {
      events.push(event);
      resolve();
    });
  });
  assert.deepEqual(events, [{ kind: 'compacted' }]);
  const again = await second.commit([{ key: '/b', value: '2', expected: 0 }], (await lead(second)).fence);
  assert.ok(again.kind === 'committed' && again.revision > before.revision);
  await second.close();
});

test('files-of-the-folder: for their owner only', async (t) => {
  const dir = folder(t);
  const store = await open(dir);
  const modes = fs.readdirSync(dir).map((name) => [name, (fs.statSync(join(dir, name)).mode & 0o777).toString(8)]);
  const dirMode = fs.statSync(dir).mode & 0o777;
  await store.close();
  assert.equal(dirMode, 0o700);
  assert.ok(modes.some(([name]) => name === 'kvctl.db-wal'));
  assert.deepEqual(
    modes.filter(([, mode]) => mode !== '600'),
    [],
  );
});

test('second-process-on-the-folder: refused, naming the first; the first goes on', async (t) => {
  const dir = folder(t);
  const store = await open(dir, '10.0.0.7:9379');
  const { fence } = await lead(store);
  const source = `
    const { openEmbeddedStore } = await import(${JSON.stringify(join(import.meta.dirname, 'embedded-store.ts'))});
    const { nodeRuntime } = await import(${JSON.stringify(join(import.meta.dirname, '../../runtime/node-runtime.ts'))});
    const dir = ${JSON.stringify(dir)};
    await openEmbeddedStore({ dir, address: 'second:1', runtime: nodeRuntime() }).catch((error) => {
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    });
  `;
  const second = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' });
  const told: unknown = JSON.parse(second.stdout);
  assert.ok(typeof told === 'object' && told !== null && 'code' in told && 'message' in told, second.stderr);
  assert.equal(told.code, 'locked');
  const message = String(told.message);
  for (const word of [dir, `process ${process.pid} `, '10.0.0.7:9379', 'stop that process']) {
    assert.ok(message.includes(word), message);
  }

  const third = await refusal(dir);
  assert.equal(third.code, 'locked', 'the same process again');
  assert.equal((await store.commit([{ key: '/a', value: '1', expected: 0 }], fence)).kind, 'committed');
  assert.equal((await refusal(dir)).code, 'locked', 'being refused took nothing away');
  await store.close();
  await (await open(dir)).close();
});

test('stale-or-garbled-holder-file: does not matter', async (t) => {
  const dir = folder(t);
  await filled(dir);
  for (const text of [JSON.stringify({ pid: 1, address: 'dead:1', since: 'long ago' }), 'garbage', '[]', 'null']) {
    fs.writeFileSync(join(dir, 'holder.json'), text);
    const store = await open(dir);
    fs.writeFileSync(join(dir, 'holder.json'), text);
    assert.equal((await refusal(dir)).code, 'locked');
    await store.close();
  }
});

/** Changes some bytes in the middle of a file. */
function scribble(path: string, position: number, text: string): void {
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, text, position);
  fs.closeSync(file);
}

const DAMAGE: Record<string, (path: string) => void> = {
  'its header is something else': (path) => scribble(path, 0, 'something else!!'),
  'it is a text file': (path) => fs.writeFileSync(path, 'hello, this is not a database at all\n'.repeat(300)),
  'it is empty': (path) => fs.truncateSync(path, 0),
  'it was cut short': (path) => fs.truncateSync(path, 5 * 4096),
  'pages in its middle are scribbled over': (path) => {
    for (let page = 3; page < 40; page++) scribble(path, page * 4096, '#'.repeat(200));
  },
  'it is another SQLite database': (path) => {
    fs.rmSync(path);
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (1)');
    other.close();
  },
  'its format is not a number': (path) => {
    const db = new DatabaseSync(path);
    db.exec("DELETE FROM meta WHERE name = 'format'; PRAGMA wal_checkpoint(TRUNCATE)");
    db.close();
  },
};

for (const [situation, damage] of Object.entries(DAMAGE)) {
  test(`database-damaged, ${situation}: reported, and not a byte of it changed`, async (t) => {
    const dir = folder(t);
    await filled(dir);
    damage(join(dir, 'kvctl.db'));
    const before = bytes(dir);
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await refusal(dir);
      assert.equal(error.code, 'corrupt', error.message);
      assert.ok(error.message.includes(join(dir, 'kvctl.db')), error.message);
      assert.deepEqual(bytes(dir), before);
    }
  });
}

test('database-damaged-with-a-log-beside-it: neither is changed; nor when the file is gone and the log left', async (t) => {
  const dir = folder(t);
  await filled(dir);
  const store = await open(dir);
  const { fence } = await lead(store);
  await store.commit([{ key: '/k/7', value: 'newer', expected: undefined }], fence);
  const copy = `${dir}.copy`;
  // Not by this process: closing a copy's descriptor would drop the locks of the open store.
  execFileSync('cp', ['-r', dir, copy]);
  await store.close();
  fs.rmSync(join(copy, 'kvctl.db-shm'));
  assert.ok((bytes(copy)[1]?.length ?? 0) > 0);
  for (let page = 3; page < 40; page++) scribble(join(copy, 'kvctl.db'), page * 4096, '#'.repeat(200));
  const before = bytes(copy);
  assert.equal((await refusal(copy)).code, 'corrupt');
  assert.deepEqual(bytes(copy), before);

  fs.rmSync(join(copy, 'kvctl.db'));
  const logOnly = bytes(copy);
  assert.equal((await refusal(copy)).code, 'corrupt');
  assert.deepEqual(bytes(copy), logOnly);
});

test('database-of-a-later-release: refused by its format number, and not a byte of it changed', async (t) => {
  const dir = folder(t);
  await filled(dir);
  const db = new DatabaseSync(join(dir, 'kvctl.db'));
  db.exec("UPDATE meta SET value = 7 WHERE name = 'format'");
  db.close();
  const before = bytes(dir);
  const error = await refusal(dir);
  assert.equal(error.code, 'newer-format');
  assert.match(error.message, /format 7 .* up to 1/);
  assert.deepEqual(bytes(dir), before);
});

test('creation-cut-short: what it left behind is no obstacle', async (t) => {
  const dir = folder(t);
  fs.mkdirSync(dir);
  fs.writeFileSync(join(dir, 'kvctl.db.new'), 'half a database');
  fs.writeFileSync(join(dir, 'kvctl.db.new-wal'), 'half a log');
  const store = await open(dir);
  assert.deepEqual((await store.list('')).entries, []);
  await store.close();
});

test('folder-that-cannot-be-made: one sentence with the way out', async (t) => {
  const parent = folder(t);
  fs.writeFileSync(parent, 'a file');
  const error = await refusal(join(parent, 'data'));
  assert.equal(error.code, 'unwritable');
  assert.match(error.message, /give this user write access .* or choose another folder\.$/);
});

test('folder-without-write-access: the same', {
  skip: process.getuid?.() === 0 && 'root may write anywhere',
}, async (t) => {
  const dir = folder(t);
  fs.mkdirSync(dir, { mode: 0o500 });
  assert.equal((await refusal(dir)).code, 'unwritable');
});
