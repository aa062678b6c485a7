import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusal } from '../controller/refusal.ts';
import { Secret } from '../runtime/secret.ts';
import { ABSENT, CLUSTER, CLUSTERS, NS, world } from './testing-world.ts';

test('slots and targets beyond that are refused by name', async () => {
  const { ask, plane } = await world();
  const wrong: readonly [object, RegExp][] = [
    [{ target: 0 }, /^slot: missing; allowed: /],
    [{ slot: 1 }, /^target: missing; allowed: /],
    [{ target: 0, slot: 16384 }, /^slot: got 16384; allowed: a slot from 0 to 16383/],
    [{ target: 0, slot: '16384' }, /^slot: got "16384"/],
    [{ target: 0, slot: '5-3' }, /^slot: got "5-3"/],
    [{ target: 0, slot: -1 }, /^slot: got -1/],
    [{ target: 0, slot: 1.5 }, /^slot: got 1.5/],
    [{ target: 0, slot: null }, /^slot: got null/],
    [{ target: 0, slot: [] }, /^slot: got a list of 0/],
    [{ target: 0, slot: [1, 2, '0-1'] }, /^slot\[2\]: got slot 1 twice/],
    [{ target: 0, slot: { from: 1 } }, /^slot: got an object/],
    [{ target: -1, slot: 1 }, /^target: got -1/],
    [{ target: 'first', slot: 1 }, /^target: got "first"; allowed: the index/],
    [{ target: 1e300, slot: 1 }, /^target: got 1e\+300/],
    [{ target: 0, slot: 1, slot_only: 'maybe' }, /^slot_only: got "maybe"; allowed: true or false/],
    [{ target: 0, slot: 1, slot_only: true, slotOnly: false }, /^slotOnly: got false; allowed: the same as slot_only/],
  ];
  for (const [body, message] of wrong) {
    const answer = await ask('POST', `${CLUSTER}/migrate`, body);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid'], JSON.stringify(body));
    assert.match(answer.json.error.message, message);
  }
  assert.deepEqual(plane.asked, []);
});

test('passwords are masked, shown to loopback alone, and never taken back as their mask', async () => {
  const { ask, plane, api } = await world(new Secret('s3cret'));
  const masked = (await ask('GET', CLUSTER)).json.data.cluster.shards[0].nodes[0];
  assert.deepEqual([masked.password, masked.master_auth], ['********', '********']);
  for (const path of [CLUSTER, `${CLUSTER}/shards`, `${CLUSTER}/shards/0`, `${CLUSTER}/shards/0/nodes`]) {
    const clear = JSON.stringify((await ask('GET', `${path}?reveal=password`)).json);
    assert.equal(clear.split('"password":"s3cret","master_auth":"s3cret"').length > 1, true, path);
    assert.equal((await ask('GET', `${path}?reveal=all`)).status, 400);
    const far = await api.inject({ url: `${path}?reveal=password`, remoteAddress: '10.0.0.7' });
    assert.deepEqual([far.statusCode, far.json().error.code], [403, 'forbidden']);
    const proxied = await ask('GET', `${path}?reveal=password`, undefined, { 'x-forwarded-for': '10.0.0.7' });
    assert.equal(proxied.status, 403, 'a proxy on this machine speaks for others');
  }
  const mask = '********';
  const writes: readonly [string, object][] = [
    [CLUSTERS, { name: 'x', nodes: ['a:1'], password: mask }],
    [`${CLUSTERS}/x/import`, { nodes: ['a:1'], password: mask }],
    [`${CLUSTER}/shards`, { nodes: ['a:1'], password: mask }],
    [`${CLUSTER}/shards/0/nodes`, { addr: 'a:1', password: mask }],
    ['/api/v1/nodes/reset', { addr: 'a:1', password: mask }],
  ];
  for (const [url, body] of writes) {
    const answer = await ask('POST', url, body);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid'], url);
    assert.match(answer.json.error.message, /^password: got "\*{8}"/);
  }
  assert.deepEqual(plane.asked, []);
});

