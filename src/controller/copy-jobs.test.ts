import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Check, CopyAnswers, CopyJob, Raise } from '../decisions/jobs.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import { bulk, type FakePeer, fakeWorld, settled } from '../kvrocks/testing.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { CopyJobs } from './copy-jobs.ts';
import { MemoryShelf } from './memory-shelf.ts';

const NODE = { id: 'n'.repeat(40), address: { host: '10.0.0.1', port: 1 } };
const MASTER = { id: 'm'.repeat(40), address: { host: '10.0.0.2', port: 1 } };
const RAISE: Raise = {
  kind: 'raise',
  node: NODE,
  master: MASTER,
  entry: 1,
  run: 5,
  marker: 'fresh',
  raise: true,
  failures: 0,
};
const CHECK: Check = { ...RAISE, kind: 'check', process: { id: 7, startedAt: 1_000_000 } };
const SHA = createHash('sha1').update("return 'fresh'").digest('hex');

/** A server as far as these jobs ask it. */
interface Server {
  id: string;
  role: 'master' | 'slave';
  sequence: number;
  link: 'up' | 'down';
  scripts: Set<string>;
  process: { id: number; startedAt: number };
  /** Its own clock; a master writes so much with each question about its number. */
  writes: number;
  multi: number | undefined;
}

const server = (id: string, sequence: number): Server => ({
  id,
  role: 'master',
  sequence,
  link: 'up',
  scripts: new Set(),
  process: { id: 7, startedAt: 1_000_000 },
  writes: 0,
  multi: undefined,
});

function infoOf(at: Server, section: string): string {
  if (section === 'server') {
    const now = at.process.startedAt + 5_000;
    return `kvrocks_version:2.14.0\r\nkvrocks_mode:cluster\r\nprocess_id:${at.process.id}\r\nserver_time_usec:${now * 1000}\r\nuptime_in_seconds:5\r\n`;
  }
  at.sequence += at.writes;
  return at.role === 'master'
    ? `role:master\r\nmaster_repl_offset:${at.sequence}\r\n`
    : `role:slave\r\nmaster_host:h\r\nmaster_port:1\r\nmaster_link_status:${at.link}\r\nmaster_sync_in_progress:0\r\nmaster_last_io_seconds_ago:0\r\nslave_repl_offset:${at.sequence}\r\n`;
}

function answer(at: Server, [name = '', first = '', ...rest]: readonly string[]): string {
  switch (name) {
    case 'CLUSTERX':
      return bulk(at.id);
    case 'INFO':
      return bulk(infoOf(at, first));
    case 'SCRIPT': {
      const [text = ''] = rest;
      if (first === 'EXISTS') return `*1\r\n:${at.scripts.has(text) ? 1 : 0}\r\n`;
      at.sequence++;
      const sha = createHash('sha1').update(text, 'latin1').digest('hex');
      at.scripts.add(sha);
      return bulk(sha);
    }
    case 'MULTI':
      at.multi = 0;
      return '+OK\r\n';
    case 'MPUBLISH':
      at.sequence += rest.length;
      at.multi = (at.multi ?? 0) + 1;
      return '+QUEUED\r\n';
    case 'EXEC':
      return `*${at.multi ?? 0}\r\n${':0\r\n'.repeat(at.multi ?? 0)}`;
    default:
      return '-ERR unknown command\r\n';
  }
}

/** Commands that have come whole, and how many bytes they took. */
function commandsIn(bytes: string): { commands: string[][]; taken: number } {
  const commands: string[][] = [];
  let at = 0;
  for (;;) {
    const begun = at;
    const head = /^\*(\d+)\r\n/.exec(bytes.slice(at, at + 20));
    if (head === null) return { commands, taken: begun };
    at += head[0].length;
    const words: string[] = [];
    for (let i = 0; i < Number(head[1]); i++) {
      const length = /^\$(\d+)\r\n/.exec(bytes.slice(at, at + 20));
      if (length === null) return { commands, taken: begun };
      at += length[0].length;
      words.push(bytes.slice(at, at + Number(length[1])));
      at += Number(length[1]) + 2;
    }
    commands.push(words);
  }
}

