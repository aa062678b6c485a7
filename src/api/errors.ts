/** Every refusal's way onto the wire: `{"error": {message, code, detail?}}` and a status, whatever went wrong. */
import { Refusal, type RefusalCode } from '../controller/refusal.ts';
import { show } from './members.ts';
import type { Refused } from './schemas.ts';

/** Where the wire has a status of its own for what the table knows as one code: 405, 408, 413, 431. */
class EdgeRefusal extends Refusal {
  readonly #status: number;
  readonly allow: string | undefined;

  constructor(status: number, code: RefusalCode, message: string, allow?: string) {
    super(code, message);
    this.#status = status;
    this.allow = allow;
  }

  override get status(): number {
    return this.#status;
  }
}

export const BODY_LIMIT = 1024 * 1024;
export const HEADER_LIMIT = 16 * 1024;

export const tooLarge = (): Refusal =>
  new EdgeRefusal(413, 'invalid', `the body is too large; allowed: ${BODY_LIMIT} bytes`);

/** `path` without its query. */
export const noSuchRoute = (method: string, path: string): Refusal =>
  new EdgeRefusal(404, 'not_found', `there is no route ${method} ${show(path)}; see /openapi.json`);

export const wrongMethod = (method: string, path: string, allowed: readonly string[]): Refusal =>
  new EdgeRefusal(
    405,
    'invalid',
    `${show(path)} does not take ${method}; allowed: ${allowed.join(', ')}`,
    allowed.join(', '),
  );

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Refused;
}

const INTERNAL = 'a fault of the controller; its log has the details';

/** Seconds after which asking again makes sense, where the answer is 503. */
const RETRY_AFTER = '1';

function answerOf(refusal: Refusal): Answer {
  const { status, message, code, detail } = refusal;
  const headers = {
    ...(status === 503 && { 'retry-after': RETRY_AFTER }),
    ...(refusal instanceof EdgeRefusal && refusal.allow !== undefined && { allow: refusal.allow }),
  };
  return { status, headers, body: { error: { message, code, ...(detail !== undefined && { detail }) } } };
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** What to answer, and whether it is a fault of ours, which belongs into the log. */
export function answerTo(error: unknown): { readonly answer: Answer; readonly fault: boolean } {
  if (error instanceof Refusal) return { answer: answerOf(error), fault: error.code === 'internal' };
  // Fastify's own refusals of what HTTP does not allow, such as a malformed percent-encoding.
  const status = statusOf(error);
  if (status !== undefined && status >= 400 && status < 500 && error instanceof Error) {
    return { answer: answerOf(new EdgeRefusal(status, 'invalid', error.message)), fault: false };
  }
  return { answer: answerOf(new Refusal('internal', INTERNAL)), fault: true };
}

const PARSER_REFUSALS: Readonly<Record<string, EdgeRefusal>> = {
  HPE_HEADER_OVERFLOW: new EdgeRefusal(
    431,
    'invalid',
    `the request’s headers are too large; allowed: ${HEADER_LIMIT} bytes`,
  ),
  ERR_HTTP_REQUEST_TIMEOUT: new EdgeRefusal(408, 'invalid', 'the request did not arrive in time'),
};
const NOT_HTTP = new EdgeRefusal(400, 'invalid', 'this is not a request that HTTP allows');

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** The whole answer, as bytes, to what never became a request; the connection ends with it. */
export function rawAnswer(code: string | undefined): string {
  const { status, body } = answerOf(PARSER_REFUSALS[code ?? ''] ?? NOT_HTTP);
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    '',
    text,
  ].join('\r\n');
}
