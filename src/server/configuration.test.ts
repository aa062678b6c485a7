import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { HELP, readCommandLine } from './command-line.ts';
import { readConfigFile } from './config-file.ts';
import { type Configured, configure } from './configuration.ts';
import { nearest } from './nearest.ts';
import { NOT_BUILT, type Setting, settings, toleranceOf, WITHOUT_EFFECT } from './settings.ts';

interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly file?: string;
}

function configured({ args = [], env = {}, file }: Given): Configured {
  const all = file === undefined ? args : [...args, '-c', 'c.yaml'];
  return configure({ commandLine: readCommandLine(all), env, readFile: () => file ?? '' });
}

function accepted(given: Given) {
  const got = configured(given);
  if (!got.ok) throw new Error(got.refusals.join('\n'));
  const { values, warnings } = got.configuration;
  return { values, warnings: warnings.map(({ at, name, hint }) => [at, name, hint].filter(Boolean).join(' ')) };
}

function refused(given: Given): readonly string[] {
  const got = configured(given);
  assert.ok(!got.ok, 'it was accepted');
  return got.refusals;
}

const GO_FILE = `addr: "127.0.0.1:19379"
# comments stay comments
controller:
  failover:
    gc_interval_seconds: 3600
    ping_interval_seconds: 3
    max_ping_count: 5
    min_alive_size: 5
    max_failure_ratio: 0.6
log:
  level: INFO
  filename: /tmp/kvctl.log
  max_backups: 10
  compress: true
`;

test('nothing is given: the defaults', () => {
  const { values, warnings } = accepted({});
  assert.deepEqual(values.addr, { host: '127.0.0.1', port: 9379 });
  assert.equal(values.dataDir, 'data');
  assert.equal(values.logLevel, 'info');
  assert.equal(values.allowUnauthenticated, false);
  assert.equal(toleranceOf(values), undefined);
  assert.deepEqual(warnings, []);
});

test('a file of the Go controller: taken as it is, what has no effect is told', () => {
  const { values, warnings } = accepted({ file: GO_FILE });
  assert.deepEqual(values.addr, { host: '127.0.0.1', port: 19379 });
  assert.equal(values.logLevel, 'info');
  assert.equal(values.logFile, '/tmp/kvctl.log');
  assert.equal(toleranceOf(values), 15_000);
  assert.deepEqual(
    warnings.map((warning) => warning.split(' ').slice(0, 2).join(' ')),
    [
      'c.yaml:5:5 controller.failover.gc_interval_seconds',
      'c.yaml:8:5 controller.failover.min_alive_size',
      'c.yaml:9:5 controller.failover.max_failure_ratio',
      'c.yaml:13:3 log.max_backups',
      'c.yaml:14:3 log.compress',
    ],
  );
});

test('one of the two ping numbers: the other is what the Go controller takes', () => {
  const file = 'controller: {failover: {max_ping_count: 2}}';
  assert.equal(toleranceOf(accepted({ file }).values), 6_000);
});

test('flags win over the environment, and that over the file', () => {
  const file = 'data_dir: f\naddr: 127.0.0.1:1\nlog: {level: error}';
  const env = { KVCTL_SERVER_DATA_DIR: 'e', KVCTL_SERVER_LOG_LEVEL: 'warn' };
  const { values } = accepted({ file, env, args: ['--data-dir', 'a'] });
  assert.equal(values.dataDir, 'a');
  assert.equal(values.logLevel, 'warn');
  assert.equal(values.addr.port, 1);
});

test("the Go controller's two variables: both are needed, and they win over the file", () => {
  const file = 'addr: 127.0.0.1:1';
  const host = { KVROCKS_CONTROLLER_HTTP_HOST: '::1' };
  const both = { ...host, KVROCKS_CONTROLLER_HTTP_PORT: '2' };
  assert.deepEqual(accepted({ file, env: both }).values.addr, { host: '::1', port: 2 });
  const alone = accepted({ file, env: host });
  assert.equal(alone.values.addr.port, 1);
  assert.deepEqual(alone.warnings, ['environment KVROCKS_CONTROLLER_HTTP_HOST set KVROCKS_CONTROLLER_HTTP_PORT too']);
  const own = { ...both, KVCTL_SERVER_ADDR: '127.0.0.1:3' };
  assert.equal(accepted({ file, env: own }).values.addr.port, 3);
});

test('a wrong value: refused with its place and what is allowed', () => {
  assert.deepEqual(refused({ file: 'log:\n  level: loud' }), [
    'c.yaml:2:10: log.level must be one of debug, info, warn, error, fatal, not "loud"',
  ]);
  assert.deepEqual(refused({ file: 'controller:\n  failover: {max_ping_count: 0}' }), [
    'c.yaml:2:30: controller.failover.max_ping_count must be a whole number from 1 to 1000, not "0"',
  ]);
  assert.deepEqual(refused({ env: { KVCTL_SERVER_ALLOW_UNAUTHENTICATED: 'maybe' } }), [
    'KVCTL_SERVER_ALLOW_UNAUTHENTICATED must be true or false, not "maybe"',
  ]);
  assert.match(refused({ args: ['--addr', 'nowhere'] }).join(), /^--addr must be host:port .*, not "nowhere"$/);
  assert.match(refused({ file: 'addr: [a, b]' }).join(), /^c\.yaml:1:7: addr must be one value, not a list$/);
  assert.match(refused({ file: 'log: loud' }).join(), /^c\.yaml:1:6: log must be a section/);
  assert.match(refused({ file: '- addr' }).join(), /^c\.yaml:1:1: a list of settings is expected/);
});

