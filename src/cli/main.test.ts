import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('../../bin/kvctl.js', import.meta.url));

test('the launcher runs kvctl and hands on its exit code', () => {
  const { KVCTL_HOST: _, ...env } = process.env;
  const run = (...args: string[]) => spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8', env });
  const version = run('--version');
  assert.deepEqual([version.status, version.stderr], [0, '']);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const lost = run('list', 'namespaces', '--host', '127.0.0.1:1');
  assert.deepEqual([lost.status, lost.stdout], [6, '']);
});

test('an old Node is told what is needed, in one sentence', () => {
  // The version is all that the launcher looks at before it imports anything.
  const pretend = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '18.20.1' })`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', pretend, launcher], { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /^kvctl needs Node\.js 24 or newer; this is 18\.20\.1 \(.+\)\.\n$/);
});
