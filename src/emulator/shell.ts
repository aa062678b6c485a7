/**
 * One emulated node over real sockets, clocks and files. It can be killed, hung and cut off from others, as far as a
 * process can do that to itself: a cut node's port still accepts connections, it only never says or hears anything.
 */
import { createServer, type Socket as NetSocket, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { nodeRuntime } from '../runtime/node-runtime.ts';
import type { Cancel, Socket } from '../runtime/runtime.ts';
import { createDatabase } from './data/database.ts';
import type { NodeEvent, Output } from './events.ts';
import { EmulatedNode } from './node.ts';
import { Settings } from './settings.ts';
import type { NodeStore } from './store.ts';

export interface ShellOptions {
  /** Where to listen if the settings have no `bind`. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly conf: Readonly<Record<string, string>>;
  readonly store: NodeStore;
  /** The node's process has come to its end by itself: crash, SHUTDOWN, a broken nodes.conf. */
  readonly exited: (code: number, reason: string) => void;
}

export type ShellState = 'running' | 'hung' | 'cut' | 'dead';

const runtime = nodeRuntime();

/** A timer this many ms late: the process was stopped, or starved. */
const STOOD_STILL = 100;

export class Shell {
  readonly #options: ShellOptions;
  #port: number;
  #node: EmulatedNode | undefined;
  #servers: Server[] = [];
  #sockets = new Map<number, NetSocket>();
  #links = new Map<number, Socket>();
  #lastConnection = 0;
  #events: NodeEvent[] = [];
  #busy = false;
  #wake: { readonly at: number; readonly cancel: Cancel } | undefined;
  #state: ShellState = 'dead';
  /** While cut: what the node sends to others, until it is revived. */
  #unsent: (() => void)[] = [];
  /** While cut or hung: what would have reached it. */
  #unheard: NodeEvent[] = [];
  #stopped: (() => void) | undefined;

  constructor(options: ShellOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  get host(): string {
    return this.#options.host;
  }

  get port(): number {
    return this.#port;
  }

  get state(): ShellState {
    return this.#state;
  }

  /** Starts a process of the node from what its store holds. Rejects if the port is taken. */
  async start(): Promise<void> {
    if (this.#state !== 'dead') return;
    const settings = new Settings();
    settings.load('bind', this.#options.host);
    for (const [name, value] of Object.entries(this.#options.conf)) {
      const refused = settings.load(name, value);
      if (refused !== undefined) throw new Error(refused.refused);
    }
    for (const host of settings.get('bind').split(' ').filter(Boolean)) {
      const server = await listen(host, this.#port, (socket) => this.#accepted(socket));
      this.#servers.push(server);
      const address = server.address();
      if (typeof address === 'object' && address !== null) this.#port = address.port;
    }
    const random = runtime.random.child('node');
    this.#node = new EmulatedNode({
      port: this.#port,
      settings,
      database: createDatabase({ random: random.child('data') }),
      random,
      processId: process.pid,
      interfaceAddresses: Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((one) => one.address)),
    });
    this.#state = 'running';
    this.#happened({ kind: 'start', stored: this.#options.store.load() });
  }

  /** As kill -9: connections are reset, the port is closed, only the store remains. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#end((socket) => socket.resetAndDestroy());
  }

  /** As SIGSTOP: connections are accepted, nothing is answered. */
  hang(): void {
    if (this.#state !== 'running') return;
    this.#state = 'hung';
    for (const socket of this.#sockets.values()) socket.pause();
  }

  /** Cut off from all others: nothing comes in, nothing goes out, nothing is told of it. */
  cut(): void {
    if (this.#state !== 'running') return;
    this.#state = 'cut';
    for (const socket of this.#sockets.values()) socket.pause();
  }

  /** Undoes `hang` and `cut`: what has piled up takes its course. */
  wake(): void {
    if (this.#state !== 'hung' && this.#state !== 'cut') return;
    this.#state = 'running';
    for (const send of this.#unsent.splice(0)) send();
    for (const event of this.#unheard.splice(0)) this.#happened(event);
    for (const socket of this.#sockets.values()) socket.resume();
    this.#happened({ kind: 'wake' });
  }

  /** As SIGTERM. Resolves when the node has ended. */
  async stop(): Promise<void> {
    if (this.#state === 'dead') return;
    this.wake();
    await new Promise<void>((resolve) => {
      this.#stopped = resolve;
      this.#happened({ kind: 'stop' });
    });
  }

  #end(close: (socket: NetSocket) => void): void {
    this.#state = 'dead';
    this.#node = undefined;
    this.#wake?.cancel();
    this.#wake = undefined;
    for (const server of this.#servers.splice(0)) server.close();
    for (const socket of this.#sockets.values()) close(socket);
    for (const link of this.#links.values()) link.destroy();
    this.#sockets.clear();
    this.#links.clear();
    this.#events = [];
    this.#unsent = [];
    this.#unheard = [];
    this.#options.store.close();
  }

  #accepted(socket: NetSocket): void {
    if (this.#state === 'dead') {
      socket.destroy();
      return;
    }
    const connection = ++this.#lastConnection;
    this.#sockets.set(connection, socket);
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    if (this.#state !== 'running') socket.pause();
    this.#reached({
      kind: 'opened',
      connection,
      host: (socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
      port: socket.remotePort ?? 0,
    });
    socket.on('data', (bytes: string) => this.#reached({ kind: 'received', connection, bytes }));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#sockets.get(connection) !== socket) return;
      this.#sockets.delete(connection);
      this.#reached({ kind: 'closed', connection });
    });
  }

  /** Something came in from outside. */
  #reached(event: NodeEvent): void {
    if (this.#state === 'running') this.#happened(event);
    else if (this.#state !== 'dead') this.#unheard.push(event);
  }

  #happened(event: NodeEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (;;) {
        const node = this.#node;
        const next = this.#events.shift();
        if (node === undefined || next === undefined) break;
        for (const output of node.handle(next, { now: runtime.clock.now(), wall: runtime.clock.wall() })) {
          this.#carryOut(output);
        }
      }
    } finally {
      this.#busy = false;
    }
    this.#arm();
  }

  #arm(): void {
    const at = this.#node?.wakeAt;
    if (this.#wake !== undefined && this.#wake.at === at) return;
    this.#wake?.cancel();
    this.#wake = undefined;
    if (at === undefined) return;
    const fire = () => {
      this.#wake = undefined;
      if (this.#state === 'hung') return;
      this.#happened({ kind: 'wake' });
    };
    const cancel = runtime.timers.after(Math.max(0, at - runtime.clock.now()), () => {
      // A process that was stopped reads first what came meanwhile: as with the server, whose receive timeouts look at
      // the socket, an answer that is there is in time.
      if (runtime.clock.now() - at < STOOD_STILL) return fire();
      this.#wake = { at, cancel: runtime.timers.after(1, fire) };
    });
    this.#wake = { at, cancel };
  }

  #carryOut(output: Output): void {
    const { store } = this.#options;
    switch (output.kind) {
      case 'append':
        store.append(output.lines);
        return;
      case 'replace-data':
        store.replaceData(output.text);
        return;
      case 'save-nodes':
        this.#events.push({ kind: 'nodes-saved', error: store.saveNodes(output.text) });
        return;
      case 'remove-nodes':
        store.removeNodes();
        return;
      case 'save-config':
        store.saveConfig(output.text);
        return;
      case 'send':
        this.#outside(() => this.#sockets.get(output.connection)?.write(output.bytes, 'latin1'));
        return;
      case 'close':
        this.#outside(() => {
          const socket = this.#sockets.get(output.connection);
          this.#sockets.delete(output.connection);
          socket?.destroySoon();
        });
        return;
      case 'dial':
        this.#dial(output);
        return;
      case 'link-send':
        this.#outside(() => this.#links.get(output.link)?.send(output.bytes));
        return;
      case 'link-close':
        this.#outside(() => {
          this.#links.get(output.link)?.destroy();
          this.#links.delete(output.link);
        });
        return;
      case 'exit':
        this.#end((socket) => socket.destroy());
        if (this.#stopped === undefined) this.#options.exited(output.code, output.reason);
        else this.#stopped();
        this.#stopped = undefined;
    }
  }

  #outside(act: () => void): void {
    if (this.#state === 'cut') this.#unsent.push(act);
    else act();
  }

  #dial({ link, host, port, connectTimeout }: Extract<Output, { kind: 'dial' }>): void {
    if (this.#state === 'cut') {
      runtime.timers.after(connectTimeout, () =>
        this.#happened({ kind: 'link-ended', link, why: { kind: 'timeout' } }),
      );
      return;
    }
    const socket = runtime.network.connect({ host, port }, connectTimeout, {
      connected: () => this.#reached({ kind: 'link-connected', link }),
      received: (bytes) => this.#reached({ kind: 'link-received', link, bytes }),
      ended: (why) => {
        this.#links.delete(link);
        this.#reached({ kind: 'link-ended', link, why });
      },
    });
    this.#links.set(link, socket);
  }
}

function listen(host: string, port: number, accepted: (socket: NetSocket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(accepted);
    server.once('error', reject);
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve(server);
    });
  });
}
