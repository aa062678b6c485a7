import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TEST_CLUSTER } from '../api/testing.ts';
import { Refusal, type RefusalCode, refusals } from '../controller/refusal.ts';
import { nodeRuntime } from '../runtime/node-runtime.ts';
import { Secret } from '../runtime/secret.ts';
import { exits } from './exit.ts';
import { served, terminal, tidy } from './testing.ts';

const IN = '-n test-ns -c test-cluster';

test('every command of the Go kvctl says what it said there', async (t) => {
  const { kvctl, plane } = await served(t);
  const lines: readonly (readonly [string, string])[] = [
    ['create namespace ns', 'create namespace: ns successfully.\n'],
    ['create cluster c1 -n ns --nodes a:1,b:2,c:3,d:4 --replica 2 --password p', 'create cluster: c1 successfully.\n'],
    ['create shard -n ns -c c1 --nodes e:5 --password p', 'create shard successfully.\n'],
    ['create node f:6 -n ns -c c1 --shard 2 --password p', 'create node: f:6 successfully.\n'],
    ['import cluster c2 -n ns --nodes g:7 --password p', 'import cluster: c2 successfully.\n'],
    ['list namespaces', 'NAMESPACE\nns\ntest-ns\n'],
    ['list clusters -n ns', 'CLUSTER\nc1\nc2\n'],
    ['migrate slot 5 --target 2 -n ns -c c1', 'migrate slot[5] task is submitted successfully.\n'],
    ['migrate slot 6-9 --target 2 -n ns -c c1 --slot-only', 'migrate slot[6-9] task is submitted successfully.\n'],
    ['failover shard 0 -n ns -c c1', 'failover shard 0 successfully, new master id: <node 1>.\n'],
    ['delete cluster c2 -n ns', 'delete cluster: c2 successfully.\n'],
    ['delete node f:6 -n ns -c c1 --shard 2', 'delete node: <node 1> successfully.\n'],
    ['migrate slot 5,6-9 --target 0 -n ns -c c1', 'migrate slot[5,6-9] task is submitted successfully.\n'],
    ['delete shard 2 -n ns -c c1', 'delete shard: 2 successfully.\n'],
    ['delete cluster c1 -n ns --reset', 'delete cluster: c1 successfully.\n'],
    ['delete namespace ns', 'delete namespace: ns successfully.\n'],
  ];
  for (const [line, said] of lines) {
    const { out, ...rest } = await kvctl(line);
    assert.deepEqual({ line, ...rest, out: tidy(out) }, { line, code: 0, err: '', out: said });
  }
  const how = (slotOnly: boolean) => ({ slotOnly, slotsPerMove: null, priority: 0 });
  assert.deepEqual(
    plane.asked.filter(({ what }) => what === 'migrate').map(({ more }) => more.slice(1)),
    [
      [[{ from: 5, to: 5 }], how(false)],
      [[{ from: 6, to: 9 }], how(true)],
      [
        [
          { from: 5, to: 5 },
          { from: 6, to: 9 },
        ],
        how(false),
      ],
    ],
  );
});

test('the commands beyond the Go kvctl reach the controller with what they were given', async (t) => {
  const { kvctl, plane } = await served(t);
  const said: string[] = [];
  for (const line of [
    `pause test-cluster -n test-ns`,
    `resume ${IN}`,
    `sync ${IN} --force`,
    `node forget 127.0.0.1:7001 ${IN}`,
    `node reset 127.0.0.1:7777 --force`,
  ]) {
    const { code, out, err } = await kvctl(line);
    assert.deepEqual({ code, err }, { code: 0, err: '' }, line);
    said.push(tidy(out));
  }
  assert.deepEqual(said, [
    'pause cluster: test-cluster successfully.\n',
    'resume cluster: test-cluster successfully.\n',
    'sync cluster: test-cluster successfully.\n',
    'forget node: <node 1> successfully.\n',
    'reset node: 127.0.0.1:7777 successfully.\n',
  ]);
  assert.deepEqual(
    plane.asked.map(({ what, options }) => [what, options.force ?? false]),
    [
      ['pause', false],
      ['resume', false],
      ['sync', true],
      ['forgetNode', false],
      ['resetNode', true],
    ],
  );
});

test('a pause for ten minutes ends ten minutes from now', async (t) => {
  const { kvctl, plane } = await served(t);
  const before = nodeRuntime().clock.wall();
  assert.equal((await kvctl(`pause ${IN} --for 10m`)).code, 0);
  const [until] = plane.asked[0]?.more ?? [];
  assert.ok(typeof until === 'number' && Math.abs(until - before - 600_000) < 60_000);
});

