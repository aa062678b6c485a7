/**
 * Plays the conformance cases against the emulator, or with `--kvrocks` against the real server named by KVROCKS_BIN.
 * Other arguments go to `conformance/run.mjs`: `--only TEXT`, `--cases GLOB`, `--jobs N`, `--show`.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cases = join(root, 'conformance', 'cases');

/** The options that cases set at start; each becomes a `--conf` of the emulator where a case has it. */
function optionNames(): readonly string[] {
  const names = new Set<string>();
  for (const file of readdirSync(cases)) {
    JSON.parse(readFileSync(join(cases, file), 'utf8'), (key, value: unknown) => {
      if (key === 'conf' && typeof value === 'object' && value !== null) {
        for (const name of Object.keys(value)) names.add(name);
      }
      return value;
    });
  }
  return [...names].sort();
}

function target(real: boolean): readonly string[] {
  if (!real) {
    const program = join(root, 'bin', 'kvrocks-emulator.js');
    const options = optionNames().map((name) => `{${name}:--conf} {${name}:${name}=%s}`);
    const words = [process.execPath, program, '--port {port} --host {host} --dir {dir}', ...options];
    return ['--start', words.join(' ')];
  }
  const binary = process.env['KVROCKS_BIN'];
  if (binary === undefined || binary === '') {
    console.error('--kvrocks needs the path of a Kvrocks server in KVROCKS_BIN.');
    process.exit(2);
  }
  return ['--kvrocks', binary];
}

const given = process.argv.slice(2);
const rest = given.filter((word) => word !== '--kvrocks');
const runner = join(root, 'conformance', 'run.mjs');
const child = spawn(process.execPath, [runner, ...target(given.includes('--kvrocks')), ...rest], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 2));
