/**
 * A small world in virtual time for tests of the core: nodes on ports of one host, their connections, faults. It shows
 * how any simulation drives `EmulatedNode`: events in, outputs out, `wakeAt` for the next turn.
 */
import { seededRandom } from '../runtime/seeded-random.ts';
import { createDatabase } from './data/database.ts';
import type { NodeEvent, Output, StoredState } from './events.ts';
import { EmulatedNode } from './node.ts';
import { writeCommand } from './resp-reader.ts';
import { Settings } from './settings.ts';

export const HOST = '127.0.0.1';
/** One way between two ports. */
const LATENCY = 0.05;
const WALL = 1_800_000_000_000;

/** `+OK` and `-ERR ...` as they are, numbers, texts of bulks, null, lists. */
export type Answer = string | number | null | readonly Answer[];

interface Machine {
  readonly port: number;
  readonly conf: Readonly<Record<string, string>>;
  core: EmulatedNode | undefined;
  hung: boolean;
  queued: NodeEvent[];
  nodes: string | undefined;
  config: string | undefined;
  data: string[];
  exit: { readonly code: number; readonly reason: string } | undefined;
}

/** One direction ends at a node's connection or link, or at a client of the test. */
interface Pipe {
  readonly from: End;
  readonly to: End;
}
type End =
  | { readonly kind: 'client'; readonly client: TestClient }
  | { readonly kind: 'connection'; readonly machine: Machine; readonly id: number }
  | { readonly kind: 'link'; readonly machine: Machine; readonly id: number };

interface TestClient {
  buffer: string;
  closed: boolean;
}

export class World {
  now = 0;
  readonly #machines = new Map<number, Machine>();
  readonly #pipes = new Set<Pipe>();
  readonly #cutPairs = new Set<string>();
  readonly #clients = new Map<string, { client: TestClient; end: End }>();
  #agenda: { at: number; call: () => void }[] = [];
  #lastId = 0;

  get wall(): number {
    return WALL + this.now;
  }

  /** Starts a node on a port with an empty folder. */
  add(port: number, conf: Readonly<Record<string, string>> = {}): void {
    const machine: Machine = {
      port,
      conf,
      core: undefined,
      hung: false,
      queued: [],
      nodes: undefined,
      config: undefined,
      data: [],
      exit: undefined,
    };
    this.#machines.set(port, machine);
    this.start(port);
  }

  start(port: number): void {
    const machine = this.#machine(port);
    const settings = new Settings();
    for (const [name, value] of Object.entries(machine.conf)) settings.load(name, value);
    machine.exit = undefined;
    machine.hung = false;
    machine.core = new EmulatedNode({
      port,
      settings,
      database: createDatabase(),
      random: seededRandom(port),
      processId: port,
    });
    const stored: StoredState = {
      nodes: machine.nodes,
      config: machine.config,
      data: machine.data.join('').split('\n').slice(0, -1),
    };
    this.#give(machine, { kind: 'start', stored });
  }

