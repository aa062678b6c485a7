/**
 * The runtime of one simulated process: the clock is the world's, timers and sockets are its own and vanish with it. A
 * killed process calls nothing any more, whatever its code was about to do; a hung one does all of it late.
 */
import type { Duration, RandomSource, Runtime, Socket, SocketHandlers } from '../runtime/runtime.ts';
import type { EventLoop } from './event-loop.ts';
import type { End, VirtualNetwork } from './virtual-network.ts';

/** The wall clock when a simulation begins. */
export const WALL_START = 1_800_000_000_000;

export class VirtualProcess {
  readonly host: string;
  readonly runtime: Runtime;
  /** What the sender attached to the bytes that are being received. */
  readonly stamps = { last: 0 };
  /** How far its wall clock is from the world's. */
  wallOffset: Duration = 0;
  readonly #loop: EventLoop;
  readonly #network: VirtualNetwork;
  readonly #ends = new Set<End>();
  #alive = true;
  #hung = false;
  #late: (() => void)[] = [];

  constructor(loop: EventLoop, network: VirtualNetwork, host: string, random: RandomSource) {
    this.host = host;
    this.#loop = loop;
    this.#network = network;
    this.runtime = {
      clock: { now: () => loop.now, wall: () => WALL_START + loop.now + this.wallOffset },
      timers: { after: (delay, call) => loop.after(Math.max(0, delay), () => this.enter(call)) },
      random,
      network: {
        connect: (address, timeout, handlers) => this.#connect(address, timeout, handlers),
        resolve: async (host) => [host],
      },
    };
  }

  get hung(): boolean {
    return this.#hung;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** As kill -9: what was handed to the kernel still goes out, then the connections end. */
  kill(): void {
    this.#alive = false;
    this.#late = [];
    for (const end of this.#ends) end.close('reset');
    this.#ends.clear();
  }

  /** As SIGSTOP; nothing is lost, all of it happens when it wakes. */
  hang(): void {
    this.#hung = true;
  }

  wake(): void {
    if (!this.#hung) return;
    this.#hung = false;
    for (const call of this.#late.splice(0)) this.#loop.after(0, () => this.enter(call));
  }

  /** Runs what reaches it from outside: at once, when it wakes, or never. */
  enter(call: () => void): void {
    if (!this.#alive) return;
    if (this.#hung) this.#late.push(call);
    else call();
  }

  #connect(
    address: { readonly host: string; readonly port: number },
    timeout: Duration,
    handlers: SocketHandlers,
  ): Socket {
    if (!this.#alive) return { send: () => {}, destroy: () => {} };
    let kept = '';
    let open = false;
    let over = false;
    const end = this.#network.dial(this.host, address, timeout, {
      connected: () =>
        this.enter(() => {
          if (over) return;
          open = true;
          if (kept !== '') end.send(kept);
          kept = '';
          handlers.connected();
        }),
      received: (bytes, stamp) =>
        this.enter(() => {
          this.stamps.last = stamp;
          if (!over) handlers.received(bytes);
        }),
      ended: (why) =>
        this.enter(() => {
          this.#ends.delete(end);
          if (over) return;
          over = true;
          handlers.ended(why);
        }),
    });
    this.#ends.add(end);
    return {
      send: (bytes) => {
        if (over || !this.#alive) return;
        if (open) end.send(bytes);
        else kept += bytes;
      },
      destroy: () => {
        over = true;
        this.#ends.delete(end);
        if (this.#alive) end.close('eof');
      },
    };
  }
}
