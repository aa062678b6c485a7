/**
 * Plays the conformance cases against the emulator, or with `--kvrocks` against the real server named by KVROCKS_BIN.
 * Other arguments go to `conformance/run.mjs`: `--only TEXT`, `--cases GLOB`, `--jobs N`, `--show`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
const nodes = target(given.includes('--kvrocks'));
const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly name: string;
  readonly ok: boolean;
}

function play(args: readonly string[], results: string): Promise<number> {
  return new Promise((resolve) => {
    const runner = join(root, 'conformance', 'run.mjs');
    const child = spawn(process.execPath, [runner, ...nodes, ...args, '--json', results], { stdio: 'inherit' });
    const end = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
    child.on('exit', (code) => resolve(code ?? 2));
  });
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/**
 * Some cases are about times of the real server, which a crowded machine cannot keep: what failed among others is
 * played once more by itself, and said to have been.
 */
async function main(): Promise<number> {
  const first = join(folder, 'first.json');
  const code = await play(rest, first);
  if (code !== 1) return code;
  const { results } = JSON.parse(readFileSync(first, 'utf8')) as { readonly results: readonly Result[] };
  const failed = results.filter((result) => !result.ok).map((result) => result.name);
  if (failed.length === 0 || failed.length > 5) return code;
  console.log(`\nonce more, by themselves: ${failed.join('; ')}`);
  return await play(
    [...rest, '--jobs', '1', '--only', `/^(${failed.map(literal).join('|')})$/`],
    join(folder, 'second.json'),
  );
}

process.exit(await main());
