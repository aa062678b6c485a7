/** For tests of changes that are refused. */
import assert from 'node:assert/strict';
import { Refusal, type RefusalCode } from './refusal.ts';

/** `change` throws this refusal. Of what does not exist `words` are in its detail. */
export function refused(code: RefusalCode, words: RegExp, change: () => unknown): void {
  assert.throws(change, (error) => {
    assert.ok(error instanceof Refusal);
    assert.equal(error.code, code, error.message);
    assert.match(code === 'not_found' ? String(error.detail) : error.message, words);
    return true;
  });
}
