/** A client for direct questions to one node: RESP2, answers in the order of the questions, no redirection. */
import { connect, type Socket } from 'node:net';

export type Reply = string | number | null | readonly Reply[] | RespError;

/** An error that the node answered. */
export class RespError extends Error {}

type Parsed = readonly [reply: Reply, next: number];

/** The reply that begins at `at`, and where the next one begins. Undefined while it is not complete. */
export function parse(bytes: Buffer, at: number): Parsed | undefined {
  const end = bytes.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const line = bytes.toString('utf8', at + 1, end);
  const next = end + 2;
  switch (String.fromCharCode(bytes[at] ?? 0)) {
    case '+':
      return [line, next];
    case '-':
      return [new RespError(line), next];
    case ':':
      return [Number(line), next];
    case '$': {
      if (line === '-1') return [null, next];
      const stop = next + Number(line);
      return bytes.length < stop + 2 ? undefined : [bytes.toString('utf8', next, stop), stop + 2];
    }
    case '*': {
      if (line === '-1') return [null, next];
      const items: Reply[] = [];
      let from = next;
      for (let i = 0; i < Number(line); i++) {
        const item = parse(bytes, from);
        if (item === undefined) return undefined;
        items.push(item[0]);
        from = item[1];
      }
      return [items, from];
    }
    default:
      throw new Error(`no RESP2: ${line.slice(0, 60)}`);
  }
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(why: Error): void;
}

export class Resp {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #over: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => this.#take(data));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the connection ended')));
  }

  static open(port: number, timeout = 1_000): Promise<Resp> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new Error(`port ${port} did not take a connection within ${timeout} ms`));
      }, timeout);
      socket.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        resolve(new Resp(socket));
      });
    });
  }

  get over(): boolean {
    return this.#over !== undefined;
  }

  /** The reply, errors as values; rejects when the connection ends or nothing came within `timeout`. */
  ask(words: readonly (string | number)[], timeout = 5_000): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#over !== undefined) return reject(this.#over);
      const timer = setTimeout(() => this.close(new Error(`no answer to ${words[0]} within ${timeout} ms`)), timeout);
      this.#waiting.push({
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        reject: (why) => {
          clearTimeout(timer);
          reject(why);
        },
      });
      const text = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join('');
      this.#socket.write(`*${words.length}\r\n${text}`);
    });
  }

  /** The reply; an error that the node answered is thrown. */
  async call(...words: (string | number)[]): Promise<Reply> {
    const reply = await this.ask(words);
    if (reply instanceof RespError) throw reply;
    return reply;
  }

  close(why = new Error('closed')): void {
    this.#end(why);
    this.#socket.destroy();
  }

  #end(why: Error): void {
    this.#over ??= why;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(why);
  }

  #take(data: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? data : Buffer.concat([this.#bytes, data]);
    let at = 0;
    while (this.#waiting.length > 0) {
      const parsed = parse(this.#bytes, at);
      if (parsed === undefined) break;
      at = parsed[1];
      this.#waiting.shift()?.resolve(parsed[0]);
    }
    this.#bytes = this.#bytes.subarray(at);
  }
}

export const textOf = (reply: Reply): string => (typeof reply === 'string' ? reply : JSON.stringify(reply));
