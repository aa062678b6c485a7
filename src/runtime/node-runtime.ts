/** The real world behind the runtime's interface. */
import { lookup } from 'node:dns/promises';
import { isIP, connect as netConnect } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Clock, Network, RandomSource, Runtime, Socket, SocketEnd, Timers } from './runtime.ts';
import { seededRandom } from './seeded-random.ts';

const clock: Clock = { now: () => performance.now(), wall: () => Date.now() };

const timers: Timers = {
  after(delay, call) {
    const handle = setTimeout(call, delay);
    return () => clearTimeout(handle);
  },
};

function endOf(error: NodeJS.ErrnoException, host: string): SocketEnd {
  switch (error.code) {
    case 'ECONNREFUSED':
      return { kind: 'refused' };
    case 'ECONNRESET':
    case 'EPIPE':
      return { kind: 'reset' };
    case 'ETIMEDOUT':
      return { kind: 'timeout' };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { kind: 'unresolved', host };
    default:
      return { kind: 'other', code: error.code ?? error.message };
  }
}

const network: Network = {
  connect({ host, port }, connectTimeout, handlers): Socket {
    const socket = netConnect({ host, port, noDelay: true, keepAlive: true });
    socket.setEncoding('latin1');
    let over = false;
    const end = (why: SocketEnd) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      socket.destroy();
      handlers.ended(why);
    };
    const timer = setTimeout(() => end({ kind: 'timeout' }), connectTimeout);
    socket.once('connect', () => {
      clearTimeout(timer);
      if (!over) handlers.connected();
    });
    socket.on('data', (bytes: string) => {
      if (!over) handlers.received(bytes);
    });
    socket.once('end', () => end({ kind: 'eof' }));
    socket.once('close', () => end({ kind: 'eof' }));
    socket.on('error', (error) => end(endOf(error, host)));
    return {
      send: (bytes) => {
        if (!over) socket.write(bytes, 'latin1');
      },
      destroy: () => {
        over = true;
        clearTimeout(timer);
        socket.destroy();
      },
    };
  },
  async resolve(host) {
    if (isIP(host) !== 0) return [host];
    try {
      return (await lookup(host, { all: true })).map((entry) => entry.address);
    } catch {
      return [];
    }
  },
};

/** Random numbers of the process, seeded by chance. */
function processRandom(): RandomSource {
  return seededRandom(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0);
}

export function nodeRuntime(): Runtime {
  return { clock, timers, network, random: processRandom() };
}