  kill(port: number): void {
    const machine = this.#machine(port);
    machine.core = undefined;
    machine.queued = [];
    for (const pipe of [...this.#pipes]) {
      if (machineOf(pipe.from) !== machine) continue;
      this.#hangUp(pipe.from, 'reset');
      if (pipe.to.kind === 'client') pipe.to.client.closed = true;
    }
  }

  wipe(port: number): void {
    const machine = this.#machine(port);
    machine.data = [];
    machine.nodes = undefined;
  }

  restart(port: number): void {
    this.kill(port);
    this.start(port);
  }

  hang(port: number): void {
    this.#machine(port).hung = true;
  }

  wake(port: number): void {
    const machine = this.#machine(port);
    machine.hung = false;
    for (const event of machine.queued.splice(0)) this.#give(machine, event);
  }

  /** What `from` sends to `to` is lost from now on, new connections included. */
  cut(from: number, to: number): void {
    this.#cutPairs.add(`${from}>${to}`);
  }

  nodesFile(port: number): string | undefined {
    return this.#machine(port).nodes;
  }

  exitOf(port: number): Machine['exit'] {
    return this.#machine(port).exit;
  }

  /** Lets time pass. */
  run(length: number): void {
    this.#until(this.now + length, () => false);
  }

  /** Lets time pass until something is true; throws if it does not become so. */
  runUntil(what: string, test: () => boolean, limit = 30_000): void {
    const end = this.now + limit;
    while (!test()) {
      if (this.now >= end) throw new Error(`not within ${limit} ms: ${what}`);
      this.run(1);
    }
  }

  /** Sends a command over a connection that is opened on first use, without waiting. */
  post(port: number, words: readonly string[], name = 'main'): void {
    const { client, end } = this.#clientOf(port, name);
    if (client.closed) throw new Error(`the connection ${name} to ${port} is closed`);
    this.#deliver(end, writeCommand(words));
  }

  /** The next reply of a connection; throws if none comes. */
  read(port: number, name = 'main', limit = 30_000): Answer {
    const client = this.#clients.get(`${port}/${name}`)?.client;
    if (client === undefined) throw new Error(`no connection ${name} to ${port}`);
    let found: Parsed | undefined;
    this.#until(this.now + limit, () => {
      found = parse(client.buffer, 0);
      return found !== undefined || client.closed;
    });
    if (found === undefined) {
      if (client.closed) {
        this.#clients.delete(`${port}/${name}`);
        return '(closed)';
      }
      throw new Error(`no reply from ${port} within ${limit} ms`);
    }
    client.buffer = client.buffer.slice(found.next);
    return found.answer;
  }

  ask(port: number, words: readonly string[], name = 'main', limit = 30_000): Answer {
    this.post(port, words, name);
    return this.read(port, name, limit);
  }

  /** `ask` of blank-separated words. */
  say(port: number, line: string, name = 'main'): Answer {
    return this.ask(port, line.split(' '), name);
  }

  /** Fields of INFO replication or another section. */
  info(port: number, section = 'replication'): ReadonlyMap<string, string> {
    return fieldsOf(this.ask(port, ['INFO', section], 'info'));
  }

  clusterInfo(port: number): ReadonlyMap<string, string> {
    return fieldsOf(this.ask(port, ['CLUSTER', 'INFO'], 'info'));
  }

  #machine(port: number): Machine {
    const machine = this.#machines.get(port);
    if (machine === undefined) throw new Error(`no node on ${port}`);
    return machine;
  }

  #clientOf(port: number, name: string): { client: TestClient; end: End } {
    const key = `${port}/${name}`;
    const known = this.#clients.get(key);
    const machine = this.#machine(port);
    if (known !== undefined && !(known.client.closed && machine.core !== undefined)) return known;
    const client: TestClient = { buffer: '', closed: machine.core === undefined };
    const end: End = { kind: 'client', client };
    const made = { client, end };
    this.#clients.set(key, made);
    if (machine.core !== undefined) this.#join(end, machine, 9);
    return made;
  }

  #join(from: End, machine: Machine, port: number): void {
    const id = ++this.#lastId;
    const to: End = { kind: 'connection', machine, id };
    this.#pipes.add({ from, to });
    this.#pipes.add({ from: to, to: from });
    this.#give(machine, { kind: 'opened', connection: id, host: HOST, port: port + 30_000 });
  }

  #pipeFrom(end: End): Pipe | undefined {
    for (const pipe of this.#pipes) if (sameEnd(pipe.from, end)) return pipe;
    return undefined;
  }

  #isCut(from: End, to: End): boolean {
    const a = machineOf(from);
    const b = machineOf(to);
    return a !== undefined && b !== undefined && this.#cutPairs.has(`${a.port}>${b.port}`);
  }

  #deliver(from: End, bytes: string): void {
    const pipe = this.#pipeFrom(from);
    if (pipe === undefined || this.#isCut(pipe.from, pipe.to)) return;
    this.#at(LATENCY, () => {
      if (!this.#pipes.has(pipe)) return;
      const { to } = pipe;
      if (to.kind === 'client') to.client.buffer += bytes;
      else if (to.kind === 'connection') this.#give(to.machine, { kind: 'received', connection: to.id, bytes });
      else this.#give(to.machine, { kind: 'link-received', link: to.id, bytes });
    });
  }

  #hangUp(from: End, why: 'reset' | 'eof'): void {
    const pipe = this.#pipeFrom(from);
    if (pipe === undefined) return;
    const { to } = pipe;
    if (this.#isCut(from, to)) return;
    this.#at(LATENCY, () => {
      for (const other of [...this.#pipes]) if (other === pipe || sameEnd(other.from, to)) this.#pipes.delete(other);
      if (to.kind === 'client') to.client.closed = true;
      else if (to.kind === 'connection') this.#give(to.machine, { kind: 'closed', connection: to.id });
      else this.#give(to.machine, { kind: 'link-ended', link: to.id, why: { kind: why } });
    });
  }

  #give(machine: Machine, event: NodeEvent): void {
    const { core } = machine;
    if (core === undefined) return;
    if (machine.hung) {
      machine.queued.push(event);
      return;
    }
    for (const output of core.handle(event, { now: this.now, wall: this.wall })) this.#carryOut(machine, output);
  }

  #carryOut(machine: Machine, output: Output): void {
    switch (output.kind) {
      case 'append':
        machine.data.push(output.lines);
        return;
      case 'replace-data':
        machine.data = [output.text];
        return;
      case 'save-nodes':
        machine.nodes = output.text;
        this.#give(machine, { kind: 'nodes-saved' });
        return;
      case 'remove-nodes':
        machine.nodes = undefined;
        return;
      case 'save-config':
        machine.config = output.text;
        return;
      case 'send':
        this.#deliver({ kind: 'connection', machine, id: output.connection }, output.bytes);
        return;
      case 'close':
        this.#hangUp({ kind: 'connection', machine, id: output.connection }, 'eof');
        return;
      case 'dial':
        this.#dial(machine, output);
        return;
      case 'link-send':
        this.#deliver({ kind: 'link', machine, id: output.link }, output.bytes);
        return;
      case 'link-close':
        this.#hangUp({ kind: 'link', machine, id: output.link }, 'eof');
        return;
      case 'exit':
        machine.exit = { code: output.code, reason: output.reason };
        this.kill(machine.port);
    }
  }

  #dial(machine: Machine, { link, port, connectTimeout }: Extract<Output, { kind: 'dial' }>): void {
    const target = this.#machines.get(port);
    const { core } = machine;
    const ended = (kind: 'timeout' | 'refused') => {
      if (machine.core === core) this.#give(machine, { kind: 'link-ended', link, why: { kind } });
    };
    if (target !== undefined && this.#cutPairs.has(`${machine.port}>${port}`)) {
      this.#at(connectTimeout, () => ended('timeout'));
      return;
    }
    this.#at(LATENCY, () => {
      if (target?.core === undefined) {
        ended('refused');
        return;
      }
      if (machine.core !== core) return;
      this.#join({ kind: 'link', machine, id: link }, target, machine.port);
      this.#give(machine, { kind: 'link-connected', link });
    });
  }

  #at(delay: number, call: () => void): void {
    this.#agenda.push({ at: this.now + delay, call });
  }

  #until(end: number, test: () => boolean): void {
    while (!test()) {
      let next = end;
      for (const { at } of this.#agenda) next = Math.min(next, at);
      for (const { core, hung } of this.#machines.values()) {
        if (!hung && core?.wakeAt !== undefined) next = Math.min(next, Math.max(this.now, core.wakeAt));
      }
      this.now = next;
      const due = this.#agenda.filter(({ at }) => at <= next).sort((a, b) => a.at - b.at);
      this.#agenda = this.#agenda.filter(({ at }) => at > next);
      for (const { call } of due) call();
      for (const machine of this.#machines.values()) {
        const at = machine.core?.wakeAt;
        if (!machine.hung && at !== undefined && at <= next) this.#give(machine, { kind: 'wake' });
      }
      if (next >= end && due.length === 0) return;
    }
  }
}

