/** The program as a process of its own, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/kvctl-server.js', import.meta.url));

export function temporaryFolder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'kvctl-server-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  server.close();
  await once(server, 'close');
  if (at === null || typeof at === 'string') throw new Error('no port');
  return at.port;
}

export class ServerProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out = '';
  err = '';

  constructor(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const own = Object.entries(process.env).filter(([name]) => !/^(KVCTL|KVROCKS|NODE_TEST)_/.test(name));
    this.child = spawn(process.execPath, [program, ...args], {
      env: { ...Object.fromEntries(own), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (bytes) => {
      this.out += bytes;
    });
    this.child.stderr?.on('data', (bytes) => {
      this.err += bytes;
    });
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    t.after(() => this.child.kill('SIGKILL'));
  }

  /** Until its first line is there; rejects with what it said when it ends before. */
  async serving(): Promise<void> {
    while (!this.out.includes('\n')) {
      const ended = await Promise.race([
        this.ended.then(() => true),
        once(this.child.stdout ?? this.child, 'data').then(() => false),
      ]);
      if (ended && !this.out.includes('\n')) throw new Error(`it ended: ${this.err}`);
    }
  }
}
