import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOST, World } from './testing.ts';

const A = 7000;
const B = 7001;
const id = (port: number) => String(port % 10).repeat(40);
const master = (port: number, slots = '') => `${id(port)} ${HOST} ${port} master - ${slots}`;
const slave = (port: number, of: number) => `${id(port)} ${HOST} ${port} slave ${id(of)}`;
/** A hash tag whose slot is 12182. */
const TAG = '{foo}';
const SLOT = 12182;
const REST_OF_A = `0-${SLOT - 1} ${SLOT + 1}-16383`;

function tell(world: World, port: number, version: number, ...lines: readonly string[]) {
  return world.ask(port, ['CLUSTERX', 'SETNODES', lines.join('\n'), String(version)], `v${version}`);
}

/** A owns all slots, B none; A holds `count` keys of one slot. */
function two(count: number, conf: Readonly<Record<string, string>> = {}): World {
  const world = new World();
  world.add(A, conf);
  world.add(B, conf);
  for (const port of [A, B]) tell(world, port, 1, master(A, '0-16383'), master(B));
  for (let i = 0; i < count; i++) assert.equal(world.say(A, `SET ${TAG}${i} v`), '+OK');
  return world;
}

const migrate = (world: World, ...rest: readonly string[]) =>
  world.ask(A, ['CLUSTERX', 'MIGRATE', String(SLOT), id(B), ...rest], 'job');

function settled(world: World): string {
  world.runUntil('the job to end', () => world.clusterInfo(A).get('migrating_state') !== 'start');
  return world.clusterInfo(A).get('migrating_state') ?? '';
}

const slow = { 'migrate-type': 'redis-command', 'migrate-speed': '100' };

test('a synchronous job answers at its success, and the topology makes the source forget the keys', () => {
  const world = two(20);
  assert.equal(migrate(world, 'sync'), '+OK');
  assert.equal(settled(world), 'success');
  assert.equal(world.say(A, `GET ${TAG}1`), `-MOVED ${SLOT} ${HOST}:${B}`);
  assert.equal(world.say(B, `GET ${TAG}1`), 'v');
  tell(world, B, 2, master(A, REST_OF_A), master(B, String(SLOT)));
  tell(world, A, 2, master(A, REST_OF_A), master(B, String(SLOT)));
  assert.deepEqual(world.say(A, 'KEYS *'), []);
  assert.equal(world.say(B, `GET ${TAG}1`), 'v');
});

test('the topology told within MULTI leaves the moved keys behind, and the old values come back with the slot', () => {
  const world = two(5);
  migrate(world, 'sync');
  settled(world);
  world.say(B, `SET ${TAG}1 new`);
  world.say(A, 'MULTI');
  const text = [master(A, REST_OF_A), master(B, String(SLOT))].join('\n');
  assert.equal(world.ask(A, ['CLUSTERX', 'SETNODES', text, '2']), '+QUEUED');
  assert.deepEqual(world.say(A, 'EXEC'), ['+OK']);
  const left = world.say(A, 'KEYS *');
  assert.ok(Array.isArray(left) && left.length === 5);
  tell(world, A, 3, master(A, '0-16383'), master(B));
  assert.equal(world.say(A, `GET ${TAG}1`), 'v');
});

test('writes during a job reach the target, in every kind of change', () => {
  const world = two(60, slow);
  world.say(A, `RPUSH ${TAG}list a`);
  assert.equal(migrate(world), '+OK');
  world.run(100);
  assert.equal(world.clusterInfo(B).get('import_state'), 'start');
  world.say(A, `SET ${TAG}0 during`);
  world.say(A, `DEL ${TAG}1`);
  world.say(A, `RPUSH ${TAG}list b`);
  world.say(A, `INCR ${TAG}count`);
  assert.equal(world.say(B, `GET ${TAG}0`), `-MOVED ${SLOT} ${HOST}:${A}`);
  assert.equal(settled(world), 'success');
  assert.equal(world.say(B, `GET ${TAG}0`), 'during');
  assert.equal(world.say(B, `GET ${TAG}1`), null);
  assert.deepEqual(world.say(B, `LRANGE ${TAG}list 0 -1`), ['a', 'b']);
  assert.equal(world.say(B, `GET ${TAG}count`), '1');
});