function world(node: Server, master: Server, margin = 1_000) {
  const fake = fakeWorld();
  const found: { kind: CopyJob['kind']; answer: CopyAnswers[CopyJob['kind']] }[] = [];
  const failed: string[] = [];
  const read = new Map<FakePeer, number>();
  let fenced: Connection | undefined;
  let holds = true;
  const { runtime } = fake;
  const connect = () =>
    openConnection(runtime, NODE.address, { password: NO_SECRET, connectTimeout: 1_000, replyTimeout: 1_000 });
  const jobs = new CopyJobs(
    {
      runtime,
      namespace: 'ns',
      cluster: 'c1',
      password: NO_SECRET,
      shelf: new MemoryShelf(),
      bounds: { margin, span: 120_000 },
    },
    {
      found: (_, kind, __, got) => void found.push({ kind, answer: got }),
      progress: () => {},
      failed: (_, __, why) => void failed.push(why),
      mayAct: () => holds,
      use: async (_, connection, work) => (connection === 5 && fenced !== undefined ? work(fenced) : undefined),
    },
  );
  const serve = () => {
    for (const peer of fake.peers) {
      if (peer.over) continue;
      if (!read.has(peer)) {
        read.set(peer, 0);
        peer.accept();
      }
      const at = read.get(peer) ?? 0;
      const { commands, taken } = commandsIn(peer.sent.slice(at));
      read.set(peer, at + taken);
      const to = peer.address.host === NODE.address.host ? node : master;
      for (const command of commands) peer.send(answer(to, command));
    }
  };
  return {
    found,
    failed,
    fence: () => {
      fenced = connect();
    },
    loseLease: () => {
      holds = false;
    },
    /** Until all that was asked is answered. */
    run: async (job: CopyJob) => {
      jobs.run([job]);
      for (let i = 0; i < 200 && found.length === 0 && failed.length === 0; i++) {
        serve();
        await settled();
        await fake.advance(20);
      }
      jobs.close();
    },
  };
}

test('marked, and raised beyond its master by the margin, over the fence’s connection', async () => {
  const node = server(NODE.id, 500);
  const { run, fence, found } = world(node, server(MASTER.id, 20_000));
  fence();
  await run(RAISE);
  assert.deepEqual(found, [
    { kind: 'raise', answer: { to: node.sequence, masterAt: 20_000, margin: 1_000, process: node.process } },
  ]);
  assert.equal(node.sequence, 21_000);
  assert.ok(node.scripts.has(SHA));
});

test('each copy that was not whole doubles the margin', async () => {
  const node = server(NODE.id, 500);
  const { run, fence } = world(node, server(MASTER.id, 20_000));
  fence();
  await run({ ...RAISE, failures: 2 });
  assert.equal(node.sequence, 24_000);
});

test('a master that writes: two minutes of its rate, and what it has written meanwhile', async () => {
  const node = server(NODE.id, 500);
  const master = { ...server(MASTER.id, 20_000), writes: 40 };
  const { run, fence, found } = world(node, master, 10);
  fence();
  await run(RAISE);
  const [got] = found;
  assert.ok(got?.kind === 'raise' && 'margin' in got.answer);
  // 40 in some 420 ms are 100 a second.
  assert.ok(got.answer.margin > 10_000 && got.answer.margin < 14_000, `${got.answer.margin}`);
  assert.ok(got.answer.to - got.answer.masterAt > (got.answer.margin * 3) / 4);
});

test('both servers compare histories: marked and not raised', async () => {
  const node = server(NODE.id, 500);
  const { run, fence, found } = world(node, server(MASTER.id, 20_000));
  fence();
  await run({ ...RAISE, raise: false });
  assert.deepEqual([node.sequence, found.length, node.scripts.has(SHA)], [501, 1, true]);
});

test('marked once: asked again, it is not marked again', async () => {
  const node = server(NODE.id, 500);
  node.scripts.add(SHA);
  const { run, fence } = world(node, server(MASTER.id, 20_000));
  fence();
  await run({ ...RAISE, raise: false });
  assert.equal(node.sequence, 500);
});

test('the fence’s connection is gone, the master is another node, leadership ran out: given up, nothing is raised', async () => {
  const node = server(NODE.id, 500);
  const gone = world(node, server(MASTER.id, 20_000));
  await gone.run(RAISE);
  assert.deepEqual(gone.failed, ['the connection that it was fenced on is gone']);
  const other = world(node, server('x'.repeat(40), 20_000));
  other.fence();
  await other.run(RAISE);
  assert.deepEqual(other.failed, ['another node answers at its address']);
  const deposed = world(node, server(MASTER.id, 20_000));
  deposed.fence();
  deposed.loseLease();
  await deposed.run(RAISE);
  assert.deepEqual(deposed.failed, ['leadership may have run out']);
  assert.equal(node.sequence, 500);
});

test('the marker is gone: copied whole, in the process that had it; still there: not', async () => {
  const slave = (more: Partial<Server>) => ({ ...server(NODE.id, 900), role: 'slave' as const, ...more });
  for (const [node, expected] of [
    [slave({}), 'whole'],
    [slave({ scripts: new Set([SHA]) }), 'not-whole'],
    [slave({ process: { id: 8, startedAt: 1_000_000 } }), 'restarted'],
    [slave({ process: { id: 7, startedAt: 1_060_000 } }), 'restarted'],
  ] as const) {
    const { run, found } = world(node, server(MASTER.id, 900));
    await run(CHECK);
    assert.deepEqual(found, [{ kind: 'check', answer: { sequence: 900, found: expected } }]);
  }
});

test('its link is down, or it says that it is a master: it is not asked for its marker', async () => {
  for (const node of [
    { ...server(NODE.id, 900), role: 'slave' as const, link: 'down' as const },
    server(NODE.id, 900),
  ]) {
    const { run, failed } = world(node, server(MASTER.id, 900));
    await run(CHECK);
    assert.deepEqual(failed, ['its link is not up']);
  }
});