test('a shard is addressed by its id, whatever index it was named by', async (t) => {
  const { kvctl, plane } = await served(t);
  const { shards } = plane.cluster(TEST_CLUSTER).cluster;
  await kvctl(`migrate slot 3 --target 1 ${IN}`);
  assert.deepEqual(plane.asked.at(-1)?.more[0], { id: shards[1]?.id });
  await kvctl(`failover shard ${shards[1]?.id} ${IN}`);
  assert.equal(plane.asked.at(-1)?.what, 'failover');
});

test('a cluster that has moved on refuses a write for the version that was named', async (t) => {
  const { kvctl } = await served(t);
  assert.equal((await kvctl(`migrate slot 3 --target 1 ${IN} --if-version 1`)).code, 0);
  const late = await kvctl(`migrate slot 4 --target 1 ${IN} --if-version 1`);
  assert.deepEqual(late, {
    code: 4,
    out: '',
    err: 'error: the version is 2\nLook at it as it is now, then decide again: kvctl status -n test-ns -c test-cluster\n',
  });
});

test('each refusal has its exit code', async (t) => {
  const { kvctl, plane } = await served(t);
  const codes: Record<RefusalCode, keyof typeof exits> = {
    already_exists: 'refused',
    not_found: 'missing',
    invalid: 'usage',
    not_empty: 'refused',
    owns_slots: 'refused',
    is_master: 'refused',
    no_eligible_replica: 'refused',
    operation_running: 'refused',
    changed: 'refused',
    node_check_failed: 'node',
    node_failed: 'node',
    not_leader: 'unavailable',
    unavailable: 'unavailable',
    unauthorized: 'failed',
    forbidden: 'failed',
    outcome_unknown: 'unknown',
    internal: 'failed',
  };
  for (const code of Object.keys(refusals)) {
    if (!(code in codes)) assert.fail(`no exit code is expected for ${code}`);
  }
  for (const [code, exit] of Object.entries(codes)) {
    plane.next = Object.assign(new Refusal('internal', 'no'), { code });
    const got = await kvctl(`sync ${IN}`);
    assert.equal(got.code, exits[exit].code, code);
    assert.equal(got.out, '', code);
    assert.match(got.err, /^error: /, code);
  }
});

test('nodes that fail their check are named one by one, with what would help', async (t) => {
  const { kvctl, plane } = await served(t);
  plane.next = new Refusal('node_check_failed', '2 nodes failed their check', [
    { addr: '127.0.0.1:7001', why: 'cluster mode is off', help: 'set cluster-enabled yes and restart it' },
    '127.0.0.1:7002: no answer',
  ]);
  assert.deepEqual(await kvctl('create cluster c9 -n test-ns --nodes 127.0.0.1:7001,127.0.0.1:7002'), {
    code: 5,
    out: '',
    err: [
      'error: 2 nodes failed their check',
      '  127.0.0.1:7001: cluster mode is off; set cluster-enabled yes and restart it',
      '  127.0.0.1:7002: no answer',
      'Nothing was changed. Mend the nodes named above, then repeat the command.',
      '',
    ].join('\n'),
  });
});

test('the password comes from the flag or the variable, and is never shown', async (t) => {
  const { kvctl, plane } = await served(t, { env: { KVCTL_PASSWORD: 'from-variable' } });
  for (const flag of ['', '--password from-flag']) {
    plane.next = new Refusal('node_check_failed', 'no');
    const { out, err } = await kvctl(`create shard ${IN} --nodes e:5 ${flag}`);
    assert.doesNotMatch(out + err, /from-/);
  }
  assert.deepEqual(
    plane.asked.map(({ more: [secret] }) => revealed(secret)),
    ['from-variable', 'from-flag'],
  );
  const misspelt = await kvctl(`create shard ${IN} --nodes e:5 --pasword=from-flag`);
  assert.equal(misspelt.code, 2);
  assert.doesNotMatch(misspelt.out + misspelt.err, /from-flag/);
});

const revealed = (secret: unknown): unknown => (secret instanceof Secret ? secret.reveal() : secret);

