import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOST, World } from './testing.ts';

const A = 7000;
const B = 7001;
const C = 7002;
const id = (port: number) => String(port % 10).repeat(40);
const master = (port: number, slots = '') => `${id(port)} ${HOST} ${port} master - ${slots}`;
const slave = (port: number, of: number) => `${id(port)} ${HOST} ${port} slave ${id(of)}`;

function tell(world: World, port: number, version: number, ...lines: readonly string[]) {
  return world.ask(port, ['CLUSTERX', 'SETNODES', lines.join('\n'), String(version)], `v${version}`);
}

function fill(world: World, port: number, count: number, prefix: string): void {
  for (let i = 0; i < count; i++) assert.equal(world.say(port, `SET ${prefix}${i} x`), '+OK');
}

function holds(world: World, port: number, count: number, prefix: string): number {
  world.say(port, 'READONLY', 'reader');
  let found = 0;
  for (let i = 0; i < count; i++) if (world.say(port, `GET ${prefix}${i}`, 'reader') === 'x') found += 1;
  return found;
}

function linked(world: World, port: number): void {
  world.runUntil(`link of ${port}`, () => world.info(port).get('master_link_status') === 'up');
}

function level(world: World, port: number, sequence: number): void {
  world.runUntil(`${port} at ${sequence}`, () => world.info(port).get('slave_repl_offset') === String(sequence));
}

/** A master A and its replica B. */
function pair(conf: Readonly<Record<string, string>> = {}): World {
  const world = new World();
  world.add(A, conf);
  world.add(B, conf);
  tell(world, A, 1, master(A, '0-16383'), slave(B, A));
  tell(world, B, 1, master(A, '0-16383'), slave(B, A));
  linked(world, B);
  return world;
}

function promotionOfB(world: World): number {
  const began = world.now;
  assert.equal(tell(world, B, 2, master(B, '0-16383'), slave(A, B)), '+OK');
  assert.equal(world.info(B).get('role'), 'master');
  return world.now - began;
}

for (const [delay, from, to] of [
  [0, 950, 1110],
  [400, 950, 1110],
  [940, 950, 1110],
  [1050, 1950, 2110],
  [1500, 1950, 2110],
] as const) {
  test(`a promotion told ${delay} ms after the master was killed ends at a full second after the kill`, () => {
    const world = pair();
    const killed = world.now;
    world.kill(A);
    world.run(delay);
    promotionOfB(world);
    const after = world.now - killed;
    assert.ok(after >= from && after <= to, `${after} ms after the kill`);
  });
}

for (const what of ['live', 'hung'] as const) {
  test(`a promotion beside a ${what} master takes up to a turn of 100 ms`, () => {
    const world = pair();
    world.run(37);
    if (what === 'hung') world.hang(A);
    const took = promotionOfB(world);
    assert.ok(took <= 110, `${took} ms`);
  });
}

test('a promotion while the master is a black hole waits for the connect to give up', () => {
  const world = pair();
  world.cut(B, A);
  world.kill(A);
  world.start(A);
  world.run(1500);
  assert.equal(world.info(B).get('master_link_status'), 'down');
  const took = promotionOfB(world);
  assert.ok(took > 500 && took <= 3200, `${took} ms`);
});

test('a replica with a wrong password pauses ten seconds, and a promotion sits the pause out', () => {
  const world = new World();
  world.add(A, { requirepass: 'right' });
  world.add(B, { masterauth: 'wrong' });
  tell(world, B, 1, master(A, '0-16383'), slave(B, A));
  world.run(2000);
  assert.equal(world.info(B).get('master_link_status'), 'down');
  const took = promotionOfB(world);
  assert.ok(took > 7000 && took < 10_100, `${took} ms`);
});

test('while SETNODES waits nothing else is answered', () => {
  const world = pair();
  world.kill(A);
  world.run(100);
  world.post(B, ['CLUSTERX', 'SETNODES', `${master(B, '0-16383')}\n${slave(A, B)}`, '2'], 'setter');
  world.run(50);
  const asked = world.now;
  assert.equal(world.say(B, 'PING', 'other'), '+PONG');
  assert.ok(world.now - asked > 700, 'PING waited with it');
});

