/** PUBLISH and SUBSCRIBE. Messages go through the log: each raises the sequence number, and replicas pass them on. */
import type { Client } from './client.ts';
import { type NodeCommands, simple } from './commands.ts';
import { array, bulk, type Core, error, integer, type Outcome } from './core.ts';
import type { Reply } from './reply.ts';

export interface Subscribers {
  readonly clients: Iterable<Client>;
  push(client: Client, items: readonly Reply[]): void;
}

/** Hands messages to the node's own subscribers. */
export function deliver(subscribers: Subscribers, channel: string, messages: readonly string[]): void {
  for (const client of subscribers.clients) {
    if (client.channels.size === 0 && client.patterns.size === 0) continue;
    for (const message of messages) {
      if (client.channels.has(channel)) subscribers.push(client, [bulk('message'), bulk(channel), bulk(message)]);
      for (const pattern of client.patterns) {
        if (matches(pattern, channel)) {
          subscribers.push(client, [bulk('pmessage'), bulk(pattern), bulk(channel), bulk(message)]);
        }
      }
    }
  }
}

export function pubsubCommands(core: Core, subscribers: Subscribers): NodeCommands {
  function receivers(channel: string): number {
    let count = 0;
    for (const client of subscribers.clients) {
      if (client.channels.has(channel)) count += 1;
      for (const pattern of client.patterns) if (matches(pattern, channel)) count += 1;
    }
    return count;
  }

  function publish(words: readonly string[]): Outcome {
    const [, channel = '', ...messages] = words;
    const count = receivers(channel);
    // A replica's numbers are its master's: there a message goes to its own subscribers only.
    if (core.isSlave) deliver(subscribers, channel, messages);
    else core.database.appendMessages(channel, messages);
    return integer(count * messages.length);
  }

  function change(kind: string, set: (client: Client) => Set<string>, add: boolean) {
    return (words: readonly string[], client: Client): Outcome => {
      const names = words.length > 1 ? words.slice(1) : [...set(client)];
      if (names.length === 0) {
        subscribers.push(client, [bulk(kind), { kind: 'nil' }, integer(client.channels.size + client.patterns.size)]);
      }
      for (const name of names) {
        if (add) set(client).add(name);
        else set(client).delete(name);
        subscribers.push(client, [bulk(kind), bulk(name), integer(client.channels.size + client.patterns.size)]);
      }
      return undefined;
    };
  }

  function pubsub(words: readonly string[]): Outcome {
    const [, name = '', ...rest] = words;
    const all = [...subscribers.clients];
    switch (name.toLowerCase()) {
      case 'channels': {
        const channels = new Set(all.flatMap((client) => [...client.channels]));
        return array([...channels].filter((channel) => matches(rest[0] ?? '*', channel)).map(bulk));
      }
      case 'numsub':
        return array(
          rest.flatMap((channel) => [
            bulk(channel),
            integer(all.filter(({ channels }) => channels.has(channel)).length),
          ]),
        );
      case 'numpat':
        return integer(new Set(all.flatMap((client) => [...client.patterns])).size);
      default:
        return error('Unknown subcommand or wrong number of arguments');
    }
  }

  const channels = (client: Client) => client.channels;
  const patterns = (client: Client) => client.patterns;
  return {
    publish: simple(3, ['readonly'], publish),
    mpublish: simple(-3, ['readonly'], publish),
    subscribe: simple(-2, ['readonly', 'no-multi', 'no-script'], change('subscribe', channels, true)),
    unsubscribe: simple(-1, ['readonly', 'no-multi', 'no-script'], change('unsubscribe', channels, false)),
    psubscribe: simple(-2, ['readonly', 'no-multi', 'no-script'], change('psubscribe', patterns, true)),
    punsubscribe: simple(-1, ['readonly', 'no-multi', 'no-script'], change('punsubscribe', patterns, false)),
    pubsub: simple(-2, ['readonly', 'no-script'], pubsub),
  };
}

function matches(pattern: string, text: string): boolean {
  if (!/[*?[\\]/.test(pattern)) return pattern === text;
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  try {
    return new RegExp(`^${source}$`, 's').test(text);
  } catch {
    return false;
  }
}
