import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { classifyError } from './errors.ts';
import { errorTexts } from './recorded.ts';

test('every recorded error is what it means', () => {
  const kinds = Object.fromEntries(Object.entries(errorTexts).map(([name, text]) => [name, classifyError(text).kind]));
  assert.deepEqual(kinds, {
    loading: 'loading',
    noauth: 'denied',
    wrongPassword: 'denied',
    masterdown: 'masterdown',
    notInitialized: 'not-initialized',
    notServed: 'clusterdown',
    notACluster: 'not-a-cluster',
    usageX: 'usage',
    usage: 'usage',
    unknown: 'usage',
    moved: 'moved',
    movedIpv6: 'moved',
    tryAgain: 'try-again',
    readOnly: 'read-only',
    migrating: 'busy',
    importing: 'busy',
    resetMigrating: 'busy',
    oldVersion: 'old-version',
    aborted: 'aborted',
    badText: 'other',
  });
});

test('MOVED to an IPv6 address: split at the last colon', () => {
  const text = errorTexts.movedIpv6;
  assert.deepEqual(classifyError(text), { kind: 'moved', text, slot: 7629, host: '::1', port: 16700 });
});

test('a MOVED that names nobody is no MOVED', () => {
  for (const text of ['MOVED ', 'MOVED 1', 'MOVED x a:1', 'MOVED 1 a', 'MOVED 1 a:99999', 'MOVED  a:1', 'MOVED 1 :1']) {
    assert.equal(classifyError(text).kind, 'other', text);
  }
});

test('any text is classified and kept', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(classifyError(text).text, text)));
});