test('a wrong value of the file that a flag overrides: refused all the same', () => {
  assert.match(refused({ file: 'addr: 9379', args: ['--addr', '127.0.0.1:1'] }).join(), /^c\.yaml:1:7: addr must be/);
});

for (const engine of NOT_BUILT) {
  test(`storage_type ${engine}: refused by name, never replaced`, () => {
    const [sentence = ''] = refused({ file: `storage_type: ${engine}\n${engine}: {addrs: ["a"]}` });
    assert.match(
      sentence,
      new RegExp(`^c\\.yaml:1:15: storage_type ${engine}: .*${engine} is not built yet; remove it`),
    );
  });

  test(`a section ${engine} without storage_type: refused; beside storage_type embedded: told`, () => {
    for (const body of [' {addrs: ["a"]}', '']) {
      const [sentence = ''] = refused({ file: `addr: 127.0.0.1:1\n${engine}:${body}` });
      assert.match(sentence, new RegExp(`^c\\.yaml:2:1: ${engine}: .* is not built yet; remove it`));
    }
    const { warnings } = accepted({ file: `${engine}: {password: hunter2}\nstorage_type: embedded` });
    assert.deepEqual(warnings, [`c.yaml:1:1 ${engine}`]);
  });
}

test('an unknown key: told with the nearest known name', () => {
  const file = 'adr: 127.0.0.1:1\nlog: {levle: info}\nping_interval_seconds: 3\nqwertyuiop: {a: 1}\ndata-dir: x';
  assert.deepEqual(accepted({ file }).warnings, [
    'c.yaml:1:1 adr is addr meant?',
    'c.yaml:2:7 log.levle is log.level meant?',
    'c.yaml:3:1 ping_interval_seconds is controller.failover.ping_interval_seconds meant?',
    'c.yaml:4:1 qwertyuiop',
    'c.yaml:5:1 data-dir is data_dir meant?',
  ]);
});

test('a misspelt variable of ours is told; those that Kubernetes makes of a service are not', () => {
  const env = { KVCTL_SERVER_DATADIR: 'x', KVCTL_SERVER_PORT_9379_TCP: 'tcp://1', KVCTL_SERVER_SERVICE_HOST: '1' };
  assert.deepEqual(accepted({ env }).warnings, ['environment KVCTL_SERVER_DATADIR is KVCTL_SERVER_DATA_DIR meant?']);
});

test('a misspelt flag: refused with the nearest one, and without its value', () => {
  assert.deepEqual(refused({ args: ['--adr', '127.0.0.1:1', '--datadir=secret'] }), [
    '--adr is no flag of kvctl-server; is --addr meant?',
    '--datadir is no flag of kvctl-server; is --data-dir meant?',
  ]);
  assert.deepEqual(refused({ args: ['--addr', '--help'] }), ['--addr needs a value: --addr HOST:PORT']);
  assert.deepEqual(refused({ args: ['serve'] }), ['"serve" is no flag']);
});

test('a value that is left out: as if the line were not there', () => {
  assert.equal(accepted({ file: 'addr:\nlog:\ndata_dir: ~' }).values.addr.port, 9379);
  assert.equal(accepted({ file: '' }).values.addr.port, 9379);
  assert.equal(accepted({ env: { KVCTL_SERVER_ADDR: '' } }).values.addr.port, 9379);
});

test('a file that is no YAML: refused with its place, and no line of it is shown', () => {
  const [sentence = '', ...more] = refused({ file: 'etcd:\n  password: "hunter2\n' });
  assert.match(sentence, /^c\.yaml:\d+:\d+: this is no YAML \(/);
  assert.doesNotMatch(sentence, /hunter2/);
  assert.deepEqual(more, []);
  assert.match(refused({ file: 'addr: 127.0.0.1:1\naddr: 127.0.0.1:2' }).join(), /^c\.yaml:2:1: .*duplicate key/);
});

test('a file that is not there: refused by name', () => {
  const got = configure({
    commandLine: readCommandLine(['-c', 'nope.yaml']),
    env: {},
    readFile: () => readFileSync('/nowhere/nope.yaml', 'utf8'),
  });
  assert.deepEqual(got, { ok: false, refusals: ['the configuration file nope.yaml is not there'] });
});

test('any text as a file, any words as flags: an answer, never a fault', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('addr: x', 'log:', '  level: info', '- a', '&a *a', 'a: [', '? x'),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      readConfigFile(lines.join('\n'), 'c.yaml');
    }),
  );
  const word = fc.oneof(fc.string(), fc.constantFrom('--addr', '-c', '--', '-', '--data-dir=', '--help', '-hV'));
  fc.assert(
    fc.property(fc.array(word), (args) => {
      readCommandLine(args);
    }),
  );
});

test('nearest: nothing where nothing is near', () => {
  assert.equal(nearest('zzz', ['addr', 'log.level']), undefined);
  assert.equal(nearest('', ['addr']), undefined);
});

test('help and documentation name every setting, and what has no effect', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const all: readonly Setting<unknown>[] = Object.values(settings);
  for (const { flag, variable, key } of all) {
    if (flag !== undefined) assert.ok(HELP.includes(`--${flag}`), flag);
    const names = [flag && `\`--${flag}`, variable && `\`${variable}\``, key && `\`${key}\``];
    const row = page
      .split('\n')
      .find((line) => line.startsWith('|') && names.every((name) => !name || line.includes(name)));
    assert.ok(row, `docs/configuration.md has no row for ${names.filter(Boolean).join(', ')}`);
  }
  for (const key of Object.keys(WITHOUT_EFFECT))
    assert.ok(page.includes(`\`${key}\``), `docs/configuration.md: ${key}`);
});