test('what every write takes: from the query, the body and the headers', async () => {
  const { ask, plane } = await world();
  const options = () => plane.asked.at(-1)?.options;
  await ask('POST', `${CLUSTER}/sync?force=true&wait=0.5`, undefined, { 'if-match': '"1"' });
  assert.deepEqual(options(), { caller: { name: '127.0.0.1' }, ifVersion: 1, wait: 500, force: true });
  await ask('POST', `${CLUSTER}/sync`, { force: 'false', wait: 3 }, { 'if-match': '*' });
  assert.deepEqual(options(), { caller: { name: '127.0.0.1' }, ifVersion: undefined, wait: 3000, force: false });
  for (const version of ['2', 'W/"2"', '"2"']) {
    const stale = await ask('DELETE', `${CLUSTER}/shards/0`, undefined, { 'if-match': version });
    assert.deepEqual([stale.status, stale.json.error.code], [409, 'changed'], version);
  }
  for (const [url, headers, message] of [
    [`${CLUSTER}/sync?force=perhaps`, {}, /^force: got "perhaps"; allowed: true or false/],
    [`${CLUSTER}/sync?force=true&force=true`, {}, /^force: got a list of 2/],
    [`${CLUSTER}/sync?wait=-1`, {}, /^wait: got "-1"; allowed: seconds/],
    [`${CLUSTER}/sync?wait=601`, {}, /^wait: got "601"/],
    [`${CLUSTER}/sync?dry_run=true`, {}, /^dry_run: got true/],
    [`${CLUSTER}/sync`, { 'if-match': 'newest' }, /^If-Match: got "newest"; allowed: the version/],
  ] as const) {
    const answer = await ask('POST', url, undefined, headers);
    assert.equal(answer.status, 400, url);
    assert.match(answer.json.error.message, message);
  }
  const early = await ask('POST', NS, { namespace: 'x' }, { 'if-match': '5' });
  assert.equal(early.status, 400, 'a precondition that cannot be checked is not ignored');
});

test('nodes, replicas, names and roles are refused in words', async () => {
  const { ask, plane } = await world();
  const wrong: readonly [string, object, RegExp][] = [
    [NS, { namespace: 'a/b' }, /^namespace: got "a\/b"; allowed: a letter or digit/],
    [NS, { namespace: 5 }, /^namespace: got 5; /],
    [NS, {}, /^namespace: missing; /],
    [CLUSTERS, { name: 'x', nodes: [] }, /^nodes: got a list of 0; allowed: a list of 1 to 1000 addresses/],
    [CLUSTERS, { name: 'x', nodes: 'a:1' }, /^nodes: got "a:1"/],
    [CLUSTERS, { name: 'x', nodes: ['a:1', 7] }, /^nodes\[1\]: got 7; allowed: `host:port`/],
    [CLUSTERS, { name: 'x', nodes: ['nonsense'] }, /^nodes\[0\]: got "nonsense"; allowed: `host:port`/],
    [CLUSTERS, { name: 'x', nodes: ['::1:7000'] }, /^nodes\[0\]: got "::1:7000"; .*\[::1\]:6666/],
    [CLUSTERS, { name: 'x', nodes: ['a:1', 'A:1'] }, /^nodes\[1\]: got "A:1" twice/],
    [CLUSTERS, { name: 'x', nodes: ['a:1'], replicas: -1 }, /^replicas: got -1/],
    [CLUSTERS, { name: 'x', nodes: ['a:1'], replicas: 2 }, /^replicas: got 2 for 1 nodes/],
    [CLUSTERS, { name: 'x', nodes: ['a:1'], replicas: 1.5 }, /^replicas: got 1.5/],
    [CLUSTERS, { name: 'x', nodes: ['a:1'], password: 'a\u0000b' }, /^password: got "a\\u0000b"/],
    [`${CLUSTERS}/x%2fy/import`, { nodes: ['a:1'] }, /^cluster: got "x\/y"; allowed: a letter/],
    [`${CLUSTER}/shards/0/nodes`, {}, /^addr: missing/],
    [`${CLUSTER}/shards/0/nodes`, { addr: 'a:1', role: 'king' }, /^role: got "king"; allowed: `master` or `slave`/],
    [`${CLUSTER}/shards/x/nodes`, { addr: 'a:1' }, /^shard: got "x"; allowed: the index/],
    [`${CLUSTER}/shards/0/failover`, { preferred_node_id: 'short' }, /^preferred_node_id: got "short"; allowed: 40/],
  ];
  for (const [url, body, message] of wrong) {
    const answer = await ask('POST', url, body);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid'], JSON.stringify(body));
    assert.match(answer.json.error.message, message);
  }
  assert.deepEqual(plane.asked, []);
});

