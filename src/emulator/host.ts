/**
 * Emulated nodes within the present process, over real sockets: for tests and demonstrations. The simulation does not
 * use this but drives `EmulatedNode` (node.ts) itself, by events and outputs (events.ts) under its own clock.
 */
import { Shell, type ShellState } from './shell.ts';
import { folderStore, memoryStore } from './store.ts';

export interface EmulatedNodeOptions {
  /** 0 or nothing takes a free one. */
  readonly port?: number;
  readonly host?: string;
  /** Keeps topology and data there; without it they live as long as the handle. */
  readonly dir?: string;
  /** Values of the server's own options. */
  readonly conf?: Readonly<Record<string, string>>;
}

export interface EmulatedNodeHandle {
  readonly host: string;
  readonly port: number;
  /** `host:port`. */
  readonly addr: string;
  readonly state: ShellState;
  /** Code and reason of an end that the node brought about itself: a crash, SHUTDOWN. */
  readonly exit: { readonly code: number; readonly reason: string } | undefined;
  /** As kill -9. */
  kill(): void;
  /** As SIGSTOP. */
  hang(): void;
  /** Cut off from all others, silently. */
  cut(): void;
  /** Ends `hang` and `cut`. */
  wake(): void;
  /** Kills it if it lives, and starts it from what it has stored. */
  restart(): Promise<void>;
  /** As SIGTERM. */
  stop(): Promise<void>;
}

/** Starts a node that listens when the promise resolves. Rejects if the port is taken or an option is unknown. */
export async function startEmulatedNode(options: EmulatedNodeOptions = {}): Promise<EmulatedNodeHandle> {
  let exit: EmulatedNodeHandle['exit'];
  const shell = new Shell({
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 0,
    conf: options.conf ?? {},
    store: options.dir === undefined ? memoryStore() : folderStore(options.dir),
    exited: (code, reason) => {
      exit = { code, reason };
    },
  });
  await shell.start();
  return {
    get host() {
      return shell.host;
    },
    get port() {
      return shell.port;
    },
    get addr() {
      return `${shell.host}:${shell.port}`;
    },
    get state() {
      return shell.state;
    },
    get exit() {
      return exit;
    },
    kill: () => shell.kill(),
    hang: () => shell.hang(),
    cut: () => shell.cut(),
    wake: () => shell.wake(),
    async restart() {
      shell.kill();
      exit = undefined;
      await shell.start();
    },
    stop: () => shell.stop(),
  };
}