function machineOf(end: End): Machine | undefined {
  return end.kind === 'client' ? undefined : end.machine;
}

function sameEnd(a: End, b: End): boolean {
  if (a.kind === 'client') return b.kind === 'client' && a.client === b.client;
  return b.kind === a.kind && b.machine === a.machine && b.id === a.id;
}

function fieldsOf(answer: Answer): ReadonlyMap<string, string> {
  if (typeof answer !== 'string') throw new Error('no fields');
  const fields = new Map<string, string>();
  for (const line of answer.split('\r\n')) {
    const at = line.indexOf(':');
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  return fields;
}

interface Parsed {
  readonly answer: Answer;
  readonly next: number;
}

function parse(buffer: string, at: number): Parsed | undefined {
  const end = buffer.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const head = buffer.slice(at + 1, end);
  const next = end + 2;
  switch (buffer[at]) {
    case ':':
      return { answer: Number(head), next };
    case '$': {
      const size = Number(head);
      if (size < 0) return { answer: null, next };
      return buffer.length < next + size + 2
        ? undefined
        : { answer: buffer.slice(next, next + size), next: next + size + 2 };
    }
    case '*': {
      const size = Number(head);
      if (size < 0) return { answer: null, next };
      const items: Answer[] = [];
      let from = next;
      for (let i = 0; i < size; i++) {
        const item = parse(buffer, from);
        if (item === undefined) return undefined;
        items.push(item.answer);
        from = item.next;
      }
      return { answer: items, next: from };
    }
    default:
      return { answer: buffer.slice(at, end), next };
  }
}
