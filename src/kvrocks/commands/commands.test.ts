import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../../runtime/secret.ts';
import type { Question, Read } from '../question.ts';
import { errorTexts, id, infoReplications } from '../recorded.ts';
import { encodeCommand, type Reply, ReplyReader } from '../resp.ts';
import { bulk } from '../testing.ts';
import { clusterInfo } from './cluster-info.ts';
import { clusterNodes } from './cluster-nodes.ts';
import { configGet, nodeSettings } from './config-get.ts';
import { configRewrite, configSet } from './config-set.ts';
import { dataSize } from './data-size.ts';
import { flushAll } from './flush-all.ts';
import { infoReplication } from './info-replication.ts';
import { infoServer } from './info-server.ts';
import { migrate, migrateAndWait } from './migrate.ts';
import { myId } from './my-id.ts';
import { pollUpdates } from './poll-updates.ts';
import { raiseSequence, raiseSequenceByPublish } from './publish.ts';
import { readKey, readKeyOfSlot } from './read-key.ts';
import { clusterReset } from './reset.ts';
import { scriptExists, scriptLoad } from './script.ts';
import { setNodes, setNodesAndId } from './set-nodes.ts';
import { setNodesInOneBreath } from './set-nodes-in-one-breath.ts';
import { slotOfKey } from './slot.ts';
import { version } from './version.ts';

/** What a question makes of these bytes. */
function read<T>(asked: Question<T>, bytes: string): Read<T> {
  const reader = new ReplyReader();
  reader.push(bytes);
  const replies: Reply[] = [];
  for (let got = reader.next(); got !== undefined; got = reader.next()) replies.push(got);
  assert.equal(reader.garbled, undefined);
  assert.equal(replies.length, asked.replies);
  return asked.read(replies);
}

function value<T>(asked: Question<T>, bytes: string): T {
  const got = read(asked, bytes);
  assert.ok(got.kind === 'reply', JSON.stringify(got));
  return got.value;
}

function errorKind<T>(asked: Question<T>, bytes: string): string {
  const got = read(asked, bytes);
  assert.ok(got.kind === 'error', JSON.stringify(got));
  return got.error.kind;
}

const TEXT = `${id('a')} 127.0.0.1 7770 master - 0-16383`;

test('VERSION: a bulk, -1 before any topology', () => {
  assert.equal(version().bytes, encodeCommand(['CLUSTERX', 'VERSION']));
  assert.equal(value(version(), '$2\r\n-1\r\n'), -1);
  assert.equal(value(version(), '$1\r\n7\r\n'), 7);
  assert.equal(read(version(), '$1\r\nx\r\n').kind, 'garbled');
  assert.equal(errorKind(version(), `-${errorTexts.notACluster}\r\n`), 'not-a-cluster');
});

test('how much a server holds: without an estimate of keys it is not taken to be empty, nor without its bytes', () => {
  const read = (rocksdb: string, keyspace: string) =>
    dataSize().read([
      { kind: 'bulk', text: rocksdb },
      { kind: 'bulk', text: keyspace },
    ]);
  const keys = '# RocksDB\r\nestimate_keys[default]:7\r\nestimate_keys[metadata]:98468\r\n';
  const bytes = '# Keyspace\r\nsequence:9\r\nused_db_size:55713371\r\n';
  assert.deepEqual(read(keys, bytes), { kind: 'reply', value: { keys: 98_468, bytes: 55_713_371 } });
  assert.deepEqual(read(keys, '# Keyspace\r\nused_db_size:0\r\n'), {
    kind: 'reply',
    value: { keys: 98_468, bytes: null },
  });
  assert.equal(read('# RocksDB\r\n', bytes).kind, 'garbled');
});

test('MYID: empty on a fresh node', () => {
  assert.equal(value(myId(), '$0\r\n\r\n'), '');
  assert.equal(value(myId(), bulk(id('a'))), id('a'));
  assert.equal(read(myId(), bulk('short')).kind, 'garbled');
});

test('SETNODES plain', () => {
  assert.equal(setNodes(TEXT, 7).bytes, encodeCommand(['CLUSTERX', 'SETNODES', TEXT, '7']));
  assert.equal(value(setNodes(TEXT, 7), '+OK\r\n'), 'ok');
  assert.equal(errorKind(setNodes(TEXT, 7), `-${errorTexts.oldVersion}\r\n`), 'old-version');
  assert.equal(errorKind(setNodes(TEXT, 7), `-${errorTexts.loading}\r\n`), 'loading');
});

