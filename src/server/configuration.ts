/** All sources of settings made into one set of values, or into what is wrong with them. */
import { type CommandLine, type Given, names, readEnvironment } from './command-line.ts';
import { type Placed, readConfigFile, type Warning } from './config-file.ts';
import { type Setting, type SettingName, settings, type Values } from './settings.ts';

export interface Configuration {
  readonly values: Values;
  readonly warnings: readonly Warning[];
  /** Where a value came from, as people name it; undefined for a default. */
  readonly sourceOf: (name: SettingName) => string | undefined;
}

export type Configured =
  | { readonly ok: true; readonly configuration: Configuration }
  /** Sentences without a full stop, each naming its source. */
  | { readonly ok: false; readonly refusals: readonly string[] };

export interface Sources {
  readonly commandLine: CommandLine;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Throws what `fs.readFileSync` throws. */
  readonly readFile: (path: string) => string;
}

const NO_FILE = { values: new Map<string, Placed>(), warnings: [], refusals: [] };

function fileOf(path: string, readFile: Sources['readFile']): ReturnType<typeof readConfigFile> {
  try {
    return readConfigFile(readFile(path), path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const why = { ENOENT: 'is not there', EACCES: 'may not be read by this user', EISDIR: 'is a folder' }[code] ?? code;
    return { ...NO_FILE, refusals: [`the configuration file ${path} ${why}`] };
  }
}

/** A misspelt name is often the cause of the refusal above it. */
const warningText = ({ at, name, sentence, hint }: Warning): string =>
  `${at}: ${name}: ${sentence}${hint === undefined ? '' : `; ${hint}`}`;

/** Reads the file that flags or environment name, and joins the three. */
export function configure({ commandLine, env, readFile }: Sources): Configured {
  const environment = readEnvironment(env);
  const path = commandLine.given.get('config')?.text ?? environment.given.get('config')?.text;
  const file = path === undefined ? NO_FILE : fileOf(path, readFile);
  const refusals = [...commandLine.refusals, ...file.refusals];

  const given = (name: SettingName): Given | undefined => {
    const { key } = settings[name];
    const placed = key === undefined ? undefined : file.values.get(key);
    return (
      commandLine.given.get(name) ??
      environment.given.get(name) ??
      (placed && { text: placed.text, source: `${placed.at}: ${key}` })
    );
  };
  const value = <T>(name: SettingName, setting: Setting<T>): T => {
    const got = given(name);
    if (got === undefined) return setting.otherwise;
    const checked = setting.check(got.text);
    if (checked.ok) return checked.value;
    refusals.push(`${got.source} ${checked.why}`);
    return setting.otherwise;
  };
  const values: Values = {
    addr: value('addr', settings.addr),
    dataDir: value('dataDir', settings.dataDir),
    config: value('config', settings.config),
    logLevel: value('logLevel', settings.logLevel),
    logFile: value('logFile', settings.logFile),
    allowUnauthenticated: value('allowUnauthenticated', settings.allowUnauthenticated),
    storage: value('storage', settings.storage),
    pingInterval: value('pingInterval', settings.pingInterval),
    pingCount: value('pingCount', settings.pingCount),
  };
  // A value of the file that something else overrides is checked all the same: it is wrong for whoever reads it next.
  for (const name of names) {
    const { key, check } = settings[name];
    const placed = key === undefined ? undefined : file.values.get(key);
    if (placed === undefined || given(name)?.source === `${placed.at}: ${key}`) continue;
    const checked = check(placed.text);
    if (!checked.ok) refusals.push(`${placed.at}: ${key} ${checked.why}`);
  }
  const warnings = [...environment.warnings, ...file.warnings];
  if (refusals.length > 0) return { ok: false, refusals: [...refusals, ...warnings.map(warningText)] };
  return { ok: true, configuration: { values, warnings, sourceOf: (name) => given(name)?.source } };
}
