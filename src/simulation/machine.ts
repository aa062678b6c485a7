/** One emulated node in the simulated world: its process, its disk, its connections, and what may befall it. */
import { createDatabase } from '../emulator/data/database.ts';
import type { NodeEvent, Output } from '../emulator/events.ts';
import { EmulatedNode } from '../emulator/node.ts';
import { Settings } from '../emulator/settings.ts';
import type { Cancel, Instant, RandomSource } from '../runtime/runtime.ts';
import type { EventLoop } from './event-loop.ts';
import type { Ear, End, VirtualNetwork } from './virtual-network.ts';
import { WALL_START } from './virtual-runtime.ts';

const NODE_PORT = 6666;

export type MachineState = 'running' | 'hung' | 'dead';

export interface MachineOptions {
  readonly loop: EventLoop;
  readonly network: VirtualNetwork;
  readonly random: RandomSource;
  readonly name: string;
  readonly host: string;
  readonly conf: Readonly<Record<string, string>>;
  /** It ended by itself: a crash that Kvrocks has, too, or SHUTDOWN. */
  exited(machine: Machine, code: number, reason: string): void;
}

export class Machine {
  readonly name: string;
  readonly host: string;
  readonly port = NODE_PORT;
  /** Counts its processes; a connection belongs to one of them. */
  life = 0;
  /** When it was last disturbed: killed, started, hung, woken. */
  disturbedAt: Instant = 0;
  core: EmulatedNode | undefined;
  /** When its processes began. */
  readonly starts: Instant[] = [];
  readonly #options: MachineOptions;
  #state: MachineState = 'dead';
  #unlisten: () => void = () => {};
  readonly #ends = new Map<number, End>();
  readonly #links = new Map<number, End>();
  #lastConnection = 0;
  #queue: NodeEvent[] = [];
  #busy = false;
  #unheard: NodeEvent[] = [];
  #wake: { readonly at: Instant; readonly cancel: Cancel } | undefined;
  #nodes: string | undefined;
  #config: string | undefined;
  #data: string[] = [];

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.host = options.host;
  }

  get state(): MachineState {
    return this.#state;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: this.host, port: this.port };
  }

  /** '' before it was told one, or while it is dead. */
  get id(): string {
    return this.core?.cluster.topology.myId ?? '';
  }

  /** A process that starts from what is on its disk. */
  start(): void {
    if (this.#state !== 'dead') return;
    const { loop, network, random, conf } = this.#options;
    const settings = new Settings();
    settings.load('bind', this.host);
    for (const [name, value] of Object.entries(conf)) settings.load(name, value);
    this.life++;
    this.starts.push(loop.now);
    this.disturbedAt = loop.now;
    const own = random.child(`life ${this.life}`);
    this.core = new EmulatedNode({
      port: this.port,
      settings,
      database: createDatabase({ random: own.child('data') }),
      random: own,
      processId: this.life,
    });
    this.#state = 'running';
    this.#unlisten = network.listen(this.host, this.port, { accept: (end) => this.#accept(end) });
    const data = this.#data.flatMap((text) => text.split('\n').slice(0, -1));
    this.#happened({ kind: 'start', stored: { nodes: this.#nodes, config: this.#config, data } });
  }

  /** As kill -9: only the disk remains. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.disturbedAt = this.#options.loop.now;
    this.core = undefined;
    this.#unlisten();
    this.#wake?.cancel();
    this.#wake = undefined;
    for (const end of this.#ends.values()) end.close('reset');
    for (const end of this.#links.values()) end.close('reset');
    this.#ends.clear();
    this.#links.clear();
    this.#queue = [];
    this.#unheard = [];
  }

  /** As SIGSTOP: the kernel accepts and buffers, nothing is answered. */
  hang(): void {
    if (this.#state !== 'running') return;
    this.#state = 'hung';
    this.disturbedAt = this.#options.loop.now;
  }

  wake(): void {
    if (this.#state !== 'hung') return;
    this.#state = 'running';
    this.disturbedAt = this.#options.loop.now;
    for (const event of this.#unheard.splice(0)) this.#happened(event);
    this.#happened({ kind: 'wake' });
  }

  /** Empties its folder; only while it is dead. */
  wipe(): void {
    if (this.#state !== 'dead') return;
    this.#nodes = undefined;
    this.#config = undefined;
    this.#data = [];
  }

  /** The connections over which `needle` was received: the answer gets lost, and they break. */
  loseAnswers(needle: string): void {
    this.#losing = needle;
  }
  #losing = '';

  #accept(end: End): Ear {
    const connection = ++this.#lastConnection;
    const { life } = this;
    this.#ends.set(connection, end);
    this.#reached(life, { kind: 'opened', connection, host: end.remote, port: end.other?.port ?? 0 });
    return {
      received: (bytes) => {
        if (this.#losing !== '' && bytes.includes(this.#losing)) {
          this.#losing = '';
          end.doomed = true;
        }
        this.#reached(life, { kind: 'received', connection, bytes });
      },
      ended: () => {
        if (this.#ends.delete(connection)) this.#reached(life, { kind: 'closed', connection });
      },
    };
  }

  #reached(life: number, event: NodeEvent): void {
    if (life !== this.life) return;
    if (this.#state === 'running') this.#happened(event);
    else if (this.#state === 'hung') this.#unheard.push(event);
  }

  #happened(event: NodeEvent): void {
    this.#queue.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (;;) {
        const { core } = this;
        const next = this.#queue.shift();
        if (core === undefined || next === undefined) break;
        const { now } = this.#options.loop;
        for (const output of core.handle(next, { now, wall: WALL_START + now })) this.#carryOut(output);
      }
    } finally {
      this.#busy = false;
    }
    this.#arm();
  }

  #arm(): void {
    const at = this.core?.wakeAt;
    if (this.#wake?.at === at) return;
    this.#wake?.cancel();
    this.#wake = undefined;
    if (at === undefined) return;
    const { life } = this;
    const cancel = this.#options.loop.at(at, () => {
      this.#wake = undefined;
      // One that is hung notices when it wakes.
      if (life === this.life && this.#state === 'running') this.#happened({ kind: 'wake' });
    });
    this.#wake = { at, cancel };
  }

  #carryOut(output: Output): void {
    switch (output.kind) {
      case 'append':
        this.#data.push(output.lines);
        return;
      case 'replace-data':
        this.#data = output.text === '' ? [] : [output.text];
        return;
      case 'save-nodes':
        this.#nodes = output.text;
        this.#queue.push({ kind: 'nodes-saved' });
        return;
      case 'remove-nodes':
        this.#nodes = undefined;
        return;
      case 'save-config':
        this.#config = output.text;
        return;
      case 'send':
        this.#ends.get(output.connection)?.send(output.bytes, this.core?.database.sequence ?? 0);
        return;
      case 'close': {
        const end = this.#ends.get(output.connection);
        this.#ends.delete(output.connection);
        end?.close('eof');
        return;
      }
      case 'dial':
        this.#dial(output);
        return;
      case 'link-send':
        this.#links.get(output.link)?.send(output.bytes);
        return;
      case 'link-close': {
        const end = this.#links.get(output.link);
        this.#links.delete(output.link);
        end?.close('eof');
        return;
      }
      case 'exit':
        this.kill();
        this.#options.exited(this, output.code, output.reason);
    }
  }

  #dial({ link, host, port, connectTimeout }: Extract<Output, { kind: 'dial' }>): void {
    const { life } = this;
    const end = this.#options.network.dial(this.host, { host, port }, connectTimeout, {
      connected: () => this.#reached(life, { kind: 'link-connected', link }),
      received: (bytes) => this.#reached(life, { kind: 'link-received', link, bytes }),
      ended: (why) => {
        if (this.#links.get(link) === end) this.#links.delete(link);
        this.#reached(life, { kind: 'link-ended', link, why });
      },
    });
    this.#links.set(link, end);
  }
}
