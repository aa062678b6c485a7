/** The typed client of the HTTP API, and what becomes of everything that can go wrong under it. */
import createClient, { type Client } from 'openapi-fetch';
import { Failure } from '../exit.ts';
import type { Io } from '../io.ts';
import { span } from '../render/text.ts';
import { DEFAULT_HOST } from './host.ts';
import { failureOf, line, type Where } from './refusals.ts';
import type { paths } from './schema.gen.ts';

export type ApiClient = Client<paths, 'application/json'>;

export interface Target {
  /** Base URL without a trailing slash. */
  readonly host: string;
  /** Milliseconds for a whole answer. */
  readonly timeout: number;
  readonly where: Where;
}

type Asking = Pick<Io, 'fetch' | 'timers' | 'stopped'>;

/** Every call of it throws a `Failure` where no answer of a controller came. */
export function connect(io: Asking, target: Target): ApiClient {
  return createClient<paths, 'application/json'>({
    baseUrl: target.host,
    fetch: async (request) => {
      const limited = limit(io, target.timeout);
      try {
        // The signal goes beside the request: one that is wrapped into a request is lost with the next collection of
        // garbage (Node 24), and the wait would have no end.
        const response = await io.fetch(request, { signal: limited.signal });
        // Read to its end here, where a connection that breaks midway can still be told from a wrong answer.
        const text = await response.text();
        return checked(response, text, target.host);
      } catch (error) {
        throw failureOfFetch(error, { ...target, write: request.method !== 'GET', timedOut: limited.timedOut() });
      } finally {
        limited.end();
      }
    },
  });
}

interface Answer<T> {
  readonly data?: { readonly data: T };
  readonly error?: unknown;
  readonly response: Response;
}

/** The data of a successful answer; otherwise throws the failure that the refusal stands for. */
export async function dataOf<T>(answer: Promise<Answer<T>>, where: Where): Promise<T> {
  const { data, error, response } = await answer;
  if (data === undefined) throw failureOf(response.status, error, where);
  return data.data;
}

/** Ends a request after `timeout`, or when stopped. */
function limit(io: Pick<Io, 'timers' | 'stopped'>, timeout: number) {
  const controller = new AbortController();
  let timedOut = false;
  const cancel = io.timers.after(timeout, () => {
    timedOut = true;
    controller.abort();
  });
  return {
    signal: AbortSignal.any([controller.signal, io.stopped]),
    timedOut: () => timedOut,
    end: cancel,
  };
}

function checked(response: Response, text: string, host: string): Response {
  const { status, headers } = response;
  if (!isEnvelope(text)) {
    // A proxy in front of a controller that is away says so in its own words.
    const type = headers.get('content-type') ?? 'no content type';
    throw new Failure('unavailable', `what answers at ${host} is not a controller (HTTP status ${status}, ${type})`, {
      next: 'Name the controller with --host or the variable KVCTL_HOST.',
    });
  }
  return new Response(text, { status, headers: { 'content-type': 'application/json' } });
}

function isEnvelope(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && ('data' in value || 'error' in value);
  } catch {
    return false;
  }
}

interface Circumstances extends Target {
  readonly write: boolean;
  readonly timedOut: boolean;
}

/** What `fetch` says, in place of a code, of a port on its list of those that it never connects to. */
const BAD_PORT = 'bad port';

/** Codes of the platform for a connection that was never made: nothing can have happened. */
const NEVER_MADE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection is refused',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host’s name cannot be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  UND_ERR_CONNECT_TIMEOUT: 'nothing accepts the connection',
  [BAD_PORT]: 'this port is reserved for another protocol',
};

function codeOf(error: unknown): string | undefined {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return undefined;
  if (cause.message === BAD_PORT) return BAD_PORT;
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

export function failureOfFetch(error: unknown, { host, timeout, where, write, timedOut }: Circumstances): Failure {
  if (error instanceof Failure) return error;
  const code = codeOf(error);
  const never = code === undefined ? undefined : NEVER_MADE[code];
  if (never !== undefined) {
    return new Failure('unavailable', `no controller answers at ${host}: ${never}`, {
      next: `Start one with kvctl-server (${DEFAULT_HOST} by default), or name another with --host or the variable KVCTL_HOST.`,
    });
  }
  const what = timedOut
    ? `the controller at ${host} gave no answer within ${span(timeout)}`
    : `the connection to the controller at ${host} broke before its answer${code === undefined ? '' : ` (${code})`}`;
  if (!write) return new Failure('unavailable', what, { next: 'Try again, or raise --timeout.' });
  return new Failure('unknown', `${what}; it may or may not have happened`, {
    next: `Find out: ${line('status', where)}`,
  });
}
