import type { Command } from '../command.ts';
import { bitmaps } from './bitmaps.ts';
import { keyCommands } from './keys.ts';
import { scans } from './scans.ts';
import { strings } from './strings.ts';

/** Every data command by its name in lower case. */
export const commandTable: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...strings, ...bitmaps, ...keyCommands, ...scans }),
);
