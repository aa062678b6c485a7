import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Jobs } from '../decisions/jobs.ts';
import { bulk, fakeWorld, settled } from '../kvrocks/testing.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { JobRunner } from './job-runner.ts';

const ID = 'a'.repeat(40);
const ADDRESS = { host: '10.0.0.1', port: 6666 };
const NONE: Jobs = { chases: [], migrates: [], resets: [], tunes: [], copies: [], held: [] };

function running() {
  const world = fakeWorld();
  const happened: string[] = [];
  let holds = true;
  const runner = new JobRunner(world.runtime, NO_SECRET, {
    mayAct: () => holds,
    reached: () => {},
    migrated: (_, { kind }) => void happened.push(kind),
    tuned: ({ name }, _, value) => void happened.push(`${name} ${value}`),
    reset: (_, how) => void happened.push(how),
  });
  const answer = async (bytes: string) => {
    world.lastPeer().send(bytes);
    await settled();
  };
  return {
    world,
    runner,
    happened,
    answer,
    loseLease: () => {
      holds = false;
    },
  };
}

test('the lease runs out while source and target are asked who they are: MIGRATE is not sent', async () => {
  const { world, runner, happened, loseLease } = running();
  const target = { id: 'b'.repeat(40), address: { host: '10.0.0.2', port: 6666 } };
  runner.run({
    ...NONE,
    migrates: [
      {
        operation: 'mv',
        attempt: 0,
        source: { id: ID, address: ADDRESS },
        target,
        range: { from: 0, to: 9 },
        noted: null,
        resume: false,
      },
    ],
  });
  const [source, there] = world.peers;
  for (const peer of world.peers) peer.accept();
  there?.send(bulk(target.id));
  loseLease();
  source?.send(bulk(ID));
  await settled();
  assert.deepEqual(happened, ['failed']);
  assert.ok(!world.peers.some(({ sent }) => sent.includes('MIGRATE')));
  runner.close();
});

test('the lease runs out while a node is emptied: it is not reset, and done again by whoever leads', async () => {
  const { world, runner, happened, answer, loseLease } = running();
  runner.run({ ...NONE, resets: [{ node: ID, address: ADDRESS, flush: true }] });
  world.lastPeer().accept();
  await answer(bulk(ID));
  assert.ok(world.lastPeer().sent.includes('FLUSHALL'));
  loseLease();
  await answer('+OK\r\n');
  assert.deepEqual(happened, []);
  assert.ok(!world.peers.some(({ sent }) => sent.includes('RESET')));
  runner.close();
});
