import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHost } from './host.ts';

test('a host with and without scheme, port and path', () => {
  const cases = [
    ['http://127.0.0.1:9379', 'http://127.0.0.1:9379'],
    ['127.0.0.1:9379', 'http://127.0.0.1:9379'],
    ['localhost', 'http://localhost:9379'],
    ['localhost:80', 'http://localhost'],
    ['http://ops', 'http://ops'],
    ['https://ops/kvrocks/', 'https://ops/kvrocks'],
    ['[::1]:9000', 'http://[::1]:9000'],
    ['[::1]', 'http://[::1]:9379'],
  ];
  for (const [text, url] of cases) assert.equal(parseHost(text ?? ''), url, text);
});

test('what is no host', () => {
  for (const text of ['', 'ftp://x', 'http://', 'a b', 'http://u:p@x', 'http://x?y', '127.0.0.1:99999', '::1']) {
    assert.equal(parseHost(text), undefined, text);
  }
});
