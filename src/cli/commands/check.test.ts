import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foundThings } from '../../api/testing-views.ts';
import { served } from '../testing.ts';

const CHECK = 'check cluster test-cluster -n test-ns';
const FIX = 'fix cluster test-cluster -n test-ns';

test('a cluster in order: said in a line, with how far it was looked', async (t) => {
  const { kvctl } = await served(t);
  assert.deepEqual(await kvctl(CHECK), {
    code: 0,
    out: 'cluster test-cluster of namespace test-ns: nothing is wrong; version 1\nlooked at: 4 nodes read anew; 2 masters looked through whole for keys of others’ slots (1200 keys)\n',
    err: '',
  });
  assert.deepEqual(await kvctl('check cluster -n test-ns -c test-cluster'), await kvctl(CHECK));
});

test('what is wrong: where, what was seen, and the one command for each', async (t) => {
  const { kvctl, plane } = await served(t);
  plane.found = foundThings;
  const shown = await kvctl(`${CHECK} --scan 90s`);
  assert.equal(shown.code, 1);
  assert.deepEqual(plane.asked.at(-1)?.more, [90_000]);
  assert.equal(
    shown.out,
    `cluster test-cluster of namespace test-ns: 2 errors, 1 warning; version 1
  error  TOPOLOGY_NEWER  127.0.0.1:7000
    127.0.0.1:7000 carries version 99 of another topology
    - it does not name 127.0.0.1:7001
    waits for: an operator
    fix: the committed topology is told to it
    fix it with: kvctl fix cluster test-cluster TOPOLOGY_NEWER@127.0.0.1:7000 -n test-ns
  error  DIVERGED  127.0.0.1:7001
    127.0.0.1:7001 may not follow
    waits for: an operator
    fix: 127.0.0.1:7001 is copied whole
    it COSTS: what it alone holds is gone
    fix it with: kvctl fix cluster test-cluster DIVERGED@127.0.0.1:7001 --force -n test-ns
  warning  KEYS_LEFT  127.0.0.1:7002
    127.0.0.1:7002 holds 3 keys in slots of others
    slots: 5,7-9
    waits for: an operator
    do: kvctl migrate slot 5,7-9 --target 1
  note  KEYS_UNSEEN  127.0.0.1:7002
    not all was seen
looked at: 4 nodes read anew; only 2 masters looked through whole for keys of others’ slots (1200 keys)
`,
  );
  assert.equal(shown.err, 'error: 2 errors, 1 warning\nWhat can be fixed: kvctl fix cluster test-cluster -n test-ns\n');
});

test('without a finding: those that can be fixed, a command each', async (t) => {
  const { kvctl, plane } = await served(t);
  assert.deepEqual(await kvctl(FIX), { code: 0, out: 'nothing can be fixed\n', err: '' });
  plane.found = foundThings;
  const { code, out } = await kvctl(FIX);
  assert.equal(code, 0);
  assert.match(out, /^fix one at a time, the first one first:\n {2}127\.0\.0\.1:7000 carries version 99/);
  assert.match(out, /1 finding cannot be fixed from here: kvctl check cluster test-cluster -n test-ns\n$/);
  assert.ok(plane.asked.every(({ what }) => what === 'check'));
});

test('one finding: the plan is shown, a person asked, and then it is done', async (t) => {
  const questions: string[] = [];
  let answer = 'n';
  const ask = async (question: string) => {
    questions.push(question);
    return answer;
  };
  const { kvctl, plane } = await served(t, { ask });
  plane.found = foundThings;
  const one = `${FIX} TOPOLOGY_NEWER@127.0.0.1:7000`;
  const done = () => plane.asked.filter(({ what, more }) => what === 'fix' && more[1] === false).length;
  const dry = await kvctl(`${one} --dry-run`);
  assert.deepEqual([dry.code, dry.err, questions], [0, '', []]);
  assert.match(dry.out, /^TOPOLOGY_NEWER@127\.0\.0\.1:7000: .*\n {2}- the committed topology is told to it\n$/);
  const declined = await kvctl(one);
  assert.notEqual(declined.code, 0);
  assert.match(declined.err, /the committed topology is told to it[\s\S]*not confirmed; nothing was changed/);
  assert.deepEqual([questions.length, done()], [1, 0]);
  answer = 'y';
  const mended = await kvctl(one);
  assert.deepEqual([mended.code, mended.out], [0, 'fix finding: TOPOLOGY_NEWER@127.0.0.1:7000 successfully.\n']);
  assert.equal(done(), 1);
  await kvctl('fix cluster TOPOLOGY_NEWER@127.0.0.1:7000 -n test-ns -c test-cluster --yes');
  assert.deepEqual([questions.length, done()], [2, 2]);
});

test('what costs something is done only with --force; what is not there is named', async (t) => {
  const { kvctl, plane } = await served(t);
  plane.found = foundThings;
  const refused = await kvctl(`${FIX} DIVERGED@127.0.0.1:7001`);
  assert.equal(refused.code, 4);
  assert.match(refused.err, /it COSTS: what it alone holds is gone[\s\S]*With --force it is done all the same\./);
  assert.equal((await kvctl(`${FIX} DIVERGED@127.0.0.1:7001 --force`)).code, 0);
  assert.equal(plane.asked.at(-1)?.options.force, true);
  assert.equal((await kvctl(`${FIX} DIVERGED@127.0.0.1:9`)).code, 3);
  assert.equal((await kvctl(`${CHECK} --scan 2h`)).code, 2);
});