test('SETNODES with the id: the id behind the topology, never before it', () => {
  const asked = setNodesAndId(TEXT, 7, id('a'));
  const words = [['MULTI'], ['CLUSTERX', 'SETNODES', TEXT, '7'], ['CLUSTERX', 'SETNODEID', id('a')], ['EXEC']];
  assert.equal(asked.bytes, words.map(encodeCommand).join(''));
  assert.equal(value(asked, '+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n'), 'ok');
});

test('an error inside EXEC is the answer, one while queuing too', () => {
  const asked = setNodesAndId(TEXT, 7, id('a'));
  assert.equal(
    errorKind(asked, `+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-${errorTexts.oldVersion}\r\n+OK\r\n`),
    'old-version',
  );
  const refused = `+OK\r\n-${errorTexts.loading}\r\n-${errorTexts.loading}\r\n-${errorTexts.aborted}\r\n`;
  assert.equal(errorKind(asked, refused), 'loading');
  assert.equal(errorKind(asked, `-${errorTexts.noauth}\r\n`.repeat(4)), 'denied');
});

test('one breath: the sequence at the moment of the change', () => {
  const asked = setNodesInOneBreath(TEXT, 7);
  const info = ['INFO', 'replication'];
  const words = [['MULTI'], info, ['CLUSTERX', 'SETNODES', TEXT, '7'], info, ['EXEC']];
  assert.equal(asked.bytes, words.map(encodeCommand).join(''));
  const queued = '+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n';
  const [before, after] = [bulk(infoReplications.slaveUp), bulk(infoReplications.master)];
  const got = value(asked, `${queued}*3\r\n${before}+OK\r\n${after}`);
  assert.equal(got.result, 'ok');
  assert.equal(got.before.role, 'slave');
  assert.equal(got.replication.role === 'master' && got.replication.sequence, 2000);
});

test('one breath refused: the node still says how it stands', () => {
  const asked = setNodesInOneBreath(TEXT, 7, id('a'));
  assert.ok(asked.bytes.includes('SETNODEID'));
  const queued = '+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n';
  const info = bulk(infoReplications.slaveUp);
  const got = value(asked, `${queued}*4\r\n${info}-${errorTexts.badText}\r\n+OK\r\n${info}`);
  assert.equal(got.result !== 'ok' && got.result.text, errorTexts.badText);
  assert.equal(got.replication.role, 'slave');
});

test('one breath with an EXEC that is not the three answers', () => {
  const asked = setNodesInOneBreath(TEXT, 7);
  const info = bulk(infoReplications.master);
  for (const exec of [
    '*-1\r\n',
    '*1\r\n+OK\r\n',
    '+OK\r\n',
    `*2\r\n+OK\r\n${info}`,
    `*3\r\n${info}+NO\r\n${info}`,
    `*3\r\n${info}+OK\r\n:1\r\n`,
    `*3\r\n:1\r\n+OK\r\n${info}`,
  ]) {
    const got = read(asked, `+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n${exec}`);
    assert.equal(got.kind, 'garbled', exec);
  }
});

test('settings: asked one by one, missing where the server is too old', () => {
  const pair = (name: string, word: string) => `*2\r\n${bulk(name)}${bulk(word)}`;
  const asked = nodeSettings();
  assert.equal(asked.replies, 8);
  const got = value(
    asked,
    pair('cluster-enabled', 'yes') +
      pair('persist-cluster-nodes-enabled', 'no') +
      pair('slave-serve-stale-data', 'yes') +
      pair('slave-empty-db-before-fullsync', 'no') +
      pair('use-rsid-psync', 'no') +
      pair('migrate-type', 'raw-key-value') +
      pair('migrate-speed', '4096') +
      '*0\r\n',
  );
  assert.deepEqual(got, {
    clusterEnabled: true,
    persistClusterNodes: false,
    serveStaleData: true,
    emptyDbBeforeFullSync: false,
    rsidPsync: false,
    migrateType: 'raw-key-value',
    migrateSpeed: 4096,
    replicationConnectTimeout: undefined,
  });
});

test('settings over RESP3 are a map', () => {
  const got = value(configGet(['port']), '%1\r\n+port\r\n$4\r\n7770\r\n');
  assert.deepEqual([...got], [['port', '7770']]);
});

