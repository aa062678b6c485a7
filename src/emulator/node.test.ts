import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { runScript } from './lua.ts';
import { CommandReader, ReplyReader, writeCommand } from './resp-reader.ts';
import { Settings } from './settings.ts';
import { slotsIn } from './slot-runs.ts';
import { HOST, World } from './testing.ts';
import { parseTopologyText } from './topology-text.ts';

const A = 7000;
const OWN = `${'a'.repeat(40)} ${HOST} ${A} master - 0-16383`;

test('commands in pieces of any size are read as they were sent', () => {
  const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
  const commands = fc.array(fc.array(latin1, { minLength: 1, maxLength: 4 }), { maxLength: 5 });
  fc.assert(
    fc.property(commands, fc.integer({ min: 1, max: 7 }), (sent, size) => {
      const bytes = sent.map(writeCommand).join('');
      const reader = new CommandReader();
      const got: (readonly string[])[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        reader.push(bytes.slice(at, at + size));
        for (let next = reader.next(); next !== undefined; next = reader.next()) {
          assert.ok('words' in next);
          got.push(next.words);
        }
      }
      assert.deepEqual(got, sent);
    }),
  );
});

test('bulks and lines in pieces of any size are read as they were sent', () => {
  const reader = new ReplyReader();
  const got: (string | undefined)[] = [];
  for (const char of '+OK\r\n$3\r\na\r\n\r\n$0\r\n\r\n-ERR x\r\n$-1\r\n') {
    reader.push(char);
    for (let next = reader.next(); next !== undefined; next = reader.next()) got.push(next.text);
  }
  assert.deepEqual(got, ['+OK', 'a\r\n', '', '-ERR x', undefined]);
});

test('an unknown option is refused with the nearest known one', () => {
  const settings = new Settings();
  assert.match(settings.load('migrate-spede', '1')?.refused ?? '', /nearest known one is migrate-speed/);
  assert.equal(settings.load('migrate-speed', '7'), undefined);
  assert.equal(settings.number('migrate-speed'), 7);
  assert.equal(settings.load('use-rsid-psync', 'maybe')?.refused, "use-rsid-psync: argument must be 'yes' or 'no'");
  assert.equal(settings.set('use-rsid-psync', 'yes')?.refused, 'Unsupported CONFIG parameter: use-rsid-psync');
  assert.equal(settings.set('migrate-batch-rate-limit-mb', '0')?.refused, 'out of numeric range');
});

test('what CONFIG REWRITE saved wins at the next start', () => {
  const world = new World();
  world.add(A);
  assert.equal(world.say(A, 'CONFIG SET masterauth p2'), '+OK');
  world.restart(A);
  assert.deepEqual(world.say(A, 'CONFIG GET masterauth'), ['masterauth', '']);
  world.say(A, 'CONFIG SET masterauth p2');
  assert.equal(world.say(A, 'CONFIG REWRITE'), '+OK');
  world.restart(A);
  assert.deepEqual(world.say(A, 'CONFIG GET masterauth'), ['masterauth', 'p2']);
});

test('a rewritten configuration names the master of a replica that has lost its topology', () => {
  const world = new World();
  world.add(A);
  world.add(7001);
  const text = `${OWN}\n${'b'.repeat(40)} ${HOST} 7001 slave ${'a'.repeat(40)}`;
  world.ask(7001, ['CLUSTERX', 'SETNODES', text, '1']);
  assert.equal(world.say(7001, 'CONFIG REWRITE'), '+OK');
  world.kill(7001);
  world.wipe(7001);
  world.start(7001);
  assert.equal(world.info(7001).get('role'), 'slave');
  assert.equal(world.info(7001).get('master_port'), String(A));
  assert.equal(world.say(7001, 'CLUSTERX VERSION'), '-1');
});

test('a replica publishes to its own subscribers and takes no scripts', () => {
  const world = new World();
  world.add(A);
  world.add(7001);
  const text = `${OWN}\n${'b'.repeat(40)} ${HOST} 7001 slave ${'a'.repeat(40)}`;
  world.ask(7001, ['CLUSTERX', 'SETNODES', text, '1']);
  world.say(7001, 'SUBSCRIBE news', 'ear');
  assert.equal(world.say(7001, 'PUBLISH news hello'), 1);
  assert.deepEqual(world.read(7001, 'ear'), ['message', 'news', 'hello']);
  assert.equal(world.info(7001).get('slave_repl_offset'), '0');
  assert.match(String(world.say(7001, 'SCRIPT LOAD return')), /^-READONLY /);
});

