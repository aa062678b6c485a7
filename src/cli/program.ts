/** kvctl as a function of its command line and its terminal. */
import { Command, CommanderError } from 'commander';
import { check, fix } from './commands/check.ts';
import { create, importing } from './commands/create.ts';
import { deletion } from './commands/delete.ts';
import { events } from './commands/events.ts';
import { failover } from './commands/failover.ts';
import { get, list } from './commands/list.ts';
import { migrate } from './commands/migrate.ts';
import { move } from './commands/moves.ts';
import { restarting } from './commands/restart.ts';
import { salvage } from './commands/salvage.ts';
import { drain, rebalancing, scale } from './commands/scale.ts';
import { settings } from './commands/settings.ts';
import { status } from './commands/status.ts';
import { node, pause, resume, sync } from './commands/upkeep.ts';
import { why } from './commands/why.ts';
import { exitHelp, exits, Failure } from './exit.ts';
import type { Io } from './io.ts';
import { globals } from './settings.ts';

const COMMANDS = [
  create,
  list,
  get,
  deletion,
  importing,
  migrate,
  rebalancing,
  move,
  scale,
  drain,
  restarting,
  failover,
  status,
  events,
  check,
  fix,
  why,
  settings,
  pause,
  resume,
  sync,
  node,
  salvage,
];

// A misspelt flag may carry a password behind its `=`.
const withoutValues = (text: string): string => text.replace(/(unknown option '--?[^'=]*)=[^\n]*'/, "$1'");

function program(io: Io, version: string): Command {
  const made = new Command('kvctl')
    .description('Manage Apache Kvrocks clusters through their controller.')
    .version(version, '-V, --version', 'the version of kvctl')
    .addHelpText('after', `\n${exitHelp}`);
  for (const { option } of globals) made.addOption(option);
  for (const each of COMMANDS) made.addCommand(each(io));
  everyCommand(made, (command) =>
    command
      .exitOverride()
      .showHelpAfterError('(kvctl --help lists the commands, kvctl <command> --help its flags)')
      .configureHelp({ showGlobalOptions: true })
      .configureOutput({
        writeOut: (text) => io.out(text),
        writeErr: (text) => io.err(text),
        outputError: (text, write) => write(withoutValues(text)),
      }),
  );
  return made;
}

function everyCommand(command: Command, change: (command: Command) => void): void {
  change(command);
  for (const each of command.commands) everyCommand(each, change);
}

/** Runs one command line, without the program's name. Resolves with the exit code; never rejects. */
export async function run(args: readonly string[], io: Io, version: string): Promise<number> {
  try {
    await program(io, version).parseAsync(args, { from: 'user' });
    return exits.ok.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exits.ok.code : exits.usage.code;
    if (error instanceof Failure) {
      io.err(failureText(error));
      return exits[error.exit].code;
    }
    io.err(`error: a fault of kvctl: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return exits.failed.code;
  }
}

function failureText({ message, details, next }: Failure): string {
  return [`error: ${message}`, ...details.map((line) => `  ${line}`), ...(next === undefined ? [] : [next])]
    .map((line) => `${line}\n`)
    .join('');
}
