/** `kvctl-server`: settings in, one process of the control plane out, and its end. */
import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { resolve as absolute } from 'node:path';
import product from '../../package.json' with { type: 'json' };
import { isLoopback } from '../api/guard.ts';
import { DEFAULT_SETTINGS } from '../operations/settings.ts';
import { nodeRuntime } from '../runtime/node-runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { StoreOpenError } from '../store/embedded/open-error.ts';
import { type Address, formatAddress } from '../topology/address.ts';
import { HELP, readCommandLine } from './command-line.ts';
import { type Configuration, configure } from './configuration.ts';
import { openLog, type ServerLog } from './logging.ts';
import { type Serving, serve } from './serve.ts';
import { toleranceOf } from './settings.ts';

const EXIT = { stopped: 0, failed: 1, usage: 2, twice: 130 } as const;
/** Milliseconds after which a stop that does not end is ended. */
const PATIENCE = 4_500;
/** Within so many milliseconds a second signal is the first one again: npm passes on what Ctrl-C sent to all. */
const SAME_SIGNAL = 300;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function refuse(sentences: readonly string[]): void {
  for (const sentence of sentences)
    process.stderr.write(`kvctl-server: ${sentence}${sentence.endsWith('?') ? '' : '.'}\n`);
}

/** Resolves with the exit code once all has ended. */
export async function main(args: readonly string[]): Promise<number> {
  // Whoever started it need not read what it says.
  process.stdout.on('error', () => {});
  const commandLine = readCommandLine(args);
  if (commandLine.refusals.length > 0) {
    refuse([...commandLine.refusals, 'kvctl-server --help lists what there is']);
    return EXIT.usage;
  }
  if (commandLine.help) {
    process.stdout.write(HELP);
    return EXIT.stopped;
  }
  if (commandLine.version) {
    say(product.version);
    return EXIT.stopped;
  }
  const configured = configure({ commandLine, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
  if (!configured.ok) {
    refuse(configured.refusals);
    return EXIT.usage;
  }
  const { configuration } = configured;
  const runtime = nodeRuntime();
  const exposed = await exposure(configuration, runtime);
  if (exposed !== undefined) {
    refuse([exposed]);
    return EXIT.usage;
  }
  return run(configuration, runtime);
}

/** Why this address may not be listened on, if so. */
async function exposure({ values, sourceOf }: Configuration, { network }: Runtime): Promise<string | undefined> {
  if (values.allowUnauthenticated) return undefined;
  const reached = await network.resolve(values.addr.host);
  // What does not resolve cannot be listened on either, and the listener says so.
  if (reached.every(isLoopback)) return undefined;
  const source = sourceOf('addr') ?? 'addr';
  return `${source}: ${formatAddress(values.addr)} can be reached from other machines, and whoever reaches the API may do everything: listen on 127.0.0.1, or say --allow-unauthenticated where a firewall or a proxy decides who gets here`;
}

function openLogOrRefuse({ values }: Configuration): ServerLog | undefined {
  try {
    return openLog({ level: values.logLevel, file: values.logFile });
  } catch (error) {
    refuse([`the log file ${values.logFile} cannot be written (${codeOf(error)}): choose another with --log-file`]);
    return undefined;
  }
}

async function run(configuration: Configuration, runtime: Runtime): Promise<number> {
  const serverLog = openLogOrRefuse(configuration);
  if (serverLog === undefined) return EXIT.failed;
  const { log, flush } = serverLog;
  endOnFaults(serverLog);
  const { values, warnings } = configuration;
  for (const { sentence, ...fields } of warnings) log.warn(fields, sentence);

  const dataDir = absolute(values.dataDir);
  const tolerance = toleranceOf(values) ?? DEFAULT_SETTINGS.tolerance;
  const stopping = new Stopping(serverLog);
  let serving: Serving;
  try {
    serving = await serve(runtime, {
      address: values.addr,
      dataDir,
      version: product.version,
      policy: { ...DEFAULT_SETTINGS, tolerance },
      log,
    });
  } catch (error) {
    const why = reasonOf(error, values.addr);
    if (why === undefined) throw error;
    flush();
    refuse([why]);
    return EXIT.failed;
  }
  const at = formatAddress(serving.address);
  log.info({ version: product.version, at, dataDir, tolerance }, 'serving');
  welcome(serving.address, dataDir);
  // A process that gets killed would never write it.
  flushCompileCache();
  await stopping.asked;
  await serving.stop();
  log.info({}, 'stopped');
  flush();
  return EXIT.stopped;
}

function welcome(address: Address, dataDir: string): void {
  const { host, port } = address;
  const anywhere = host === '0.0.0.0' || host === '::';
  const url = `http://${formatAddress({ host: anywhere ? '127.0.0.1' : host, port })}`;
  const standard = url === 'http://127.0.0.1:9379';
  say(`kvctl-server ${product.version} serves ${anywhere ? `all addresses, here ${url}` : url}; data in ${dataDir}.`);
  say(`Next: npx kvctl${standard ? '' : ` --host ${url}`} create namespace demo. More: npx kvctl --help.`);
}

/** The first signal asks, a second one ends the process at once. */
class Stopping {
  readonly asked: Promise<void>;

  constructor({ log, flush }: ServerLog) {
    this.asked = new Promise((resolve) => {
      let since: number | undefined;
      const stop = (signal: NodeJS.Signals) => {
        if (since !== undefined) {
          if (performance.now() - since < SAME_SIGNAL) return;
          flush();
          process.exit(EXIT.twice);
        }
        since = performance.now();
        log.info({ signal }, 'stopping');
        setTimeout(() => {
          log.error({}, 'what runs did not end in time; ended all the same');
          flush();
          process.exit(EXIT.failed);
        }, PATIENCE).unref();
        resolve();
      };
      process.on('SIGTERM', stop);
      process.on('SIGINT', stop);
    });
  }
}

/** State after a fault is unknown; what matters is in the store, and a fresh process goes on from there. */
function endOnFaults({ log, flush }: ServerLog): void {
  const end = (fault: unknown) => {
    log.fatal({ err: fault }, 'a fault of kvctl-server ends it');
    flush();
    process.exit(EXIT.failed);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error);

/** One sentence with the way out, for what is no fault of ours. */
function reasonOf(error: unknown, address: Address): string | undefined {
  // These bring their own full stop.
  if (error instanceof StoreOpenError) return error.message.replace(/\.$/, '');
  const at = formatAddress(address);
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return `${at} is taken by another process: stop that one, or choose another address with --addr`;
    case 'EADDRNOTAVAIL':
      return `${address.host} is no address of this machine: choose one that is with --addr`;
    case 'EACCES':
      return `this user may not listen on ${at}: choose a port above 1023 with --addr`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${address.host} does not resolve to an address: choose another one with --addr`;
    default:
      return undefined;
  }
}
