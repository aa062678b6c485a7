/** The body of a request: JSON whatever its content type says, and an empty one is an empty object. */
import type { Readable } from 'node:stream';
import { invalid } from '../controller/refusal.ts';
import { BODY_LIMIT, tooLarge } from './errors.ts';
import { type Read, show } from './members.ts';

/**
 * A client that is still sending reads no answer when the connection is reset under it, so a body over the limit is
 * read to its end and thrown away; but not beyond this.
 */
const DRAIN_LIMIT = 64 * BODY_LIMIT;

const utf8 = new TextDecoder('utf-8', { fatal: true });

const refuse = (message: string): Read<object> => ({
  ok: false,
  refusal: invalid(`${message}; allowed: a JSON object`),
});

function parseBody(bytes: Uint8Array): Read<object> {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return refuse('the body is not valid UTF-8');
  }
  if (text.trim() === '') return { ok: true, value: {} };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse(`the body is not valid JSON: it begins with ${show(text.slice(0, 40))}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ok: true, value };
  return refuse(`the body: got ${show(value)}`);
}

/** Calls back once, with the parsed body or the refusal. */
export function readBody(stream: Readable, done: (error: Error | null, body?: unknown) => void): void {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let over = false;
  const finish = (error: Error | null, body?: unknown) => {
    if (over) return;
    over = true;
    done(error, body);
  };
  stream.on('data', (chunk: Uint8Array) => {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
    else if (size > DRAIN_LIMIT) finish(tooLarge());
  });
  stream.on('end', () => {
    if (size > BODY_LIMIT) return finish(tooLarge());
    const read = parseBody(Buffer.concat(chunks));
    return read.ok ? finish(null, read.value) : finish(read.refusal);
  });
  const cut = () => finish(invalid('the body ended before its announced length'));
  stream.on('error', cut);
  stream.on('close', cut);
}
