/** Every flag of kvctl, declared once: its spelling, its variable, its check and its help. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { Secret } from '../runtime/secret.ts';
import { DEFAULT_HOST, parseHost } from './client/host.ts';
import { usage } from './exit.ts';
import type { Io } from './io.ts';
import { parseDate } from './moments.ts';

export interface Setting<T> {
  readonly option: Option;
  /** What the command line says, or else the variable, or else the default. Throws a usage failure. */
  read(command: Command, env: Io['env']): T;
}

interface Declared<T> {
  readonly flags: string;
  readonly help: string;
  readonly otherwise: T;
  /** Shown in the help beside it. */
  readonly shownDefault?: string;
  readonly variable?: string;
  /** Throws `InvalidArgumentError` with what is allowed. `before`: the value of the same flag to the left of it. */
  readonly parse: (text: string, before: T | undefined) => T;
}

function value<T>({ flags, help, otherwise, shownDefault, variable, parse }: Declared<T>): Setting<T> {
  const extra = [variable && `variable ${variable}`, shownDefault && `default ${shownDefault}`].filter(Boolean);
  const option = new Option(flags, extra.length === 0 ? help : `${help} (${extra.join(', ')})`).argParser<T>(parse);
  return {
    option,
    read(command, env) {
      const given: T | undefined = command.optsWithGlobals()[option.attributeName()];
      if (given !== undefined) return given;
      const text = variable === undefined ? undefined : env[variable];
      if (text === undefined || text === '') return otherwise;
      try {
        return parse(text, undefined);
      } catch (error) {
        if (error instanceof InvalidArgumentError) throw usage(`variable ${variable} is invalid. ${error.message}`);
        throw error;
      }
    },
  };
}

const asIs = (text: string): string => text;

