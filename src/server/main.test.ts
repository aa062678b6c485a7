import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import product from '../../package.json' with { type: 'json' };
import { freePort, ServerProcess, temporaryFolder } from './testing.ts';

async function ready(port: number): Promise<void> {
  while (!(await fetch(`http://127.0.0.1:${port}/readyz`)).ok) await sleep(5);
}

test('it starts in an empty folder, says where it is and what to do next, and stops at SIGTERM', async (t) => {
  const dir = join(temporaryFolder(t), 'made');
  const port = await freePort();
  const server = new ServerProcess(t, ['--addr', `127.0.0.1:${port}`, '--data-dir', dir]);
  await server.serving();
  await ready(port);
  assert.match(
    server.out,
    new RegExp(`^kvctl-server ${product.version} serves http://127.0.0.1:${port}; data in ${dir}\\.\n`),
  );
  assert.match(server.out, new RegExp(`npx kvctl --host http://127.0.0.1:${port} create namespace demo`));
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
  const lines = server.err
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).msg);
  assert.equal(lines[0], 'serving');
  assert.equal(lines.at(-1), 'stopped');
  assert.ok(!server.err.includes('readyz'));
});

test('what was written is there after a stop and a start, in the same folder at once', async (t) => {
  const dir = temporaryFolder(t);
  const port = await freePort();
  const args = ['--addr', `127.0.0.1:${port}`, '--data-dir', dir, '--log-level', 'error'];
  const url = `http://127.0.0.1:${port}/api/v1/namespaces`;
  const first = new ServerProcess(t, args);
  await first.serving();
  await ready(port);
  const created = await fetch(url, { method: 'POST', body: JSON.stringify({ namespace: 'kept' }) });
  assert.equal(created.status, 201);
  first.child.kill('SIGINT');
  assert.equal(await first.ended, 0);
  const second = new ServerProcess(t, args);
  await second.serving();
  await ready(port);
  assert.deepEqual(await (await fetch(url)).json(), { data: { namespaces: ['kept'] } });
});