test('settings of a node that is loading', () => {
  assert.equal(errorKind(configGet(['port']), `-${errorTexts.loading}\r\n`), 'loading');
  assert.equal(read(configGet(['port']), '*1\r\n$1\r\na\r\n').kind, 'garbled');
});

test('CONFIG SET of a password that the node repeats in its error', () => {
  const asked = configSet('masterauth', new Secret('hunter2'));
  assert.ok(asked.bytes.includes('hunter2'));
  const got = read(asked, "-ERR CONFIG SET 'masterauth' error: bad value hunter2\r\n");
  assert.equal(got.kind === 'error' && got.error.text, "ERR CONFIG SET 'masterauth' error: bad value ********");
  assert.equal(value(configSet('a', 'b'), '+OK\r\n'), 'ok');
  assert.equal(value(configSet('masterauth', new Secret('')), '+OK\r\n'), 'ok');
  assert.equal(value(configRewrite(), '+OK\r\n'), 'ok');
});

test('MIGRATE: one slot without a dash, a range with one', () => {
  assert.equal(migrate({ first: 5, last: 5 }, id('b')).bytes, encodeCommand(['CLUSTERX', 'MIGRATE', '5', id('b')]));
  assert.equal(
    migrateAndWait({ first: 5, last: 9 }, id('b')).bytes,
    encodeCommand(['CLUSTERX', 'MIGRATE', '5-9', id('b'), 'sync']),
  );
  assert.equal(
    migrateAndWait({ first: 5, last: 9 }, id('b'), 1.5).bytes,
    encodeCommand(['CLUSTERX', 'MIGRATE', '5-9', id('b'), 'sync', '2']),
  );
});

test('MIGRATE: accepted, done, still running, refused', () => {
  const span = { first: 5, last: 9 };
  assert.equal(value(migrate(span, id('b')), '+OK\r\n'), 'accepted');
  assert.equal(value(migrateAndWait(span, id('b')), '+OK\r\n'), 'success');
  assert.equal(value(migrateAndWait(span, id('b')), '$-1\r\n'), 'running');
  assert.equal(errorKind(migrate(span, id('b')), `-${errorTexts.migrating}\r\n`), 'busy');
  const failed = '-ERR failed to connect to the destination node: Connection refused\r\n';
  assert.equal(errorKind(migrateAndWait(span, id('b')), failed), 'other');
});

test('RESET and FLUSHALL', () => {
  assert.equal(value(clusterReset(), '+OK\r\n'), 'ok');
  assert.equal(errorKind(clusterReset(), `-${errorTexts.resetMigrating}\r\n`), 'busy');
  assert.equal(value(flushAll(), '+OK\r\n'), 'ok');
  assert.equal(errorKind(flushAll(), `-${errorTexts.readOnly}\r\n`), 'read-only');
});

test('scripts as markers', () => {
  const sha = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';
  assert.equal(value(scriptLoad('return 1'), bulk(sha)), sha);
  assert.equal(value(scriptExists(sha), '*1\r\n:1\r\n'), true);
  assert.equal(value(scriptExists(sha), '*1\r\n:0\r\n'), false);
  assert.equal(read(scriptExists(sha), '*2\r\n:0\r\n:0\r\n').kind, 'garbled');
});

test('raising the sequence: one message a step, at least one step, at most 10,000', () => {
  assert.equal(raiseSequence('c', 3).bytes, encodeCommand(['MPUBLISH', 'c', '', '', '']));
  assert.equal(value(raiseSequence('c', 3), ':0\r\n'), 3);
  assert.equal(value(raiseSequence('c', 0), ':0\r\n'), 1);
  assert.equal(value(raiseSequence('c', 1_000_000), ':0\r\n'), 10_000);
  assert.equal(
    errorKind(raiseSequence('c', 2), '-ERR unknown command `MPUBLISH`, with args beginning with: `c`\r\n'),
    'usage',
  );
});

test('raising by PUBLISH: a command and a reply for each step', () => {
  assert.equal(raiseSequenceByPublish('c', 2).bytes, encodeCommand(['PUBLISH', 'c', '']).repeat(2));
  assert.equal(value(raiseSequenceByPublish('c', 3), ':0\r\n:0\r\n:0\r\n'), 3);
  assert.equal(errorKind(raiseSequenceByPublish('c', 2), `:0\r\n-${errorTexts.readOnly}\r\n`), 'read-only');
  assert.equal(raiseSequenceByPublish('c', 20_000).replies, 10_000);
});

