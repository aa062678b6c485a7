import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foundThings } from './testing-views.ts';
import { CLUSTER, world } from './testing-world.ts';

test('a check: what it found, and how long masters are looked through', async () => {
  const { ask, plane } = await world();
  const clean = await ask('POST', `${CLUSTER}/check`);
  assert.deepEqual([clean.status, clean.json.data.findings], [200, []]);
  assert.deepEqual(plane.asked.at(-1)?.more, [5_000]);
  plane.found = foundThings;
  const { data } = (await ask('POST', `${CLUSTER}/check`, { scan: 0.5 })).json;
  assert.deepEqual(plane.asked.at(-1)?.more, [500]);
  assert.deepEqual(
    data.findings.map((one: { key: string; fix: unknown }) => [one.key, one.fix !== null]),
    [
      ['TOPOLOGY_NEWER@127.0.0.1:7000', true],
      ['DIVERGED@127.0.0.1:7001', true],
      ['KEYS_LEFT@127.0.0.1:7002', false],
      ['KEYS_UNSEEN@127.0.0.1:7002', false],
    ],
  );
  assert.equal((await ask('POST', `${CLUSTER}x/check`)).status, 404);
});

test('a fix is a rehearsal unless it is said that it is none', async () => {
  const { ask, plane } = await world();
  plane.found = foundThings;
  const finding = 'TOPOLOGY_NEWER@127.0.0.1:7000';
  for (const [query, body, dryRun] of [
    ['', {}, true],
    ['', { dry_run: true }, true],
    ['?dry_run=true', { dry_run: false }, true],
    ['', { dry_run: false }, false],
    ['?dry_run=false', {}, false],
    ['', { dry_run: 'false', scan: 60 }, false],
  ] as const) {
    const answer = await ask('POST', `${CLUSTER}/fix${query}`, { finding, ...body });
    assert.deepEqual([answer.status, answer.json.data.dry_run], [200, dryRun], JSON.stringify(body));
    assert.deepEqual(plane.asked.at(-1)?.more, [finding, dryRun, 'scan' in body ? 60_000 : 5_000]);
  }
  assert.equal((await ask('POST', `${CLUSTER}/fix`, { finding, dry_run: false }, { 'if-match': '9' })).status, 409);
});

test('a fix that costs something needs force, and one of nothing is refused', async () => {
  const { ask, plane } = await world();
  plane.found = foundThings;
  const finding = 'DIVERGED@127.0.0.1:7001';
  const plan = await ask('POST', `${CLUSTER}/fix`, { finding });
  assert.match(plan.json.data.refused, /what it alone holds is gone; pass force/);
  const refused = await ask('POST', `${CLUSTER}/fix`, { finding, dry_run: false });
  assert.deepEqual([refused.status, refused.json.error.code], [409, 'operation_running']);
  assert.equal((await ask('POST', `${CLUSTER}/fix`, { finding, dry_run: false, force: true })).json.data.mended, true);
  const gone = await ask('POST', `${CLUSTER}/fix`, { finding: 'DIVERGED@127.0.0.1:9' });
  assert.deepEqual([gone.status, gone.json.error.detail], [404, 'finding DIVERGED@127.0.0.1:9']);
});

test('what is neither a finding nor a span is refused with what is allowed', async () => {
  const { ask, plane } = await world();
  for (const [path, body, message] of [
    ['fix', {}, /^finding: missing; allowed: the key of a finding/],
    ['fix', { finding: 'all of them' }, /^finding: got "all of them"; allowed: the key/],
    ['fix', { finding: 'A', dry_run: 'perhaps' }, /^dry_run: got "perhaps"; allowed: true or false/],
    ['check', { scan: -1 }, /^scan: got -1; allowed: seconds from 0 to 3600/],
    ['check', { scan: 3_601 }, /^scan: got 3601/],
  ] as const) {
    const answer = await ask('POST', `${CLUSTER}/${path}`, body);
    assert.deepEqual([answer.status, answer.json.error.code], [400, 'invalid'], JSON.stringify(body));
    assert.match(answer.json.error.message, message);
  }
  assert.deepEqual(plane.asked, []);
});
