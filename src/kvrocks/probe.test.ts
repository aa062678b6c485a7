import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../runtime/secret.ts';
import { parseClusterInfo } from './commands/cluster-info.ts';
import { parseInfoReplication } from './commands/info-replication.ts';
import { PROBE_LIMITS, Probe, type ProbeLimits } from './probe.ts';
import { ProbeRecord, readClusterInfo, readReplication } from './probe-record.ts';
import type { ConnectionEnd } from './question.ts';
import { clusterInfos, errorTexts, infoReplications } from './recorded.ts';
import { encodeCommand } from './resp.ts';
import { bulk, type FakeWorld, fakeWorld } from './testing.ts';

const QUESTIONS = encodeCommand(['CLUSTER', 'INFO']) + encodeCommand(['INFO', 'replication']);
const QUIET = bulk(clusterInfos.quiet) + bulk(infoReplications.slaveUp);

interface Seen {
  readonly world: FakeWorld;
  readonly probe: Probe;
  readonly answers: ProbeRecord[];
  readonly failures: { readonly why: ConnectionEnd; readonly askedAt: number | undefined }[];
  connects: number;
}

function probing(options: { password?: Secret; limits?: Partial<ProbeLimits> } = {}): Seen {
  const world = fakeWorld();
  const limits = { ...PROBE_LIMITS, ...options.limits };
  const seen: Seen = {
    world,
    probe: new Probe(world.runtime, { host: '10.0.0.1', port: 6666 }, options.password, limits, {
      connected: () => {
        seen.connects += 1;
      },
      answered: (record) => void seen.answers.push({ ...record }),
      failed: (why, askedAt) => void seen.failures.push({ why, askedAt }),
    }),
    answers: [],
    failures: [],
    connects: 0,
  };
  return seen;
}

/** The only answer to one question over a fresh connection. */
function answerTo(bytes: string): ProbeRecord {
  const seen = probing();
  seen.probe.ask();
  seen.world.lastPeer().accept();
  seen.world.lastPeer().send(bytes);
  const [answer] = seen.answers;
  assert.ok(answer !== undefined && seen.answers.length === 1, JSON.stringify([bytes, seen.failures]));
  return answer;
}

test('asked: dials, sends both questions at once, reads both answers', async () => {
  const { world, probe, answers, failures } = probing();
  assert.equal(probe.ask(), true);
  await world.advance(5);
  assert.equal(world.lastPeer().sent, '');
  world.lastPeer().accept();
  assert.equal(world.lastPeer().sent, QUESTIONS);
  await world.advance(2);
  world.lastPeer().send(QUIET);
  assert.deepEqual(answers, [
    {
      kind: 'ok',
      error: undefined,
      epoch: 1,
      knownNodes: 2,
      size: 1,
      slotsAssigned: 16384,
      migrating: undefined,
      importing: undefined,
      role: 'slave',
      sequence: 2000,
      link: 'up',
      syncInProgress: false,
      secondsSinceIo: 1,
      masterHost: '127.0.0.1',
      masterPort: 7770,
      askedAt: 1005,
      answeredAt: 1007,
    },
  ]);
  assert.deepEqual(failures, []);
});

test('asked again: the same connection, and the record forgets what is no more', () => {
  const { world, probe, answers } = probing();
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(bulk(clusterInfos.bothWays) + bulk(infoReplications.slaveUp));
  probe.ask();
  world.lastPeer().send(bulk(clusterInfos.quiet) + bulk(infoReplications.master));
  assert.equal(world.peers.length, 1);
  assert.equal(world.lastPeer().sent, QUESTIONS + QUESTIONS);
  const [before, after] = answers;
  assert.equal(before?.migrating?.state, 'fail');
  assert.equal(before?.importing?.state, 'start');
  assert.equal(after?.migrating, undefined);
  assert.equal(after?.importing, undefined);
  assert.deepEqual([after?.role, after?.link, after?.masterHost, after?.secondsSinceIo], ['master', 'none', '', -1]);
});

