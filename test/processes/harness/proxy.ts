/**
 * A node's address in the topology, behind which the node itself listens elsewhere. Whoever connects is told apart by
 * its process, so that links can be broken one by one: between controllers and a node, a replica and its master, clients
 * and a node. What a controller asks is also seen command by command, and can be answered in the node's place.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Conversation, type Judge } from './conversation.ts';
import { whoConnects } from './peers.ts';

export interface Peer {
  readonly kind: 'controller' | 'node' | 'client';
  /** The name of its process; empty for clients. */
  readonly name: string;
}

/** Whose connections a fault is for. */
export type Whom = (peer: Peer) => boolean;

export const controllers: Whom = ({ kind }) => kind === 'controller';
export const nodes: Whom = ({ kind }) => kind === 'node';
export const everybody: Whom = () => true;

export type Fault =
  /** Connections end, and each new one right after it was taken. */
  | 'cut'
  /** Nothing passes, and no connection ends. */
  | 'hole'
  /** Nothing passes towards the node, or from it. */
  | 'hold-in'
  | 'hold-out'
  /** What passes comes later, in milliseconds. */
  | { readonly delay: number }
  /** What is asked is judged, command by command; for controllers only. */
  | { readonly judge: Judge }
  /** Shown each part that has gone to the node, before anything else passes. */
  | { readonly watch: (bytes: Buffer) => void };

interface Rule {
  readonly whom: Whom;
  readonly fault: Fault;
}

/** One way of a link, in order, held while it must be. */
class Flow {
  readonly #from: Socket;
  readonly #pass: (bytes: Buffer) => void;
  readonly #held: () => boolean;
  readonly #delay: () => number;
  #waiting: { readonly bytes: Buffer; readonly due: number }[] = [];
  #running = false;

  constructor(from: Socket, pass: (bytes: Buffer) => void, held: () => boolean, delay: () => number) {
    this.#from = from;
    this.#pass = pass;
    this.#held = held;
    this.#delay = delay;
    from.on('data', (bytes) => {
      this.#waiting.push({ bytes, due: performance.now() + this.#delay() });
      void this.run();
    });
  }

  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length > 0 && !this.#held()) {
      const wait = (this.#waiting[0]?.due ?? 0) - performance.now();
      if (wait > 0) await sleep(wait);
      if (this.#held()) break;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#pass(next.bytes);
    }
    this.#running = false;
    if (this.#held()) this.#from.pause();
    else this.#from.resume();
  }
}

export class FaultProxy {
  readonly port: number;
  /** Where the node itself listens. */
  readonly inner: number;
  readonly #links = new Set<Link>();
  readonly #rules: Rule[] = [];
  #server: Server | undefined;

  constructor(port: number, inner: number) {
    this.port = port;
    this.inner = inner;
  }

  listen(): Promise<void> {
    if (this.#server !== undefined) return Promise.resolve();
    const server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', () => resolve());
    });
  }

  /** Refuses connections from now on; those that are open stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #take(socket: Socket): void {
    socket.on('error', () => {});
    const name = whoConnects(socket.remotePort ?? 0, this.port) ?? '';
    const kind = name.startsWith('controller-') ? 'controller' : name.startsWith('node-') ? 'node' : 'client';
    const peer: Peer = { kind, name };
    if (this.#has(peer, 'cut')) {
      socket.resetAndDestroy();
      return;
    }
    const link = new Link(peer, socket, this.inner, (fault) => this.#has(peer, fault), {
      delay: () => this.#delay(peer),
      judge: (words) => this.#judges(peer).reduce<ReturnType<Judge>>((said, judge) => said ?? judge(words), undefined),
      watch: (bytes) => {
        for (const { fault, whom } of [...this.#rules])
          if (typeof fault === 'object' && 'watch' in fault && whom(peer)) fault.watch(bytes);
      },
    });
    this.#links.add(link);
    socket.on('close', () => this.#links.delete(link));
  }

  #has(peer: Peer, fault: Fault): boolean {
    return this.#rules.some((rule) => rule.fault === fault && rule.whom(peer));
  }

  #delay(peer: Peer): number {
    const delays = this.#rules.map(({ fault, whom }) =>
      typeof fault === 'object' && 'delay' in fault && whom(peer) ? fault.delay : 0,
    );
    return Math.max(0, ...delays);
  }

  #judges(peer: Peer): Judge[] {
    return this.#rules.flatMap(({ fault, whom }) =>
      typeof fault === 'object' && 'judge' in fault && whom(peer) ? [fault.judge] : [],
    );
  }

  /** In force until what it answers is called. */
  impose(whom: Whom, fault: Fault): () => void {
    const rule = { whom, fault };
    this.#rules.push(rule);
    for (const link of this.#links) {
      if (fault === 'cut' && whom(link.peer)) link.end();
      else link.changed();
    }
    return () => {
      const at = this.#rules.indexOf(rule);
      if (at >= 0) this.#rules.splice(at, 1);
      for (const link of this.#links) link.changed();
    };
  }

  /** No fault is in force any more. */
  heal(): void {
    this.#rules.splice(0);
    for (const link of this.#links) link.changed();
  }

  /** Ends these connections; new ones are as good as ever. */
  end(whom: Whom): void {
    for (const link of this.#links) if (whom(link.peer)) link.end();
  }

  close(): void {
    this.refuse();
    this.end(everybody);
  }
}

interface Manner {
  readonly delay: () => number;
  readonly judge: Judge;
  readonly watch: (bytes: Buffer) => void;
}

class Link {
  readonly peer: Peer;
  readonly #outer: Socket;
  readonly #inner: Socket;
  readonly #flows: readonly Flow[];
  readonly #held: () => boolean;
  /** The node's end is gone. */
  #over = false;

  constructor(peer: Peer, outer: Socket, port: number, has: (fault: Fault) => boolean, manner: Manner) {
    this.peer = peer;
    this.#outer = outer;
    this.#inner = dial({ port, host: '127.0.0.1', noDelay: true });
    const inner = this.#inner;
    inner.on('error', () => outer.resetAndDestroy());
    // Who is cut off from a node does not learn of its end either.
    this.#held = () => has('hole') || has('hold-out');
    inner.on('close', () => {
      this.#over = true;
      if (!this.#held()) outer.end();
    });
    outer.on('close', () => inner.destroy());
    const toNode = (bytes: Buffer) => {
      inner.write(bytes);
      manner.watch(bytes);
    };
    const toPeer = (bytes: Buffer) => outer.write(bytes);
    const talk = peer.kind === 'controller' ? new Conversation(manner.judge, toNode, toPeer) : undefined;
    this.#flows = [
      new Flow(
        outer,
        talk === undefined ? toNode : (bytes) => talk.asked(bytes),
        () => has('hole') || has('hold-in'),
        manner.delay,
      ),
      new Flow(inner, talk === undefined ? toPeer : (bytes) => talk.answered(bytes), this.#held, manner.delay),
    ];
  }

  changed(): void {
    for (const flow of this.#flows) void flow.run();
    if (this.#over && !this.#held()) this.#outer.end();
  }

  end(): void {
    this.#outer.resetAndDestroy();
    this.#inner.destroy();
  }
}