test('unknown routes, wrong methods and malformed paths keep the envelope', async () => {
  const { ask } = await world();
  const unknown = await ask('GET', '/api/v1/nothing-here');
  assert.deepEqual([unknown.status, unknown.json.error.code], [404, 'not_found']);
  assert.notEqual(unknown.json.error.message, ABSENT);
  const wrong = await ask('PUT', NS, { namespace: 'x' });
  assert.deepEqual([wrong.status, wrong.json.error.code, wrong.headers['allow']], [405, 'invalid', 'GET, HEAD, POST']);
  const percent = await ask('GET', `${NS}/%zz`);
  assert.deepEqual([percent.status, percent.json.error.code], [400, 'invalid']);
  assert.equal((await ask('GET', `${NS}/`)).status, 200, 'a slash at the end changes nothing');
});

test('a follower or a starting controller answers 503 with Retry-After', async () => {
  const { ask, plane } = await world();
  plane.isReady = false;
  const answer = await ask('GET', NS);
  assert.deepEqual([answer.status, answer.json.error.code, answer.headers['retry-after']], [503, 'not_leader', '1']);
  assert.equal((await ask('GET', '/readyz')).status, 503);
  assert.equal((await ask('GET', '/healthz')).status, 200);
  assert.equal((await ask('GET', '/api/v1/controller/leader')).status, 200);
  plane.isReady = true;
  assert.equal((await ask('GET', '/readyz')).status, 200);
  plane.leads = undefined;
  assert.equal((await ask('GET', '/api/v1/controller/leader')).status, 503);
});

test('refusals of the controller reach the caller whole, faults do not', async () => {
  const { ask, plane, log } = await world();
  plane.next = new Refusal('node_check_failed', '2 of 4 nodes fail', [{ node: 'a:1', why: 'no answer' }]);
  const refused = await ask('POST', `${CLUSTER}/shards`, { nodes: ['127.0.0.1:1'] });
  assert.equal(refused.status, 400);
  assert.deepEqual(refused.json.error.detail, [{ node: 'a:1', why: 'no answer' }]);
  for (const [code, status] of [
    ['node_failed', 502],
    ['unavailable', 503],
    ['outcome_unknown', 504],
    ['operation_running', 409],
  ] as const) {
    plane.next = new Refusal(code, 'said by the controller', { operation: 'op-1' });
    const answer = await ask('POST', `${CLUSTER}/sync`);
    assert.deepEqual([answer.status, answer.json.error.code], [status, code]);
  }
  assert.deepEqual(
    log.kept.filter(({ level }) => level === 'error'),
    [],
  );
  plane.next = new Error('secret inner words');
  const fault = await ask('POST', `${CLUSTER}/sync`);
  assert.deepEqual([fault.status, fault.json.error.code], [500, 'internal']);
  assert.equal(JSON.stringify(fault.json).includes('secret'), false);
  assert.equal(log.kept.filter(({ level }) => level === 'error').length, 1);
});