test('asked while an answer is awaited: nothing happens', () => {
  const { world, probe } = probing();
  assert.equal(probe.ask(), true);
  assert.equal(probe.ask(), false);
  world.lastPeer().accept();
  assert.equal(probe.ask(), false);
  assert.equal(world.lastPeer().sent, QUESTIONS);
  world.lastPeer().send(QUIET);
  assert.equal(probe.ask(), true);
});

test('asked from within the answer: goes out at once', () => {
  const world = fakeWorld();
  let answers = 0;
  const probe: Probe = new Probe(world.runtime, { host: 'a', port: 1 }, undefined, PROBE_LIMITS, {
    connected: () => {},
    answered: () => {
      answers += 1;
      if (answers === 1) probe.ask();
    },
    failed: () => {},
  });
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(QUIET);
  assert.equal(world.lastPeer().sent, QUESTIONS + QUESTIONS);
  world.lastPeer().send(QUIET);
  assert.equal(answers, 2);
});

test('answers cut anywhere, byte by byte too, are the same answers', () => {
  const whole = answerTo(QUIET);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (sizes, login) => {
        const seen = login ? probing({ password: new Secret('p') }) : probing();
        seen.probe.ask();
        seen.world.lastPeer().accept();
        const bytes = (login ? '+OK\r\n' : '') + QUIET;
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          seen.world.lastPeer().send(bytes.slice(at, at + size));
          at += size;
        }
        assert.deepEqual(seen.answers, [whole]);
      },
    ),
  );
});

test('every recorded pair of answers: the same as the plain readers say', () => {
  for (const info of Object.values(clusterInfos)) {
    for (const replication of Object.values(infoReplications)) {
      const got = answerTo(bulk(info) + bulk(replication));
      const plainInfo = parseClusterInfo(info);
      const plain = parseInfoReplication(replication);
      assert.ok(plainInfo.kind === 'reply' && plain.kind === 'reply');
      const { epoch, knownNodes, size, slotsAssigned, migrating, importing } = plainInfo.value;
      assert.deepEqual(
        [got.epoch, got.knownNodes, got.size, got.slotsAssigned, got.migrating, got.importing],
        [epoch, knownNodes, size, slotsAssigned, migrating, importing],
      );
      const said = plain.value;
      assert.equal(got.kind, said.role === 'loading' ? 'loading' : 'ok');
      assert.equal(got.role, said.role === 'loading' ? 'none' : said.role);
      assert.equal(got.sequence, said.role === 'loading' ? -1 : said.sequence);
      if (said.role !== 'slave') continue;
      assert.deepEqual(
        [got.link, got.syncInProgress, got.masterHost, got.masterPort],
        [said.link, said.syncInProgress, said.masterHost, said.masterPort],
      );
      assert.equal(got.secondsSinceIo, said.secondsSinceIo === 'never' ? -1 : said.secondsSinceIo);
    }
  }
});

test('lines in any order, and unknown ones between, are read as the plain readers read them', () => {
  const shuffled = (text: string) =>
    fc
      .shuffledSubarray(text.split('\r\n').slice(1, -1), { minLength: 1 })
      .map((lines) => `# X\r\n${lines.join('\r\n')}\r\n`);
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(clusterInfos)).chain(shuffled), (text) => {
      const record = new ProbeRecord();
      const readable = readClusterInfo(text, 0, text.length, record);
      const plain = parseClusterInfo(text);
      assert.equal(readable, plain.kind === 'reply');
      if (plain.kind !== 'reply') return;
      const { epoch, knownNodes, size, slotsAssigned, migrating, importing } = record;
      const jobs = { ...(migrating && { migrating }), ...(importing && { importing }) };
      assert.deepEqual({ epoch, knownNodes, size, slotsAssigned, ...jobs }, plain.value);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(infoReplications).slice(0, -2)).chain(shuffled), (text) => {
      const record = new ProbeRecord();
      const read = readReplication(text, 0, text.length, record);
      const plain = parseInfoReplication(text);
      if (plain.kind !== 'reply') assert.equal(read, false);
      else if (plain.value.role === 'loading') assert.equal(read, 'loading');
      else assert.deepEqual([read, record.role, record.sequence], [true, plain.value.role, plain.value.sequence]);
    }),
    { numRuns: 500 },
  );
});

