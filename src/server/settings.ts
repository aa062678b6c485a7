/**
 * Every setting of kvctl-server, declared once: its flag, its variable, its key in the file, its check, its help.
 * Flags win over the environment, and that over the file, which is the Go controller's, taken as it is.
 */
import { type Address, parseAddress } from '../topology/address.ts';

/** What a text of any source means, or how it is refused: words that follow the setting's name. */
export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export interface Setting<T> {
  /** Without its dashes. */
  readonly flag?: string;
  readonly short?: string;
  /** The flag's value in the help; a flag without one is a switch. */
  readonly placeholder?: string;
  readonly variable?: string;
  /** Dots between the sections; absent where the file cannot have it. */
  readonly key?: string;
  readonly check: (text: string) => Checked<T>;
  readonly otherwise: T;
  /** The default as people read it. */
  readonly shown: string;
  readonly help: string;
}

const good = <T>(value: T): Checked<T> => ({ ok: true, value });

/** Control characters would let a value rewrite the line it is shown in. */
export function quote(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}...` : text;
  return JSON.stringify(short);
}

const mustBe = (allowed: string, text: string): Checked<never> => ({
  ok: false,
  why: `must be ${allowed}, not ${quote(text)}`,
});

function checkAddress(text: string): Checked<Address> {
  const address = parseAddress(text);
  if (address !== undefined) return good(address);
  return mustBe('host:port such as 127.0.0.1:9379, [::1]:9379 or, for all addresses, 0.0.0.0:9379', text);
}

const checkPath = (text: string): Checked<string> => (text === '' ? mustBe('a path', text) : good(text));

function checkSwitch(text: string): Checked<boolean> {
  if (text === 'true' || text === 'false') return good(text === 'true');
  return mustBe('true or false', text);
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof LEVELS)[number];

function checkLevel(text: string): Checked<Level> {
  const level = LEVELS.find((each) => each === text.toLowerCase());
  return level === undefined ? mustBe(`one of ${LEVELS.join(', ')}`, text) : good(level);
}

function whole(most: number): (text: string) => Checked<number> {
  return (text) => {
    const value = Number(text);
    return /^[1-9][0-9]{0,8}$/.test(text) && value <= most
      ? good(value)
      : mustBe(`a whole number from 1 to ${most}`, text);
  };
}

/** Engines of the Go controller. Never replaced by another one in silence: its data would seem to be gone. */
export const NOT_BUILT = ['etcd', 'zookeeper', 'raft', 'consul'] as const;
export const notBuilt = (engine: string): string =>
  `: a metadata store in ${engine} is not built yet; remove it, or say storage_type: embedded, to keep the metadata in the data folder`;

function checkEngine(text: string): Checked<'embedded'> {
  if (text === 'embedded') return good('embedded');
  if (NOT_BUILT.some((engine) => engine === text)) return { ok: false, why: `${text}${notBuilt(text)}` };
  return mustBe('embedded', text);
}

const setting = <T>(declared: Setting<T>): Setting<T> => declared;

/** The Go controller's own numbers, where a file has only one of the two. */
const PING = { interval: 3, count: 5 };

export const settings = {
  addr: setting<Address>({
    flag: 'addr',
    placeholder: 'HOST:PORT',
    variable: 'KVCTL_SERVER_ADDR',
    key: 'addr',
    check: checkAddress,
    otherwise: { host: '127.0.0.1', port: 9379 },
    shown: '127.0.0.1:9379',
    help: 'where the HTTP API listens',
  }),
  dataDir: setting<string>({
    flag: 'data-dir',
    placeholder: 'DIR',
    variable: 'KVCTL_SERVER_DATA_DIR',
    key: 'data_dir',
    check: checkPath,
    otherwise: 'data',
    shown: './data, in the working directory',
    help: 'the folder of the metadata; made when it is not there',
  }),
  config: setting<string | undefined>({
    flag: 'config',
    short: 'c',
    placeholder: 'FILE',
    variable: 'KVCTL_SERVER_CONFIG',
    check: checkPath,
    otherwise: undefined,
    shown: 'none',
    help: "a YAML file; the Go controller's is read as it is",
  }),
  logLevel: setting<Level>({
    flag: 'log-level',
    placeholder: 'LEVEL',
    variable: 'KVCTL_SERVER_LOG_LEVEL',
    key: 'log.level',
    check: checkLevel,
    otherwise: 'info',
    shown: 'info',
    help: `what is logged at least: ${LEVELS.join(', ')}`,
  }),
  logFile: setting<string | undefined>({
    flag: 'log-file',
    placeholder: 'FILE',
    variable: 'KVCTL_SERVER_LOG_FILE',
    key: 'log.filename',
    check: checkPath,
    otherwise: undefined,
    shown: 'standard error',
    help: 'where the log goes, as JSON lines',
  }),
  allowUnauthenticated: setting<boolean>({
    flag: 'allow-unauthenticated',
    variable: 'KVCTL_SERVER_ALLOW_UNAUTHENTICATED',
    key: 'allow_unauthenticated',
    check: checkSwitch,
    otherwise: false,
    shown: 'false',
    help: 'listen beyond this machine though whoever reaches the API may do everything',
  }),
  storage: setting<'embedded'>({
    key: 'storage_type',
    check: checkEngine,
    otherwise: 'embedded',
    shown: 'embedded',
    help: 'where the metadata is kept; embedded, in the data folder, is the only one yet',
  }),
  pingInterval: setting<number | undefined>({
    key: 'controller.failover.ping_interval_seconds',
    check: whole(3_600),
    otherwise: undefined,
    shown: `none; ${PING.interval} beside a max_ping_count`,
    help: 'times max_ping_count: seconds of silence after which a hung master is replaced (3 without both); a crashed one is replaced within a second all the same',
  }),
  pingCount: setting<number | undefined>({
    key: 'controller.failover.max_ping_count',
    check: whole(1_000),
    otherwise: undefined,
    shown: `none; ${PING.count} beside a ping_interval_seconds`,
    help: 'see ping_interval_seconds',
  }),
};

export type SettingName = keyof typeof settings;
export type Values = { readonly [K in SettingName]: (typeof settings)[K] extends Setting<infer T> ? T : never };

/** Milliseconds of silence that make a hang, where the file says so. */
export function toleranceOf(values: Pick<Values, 'pingInterval' | 'pingCount'>): number | undefined {
  const { pingInterval: interval, pingCount: count } = values;
  if (interval === undefined && count === undefined) return undefined;
  return (interval ?? PING.interval) * (count ?? PING.count) * 1_000;
}

/** Both together stand for `addr`; `KVCTL_SERVER_ADDR` wins. */
export const GO_VARIABLES = { host: 'KVROCKS_CONTROLLER_HTTP_HOST', port: 'KVROCKS_CONTROLLER_HTTP_PORT' } as const;

const ROTATION = 'logs are not rotated here; let logrotate with copytruncate do it';
const OTHERWISE_DECIDED = 'it has no part in how failovers are decided here';

/** Keys that files of the Go controller have and that mean nothing here, with the reason. */
export const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  'admin.addr': 'there is one address only, addr',
  'controller.failover.gc_interval_seconds': OTHERWISE_DECIDED,
  'controller.failover.min_alive_size': OTHERWISE_DECIDED,
  'controller.failover.max_failure_ratio': OTHERWISE_DECIDED,
  'log.max_backups': ROTATION,
  'log.max_age': ROTATION,
  'log.max_size': ROTATION,
  'log.compress': ROTATION,
};
