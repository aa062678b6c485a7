/** The stream of a cluster's events, taken up again behind the last one whenever it breaks. */
import { Failure } from '../exit.ts';
import { type Io, sleep } from '../io.ts';
import { failureOfFetch, type Target } from './connection.ts';
import { failureOf } from './refusals.ts';
import { sseParser } from './sse.ts';

/** The server writes at least a comment each 15 s: three missing ones mean that nobody is there any more. */
const SILENCE = 45_000;
const RETRY = 2000;

type Asking = Pick<Io, 'fetch' | 'timers' | 'stopped'>;

export interface Following {
  /** The id behind which to begin. */
  readonly after: number;
  /** The data of one event. */
  readonly event: (data: string) => void;
  /** Once when a stream breaks, until there is one again; the reason is a sentence without its end. */
  readonly lost: (why: string) => void;
}

/**
 * Returns when stopped. Throws a `Failure` when the controller refuses, or when it could not be reached at all;
 * afterwards a connection that breaks is made again, without end.
 */
export async function follow(io: Asking, target: Target, path: string, following: Following): Promise<void> {
  let last = `${following.after}`;
  let retry = RETRY;
  let before = false;
  let told = false;
  while (!io.stopped.aborted) {
    try {
      await stream(io, target, path, last, {
        opened: () => {
          before = true;
          told = false;
        },
        retry: (milliseconds) => {
          retry = milliseconds;
        },
        message: (id, data) => {
          if (id !== '') last = id;
          following.event(data);
        },
      });
    } catch (error) {
      if (io.stopped.aborted) return;
      if (!before || !(error instanceof Failure) || error.exit !== 'unavailable') throw error;
      if (!told) following.lost(error.message);
      told = true;
    }
    await sleep(io, retry);
  }
}

interface Handlers {
  readonly opened: () => void;
  readonly retry: (milliseconds: number) => void;
  readonly message: (id: string, data: string) => void;
}

/** One connection, to its end. */
async function stream(io: Asking, target: Target, path: string, last: string, to: Handlers): Promise<void> {
  const controller = new AbortController();
  let silent = false;
  const hangUp = () => {
    silent = true;
    controller.abort();
  };
  let timer = io.timers.after(Math.min(target.timeout, SILENCE), hangUp);
  try {
    const response = await io.fetch(`${target.host}${path}`, {
      headers: { accept: 'text/event-stream', 'last-event-id': last },
      signal: AbortSignal.any([controller.signal, io.stopped]),
    });
    if (!response.ok) throw failureOf(response.status, await json(response), target.where);
    if (response.body === null || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      throw new Failure('failed', `what answers at ${target.host} gives no stream of events`);
    }
    to.opened();
    const parser = sseParser(to.retry);
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      timer();
      timer = io.timers.after(SILENCE, hangUp);
      for (const { id, data } of parser.feed(piece)) to.message(id, data);
    }
  } catch (error) {
    throw failureOfFetch(error, { ...target, timeout: SILENCE, write: false, timedOut: silent });
  } finally {
    timer();
    controller.abort();
  }
}

async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
