import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { createApi } from '../api/server.ts';
import { FakePlane, fakePlane, keptLog, TEST_CLUSTER } from '../api/testing.ts';
import type { ClusterName } from '../controller/control-plane.ts';
import type { ClusterStatus } from '../controller/status.ts';
import { page, pageHeaders } from './page.ts';

const shown = (plane: FakePlane, at = 'localhost:9379') =>
  page({ plane, version: '1.2.3', at, now: 1_700_000_000_000 });

test('what this is, the cluster and its state, and where to go on', async () => {
  const text = shown(await fakePlane());
  for (const words of [
    'Version 1.2.3. As of 2023-11-14 22:13:20 UTC',
    '<a class="name" href="/api/v1/namespaces/test-ns/clusters/test-cluster/status">test-ns/test-cluster</a>',
    '<span class="state ok">ok</span>',
    '2 shards · 4 of 4 nodes up · 16384 of 16384 slots served · version 1',
    'kvctl --host http://localhost:9379 list namespaces',
    'href="/openapi.json"',
  ]) {
    assert.ok(text.includes(words), words);
  }
});

test('no cluster yet: the line that makes the first namespace', () => {
  assert.ok(shown(new FakePlane()).includes('kvctl --host http://localhost:9379 create namespace my-namespace'));
});

test('not ready: it says so and who leads', async () => {
  const plane = await fakePlane();
  plane.isReady = false;
  const text = shown(plane);
  assert.ok(text.includes('Not ready') && text.includes('127.0.0.1:9379 leads.'));
  assert.ok(!text.includes('test-cluster'));
});

class Troubled extends FakePlane {
  override status(name: ClusterName): ClusterStatus {
    const evil = '<script>alert("1")</script>';
    return {
      ...super.status(name),
      state: 'down',
      paused: { until: null, by: evil },
      problems: Array.from({ length: 12 }, () => ({
        code: 'MASTER_DOWN',
        severity: 'error' as const,
        shard: evil,
        node: null,
        message: evil,
        waiting_for: evil,
        command: `kvctl '${evil}'`,
      })),
    };
  }
}

test('whatever names and problems say, it is text', async () => {
  const plane = new Troubled();
  await plane.createNamespace('<b>', { caller: { name: 'test' } });
  const nodes = [{ host: '127.0.0.1', port: 1 }];
  const { password } = (await fakePlane()).cluster(TEST_CLUSTER).cluster;
  const options = { caller: { name: 'test' } };
  await plane.createCluster('<b>', { name: '"><i>/', nodes, replicas: 1, password }, {}, options);
  const text = shown(plane, '"><script>x</script>:80');
  assert.ok(!/<(script|b|i)>/.test(text));
  assert.ok(text.includes('href="/api/v1/namespaces/%3Cb%3E/clusters/%22%3E%3Ci%3E%2F/status"'));
  assert.ok(text.includes('/clusters/%22%3E%3Ci%3E%2F/why?shard=%3Cscript%3Ealert(%221%22)%3C%2Fscript%3E">Why</a>'));
  assert.ok(text.includes('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;'));
  assert.ok(text.includes('and 2 more') && text.includes('<span class="state down">down</span>'));
});

class Unknown extends FakePlane {
  override status(): ClusterStatus {
    throw new Error('the store cannot be reached');
  }
}

test('a status that cannot be read is said to be unknown', async () => {
  const plane = new Unknown();
  const options = { caller: { name: 'test' } };
  await plane.createNamespace('n', options);
  const { password } = (await fakePlane()).cluster(TEST_CLUSTER).cluster;
  await plane.createCluster('n', { name: 'c', nodes: [{ host: 'a', port: 1 }], replicas: 1, password }, {}, options);
  const text = shown(plane);
  assert.ok(text.includes('>unknown</span>') && text.includes('the store cannot be reached'));
});

test('its policy lets nothing in but its own style', async () => {
  const api = createApi({ plane: await fakePlane(), version: '1', log: keptLog() });
  const answer = await api.inject({ url: '/' });
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
  const css = /<style>([\s\S]*?)<\/style>/.exec(answer.body)?.[1] ?? '';
  const hash = createHash('sha256').update(css).digest('base64');
  assert.equal(answer.headers['content-security-policy'], pageHeaders['content-security-policy']);
  assert.ok(
    `${answer.headers['content-security-policy']}`.startsWith(`default-src 'none'; style-src 'sha256-${hash}';`),
  );
  assert.ok(!/<script|src=|https?:\/\/(?!localhost)/.test(answer.body), 'nothing from elsewhere');
});
