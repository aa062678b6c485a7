import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MoveProgress, PlanProgress } from '../../controller/move-views.ts';
import { served, tidy, until } from '../testing.ts';

const HERE = '-n test-ns -c test-cluster';

const MOVE: MoveProgress = {
  id: 'mv-aaaaaaaaaaaa',
  plan: 'pl-aaaaaaaaaaaa',
  phase: 'migrating',
  range: '0-99',
  piece: '40-59',
  piece_for: 12,
  source: '',
  target: '',
  slot_only: false,
  by: 'ops',
  asked_at: 1,
  began_at: 2,
  priority: 0,
  paused: false,
  ending: null,
  failures: 0,
  message: null,
  waiting_for: null,
  slots: 100,
  moved: 40,
  keys: 1_000,
  keys_moved: 400,
  rate: 10,
  time_left: 6_000,
};
const PLAN: PlanProgress = {
  id: 'pl-aaaaaaaaaaaa',
  what: 'rebalance',
  by: 'ops',
  started_at: 1,
  paused: false,
  failed: 0,
  slots: 200,
  moved: 140,
  keys: null,
  keys_moved: null,
  rate: 10,
  time_left: 6_000,
  moves: [MOVE],
};

async function moving(t: Parameters<typeof served>[0], changes: Parameters<typeof served>[1] = {}) {
  const there = await served(t, changes);
  const [source, target] = there.plane
    .cluster({ namespace: 'test-ns', cluster: 'test-cluster' })
    .cluster.shards.map(({ id }) => id);
  const move = { ...MOVE, source: source ?? '', target: target ?? '' };
  const other = { ...move, id: 'mv-bbbbbbbbbbbb', range: '100-1999', moved: 0, keys_moved: 0, rate: null };
  const failed = { ...other, phase: 'failed', piece: null, message: 'slot is busy' } as const;
  there.plane.underWay = { plans: [{ ...PLAN, failed: 1, moves: [failed, move] }], moves: [] };
  return there;
}

test('what is on its way: a bar for each plan and move, rate and time left, and why one was given up', async (t) => {
  const { kvctl, plane } = await moving(t);
  const { out, code } = await kvctl(`move list ${HERE}`);
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), [
    'rebalance pl-aaaaaaaaaaaa  [##############......]  70%  140 of 200 slots, 10/s, 6 s left, 1 move failed',
    '  mv-aaaaaaaaaaaa  0-99      0 -> 1  [####......]  40%  40 of 100 slots (about 400 of 1000 keys), 10/s, 6 s left  migrating 40-59',
    '  mv-bbbbbbbbbbbb  100-1999  0 -> 1  [..........]   0%  0 of 100 slots (about 0 of 1000 keys), 6 s left           failed: slot is busy',
    '',
  ]);
  assert.equal((await kvctl(`moves test-cluster -n test-ns`)).out, out, 'the usual thing to ask of moves');
  plane.underWay = { plans: [], moves: [] };
  assert.equal((await kvctl(`move list test-cluster -n test-ns`)).out, 'No slots are on their way.\n');
});

test('moves are steered: all, those of a plan, one', async (t) => {
  const { kvctl, plane } = await moving(t);
  for (const [line, command] of [
    ['move pause', { do: 'pause', which: 'all' }],
    ['move resume pl-aaaaaaaaaaaa', { do: 'resume', which: { plan: 'pl-aaaaaaaaaaaa' } }],
    ['move cancel mv-aaaaaaaaaaaa', { do: 'cancel', which: { move: 'mv-aaaaaaaaaaaa' } }],
    ['move retry pl-aaaaaaaaaaaa', { do: 'retry', which: { plan: 'pl-aaaaaaaaaaaa' } }],
    ['move settle mv-aaaaaaaaaaaa --owner source', { do: 'settle', move: 'mv-aaaaaaaaaaaa', owner: 'source' }],
    ['move priority pl-aaaaaaaaaaaa 7', { do: 'prefer', which: { plan: 'pl-aaaaaaaaaaaa' }, priority: 7 }],
  ] as const) {
    assert.equal((await kvctl(`${line} ${HERE}`)).code, 0, line);
    assert.deepEqual(plane.asked.at(-1)?.more, [command]);
  }
  const priority = await kvctl(`move priority ${HERE} -- mv-aaaaaaaaaaaa -5`);
  assert.deepEqual(
    [priority.code, plane.asked.at(-1)?.more[0]],
    [0, { do: 'prefer', which: { move: 'mv-aaaaaaaaaaaa' }, priority: -5 }],
  );
});

