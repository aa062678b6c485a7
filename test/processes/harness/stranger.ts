/** Something that listens and is no Kvrocks server. */
import { createServer, type Server, type Socket } from 'node:net';
import { Readable } from 'node:stream';

export type Manner = 'nothing' | 'garbage' | 'endless' | 'a byte a second';
export const MANNERS: readonly Manner[] = ['nothing', 'garbage', 'endless', 'a byte a second'];

export class Stranger {
  readonly port: number;
  readonly addr: string;
  /** Of all connections, in bytes that the other end's machine has taken. */
  #ended = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #accepted = 0;

  private constructor(server: Server, port: number, manner: Manner) {
    this.#server = server;
    this.port = port;
    this.addr = `127.0.0.1:${port}`;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      this.#accepted++;
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#ended += socket.bytesWritten;
      });
      answer(socket, manner);
    });
  }

  static start(manner: Manner, port = 0): Promise<Stranger> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true });
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        const at = server.address();
        if (at === null || typeof at === 'string') return reject(new Error('it has no port'));
        resolve(new Stranger(server, at.port, manner));
      });
    });
  }

  get written(): number {
    return [...this.#sockets].reduce((sum, socket) => sum + socket.bytesWritten, this.#ended);
  }

  /** Those that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** All that there ever were. */
  get accepted(): number {
    return this.#accepted;
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function answer(socket: Socket, manner: Manner): void {
  switch (manner) {
    case 'nothing':
      socket.resume();
      return;
    case 'garbage':
      socket.on('data', () => socket.write('\u0007HTTP/1.1 418\r\n$-77\r\n*x\r\n\r\n'));
      return;
    case 'endless': {
      // The beginning of a line that has no end.
      const chunk = Buffer.alloc(64 * 1024, 'x');
      socket.write('+');
      socket.resume();
      const source = new Readable({
        read() {
          this.push(chunk);
        },
      });
      source.pipe(socket);
      socket.on('close', () => source.destroy());
      return;
    }
    case 'a byte a second': {
      const text = '$2000\r\ncluster_state:ok\r\n';
      let at = 0;
      socket.resume();
      const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 1_000);
      socket.on('close', () => clearInterval(timer));
    }
  }
}
