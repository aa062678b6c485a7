import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startEmulatedNode } from './host.ts';
import { writeCommand } from './resp-reader.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'kvrocks-emulator.js');

/** What a node answers, as raw bytes; the word for why if it does not within `limit` ms. */
function say(port: number, line: string, limit = 3000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (text: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => end('silent'), limit);
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(writeCommand(line.split(' '))));
    socket.on('data', (text: string) => end(text));
    socket.on('error', () => end('refused'));
    socket.on('close', () => end('closed'));
  });
}

async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await test())) {
    if (performance.now() > end) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'emulator-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const topology = (port: number) => `${'a'.repeat(40)} 127.0.0.1 ${port} master - 0-16383`;

async function own(port: number): Promise<void> {
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(writeCommand(['CLUSTERX', 'SETNODES', topology(port), '1']));
    });
    socket.on('data', (bytes) => {
      socket.destroy();
      resolve(String(bytes));
    });
  });
  assert.equal(answer, '+OK\r\n');
}

test('a node in the present process: killed, restarted from memory, hung, woken, stopped', async () => {
  const node = await startEmulatedNode({ conf: { 'migrate-speed': '7' } });
  await own(node.port);
  assert.equal(await say(node.port, 'SET a b'), '+OK\r\n');
  node.kill();
  assert.equal(await say(node.port, 'PING'), 'refused');
  await node.restart();
  assert.equal(await say(node.port, 'GET a'), '$1\r\nb\r\n');
  assert.equal(await say(node.port, 'CONFIG GET migrate-speed'), '*2\r\n$13\r\nmigrate-speed\r\n$1\r\n7\r\n');
  node.hang();
  const late = say(node.port, 'PING', 5000);
  assert.equal(await say(node.port, 'PING', 100), 'silent');
  node.wake();
  assert.equal(await late, '+PONG\r\n');
  await node.stop();
  assert.equal(node.state, 'dead');
  assert.equal(await say(node.port, 'PING'), 'refused');
});

test('a node cut off from its master hears of it again when it is revived', async () => {
  const [a, b] = await Promise.all([startEmulatedNode(), startEmulatedNode()]);
  const lines = [topology(a.port), `${'b'.repeat(40)} 127.0.0.1 ${b.port} slave ${'a'.repeat(40)}`];
  for (const { port } of [a, b]) {
    const socket = connect(port, '127.0.0.1');
    socket.write(writeCommand(['CLUSTERX', 'SETNODES', lines.join('\n'), '1']));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
  }
  const at = async (sequence: number) =>
    (await say(b.port, 'INFO replication')).includes(`slave_repl_offset:${sequence}`);
  await say(a.port, 'SET a b');
  await until('the first write at the replica', () => at(1));
  b.cut();
  await say(a.port, 'SET a c');
  assert.equal(await say(b.port, 'PING', 100), 'silent');
  b.wake();
  await until('the second write at the replica', () => at(2));
  await Promise.all([a.stop(), b.stop()]);
});

test('a crash of a node is told with its reason', async () => {
  const node = await startEmulatedNode();
  await own(node.port);
  assert.match(await say(node.port, `CLUSTERX SETSLOT 2 NODE ${'e'.repeat(40)} 2`), /^-ERR No this node/);
  assert.equal(await say(node.port, 'CLUSTER NODES'), 'closed');
  assert.equal(node.exit?.code, 139);
});

/** The program in a process of its own, ready. */
async function program(t: TestContext, ...args: readonly string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(() => {
    child.kill('SIGKILL');
    return ended;
  });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('the program ended')));
  });
  return { child, ended };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

let nextPort = 20_000 + (process.pid % 8000);

/** The first of `count` free ports in a row, below those that the system gives to clients. */
async function freePort(count = 1): Promise<number> {
  for (let run = 0; run < count; nextPort++) run = (await isFree(nextPort)) ? run + 1 : 0;
  return nextPort - count;
}

test('the program keeps topology and data over kill -9, a torn last line is dropped', async (t) => {
  const dir = folder(t);
  const port = await freePort();
  const first = await program(t, '--port', String(port), '--dir', dir);
  await own(port);
  assert.equal(await say(port, 'SET a b'), '+OK\r\n');
  assert.ok((await say(port, 'INFO server')).includes(`process_id:${first.child.pid}\r\n`));
  first.child.kill('SIGKILL');
  await first.ended;
  writeFileSync(join(dir, 'data.log'), '[2,1,[["SET","c', { flag: 'a' });
  await program(t, '--port', String(port), '--dir', dir);
  assert.equal(await say(port, 'GET a'), '$1\r\nb\r\n');
  assert.equal(await say(port, 'SET c d'), '+OK\r\n');
  assert.match(readFileSync(join(dir, 'data.log'), 'utf8'), /^\[1,.*\n\[2,.*"d".*\n$/);
});

test('several nodes in one process, each killed and revived over the control port', async (t) => {
  const port = await freePort(4);
  const control = port + 3;
  await program(t, '--port', String(port), '--count', '3', '--control', String(control));
  const url = `http://127.0.0.1:${control}/nodes`;
  const act = async (path: string) => (await fetch(`${url}/${path}`, { method: 'POST' })).json();
  assert.deepEqual(await act(`${port + 1}/kill`), { addr: `127.0.0.1:${port + 1}`, state: 'dead' });
  assert.equal(await say(port + 1, 'PING'), 'refused');
  assert.equal(await say(port + 2, 'PING'), '+PONG\r\n');
  assert.deepEqual(await act(`${port + 1}/revive`), { addr: `127.0.0.1:${port + 1}`, state: 'running' });
  assert.equal(await say(port + 1, 'PING'), '+PONG\r\n');
  const all: unknown = await (await fetch(url)).json();
  assert.ok(Array.isArray(all) && all.length === 3);
  assert.equal((await fetch(`${url}/1/kill`, { method: 'POST' })).status, 404);
});

test('nodes at several addresses of one port', async (t) => {
  const port = await freePort();
  await program(t, '--port', String(port), '--count', '2', '--spread', 'addresses');
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const socket = connect(port, host);
    socket.write(writeCommand(['PING']));
    assert.equal(String(await new Promise((resolve) => socket.once('data', resolve))), '+PONG\r\n');
    socket.destroy();
  }
});

test('a taken port, an unknown option, an unwritable folder: one sentence and exit code 1', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const run = (...args: readonly string[]) => spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
  for (const [args, sentence] of [
    [
      ['--port', String(port)],
      /^kvrocks-emulator: port \d+ of 127\.0\.0\.1 is taken; choose another one with --port\.\n$/,
    ],
    [['--conf', 'migrate-spede=1'], /nearest known one is migrate-speed\.\n$/],
    [['--nope'], /--help tells what there is\.\n$/],
    [['--dir', '/proc/nothing'], /cannot be written .*--dir\.\n$/],
  ] as const) {
    const { status, stderr } = run(...args);
    assert.equal(status, 1, stderr);
    assert.match(stderr, sentence);
  }
  taken.close();
  assert.equal(run('--help').status, 0);
});