test('what stands behind an answer is not read into it', () => {
  const short = clusterInfos.quiet.replace(/cluster_current_epoch:1\r\n/, '');
  const record = new ProbeRecord();
  assert.equal(readClusterInfo(short + clusterInfos.quiet, 0, short.length, record), false);
  const text = `${infoReplications.loadingNew}${infoReplications.master}`;
  assert.equal(readReplication(text, 0, infoReplications.loadingNew.length, record), 'loading');
});

test('verbatim texts of RESP3', () => {
  const verbatim = (text: string) => `=${text.length + 4}\r\ntxt:${text}\r\n`;
  const got = answerTo(verbatim(clusterInfos.quiet) + verbatim(infoReplications.master));
  assert.deepEqual([got.kind, got.epoch, got.sequence], ['ok', 1, 2000]);
});

test('errors are answers of the living', () => {
  const error = (text: string) => `-${text}\r\n`;
  const role = bulk(infoReplications.slaveDown);
  const cases: readonly (readonly [string, ProbeRecord['kind'], ProbeRecord['role'], number])[] = [
    [error(errorTexts.loading) + bulk(''), 'loading', 'none', -1],
    [error(errorTexts.loading) + bulk(infoReplications.loadingNew), 'loading', 'none', -1],
    [bulk(clusterInfos.quiet) + bulk(''), 'loading', 'none', 1],
    [error(errorTexts.noauth).repeat(2), 'denied', 'none', -1],
    [error(errorTexts.masterdown) + role, 'masterdown', 'slave', -1],
    [error(errorTexts.notInitialized) + bulk(infoReplications.fresh), 'not-initialized', 'master', -1],
    [error(errorTexts.notACluster) + bulk(infoReplications.fresh), 'error', 'master', -1],
    [bulk(clusterInfos.quiet) + error('ERR what'), 'error', 'none', 1],
    [bulk('nonsense') + role, 'error', 'slave', -1],
    [bulk(clusterInfos.quiet) + bulk('x\r\nrole:king\r\n'), 'error', 'none', 1],
    ['+OK\r\n+OK\r\n', 'error', 'none', -1],
  ];
  for (const [bytes, kind, expectedRole, epoch] of cases) {
    const got = answerTo(bytes);
    assert.deepEqual([got.kind, got.role, got.epoch], [kind, expectedRole, epoch], bytes);
    if (kind === 'error') assert.notEqual(got.error, undefined);
  }
});

test('a password: AUTH first, once for each connection', () => {
  const { world, probe, answers } = probing({ password: new Secret('pw') });
  probe.ask();
  world.lastPeer().accept();
  assert.equal(world.lastPeer().sent, encodeCommand(['AUTH', 'pw']) + QUESTIONS);
  world.lastPeer().send(`+OK\r\n${QUIET}`);
  probe.ask();
  assert.equal(world.lastPeer().sent, encodeCommand(['AUTH', 'pw']) + QUESTIONS + QUESTIONS);
  world.lastPeer().send(QUIET);
  assert.deepEqual(
    answers.map((answer) => answer.kind),
    ['ok', 'ok'],
  );
});

test('a node without a password that is sent one is probed all the same', () => {
  const { world, probe, answers } = probing({ password: new Secret('pw') });
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(`-ERR Client sent AUTH, but no password is set\r\n${QUIET}`);
  assert.equal(answers[0]?.kind, 'ok');
});

test('a refused password: an answer, and the next question tries it anew', () => {
  const { world, probe, answers, failures } = probing({ password: new Secret('pw') });
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(`-ERR Invalid password\r\n${`-${errorTexts.noauth}\r\n`.repeat(2)}`);
  assert.equal(answers[0]?.kind, 'denied');
  assert.deepEqual(failures, []);
  assert.ok(world.lastPeer().over);
  assert.equal(probe.open, false);
  probe.ask();
  assert.equal(world.peers.length, 2);
  world.lastPeer().accept();
  world.lastPeer().send(`+OK\r\n${QUIET}`);
  assert.equal(answers[1]?.kind, 'ok');
});

