import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world as decided } from '../decisions/testing.ts';
import { fakeWorld, settled } from '../kvrocks/testing.ts';
import { Panel } from './panel.ts';
import type { Opinion, PeerQuestion, Peers } from './peers.ts';

/** A master that broke at 900, with the clock at 1,000, and two other controllers that answer when they are told to. */
function panelled() {
  const scene = fakeWorld();
  const asked: { peer: string; question: PeerQuestion; answer(opinion: Opinion | undefined): void }[] = [];
  let heard = 0;
  const peers: Peers = {
    known: () => ['b:1', 'c:1'],
    ask: (peer, question) => new Promise((resolve) => asked.push({ peer, question, answer: resolve })),
  };
  const panel = new Panel(scene.runtime, peers, () => heard++);
  const world = (brokeAt: number | null) =>
    decided('a master 9 dead | b replica 9 / c master 9 | d replica 9', {
      now: scene.runtime.clock.now(),
      views: { a: { brokeAt }, c: { brokeAt: null } },
    });
  const [shard] = world(null).intended.cluster.shards;
  const view = (since: number | null, trustFrom = Number.NEGATIVE_INFINITY) => panel.view(shard, since, trustFrom);
  return { scene, panel, asked, world, view, heard: () => heard };
}

test('the first miss asks everybody at once about that master, and nobody twice before an answer', () => {
  const { panel, asked, world, view } = panelled();
  panel.consult(world(900));
  panel.consult(world(900));
  assert.deepEqual(
    asked.map(({ peer, question }) => [peer, question.shard, question.master.id]),
    [
      ['b:1', 's0', 'a'],
      ['c:1', 's0', 'a'],
    ],
  );
  assert.deepEqual(view(900), { alive: 0, gone: 0, outstanding: 2 });
});

test('answers come: a refusal and silence are the same, and whoever said nothing stays outstanding', async () => {
  const { panel, asked, world, view, heard } = panelled();
  panel.consult(world(900));
  asked[0]?.answer('dead');
  asked[1]?.answer(undefined);
  await settled();
  assert.deepEqual([view(900), heard()], [{ alive: 0, gone: 1, outstanding: 1 }, 1]);
});

test('a peer reaches it and then does not: the newest answer counts', async () => {
  const { scene, panel, asked, world, view } = panelled();
  panel.consult(world(900));
  asked[0]?.answer('alive');
  asked[1]?.answer('silent');
  await scene.advance(100);
  assert.deepEqual(view(900), { alive: 1, gone: 1, outstanding: 0 });
  panel.consult(world(900));
  assert.equal(asked.length, 4);
  asked[2]?.answer('dead');
  await settled();
  assert.deepEqual(view(900), { alive: 0, gone: 2, outstanding: 0 });
});

test('answers that are old, or to questions from before the break or before a stall of ours, count no more', async () => {
  const { scene, panel, asked, world, view } = panelled();
  panel.consult(world(900));
  for (const one of asked) one.answer('alive');
  await settled();
  assert.equal(view(900).alive, 2);
  assert.deepEqual(view(1_001), { alive: 0, gone: 0, outstanding: 2 });
  assert.deepEqual(view(900, 1_001), { alive: 0, gone: 0, outstanding: 2 });
  await scene.advance(1_001);
  assert.deepEqual(view(900), { alive: 0, gone: 0, outstanding: 0 });
});

test('the master answers again: what was said of it is forgotten', async () => {
  const { panel, asked, world, view } = panelled();
  panel.consult(world(900));
  for (const one of asked) one.answer('dead');
  await settled();
  panel.consult(world(null));
  assert.deepEqual(view(900), { alive: 0, gone: 0, outstanding: 0 });
  assert.equal(asked.length, 2);
});

test('there are no other controllers: nobody is waited for', () => {
  const { world } = panelled();
  const panel = new Panel(fakeWorld().runtime, undefined, () => {});
  panel.consult(world(900));
  assert.deepEqual(panel.view(world(900).intended.cluster.shards[0], 900, 0), { alive: 0, gone: 0, outstanding: 0 });
});
