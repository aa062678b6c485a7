/** The hosts that run controllers: each process with its clocks, its way to the store and what may befall both. */
import type { ControlPlane } from '../controller/control-plane.ts';
import { Controller } from '../controller/controller.ts';
import type { Log } from '../controller/log.ts';
import { MemoryShelf } from '../controller/memory-shelf.ts';
import type { Opinion, PeerQuestion, Peers } from '../controller/peers.ts';
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { MemoryClient } from '../store/memory/client.ts';
import type { Reach } from '../store/memory/link.ts';
import type { MemoryServer } from '../store/memory/server.ts';
import type { EventLoop } from './event-loop.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess } from './virtual-runtime.ts';

const API_PORT = 9379;

/** What a controller may be asked. */
/** What a run asks of a controller: what the API does, and plans of its own making. */
export type Plane = ControlPlane & Pick<Controller, 'startPlan'>;

/** What every controller's way to the store suffers; read at each use. */
export interface StoreFaults {
  /** How often a commit's answer gets lost, 0 to 1. */
  lostAnswers: number;
  /** When one was last lost. */
  lostAnswerAt: Instant;
  /** Every message takes up to so much longer. */
  slowBy: Duration;
  /** A commit takes this much longer to be made. */
  commitsBy: Duration;
  /** The answer to a commit takes this much longer. */
  answersBy: Duration;
}

/** What runs are counted by. */
export type CountGroup = 'fault' | 'operator' | 'promotion' | 'finding';

export interface ControllerHostOptions {
  readonly loop: EventLoop;
  readonly network: VirtualNetwork;
  readonly server: MemoryServer;
  readonly random: RandomSource;
  readonly name: string;
  readonly host: string;
  readonly storeFaults: StoreFaults;
  /** The way to the other controllers. */
  peers(from: ControllerHost): Peers;
  note(text: string): void;
  count(group: CountGroup, kind: string): void;
  /** A decision that the check at the commit refused: none should be made. */
  refusedByPromise(what: string): void;
}

/** A full copy is as good with a small margin, and raising a number by a million takes long, also here. */
const COPY_BOUNDS = { margin: 3_000, span: 120_000 };

interface Life {
  readonly process: VirtualProcess;
  readonly client: MemoryClient;
  readonly controller: Controller;
  readonly identity: string;
}

export class ControllerHost {
  readonly name: string;
  readonly host: string;
  /** Where it keeps what nodes alone held; outlives its processes. */
  readonly shelf = new MemoryShelf();
  readonly #options: ControllerHostOptions;
  #life: Life | undefined;
  #lives = 0;
  #reach: Reach = 'up';
  #wallOffset = 0;
  #deaths: (() => void)[] = [];

  constructor(options: ControllerHostOptions) {
    this.#options = options;
    this.name = options.name;
    this.host = options.host;
  }

  get state(): 'running' | 'hung' | 'dead' {
    if (this.#life === undefined) return 'dead';
    return this.#life.process.hung ? 'hung' : 'running';
  }

  /** How the store knows its process; another for each. */
  get identity(): string | undefined {
    return this.#life?.identity;
  }

  get plane(): Plane | undefined {
    return this.#life?.controller;
  }

  /** Another controller asks what this one sees; a hung one answers when it wakes. */
  opinion(question: PeerQuestion): Promise<Opinion> {
    const life = this.#life;
    return new Promise((resolve) => {
      life?.process.enter(() => void life.controller.opinion(question).then(resolve));
    });
  }

  start(): void {
    if (this.#life !== undefined) return;
    const { loop, network, server, host } = this.#options;
    const number = this.#lives++;
    const random = this.#options.random.child(`life ${number}`);
    const process = new VirtualProcess(loop, network, host, random);
    process.wallOffset = this.#wallOffset;
    const client = new MemoryClient(server, process.runtime);
    client.reach = this.#reach;
    this.#troubles(client, random.child('store'));
    const identity = `${host}:${API_PORT + number}`;
    const controller = new Controller({
      runtime: process.runtime,
      store: client,
      identity,
      log: this.#log(process),
      shelf: this.shelf,
      copyBounds: COPY_BOUNDS,
      peers: this.#options.peers(this),
    });
    this.#life = { process, client, controller, identity };
    controller.start();
  }

  #troubles(client: MemoryClient, draw: RandomSource): void {
    const { storeFaults: faults, loop } = this.#options;
    client.faults.latency = (about, way) => {
      const base = 0.2 + 2 * draw.next() + faults.slowBy * draw.next();
      if (about !== 'commit') return base;
      return base + (way === 'there' ? faults.commitsBy : faults.answersBy);
    };
    client.faults.loseAnswer = (errand) => {
      if (errand !== 'commit' || draw.next() >= faults.lostAnswers) return undefined;
      const how = draw.next() < 0.5 ? 'cut' : 'silence';
      faults.lostAnswerAt = loop.now;
      this.#options.note(`the answer to a commit of ${this.name} gets lost: ${how}`);
      this.#options.count('fault', 'lose-commit-answer');
      return how;
    };
  }

  #log(process: VirtualProcess): Log {
    const write = (fields: object, message: string) => {
      if (process.alive) this.#options.note(`  ${message}${'why' in fields ? `: ${String(fields.why)}` : ''}`);
    };
    return {
      info: write,
      warn: (fields, message) => {
        const more = 'node' in fields && 'purpose' in fields ? ` ${String(fields.node)} ${String(fields.purpose)}` : '';
        write(fields, `${message}${more}`);
      },
      error: (fields, message) => {
        write(fields, `${message} ${JSON.stringify(fields)}`);
        if (message.startsWith('a decision would break')) this.#options.refusedByPromise(JSON.stringify(fields));
      },
    };
  }

  /** As kill -9. */
  kill(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    life.process.kill();
    life.client.kill();
    for (const tell of this.#deaths.splice(0)) tell();
  }

  /** As SIGTERM: leadership is given up, and then the process ends. */
  async stop(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    await life.controller.stop();
    if (this.#life === life) this.kill();
  }

  /** As SIGSTOP. */
  hang(): void {
    this.#life?.process.hang();
  }

  wake(): void {
    this.#life?.process.wake();
  }

  /** Calls when the process that runs now has died. */
  onDeath(tell: () => void): void {
    this.#deaths.push(tell);
  }

  /** Its way to the store; holds for its next processes, too. */
  get reach(): Reach {
    return this.#reach;
  }

  set reach(reach: Reach) {
    this.#reach = reach;
    if (this.#life !== undefined) this.#life.client.reach = reach;
  }

  /** Its wall clock jumps; what is monotonic does not. */
  jump(by: Duration): void {
    this.#wallOffset += by;
    if (this.#life !== undefined) this.#life.process.wallOffset = this.#wallOffset;
  }
}
