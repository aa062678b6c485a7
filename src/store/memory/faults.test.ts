import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Runtime } from '../../runtime/runtime.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { CampaignEvent, Committed, Leadership, WatchEvent } from '../port.ts';
import { StoreUnavailable } from '../port.ts';
import { MemoryClient } from './client.ts';
import { MemoryServer } from './server.ts';

/** Time that passes only when told to; timers that are due together run in the order they were set. */
class VirtualTime {
  readonly runtime: Runtime;
  #now = 0;
  #set = 0;
  #timers: { readonly due: number; readonly order: number; readonly call: () => void }[] = [];

  constructor() {
    this.runtime = {
      clock: { now: () => this.#now, wall: () => this.#now },
      timers: {
        after: (delay, call) => {
          const timer = { due: this.#now + delay, order: this.#set++, call };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((other) => other !== timer);
          };
        },
      },
      random: seededRandom(1),
      network: {
        connect: () => assert.fail('no network here'),
        resolve: async () => [],
      },
    };
  }

  async pass(span: number): Promise<void> {
    const until = this.#now + span;
    for (;;) {
      // Everything that waits on promises alone happens between two timers.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const next = this.#timers.sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined || next.due > until) break;
      this.#timers.shift();
      this.#now = next.due;
      next.call();
    }
    this.#now = until;
  }
}

function world(lease = 6_000) {
  const time = new VirtualTime();
  const server = new MemoryServer({ runtime: time.runtime, lease });
  return { time, server, connect: () => new MemoryClient(server, time.runtime, { timeout: 1_000 }) };
}

function campaign(client: MemoryClient, identity: string) {
  const events: CampaignEvent[] = [];
  const handle = client.campaign(identity, (event) => events.push(event));
  return {
    handle,
    said: () => events.map((event) => (event.kind === 'following' ? `following ${event.leader}` : event.kind)),
    leadership: (): Leadership => {
      const last = events.findLast((event) => event.kind === 'leading');
      assert.ok(last !== undefined, 'never led');
      return last.leadership;
    },
  };
}

async function after<T>(time: VirtualTime, span: number, promise: Promise<T>): Promise<T | 'pending'> {
  let outcome: T | 'pending' = 'pending';
  void promise.then((value) => {
    outcome = value;
  });
  await time.pass(span);
  return outcome;
}

function kindOf(outcome: Committed | 'pending'): string {
  return outcome === 'pending' ? outcome : outcome.kind;
}

const write = [{ key: '/a', value: '1', expected: 0 }];

test('leader-killed: the follower leads when the lease has run out, not before, and the dead one is fenced', async () => {
  const { time, server, connect } = world();
  const [a, b] = [connect(), connect()];
  const [one, two] = [campaign(a, 'one'), campaign(b, 'two')];
  await time.pass(100);
  assert.deepEqual([one.said(), two.said()], [['leading'], ['following one']]);
  a.kill();
  const late = one.leadership().fence;
  await time.pass(5_800);
  assert.deepEqual(two.said(), ['following one']);
  await time.pass(300);
  assert.deepEqual(two.said(), ['following one', 'leading']);
  assert.deepEqual(server.commit(write, late), { kind: 'fenced' });
  assert.deepEqual(server.leader(), { identity: 'two', fence: two.leadership().fence });
});

test('leader-partitioned: knows it by its own clock before another leads, and follows when it is back', async () => {
  const { time, server, connect } = world();
  const [a, b] = [connect(), connect()];
  a.faults.latency = () => 40;
  const one = campaign(a, 'one');
  await time.pass(100);
  const two = campaign(b, 'two');
  await time.pass(7_000);
  assert.deepEqual([one.said(), two.said()], [['leading'], ['following one']]);
  a.reach = 'silent';
  const held = one.leadership().heldUntil();
  await time.pass(held - time.runtime.clock.now() - 1);
  assert.equal(one.said().at(-1), 'leading');
  assert.equal(two.said().at(-1), 'following one');
  await time.pass(2);
  assert.equal(one.said().at(-1), 'lost');
  assert.equal(two.said().at(-1), 'following one');
  await time.pass(200);
  assert.equal(two.said().at(-1), 'leading');
  assert.equal(server.leader()?.identity, 'two');
  a.reach = 'up';
  await time.pass(3_000);
  assert.deepEqual(one.said(), ['leading', 'lost', 'following two']);
});

test('leader-with-a-healthy-link: leads for an hour, its lease always ahead of the clock', async () => {
  const { time, connect } = world();
  const one = campaign(connect(), 'one');
  await time.pass(100);
  for (let minute = 0; minute < 60; minute++) {
    await time.pass(60_000);
    assert.ok(one.leadership().heldUntil() - time.runtime.clock.now() > 3_000);
  }
  assert.deepEqual(one.said(), ['leading']);
});

test('slow-commit: its answer comes late, what is asked behind it waits, and leadership does not', async () => {
  const { time, server, connect } = world();
  const a = connect();
  const one = campaign(a, 'one');
  await time.pass(100);
  a.faults.latency = (about, way) => (about === 'commit' && way === 'there' ? 9_000 : 1);
  const commit = a.commit(write, one.leadership().fence);
  const read = a.read(['/a']).catch(() => 'lost');
  assert.equal(kindOf(await after(time, 8_000, commit)), 'unknown');
  assert.equal(await read, 'lost');
  assert.equal(server.read('/a'), undefined);
  assert.deepEqual(one.said(), ['leading']);
  await time.pass(1_100);
  assert.equal(server.read('/a')?.value, '1');
});

test('answer-lost: the commit is unknown, yet written, and every client finds it by reading', async () => {
  const { time, server, connect } = world();
  const a = connect();
  const one = campaign(a, 'one');
  await time.pass(100);
  for (const loss of ['cut', 'silence'] as const) {
    const key = `/${loss}`;
    a.faults.loseAnswer = (errand) => (errand === 'commit' ? loss : undefined);
    const commit = a.commit([{ key, value: 'v', expected: 0 }], one.leadership().fence);
    const outcome = await after(time, 1_100, commit);
    assert.equal(kindOf(outcome), 'unknown');
    const read = await after(time, 10, a.read([key]));
    assert.equal(read !== 'pending' && read[0]?.value, 'v');
  }
  assert.equal(server.list('/').length, 2);
  assert.deepEqual(one.said(), ['leading']);
});

test('silent-store: nothing arrives, reads are refused, a commit stays unknown and unwritten', async () => {
  const { time, server, connect } = world();
  const a = connect();
  const one = campaign(a, 'one');
  await time.pass(100);
  a.reach = 'silent';
  const reading = a.read(['/a']).then(
    () => 'answered',
    (error: unknown) => error instanceof StoreUnavailable && 'unavailable',
  );
  const committing: Promise<Committed> = a.commit(write, one.leadership().fence);
  assert.equal(await after(time, 900, reading), 'pending');
  assert.equal(await after(time, 200, reading), 'unavailable');
  const outcome = await after(time, 0, committing);
  assert.equal(kindOf(outcome), 'unknown');
  assert.deepEqual(server.list(''), []);
});

test('refused-store: a commit certainly failed; one already under way is unknown', async () => {
  const { time, server, connect } = world();
  const a = connect();
  a.faults.latency = () => 10;
  const one = campaign(a, 'one');
  await time.pass(100);
  const underWay = a.commit(write, one.leadership().fence);
  await time.pass(5);
  a.reach = 'refused';
  const refused = await after(time, 100, a.commit(write, one.leadership().fence));
  const cut = await after(time, 0, underWay);
  assert.equal(kindOf(refused), 'failed');
  assert.equal(kindOf(cut), 'unknown');
  assert.deepEqual(server.list(''), []);
});

test('slow-link: commits arrive in the order they were sent, whatever each one takes', async () => {
  const { time, server, connect } = world();
  const a = connect();
  const one = campaign(a, 'one');
  await time.pass(100);
  const latencies = [500, 1, 300, 2, 1, 90];
  a.faults.latency = () => latencies.shift() ?? 1;
  for (let i = 0; i < 5; i++)
    void a.commit([{ key: '/n', value: String(i), expected: undefined }], one.leadership().fence);
  const seen: string[] = [];
  server.observe(({ changes }) => {
    for (const change of changes) if (change.kind === 'put') seen.push(change.entry.value);
  });
  await time.pass(2_000);
  assert.deepEqual(seen, ['0', '1', '2', '3', '4']);
});

test('watch-through-a-short-silence: what happened meanwhile comes afterwards, once and in order', async () => {
  const { time, server, connect } = world();
  const a = connect();
  const events: WatchEvent[] = [];
  a.watch('/', 0, (event) => events.push(event));
  server.plant([{ key: '/x', value: '1' }]);
  await time.pass(10);
  a.reach = 'silent';
  server.plant([{ key: '/x', value: '2' }]);
  await time.pass(500);
  assert.equal(events.length, 1);
  a.reach = 'up';
  server.plant([{ key: '/x', value: null }]);
  await time.pass(10);
  assert.deepEqual(
    events.map((event) => event.kind === 'changes' && event.revision),
    [1, 2, 3],
  );
});

test('watch-of-an-unreachable-store: ends with lost, after the timeout when silent, at once when refused', async () => {
  const { time, server, connect } = world();
  for (const [reach, patience] of [
    ['silent', 1_000],
    ['refused', 0],
  ] as const) {
    const a = connect();
    const events: WatchEvent[] = [];
    a.watch('/', server.revision, (event) => events.push(event));
    await time.pass(10);
    a.reach = reach;
    if (patience > 0) await time.pass(patience - 1);
    assert.equal(events.length, 0);
    await time.pass(1);
    assert.deepEqual(
      events.map((event) => event.kind),
      ['lost'],
    );
    a.reach = 'up';
    server.plant([{ key: '/x', value: reach }]);
    await time.pass(10);
    assert.equal(events.length, 1);
  }
});

test('watch-from-a-compacted-revision, and over a restored backup: says compacted and ends', async () => {
  const { time, server, connect } = world();
  const a = connect();
  server.plant([{ key: '/x', value: '1' }]);
  const backup = server.backup();
  server.plant([{ key: '/x', value: '2' }]);
  server.plant([{ key: '/y', value: '1' }]);
  server.compact(2);
  const [early, late]: [WatchEvent[], WatchEvent[]] = [[], []];
  a.watch('/', 1, (event) => early.push(event));
  a.watch('/', 2, (event) => late.push(event));
  await time.pass(10);
  server.restore(backup);
  await time.pass(10);
  assert.deepEqual(
    early.map((event) => event.kind),
    ['compacted'],
  );
  assert.deepEqual(
    late.map((event) => event.kind),
    ['changes', 'compacted'],
  );
  assert.deepEqual(
    server.list('').map(({ key, value }) => [key, value]),
    [['/x', '1']],
  );
  assert.ok(server.revision > 3);
});

test('two-campaigns-over-bad-links: at no moment do two clients both believe that their lease holds', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const { time, server, connect } = world(2_000);
    const clients = [connect(), connect(), connect()];
    const leases: (Leadership | undefined)[] = [undefined, undefined, undefined];
    clients.forEach((client, i) => {
      client.faults.latency = () => random.next() * 80;
      client.faults.loseAnswer = () => (random.next() < 0.1 ? (random.next() < 0.5 ? 'cut' : 'silence') : undefined);
      client.campaign(`c${i}`, (event) => {
        leases[i] = event.kind === 'leading' ? event.leadership : undefined;
      });
    });
    let led = 0;
    for (let step = 0; step < 300; step++) {
      await time.pass(random.next() * 100);
      const client = clients[Math.floor(random.next() * 3)];
      if (client !== undefined && random.next() < 0.05) client.reach = 'silent';
      if (client !== undefined && random.next() < 0.1) client.reach = 'up';
      const now = time.runtime.clock.now();
      const holding = leases.filter((lease) => lease !== undefined && lease.heldUntil() > now);
      assert.ok(holding.length <= 1, `seed ${seed} step ${step}`);
      if (holding[0] !== undefined) {
        led++;
        assert.equal(server.leader()?.fence, holding[0].fence, `seed ${seed} step ${step}`);
      }
    }
    assert.ok(led > 30, `seed ${seed}: somebody led only in ${led} of 300 steps`);
  }
});
