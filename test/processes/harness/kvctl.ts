/** kvctl as people start it: a process of its own. */
import assert from 'node:assert/strict';
import type { ClusterClient, Controller } from './controller.ts';
import { type Child, Hopeless, hasEnded, lastWords, program, run, until } from './processes.ts';

let runs = 0;

/** A command about this cluster, which is named by what follows it; the words are between spaces, `more` as they are. */
export function kvctl(controller: Controller, cluster: ClusterClient, line: string, ...more: readonly string[]): Child {
  const [, , namespace = '', , name = ''] = cluster.path.split('/');
  const place = ['-H', `127.0.0.1:${controller.port}`, '-n', namespace, '-c', name];
  return run(`kvctl-${++runs}`, process.execPath, [program('kvctl'), ...line.split(' '), ...more, ...place]);
}

/** What it wrote, once it has ended with this code. */
export async function ends(child: Child, code: number): Promise<string> {
  const ended = await child.ended;
  const words = lastWords(child, 10_000);
  assert.equal(ended, code, words);
  return words;
}

/** Waits until it has written this. */
export async function writes(child: Child, pattern: RegExp, within = 60_000): Promise<void> {
  await until(
    `kvctl writes ${pattern}`,
    () => {
      if (pattern.test(lastWords(child, 10_000))) return true;
      if (hasEnded(child)) throw new Hopeless(`it ended: ${lastWords(child)}`);
      return false;
    },
    within,
  );
}