test('what names no move is refused with what does', async (t) => {
  const { kvctl } = await moving(t);
  for (const [line, said] of [
    [`move retry first ${HERE}`, /got "first"; allowed: the id of a plan/],
    [`move settle pl-aaaaaaaaaaaa --owner source ${HERE}`, /a single move is settled/],
    [`move settle mv-aaaaaaaaaaaa ${HERE}`, /the owner is missing/],
    [`move settle mv-aaaaaaaaaaaa --owner me ${HERE}`, /Allowed: source, target/],
    [`move priority mv-aaaaaaaaaaaa high ${HERE}`, /from -1000 to 1000/],
  ] as const) {
    const { code, err } = await kvctl(line);
    assert.deepEqual([code, said.test(err)], [2, true], `${line}: ${err}`);
  }
});

test('a cancellation says how many moves it gives up, and is asked for', async (t) => {
  let asked = '';
  const ask = async (question: string) => {
    asked = question;
    return 'n';
  };
  const { kvctl, plane } = await moving(t, { ask });
  const { code } = await kvctl(`move cancel pl-aaaaaaaaaaaa ${HERE}`);
  assert.match(asked, /^2 moves given up; what has moved stays where it is/);
  assert.notEqual(code, 0);
  assert.ok(!plane.asked.some(({ what }) => what === 'changeMoves'));
});

const uneven = (kvctl: (line: string) => Promise<unknown>) => kvctl(`migrate slot 0-99 --target 1 ${HERE} --no-wait`);

test('a rebalance: the plan, then what was stored, then how it ended', async (t) => {
  const { kvctl, plane } = await served(t);
  await uneven(kvctl);
  const shown = await kvctl(`rebalance cluster test-cluster -n test-ns --dry-run`);
  assert.deepEqual([shown.code, shown.err], [0, '']);
  const lines = tidy(shown.out).split('\n');
  assert.match(lines[0] ?? '', /^SLOTS +COUNT +KEYS ABOUT +FROM +TO$/);
  assert.match(lines[1] ?? '', / 100 +1000 +1 +0$/);
  assert.match(shown.out, /100 slots in 1 move, for version \d+\.\n$/);
  assert.ok(!plane.asked.some(({ what }) => what === 'rebalance'));

  const done = await kvctl(`rebalance cluster test-cluster -n test-ns --weight 0=1.5 --weight 1=1 --slots-per-move 9`);
  assert.equal(done.code, 0, done.err);
  assert.equal(done.out, 'rebalance of 100 slots is stored as plan pl-4fY2kQ81aZx0.\n');
  assert.match(done.err, /plan pl-4fY2kQ81aZx0 is over/);
  const run = plane.asked.find(({ what }) => what === 'rebalance');
  assert.deepEqual(run?.more[1], { slotsPerMove: 9, priority: 0 });
  assert.notEqual(run?.options.ifVersion, undefined, 'what was shown is what is run');

  const again = await kvctl(`rebalance cluster test-cluster -n test-ns`);
  assert.match(again.out, /^Nothing has to move: each shard has its share/);
});

test('a plan that is under way is waited for first, one that is given up ends the wait with what to do', async (t) => {
  const { kvctl, plane, screen } = await moving(t);
  const running = kvctl(`rebalance cluster test-cluster -n test-ns`);
  await until(() => screen.err.includes('70%'));
  assert.match(screen.err, /Plan pl-aaaaaaaaaaaa is under way; it is waited for first/);
  const [plan] = plane.underWay.plans;
  const moves = (plan?.moves ?? []).map((move) => ({ ...move, phase: 'failed', message: 'slot is busy' }) as const);
  plane.underWay = { plans: [{ ...PLAN, failed: 2, moves }], moves: [] };
  const { code, err } = await running;
  assert.notEqual(code, 0);
  assert.match(err, /plan pl-aaaaaaaaaaaa: 2 of its moves are given up/);
  assert.match(err, /kvctl move retry pl-aaaaaaaaaaaa -n test-ns -c test-cluster/);
});

test('Ctrl-C ends the watching: the plan goes on, and it is said how to watch and to end it', async (t) => {
  const stop = new AbortController();
  let caught = 0;
  const catchCtrlC = () => {
    caught++;
    return () => {
      caught--;
    };
  };
  const { kvctl, screen } = await moving(t, { stopped: stop.signal, errIsTerminal: true, catchCtrlC });
  const running = kvctl(`rebalance test-cluster -n test-ns`);
  await until(() => screen.err.includes('mv-aaaaaaaaaaaa'));
  assert.equal(caught, 1);
  stop.abort();
  const { err, code } = await running;
  assert.deepEqual([code, caught], [7, 0]);
  assert.match(err, /plan pl-aaaaaaaaaaaa is not over; it goes on by itself/);
  assert.match(err, /to watch it: kvctl move list --watch -n test-ns -c test-cluster\n/);
  assert.match(err, /to end it: kvctl move cancel pl-aaaaaaaaaaaa -n test-ns -c test-cluster\n/);
});