test('an id without a topology keeps the process from starting again', () => {
  const world = new World();
  world.add(A);
  world.ask(A, ['CLUSTERX', 'SETNODEID', 'a'.repeat(40)]);
  world.restart(A);
  assert.equal(world.exitOf(A)?.code, 1);
  assert.match(world.exitOf(A)?.reason ?? '', /Invalid cluster version/);
});

test('topology, then id, within one transaction: the file is whole', () => {
  const world = new World();
  world.add(A);
  world.say(A, 'MULTI');
  world.ask(A, ['CLUSTERX', 'SETNODES', OWN, '3']);
  world.ask(A, ['CLUSTERX', 'SETNODEID', 'a'.repeat(40)]);
  assert.deepEqual(world.say(A, 'EXEC'), ['+OK', '+OK']);
  assert.equal(world.nodesFile(A), `version 3\nid ${'a'.repeat(40)}\nnode ${OWN.replace('- 0', '-  0')}\n`);
  world.restart(A);
  assert.equal(world.say(A, 'CLUSTERX VERSION'), '3');
});

test('acknowledged writes, scripts and sequence survive a kill', () => {
  const world = new World();
  world.add(A);
  world.ask(A, ['CLUSTERX', 'SETNODES', OWN, '1']);
  world.say(A, 'SET a b');
  world.say(A, 'HSET h f v');
  const sha = world.ask(A, ['SCRIPT', 'LOAD', 'return 1']);
  world.restart(A);
  assert.equal(world.say(A, 'GET a'), 'b');
  assert.equal(world.say(A, 'HGET h f'), 'v');
  assert.equal(world.say(A, `EVALSHA ${sha} 0`), 1);
  assert.equal(world.info(A).get('master_repl_offset'), '4');
});

test('a pop waits for a push and is answered by it', () => {
  const world = new World();
  world.add(A);
  world.ask(A, ['CLUSTERX', 'SETNODES', OWN, '1']);
  world.post(A, ['BLPOP', 'l', '5'], 'pop');
  world.run(100);
  world.say(A, 'RPUSH l x');
  assert.deepEqual(world.read(A, 'pop'), ['l', 'x']);
});

test('DEBUG SLEEP stops the whole node', () => {
  const world = new World();
  world.add(A);
  world.post(A, ['DEBUG', 'SLEEP', '0.5'], 'sleeper');
  world.run(1);
  const began = world.now;
  assert.equal(world.say(A, 'PING'), '+PONG');
  assert.ok(world.now - began > 400);
});

test('an HTTP request is cut off without a word', () => {
  const world = new World();
  world.add(A);
  world.post(A, ['POST', '/', 'HTTP/1.1']);
  assert.equal(world.read(A), '(closed)');
});

test('texts of topologies: what is tolerated and what is refused', () => {
  const idOf = (letter: string) => letter.repeat(40);
  const read = (text: string) => {
    const parsed = parseTopologyText(text);
    return 'refused' in parsed ? parsed.refused : slotsIn(parsed.value.slots);
  };
  assert.equal(read(`${idOf('a')} h 1 MASTER - 0-9  20 \n\n${idOf('b')} h 2 replica ${idOf('a')}\n`), 11);
  assert.equal(read(`${idOf('a')} h 1 master - -5`), 1);
  assert.equal(read(`${idOf('a')} h 1 master - 5-5`), 'Slot is out of range');
  assert.equal(read(`${idOf('a')} h 1 slave,fail ${idOf('b')}`), 'Invalid cluster node role');
  assert.equal(
    read(`${idOf('a')} h 1 master - 1 ${idOf('b')}`),
    'Invalid nodes definition: Missing newline between node entries.',
  );
});

test('a script returns what it is asked for, and an unknown word is an error', () => {
  const context = { keys: ['k'], args: ['1'], call: () => ({ kind: 'simple', text: 'OK' }) as const };
  assert.deepEqual(runScript("return redis.call('set', KEYS[1], ARGV[1])", context), { kind: 'bulk', text: 'OK' });
  assert.deepEqual(runScript("return {1, nil, 'x'}", context), {
    kind: 'array',
    items: [{ kind: 'integer', value: 1 }],
  });
  assert.equal(runScript('return loop()', context).kind, 'error');
});
