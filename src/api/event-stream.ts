/**
 * Events as a stream (SSE): resumed behind `Last-Event-ID`, kept alive by comments, and cut off when its reader does
 * not keep up. An idle stream costs its socket and an entry in a set: one timer serves all.
 */
import type { ServerResponse } from 'node:http';
import type { ClusterName, ControlPlane } from '../controller/control-plane.ts';
import type { ClusterEvent } from '../controller/events.ts';
import type { Cancel, Timers } from '../runtime/runtime.ts';

/** Seconds between heartbeats. They are spread over as many turns, so that thousands are never written at once. */
const HEARTBEAT_TURNS = 15;
const TURN = 1000;
/** Bytes that may wait for a slow reader before it is cut off; it resumes with the last id that it saw. */
const MAX_WAITING = 256 * 1024;
/** Events of the past are read in pages of this size. */
const PAGE = 500;
/** New events that may wait while the past is being sent. */
const MAX_HELD = 1000;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

// Many streams watch one cluster: each event is written out once for all of them.
const frames = new WeakMap<ClusterEvent, string>();

function frameOf(event: ClusterEvent): string {
  let frame = frames.get(event);
  if (frame === undefined) {
    frame = `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
    frames.set(event, frame);
  }
  return frame;
}

export interface EventStreams {
  /** Takes over a response. `after`: the id behind which to begin; undefined begins with what happens next. */
  open(name: ClusterName, after: number | undefined, response: ServerResponse): void;
  readonly count: number;
  closeAll(): void;
}

export function eventStreams(plane: ControlPlane, timers: Timers): EventStreams {
  const turns: Set<Stream>[] = Array.from({ length: HEARTBEAT_TURNS }, () => new Set());
  let turn = 0;
  let newest = 0;
  let open = 0;
  let timer: Cancel | undefined;

  const beat = () => {
    turn = (turn + 1) % HEARTBEAT_TURNS;
    for (const stream of turns[turn] ?? []) stream.write(':\n\n');
    timer = open === 0 ? undefined : timers.after(TURN, beat);
  };

  return {
    get count() {
      return open;
    },
    open(name, after, response) {
      newest = (newest + 1) % HEARTBEAT_TURNS;
      const own = turns[newest] ?? new Set<Stream>();
      // Throws for an unknown cluster, while an ordinary answer is still possible.
      const stream = new Stream(plane, name, response, () => {
        own.delete(stream);
        open--;
      });
      own.add(stream);
      open++;
      timer ??= timers.after(TURN, beat);
      stream.begin(after);
    },
    closeAll() {
      for (const streams of turns) for (const stream of [...streams]) stream.end();
      timer?.();
      timer = undefined;
    },
  };
}

class Stream {
  readonly #plane: ControlPlane;
  readonly #name: ClusterName;
  readonly #response: ServerResponse;
  readonly #ended: () => void;
  readonly #watch: { close(): void };
  /** While the past is being sent: what happened meanwhile. */
  #held: ClusterEvent[] | undefined = [];
  /** The newest that was sent. Not what the reader claims to have: a cluster created anew counts from 1 again. */
  #last = 0;
  #over = false;

  constructor(plane: ControlPlane, name: ClusterName, response: ServerResponse, ended: () => void) {
    this.#plane = plane;
    this.#name = name;
    this.#response = response;
    this.#ended = ended;
    this.#watch = plane.watchEvents(name, (event) => this.#take(event));
  }

  begin(after: number | undefined): void {
    this.#response.once('close', () => this.end());
    this.#response.on('error', () => this.end());
    this.#response.writeHead(200, HEADERS);
    this.write('retry: 2000\n\n');
    if (after === undefined) this.#goLive();
    else
      this.#replay(after).then(
        () => this.#goLive(),
        () => this.end(),
      );
  }

  write(text: string): void {
    if (this.#over) return;
    this.#response.write(text);
    if (this.#response.writableLength > MAX_WAITING) this.end();
  }

  /** Ends at once: what waits for a reader that does not read would wait for ever. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#watch.close();
    this.#response.destroy();
    this.#ended();
  }

  #take(event: ClusterEvent): void {
    if (this.#held === undefined) this.#send(event);
    else if (this.#held.length < MAX_HELD) this.#held.push(event);
    else this.end();
  }

  #send(event: ClusterEvent): void {
    if (event.id <= this.#last) return;
    this.#last = event.id;
    this.write(frameOf(event));
  }

  async #replay(after: number): Promise<void> {
    let behind = after;
    for (;;) {
      const page = await this.#plane.events(this.#name, behind, PAGE);
      for (const event of page) {
        if (this.#response.writableLength > MAX_WAITING / 2) await this.#drained();
        if (this.#over) return;
        this.#send(event);
        behind = event.id;
      }
      if (page.length < PAGE) return;
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#response.once('drain', resolve);
      this.#response.once('close', resolve);
    });
  }

  #goLive(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) this.#send(event);
  }
}
