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
  /** Runs a command line by a shell, its output shown as it comes; resolves with its exit code. Ctrl-C does not reach it. */
  readonly shell: (command: string) => Promise<number>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Characters and lines of the screen that `err` is drawn on. */
  readonly screen: () => { readonly columns: number; readonly rows: number };
  /** Ends what would go on for ever. */
  readonly stopped: AbortSignal;
  /** A person's first Ctrl-C aborts `stopped` in place of ending the process, until what it returns is called. */
  readonly catchCtrlC: () => () => void;
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