test('ended while a shard is drained, scaling in says how to go on, by the shard’s id: its place may be another one’s', async (t) => {
  const stop = new AbortController();
  const { kvctl, screen, plane } = await moving(t, { stopped: stop.signal, errIsTerminal: true });
  const [, shard] = plane.cluster({ namespace: 'test-ns', cluster: 'test-cluster' }).cluster.shards;
  const running = kvctl(`scale in 1 --reset ${HERE}`);
  await until(() => screen.err.includes('mv-aaaaaaaaaaaa'));
  stop.abort();
  const { err } = await running;
  assert.ok(err.includes(`kvctl scale in ${shard?.id} --reset -n test-ns -c test-cluster\n`), err);
});

test('a plan that is paused is not waited for: it is said how to go on with it, and how to give it up', async (t) => {
  const { kvctl, plane } = await moving(t);
  const moves = (plane.underWay.plans[0]?.moves ?? []).map(
    (move) => ({ ...move, phase: 'queued', piece: null }) as const,
  );
  plane.underWay = { plans: [{ ...PLAN, paused: true, moves }], moves: [] };
  const { code, err } = await kvctl(`rebalance test-cluster -n test-ns`);
  assert.equal(code, 4);
  assert.match(err, /plan pl-aaaaaaaaaaaa is under way, and paused: 140 of its 200 slots have moved/);
  assert.match(err, /kvctl move resume pl-aaaaaaaaaaaa .*kvctl move cancel pl-aaaaaaaaaaaa/);
});

test('what is over cannot be steered any more; where nothing is on its way nothing is', async (t) => {
  const { kvctl, plane } = await moving(t);
  const { code, err } = await kvctl(`move retry mv-cccccccccccc ${HERE}`);
  assert.equal(code, 3);
  assert.match(err, /nothing of mv-cccccccccccc is on its way in test-cluster; it may be over/);
  assert.match(err, /kvctl move list -n test-ns -c test-cluster/);
  plane.underWay = { plans: [], moves: [] };
  assert.equal((await kvctl(`move cancel ${HERE}`)).out, 'No slots are on their way.\n');
});

test('a migration is rehearsed: whose slots they are, and what is refused', async (t) => {
  const { kvctl, plane } = await served(t);
  const { code, out } = await kvctl(`migrate slot 100-199,8190-8200 --target 1 --dry-run ${HERE}`);
  assert.equal(code, 0);
  assert.deepEqual(out.split('\n'), [
    'SLOTS      COUNT  FROM  TO',
    '100-199      100  0     1',
    '8190-8191      2  0     1',
    '8192-8200      9  1     there already',
    '',
    '102 slots in 2 moves; it is refused for those that are there already, or nobody’s.',
    '',
  ]);
  assert.ok(!plane.asked.some(({ what }) => what === 'migrate'));
  await kvctl(`migrate slot 5 --target 1 --slots-per-move 3 --priority -2 --no-wait ${HERE}`);
  assert.deepEqual(plane.asked.at(-1)?.more.at(-1), { slotOnly: false, slotsPerMove: 3, priority: -2 });
});

test('scale in: drained, then deleted; scale out: shards first, and run again it adds none twice', async (t) => {
  const { kvctl, plane } = await served(t);
  await kvctl(`create shard ${HERE} --nodes 127.0.0.1:7010,127.0.0.1:7011`);
  const before = plane.cluster({ namespace: 'test-ns', cluster: 'test-cluster' }).cluster.shards.length;
  const out = await kvctl(`scale out test-cluster -n test-ns --nodes 127.0.0.1:7010,127.0.0.1:7011 --replica 2`);
  assert.equal(out.code, 0, out.err);
  assert.match(out.err, /127\.0\.0\.1:7010, 127\.0\.0\.1:7011: a shard already/);
  assert.equal(plane.cluster({ namespace: 'test-ns', cluster: 'test-cluster' }).cluster.shards.length, before);
  const odd = await kvctl(`scale out test-cluster -n test-ns --nodes 127.0.0.1:7012 --replica 2`);
  assert.match(odd.err, /1 node make no whole shards of 2/);
  const gone = await kvctl(`scale in ${before - 1} ${HERE} --dry-run`);
  assert.equal(gone.code, 0, gone.err);
});
