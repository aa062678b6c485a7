/** What a node runs in: a process of its own, or one that many emulated nodes share. */
import { writeFileSync } from 'node:fs';
import { type Child, freePort, Hopeless, hasEnded, kill, lastWords, program, run, until } from './processes.ts';

const binary = process.env['KVROCKS_BIN'] || undefined;
export const real = binary !== undefined;

export type Conf = Readonly<Record<string, string>>;

export interface Power {
  start(conf: Conf): Promise<void>;
  /** Throws if it has ended by itself. */
  check(): void;
  /** As by kill -9; harmless when it is dead already. */
  kill(): Promise<void>;
  hang(): void;
  wake(): void;
}

export class OwnProcess implements Power {
  readonly #name: string;
  readonly #port: number;
  readonly #dir: string;
  #child: Child | undefined;

  constructor(name: string, port: number, dir: string) {
    this.#name = name;
    this.#port = port;
    this.#dir = dir;
  }

  async start(conf: Conf): Promise<void> {
    this.#child = binary === undefined ? this.#emulated(conf) : this.#real(binary, conf);
  }

  #emulated(conf: Conf): Child {
    const options = Object.entries(conf).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
    const args = [program('kvrocks-emulator'), '--port', String(this.#port), '--dir', this.#dir, ...options];
    return run(this.#name, process.execPath, args);
  }

  #real(command: string, conf: Conf): Child {
    const all = {
      bind: '127.0.0.1',
      port: String(this.#port),
      dir: this.#dir,
      'log-dir': this.#dir,
      'cluster-enabled': 'yes',
      daemonize: 'no',
      workers: '2',
      'rocksdb.block_cache_size': '64',
      'rocksdb.write_buffer_size': '16',
      ...conf,
    };
    const file = `${this.#dir}.conf`;
    writeFileSync(
      file,
      Object.entries(all)
        .map(([key, value]) => `${key} ${value}\n`)
        .join(''),
    );
    return run(this.#name, command, ['-c', file]);
  }

  check(): void {
    if (this.#child !== undefined && hasEnded(this.#child)) throw new Hopeless(`it ended: ${lastWords(this.#child)}`);
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await kill(this.#child);
  }

  hang(): void {
    this.#signal('SIGSTOP');
  }

  wake(): void {
    this.#signal('SIGCONT');
  }

  #signal(name: NodeJS.Signals): void {
    if (this.#child === undefined) throw new Error(`${this.#name} was never started`);
    process.kill(this.#child.pid, name);
  }
}

/** Emulated nodes on consecutive ports in one process, each killed and stopped by itself. */
export class SharedProcess {
  readonly ports: readonly number[];
  readonly #child: Child;
  readonly #control: number;

  private constructor(child: Child, ports: readonly number[], control: number) {
    this.#child = child;
    this.ports = ports;
    this.#control = control;
  }

  static async start(count: number, dir: string): Promise<SharedProcess> {
    // Beyond the range that single ports are taken from.
    const first = 30_100;
    const control = await freePort();
    const args = [program('kvrocks-emulator'), '--port', `${first}`, '--count', `${count}`, '--dir', dir];
    const child = run(`node-${first}`, process.execPath, [...args, '--control', `${control}`]);
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const shared = new SharedProcess(child, ports, control);
    await until('the shared process answers', async () => {
      if (hasEnded(child)) throw new Hopeless(`it ended: ${lastWords(child)}`);
      return (await fetch(`http://127.0.0.1:${control}/nodes`)).ok;
    });
    return shared;
  }

  of(port: number): Power {
    const act = async (name: string) => {
      const answer = await fetch(`http://127.0.0.1:${this.#control}/nodes/${port}/${name}`, { method: 'POST' });
      if (!answer.ok) throw new Error(`${name} of ${port}: ${answer.status} ${await answer.text()}`);
    };
    return {
      start: () => act('revive'),
      check: () => {},
      kill: async () => {
        if (!hasEnded(this.#child)) await act('kill');
      },
      hang: () => void act('hang'),
      wake: () => void act('wake'),
    };
  }

  end(): Promise<void> {
    return kill(this.#child);
  }
}
