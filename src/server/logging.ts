/** Where the log goes: JSON lines to standard error or a file, readable lines to a terminal. */
import { openSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import type { Level } from './settings.ts';
import { terminalLine } from './terminal-line.ts';

/** Bytes kept for a reader that is slow or a disk that is full; what comes on top of them is dropped. */
const MOST_WAITING = 4 * 1024 * 1024;

export interface ServerLog {
  readonly log: Logger;
  /** Writes out what waits; for the moment before the process ends. */
  flush(): void;
}

export interface LogSettings {
  readonly level: Level;
  /** Appended to; undefined: standard error. */
  readonly file: string | undefined;
}

/** Throws what `fs.openSync` throws. */
export function openLog({ level, file }: LogSettings): ServerLog {
  const options = {
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (file === undefined && process.stderr.isTTY === true) {
    const colours = process.env['NO_COLOR'] === undefined;
    const write = (line: string) => void process.stderr.write(terminalLine(line, colours));
    return { log: pino(options, { write }), flush: () => {} };
  }
  const fd = file === undefined ? process.stderr.fd : openSync(file, 'a', 0o640);
  // Not synchronously: a reader that stalls must not stall failovers.
  const stream = pino.destination({ fd, sync: false, maxLength: MOST_WAITING });
  // A full disk or a reader that has gone costs lines of the log, and nothing else.
  stream.on('error', () => {});
  return {
    log: pino(options, stream),
    flush: () => {
      try {
        stream.flushSync();
      } catch {
        // It is the end in any case.
      }
    },
  };
}