test('a read of a key tells who serves its slot', () => {
  assert.ok(readKeyOfSlot(100).bytes.startsWith('*2\r\n$3\r\nGET\r\n'));
  assert.deepEqual(value(readKey('k'), '$1\r\nv\r\n'), { kind: 'served' });
  assert.deepEqual(value(readKey('k'), '$-1\r\n'), { kind: 'served' });
  assert.deepEqual(value(readKey('k'), '_\r\n'), { kind: 'served' });
  const wrongType = '-ERR Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value\r\n';
  assert.deepEqual(value(readKey('k'), wrongType), { kind: 'served' });
  assert.deepEqual(value(readKey('k'), `-${errorTexts.movedIpv6}\r\n`), { kind: 'moved', host: '::1', port: 16700 });
  for (const [text, kind] of [
    [errorTexts.tryAgain, 'try-again'],
    [errorTexts.notServed, 'clusterdown'],
    [errorTexts.masterdown, 'masterdown'],
  ] as const) {
    const got = value(readKey('k'), `-${text}\r\n`);
    assert.equal(got.kind === 'refused' && got.error.kind, kind);
  }
});

const RAW = '2C01000000000000010000000301310501130B5F5F6E616D6573706163653130';

/** A reply of POLLUPDATES up to its list of updates. */
function fields(next: number, latest: number): string {
  return `*6\r\n${bulk('next_sequence')}:${next}\r\n${bulk('latest_sequence')}:${latest}\r\n${bulk('updates')}`;
}

test('POLLUPDATES: raw entries with their sequence', () => {
  const asked = pollUpdates(299, 1);
  assert.equal(asked.bytes, encodeCommand(['POLLUPDATES', '299', 'MAX', '1', 'STRICT']));
  assert.deepEqual(value(asked, `${fields(300, 300)}*1\r\n${bulk(RAW)}`), {
    kind: 'updates',
    entries: [{ sequence: 300, count: 1, bytes: Buffer.from(RAW, 'hex').toString('latin1') }],
    nextSequence: 300,
    latestSequence: 300,
  });
});

test('POLLUPDATES: at least one entry, at most a thousand, strict unless it is told otherwise', () => {
  assert.equal(pollUpdates(0, 0).bytes, encodeCommand(['POLLUPDATES', '0', 'MAX', '1', 'STRICT']));
  assert.equal(pollUpdates(0, 5000).bytes, encodeCommand(['POLLUPDATES', '0', 'MAX', '1000', 'STRICT']));
  assert.equal(pollUpdates(0, 5, { strict: false }).bytes, encodeCommand(['POLLUPDATES', '0', 'MAX', '5']));
  const lenient = pollUpdates(0, 5, { strict: false, format: 'resp' });
  assert.equal(lenient.bytes, encodeCommand(['POLLUPDATES', '0', 'MAX', '5', 'FORMAT', 'RESP']));
});

test('POLLUPDATES as commands: what a node alone holds, streams under a namespace without a name', () => {
  const asked = pollUpdates(300, 5, { format: 'resp' });
  const set = `*3\r\n${bulk('SET')}${bulk('olda:0')}${bulk('\x00\xff\r\n')}`;
  const add = `*5\r\n${['XADD', 'x', '1-1', 'f', 'v'].map(bulk).join('')}`;
  const updates = `*4\r\n${bulk('')}*1\r\n${add}${bulk('default')}*2\r\n${set}${set}`;
  const got = value(asked, `${fields(304, 320)}${updates}`);
  assert.ok(got.kind === 'updates');
  assert.deepEqual(got.entries, [
    { namespace: '', args: ['XADD', 'x', '1-1', 'f', 'v'] },
    { namespace: 'default', args: ['SET', 'olda:0', '\x00\xff\r\n'] },
    { namespace: 'default', args: ['SET', 'olda:0', '\x00\xff\r\n'] },
  ]);
  assert.equal(got.nextSequence, 304);
});

test('POLLUPDATES where there is nothing', () => {
  const got = value(pollUpdates(300, 1), `${fields(300, 300)}*0\r\n`);
  assert.deepEqual(got.kind === 'updates' && got.entries, []);
  assert.deepEqual(value(pollUpdates(301, 1), '-ERR next sequence is out of range\r\n'), { kind: 'beyond-the-end' });
});

