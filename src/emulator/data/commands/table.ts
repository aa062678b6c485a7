import type { Command } from '../command.ts';
import { bitmaps } from './bitmaps.ts';
import { hashes } from './hashes.ts';
import { keyCommands } from './keys.ts';
import { lists } from './lists.ts';
import { scans } from './scans.ts';
import { sets } from './sets.ts';
import { sortedSets } from './sorted-sets.ts';
import { streams } from './streams.ts';
import { strings } from './strings.ts';

/** Every data command by its name in lower case. */
export const commandTable: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    ...strings,
    ...bitmaps,
    ...keyCommands,
    ...hashes,
    ...lists,
    ...sets,
    ...sortedSets,
    ...streams,
    ...scans,
  }),
);
