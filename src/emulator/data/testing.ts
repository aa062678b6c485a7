/** Helpers of the tests in this folder. */
import assert from 'node:assert/strict';
import { writeReply } from '../resp-writer.ts';
import type { Database } from './port.ts';

/** Runs a line of words parted by blanks and answers what RESP2 shows, line ends as blanks. */
export function ask(database: Database, line: string, now = 0): string {
  return writeReply(database.execute(line.split(' '), now), 2)
    .trimEnd()
    .replaceAll('\r\n', ' ');
}

/** Lines as `command => reply => numbers taken`; the last part may be left out. */
export function play(database: Database, script: string, now = 0): void {
  for (const step of script.split('\n')) {
    const [line = '', reply = '', numbers] = step.trim().split(' => ');
    if (line === '') continue;
    const before = database.sequence;
    assert.equal(ask(database, line, now), reply, line);
    if (numbers !== undefined) assert.equal(database.sequence - before, Number(numbers), `numbers of ${line}`);
  }
}
