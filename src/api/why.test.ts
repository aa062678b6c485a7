import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEST_CLUSTER } from './testing.ts';
import { ABSENT, CLUSTER, world } from './testing-world.ts';

test('what decisions were made from: of a cluster, of a shard by index or id, the newest first', async () => {
  const { ask, plane, shards } = await world();
  const first = plane.decide(TEST_CLUSTER, 0);
  const other = plane.decide(TEST_CLUSTER, 1);
  const last = plane.decide(TEST_CLUSTER, 0, { kind: 'failover', acted: true });
  const why = async (path: string) => (await ask('GET', `${CLUSTER}/${path}`)).json.data.evidence;
  assert.deepEqual(await why('why'), [last, other, first]);
  assert.deepEqual(await why('why?limit=1'), [last]);
  const id = shards()[0]?.id;
  for (const path of ['why?shard=0', `why?shard=${id}`, 'shards/0/why', `shards/${id}/why`]) {
    assert.deepEqual(await why(path), [last, first], path);
  }
  assert.deepEqual(await why('shards/0/why?limit=1'), [last]);
});

test('a shard that is gone is known by its id alone, and one that never was by nothing', async () => {
  const { ask, plane } = await world();
  const gone = 'sh-goneGoneGone';
  const old = plane.decide(TEST_CLUSTER, 0, { shard: gone });
  assert.deepEqual((await ask('GET', `${CLUSTER}/why?shard=${gone}`)).json.data.evidence, [old]);
  for (const path of ['why?shard=7', 'shards/7/why', `shards/${gone}/why`]) {
    const answer = await ask('GET', `${CLUSTER}/${path}`);
    assert.deepEqual([answer.status, answer.json.error.message], [404, ABSENT], path);
  }
  for (const query of ['limit=0', 'limit=201', 'shard=first']) {
    assert.equal((await ask('GET', `${CLUSTER}/why?${query}`)).status, 400, query);
  }
});
