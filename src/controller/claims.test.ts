import assert from 'node:assert/strict';
import { test } from 'node:test';
import { world } from '../decisions/testing.ts';
import type { Network } from '../runtime/runtime.ts';
import { Claims } from './claims.ts';

const names: Readonly<Record<string, readonly string[]>> = {
  localhost: ['127.0.0.1', '::1'],
  'kv.internal': ['10.0.0.97'],
};

const network: Network = {
  connect: () => assert.fail('nobody is dialled'),
  resolve: (host) => Promise.resolve(names[host] ?? (/^[0-9.:]+$/.test(host) ? [host] : [])),
};

const keysOf = (claims: Claims, host: string, port = 7000) => claims.spellings({ host, port });

test('one node under two spellings of its address: whoever comes second is told who has it', async () => {
  const claims = new Claims(network);
  claims.reserve(await keysOf(claims, 'localhost'), 'ns/first');
  assert.equal(claims.owner(await keysOf(claims, '127.0.0.1')), 'ns/first');
  assert.equal(claims.owner(await keysOf(claims, '::1')), 'ns/first');
  assert.equal(claims.owner(await keysOf(claims, '127.0.0.1', 7001)), undefined);
});

test('one node under its id, wherever it listens now', async () => {
  const claims = new Claims(network);
  await claims.settle('ns/c1', world('a master 9 | b replica 9').intended.cluster);
  assert.equal(claims.owner(['b']), 'ns/c1');
  assert.equal(claims.owner(await keysOf(claims, 'kv.internal', 6000)), 'ns/c1', 'by its address under another name');
});

test('a name that does not resolve stands for itself', async () => {
  const claims = new Claims(network);
  claims.reserve(await keysOf(claims, 'nowhere.invalid'), 'ns/c1');
  assert.equal(claims.owner(await keysOf(claims, 'nowhere.invalid')), 'ns/c1');
});

test('what a cluster has no more is free; what is leaving it is not', async () => {
  const claims = new Claims(network);
  const { cluster } = world('a master 9 | b replica 9').intended;
  await claims.settle('ns/c1', cluster);
  const smaller = world('a master 9', {
    leaving: [{ id: 'x', address: { host: '10.0.0.9', port: 1 }, version: 5, how: 'reset' }],
  });
  await claims.settle('ns/c1', smaller.intended.cluster);
  assert.equal(claims.owner(['b']), undefined);
  assert.equal(claims.owner(['x']), 'ns/c1');
  assert.equal(claims.owner(await keysOf(claims, '10.0.0.9', 1)), 'ns/c1');
  await claims.settle('ns/c1', undefined);
  assert.equal(claims.owner(['a', 'x']), undefined);
});

test('a creation that failed gives back what it reserved, and nothing of anybody else', async () => {
  const claims = new Claims(network);
  claims.reserve(['a'], 'ns/c1');
  const release = claims.reserve(['b'], 'ns/c2');
  release();
  assert.deepEqual([claims.owner(['a']), claims.owner(['b'])], ['ns/c1', undefined]);
});

test('a node that is being checked stays reserved while its cluster is changed otherwise', async () => {
  const claims = new Claims(network);
  const release = claims.reserve(['new'], 'ns/c1');
  await claims.settle('ns/c1', world('a master 9').intended.cluster);
  assert.equal(claims.owner(['new']), 'ns/c1');
  release();
  assert.deepEqual([claims.owner(['new']), claims.owner(['a'])], [undefined, 'ns/c1']);
});

test('of two settlements the one that began last holds, whichever name resolves first', async () => {
  let answer = () => {};
  const slow: Network = {
    connect: () => assert.fail('nobody is dialled'),
    resolve: (host) =>
      host === '10.0.0.98' ? new Promise((resolve) => (answer = () => resolve([host]))) : Promise.resolve([host]),
  };
  const claims = new Claims(slow);
  const first = claims.settle('ns/c1', world('a master 9 | b replica 9').intended.cluster);
  // It waits for the name of b.
  await new Promise((resolve) => setImmediate(resolve));
  await claims.settle('ns/c1', world('a master 9').intended.cluster);
  answer();
  await first;
  assert.deepEqual([claims.owner(['a']), claims.owner(['b'])], ['ns/c1', undefined]);
});