test('no answer: failed at the deadline, and the next question dials again', async () => {
  const { world, probe, failures } = probing();
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(QUIET.slice(0, 50));
  await world.advance(999);
  assert.deepEqual(failures, []);
  await world.advance(1);
  assert.deepEqual(failures, [{ why: { kind: 'no-answer' }, askedAt: 1000 }]);
  assert.ok(world.lastPeer().over);
  probe.ask();
  assert.equal(world.peers.length, 2);
  world.lastPeer().accept();
  world.lastPeer().send(QUIET);
  await world.advance(5000);
  assert.equal(failures.length, 1);
  assert.equal(world.timersLeft(), 0);
});

test('never connected: failed, and nothing was asked', async () => {
  const { world, probe, failures } = probing();
  probe.ask();
  world.lastPeer().end({ kind: 'refused' });
  probe.ask();
  await world.advance(500);
  assert.deepEqual(failures, [
    { why: { kind: 'refused' }, askedAt: undefined },
    { why: { kind: 'timeout' }, askedAt: undefined },
  ]);
});

test('EOF between two questions is told at once', () => {
  const { world, probe, failures } = probing();
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(QUIET);
  world.lastPeer().end({ kind: 'eof' });
  assert.deepEqual(failures, [{ why: { kind: 'eof' }, askedAt: undefined }]);
});

test('garbage: over at once, in bounded memory', () => {
  const limits = { bytes: 1000 };
  const cases = [
    'HTTP/1.1 400 Bad Request\r\n',
    ':1\r\n',
    '*2\r\n',
    '$1001\r\n',
    '$-1\r\n',
    '$\r\n',
    '$x\r\n',
    '$2\r\nabcd',
    `+${'x'.repeat(1000)}`,
    `${QUIET}+1\r\n`,
  ];
  for (const bytes of cases) {
    const { world, probe, failures } = probing({ limits });
    probe.ask();
    world.lastPeer().accept();
    world.lastPeer().send(bytes);
    assert.equal(failures[0]?.why.kind, 'garbled', JSON.stringify(bytes));
    assert.ok(world.lastPeer().over);
  }
});

test('an answer to no question: over', () => {
  const { world, probe, failures } = probing();
  probe.ask();
  world.lastPeer().accept();
  world.lastPeer().send(QUIET);
  world.lastPeer().send('+OK\r\n');
  assert.equal(failures[0]?.why.kind, 'garbled');
});

test('whatever comes, a probe ends in one answer or one failure', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      QUIET,
      bulk(clusterInfos.quiet),
      bulk(infoReplications.fresh),
      '+OK\r\n',
      '-ERR x\r\n',
      '$5\r\n',
      '\r\n',
      '$',
    ),
    fc.string({ maxLength: 10 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), fc.boolean(), async (pieces, login) => {
      const { world, probe, answers, failures } = probing(login ? { password: new Secret('p') } : {});
      probe.ask();
      world.lastPeer().accept();
      for (const bytes of pieces) {
        if (answers.length + failures.length === 0) world.lastPeer().send(bytes);
      }
      await world.advance(1000);
      assert.equal(answers.length + failures.length, 1);
      assert.equal(world.timersLeft(), 0);
    }),
  );
});

test('closed: silent for good', async () => {
  const { world, probe, answers, failures } = probing();
  probe.ask();
  world.lastPeer().accept();
  probe.close();
  probe.close();
  assert.ok(world.lastPeer().over);
  assert.equal(probe.ask(), false);
  await world.advance(5000);
  assert.deepEqual([answers, failures], [[], []]);
  assert.equal(world.timersLeft(), 0);
});

test('the connection is told once it is made', () => {
  const seen = probing();
  seen.probe.ask();
  assert.deepEqual([seen.connects, seen.probe.open], [0, false]);
  seen.world.lastPeer().accept();
  assert.deepEqual([seen.connects, seen.probe.open], [1, true]);
});