test('a master that comes back empty wipes its replica one second after the kill', () => {
  const world = pair();
  fill(world, A, 50, 'k');
  level(world, B, 50);
  world.kill(A);
  world.wipe(A);
  world.run(50);
  world.start(A);
  world.run(900);
  assert.equal(world.info(B).get('slave_repl_offset'), '50');
  world.run(200);
  assert.equal(world.info(B).get('slave_repl_offset'), '0');
  assert.deepEqual(world.say(B, 'KEYS *'), []);
});

test('a promotion within that second saves every key', () => {
  const world = pair();
  fill(world, A, 50, 'k');
  level(world, B, 50);
  world.kill(A);
  world.wipe(A);
  world.run(50);
  world.start(A);
  world.run(890);
  promotionOfB(world);
  assert.equal(holds(world, B, 50, 'k'), 50);
});

test('a diverged node behind its new master is believed, and lies', () => {
  const world = pair();
  fill(world, A, 10, 'k');
  level(world, B, 10);
  world.kill(A);
  promotionOfB(world);
  fill(world, B, 30, 'new');
  world.start(A);
  fill(world, A, 5, 'old');
  tell(world, A, 2, master(B, '0-16383'), slave(A, B));
  level(world, A, 40);
  assert.equal(holds(world, A, 5, 'old'), 5);
  assert.equal(holds(world, A, 30, 'new'), 25);
  assert.equal(world.info(B, 'stats').get('sync_full'), '0');
});

test('raised beyond its master by messages a diverged node is copied whole, and a marker proves it', () => {
  const world = pair();
  fill(world, A, 10, 'k');
  level(world, B, 10);
  world.kill(A);
  promotionOfB(world);
  fill(world, B, 30, 'new');
  world.start(A);
  fill(world, A, 5, 'old');
  tell(world, A, 2, master(B, '0-16383'), master(A));
  const sha = world.ask(A, ['SCRIPT', 'LOAD', "return 'marker'"]);
  assert.equal(typeof sha, 'string');
  assert.deepEqual(world.ask(A, ['SCRIPT', 'EXISTS', String(sha)]), [1]);
  assert.equal(world.say(A, 'PUBLISH raise x'), 0);
  world.ask(A, ['MPUBLISH', 'raise', ...Array.from({ length: 100 }, () => 'x')]);
  assert.equal(world.info(A).get('master_repl_offset'), '117');
  tell(world, A, 3, master(B, '0-16383'), slave(A, B));
  level(world, A, 40);
  assert.deepEqual(world.ask(A, ['SCRIPT', 'EXISTS', String(sha)]), [0]);
  assert.equal(holds(world, A, 5, 'old'), 0);
  assert.equal(holds(world, A, 30, 'new'), 30);
  const stats = world.info(B, 'stats');
  assert.equal(stats.get('sync_full'), '1');
  assert.equal(stats.get('sync_partial_err'), '1');
});

test('with use-rsid-psync on both sides a diverged node is copied whole', () => {
  const world = pair({ 'use-rsid-psync': 'yes' });
  fill(world, A, 10, 'k');
  level(world, B, Number(world.info(A).get('master_repl_offset')));
  world.kill(A);
  promotionOfB(world);
  fill(world, B, 30, 'new');
  world.start(A);
  fill(world, A, 5, 'old');
  tell(world, A, 2, master(B, '0-16383'), slave(A, B));
  level(world, A, Number(world.info(B).get('master_repl_offset')));
  linked(world, A);
  assert.equal(holds(world, A, 5, 'old'), 0);
  assert.equal(holds(world, A, 30, 'new'), 30);
});

test('a sibling ahead of the promoted one is copied whole, told in time', () => {
  const world = pair();
  world.add(C);
  tell(world, C, 1, master(A, '0-16383'), slave(B, A), slave(C, A));
  linked(world, C);
  fill(world, A, 10, 'k');
  level(world, B, 10);
  world.cut(A, B);
  fill(world, A, 5, 'ahead');
  level(world, C, 15);
  world.kill(A);
  assert.equal(world.info(B).get('slave_repl_offset'), '10');
  tell(world, B, 2, master(B, '0-16383'), slave(C, B));
  tell(world, C, 2, master(B, '0-16383'), slave(C, B));
  level(world, C, 10);
  assert.equal(holds(world, C, 5, 'ahead'), 0);
});

