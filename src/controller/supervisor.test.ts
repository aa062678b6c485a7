import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world as decided } from '../decisions/testing.ts';
import { fakeWorld, settled } from '../kvrocks/testing.ts';
import { DEFAULT_SETTINGS } from '../operations/settings.ts';
import { seededRandom } from '../runtime/seeded-random.ts';
import type { Committed, Store, Write } from '../store/port.ts';
import { pause } from './changes.ts';
import { History } from './history.ts';
import { stateKey } from './records.ts';
import { Silences } from './silences.ts';
import { Supervisor, type SupervisorContext } from './supervisor.ts';

/** A supervisor whose nodes never answer, over a store that answers commits as it is told. */
function supervised(changes: Partial<SupervisorContext> = {}) {
  const world = fakeWorld();
  const said: string[] = [];
  const commits: (readonly Write[])[] = [];
  let outcome: Committed = { kind: 'committed', revision: 7 };
  const store: Store = {
    read: (keys) => Promise.resolve(keys.map(() => undefined)),
    list: () => Promise.resolve({ entries: [], revision: 0 }),
    watch: () => ({ close: () => {} }),
    commit: (writes) => {
      commits.push(writes);
      return Promise.resolve(outcome);
    },
    campaign: () => ({ close: () => Promise.resolve() }),
    close: () => Promise.resolve(),
  };
  const log = (_: object, message: string) => void said.push(message);
  const { intended } = decided('a master 900 | b replica 890');
  const context: SupervisorContext = {
    runtime: world.runtime,
    store,
    fence: 'f',
    peers: undefined,
    mayAct: () => true,
    policy: DEFAULT_SETTINGS,
    random: seededRandom(1),
    log: { info: log, warn: log, error: log },
    spread: 0,
    silences: new Silences(),
    asked: () => {},
    deposed: (why) => void said.push(`deposed: ${why}`),
    overtaken: () => void said.push('overtaken'),
    membersChanged: () => {},
    ended: () => {},
    ...changes,
  };
  const history = new History(store, world.runtime.clock, 'ns', 'c', 1);
  const supervisor = new Supervisor(context, intended, { topology: 5, state: 5 }, history);
  return {
    world,
    supervisor,
    said,
    commits,
    answers: (next: Committed) => {
      outcome = next;
    },
  };
}

test('a defect keeps a cluster from being decided about: told once, callers are not left waiting, and it goes on once it can', async () => {
  let broken = true;
  const policy = Object.defineProperty({ ...DEFAULT_SETTINGS }, 'tolerance', {
    enumerable: true,
    get: () => {
      if (broken) throw new Error('there is no such thing');
      return DEFAULT_SETTINGS.tolerance;
    },
  });
  const { world, supervisor, said } = supervised({ policy });
  const refused = supervisor
    .submit((seen) => pause(seen, null, 'op'))
    .then(
      () => 'done',
      (error: Error) => error.message,
    );
  await world.advance(10_000);
  assert.equal(supervisor.fault, 'there is no such thing');
  assert.equal(said.filter((words) => words === 'a cluster could not be decided about').length, 1);
  assert.match(await refused, /cannot decide about this cluster/);
  broken = false;
  await world.advance(1_000);
  assert.equal(supervisor.fault, undefined);
  await supervisor.submit((seen) => pause(seen, null, 'op'));
  assert.equal(supervisor.intended.pause?.by, 'op');
  supervisor.close();
});

test('somebody else wrote the topology: the caller is told to look again, and nothing is tried before that was read', async () => {
  const { world, supervisor, said, commits, answers } = supervised();
  const events: string[] = [];
  supervisor.history.watch(({ kind }) => void events.push(kind));
  answers({ kind: 'conflict', keys: ['/kvrocks/metadata/ns/cluster/c'] });
  await assert.rejects(
    supervisor.submit((seen) => pause(seen, null, 'op')),
    /somebody else changed the cluster/,
  );
  const waits = supervisor.submit((seen) => pause(seen, null, 'later'));
  await world.advance(500);
  assert.deepEqual([said.filter((words) => words === 'overtaken').length, commits.length], [1, 1]);
  answers({ kind: 'committed', revision: 9 });
  supervisor.overtaken({ record: null, taken: new Map() }, 0);
  await settled();
  assert.deepEqual(
    commits[1]?.slice(0, 2).map(({ expected }) => expected),
    [0, 5],
  );
  await waits;
  assert.equal(supervisor.intended.pause?.by, 'later');
  assert.ok(events.includes('topology.set-aside'));
  supervisor.close();
});

test('somebody else wrote what only a leader writes: this one gives up', async () => {
  const { supervisor, said, answers } = supervised();
  const { namespace, name } = supervisor.intended.cluster;
  answers({ kind: 'conflict', keys: [stateKey(namespace, name)] });
  await assert.rejects(
    supervisor.submit((seen) => pause(seen, null, 'op')),
    /does not lead any more/,
  );
  assert.ok(said.some((words) => words.startsWith('deposed: somebody else wrote')));
  supervisor.close();
});

test('its records are about to be deleted: what is under way is waited for, and nothing more is committed but if it stays', async () => {
  const { supervisor, commits, said } = supervised();
  const first = supervisor.submit((seen) => pause(seen, null, 'first'));
  const goOn = await supervisor.rest();
  await first;
  assert.equal(supervisor.committing, false);
  const second = supervisor.submit((seen) => pause(seen, 5_000, 'second'));
  await settled();
  assert.equal(commits.length, 1);
  goOn();
  await second;
  assert.deepEqual([commits.length, said.filter((words) => words.startsWith('deposed'))], [2, []]);
  supervisor.close();
});
