/** All that a command asks of the world, so that a test can be its terminal. */
import type { Clock, Timers } from '../runtime/runtime.ts';

export interface Io {
  /** Results, for people and programs. The text comes with its line ends. */
  readonly out: (text: string) => void;
  /** Errors, notes, progress. */
  readonly err: (text: string) => void;
  /** Whether a person reads `out`: only then are screens redrawn. */
  readonly outIsTerminal: boolean;
  /** Whether a person reads `err`: only then is progress shown. */
  readonly errIsTerminal: boolean;
  /** Asks the person at the terminal; undefined where there is none. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Ends what would go on for ever, as a success. A person's Ctrl-C needs no help: it ends the process. */
  readonly stopped: AbortSignal;
}

/** Resolves after `delay` milliseconds, or at once when stopped. */
export function sleep(io: Pick<Io, 'timers' | 'stopped'>, delay: number): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      cancel();
      io.stopped.removeEventListener('abort', over);
      resolve();
    };
    const cancel = io.timers.after(delay, over);
    if (io.stopped.aborted) over();
    else io.stopped.addEventListener('abort', over);
  });
}