test('wrong command lines: exit code 2, what is wrong, and the nearest right one', async () => {
  const { kvctl } = terminal();
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['stats', /unknown command 'stats'\n\(Did you mean status\?\)/],
    ['create clustr c1', /Did you mean cluster\?/],
    ['status --wach', /Did you mean --watch\?/],
    ['create', /Usage: kvctl create/],
    ['create cluster', /missing required argument 'cluster'/],
    ['create cluster c1', /the namespace is missing\nName it with -n <name>/],
    ['create cluster c1 -n ns', /the nodes are missing/],
    ['get cluster -n ns', /the cluster is missing/],
    ['get cluster .. -n ns', /allowed: a name/],
    ['migrate slot 16384 --target 1 -n ns -c c1', /got "16384"; allowed: a slot from 0 to 16383/],
    ['migrate slot 5 -n ns -c c1', /the target is missing/],
    ['migrate slot 5 --target one -n ns -c c1', /Allowed: an index in the list of shards/],
    ['pause c1 -n ns --for soon', /Allowed: a number and its unit/],
    ['status -o yaml', /Allowed: table, json/],
    ['status --host ftp://x', /Allowed: an address such as/],
    ['status c1 -c c2 -n ns', /two clusters are named/],
  ];
  for (const [line, said] of wrong) {
    const { code, out, err } = await kvctl(line);
    assert.deepEqual({ line, code, out }, { line, code: 2, out: '' });
    assert.match(err, said, line);
  }
});

test('a wrong variable is named', async () => {
  const { code, err } = await terminal({ env: { KVCTL_HOST: 'ftp://x' } }).kvctl('list namespaces');
  assert.equal(code, 2);
  assert.match(err, /variable KVCTL_HOST is invalid/);
});

test('help lists the exit codes, and the version is the product’s', async () => {
  const { kvctl } = terminal();
  const help = await kvctl('--help');
  assert.deepEqual([help.code, help.err], [0, '']);
  for (const { code, meaning } of Object.values(exits)) assert.ok(help.out.includes(`  ${code}  ${meaning}\n`));
  assert.deepEqual(await kvctl('--version'), { code: 0, out: '1.2.3\n', err: '' });
});

test('a person at a terminal confirms a deletion; --yes and scripts do not ask', async (t) => {
  const questions: string[] = [];
  let answer = 'n';
  const ask = async (question: string) => {
    questions.push(question);
    return answer;
  };
  const { kvctl, plane } = await served(t, { ask });
  const declined = await kvctl('delete cluster test-cluster -n test-ns --reset');
  assert.deepEqual(declined, { code: 1, out: '', err: 'error: not confirmed; nothing was changed\n' });
  assert.deepEqual(plane.asked, []);
  assert.deepEqual(questions, ['Cluster test-cluster is deleted; its nodes LOSE ALL THEIR DATA. Continue? [y/N] ']);
  answer = 'Y';
  assert.equal((await kvctl(`delete node 127.0.0.1:7001 ${IN}`)).code, 0);
  assert.equal((await kvctl('delete cluster test-cluster -n test-ns --yes')).code, 0);
  assert.equal(questions.length, 2);
  assert.deepEqual(
    plane.asked.map(({ what }) => what),
    ['deleteNode', 'deleteCluster'],
  );
});

test('a node that is the master is not removed, and the way out is named', async (t) => {
  const { kvctl } = await served(t);
  const { code, err } = await kvctl(`delete node 127.0.0.1:7000 ${IN}`);
  assert.equal(code, 4);
  assert.match(err, /Fail over first: kvctl failover shard <shard> -n test-ns -c test-cluster/);
});

test('a shard or node that is not there is told with what is', async (t) => {
  const { kvctl } = await served(t);
  assert.deepEqual(await kvctl(`get shard 2 ${IN}`), {
    code: 3,
    out: '',
    err: 'error: cluster test-cluster has no shard 2; it has 2 shards, 0 to 1\n',
  });
  assert.deepEqual(await kvctl(`failover shard 0 ${IN} --preferred 127.0.0.1:7003`), {
    code: 3,
    out: '',
    err: 'error: shard 0 of cluster test-cluster has no node 127.0.0.1:7003\n',
  });
});

test('the page on kvctl lists the exit codes and every command', async () => {
  const page = readFileSync(new URL('../../docs/kvctl.md', import.meta.url), 'utf8');
  for (const { code, meaning } of Object.values(exits)) assert.ok(page.includes(`| ${code} | ${meaning} |`), meaning);
  const { kvctl } = terminal();
  const commandsIn = async (line: string): Promise<readonly string[]> => {
    const { out } = await kvctl(`${line} --help`);
    const listed = /\nCommands:\n([\s\S]*?)(\n\n|$)/.exec(out)?.[1] ?? '';
    return [...listed.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name ?? '').filter((name) => name !== 'help');
  };
  const commands = await commandsIn('');
  assert.equal(commands.length, 23);
  for (const command of commands) {
    const members = await commandsIn(command);
    for (const line of members.length === 0 ? [command] : members.map((member) => `${command} ${member}`)) {
      assert.ok(page.includes(`kvctl ${line} `) || page.includes(`kvctl ${line}\n`), line);
    }
  }
});
