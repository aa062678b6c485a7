/** How a command of kvctl is made: its name, arguments and settings, and what it runs. */
import { Command } from 'commander';
import type { Io } from './io.ts';
import { Session } from './session.ts';
import type { Setting } from './settings.ts';

export interface Declaration {
  /** The first is shown; the others work as well. */
  readonly names: readonly [string, ...string[]];
  /** As commander writes them: `<cluster>`, `[cluster]`, `<slots...>`. */
  readonly args?: string;
  readonly about: string;
  /** Beside the global ones. */
  readonly settings?: readonly Setting<unknown>[];
  /** Command lines that show it, in the help. */
  readonly examples?: readonly string[];
  readonly run: (session: Session) => Promise<void>;
}

/** One command, given its terminal. */
export type CommandOf = (io: Io) => Command;

export function command({ names, args, about, settings = [], examples = [], run }: Declaration): CommandOf {
  return (io) => {
    const made = new Command(names[0]).aliases(names.slice(1)).description(about);
    if (args !== undefined) made.arguments(args);
    for (const { option } of settings) made.addOption(option);
    if (examples.length > 0)
      made.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}\n`).join('')}`);
    return made.action(async () => run(new Session(io, made)));
  };
}

/** Groups others, and is `usual` where none of them is named: `kvctl settings` shows them. */
export function groupAround(
  names: readonly [string, ...string[]],
  about: string,
  usual: CommandOf,
  ...members: readonly CommandOf[]
): CommandOf {
  return (io) => {
    const made = new Command(names[0]).aliases(names.slice(1)).description(about);
    made.addCommand(usual(io), { isDefault: true });
    for (const member of members) made.addCommand(member(io));
    return made;
  };
}

/** A word that only groups others, such as `create`. */
export function group(
  names: readonly [string, ...string[]],
  about: string,
  ...members: readonly CommandOf[]
): CommandOf {
  return (io) => {
    const made = new Command(names[0]).aliases(names.slice(1)).description(about);
    for (const member of members) made.addCommand(member(io));
    return made;
  };
}
