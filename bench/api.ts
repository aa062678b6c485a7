/**
 * GET cluster against a bare `node:http` server with the same bytes ready: `node bench/api.ts [rounds]`. Both servers
 * are processes of their own and are asked in turns by the same clients: keep-alive, one request in flight each. Counted
 * are answers a second of the server's own processor time, so that what else runs on the machine matters little.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { clusterAnswer } from '../src/api/cluster-cache.ts';
import { createApi, listen } from '../src/api/server.ts';
import { FakePlane, keptLog, TEST_CLUSTER, TESTER } from '../src/api/testing.ts';
import { NO_SECRET } from '../src/runtime/secret.ts';

const GOAL = 0.6;
const CONNECTIONS = 32;
const ROUND = 1500;
const PATH = '/api/v1/namespaces/test-ns/clusters/test-cluster';

/** Ten shards of two nodes. */
async function plane(): Promise<FakePlane> {
  const fake = new FakePlane();
  await fake.createNamespace('test-ns', { caller: TESTER });
  const nodes = Array.from({ length: 20 }, (_, i) => ({ host: '127.0.0.1', port: 7000 + i }));
  const wanted = { name: 'test-cluster', nodes, replicas: 2, password: NO_SECRET };
  await fake.createCluster('test-ns', wanted, {}, { caller: TESTER });
  return fake;
}

async function serveApi(): Promise<number> {
  const api = createApi({ plane: await plane(), version: '0', log: keptLog() });
  return (await listen(api, { host: '127.0.0.1', port: 0 })).port;
}

async function serveBare(): Promise<number> {
  const { bytes } = clusterAnswer((await plane()).cluster(TEST_CLUSTER));
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length };
  const server = createServer((_request, response) => {
    response.writeHead(200, headers).end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('no port');
  return at.port;
}

/** Tells its processor time, in microseconds, whenever asked. */
function tellUsage(): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
}

async function usageOf(child: ChildProcess): Promise<number> {
  const told = once(child, 'message');
  child.send('usage');
  return Number((await told)[0]);
}

interface Server {
  readonly port: number;
  readonly child: ChildProcess;
}

async function start(which: 'api' | 'bare'): Promise<Server> {
  const child = fork(fileURLToPath(import.meta.url), [which], { env: { ...process.env, NODE_ENV: 'production' } });
  const [port] = await once(child, 'message');
  if (typeof port !== 'number') throw new Error(`${which} did not start`);
  return { port, child };
}

/** Answers a second of processor time, over `ms`. All answers are of one length, which the first of a connection tells. */
async function load({ port, child }: Server, ms: number): Promise<number> {
  const request = Buffer.from(`GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  let answers = 0;
  let over = false;
  const sockets: Socket[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let length = 0;
    let received = 0;
    let head = '';
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (length === 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        const body = /content-length: ([0-9]+)/i.exec(head)?.[1];
        if (end < 0 || body === undefined) return;
        if (!head.startsWith('HTTP/1.1 200')) throw new Error(head);
        length = end + 4 + Number(body);
      }
      if (received < length) return;
      received = 0;
      answers++;
      if (!over) socket.write(request);
    });
    await once(socket, 'connect');
    sockets.push(socket);
  }
  const before = await usageOf(child);
  for (const socket of sockets) socket.write(request);
  await sleep(ms);
  over = true;
  const rate = (answers * 1e6) / ((await usageOf(child)) - before);
  for (const socket of sockets) socket.destroy();
  return rate;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function compare(rounds: number): Promise<void> {
  const [bare, api] = await Promise.all([start('bare'), start('api')]);
  try {
    const rates: { readonly bare: number; readonly api: number }[] = [];
    for (const server of [bare, api]) await load(server, ROUND);
    for (let round = 0; round < rounds; round++) {
      rates.push({ bare: await load(bare, ROUND), api: await load(api, ROUND) });
    }
    const ratio = median(rates.map((round) => round.api / round.bare));
    const shown = (which: 'bare' | 'api') => Math.round(median(rates.map((round) => round[which])));
    console.log(`bare node:http  ${shown('bare')} a core and second`);
    console.log(`GET cluster     ${shown('api')} a core and second`);
    console.log(`ratio           ${ratio.toFixed(2)} (goal: at least ${GOAL}) ${ratio >= GOAL ? 'ok' : 'MISSED'}`);
    process.exitCode = ratio >= GOAL ? 0 : 1;
  } finally {
    bare.child.kill();
    api.child.kill();
  }
}

const asked = process.argv[2];
if (asked === 'api' || asked === 'bare') tellUsage();
if (asked === 'api') process.send?.(await serveApi());
else if (asked === 'bare') process.send?.(await serveBare());
else await compare(Number(asked ?? 5));
