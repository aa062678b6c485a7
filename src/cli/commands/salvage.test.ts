import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesText } from '../render/text.ts';
import { served, tidy } from '../testing.ts';

const IN = '-n test-ns -c test-cluster';
const ID = `${'n'.repeat(40)}-8-9.jsonl`;

test('what was saved is listed, and shown as commands that redis-cli reads', async (t) => {
  const { kvctl } = await served(t);
  const listed = await kvctl(`salvage list ${IN}`);
  assert.deepEqual([listed.code, listed.err], [0, '']);
  const [head, row] = listed.out.split('\n');
  assert.match(head ?? '', /^ID +SAVED +PARTED AT +RECORDS +COMMANDS +ALL +SHARD$/);
  assert.match(row ?? '', /-8-9\.jsonl +2023-06-07 .* +8 +2 +2 +yes +sh-/);
  assert.deepEqual(await kvctl('salvage list test-cluster -n test-ns'), listed);
  const shown = await kvctl(`salvage show ${ID} ${IN}`);
  assert.deepEqual([shown.code, shown.out], [0, 'SET k v\nSET l "\\xff"\n']);
  const json = await kvctl(`salvage show ${ID} ${IN} -o json`);
  assert.deepEqual(JSON.parse(json.out).commands[1].args, ['SET', 'l', '\u00ff']);
  const absent = await kvctl(`salvage show none ${IN}`);
  assert.notEqual(absent.code, 0);
});

test('written again: what would become of each key first, and then it does', async (t) => {
  const { kvctl, plane } = await served(t);
  const dry = await kvctl(`salvage replay ${ID} --dry-run ${IN}`);
  assert.deepEqual([dry.code, dry.err], [0, '']);
  assert.match(dry.out, /k +1 +would-be +-\nl +1 +skipped +the shard has written it since/);
  assert.match(dry.out, /1 key would be written again, 1 left as they are, 0 failed/);
  assert.deepEqual(plane.asked.at(-1)?.more, [ID, true]);
  const done = await kvctl(`salvage replay ${ID} ${IN}`);
  assert.match(done.out, /1 key written again/);
  assert.deepEqual(plane.asked.at(-1)?.more, [ID, false]);
});

test('a person is asked before anything is written again, or given up', async (t) => {
  const { kvctl, plane } = await served(t, { ask: async () => 'n' });
  assert.notEqual((await kvctl(`salvage replay ${ID} ${IN}`)).code, 0);
  assert.notEqual((await kvctl(`node readmit 127.0.0.1:7770 --force ${IN}`)).code, 0);
  assert.deepEqual(plane.asked, []);
  assert.equal((await kvctl(`salvage replay ${ID} --dry-run ${IN}`)).code, 0);
});

test('a node is let back by its address, by force where that is said', async (t) => {
  const { kvctl, plane } = await served(t);
  const { nodes } = plane.cluster({ namespace: 'test-ns', cluster: 'test-cluster' }).cluster.shards[0] ?? assert.fail();
  const { address, id } = nodes[1] ?? assert.fail();
  const back = await kvctl(`node readmit ${address.host}:${address.port} ${IN}`);
  assert.deepEqual(
    [back.code, tidy(back.out)],
    [0, 'readmit node: <node 1> successfully; kvctl status tells how far it is.\n'],
  );
  assert.deepEqual([plane.asked.at(-1)?.more, plane.asked.at(-1)?.options.force], [[id], undefined]);
  await kvctl(`node readmit ${id} --force ${IN}`);
  assert.equal(plane.asked.at(-1)?.options.force, true);
});

test('bytes are written so that a shell or a terminal obeys none of them', () => {
  assert.equal(bytesText('key:{1}'), 'key:{1}');
  assert.equal(bytesText(''), '""');
  assert.equal(bytesText('a b"c\\'), '"a b\\"c\\\\"');
  assert.equal(bytesText('\0\x1b\r\n\xff'), '"\\x00\\x1b\\r\\n\\xff"');
});