test('a master tells what was acknowledged, which lags two seconds behind on a quiet link', () => {
  const world = pair();
  fill(world, A, 1, 'first');
  world.run(1);
  world.post(A, ['MSET', ...Array.from({ length: 40 }, (_, i) => [`{x}${i}`, 'x']).flat()]);
  assert.equal(world.read(A), '+OK');
  level(world, B, 41);
  assert.equal(world.info(A).get('slave0'), `ip=${HOST},port=${B},offset=1,lag=40`);
  world.run(2300);
  assert.equal(world.info(A).get('slave0'), `ip=${HOST},port=${B},offset=41,lag=0`);
});

test('WAIT behind a write of its own takes until the next ping', () => {
  const world = pair();
  fill(world, A, 1, 'a');
  world.run(10);
  fill(world, A, 1, 'b');
  world.run(10);
  const began = world.now;
  assert.equal(world.say(A, 'WAIT 1 5000'), 1);
  assert.ok(world.now - began > 100 && world.now - began < 2300);
});

test('seconds since the last contact stay small while the master is idle and grow while it hangs', () => {
  const world = pair();
  for (let i = 0; i < 100; i++) {
    world.run(100);
    assert.ok(Number(world.info(B).get('master_last_io_seconds_ago')) <= 3);
  }
  world.hang(A);
  world.run(5500);
  assert.equal(world.info(B).get('master_link_status'), 'up');
  assert.ok(Number(world.info(B).get('master_last_io_seconds_ago')) >= 4);
});

test('a dead replica is listed until the second ping fails', () => {
  const world = pair();
  world.kill(B);
  world.run(1900);
  assert.equal(world.info(A).get('connected_slaves'), '1');
  world.run(2700);
  assert.equal(world.info(A).get('connected_slaves'), '0');
});

test('slave-serve-stale-data no: a replica without its master is deaf until the setting is changed', () => {
  const world = pair({ 'slave-serve-stale-data': 'no' });
  world.kill(A);
  world.run(10);
  const refused = "-MASTERDOWN Link with MASTER is down and slave-serve-stale-data is set to 'no'.";
  assert.equal(world.say(B, 'PING'), refused);
  assert.equal(tell(world, B, 2, master(B, '0-16383')), refused);
  assert.equal(world.info(B).get('role'), 'slave');
  assert.equal(world.say(B, 'CONFIG SET slave-serve-stale-data yes'), '+OK');
  promotionOfB(world);
});

test('slave-empty-db-before-fullsync yes and a master that dies in the copy: INFO kills the replica', () => {
  const world = new World();
  world.add(A, { 'max-replication-mb': '1' });
  world.add(B, { 'slave-empty-db-before-fullsync': 'yes' });
  tell(world, A, 1, master(A, '0-16383'), slave(B, A));
  world.ask(A, ['SET', 'big', 'x'.repeat(600_000)]);
  tell(world, B, 1, master(B, '0-16383'));
  fill(world, B, 5, 'own');
  tell(world, B, 2, master(A, '0-16383'), slave(B, A));
  world.run(100);
  assert.equal(world.say(B, 'PING'), '-LOADING kvrocks is restoring the db from backup');
  assert.equal(world.say(B, 'INFO replication'), '# Replication\r\n');
  world.kill(A);
  world.run(10);
  assert.equal(world.say(B, 'PING'), '+PONG');
  assert.equal(world.say(B, 'INFO replication'), '(closed)');
  assert.equal(world.exitOf(B)?.code, 139);
});

