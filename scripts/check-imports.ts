/** `npm run imports`: who imports whom, and who touches the platform. Exit code 1 where a rule is broken. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { violations } from './imports.ts';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const programs = globSync('bin/*.js', { cwd });
const paths = [...programs, ...globSync('src/**/*.ts', { cwd })];
const files = new Map(paths.map((path) => [path, readFileSync(`${cwd}/${path}`, 'utf8')]));

const found = violations(files, [...programs, 'src/simulation/main.ts']);
for (const { at, what, remedy } of found) console.error(`${at}: ${what}: ${remedy}.`);
if (found.length === 0) console.log(`imports: ${paths.length} files, nothing to mend.`);
process.exitCode = found.length === 0 ? 0 : 1;
