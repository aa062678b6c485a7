import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../scripts/imports.ts';

function found(files: Readonly<Record<string, string>>): readonly string[] {
  const roots = ['bin/x.js'];
  const imports = Object.keys(files).map((path) => `import('../${path}');`);
  return violations(new Map([['bin/x.js', imports.join('\n')], ...Object.entries(files)]), roots).map(
    ({ at, what, remedy }) => `${at}: ${what}: ${remedy}`,
  );
}

test('imports in the direction of the rooms: nothing to mend', () => {
  const got = found({
    'src/decisions/a.ts': `import type { B } from '../topology/b.ts';\nimport { c } from './c.ts';`,
    'src/decisions/c.ts': `import assert from 'node:assert/strict';`,
    'src/topology/b.ts': `export interface B {}`,
    'src/server/d.ts': `import { readFileSync } from 'node:fs';\nimport { c } from '../decisions/c.ts';\nsetTimeout(c, 1);`,
  });
  assert.deepEqual(got, []);
});

test('an import against the direction, of a type too: named with its line', () => {
  const [first = '', ...rest] = found({
    'src/topology/b.ts': `// first\nimport type {\n  A,\n} from '../decisions/a.ts';`,
    'src/decisions/a.ts': 'export interface A {}',
  });
  assert.match(first, /^src\/topology\/b\.ts:2: topology may not import decisions .*topology imports only runtime/);
  assert.deepEqual(rest, []);
});

test("past a room's door: named", () => {
  const [first = ''] = found({
    'src/controller/a.ts': `import { open } from '../store/embedded/e.ts';`,
    'src/store/embedded/e.ts': 'export const open = 1;',
  });
  assert.match(first, /^src\/controller\/a\.ts:1: controller reaches behind src\/store\/port\.ts/);
});

test('a new room: it must be declared', () => {
  const [first = ''] = found({ 'src/misc/a.ts': `import '../topology/b.ts';`, 'src/topology/b.ts': '' });
  assert.match(first, /^src\/misc\/a\.ts:1: misc is no room/);
});

for (const [what, source] of [
  ['a clock', 'export const a = () => Date.now();'],
  ['the present date', 'export const a = new Date();'],
  ['chance', 'export const a = Math.random();'],
  ['a timer', 'export const a = setTimeout(() => {}, 1);'],
  ['files', `export { readFileSync } from 'node:fs';`],
  ['sockets', `import net from 'node:net';\nexport const a = net;`],
  ['sleep', `import { setTimeout as a } from 'node:timers/promises';\nexport { a };`],
] as const) {
  test(`${what} in the middle of the product: named with the remedy`, () => {
    const got = found({ 'src/decisions/a.ts': source });
    assert.ok(got.length > 0);
    for (const each of got) assert.match(each, /^src\/decisions\/a\.ts:1: .* is the platform's: /);
  });
}

test('in comments and strings, as types, of a given instant: nothing to mend', () => {
  const got = found({
    'src/decisions/a.ts': [
      '/** Never Date.now(), nor import x from "node:fs"; see http://x/setTimeout. */',
      `const url = 'http://x'; // setTimeout`,
      `import type { Socket } from 'node:net';`,
      `export const a = (wall: number) => new Date(wall).toISOString() + 'Math.random()' + url;`,
    ].join('\n'),
  });
  assert.deepEqual(got, []);
});

test('files that need each other to be loaded: named; types and later loading close no circle', () => {
  const files = {
    'src/decisions/a.ts': `import { b } from './b.ts';`,
    'src/decisions/b.ts': `import { a } from './a.ts';`,
  };
  assert.match(found(files).join(), /import each other: src\/decisions\/a\.ts -> src\/decisions\/b\.ts -> src\/dec/);
  assert.deepEqual(found({ ...files, 'src/decisions/b.ts': `import type { A } from './a.ts';` }), []);
  assert.deepEqual(found({ ...files, 'src/decisions/b.ts': `export const b = () => import('./a.ts');` }), []);
});

test("a test's helper in the product: named; what only tests reach is free", () => {
  const files = {
    'src/decisions/a.ts': `import { help } from './testing.ts';`,
    'src/decisions/testing.ts': 'export const help = 1;',
  };
  assert.match(found(files).join(), /^src\/decisions\/a\.ts:1: the product imports a test's file/);
  const free = new Map([
    ['bin/x.js', ''],
    ['src/topology/a.test.ts', `import { x } from '../api/x.ts';\nDate.now();`],
    ['src/api/x.ts', ''],
  ]);
  assert.deepEqual(violations(free, ['bin/x.js']), []);
});