test('a promotion in one transaction tells the very sequence it starts from', () => {
  const world = pair();
  fill(world, A, 10, 'k');
  level(world, B, 10);
  for (const words of [
    ['MULTI'],
    ['CLUSTERX', 'SETNODES', `${master(B, '0-16383')}\n${slave(A, B)}`, '2'],
    ['INFO', 'replication'],
    ['EXEC'],
  ]) {
    world.post(B, words);
  }
  assert.deepEqual([world.read(B), world.read(B), world.read(B)], ['+OK', '+QUEUED', '+QUEUED']);
  const replies = world.read(B);
  assert.ok(Array.isArray(replies));
  assert.equal(replies[0], '+OK');
  assert.match(String(replies[1]), /role:master\r\n.*master_repl_offset:10\r\n/s);
});

/** `MULTI; INFO; SETNODES; INFO; EXEC`: the number before and the one behind. */
function toldInOneBreath(world: World, port: number, version: number, ...lines: readonly string[]): readonly number[] {
  const info = ['INFO', 'replication'];
  const told = ['CLUSTERX', 'SETNODES', lines.join('\n'), String(version)];
  for (const words of [['MULTI'], info, told, info, ['EXEC']]) world.post(port, words);
  for (let i = 0; i < 4; i++) world.read(port);
  const replies = world.read(port);
  assert.ok(Array.isArray(replies) && replies[1] === '+OK');
  return [replies[0], replies[2]].map((text) => Number(/master_repl_offset:(\d+)/.exec(String(text))?.[1]));
}

test('a node begins to follow within SETNODES: what comes behind it may read a number beyond that of the attach', () => {
  const world = pair();
  fill(world, A, 10, 'k');
  level(world, B, 10);
  tell(world, B, 2, master(A, '0-16383'), master(B));
  fill(world, A, 5, 'more');
  assert.deepEqual(toldInOneBreath(world, B, 3, master(A, '0-16383'), slave(B, A)), [10, 15]);
});

test('a replica that is moved goes on applying what its old master sends until its thread has ended', () => {
  const world = pair();
  world.add(C);
  fill(world, A, 10, 'k');
  level(world, B, 10);
  world.post(B, ['MULTI'], 'breath');
  world.post(B, ['INFO', 'replication'], 'breath');
  world.post(B, ['CLUSTERX', 'SETNODES', `${master(C, '0-16383')}\n${slave(B, C)}`, '2'], 'breath');
  world.post(B, ['INFO', 'replication'], 'breath');
  world.post(B, ['EXEC'], 'breath');
  world.run(1);
  fill(world, A, 3, 'late');
  for (let i = 0; i < 4; i++) world.read(B, 'breath');
  const replies = String(world.read(B, 'breath'));
  assert.deepEqual(
    [...replies.matchAll(/master_repl_offset:(\d+)/g)].map(([, number]) => number),
    ['10', '13'],
  );
});

test('with use-rsid-psync the history entry comes behind what the transaction told', () => {
  const world = pair({ 'use-rsid-psync': 'yes' });
  const before = Number(world.info(A).get('master_repl_offset'));
  level(world, B, before);
  world.post(B, ['MULTI']);
  world.post(B, ['CLUSTERX', 'SETNODES', `${master(B, '0-16383')}\n${slave(A, B)}`, '2']);
  world.post(B, ['INFO', 'replication']);
  world.post(B, ['EXEC']);
  world.read(B);
  world.read(B);
  world.read(B);
  assert.match(String(world.read(B)), new RegExp(`master_repl_offset:${before}\r\n`));
  assert.equal(world.info(B).get('master_repl_offset'), String(before + 1));
});

test('POLLUPDATES tells a common history from a split one', () => {
  const world = pair();
  fill(world, A, 10, 'k');
  level(world, B, 10);
  const one = (port: number, at: number) => world.say(port, `POLLUPDATES ${at - 1} MAX 1 STRICT`);
  assert.deepEqual(one(A, 7), one(B, 7));
  world.kill(A);
  promotionOfB(world);
  fill(world, B, 3, 'new');
  world.start(A);
  fill(world, A, 3, 'old');
  assert.deepEqual(one(A, 10), one(B, 10));
  assert.notDeepEqual(one(A, 12), one(B, 12));
  assert.match(String(world.say(A, 'POLLUPDATES 10 MAX 1000 FORMAT RESP')), /SET,old0,x/);
  assert.equal(world.say(A, 'POLLUPDATES 14'), '-ERR next sequence is out of range');
});