test('a request that runs when it is told to stop is answered first', async (t) => {
  const dir = temporaryFolder(t);
  const port = await freePort();
  const server = new ServerProcess(t, ['--addr', `127.0.0.1:${port}`, '--data-dir', dir]);
  await server.serving();
  await ready(port);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes;
  });
  const body = JSON.stringify({ namespace: 'late' });
  socket.write(
    `POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
  );
  // Until its beginning was read; if it was not, the connection is ended unanswered and this fails.
  await sleep(200);
  server.child.kill('SIGTERM');
  while (!server.err.includes('"stopping"')) await sleep(5);
  socket.write(body.slice(5));
  assert.equal(await server.ended, 0);
  assert.match(answer, /^HTTP\/1\.1 201 /);
});

test('a stop that a request without end holds up is over within five seconds', async (t) => {
  const dir = temporaryFolder(t);
  const port = await freePort();
  const server = new ServerProcess(t, ['--addr', `127.0.0.1:${port}`, '--data-dir', dir]);
  await server.serving();
  await ready(port);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{');
  await sleep(200);
  const at = Date.now();
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
  assert.ok(Date.now() - at < 5_000, `it took ${Date.now() - at} ms`);
});

test('a second signal ends it at once', async (t) => {
  const dir = temporaryFolder(t);
  const port = await freePort();
  const server = new ServerProcess(t, ['--addr', `127.0.0.1:${port}`, '--data-dir', dir]);
  await server.serving();
  await ready(port);
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{');
  await sleep(200);
  // Npm's copy of a signal comes at once and changes nothing.
  server.child.kill('SIGINT');
  server.child.kill('SIGTERM');
  while (!server.err.includes('"stopping"')) await sleep(5);
  await sleep(400);
  assert.equal(server.child.exitCode, null);
  server.child.kill('SIGINT');
  assert.equal(await server.ended, 130);
});

test('a taken port: one sentence with the way out', async (t) => {
  const dir = temporaryFolder(t);
  const other = createServer();
  t.after(() => other.close());
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => {
      const at = other.address();
      resolve(at === null || typeof at === 'string' ? 0 : at.port);
    });
  });
  const server = new ServerProcess(t, ['--addr', `127.0.0.1:${port}`, '--data-dir', dir]);
  assert.equal(await server.ended, 1);
  assert.equal(
    server.err,
    `kvctl-server: 127.0.0.1:${port} is taken by another process: stop that one, or choose another address with --addr.\n`,
  );
  assert.equal(server.out, '');
});

test('a folder that another one holds: one sentence with the way out', async (t) => {
  const dir = temporaryFolder(t);
  const first = new ServerProcess(t, ['--addr', `127.0.0.1:${await freePort()}`, '--data-dir', dir]);
  await first.serving();
  const second = new ServerProcess(t, ['--addr', `127.0.0.1:${await freePort()}`, '--data-dir', dir]);
  assert.equal(await second.ended, 1);
  assert.match(
    second.err,
    new RegExp(`^kvctl-server: The data folder ${dir} is in use by process ${first.child.pid} .*\\.\n$`),
  );
});

test('a folder that cannot be made, a damaged store, a log file that cannot be written: exit 1 and one sentence', async (t) => {
  const dir = temporaryFolder(t);
  const file = join(dir, 'file');
  writeFileSync(file, '');
  mkdirSync(join(dir, 'damaged'));
  writeFileSync(join(dir, 'damaged', 'kvctl.db'), 'this is no database, but it is longer than nothing');
  const addr = ['--addr', `127.0.0.1:${await freePort()}`];
  const cases = [
    { args: ['--data-dir', join(file, 'below')], says: /^kvctl-server: The data folder .*choose another folder\.\n$/ },
    { args: ['--data-dir', join(dir, 'damaged')], says: /^kvctl-server: The database .* is damaged .*\.\n$/ },
    {
      args: ['--data-dir', dir, '--log-file', join(file, 'log')],
      says: /^kvctl-server: the log file .* --log-file\.\n$/,
    },
  ];
  for (const { args, says } of cases) {
    const server = new ServerProcess(t, [...addr, ...args]);
    assert.equal(await server.ended, 1);
    assert.match(server.err, says);
  }
});

test('an address that others reach: refused, unless it is allowed by flag, variable or file', async (t) => {
  const dir = temporaryFolder(t);
  const port = await freePort();
  const args = ['--addr', `0.0.0.0:${port}`, '--data-dir', dir];
  const refused = new ServerProcess(t, args);
  assert.equal(await refused.ended, 2);
  assert.match(refused.err, /^kvctl-server: --addr: .* --allow-unauthenticated .*\.\n$/);
  writeFileSync(join(dir, 'c.yaml'), 'allow_unauthenticated: true\n');
  const ways: readonly [readonly string[], Readonly<Record<string, string>>][] = [
    [['--allow-unauthenticated'], {}],
    [[], { KVCTL_SERVER_ALLOW_UNAUTHENTICATED: 'true' }],
    [['-c', join(dir, 'c.yaml')], {}],
  ];
  for (const [more, env] of ways) {
    const server = new ServerProcess(t, [...args, ...more], env);
    await server.serving();
    assert.match(server.out, new RegExp(`^kvctl-server .* serves all addresses, here http://127\\.0\\.0\\.1:${port};`));
    server.child.kill('SIGTERM');
    assert.equal(await server.ended, 0);
  }
});

test('wrong settings: exit 2, each in a sentence, and nothing was made', async (t) => {
  const dir = temporaryFolder(t);
  const file = join(dir, 'c.yaml');
  writeFileSync(file, 'storage_type: etcd\nlog: {level: loud}\n');
  const server = new ServerProcess(t, ['-c', file, '--data-dir', join(dir, 'data')]);
  assert.equal(await server.ended, 2);
  const sentences = server.err.trim().split('\n');
  assert.equal(sentences.length, 2);
  for (const sentence of sentences) assert.match(sentence, new RegExp(`^kvctl-server: ${file}:\\d+:\\d+: .*\\.$`));
  assert.throws(() => statSync(join(dir, 'data')));
});

test('--version and --help', async (t) => {
  const version = new ServerProcess(t, ['--version']);
  assert.equal(await version.ended, 0);
  assert.equal(version.out, `${product.version}\n`);
  const help = new ServerProcess(t, ['--help']);
  assert.equal(await help.ended, 0);
  assert.match(help.out, /--data-dir DIR/);
});

test('a log file: JSON lines are added to it, and standard error stays quiet', async (t) => {
  const dir = temporaryFolder(t);
  const file = join(dir, 'kvctl.log');
  writeFileSync(file, 'before\n');
  const port = await freePort();
  const server = new ServerProcess(t, ['--addr', `127.0.0.1:${port}`, '--data-dir', dir, '--log-file', file]);
  await server.serving();
  server.child.kill('SIGTERM');
  assert.equal(await server.ended, 0);
  const [first, second = ''] = readFileSync(file, 'utf8').split('\n');
  assert.equal(first, 'before');
  assert.equal(JSON.parse(second).msg, 'serving');
  assert.equal(server.err, '');
});
