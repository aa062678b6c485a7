import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as recorded from '../recorded.ts';
import { parseClusterInfo, UNREADABLE_SPAN } from './cluster-info.ts';
import { parseClusterNodes } from './cluster-nodes.ts';
import { parseInfoReplication } from './info-replication.ts';
import { isAtLeast, parseInfoServer } from './info-server.ts';
import { formatSpan, keyInSlot, parseSpan, SLOT_COUNT, slotOfKey } from './slot.ts';

const { clusterInfos, infoReplications, id } = recorded;

function info(text: string) {
  const got = parseClusterInfo(text);
  assert.ok(got.kind === 'reply', JSON.stringify(got));
  return got.value;
}

function replication(text: string) {
  const got = parseInfoReplication(text);
  assert.ok(got.kind === 'reply', JSON.stringify(got));
  return got.value;
}

test('CLUSTER INFO of a quiet cluster: no jobs', () => {
  assert.deepEqual(info(clusterInfos.quiet), { epoch: 1, knownNodes: 2, size: 1, slotsAssigned: 16384 });
});

test('CLUSTER INFO during and after moves, in both spellings', () => {
  const at100 = { first: 100, last: 100 };
  const at50 = { first: 50, last: 50 };
  assert.deepEqual(info(clusterInfos.migratingStart).migrating, { span: at100, destination: id('b'), state: 'start' });
  assert.deepEqual(info(clusterInfos.migratedOldSpelling).migrating, {
    span: at50,
    destination: id('b'),
    state: 'success',
  });
  assert.deepEqual(info(clusterInfos.importedRange).importing, { span: { first: 100, last: 102 }, state: 'error' });
  assert.deepEqual(info(clusterInfos.importedOldSpelling).importing, { span: at50, state: 'success' });
  const both = info(clusterInfos.bothWays);
  assert.equal(both.migrating?.state, 'fail');
  assert.equal(both.importing?.state, 'start');
});

test('CLUSTER INFO with a job in words of another version is still readable', () => {
  const strange = clusterInfos.migratingStart.replace('state: start', 'state: frozen').replace(': 100', ': 100,200');
  const got = info(strange);
  assert.equal(got.epoch, 3);
  assert.deepEqual(got.migrating, { span: UNREADABLE_SPAN, destination: id('b'), state: 'unknown' });
});

test('CLUSTER INFO without what a probe needs', () => {
  assert.equal(parseClusterInfo('').kind, 'garbled');
  assert.equal(parseClusterInfo(clusterInfos.quiet.replace('cluster_current_epoch:1', 'x:1')).kind, 'garbled');
  assert.equal(parseClusterInfo(clusterInfos.quiet.replace('cluster_size:1', 'cluster_size:-1')).kind, 'garbled');
});

test('INFO replication of a master and what it says of its replicas', () => {
  assert.deepEqual(replication(infoReplications.fresh), { role: 'master', sequence: 0, replicas: [] });
  assert.deepEqual(replication(infoReplications.masterOfIpv6), {
    role: 'master',
    sequence: 2000,
    replicas: [
      { host: '::1', port: 16701, sequence: 1, lag: 1999 },
      { host: '127.0.0.1', port: 17001, sequence: 0, lag: 2000 },
    ],
  });
});

test('INFO replication of a replica', () => {
  const up = {
    role: 'slave',
    masterHost: '127.0.0.1',
    masterPort: 7770,
    link: 'up',
    syncInProgress: false,
    secondsSinceIo: 1,
    sequence: 2000,
  };
  assert.deepEqual(replication(infoReplications.slaveUp), up);
  assert.deepEqual(replication(infoReplications.slaveDown), {
    ...up,
    link: 'down',
    secondsSinceIo: 6,
    sequence: 22069,
  });
  assert.deepEqual(replication(infoReplications.slaveNeverConnected), {
    ...up,
    link: 'down',
    secondsSinceIo: 'never',
    sequence: 0,
  });
  const syncing = replication(infoReplications.slaveInFullSync);
  assert.equal(syncing.role === 'slave' && syncing.syncInProgress, true);
  const ipv6 = replication(infoReplications.slaveOfIpv6);
  assert.equal(ipv6.role === 'slave' && ipv6.masterHost, '::1');
});

test('INFO replication without a role: loading, in both forms', () => {
  assert.deepEqual(replication(infoReplications.loadingOld), { role: 'loading' });
  assert.deepEqual(replication(infoReplications.loadingNew), { role: 'loading' });
  assert.deepEqual(replication('# Replication\r\nrole:\r\n'), { role: 'loading' });
});

test('INFO replication that makes no sense', () => {
  assert.equal(parseInfoReplication('role:king\r\n').kind, 'garbled');
  assert.equal(parseInfoReplication('role:master\r\n').kind, 'garbled');
  assert.equal(parseInfoReplication(infoReplications.slaveUp.replace('status:up', 'status:so-so')).kind, 'garbled');
});