test('the speed limit is kept', () => {
  const world = two(100, slow);
  const began = world.now;
  migrate(world, 'sync');
  const took = world.now - began;
  assert.ok(took > 900 && took < 1200, `${took} ms for 100 keys at 100 a second`);
});

test('after fencing a replica, now a master again, its first job fails and the second works', () => {
  const world = new World();
  world.add(A);
  world.add(B);
  tell(world, B, 1, master(B, '0-16383'), slave(A, B));
  tell(world, A, 1, master(B, '0-16383'), slave(A, B));
  world.run(50);
  tell(world, A, 2, master(B, '0-16383'));
  tell(world, A, 3, master(A, '0-16383'), master(B));
  tell(world, B, 3, master(A, '0-16383'), master(B));
  assert.equal(migrate(world, 'sync'), '-ERR key migration stopped due to a task cancellation');
  assert.equal(settled(world), 'fail');
  world.run(10);
  assert.equal(migrate(world, 'sync'), '+OK');
});

test('the answer to the import success is lost: the source fails, the target serves, both take writes', () => {
  const world = two(40, slow);
  assert.equal(migrate(world), '+OK');
  world.run(200);
  world.runUntil('all keys copied', () => world.info(B, 'keyspace').get('sequence') === '40');
  // From here on nothing of the target reaches the source, but the source still reaches the target.
  world.cut(B, A);
  world.runUntil('success at the target', () => world.clusterInfo(B).get('import_state') === 'success', 3000);
  world.run(2500);
  assert.equal(world.clusterInfo(A).get('migrating_state'), 'fail');
  assert.equal(world.say(A, `SET ${TAG}x a`), '+OK');
  assert.equal(world.say(B, `SET ${TAG}x b`), '+OK');
});

test('a target that hangs: the error comes after a second, the state a second later', () => {
  const world = two(100, slow);
  migrate(world);
  world.run(200);
  world.hang(B);
  const began = world.now;
  world.runUntil('fail', () => world.clusterInfo(A).get('migrating_state') === 'fail', 5000);
  const took = world.now - began;
  assert.ok(took > 1900 && took < 2400, `${took} ms`);
  world.wake(B);
  world.run(10);
  assert.equal(world.clusterInfo(B).get('import_state'), 'error');
});

test('a black hole as target holds the job for 135 seconds', () => {
  const world = two(5);
  world.cut(A, B);
  assert.equal(migrate(world), '+OK');
  world.run(130_000);
  assert.equal(world.clusterInfo(A).get('migrating_state'), 'start');
  assert.equal(migrate(world), '-ERR There is already a migrating job');
  world.run(6000);
  assert.equal(world.clusterInfo(A).get('migrating_state'), 'fail');
});

test('a higher version told to the target of a job by command kills it, one by raw batches goes on', () => {
  for (const [type, outcome] of [
    ['redis-command', 'fail'],
    ['raw-key-value', 'success'],
  ] as const) {
    const world = two(100, { ...slow, 'migrate-type': type, 'migrate-batch-size-kb': '1' });
    migrate(world);
    world.run(type === 'raw-key-value' ? 0.2 : 200);
    tell(world, B, 2, master(A, '0-16383'), master(B));
    assert.equal(settled(world), outcome, type);
  }
});

test('any new topology after success that still names the source: every write there gets TRYAGAIN', () => {
  const world = two(5);
  migrate(world, 'sync');
  settled(world);
  tell(world, A, 2, master(A, '0-16383'), master(B));
  assert.match(String(world.say(A, `SET ${TAG}1 x`)), /^-TRYAGAIN /);
  assert.equal(world.say(A, `GET ${TAG}1`), 'v');
  world.restart(A);
  assert.equal(world.say(A, `SET ${TAG}1 x`), '+OK');
});

test('the same version told after success is harmless', () => {
  const world = two(5);
  migrate(world, 'sync');
  settled(world);
  assert.equal(tell(world, A, 1, master(A, '0-16383'), master(B)), '+OK');
  assert.equal(world.say(A, `SET ${TAG}1 x`), `-MOVED ${SLOT} ${HOST}:${B}`);
});

test('a source that is drained goes on with its job', () => {
  const world = two(40, slow);
  migrate(world);
  world.run(100);
  tell(world, A, 2, master(A), master(B, `0-${SLOT - 1} ${SLOT + 1}-16383`));
  assert.equal(settled(world), 'success');
});
