/** Commands about the process and the connection: PING, AUTH, HELLO, CLIENT, CONFIG, COMMAND, INFO and their like. */
import type { Client } from './client.ts';
import { type NodeCommand, type NodeCommands, refuse, simple } from './commands.ts';
import { array, bulk, type Core, error, integer, Later, NIL, OK, type Outcome, verbatim } from './core.ts';
import { commandRow, type KnownCommands } from './known-commands.ts';
import type { Reply } from './reply.ts';
import { keepsNoLog } from './settings.ts';

/** What these commands need of the node beside the core. */
export interface ServerHost {
  readonly isSlave: boolean;
  readonly clients: ReadonlyMap<number, Client>;
  readonly commands: KnownCommands;
  info(names: readonly string[]): string | undefined;
  role(): Reply;
  close(client: Client): void;
  shutDown(): void;
  /** A setting has been changed by CONFIG SET. */
  configured(name: string): void;
  resetStats(): void;
}

const CLIENT_USAGE = 'Syntax error, try CLIENT LIST|INFO|KILL ip:port|GETNAME|SETNAME|REPLY';
const UNKNOWN_SUBCOMMAND = 'Unknown subcommand or wrong number of arguments';

export function serverCommands(core: Core, host: ServerHost): NodeCommands {
  const { settings } = core;

  /** Undefined if the password is right. */
  function passwordError(password: string): Reply | undefined {
    const required = settings.get('requirepass');
    if (required === '') return error('Client sent AUTH, but no password is set');
    return password === required ? undefined : error('Invalid password');
  }

  function auth([, password = '']: readonly string[], client: Client): Outcome {
    const refused = passwordError(password);
    if (refused !== undefined) return refused;
    client.authenticated = true;
    return OK;
  }

  function hello(words: readonly string[], client: Client): Outcome {
    let protocol: 2 | 3 | undefined;
    let at = 1;
    if (words.length > 1) {
      const version = words[1] ?? '';
      if (!/^-?\d+$/.test(version)) return error('Protocol version is not an integer or out of range');
      if (version !== '2' && version !== '3') return { kind: 'error', text: 'NOPROTO unsupported protocol version' };
      protocol = version === '3' && settings.on('resp3-enabled') ? 3 : 2;
      at = 2;
    }
    while (at < words.length) {
      const option = (words[at] ?? '').toLowerCase();
      const left = words.length - at - 1;
      if (option === 'auth' && left > 0) {
        const named = left > 1 && words[at + 2]?.toLowerCase() !== 'setname';
        const refused = passwordError(words[at + (named ? 2 : 1)] ?? '');
        if (refused !== undefined) return refused;
        client.authenticated = true;
        at += named ? 3 : 2;
      } else if (option === 'setname' && left > 0) {
        client.name = words[at + 1] ?? '';
        at += 2;
      } else {
        return error(`Syntax error in HELLO option '${words[at] ?? ''}'`);
      }
    }
    client.protocol = protocol ?? client.protocol;
    return {
      kind: 'map',
      items: [
        bulk('server'),
        bulk('redis'),
        bulk('version'),
        bulk('4.0.0'),
        bulk('proto'),
        integer(client.protocol),
        bulk('mode'),
        bulk(settings.on('cluster-enabled') ? 'cluster' : 'standalone'),
        bulk('role'),
        bulk(host.isSlave ? 'slave' : 'master'),
        bulk('modules'),
        { kind: 'nil-array' },
      ],
    };
  }

  function clientLine(client: Client): string {
    const age = Math.max(0, Math.floor((core.moment.wall - client.since) / 1000));
    const where = `id=${client.id} addr=${client.address} fd=${client.id + 7}`;
    return `${where} name=${client.name} age=${age} idle=0 flags=N namespace=__namespace qbuf=0 obuf=0 cmd=${client.lastCommand}\n`;
  }

  function prepareClient(words: readonly string[]): ReturnType<NodeCommand['prepare']> {
    const [, name = '', value = '', filter = ''] = words;
    const count = words.length;
    switch (name.toLowerCase()) {
      case 'id':
        if (count === 2) return (client) => integer(client.id);
        break;
      case 'getname':
        if (count === 2) return (client) => (client.name === '' ? NIL : bulk(client.name));
        break;
      case 'setname':
        if (count !== 3) break;
        return (client) => {
          client.name = value;
          return OK;
        };
      case 'info':
        if (count === 2) return (client) => bulk(clientLine(client));
        break;
      case 'list':
        if (count === 2) return () => bulk([...host.clients.values()].map(clientLine).join(''));
        break;
      case 'reply':
        if (count === 3) return () => OK;
        break;
      case 'kill':
        if (count === 3 || count === 4)
          return (client) => kill(client, count === 3 ? 'addr' : value, count === 3 ? value : filter);
        break;
    }
    return refuse(CLIENT_USAGE);
  }

  function kill(own: Client, by: string, value: string): Outcome {
    const wanted = by.toLowerCase();
    const found = [...host.clients.values()].filter((client) =>
      wanted === 'id' ? String(client.id) === value : client.address === value,
    );
    if (found.length === 0) return error('No such client');
    for (const client of found) if (client !== own) host.close(client);
    if (found.includes(own)) own.closing = true;
    return wanted === 'addr' ? OK : integer(found.length);
  }

  function config(words: readonly string[]): Outcome {
    const [, name = '', ...rest] = words;
    switch (name.toLowerCase()) {
      case 'get': {
        if (rest.length !== 1) break;
        const found = settings.matching(rest[0] ?? '');
        return { kind: 'map', items: found.flatMap(([key, value]) => [bulk(key), bulk(value)]) };
      }
      case 'set': {
        const [key, value] = rest;
        if (key === undefined || value === undefined || rest.length !== 2) break;
        const refused = settings.set(key, value);
        if (refused !== undefined) return error(`CONFIG SET '${key}' error: ${refused.refused}`);
        host.configured(key.toLowerCase());
        return OK;
      }
      case 'rewrite':
        core.emit({ kind: 'save-config', text: settings.text() });
        return OK;
      case 'resetstat':
        host.resetStats();
        return OK;
    }
    return error('CONFIG subcommand must be one of GET, SET, REWRITE');
  }

  function namespace(words: readonly string[]): Outcome {
    const [, name = '', token = ''] = words;
    switch (name.toLowerCase()) {
      case 'get':
        if (token === '*') return array([bulk('__namespace'), bulk(settings.get('requirepass'))]);
        return NIL;
      case 'current':
        return bulk('__namespace');
      case 'add':
      case 'set':
      case 'del':
        return error('forbidden to add namespace when cluster mode was enabled');
      default:
        return error('NAMESPACE subcommand must be one of GET, SET, DEL, ADD');
    }
  }

  function command(words: readonly string[]): Outcome {
    const [, name, ...rest] = words;
    if (name === undefined) return array(host.commands.all().map(commandRow));
    switch (name.toLowerCase()) {
      case 'count':
        if (rest.length === 0) return integer(host.commands.all().length);
        break;
      case 'info':
        return array(
          rest.map((wanted) => {
            const found = host.commands.find(wanted);
            return found === undefined ? NIL : commandRow(found);
          }),
        );
      case 'getkeys': {
        const keys = host.commands.keysOf(rest);
        if (keys === undefined) return error('Invalid command specified');
        if (keys.length === 0) return error('The command has no key arguments');
        return array(keys.map((index) => bulk(rest[index] ?? '')));
      }
    }
    return error('Command subcommand must be one of COUNT, GETKEYS, GETKEYSANDFLAGS, INFO');
  }

  function slowlog([, name = '']: readonly string[]): Outcome {
    switch (name.toLowerCase()) {
      case 'len':
        return integer(0);
      case 'get':
        return array([]);
      case 'reset':
        return OK;
      default:
        return error('SLOWLOG SUBCOMMAND must be one of RESET, LEN, GET');
    }
  }

  function debug([, name = '', seconds = '']: readonly string[]): Outcome {
    if (name.toLowerCase() !== 'sleep' || !/^\d+(\.\d+)?$/.test(seconds)) return error(UNKNOWN_SUBCOMMAND);
    const later = new Later(true);
    core.after(Number(seconds) * 1000, () => later.resolve(OK));
    return later;
  }

  function time(): Outcome {
    const { wall } = core.moment;
    return array([bulk(String(Math.floor(wall / 1000))), bulk(String(Math.floor((wall % 1000) * 1000)))]);
  }

  function ping(words: readonly string[]): Outcome {
    const [, text] = words;
    if (words.length > 2) return error('wrong number of arguments');
    return text === undefined ? { kind: 'simple', text: 'PONG' } : bulk(text);
  }

  /** The log is kept for what is not in a file yet; the server lets go of it when no option says to keep more. */
  function flushMemtable(): Outcome {
    if (keepsNoLog(settings)) core.database.purgeLog(core.database.sequence + 1);
    return OK;
  }

  const ok = () => OK;
  return {
    auth: simple(2, ['readonly', 'ok-loading', 'auth'], auth),
    hello: simple(-1, ['readonly', 'ok-loading', 'auth'], hello),
    ping: simple(-1, ['readonly'], ping),
    echo: simple(2, ['readonly'], ([, text = '']) => bulk(text)),
    select: simple(2, ['readonly'], ok),
    quit: simple(1, ['readonly'], (_words, client) => {
      client.closing = true;
      return OK;
    }),
    reset: simple(1, ['ok-loading', 'bypass-multi', 'no-script', 'admin'], (_words, client) => {
      client.queue = undefined;
      client.spoilt = false;
      client.watched = undefined;
      client.protocol = 2;
      client.authenticated = false;
      client.name = '';
      client.channels.clear();
      client.patterns.clear();
      return { kind: 'simple', text: 'RESET' };
    }),
    time: simple(1, ['readonly', 'ok-loading'], time),
    role: simple(1, ['readonly', 'ok-loading'], () => host.role()),
    info: simple(-1, ['readonly', 'ok-loading'], ([, ...names]) => {
      const text = host.info(names);
      return text === undefined ? undefined : verbatim(text);
    }),
    client: { arity: -2, flags: ['readonly'], prepare: prepareClient },
    config: simple(-2, ['readonly', 'admin'], config),
    namespace: simple(-2, ['readonly', 'admin'], namespace),
    command: simple(-1, ['readonly'], command),
    slowlog: simple(-2, ['readonly'], slowlog),
    debug: simple(-2, ['readonly', 'exclusive'], debug),
    shutdown: simple(1, ['readonly', 'exclusive', 'no-multi', 'no-script', 'admin'], () => {
      host.shutDown();
      return undefined;
    }),
    bgsave: simple(1, ['readonly', 'no-script', 'admin'], ok),
    lastsave: simple(-1, ['readonly', 'admin'], () => integer(Math.floor(core.moment.wall / 1000))),
    flushbackup: simple(1, ['readonly', 'no-script', 'admin'], ok),
    compact: simple(1, ['readonly', 'no-script'], ok),
    flushmemtable: simple(-1, ['exclusive', 'write'], flushMemtable),
    flushblockcache: simple(1, ['exclusive', 'write'], ok),
    readonly: simple(1, ['no-multi'], (_words, client) => {
      client.readOnly = true;
      return OK;
    }),
    readwrite: simple(1, ['no-multi'], (_words, client) => {
      client.readOnly = false;
      return OK;
    }),
  };
}
