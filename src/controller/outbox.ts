/**
 * What one node is told: one push in flight, every outcome read back. What is wanted meanwhile is decided anew behind it,
 * since what spoke for it may not hold any more: a source is told to delete what its target, dead by then, had. A push that is
 * urgent goes out on a connection of its own at once; the node's version order sorts out the older one. Nobody ever
 * waits for a node.
 *
 * The connection is opened when there is something to say, kept a little while, since a fence and the attach behind
 * it must share one, and names the node's id before anything is told over it.
 */

import type { Want } from '../decisions/telling.ts';
import type { Told } from '../decisions/world.ts';
import { clusterNodes } from '../kvrocks/commands/cluster-nodes.ts';
import { nodeSettings } from '../kvrocks/commands/config-get.ts';
import { infoReplication } from '../kvrocks/commands/info-replication.ts';
import { infoServer, isAtLeast } from '../kvrocks/commands/info-server.ts';
import { myId } from '../kvrocks/commands/my-id.ts';
import { setNodes, setNodesAndId } from '../kvrocks/commands/set-nodes.ts';
import { type OneBreath, setNodesInOneBreath } from '../kvrocks/commands/set-nodes-in-one-breath.ts';
import { type Connection, openConnection } from '../kvrocks/connection.ts';
import type { Cancel, Instant, Runtime } from '../runtime/runtime.ts';
import type { Secret } from '../runtime/secret.ts';
import type { Address } from '../topology/address.ts';
import { fingerprintOf } from '../topology/fingerprint.ts';
import type { NodeId, Version } from '../topology/ids.ts';
import { slotSet } from '../topology/slots.ts';
import { dangersOf } from './dangers.ts';
import type { Learned } from './observation.ts';

export interface OutboxHandlers {
  /** Leadership surely holds for a while longer. Asked right before a node is told something. */
  mayAct(): boolean;
  learned(learned: Learned): void;
  /** A SETNODES is under way from now on; `null`: none is any more. */
  busy(since: Instant | null): void;
  /** It answered OK. `told` is null where nothing came in its breath. */
  told(want: Want, told: Told | null): void;
  /** There is room again for what found none. */
  free(): void;
  /** Not told, or nobody knows: `why` is for people. It is wanted again by the next decision. */
  notTold(want: Want, why: string): void;
  /** The facts of fences and drains on this connection hold no more. */
  closed(connection: number): void;
}

const CONNECT_TIMEOUT = 500;
const REPLY_TIMEOUT = 1_000;
const PUSH_TIMEOUT = 15_000;
/** Before 2.15 a replica's retry pause, which a SETNODES sits out, is at most 10 s; from then on it grows to 60 s. */
const PUSH_TIMEOUT_FROM_2_15 = 65_000;
const IDLE = 5_000;
/** After a push that failed. */
const RETRY = 200;

interface Line {
  readonly number: number;
  readonly connection: Connection;
  /** Read once a connection; undefined while not read. */
  id: string | undefined;
  /** What a fence or a drain on this connection left the node at. */
  fencedAt: number | undefined;
  users: number;
  cancelIdle: Cancel | undefined;
}

// Across all outboxes of the process, so that a fact never matches another node's connection.
let lastNumber = 0;

/** Pushes under way to one node at a time, where they are urgent. */
const MOST_FLYING = 3;

export class Outbox {
  readonly #runtime: Runtime;
  readonly #node: NodeId;
  readonly #address: Address;
  readonly #password: Secret;
  readonly #on: OutboxHandlers;
  #line: Line | undefined;
  readonly #flying = new Set<Want>();
  #foundNoRoom = false;
  /** When each SETNODES that has not answered was sent. */
  readonly #pushing: Instant[] = [];
  /** A read waits for the pushes to end, `true` one that asks for the settings, too. */
  #readBehind: boolean | undefined;
  #failed: { version: Version; purpose: Want['purpose']; until: Instant } | undefined;
  #pushTimeout = PUSH_TIMEOUT;
  #closed = false;

