/**
 * From bytes to replies: the checks of a command in the server's order, MULTI and EXEC, and the standing still of the
 * whole node while an exclusive command waits.
 */
import type { Client } from './client.ts';
import { clusterCommands } from './cluster-commands.ts';
import type { NodeCommand, NodeCommands } from './commands.ts';
import { simple } from './commands.ts';
import { array, bulk, error, Later, OK, type Outcome } from './core.ts';
import type { CommandShape } from './data/port.ts';
import { type CommandInfo, type KnownCommands, serverCommandRows } from './known-commands.ts';
import type { EmulatedNode } from './node.ts';
import { pubsubCommands, type Subscribers } from './pubsub.ts';
import { replicationCommands } from './replication-commands.ts';
import type { Reply } from './reply.ts';
import { READ_ONLY, scriptCommands } from './scripts.ts';
import { serverCommands } from './server-commands.ts';
import { slotOf } from './slots.ts';

const LOADING: Reply = { kind: 'error', text: 'LOADING kvrocks is restoring the db from backup' };
const NO_AUTH: Reply = { kind: 'error', text: 'NOAUTH Authentication required.' };
const CROSS_SLOT: Reply = {
  kind: 'error',
  text: "CROSSSLOT Attempted to access keys that don't hash to the same slot",
};
const MASTER_DOWN: Reply = {
  kind: 'error',
  text: "MASTERDOWN Link with MASTER is down and slave-serve-stale-data is set to 'no'.",
};
const QUEUED: Reply = { kind: 'simple', text: 'QUEUED' };
/** All that a replica without its master answers if it may not serve stale data. */
const STALE_COMMANDS = ['info', 'slaveof', 'config'];
const ARITY = error('wrong number of arguments');

type Found =
  | { readonly kind: 'own'; readonly name: string; readonly command: NodeCommand }
  | { readonly kind: 'data'; readonly name: string; readonly shape: CommandShape };

export class Execution {
  readonly subscribers: Subscribers;
  readonly #node: EmulatedNode;
  readonly #own: ReadonlyMap<string, NodeCommand>;
  /** Connections with something to read that could not go on. */
  #backlog = new Set<Client>();
  #held = false;

