/** One emulated node in the simulated world: its process, its disk, its connections, and what may befall it. */
import { createDatabase } from '../emulator/data/database.ts';
import type { NodeEvent, Output } from '../emulator/events.ts';
import { EmulatedNode } from '../emulator/node.ts';
import { CommandReader } from '../emulator/resp-reader.ts';
import { Settings } from '../emulator/settings.ts';
import type { Cancel, Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import type { Sequence } from '../topology/ids.ts';
import { Disk, type DiskImage } from './disk.ts';
import type { EventLoop } from './event-loop.ts';
import type { Ear, End, VirtualNetwork } from './virtual-network.ts';
import { WALL_START } from './virtual-runtime.ts';

const NODE_PORT = 6666;
/** How far back a machine's number is known, in ms. */
const REMEMBERS = 1_000;

export type MachineState = 'running' | 'hung' | 'dead';

export interface MachineOptions {
  readonly loop: EventLoop;
  readonly network: VirtualNetwork;
  readonly random: RandomSource;
  readonly name: string;
  readonly host: string;
  /** Its settings, when it starts for the n-th time. */
  conf(life: number): Readonly<Record<string, string>>;
  /** It ended by itself: a crash that Kvrocks has, too, or SHUTDOWN. */
  exited(machine: Machine, code: number, reason: string): void;
}

export interface MachineFaults {
  /** Connections are taken and reset at once. */
  closesAtOnce: boolean;
  /** Every command is answered with an error, by somebody else than a Kvrocks that works. */
  answersErrors: boolean;
  /** nodes.conf cannot be written: SETNODES answers an error and is in force all the same. */
  diskFull: boolean;
  /** Dies after it has written nodes.conf so many times more. */
  diesAtSave: number;
  /** How far its wall clock is from the world's. */
  wallOffset: Duration;
}

const SOUND: MachineFaults = {
  closesAtOnce: false,
  answersErrors: false,
  diskFull: false,
  diesAtSave: 0,
  wallOffset: 0,
};

export class Machine {
  readonly name: string;
  readonly host: string;
  readonly port = NODE_PORT;
  /** Counts its processes; a connection belongs to one of them. */
  life = 0;
  /** When it was last disturbed: killed, started, hung, woken. */
  disturbedAt: Instant = 0;
  core: EmulatedNode | undefined;
  /** How it copies slots by its own file, or by hand. */
  own: ReadonlyMap<string, string> = new Map();
  /** What it had reached before its disk became an older one; 0 if that was not so, or explained by a full copy. */
  reached = 0;
  #noted: Sequence = 0;
  /** What its number was, and until when, for a moment back. */
  readonly #changes: { readonly until: Instant; readonly sequence: Sequence }[] = [];
  /** Some of what it held was lost with its disk. */
  erased = false;
  /** Since when it has been copied whole or has loaded its data; undefined: it is not. */
  copyingSince: Instant | undefined;
  /** When its processes began. */
  readonly starts: Instant[] = [];
  /** Faults of what runs there, until they are taken away. */
  readonly faults: MachineFaults = { ...SOUND };
  readonly #options: MachineOptions;
  readonly #disk = new Disk();
  #state: MachineState = 'dead';
  #unlisten: () => void = () => {};
  readonly #ends = new Map<number, End>();
  readonly #links = new Map<number, End>();
  #lastConnection = 0;
  #queue: NodeEvent[] = [];
  #busy = false;
  #lastSequence = 0;
  #unheard: NodeEvent[] = [];
  #wake: { readonly at: Instant; readonly cancel: Cancel } | undefined;

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
    this.life++;
    for (const [name, value] of Object.entries(conf(this.life))) settings.load(name, value);
    this.own = new Map(settings.matching('migrate-*'));
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
    const { nodes, config, lines: data } = this.#disk;
    this.#happened({ kind: 'start', stored: { nodes, config, data } });
  }

  /** As kill -9: only the disk remains. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.disturbedAt = this.#options.loop.now;
    this.#lastSequence = this.core?.database.sequence ?? 0;
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
    this.#disk.wipe();
    this.reached = 0;
    this.erased = true;
  }

  /** Takes back what was written to its data or its nodes.conf after these instants; only while it is dead. */
  losePower(dataSince: Instant, filesSince: Instant): void {
    if (this.#state !== 'dead') return;
    this.#disk.losePower(dataSince, filesSince);
    this.erased = true;
    this.reached = Math.max(this.reached, this.#lastSequence);
  }

  /** A copy of its disk as it is now. */
  snapshot(): DiskImage {
    return this.#disk.image();
  }

  /** Puts a copy in the place of its disk, its own older one or another machine's; only while it is dead. */
  restore(image: DiskImage): void {
    if (this.#state !== 'dead') return;
    this.#disk.restore(image);
    this.erased = true;
    this.reached = Math.max(this.reached, this.#lastSequence);
  }

  /** Runs `act` inside its process, as a defect of the server would. */
  disturb(act: (core: EmulatedNode) => void): void {
    if (this.core === undefined || this.#state !== 'running') return;
    act(this.core);
    this.#happened({ kind: 'wake' });
  }

  mend(): void {
    Object.assign(this.faults, SOUND);
  }

  /** The connections over which `needle` was received: the answer gets lost, and they break. */
  loseAnswers(needle: string): void {
    this.#losing = needle;
  }
  #losing = '';

  #accept(end: End): Ear {
    const connection = ++this.#lastConnection;
    const { life } = this;
    if (this.faults.closesAtOnce) {
      end.close('reset');
      return { received: () => {}, ended: () => {} };
    }
    this.#ends.set(connection, end);
    this.#reached(life, { kind: 'opened', connection, host: end.remote, port: end.other?.port ?? 0 });
    const errors = new CommandReader();
    return {
      received: (bytes) => {
        if (this.faults.answersErrors && this.#state === 'running') {
          errors.push(bytes);
          for (let word = errors.next(); word !== undefined && !('broken' in word); word = errors.next())
            end.send('-ERR not today\r\n');
          return;
        }
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
        const wall = WALL_START + now + this.faults.wallOffset;
        for (const output of core.handle(next, { now, wall })) {
          this.#carryOut(output);
          // It died in the middle of it.
          if (this.core !== core) break;
        }
      }
    } finally {
      this.#busy = false;
    }
    this.#note(this.core?.database.sequence ?? 0);
    if (this.core?.replication?.syncing !== true && this.core?.loading !== true) this.copyingSince = undefined;
    else this.copyingSince ??= this.#options.loop.now;
    this.#arm();
  }

  #note(sequence: Sequence): void {
    if (sequence === this.#noted) return;
    const { now } = this.#options.loop;
    this.#changes.push({ until: now, sequence: this.#noted });
    this.#noted = sequence;
    while ((this.#changes[0]?.until ?? now) < now - REMEMBERS) this.#changes.shift();
  }

  /** Its number so many ms ago, up to `REMEMBERS`. */
  sequenceBefore(ago: Duration): Sequence {
    const at = this.#options.loop.now - ago;
    return this.#changes.find(({ until }) => until > at)?.sequence ?? this.#noted;
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
        this.#disk.append(output.lines, this.#options.loop.now);
        return;
      case 'replace-data':
        this.#disk.replaceData(output.text, this.#options.loop.now);
        this.reached = 0;
        return;
      case 'save-nodes':
        this.#saveNodes(output.text);
        return;
      case 'remove-nodes':
        this.#disk.saveNodes(undefined, this.#options.loop.now);
        return;
      case 'save-config':
        this.#disk.saveConfig(output.text);
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

  #saveNodes(text: string): void {
    if (this.faults.diskFull) {
      this.#queue.push({ kind: 'nodes-saved', error: 'No space left on device' });
      return;
    }
    this.#disk.saveNodes(text, this.#options.loop.now);
    this.#queue.push({ kind: 'nodes-saved' });
    if (this.faults.diesAtSave > 0 && --this.faults.diesAtSave === 0) this.kill();
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