test('CLUSTER NODES: a set of nodes, in any order', () => {
  const got = parseClusterNodes(recorded.clusterNodes.pair);
  assert.ok(got.kind === 'reply');
  assert.equal(got.value.myself, id('a'));
  assert.deepEqual(got.value.nodes.get(id('b')), {
    id: id('b'),
    host: '127.0.0.1',
    port: 7771,
    role: 'slave',
    masterId: id('a'),
    version: 1,
    slots: [],
    migrating: [],
    importing: [],
  });
  const turned = parseClusterNodes(recorded.clusterNodes.pair.split('\n').reverse().join('\n'));
  assert.deepEqual(turned, got);
});

test('CLUSTER NODES with marks of running moves', () => {
  const source = parseClusterNodes(recorded.clusterNodes.migrating);
  const a = source.kind === 'reply' ? source.value.nodes.get(id('a')) : undefined;
  assert.deepEqual(a?.slots, [
    { first: 0, last: 49 },
    { first: 51, last: 8191 },
  ]);
  assert.deepEqual(a?.migrating, [{ span: { first: 100, last: 100 }, nodeId: id('b') }]);
  const target = parseClusterNodes(recorded.clusterNodes.importing);
  const b = target.kind === 'reply' ? target.value.nodes.get(id('b')) : undefined;
  assert.deepEqual(b?.importing, [{ span: { first: 100, last: 102 }, nodeId: id('a') }]);
});

test('CLUSTER NODES with IPv6, without myself, and with a flag of 2.16', () => {
  const ipv6 = parseClusterNodes(recorded.clusterNodes.ipv6);
  assert.equal(ipv6.kind === 'reply' && ipv6.value.nodes.get(id('a'))?.host, '::1');
  assert.equal(ipv6.kind === 'reply' && ipv6.value.nodes.get(id('b'))?.host, '2001:db8::2');
  const without = parseClusterNodes(recorded.clusterNodes.withoutItself);
  assert.equal(without.kind === 'reply' && without.value.myself, undefined);
  const failed = parseClusterNodes(recorded.clusterNodes.pair.replace(' slave ', ' slave,fail '));
  assert.equal(failed.kind === 'reply' && failed.value.nodes.get(id('b'))?.role, 'slave');
});

test('CLUSTER NODES that makes no sense', () => {
  for (const text of ['x', `${id('a')} host master`, recorded.clusterNodes.pair.replace('0-16383', '0-16384')]) {
    assert.equal(parseClusterNodes(text).kind, 'garbled');
  }
  assert.equal(parseClusterNodes(recorded.clusterNodes.pair.repeat(2)).kind, 'garbled');
  assert.equal(parseClusterNodes(undefined).kind, 'garbled');
});

test('INFO server: a build without a release number, and releases', () => {
  const got = parseInfoServer(recorded.infoServers.unstable);
  assert.deepEqual(got.kind === 'reply' && got.value, {
    version: undefined,
    versionText: 'unstable',
    processId: 16067,
    startedAt: undefined,
    upFor: undefined,
    clusterMode: true,
  });
  const timed = `${recorded.infoServers.unstable}server_time_usec:1795572702838107\r\nuptime_in_seconds:20\r\n`;
  const started = parseInfoServer(timed);
  assert.equal(started.kind === 'reply' && started.value.startedAt, 1_795_572_682_838);
  assert.equal(started.kind === 'reply' && started.value.upFor, 20_000);
  const release = parseInfoServer(recorded.infoServers.unstable.replaceAll('unstable', '2.14.0'));
  assert.ok(release.kind === 'reply');
  assert.deepEqual(release.value.version, { major: 2, minor: 14, patch: 0 });
  assert.equal(isAtLeast(release.value.version, 2, 14), true);
  assert.equal(isAtLeast(release.value.version, 2, 15), false);
  assert.equal(isAtLeast({ major: 3, minor: 0, patch: 0 }, 2, 15), true);
  assert.equal(isAtLeast(undefined, 2, 15), undefined);
});

test('slots of keys, known ones among them', () => {
  assert.equal(slotOfKey('foo'), 12182);
  assert.equal(slotOfKey('a'), 15495);
  assert.equal(slotOfKey('{t3034}1'), 1);
  assert.equal(slotOfKey('123456789'), 0x31c3 % SLOT_COUNT);
  assert.notEqual(slotOfKey('{}x'), slotOfKey(''));
  assert.equal(slotOfKey('a{foo}{bar}'), slotOfKey('foo'));
  assert.notEqual(slotOfKey('a{foo'), slotOfKey('foo'));
});

test('a key for every slot', () => {
  for (let slot = 0; slot < SLOT_COUNT; slot++) assert.equal(slotOfKey(keyInSlot(slot)), slot);
  assert.throws(() => keyInSlot(SLOT_COUNT), RangeError);
});

test('spans: written as SETNODES and MIGRATE want them, read back', () => {
  fc.assert(
    fc.property(fc.nat(SLOT_COUNT - 1), fc.nat(SLOT_COUNT - 1), (a, b) => {
      const span = { first: Math.min(a, b), last: Math.max(a, b) };
      assert.deepEqual(parseSpan(formatSpan(span)), span);
    }),
  );
  assert.equal(formatSpan({ first: 5, last: 5 }), '5');
  for (const text of ['', '-1', '5-', '-5', '6-5', '0-16384', '1-2-3', 'a'])
    assert.equal(parseSpan(text), undefined, text);
});