  constructor(node: EmulatedNode) {
    this.#node = node;
    this.subscribers = {
      clients: { [Symbol.iterator]: () => node.clients.values() },
      push: (client, items) => node.reply(client, { kind: 'push', items }),
    };
    const own: NodeCommands = {
      ...serverCommands(node, this.#serverHost()),
      ...clusterCommands(node, node.cluster),
      ...replicationCommands(node, node),
      ...pubsubCommands(node, this.subscribers),
      ...scriptCommands(node, node.scripts, (client, words) => this.#fromScript(client, words)),
      ...this.#transactions(),
    };
    this.#own = new Map(Object.entries(own));
  }

  received(client: Client, bytes: string): void {
    client.reader.push(bytes);
    if (client.feed !== undefined) this.#fromReplica(client);
    else this.#backlog.add(client);
  }

  /** Reads on wherever something waits to be read. */
  drain(): void {
    for (;;) {
      if (this.#held || this.#node.over) return;
      const [client] = this.#backlog;
      if (client === undefined) return;
      this.#backlog.delete(client);
      this.#process(client);
    }
  }

  /** The reply that a waiting connection waited for. */
  wake(client: Client, reply: Reply): void {
    client.waiting = false;
    this.#node.reply(client, reply);
    this.#backlog.add(client);
  }

  #serverHost(): Parameters<typeof serverCommands>[1] {
    const node = this.#node;
    return {
      get isSlave() {
        return node.isSlave;
      },
      clients: node.clients,
      commands: this.#known(),
      info: (names) => node.info(names),
      role: () => this.#role(),
      close: (client) => node.close(client),
      shutDown: () => node.exit(0, 'shut down by a client'),
      configured: (name) => node.configured(name),
      resetStats: () => {
        node.counters.connections = 0;
        node.counters.commands = 0;
      },
    };
  }

  #process(client: Client): void {
    while (!client.waiting && !client.closing && !client.closed && !this.#node.over) {
      if (client.feed !== undefined) {
        this.#fromReplica(client);
        return;
      }
      if (this.#held) {
        this.#backlog.add(client);
        return;
      }
      const next = client.reader.next();
      if (next === undefined) return;
      if ('broken' in next) {
        this.#node.reply(client, error(`Protocol error: ${next.broken}`));
        this.#node.close(client);
        return;
      }
      this.#node.counters.commands += 1;
      this.#settle(client, this.#run(client, next.words));
    }
  }

  #settle(client: Client, outcome: Outcome): void {
    if (outcome instanceof Later) {
      client.waiting = true;
      if (outcome.holdsNode) this.#held = true;
      outcome.whenResolved((reply) => {
        if (outcome.holdsNode) this.#held = false;
        if (this.#node.over) return;
        this.wake(client, reply);
        if (client.closing) this.#node.close(client);
      });
      return;
    }
    if (outcome !== undefined) this.#node.reply(client, outcome);
    if (client.closing) this.#node.close(client);
  }

  /** The server's order: unknown, arity, password, loading, arguments, MULTI, slots, queue, role, stale data. */
  #run(client: Client, words: readonly string[]): Outcome {
    const spoilt = (reply: Reply): Reply => {
      if (client.queue !== undefined) client.spoilt = true;
      return reply;
    };
    const word = words[0] ?? '';
    const found = this.#find(word);
    if (found === undefined) {
      if (/^(host:|post)$/i.test(word)) {
        client.closing = true;
        return undefined;
      }
      const args = words.slice(1).map((arg) => `\`${arg}\``);
      return spoilt(error(`unknown command \`${word}\`, with args beginning with: ${args.join(', ')}`));
    }
    const { name } = found;
    client.lastCommand = name;
    const { arity, flags } = found.kind === 'own' ? found.command : found.shape;
    if (arity > 0 ? words.length !== arity : words.length < -arity) return spoilt(ARITY);
    if (!client.authenticated) {
      if (this.#node.settings.get('requirepass') === '') client.authenticated = true;
      else if (!flags.includes('auth')) return spoilt(NO_AUTH);
    }
    if (this.#node.loading && !flags.includes('ok-loading')) return spoilt(LOADING);
    return this.#checked(client, words, found, spoilt, false);
  }

  #checked(
    client: Client,
    words: readonly string[],
    found: Found,
    spoilt: (reply: Reply) => Reply,
    inExec: boolean,
  ): Outcome {
    const { name } = found;
    const flags = found.kind === 'own' ? found.command.flags : found.shape.flags;
    const prepared = found.kind === 'own' ? found.command.prepare(words) : undefined;
    if (prepared !== undefined && 'refused' in prepared) return spoilt(prepared.refused);
    const queueing = client.queue !== undefined && !inExec;
    if (queueing && flags.includes('no-multi'))
      return spoilt(error(`${name.toUpperCase()} inside MULTI is not allowed`));
    const keys = keysOf(found, words);
    const write = flags.includes('write');
    if (this.#node.settings.on('cluster-enabled') && keys.length > 0) {
      const refused = this.#slotRefusal(client, words, keys, write);
      if (refused !== undefined) return spoilt(refused);
    }
    if (name !== 'asking') client.asking = false;
    if (queueing && !flags.includes('bypass-multi')) {
      client.queue?.push(words);
      return QUEUED;
    }
    const { replication, settings } = this.#node;
    if (replication !== undefined) {
      if (write && settings.on('slave-read-only')) return READ_ONLY;
      if (!settings.on('slave-serve-stale-data') && !STALE_COMMANDS.includes(name) && !replication.linkUp) {
        return MASTER_DOWN;
      }
    }
    if (prepared !== undefined) return prepared(client, inExec);
    return this.#data(client, words, keys, flags, inExec);
  }

  #slotRefusal(client: Client, words: readonly string[], keys: readonly number[], write: boolean): Reply | undefined {
    let slot: number | undefined;
    for (const index of keys) {
      const other = slotOf(words[index] ?? '');
      slot ??= other;
      if (slot !== other) return CROSS_SLOT;
    }
    return slot === undefined ? undefined : this.#node.cluster.refusal(slot, write, client);
  }