function flag(flags: string, help: string): Setting<boolean> {
  const option = new Option(flags, help);
  return {
    option,
    read(command) {
      const given: boolean | undefined = command.optsWithGlobals()[option.attributeName()];
      return option.negate ? given === false : given === true;
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90`, `90s`, `500ms`, `10m`, `2h`, `1d`; a bare number is seconds. */
export function parseDuration(text: string): number {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/.exec(text);
  const unit = UNITS[match?.[2] ?? 's'];
  if (match === null || unit === undefined) {
    throw new InvalidArgumentError('Allowed: a number and its unit, such as 500ms, 30s, 10m, 2h or 1d.');
  }
  return Number(match[1]) * unit;
}

const positive = (milliseconds: number): number => {
  if (milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError('Allowed: more than 0.');
};

function natural(least: number): (text: string) => number {
  return (text) => {
    if (/^[0-9]{1,15}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`Allowed: an integer of at least ${least}.`);
  };
}

/** Both `--nodes a,b` and `--nodes a --nodes b`. */
function addresses(text: string, before: readonly string[] | undefined): readonly string[] {
  const words = text.split(',').map((word) => word.trim());
  if (words.some((word) => word === ''))
    throw new InvalidArgumentError('Allowed: addresses with a comma between them.');
  return [...(before ?? []), ...words];
}

const SHARD = /^([0-9]{1,15}|sh-[A-Za-z0-9]{12})$/;

export const isShard = (text: string): boolean => SHARD.test(text);
export const SHARD_RULE = 'an index in the list of shards such as 0, or an id such as sh-4fY2kQ81aZx0';

function parseShard(text: string): string {
  if (isShard(text)) return text;
  throw new InvalidArgumentError(`Allowed: ${SHARD_RULE}.`);
}

export const host: Setting<string> = value({
  flags: '-H, --host <address>',
  help: 'the controller, with or without http://',
  variable: 'KVCTL_HOST',
  shownDefault: DEFAULT_HOST,
  otherwise: DEFAULT_HOST,
  parse: (text) => {
    const parsed = parseHost(text);
    if (parsed !== undefined) return parsed;
    throw new InvalidArgumentError(`Allowed: an address such as ${DEFAULT_HOST} or 127.0.0.1:9379.`);
  },
});

export type Output = 'table' | 'json';
export const output: Setting<Output> = value<Output>({
  flags: '-o, --output <form>',
  help: 'table or json; json is the data of the API, as it is',
  shownDefault: 'table',
  otherwise: 'table',
  parse: (text) => {
    if (text === 'table' || text === 'json') return text;
    throw new InvalidArgumentError('Allowed: table, json.');
  },
});

const optional = (flags: string, help: string) =>
  value<string | undefined>({ flags, help, otherwise: undefined, parse: asIs });

export const namespace = optional('-n, --namespace <name>', 'the namespace');
export const cluster = optional('-c, --cluster <name>', 'the cluster');

export const timeout: Setting<number> = value({
  flags: '--timeout <duration>',
  help: 'the longest wait for an answer, and for nodes to know of a change',
  shownDefault: '60s',
  otherwise: 60_000,
  parse: (text) => positive(parseDuration(text)),
});

/** Flags that stand before or after any command. */
export const globals: readonly Setting<unknown>[] = [host, output, namespace, cluster, timeout];

export const noWait = flag('--no-wait', 'return once it is stored, without waiting for the nodes');
export const ifVersion = value<number | undefined>({
  flags: '--if-version <version>',
  help: 'only if the cluster is still at this version',
  otherwise: undefined,
  parse: natural(0),
});
export const yes = flag('-y, --yes', 'do not ask for confirmation');
export const reset = flag('--reset', 'also empty the nodes: fence, flush, reset');

export const password: Setting<Secret> = value({
  flags: '--password <password>',
  help: 'the password of the nodes; safer as a variable, since command lines can be seen',
  variable: 'KVCTL_PASSWORD',
  otherwise: new Secret(''),
  parse: (text) => new Secret(text),
});
export const nodes = value<readonly string[]>({
  flags: '--nodes <addresses>',
  help: 'addresses with commas between them; in each group the first is the master',
  otherwise: [],
  parse: addresses,
});
export const replica: Setting<number> = value({
  flags: '--replica <count>',
  help: 'nodes in each shard, the master included',
  shownDefault: '1',
  otherwise: 1,
  parse: natural(0),
});
export const shard = value<string | undefined>({
  flags: '--shard <shard>',
  help: 'the shard’s index or id',
  otherwise: undefined,
  parse: parseShard,
});
export const target = value<string | undefined>({
  flags: '--target <shard>',
  help: 'the index or id of the shard that receives the slots',
  otherwise: undefined,
  parse: parseShard,
});
export const weights = value<readonly { readonly shard: string; readonly weight: number }[]>({
  flags: '--weight <shard=number>',
  help: 'a shard and its share, such as 0=2; one that is not named has 1. May be repeated',
  otherwise: [],
  parse: (text, before) => {
    const [name = '', number = ''] = text.split('=');
    if (!isShard(name) || !/^[0-9]{1,9}(\.[0-9]{1,6})?$/.test(number))
      throw new InvalidArgumentError(`Allowed: ${SHARD_RULE}, then = and a number from 0 up.`);
    return [...(before ?? []), { shard: name, weight: Number(number) }];
  },
});
export const slotsPerMove = value<number | undefined>({
  flags: '--slots-per-move <count>',
  help: 'slots that are copied at a time at most; without it as many as can be copied in 5 s',
  otherwise: undefined,
  parse: natural(1),
});
export const owner = value<'source' | 'target' | undefined>({
  flags: '--owner <side>',
  help: 'source or target: whose copy of the slots holds',
  otherwise: undefined,
  parse: (text) => {
    if (text === 'source' || text === 'target') return text;
    throw new InvalidArgumentError('Allowed: source, target.');
  },
});
export const slotOnly = flag('--slot-only', 'change the owner and leave the keys behind');
export const preferred = optional('--preferred <node>', 'the id or address of the replica to promote, and no other');
export const dryRun = flag('--dry-run', 'show who would be promoted, and why not the others; change nothing');

export const forceNodes = flag('--force', 'also take nodes that carry a topology or data of their own');
export const forceFailover = flag('--force', 'promote the best replica even where writes may be lost');
export const forceSync = flag('--force', 'also overwrite a newer or foreign topology');
export const forceReset = flag('--force', 'also where the node holds data');
export const forceReadmit = flag('--force', 'also where what the node alone holds cannot be saved first');
export const rehearse = flag('--dry-run', 'say what would become of each key; write nothing');
export const planOnly = flag('--dry-run', 'only say what would be done');
export const forceFix = flag('--force', 'also where something is lost by it');
export const scanFor = value<number | undefined>({
  flags: '--scan <duration>',
  help: 'how long each master is looked through for keys of others’ slots; 0 for not at all',
  shownDefault: '5s',
  otherwise: undefined,
  parse: (text) => {
    const span = parseDuration(text);
    if (span <= LONGEST_SCAN) return span;
    throw new InvalidArgumentError('Allowed: at most 1h.');
  },
});
const LONGEST_SCAN = 3_600_000;
export const commandLimit: Setting<number> = value({
  flags: '--limit <count>',
  help: 'how many commands at most; 0 for all',
  shownDefault: '100',
  otherwise: 100,
  parse: natural(0),
});

export const movePriority = value<number | undefined>({
  flags: '--priority <number>',
  help: 'among moves that could begin the higher one goes first; -1000 to 1000, 0 by default',
  otherwise: undefined,
  parse: (text) => {
    if (/^-?[0-9]{1,4}$/.test(text) && Math.abs(Number(text)) <= 1000) return Number(text);
    throw new InvalidArgumentError('Allowed: an integer from -1000 to 1000.');
  },
});

export const priority = value<number | undefined>({
  flags: '--priority <number>',
  help: 'of equally advanced replicas the one with the higher number is promoted; 0 to 1000, 100 by default',
  otherwise: undefined,
  parse: natural(0),
});
export const newAddress = optional(
  '--addr <address>',
  'where the node listens now, with the data and the id that it had',
);
export const emptied = flag('--empty', 'accept a master that came back without its data as it is');
export const failoverOn = flag('--failover', 'the node may be promoted like any other');
export const failoverOff = flag('--no-failover', 'the node is never promoted unless an operator names it');

export const limit = value<number | undefined>({
  flags: '--limit <count>',
  help: 'how many records at most, 1 to 200',
  shownDefault: '20',
  otherwise: undefined,
  parse: natural(1),
});

export const pauseUntil = optional(
  '--until <time>',
  'such as 2026-11-25T03:00Z, or 03:00 for the next one; UTC where no zone is named',
);
export const pauseFor = value<number | undefined>({
  flags: '--for <duration>',
  help: 'such as 10m; without it until resumed',
  otherwise: undefined,
  parse: (text) => positive(parseDuration(text)),
});
export const watch = flag('-w, --watch', 'show it again every two seconds until Ctrl-C');
export const follow = flag('-f, --follow', 'go on with what happens, until Ctrl-C');
export const last: Setting<number> = value({
  flags: '--last <count>',
  help: 'how many events of the past',
  shownDefault: '50',
  otherwise: 50,
  parse: natural(0),
});

export const rolling = flag('--rolling', 'one node at a time');
export const hook = optional(
  '--hook <command>',
  'restarts one node, run by a shell of this machine; {addr}, {host}, {port} and {id} say which',
);
export const since = value<number | undefined>({
  flags: '--since <time>',
  help: 'nodes that were started after it are over already; an earlier run says which to name',
  otherwise: undefined,
  parse: (text) => {
    const at = parseDate(text);
    if (at !== undefined) return at;
    throw new InvalidArgumentError('Allowed: a time such as 2026-11-25T03:00:00Z; without a zone it is UTC.');
  },
});
