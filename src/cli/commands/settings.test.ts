import assert from 'node:assert/strict';
import { test } from 'node:test';
import { served, tidy } from '../testing.ts';

const IN = '-n test-ns -c test-cluster';

test('settings are shown without a word for it, with their defaults', async (t) => {
  const { kvctl } = await served(t);
  const shown = await kvctl(`settings ${IN}`);
  assert.deepEqual([shown.code, shown.err], [0, '']);
  const [title, , head, first, ...rest] = shown.out.split('\n');
  assert.equal(title, 'settings of cluster test-cluster of namespace test-ns');
  assert.match(head ?? '', /^SETTING +VALUE +DEFAULT +SET HERE +WHAT IT IS$/);
  assert.match(first ?? '', /^tolerance +3s +3s +no +how long a master that hangs/);
  assert.equal(rest.filter((line) => line !== '').length, 6);
  assert.match(shown.out, /^migrate_speed +- +- +no +migrate-speed of the sources of moves/m);
  for (const line of [
    `settings show ${IN}`,
    'settings test-cluster -n test-ns',
    'settings show test-cluster -n test-ns',
  ])
    assert.deepEqual(await kvctl(line), shown, line);
  const json = await kvctl(`settings ${IN} -o json`);
  assert.equal(JSON.parse(json.out).settings.tolerance_ms.value, 3_000);
});

test('settings are set as people write durations, and given back', async (t) => {
  const { kvctl, plane } = await served(t);
  const set = await kvctl(`settings set tolerance=5s max_lag=1m no-witness-hold=7500ms diverged=fence ${IN}`);
  assert.deepEqual([set.code, set.err], [0, '']);
  assert.deepEqual(plane.asked.at(-1)?.more, [
    { tolerance_ms: 5_000, max_lag_ms: 60_000, no_witness_hold_ms: 7_500, diverged: 'fence' },
  ]);
  assert.match(set.out, /no_witness_hold +7500ms +15s +yes/);
  await kvctl(`settings set tolerance_ms=2000 ${IN}`);
  assert.deepEqual(plane.asked.at(-1)?.more, [{ tolerance_ms: 2_000 }]);
  await kvctl(`settings set concurrent_moves=2 migrate-speed=0 migrate_rate_limit=8 ${IN}`);
  assert.deepEqual(plane.asked.at(-1)?.more, [{ concurrent_moves: 2, migrate_speed: 0, migrate_rate_limit_mb: 8 }]);
  assert.match(
    (await kvctl(`settings set migrate_speed=fast ${IN}`)).err,
    /migrate_speed: got "fast"; allowed: a whole/,
  );
  const unset = await kvctl(`settings unset tolerance diverged ${IN}`);
  assert.deepEqual(plane.asked.at(-1)?.more, [{ tolerance_ms: null, diverged: null }]);
  assert.match(unset.out, /tolerance +3s +3s +no/);
});

test('a setting that is none, or may not be so, is refused with what is allowed', async (t) => {
  const { kvctl, plane } = await served(t);
  for (const [line, said] of [
    ['set tolerence=5s', /there is no setting "tolerence"; allowed: tolerance, max_lag, no_witness_hold, diverged/],
    ['set tolerance', /got "tolerance"; allowed: a setting and its value, such as tolerance=5s/],
    ['set tolerance=soon', /tolerance: got "soon"\. Allowed: a number and its unit/],
    ['set tolerance=1h', /tolerance_ms: got 3600000; allowed: a whole number of milliseconds from 1000 to 600000/],
    ['set diverged=copy', /diverged: got "copy"; allowed: resync, fence/],
    ['unset lag', /there is no setting "lag"/],
    ['tolerance=5s', /kvctl settings set tolerance=5s/],
  ] as const) {
    const { code, out, err } = await kvctl(`settings ${line} ${IN}`);
    assert.deepEqual({ line, code, out }, { line, code: 2, out: '' });
    assert.match(err, said);
  }
  assert.deepEqual(plane.asked, []);
});

test('a node that is special is set by its address, and shown so', async (t) => {
  const { kvctl, plane } = await served(t);
  const { code, out } = await kvctl(`node set 127.0.0.1:7001 --priority 200 --no-failover ${IN}`);
  assert.deepEqual([code, tidy(out)], [0, 'set node: <node 1> successfully.\n']);
  assert.deepEqual(plane.asked.at(-1)?.more[1], { priority: 200, noFailover: true, address: undefined });
  assert.match((await kvctl(`list nodes ${IN}`)).out, /127\.0\.0\.1:7001 +slave, priority 200, no failover +/);
  assert.match((await kvctl(`status ${IN}`)).out, /127\.0\.0\.1:7001 +slave, priority 200, no failover +up/);
  await kvctl(`node set 127.0.0.1:7001 --failover ${IN}`);
  assert.deepEqual(plane.asked.at(-1)?.more[1], { priority: undefined, noFailover: false, address: undefined });
  const nothing = await kvctl(`node set 127.0.0.1:7001 ${IN}`);
  assert.deepEqual([nothing.code, plane.asked.length], [2, 2]);
  assert.match(nothing.err, /Name --priority <number>, --no-failover, --failover or --addr <address>/);
  assert.equal((await kvctl(`node set 127.0.0.1:7001 --addr 127.0.0.1:7777 ${IN}`)).code, 0);
  assert.match((await kvctl(`list nodes ${IN}`)).out, /127\.0\.0\.1:7777/);
});

test('a master that lost its data is accepted empty, on a person’s word', async (t) => {
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return 'y';
  };
  const { kvctl, plane } = await served(t, { ask });
  const { code, out } = await kvctl(`node readmit 127.0.0.1:7000 --empty ${IN}`);
  assert.deepEqual([code, tidy(out)], [0, 'readmit node: <node 1> successfully.\n']);
  assert.equal(plane.asked.at(-1)?.what, 'readmitEmpty');
  assert.match(questions[0] ?? '', /GIVEN UP/);
  assert.equal((await kvctl(`node readmit 127.0.0.1:7000 --empty --force ${IN}`)).code, 2);
  await kvctl(`node readmit 127.0.0.1:7001 ${IN}`);
  assert.deepEqual([plane.asked.at(-1)?.what, questions.length], ['readmitNode', 1]);
});

test('a pause until a time, which is said in full', async (t) => {
  const now = Date.parse('2026-11-25T02:30:00Z');
  const { kvctl, plane } = await served(t, { clock: { now: () => now, wall: () => now } });
  const until = Date.parse('2099-11-25T03:00:00Z');
  const { code, out } = await kvctl(`pause ${IN} --until 2099-11-25T03:00Z`);
  assert.deepEqual([code, out], [0, 'pause cluster: test-cluster successfully, until 2099-11-25 03:00:00Z.\n']);
  assert.deepEqual(plane.asked.at(-1)?.more, [until]);
  for (const [flags, said] of [
    ['--until soon', /until: got "soon"; allowed: a time such as/],
    ['--until 2020-01-01T00:00Z', /until: 2020-01-01 00:00:00Z is past; it is 2026-11-25 02:30:00Z/],
    ['--until 03:00 --for 10m', /both --for and --until/],
  ] as const) {
    const wrong = await kvctl(`pause ${IN} ${flags}`);
    assert.equal(wrong.code, 2, flags);
    assert.match(wrong.err, said);
  }
});