  #data(
    client: Client,
    words: readonly string[],
    keys: readonly number[],
    flags: readonly string[],
    inExec: boolean,
  ): Outcome {
    const node = this.#node;
    const name = words[0]?.toLowerCase();
    if (node.dataLost) {
      node.crash(`${words[0]}: the database is closed`);
      return undefined;
    }
    const before = node.database.writes;
    const reply = node.database.execute(words, node.moment.wall);
    const flushed = (name === 'flushall' || name === 'flushdb') && reply.kind !== 'error';
    if (node.database.writes !== before || flushed) this.#touch(keys.map((index) => words[index] ?? ''));
    if (flushed) node.cluster.migrator.flushed();
    const waits = reply.kind === 'nil' || reply.kind === 'nil-array';
    if (waits && !inExec && flags.includes('blocking') && node.pops.block(client, words, keys)) {
      client.waiting = true;
      return undefined;
    }
    return reply;
  }

  /** Keys were written: transactions that watch them are off. Without keys: all. */
  #touch(keys: readonly string[]): void {
    for (const client of this.#node.clients.values()) {
      const { watched } = client;
      if (watched === undefined) continue;
      if (keys.length === 0 || keys.some((key) => watched.has(key))) client.touched = true;
    }
  }

  #transactions(): NodeCommands {
    const stop = (client: Client) => {
      client.queue = undefined;
      client.spoilt = false;
      client.watched = undefined;
      client.touched = false;
    };
    return {
      multi: simple(1, ['bypass-multi'], (_words, client) => {
        if (client.queue !== undefined) return error('MULTI calls can not be nested');
        client.queue = [];
        client.spoilt = false;
        return OK;
      }),
      discard: simple(1, ['bypass-multi'], (_words, client) => {
        if (client.queue === undefined) return error('DISCARD without MULTI');
        stop(client);
        return OK;
      }),
      exec: simple(1, ['exclusive', 'bypass-multi'], (_words, client) => {
        const { queue, spoilt, touched } = client;
        if (queue === undefined) return error('EXEC without MULTI');
        stop(client);
        if (spoilt) return { kind: 'error', text: 'EXECABORT Transaction discarded' };
        if (touched) return { kind: 'nil-array' };
        return this.#exec(client, queue);
      }),
      watch: {
        arity: -2,
        flags: ['no-multi'],
        range: [1, -1, 1],
        keys: (words) => words.slice(1).map((_, i) => i + 1),
        prepare: (words) => (client) => {
          client.watched ??= new Set();
          for (const key of words.slice(1)) client.watched.add(key);
          return OK;
        },
      },
      unwatch: simple(1, ['no-multi'], (_words, client) => {
        client.watched = undefined;
        client.touched = false;
        return OK;
      }),
      asking: simple(1, [], (_words, client) => {
        client.asking = true;
        return OK;
      }),
    };
  }

  /**
   * Runs the queued commands one by one, waiting for those that wait; nothing else runs in between. What they write is
   * one batch, numbered at the end: INFO among them does not know of it yet.
   */
  #exec(client: Client, queue: readonly (readonly string[])[]): Later {
    const done = new Later(true);
    const replies: Reply[] = [];
    this.#node.database.beginBatch();
    const step = (from: number): void => {
      for (let i = from; i < queue.length; i++) {
        const words = queue[i] ?? [];
        const found = this.#find(words[0] ?? '');
        if (found === undefined) continue;
        const outcome = this.#checked(client, words, found, (reply) => reply, true);
        if (this.#node.over) return;
        if (outcome instanceof Later) {
          outcome.whenResolved((reply) => {
            replies.push(reply);
            step(i + 1);
          });
          return;
        }
        if (outcome !== undefined) replies.push(outcome);
      }
      this.#node.database.endBatch();
      done.resolve(array(replies));
    };
    step(0);
    return done;
  }

  #fromScript(client: Client, words: readonly string[]): Reply {
    const found = this.#find(words[0] ?? '');
    if (found === undefined) return error('Unknown Redis command called from script script');
    const { arity, flags } = found.kind === 'own' ? found.command : found.shape;
    if (flags.includes('no-script')) return error('This Redis command is not allowed from script');
    if (arity > 0 ? words.length !== arity : words.length < -arity) {
      return error('Wrong number of args while calling Redis command from script');
    }
    const outcome = this.#checked(client, words, found, (reply) => reply, true);
    return outcome === undefined || outcome instanceof Later ? { kind: 'nil' } : outcome;
  }

  /** What comes back over the connection of a feed. */
  #fromReplica(client: Client): void {
    for (;;) {
      const { feed } = client;
      const next = feed === undefined ? undefined : client.reader.next();
      if (feed === undefined || next === undefined || 'broken' in next) return;
      const [, option, value] = next.words;
      if (option === 'ack') this.#node.feeds.acknowledge(feed, Number(value));
      else if (option === 'credit') this.#node.feeds.credit(feed, Number(value));
    }
  }

  #role(): Reply {
    const { replication, database, feeds, loading } = this.#node;
    if (loading) {
      this.#node.crash('ROLE: the database is closed');
      return OK;
    }
    if (replication !== undefined) {
      return array([
        bulk('slave'),
        bulk(replication.host),
        bulk(String(replication.port)),
        bulk(replication.stateWord),
        bulk(String(database.sequence)),
      ]);
    }
    const slaves = feeds.all.map(({ client, acknowledged }) =>
      array([
        bulk(client.announcedHost || client.host),
        bulk(String(client.listeningPort)),
        bulk(String(acknowledged)),
      ]),
    );
    const head = [bulk('master'), bulk(String(database.sequence))];
    return array(slaves.length === 0 ? head : [...head, array(slaves)]);
  }

  #find(word: string): Found | undefined {
    const shape = this.#node.database.shape(word);
    if (shape !== undefined) return { kind: 'data', name: word.toLowerCase(), shape };
    const name = word.toLowerCase();
    const command = this.#own.get(name);
    return command === undefined ? undefined : { kind: 'own', name, command };
  }

  #known(): KnownCommands {
    const list = (): readonly CommandInfo[] => {
      const infos = new Map(serverCommandRows.map((info) => [info.name, info]));
      for (const [name, { arity, flags, range }] of this.#own) {
        if (!name.startsWith('_')) infos.set(name, { name, arity, flags, range: range ?? [0, 0, 0] });
      }
      for (const name of this.#node.database.commandNames) {
        const shape = this.#node.database.shape(name);
        if (shape !== undefined) infos.set(name, { name, arity: shape.arity, flags: shape.flags, range: shape.range });
      }
      return [...infos.values()];
    };
    return {
      all: list,
      find: (name) => list().find((info) => info.name === name.toLowerCase()),
      keysOf: (words) => {
        const found = this.#find(words[0] ?? '');
        if (found === undefined) return undefined;
        const { arity } = found.kind === 'own' ? found.command : found.shape;
        if (arity > 0 ? words.length !== arity : words.length < -arity) return undefined;
        return keysOf(found, words);
      },
    };
  }
}

function keysOf(found: Found, words: readonly string[]): readonly number[] {
  return found.kind === 'data' ? found.shape.keys(words) : (found.command.keys?.(words) ?? []);
}
