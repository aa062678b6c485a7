/** What came on the command line and in the environment, and the help that describes both. */
import { parseArgs } from 'node:util';
import type { Warning } from './config-file.ts';
import { nearest } from './nearest.ts';
import { GO_VARIABLES, quote, type Setting, type SettingName, settings } from './settings.ts';

export interface Given {
  readonly text: string;
  /** How people name the source: `--addr`, `KVCTL_SERVER_ADDR`, `config.yaml:3:7: addr`. */
  readonly source: string;
}

export interface CommandLine {
  readonly help: boolean;
  readonly version: boolean;
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly refusals: readonly string[];
}

const byFlag = new Map<string, { readonly name: SettingName; readonly setting: Setting<unknown> }>();
export const names = Object.keys(settings).filter((name): name is SettingName => name in settings);
for (const name of names) {
  const setting = settings[name];
  if (setting.flag !== undefined) byFlag.set(setting.flag, { name, setting });
}
const FLAGS = [...byFlag.keys(), 'help', 'version'];

function options() {
  const switches = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'V' } } as const;
  const declared = [...byFlag].map(([flag, { setting }]) => [
    flag,
    {
      type: setting.placeholder === undefined ? ('boolean' as const) : ('string' as const),
      ...(setting.short !== undefined && { short: setting.short }),
    },
  ]);
  return { ...switches, ...Object.fromEntries(declared) };
}

/** Never throws. */
export function readCommandLine(args: readonly string[]): CommandLine {
  // Not strict: the parser's own sentences name no near flag, and repeat values that may be secrets.
  const { tokens } = parseArgs({ args: [...args], options: options(), strict: false, tokens: true });
  const given = new Map<SettingName, Given>();
  const refusals: string[] = [];
  let help = false;
  let version = false;
  let afterUnknown = false;
  for (const token of tokens) {
    // Behind an unknown flag it is probably that one's value.
    if (token.kind === 'positional' && !afterUnknown) refusals.push(`${quote(token.value)} is no flag`);
    afterUnknown = false;
    if (token.kind !== 'option') continue;
    const known = byFlag.get(token.name);
    if (known === undefined) {
      if (token.name === 'help') help = true;
      else if (token.name === 'version') version = true;
      else {
        afterUnknown = true;
        const near = nearest(token.name, FLAGS);
        const shown = quote(token.rawName).slice(1, -1);
        refusals.push(`${shown} is no flag of kvctl-server${near === undefined ? '' : `; is --${near} meant?`}`);
      }
      continue;
    }
    const isSwitch = known.setting.placeholder === undefined;
    if (!isSwitch && (token.value === undefined || (!token.inlineValue && token.value.startsWith('-')))) {
      refusals.push(`${token.rawName} needs a value: ${token.rawName} ${known.setting.placeholder}`);
      continue;
    }
    given.set(known.name, { text: token.value ?? 'true', source: token.rawName });
  }
  return { help, version, given, refusals };
}

type Environment = Readonly<Record<string, string | undefined>>;

const OWN = 'KVCTL_SERVER_';
/** Kubernetes gives these to every container beside a service named kvctl-server. */
const OF_KUBERNETES = /^KVCTL_SERVER_(?:SERVICE_|PORT(?:_|$))/;

export interface FromEnvironment {
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly warnings: readonly Warning[];
}

/** An empty variable is as good as none. */
export function readEnvironment(env: Environment): FromEnvironment {
  const given = new Map<SettingName, Given>();
  const warnings: Warning[] = [];
  const host = env[GO_VARIABLES.host] || undefined;
  const port = env[GO_VARIABLES.port] || undefined;
  if (host !== undefined && port !== undefined) {
    const text = host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
    given.set('addr', { text, source: `${GO_VARIABLES.host} and ${GO_VARIABLES.port}` });
  } else if (host !== undefined || port !== undefined) {
    const [one, other] = host === undefined ? (['port', 'host'] as const) : (['host', 'port'] as const);
    const hint = `set ${GO_VARIABLES[other]} too`;
    warnings.push({ at: 'environment', name: GO_VARIABLES[one], sentence: 'a setting has no effect alone', hint });
  }
  const variables: string[] = [];
  for (const name of names) {
    const { variable } = settings[name];
    if (variable === undefined) continue;
    variables.push(variable);
    const text = env[variable];
    if (text !== undefined && text !== '') given.set(name, { text, source: variable });
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith(OWN) || variables.includes(name) || OF_KUBERNETES.test(name)) continue;
    const near = nearest(name, variables);
    const hint = near === undefined ? undefined : `is ${near} meant?`;
    const sentence = 'an unknown setting has no effect';
    warnings.push({ at: 'environment', name, sentence, ...(hint !== undefined && { hint }) });
  }
  return { given, warnings };
}

const WIDTH = 100;

function wrap(text: string, indent: string): string {
  const lines = [indent];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1] ?? '';
    if (last.length + word.length + 1 > WIDTH && last !== indent) lines.push(`${indent}${word}`);
    else lines[lines.length - 1] = last === indent ? `${indent}${word}` : `${last} ${word}`;
  }
  return lines.join('\n');
}

function describe({ flag, short, placeholder, variable, key, shown, help }: Setting<unknown>): string {
  const head =
    flag === undefined
      ? `  ${key} (file only)`
      : `  ${short === undefined ? '' : `-${short}, `}--${flag}${placeholder === undefined ? '' : ` ${placeholder}`}`;
  const also = [variable, flag === undefined ? undefined : key && `in the file ${key}`].filter(Boolean);
  return [
    head,
    wrap(`${help}. Default: ${shown}.`, '      '),
    ...(also.length === 0 ? [] : [`      ${also.join('; ')}`]),
  ].join('\n');
}

export const HELP = `kvctl-server: the control plane of Apache Kvrocks clusters.

  kvctl-server [-c FILE] [flags]

A flag wins over its variable, and that over the file.

${names.map((name) => describe(settings[name])).join('\n')}
  -h, --help
  -V, --version

${GO_VARIABLES.host} and ${GO_VARIABLES.port}, both set, stand for KVCTL_SERVER_ADDR.
It runs until SIGTERM or SIGINT, finishes what is under way and ends within 5 seconds.
Exit status: 0 stopped, 1 it could not begin or broke, 2 a wrong setting.
`;