  constructor(runtime: Runtime, node: NodeId, address: Address, password: Secret, on: OutboxHandlers) {
    this.#runtime = runtime;
    this.#node = node;
    this.#address = address;
    this.#password = password;
    this.#on = on;
  }

  /** Repeating a want that is under way, or has just failed, changes nothing. */
  tell(want: Want): void {
    if (this.#closed) return;
    const same = (other: Want) => other.version === want.version && other.purpose === want.purpose;
    for (const flying of this.#flying) if (same(flying)) return;
    const failed = this.#failed;
    if (failed?.version === want.version && failed.purpose === want.purpose && this.#runtime.clock.now() < failed.until)
      return;
    if (!this.#hasRoom(want)) {
      this.#foundNoRoom = true;
      return;
    }
    void this.#push(want);
  }

  /** A hung node is not told each of many versions over a connection of its own: what is wanted then goes out when one has ended. */
  #hasRoom(want: Want): boolean {
    return this.#flying.size < (want.urgent ? MOST_FLYING : 1);
  }

  /**
   * Reads who it is, what it carries, and, on `settings`, how it is set up; behind a push that is under way, since a
   * node inside a SETNODES would not answer in time, and the push's answer would be lost with its connection.
   */
  async read(settings: boolean): Promise<void> {
    if (this.#pushing.length > 0) {
      this.#readBehind = settings || this.#readBehind === true;
      return;
    }
    const line = this.#take(false);
    try {
      if (!(await this.#identify(line, true))) return;
      await this.#readBack(line);
      if (settings) await this.#readSettings(line);
    } finally {
      this.#release(line);
    }
  }

  /** What was read behind a fence on its connection is still needed: it stays open for a while longer. */
  keep(): void {
    const line = this.#line;
    if (line === undefined || line.cancelIdle === undefined || line.users > 0) return;
    line.cancelIdle();
    this.#idle(line);
  }

  /**
   * Work over the connection of this number, on which the node was fenced: it stays open until `work` is done.
   * Undefined when it is gone.
   */
  async use<T>(number: number, work: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    const line = this.#line;
    if (line?.number !== number || line.fencedAt === undefined || line.connection.state !== 'open') return undefined;
    line.cancelIdle?.();
    line.users++;
    try {
      return await work(line.connection);
    } finally {
      this.#release(line);
    }
  }

  close(): void {
    this.#closed = true;
    this.#line?.cancelIdle?.();
    this.#line?.connection.close();
    this.#line = undefined;
  }

  #take(fresh: boolean): Line {
    const known = this.#line;
    if (known !== undefined && known.connection.state !== 'over' && !fresh) {
      known.cancelIdle?.();
      known.users++;
      return known;
    }
    const number = ++lastNumber;
    const connection = openConnection(this.#runtime, this.#address, {
      password: this.#password,
      connectTimeout: CONNECT_TIMEOUT,
      replyTimeout: REPLY_TIMEOUT,
      ended: () => this.#on.closed(number),
    });
    const line: Line = { number, connection, id: undefined, fencedAt: undefined, users: 1, cancelIdle: undefined };
    this.#line = line;
    return line;
  }

  #release(line: Line): void {
    line.users--;
    if (line.users > 0 || line.connection.state === 'over') return;
    if (line !== this.#line) {
      this.#hangUp(line);
      return;
    }
    this.#idle(line);
  }

  #idle(line: Line): void {
    line.cancelIdle = this.#runtime.timers.after(IDLE, () => {
      if (line.users === 0) this.#hangUp(line);
    });
  }

  #hangUp(line: Line): void {
    line.connection.close();
    this.#on.closed(line.number);
    if (this.#line === line) this.#line = undefined;
  }

  /** `anew`: asked again also where this connection knows the answer, since whoever wants it has forgotten it. */
  async #identify(line: Line, anew: boolean): Promise<boolean> {
    if (line.id === undefined || anew) {
      const answer = await line.connection.ask(myId());
      if (answer.kind !== 'reply') return false;
      line.id = answer.value;
      this.#on.learned({ myId: answer.value });
    }
    return line.id === '' || line.id === this.#node;
  }

  async #readBack(line: Line): Promise<void> {
    const answer = await line.connection.ask(clusterNodes());
    if (answer.kind === 'error' && answer.error.kind === 'not-initialized') this.#on.learned({ holds: null });
    if (answer.kind !== 'reply') return;
    const nodes = [...answer.value.nodes.values()];
    const fingerprint = fingerprintOf(
      nodes.map(({ id, host, port, masterId, slots }) => ({
        id,
        host,
        port,
        master: masterId ?? null,
        slots: slotSet(slots.map(({ first, last }) => ({ from: first, to: last }))),
      })),
    );
    this.#on.learned({ holds: { version: nodes[0]?.version ?? 0, fingerprint } });
  }

  /** Learned in one: whoever knows which process a node is takes its settings for known, too. */
  async #readSettings(line: Line): Promise<void> {
    const [server, settings] = await Promise.all([
      line.connection.ask(infoServer()),
      line.connection.ask(nodeSettings()),
    ]);
    if (server.kind !== 'reply' || settings.kind === 'timeout' || settings.kind === 'ended') return;
    const { version, versionText, processId, startedAt, upFor } = server.value;
    if (isAtLeast(version, 2, 15) !== false) this.#pushTimeout = PUSH_TIMEOUT_FROM_2_15;
    const told = settings.kind === 'reply' ? settings.value : undefined;
    this.#on.learned({
      serverVersion: versionText,
      process: { id: processId, startedAt: startedAt ?? 0 },
      startedWall: upFor === undefined ? null : Math.floor(this.#runtime.clock.wall()) - upFor,
      rsid: told?.rsidPsync ?? null,
      ...(told !== undefined && {
        dangers: dangersOf(told),
        migrateType: migrateTypeOf(told.migrateType),
        passwordless: line.connection.passwordless,
      }),
    });
  }

  async #push(want: Want): Promise<void> {
    const line = this.#take(this.#flying.size > 0);
    this.#flying.add(want);
    try {
      const why = await this.#pushOver(line, want);
      if (why === undefined) this.#failed = undefined;
      else {
        this.#failed = { version: want.version, purpose: want.purpose, until: this.#runtime.clock.now() + RETRY };
        if (!this.#closed) this.#on.notTold(want, why);
      }
    } finally {
      this.#flying.delete(want);
      this.#release(line);
    }
    this.#readWhatWaited();
    if (!this.#foundNoRoom || this.#closed) return;
    this.#foundNoRoom = false;
    this.#on.free();
  }

  #readWhatWaited(): void {
    const settings = this.#readBehind;
    if (settings === undefined || this.#pushing.length > 0 || this.#closed) return;
    this.#readBehind = undefined;
    void this.read(settings);
  }

  /** Undefined when it answered OK, otherwise why it was not told, or may not have been. */
  async #pushOver(line: Line, want: Want): Promise<string | undefined> {
    if (!(await this.#identify(line, false)))
      return line.id === undefined ? 'it did not answer' : `another node, ${line.id}, answers at its address`;
    if (want.guard !== 'none') {
      const read = await line.connection.ask(infoReplication());
      if (read.kind !== 'reply' || read.value.role === 'loading') return 'it did not say what it is';
      const refusal = guarded(want, line, { role: read.value.role, sequence: read.value.sequence });
      if (refusal !== undefined) return refusal;
    }
    // It may have waited for an older push, or for what its guard asked.
    if (!this.#on.mayAct()) return 'leadership may have run out meanwhile';
    // Two may be under way: the node is inside the later one when the earlier one has answered.
    this.#pushing.push(this.#runtime.clock.now());
    this.#on.busy(this.#pushing[0] ?? null);
    const breath = await this.#send(line, want);
    this.#pushing.shift();
    this.#on.busy(this.#pushing[0] ?? null);
    if (typeof breath === 'string') {
      // An error may have been applied all the same.
      if (line.connection.state === 'open' && (await this.#identify(line, true))) await this.#readBack(line);
      return breath;
    }
    line.id = this.#node;
    this.#on.learned({ myId: this.#node });
    this.#on.told(want, this.#toldOf(line, want, breath));
    await this.#readBack(line);
    return undefined;
  }

  /** The breath that it answered; null where none was asked for; otherwise why it was not told. */
  async #send(line: Line, want: Want): Promise<OneBreath | null | string> {
    const id = line.id === '' ? this.#node : undefined;
    if (want.breath) {
      const answer = await line.connection.ask(setNodesInOneBreath(want.text, want.version, id), this.#pushTimeout);
      if (answer.kind !== 'reply') return outcomeWords(answer);
      return answer.value.result === 'ok' ? answer.value : answer.value.result.text;
    }
    const question = id === undefined ? setNodes(want.text, want.version) : setNodesAndId(want.text, want.version, id);
    const answer = await line.connection.ask(question, this.#pushTimeout);
    return answer.kind === 'reply' ? null : outcomeWords(answer);
  }

  #toldOf(line: Line, want: Want, breath: OneBreath | null): Told | null {
    if (breath === null || breath.before.role === 'loading' || breath.replication.role === 'loading') return null;
    const { role } = breath.replication;
    // A replica follows from within SETNODES on: what it has behind it may have come from its new master.
    const { sequence } = want.purpose === 'attach' ? breath.before : breath.replication;
    if ((want.purpose === 'fence' || want.purpose === 'drain' || want.purpose === 'release') && role === 'master')
      line.fencedAt = sequence;
    const linked = want.purpose === 'attach' && breath.before.role === 'slave' && breath.before.link === 'up';
    const upTo = linked ? { upTo: breath.replication.sequence } : {};
    const at = this.#runtime.clock.now();
    return { version: want.version, before: breath.before.role, role, sequence, ...upTo, connection: line.number, at };
  }
}

const migrateTypeOf = (word: string | undefined) =>
  word === 'redis-command' || word === 'raw-key-value' ? word : null;

/** Why the push must not go out, seeing what the node has just said on this very connection. */
function guarded(want: Want, line: Line, before: { role: 'master' | 'slave'; sequence: number }): string | undefined {
  switch (want.guard) {
    case 'none':
      return undefined;
    case 'says-master':
      return before.role === 'master' ? undefined : 'it says that it is a slave, whose replication this would end';
    case 'may-follow':
      if (before.sequence > 0 && before.sequence < (want.least ?? 0))
        return `it is at sequence ${before.sequence}, below the ${want.least} that it was seen at`;
      if (before.sequence > (want.most ?? Number.POSITIVE_INFINITY))
        return `it is at sequence ${before.sequence}, beyond the ${want.most} up to which it shares its master’s history`;
      if (before.role === 'slave' || before.sequence === 0 || line.fencedAt !== undefined) return undefined;
      return 'it says that it is a master, and was not fenced on this connection';
    case 'raised':
      if (before.role !== 'master' || line.fencedAt === undefined) return 'it was not fenced on this connection';
      return before.sequence > (want.above ?? 0)
        ? undefined
        : `it is at sequence ${before.sequence}, not above ${want.above}: it would be let in by its number`;
  }
}

function outcomeWords(outcome: { kind: string; error?: { text: string }; why?: unknown }): string {
  if (outcome.error !== undefined) return outcome.error.text;
  return outcome.kind === 'timeout' ? 'it did not answer in time' : 'the connection ended';
}
