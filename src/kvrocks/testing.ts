/** A world for tests of this room: a clock that is moved by hand, and a network whose far end is the test. */
import type { Duration, Instant, Runtime, SocketEnd, SocketHandlers } from '../runtime/runtime.ts';
import { seededRandom } from '../runtime/seeded-random.ts';

/** The far end of one connection. */
export interface FakePeer {
  readonly address: { readonly host: string; readonly port: number };
  /** All that was sent so far, once connected. */
  sent: string;
  /** True once our side has destroyed it, or it has ended. */
  over: boolean;
  accept(): void;
  send(bytes: string): void;
  end(why: SocketEnd): void;
}

export interface FakeWorld {
  readonly runtime: Runtime;
  /** Every connection dialled, in order. */
  readonly peers: FakePeer[];
  /** Timers that have neither run nor been cancelled. */
  readonly timersLeft: () => number;
  /** Moves the clock and runs the timers due on the way, in order, with all promises between. */
  advance(by: Duration): Promise<void>;
  lastPeer(): FakePeer;
}

interface Timer {
  readonly at: Instant;
  readonly order: number;
  readonly call: () => void;
}

export function fakeWorld(): FakeWorld {
  let now = 1000;
  let order = 0;
  const timers = new Set<Timer>();
  const peers: FakePeer[] = [];
  const after = (delay: Duration, call: () => void) => {
    const timer = { at: now + delay, order: order++, call };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const connect = (
    address: { readonly host: string; readonly port: number },
    connectTimeout: Duration,
    handlers: SocketHandlers,
  ) => {
    let open = false;
    let kept = '';
    const cancel = after(connectTimeout, () => peer.end({ kind: 'timeout' }));
    const peer: FakePeer = {
      address,
      sent: '',
      over: false,
      accept: () => {
        cancel();
        open = true;
        peer.sent += kept;
        handlers.connected();
      },
      send: (bytes) => {
        if (!peer.over) handlers.received(bytes);
      },
      end: (why) => {
        if (peer.over) return;
        cancel();
        peer.over = true;
        handlers.ended(why);
      },
    };
    peers.push(peer);
    return {
      send: (bytes: string) => {
        if (peer.over) return;
        if (open) peer.sent += bytes;
        else kept += bytes;
      },
      destroy: () => {
        cancel();
        peer.over = true;
      },
    };
  };
  const dueBy = (until: Instant): Timer | undefined =>
    [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.order - b.order)[0];
  return {
    runtime: {
      clock: { now: () => now, wall: () => 0 },
      timers: { after },
      random: seededRandom(1),
      network: { connect, resolve: async (host) => [host] },
    },
    peers,
    timersLeft: () => timers.size,
    async advance(by) {
      const until = now + by;
      for (let timer = dueBy(until); timer !== undefined; timer = dueBy(until)) {
        timers.delete(timer);
        now = timer.at;
        timer.call();
        await settled();
      }
      now = until;
      await settled();
    },
    lastPeer() {
      const peer = peers.at(-1);
      if (peer === undefined) throw new Error('nobody dialled');
      return peer;
    },
  };
}

/** Lets every promise that can go on go on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A bulk reply, as RESP2 bytes. */
export function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