test('POLLUPDATES: the log begins later, begins nowhere, or the number lies within an entry', () => {
  const mismatch = (expected: number, got: number) =>
    `-ERR mismatched sequence number, expected ${expected} but got ${got}\r\n`;
  assert.deepEqual(value(pollUpdates(0, 1), mismatch(1, 10001)), { kind: 'purged', available: 10001 });
  assert.deepEqual(value(pollUpdates(99, 1), '-ERR iterator is not valid\r\n'), {
    kind: 'purged',
    available: undefined,
  });
  assert.deepEqual(value(pollUpdates(2, 1), mismatch(3, 1)), { kind: 'inside-an-entry', begins: 1 });
  assert.deepEqual(value(pollUpdates(2, 1), mismatch(3, 2)), { kind: 'inside-an-entry', begins: 2 });
});

test('POLLUPDATES on a server that has no such command, or not this format', () => {
  const unknown = '-ERR unknown command `POLLUPDATES`, with args beginning with: `0`\r\n';
  assert.deepEqual(value(pollUpdates(0, 1), unknown), { kind: 'unsupported' });
  const asked = pollUpdates(0, 1, { format: 'resp' });
  assert.deepEqual(value(asked, '-ERR syntax error\r\n'), { kind: 'unsupported' });
  assert.equal(errorKind(asked, `-${errorTexts.loading}\r\n`), 'loading');
});

test('POLLUPDATES with an entry that is none', () => {
  for (const entry of ['', 'zz', RAW.slice(0, 20), `${RAW}0`, `${RAW}zz`, 'FFFFFFFFFFFFFFFF01000000']) {
    assert.equal(read(pollUpdates(0, 1), `${fields(1, 1)}*1\r\n${bulk(entry)}`).kind, 'garbled', entry);
  }
});

test('whatever a node answers, no reader throws', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.constantFrom(
      'OK',
      'QUEUED',
      'role:master\r\nmaster_repl_offset:x',
      'role:slave',
      'next_sequence',
      'updates',
      RAW,
      id('a'),
    ),
    fc.constantFrom(...Object.values(errorTexts)),
  );
  const anyReply = fc.letrec<{ reply: Reply }>((tie) => ({
    reply: fc.oneof(
      { maxDepth: 3 },
      fc.constant<Reply>({ kind: 'nil' }),
      text.map((text): Reply => ({ kind: 'bulk', text })),
      text.map((text): Reply => ({ kind: 'simple', text })),
      text.map((text): Reply => ({ kind: 'error', text })),
      fc.integer().map((value): Reply => ({ kind: 'integer', value })),
      fc.array(tie('reply'), { maxLength: 6 }).map((items): Reply => ({ kind: 'array', items })),
    ),
  })).reply;
  const span = { first: 0, last: 9 };
  const all: readonly Question<unknown>[] = [
    version(),
    myId(),
    setNodes(TEXT, 1),
    setNodesAndId(TEXT, 1, id('a')),
    setNodesInOneBreath(TEXT, 1, id('a')),
    clusterInfo(),
    clusterNodes(),
    infoReplication(),
    infoServer(),
    dataSize(),
    configGet(['port']),
    nodeSettings(),
    configSet('masterauth', new Secret('x')),
    migrate(span, id('b')),
    migrateAndWait(span, id('b')),
    clusterReset(),
    flushAll(),
    pollUpdates(0, 10),
    pollUpdates(0, 10, { format: 'resp' }),
    scriptLoad('return 1'),
    scriptExists('x'),
    raiseSequence('c', 2),
    raiseSequenceByPublish('c', 2),
    readKey('k'),
  ];
  const asked = fc.constantFrom(...all);
  fc.assert(
    fc.property(asked, fc.array(anyReply, { minLength: 8, maxLength: 8 }), (one, replies) => {
      const got = one.read(replies.slice(0, one.replies));
      assert.ok(got.kind === 'reply' || got.kind === 'error' || got.kind === 'garbled');
    }),
    { numRuns: 2000 },
  );
});

test('the read of a slot asks for a key of that slot', () => {
  for (const slot of [0, 100, 16383]) {
    const key = readKeyOfSlot(slot).bytes.split('\r\n')[4] ?? '';
    assert.equal(slotOfKey(key), slot);
  }
});
