/** The program `kvrocks-emulator`: emulated nodes in one process, until it is told to stop. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startControl } from './control.ts';
import { Settings } from './settings.ts';
import { Shell } from './shell.ts';
import { codeOf, folderStore, makeFolder, memoryStore } from './store.ts';

const HELP = `kvrocks-emulator: Kvrocks 2.14 nodes in cluster mode, for tests and for trying things out.

  kvrocks-emulator [--port 7000] [--count 1] [options]

  --port PORT              the first node's port (7000)
  --host ADDRESS           where the nodes listen (127.0.0.1)
  --count N                how many nodes (1)
  --spread ports           nodes on consecutive ports (default)
  --spread addresses       nodes on one port at consecutive addresses, 127.0.0.1, 127.0.0.2, ...
  --dir DIR                keep topology and data there; with --count above 1 in a subfolder for each node
  --requirepass PASSWORD   sets requirepass and masterauth
  --conf NAME=VALUE        any option of the server's configuration file; may be given several times
  --control PORT           GET /nodes, POST /nodes/<port>/<kill|hang|wake|cut|revive>, as with curl
  --help

Without --dir everything is gone when the process ends.
`;

interface Options {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly addresses: boolean;
  readonly dir: string | undefined;
  readonly conf: Readonly<Record<string, string>>;
  readonly control: number | undefined;
}

/** Ends the process with one sentence that says what to do. */
function giveUp(sentence: string): never {
  process.stderr.write(`kvrocks-emulator: ${sentence}\n`);
  process.exit(1);
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    giveUp(`--${name} must be a whole number from ${least} to ${most}, not "${text}".`);
  }
  return value;
}

function readOptions(args: readonly string[]): Options {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return giveUp(`${error instanceof Error ? error.message.split('.')[0] : error}; --help tells what there is.`);
  }
  const { values } = parsed;
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const settings = new Settings();
  const conf: Record<string, string> = {};
  if (values.requirepass !== undefined) {
    conf['requirepass'] = values.requirepass;
    conf['masterauth'] = values.requirepass;
  }
  for (const text of values.conf) {
    const at = text.indexOf('=');
    if (at < 1) giveUp(`--conf wants NAME=VALUE, not "${text}".`);
    const name = text.slice(0, at);
    const refused = settings.load(name, text.slice(at + 1));
    if (refused !== undefined) giveUp(`${refused.refused}.`);
    conf[name] = text.slice(at + 1);
  }
  if (!['ports', 'addresses'].includes(values.spread)) giveUp('--spread must be ports or addresses.');
  const count = whole('count', values.count, 1, 200);
  return {
    host: values.host,
    port: whole('port', values.port, 1, 65535),
    count,
    addresses: values.spread === 'addresses',
    dir: values.dir,
    conf,
    control: values.control === undefined ? undefined : whole('control', values.control, 1, 65535),
  };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '7000' },
      host: { type: 'string', default: '127.0.0.1' },
      count: { type: 'string', default: '1' },
      spread: { type: 'string', default: 'ports' },
      dir: { type: 'string' },
      requirepass: { type: 'string' },
      conf: { type: 'string', multiple: true, default: [] },
      control: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
}

/** Address and port of the n-th node. */
function placeOf({ host, port, addresses }: Options, n: number): { readonly host: string; readonly port: number } {
  if (!addresses) return { host, port: port + n };
  const [a = 127, b = 0, c = 0, d = 1] = host.split('.').map(Number);
  const number = ((a * 256 + b) * 256 + c) * 256 + d + n;
  return { host: [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.'), port };
}

function storeOf(options: Options, place: { readonly host: string; readonly port: number }) {
  const { dir, count, addresses } = options;
  if (dir === undefined) return memoryStore();
  const own = count === 1 ? dir : join(dir, addresses ? place.host : String(place.port));
  try {
    makeFolder(own);
    accessSync(own, constants.W_OK);
    return folderStore(own);
  } catch (error) {
    return giveUp(`the folder ${own} cannot be written (${codeOf(error)}); choose another one with --dir.`);
  }
}

async function run(options: Options): Promise<void> {
  const shells: Shell[] = [];
  for (let n = 0; n < options.count; n++) {
    const place = placeOf(options, n);
    const shell = new Shell({
      ...place,
      conf: options.conf,
      store: storeOf(options, place),
      exited: (code, reason) => {
        process.stderr.write(`kvrocks-emulator: node ${place.host}:${place.port}: ${reason}\n`);
        // With several nodes in the process the others live on, as other processes would.
        if (options.count === 1) process.exit(code);
      },
    });
    try {
      await shell.start();
    } catch (error) {
      if (codeOf(error) === 'EADDRINUSE') {
        giveUp(`port ${place.port} of ${place.host} is taken; choose another one with --port.`);
      }
      if (codeOf(error) === 'EADDRNOTAVAIL') {
        giveUp(`${place.host} is no address of this machine; choose another one with --host.`);
      }
      giveUp(error instanceof Error ? error.message : String(error));
    }
    shells.push(shell);
  }
  if (options.control !== undefined) {
    await startControl(options.control, shells).catch(() =>
      giveUp(`port ${options.control} is taken; choose another one with --control.`),
    );
  }
  const stop = () => {
    void Promise.all(shells.map((shell) => shell.stop())).then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.stdout.write(`ready: ${shells.map(({ host, port }) => `${host}:${port}`).join(' ')}\n`);
}

await run(readOptions(process.argv.slice(2)));
