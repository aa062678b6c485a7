/** Nodes: emulated ones, or real servers where KVROCKS_BIN names a server's binary. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Conf, OwnProcess, type Power } from './power.ts';
import { folder, freePort, until } from './processes.ts';
import { FaultProxy } from './proxy.ts';
import { type Reply, Resp, RespError, textOf } from './resp.ts';

export interface Replication {
  readonly role: string;
  readonly sequence: number;
  readonly link: string | undefined;
  readonly masterPort: number | undefined;
}

/** A line of CLUSTER NODES, as the node itself sees the cluster. */
export interface NodesLine {
  readonly id: string;
  readonly addr: string;
  readonly myself: boolean;
  readonly master: string | null;
  readonly slots: readonly string[];
}

export interface NodeOptions {
  readonly conf?: Conf;
  /** At the address of a node that is gone, with a disk of its own; else at a free one. */
  readonly port?: number;
  /** A folder whose contents it finds as its own. */
  readonly disk?: string;
  /** Behind a proxy that its links can be broken at. */
  readonly proxied?: boolean;
}

let started = 0;

export class KvNode {
  /** Where the topology says that it is. */
  readonly port: number;
  readonly addr: string;
  readonly dir: string;
  /** Where it listens itself. */
  readonly #inner: number;
  readonly #proxy: FaultProxy | undefined;
  readonly #power: Power;
  #conf: Conf;

  private constructor(port: number, inner: number, conf: Conf, power?: Power) {
    this.port = port;
    this.addr = `127.0.0.1:${port}`;
    this.dir = folder(`node-${port}-${++started}`);
    this.#inner = inner;
    this.#proxy = inner === port ? undefined : new FaultProxy(port, inner);
    this.#conf = conf;
    this.#power = power ?? new OwnProcess(`node-${port}`, inner, this.dir);
  }

  /** Not started yet. */
  static async at({ conf = {}, port, disk, proxied = false }: NodeOptions): Promise<KvNode> {
    const address = port ?? (await freePort());
    const node = new KvNode(address, proxied ? await freePort() : address, conf);
    if (disk !== undefined) cpSync(disk, node.dir, { recursive: true });
    return node;
  }

  static async start(options: NodeOptions = {}): Promise<KvNode> {
    const node = await KvNode.at(options);
    await node.start();
    return node;
  }

  /** One of many nodes that run already, in a process that they share. */
  static sharing(port: number, power: Power): KvNode {
    return new KvNode(port, port, {}, power);
  }

  /** What its links can be broken at. */
  get proxy(): FaultProxy {
    if (this.#proxy === undefined) throw new Error(`${this.addr} has no proxy`);
    return this.#proxy;
  }

  /** Starts it again; `conf` replaces what was configured before. */
  async start(conf?: Conf): Promise<void> {
    if (conf !== undefined) this.#conf = conf;
    await this.#power.start(this.#conf);
    await until(
      `node ${this.port} answers`,
      async () => {
        this.#power.check();
        const reply = await this.ask('PING');
        return reply === 'PONG' || (reply instanceof RespError && /NOAUTH|MASTERDOWN|LOADING/.test(reply.message));
      },
      20_000,
    );
    await this.#proxy?.listen();
  }

  async kill(): Promise<void> {
    this.#proxy?.refuse();
    await this.#power.kill();
  }

  hang(): void {
    this.#power.hang();
  }

  wake(): void {
    this.#power.wake();
  }

  /** Removes what a stopped node has on its disk. */
  wipe(): void {
    rmSync(this.dir, { recursive: true, force: true });
    mkdirSync(this.dir);
  }

  /** A copy of what a stopped node has on its disk; `restore` puts it back in place of what is there then. */
  copyDisk(): { restore(): void } {
    const copy = `${this.dir}-copy-${++started}`;
    cpSync(this.dir, copy, { recursive: true });
    return {
      restore: () => {
        rmSync(this.dir, { recursive: true, force: true });
        cpSync(copy, this.dir, { recursive: true });
      },
    };
  }

  /** Removes the topology and the id that a stopped node keeps on its disk. */
  forgetTopology(): void {
    rmSync(join(this.dir, 'nodes.conf'), { force: true });
  }

  /** One question on a connection of its own; the node's errors are values. */
  async ask(...words: (string | number)[]): Promise<Reply> {
    const connection = await Resp.open(this.#inner);
    try {
      return await connection.ask(words);
    } finally {
      connection.close();
    }
  }

  /** With the password that it was started with, whatever it was set to afterwards. Errors are thrown. */
  async call(...words: (string | number)[]): Promise<Reply> {
    const connection = await this.connect();
    try {
      return await connection.call(...words);
    } finally {
      connection.close();
    }
  }

  /** A connection that is logged in, past any proxy; to another port as a node with the same password. */
  async connect(port = this.#inner): Promise<Resp> {
    const connection = await Resp.open(port);
    const password = this.#conf['requirepass'];
    if (password !== undefined) await connection.call('AUTH', password);
    return connection;
  }

  async replication(): Promise<Replication> {
    const text = textOf(await this.call('INFO', 'replication'));
    const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1];
    const role = field('role') ?? '';
    const sequence = Number(field(role === 'slave' ? 'slave_repl_offset' : 'master_repl_offset'));
    const masterPort = field('master_port');
    return {
      role,
      sequence,
      link: field('master_link_status'),
      masterPort: masterPort === undefined ? undefined : Number(masterPort),
    };
  }

  /** -1 when it has no topology. */
  async version(): Promise<number> {
    return Number(await this.call('CLUSTERX', 'VERSION'));
  }

  async nodes(): Promise<readonly NodesLine[]> {
    return textOf(await this.call('CLUSTER', 'NODES'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [id = '', address = '', flags = '', master = '-', , , , , ...slots] = line.trim().split(' ');
        return {
          id,
          addr: address.replace(/@.*$/, ''),
          myself: flags.includes('myself'),
          master: master === '-' ? null : master,
          slots: slots.filter((slot) => !slot.startsWith('[')),
        };
      });
  }
}

export const startNodes = (count: number, options: NodeOptions = {}): Promise<KvNode[]> =>
  Promise.all(Array.from({ length: count }, () => KvNode.start(options)));
